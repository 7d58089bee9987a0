//! The ledger: what is counted waits in memory for a second, then it is added to the rows.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use ::store::{ReadError, Store};
use kit::{Clock, Millis};
use runtime::{Outcome, RuntimeError};
use tokio::{
    sync::{Notify, watch},
    task::JoinHandle,
};

use crate::{
    Error,
    functions::Runnable,
    invoke::trace,
    usage::{
        Chain, Charge, Span, Subject, Tally,
        chain::Chains,
        store::{self, Pending, Row},
    },
};

/// How long what is counted waits: what a kill may lose.
const WRITE_EVERY: Duration = Duration::from_secs(1);
/// Versions and minutes that may wait. Those beyond are not counted: more functions than that do not
/// run in a second.
const MAX_PENDING: usize = 10_000;

/// Counts what functions use.
pub(crate) struct Usage {
    waiting: Arc<Waiting>,
    /// Told to end, and the task that writes.
    stop: watch::Sender<bool>,
    task: Mutex<Option<JoinHandle<()>>>,
}

/// An invocation that is under way.
pub(crate) struct Counting {
    waiting: Arc<Waiting>,
    subject: Subject,
    function: Arc<runtime::Function>,
    began: Millis,
    /// The root of its trace.
    root: Option<String>,
    /// Invocations of the version at once when it began, itself included.
    at_once: u32,
}

struct Waiting {
    counted: Mutex<Counted>,
    /// Rung when something begins to wait.
    begun: Notify,
    /// One write at a time; the hour for which old rows were last removed.
    turn: tokio::sync::Mutex<u64>,
}

#[derive(Default)]
struct Counted {
    tallies: Pending,
    chains: Chains,
    /// Invocations under way, by version.
    running: HashMap<Subject, u32>,
}

impl Usage {
    /// Begins with the chains of earlier runs.
    pub(crate) async fn load(store: &Store) -> Result<Usage, ReadError> {
        let chains = Chains::new(store::load_chains(store).await?);
        let counted = Mutex::new(Counted { chains, ..Counted::default() });
        let waiting = Waiting { counted, begun: Notify::new(), turn: tokio::sync::Mutex::new(0) };
        let (stop, task) = (watch::Sender::new(false), Mutex::default());
        Ok(Usage { waiting: Arc::new(waiting), stop, task })
    }

    /// Counts something of a version in the minute of `now`.
    pub(crate) fn note(&self, subject: &Subject, now: Millis, count: impl FnOnce(&mut Tally)) {
        self.waiting.count(|counted| counted.note(subject, now, count));
    }

    /// Counts an invocation for which there was no place.
    pub(crate) fn throttled(&self, runnable: &Runnable, now: Millis) {
        self.note(&Subject::of(runnable), now, |tally| tally.throttles += 1);
    }

    /// Begins to count an invocation that has a place.
    pub(crate) fn begin(&self, runnable: &Runnable, trace: &str, now: Millis) -> Counting {
        let (subject, function) = (Subject::of(runnable), runnable.function.clone());
        self.count_from(subject, function, trace::root(trace), now)
    }

    pub(super) fn count_from(
        &self,
        subject: Subject,
        function: Arc<runtime::Function>,
        root: Option<&str>,
        began: Millis,
    ) -> Counting {
        let at_once = {
            let mut counted = self.waiting.counted();
            let running = counted.running.entry(subject.clone()).or_default();
            *running += 1;
            *running
        };
        let (waiting, root) = (self.waiting.clone(), root.map(str::to_owned));
        Counting { waiting, subject, function, began, root, at_once }
    }

    /// All that was used in a span, with the day of each row, in order of time.
    pub(crate) async fn read(
        &self,
        store: &Store,
        span: Span,
        now: Millis,
    ) -> Result<Vec<(u64, Row)>, Error> {
        self.waiting.write(store, now).await?;
        Ok(store::read(store, span).await?)
    }

    /// The chains of the last day, the last one first.
    pub(crate) fn chains(&self) -> Vec<Chain> {
        self.waiting.counted().chains.list()
    }

