//! Time as a value, and the one place that reads it.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
pub struct Millis(pub u64);

impl Millis {
    /// This moment plus `seconds`.
    #[must_use]
    pub fn plus_seconds(self, seconds: u64) -> Millis {
        Millis(self.0.saturating_add(seconds.saturating_mul(1000)))
    }

    /// This moment plus `millis`.
    #[must_use]
    pub fn plus(self, millis: u64) -> Millis {
        Millis(self.0.saturating_add(millis))
    }

    /// Milliseconds from `earlier` to this moment; 0 if it is later.
    pub fn since(self, earlier: Millis) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Whole seconds since the epoch.
    pub fn seconds(self) -> u64 {
        self.0 / 1000
    }

    /// Seconds since the epoch with three decimals.
    pub fn seconds_f64(self) -> f64 {
        self.0 as f64 / 1000.0
    }

    /// `2026-11-23T19:15:40.123Z`.
    pub fn iso8601(self) -> String {
        let format = time::macros::format_description!(
            "[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z"
        );
        self.date().format(&format).unwrap_or_default()
    }

    /// `2026-11-23T19:15:40Z`.
    pub fn iso8601_seconds(self) -> String {
        let format =
            time::macros::format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
        self.date().format(&format).unwrap_or_default()
    }

    /// `23/Nov/2026:19:15:40 +0000`, as in the logs of web servers.
    pub fn common_log(self) -> String {
        let format = time::macros::format_description!(
            "[day]/[month repr:short]/[year]:[hour]:[minute]:[second] +0000"
        );
        self.date().format(&format).unwrap_or_default()
    }

    fn date(self) -> time::OffsetDateTime {
        let nanos = i128::from(self.0) * 1_000_000;
        time::OffsetDateTime::from_unix_timestamp_nanos(nanos)
            .unwrap_or(time::OffsetDateTime::UNIX_EPOCH)
    }
}

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The clock every rule and worker goes by: the system's time plus an offset that tests move
/// forward. Clones share the offset; sleepers wake when a move passes their moment.
#[derive(Clone, Default)]
pub struct Clock {
    moved: Arc<Moved>,
}

#[derive(Default)]
struct Moved {
    by_millis: AtomicU64,
    changed: Notify,
}

impl Clock {
    /// The present moment.
    #[allow(clippy::disallowed_methods)] // The one place that reads the system's time.
    pub fn now(&self) -> Millis {
        let real = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Millis(real.as_millis() as u64 + self.moved.by_millis.load(Ordering::Acquire))
    }

    /// Moves time forward for everybody who holds this clock.
    pub fn advance(&self, by: Duration) {
        self.moved.by_millis.fetch_add(by.as_millis() as u64, Ordering::AcqRel);
        self.moved.changed.notify_waiters();
    }

    /// Waits until `moment`; returns at once if it has passed.
    #[allow(clippy::disallowed_methods)] // The one place that sleeps.
    pub async fn sleep_until(&self, moment: Millis) {
        loop {
            let changed = self.moved.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let left = moment.since(self.now());
            if left == 0 {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(left)) => {}
                () = changed => {}
            }
        }
    }

    /// Waits for `duration`.
    pub async fn sleep(&self, duration: Duration) {
        self.sleep_until(self.now().plus(duration.as_millis() as u64)).await;
    }

    /// Runs `work` but gives up with `None` when `duration` has passed.
    pub async fn within<T>(&self, duration: Duration, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            done = work => Some(done),
            () = self.sleep(duration) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_print_as_aws_prints_them() {
        assert_eq!(Millis(1_700_000_000_123).iso8601(), "2023-11-14T22:13:20.123Z");
        assert_eq!(Millis(1_700_000_000_123).iso8601_seconds(), "2023-11-14T22:13:20Z");
        assert_eq!(Millis(1_700_000_000_123).common_log(), "14/Nov/2023:22:13:20 +0000");
    }

    #[tokio::test]
    async fn a_sleeper_wakes_when_the_clock_is_moved_past_its_moment() {
        let clock = Clock::default();
        let moment = clock.now().plus_seconds(3600);
        let sleeper = tokio::spawn({
            let clock = clock.clone();
            async move { clock.sleep_until(moment).await }
        });
        tokio::task::yield_now().await;
        clock.advance(Duration::from_secs(3601));
        sleeper.await.unwrap();
        assert!(clock.now() >= moment);
    }
}
