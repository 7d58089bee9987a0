//! Between invocations an instance stands still, as on AWS: what it has left running goes on with the
//! next one. Frozen a moment after its invocation, so that one that follows at once pays nothing.

use std::{
    io,
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use kit::{Clock, Millis};
use tokio::sync::Notify;

/// How long an instance may go on after its invocation.
const AFTER: Duration = Duration::from_millis(100);

/// Whether an instance stands still.
#[derive(Default)]
pub(crate) struct Rest {
    state: Mutex<State>,
    /// Rung when it is woken.
    woken: Notify,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// In its init or an invocation.
    #[default]
    Busy,
    /// Since then.
    Idle(Millis),
    Frozen,
}

impl Rest {
    /// Its invocation is over, and whatever belongs to it.
    pub(crate) fn begin(&self, now: Millis) {
        *self.state() = State::Idle(now);
    }

    /// An invocation comes: `thaw` runs if it has been frozen.
    pub(crate) fn end(&self, thaw: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let mut state = self.state();
        match std::mem::take(&mut *state) {
            State::Frozen => {
                let thawed = thaw();
                drop(state);
                self.woken.notify_waiters();
                thawed
            }
            State::Busy | State::Idle(_) => Ok(()),
        }
    }

    /// Runs `freeze` whenever it has been idle for a moment. Ends when that fails.
    pub(crate) async fn keep(
        &self,
        clock: &Clock,
        freeze: impl Fn() -> io::Result<()>,
    ) -> io::Error {
        loop {
            self.awake().await;
            match self.freeze_after(AFTER, clock.now(), &freeze) {
                Ok(until) => clock.sleep_until(until).await,
                Err(error) => return error,
            }
        }
    }

    /// Freezes it if it has idled for so long; answers when to look again.
    fn freeze_after(
        &self,
        wait: Duration,
        now: Millis,
        freeze: &impl Fn() -> io::Result<()>,
    ) -> io::Result<Millis> {
        let wait = wait.as_millis() as u64;
        let mut state = self.state();
        match *state {
            State::Idle(since) if now.since(since) >= wait => {
                freeze()?;
                *state = State::Frozen;
                Ok(now)
            }
            State::Idle(since) => Ok(since.plus(wait)),
            State::Busy | State::Frozen => Ok(now.plus(wait)),
        }
    }

    /// Waits until it is not frozen.
    pub(crate) async fn awake(&self) {
        loop {
            let woken = self.woken.notified();
            tokio::pin!(woken);
            woken.as_mut().enable();
            if *self.state() != State::Frozen {
                return;
            }
            woken.await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds this lock")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    };

    use super::*;

    fn count(times: &AtomicU32) -> io::Result<()> {
        times.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    async fn keep(rest: Arc<Rest>, clock: Clock, frozen: Arc<AtomicU32>) -> io::Error {
        rest.keep(&clock, || count(&frozen)).await
    }

    #[tokio::test]
    async fn it_is_frozen_once_it_has_idled_and_thawed_by_the_next_invocation() {
        let (rest, clock) = (Arc::new(Rest::default()), Clock::default());
        let frozen = Arc::new(AtomicU32::new(0));
        let keeping = tokio::spawn(keep(rest.clone(), clock.clone(), frozen.clone()));
        for round in 1..=3 {
            // Busy for as long as it takes.
            clock.advance(Duration::from_secs(60));
            tokio::task::yield_now().await;
            assert_eq!(frozen.load(Ordering::Relaxed), round - 1);
            rest.begin(clock.now());
            while *rest.state() != State::Frozen {
                clock.advance(AFTER);
                tokio::task::yield_now().await;
            }
            let thawed = AtomicU32::new(0);
            rest.end(|| count(&thawed)).unwrap();
            rest.end(|| count(&thawed)).unwrap();
            assert_eq!(thawed.load(Ordering::Relaxed), 1, "once");
        }
        keeping.abort();
    }
}