    /// Begins to write.
    pub(crate) fn start(&self, store: Store, clock: Clock) {
        let (waiting, mut stop) = (self.waiting.clone(), self.stop.subscribe());
        let task = tokio::spawn(async move {
            loop {
                tokio::select! {
                    () = waiting.begun.notified() => {}
                    _ = stop.wait_for(|stop| *stop) => return,
                }
                tokio::select! {
                    () = clock.sleep(WRITE_EVERY) => {}
                    _ = stop.wait_for(|stop| *stop) => return,
                }
                if let Err(error) = waiting.write(&store, clock.now()).await {
                    tracing::error!(%error, "usage could not be written; it waits");
                    waiting.begun.notify_one();
                }
            }
        });
        *self.task.lock().unwrap_or_else(PoisonError::into_inner) = Some(task);
    }

    /// Ends the task, and writes what is left.
    pub(crate) async fn shutdown(&self, store: &Store, now: Millis) {
        self.stop.send_replace(true);
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task {
            let _ = task.await;
        }
        if let Err(error) = self.waiting.write(store, now).await {
            tracing::error!(%error, "the last usage could not be written");
        }
    }
}

impl Counting {
    /// Counts what it came to, in the minute in which it began, and its part in its chain.
    pub(crate) fn ended(self, outcome: Result<&Outcome, &RuntimeError>) {
        let Counting { subject, began, at_once, .. } = &self;
        match outcome {
            Ok(outcome) => {
                let charge = Charge::of(&self.function, outcome);
                self.waiting.count(|counted| {
                    counted.note(subject, *began, |it| it.ran(&charge, outcome, *at_once));
                    if let Some(root) = &self.root {
                        let errors = u64::from(outcome.error.is_some());
                        counted.chains.add(root, subject, *began, (&charge, errors));
                    }
                });
            }
            Err(RuntimeError::Saturated { .. } | RuntimeError::NoMemory { .. }) => {
                self.waiting.count(|counted| counted.note(subject, *began, |it| it.throttles += 1));
            }
            Err(_) => {}
        }
    }
}

impl Drop for Counting {
    fn drop(&mut self) {
        let mut counted = self.waiting.counted();
        if let Some(running) = counted.running.get_mut(&self.subject) {
            *running -= 1;
            if *running == 0 {
                counted.running.remove(&self.subject);
            }
        }
    }
}

impl Counted {
    fn note(&mut self, subject: &Subject, now: Millis, count: impl FnOnce(&mut Tally)) {
        let key = (now.seconds() / 60, subject.clone());
        if self.tallies.len() < MAX_PENDING || self.tallies.contains_key(&key) {
            count(self.tallies.entry(key).or_default());
        }
    }
}

impl Waiting {
    fn counted(&self) -> MutexGuard<'_, Counted> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, count: impl FnOnce(&mut Counted)) {
        let mut counted = self.counted();
        let was_empty = counted.tallies.is_empty();
        count(&mut counted);
        drop(counted);
        if was_empty {
            self.begun.notify_one();
        }
    }

    /// Adds what waits to the rows; if that fails it waits on.
    async fn write(&self, store: &Store, now: Millis) -> Result<(), Error> {
        let mut swept_hour = self.turn.lock().await;
        let (tallies, chains) = {
            let mut counted = self.counted();
            (std::mem::take(&mut counted.tallies), counted.chains.take_changes(now))
        };
        let written = async {
            let mut batch = store::addition(store, &tallies, &chains).await?;
            let hour = now.seconds() / 3600;
            if hour > *swept_hour && !batch.is_empty() {
                batch.append(store::expiry(now.seconds() / 60));
                *swept_hour = hour;
            }
            if !batch.is_empty() {
                store.commit(batch).await?;
            }
            Ok(())
        };
        let written = written.await;
        if written.is_err() {
            let mut counted = self.counted();
            counted.chains.restore(chains);
            for (key, tally) in tallies {
                counted.tallies.entry(key).or_default().merge(&tally);
            }
        }
        written
    }
}
