//! The numbers of a version in a minute, or in a day. Pure.

use std::collections::BTreeMap;

use runtime::{Function, Outcome};
use serde::{Deserialize, Serialize};

/// `/tmp` that costs nothing, in MiB ("AWS Lambda pricing").
const FREE_STORAGE_MIB: u32 = 512;

/// What AWS takes money for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Charge {
    pub(crate) requests: u64,
    pub(crate) billed_ms: u64,
    /// Memory times billed time: 1,024,000 of them are a GB-second.
    pub(crate) mib_ms: u64,
    /// `/tmp` beyond 512 MiB times billed time.
    pub(crate) storage_mib_ms: u64,
}

/// Everything that is counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Tally {
    pub(crate) charge: Charge,
    pub(crate) errors: u64,
    pub(crate) throttles: u64,
    pub(crate) duration: Spread,
    /// Of extensions, after the handler.
    pub(crate) extensions_us: u64,
    pub(crate) cold_starts: u64,
    pub(crate) init_us: u64,
    /// Most invocations of the version at once.
    pub(crate) concurrent: u32,
    /// Asynchronous events that came.
    pub(crate) events_received: u64,
    /// Invocations that ran an asynchronous event, and how old the events were.
    pub(crate) events_ran: u64,
    pub(crate) event_age_ms: u64,
    pub(crate) event_age_most_ms: u64,
    /// Events that were given up.
    pub(crate) events_dropped: u64,
    pub(crate) dead_letter_errors: u64,
    pub(crate) destination_failures: u64,
    /// Invocations that would have gone on with a loop.
    pub(crate) recursive_dropped: u64,
}

/// A spread of times: sum, ends, and how many lie where.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Spread {
    pub(crate) sum_us: u64,
    pub(crate) least_us: Option<u64>,
    pub(crate) most_us: u64,
    /// Counts by quarters of octaves of microseconds: a percentile is right to 19 %.
    buckets: BTreeMap<u8, u64>,
}

impl Charge {
    pub(crate) fn merge(&mut self, other: &Charge) {
        self.requests += other.requests;
        self.billed_ms += other.billed_ms;
        self.mib_ms += other.mib_ms;
        self.storage_mib_ms += other.storage_mib_ms;
    }

    /// Of one invocation.
    pub(crate) fn of(function: &Function, outcome: &Outcome) -> Charge {
        let billed_ms = outcome.report.billed_ms;
        let storage_mib = function.ephemeral_mib.saturating_sub(FREE_STORAGE_MIB);
        Charge {
            requests: 1,
            billed_ms,
            mib_ms: u64::from(function.memory_mib) * billed_ms,
            storage_mib_ms: u64::from(storage_mib) * billed_ms,
        }
    }
}

impl Tally {
    /// Counts an invocation, when `at_once` ran.
    pub(crate) fn ran(&mut self, charge: &Charge, outcome: &Outcome, at_once: u32) {
        self.charge.merge(charge);
        self.errors += u64::from(outcome.error.is_some());
        self.duration.add(micros(outcome.report.duration_ms));
        self.extensions_us += micros(outcome.report.extensions_ms);
        self.concurrent = self.concurrent.max(at_once);
        if let Some(init_ms) = outcome.report.init_ms {
            self.cold_starts += 1;
            self.init_us += micros(init_ms);
        }
    }

    /// Counts that an invocation was of an event of this age.
    pub(crate) fn event_ran(&mut self, age_ms: u64) {
        self.events_ran += 1;
        self.event_age_ms += age_ms;
        self.event_age_most_ms = self.event_age_most_ms.max(age_ms);
    }

    pub(crate) fn merge(&mut self, other: &Tally) {
        self.charge.merge(&other.charge);
        self.errors += other.errors;
        self.throttles += other.throttles;
        self.duration.merge(&other.duration);
        self.extensions_us += other.extensions_us;
        self.cold_starts += other.cold_starts;
        self.init_us += other.init_us;
        self.concurrent = self.concurrent.max(other.concurrent);
        self.events_received += other.events_received;
        self.events_ran += other.events_ran;
        self.event_age_ms += other.event_age_ms;
        self.event_age_most_ms = self.event_age_most_ms.max(other.event_age_most_ms);
        self.events_dropped += other.events_dropped;
        self.dead_letter_errors += other.dead_letter_errors;
        self.destination_failures += other.destination_failures;
        self.recursive_dropped += other.recursive_dropped;
    }
}

impl Spread {
    fn add(&mut self, us: u64) {
        self.sum_us += us;
        self.least_us = Some(self.least_us.map_or(us, |least| least.min(us)));
        self.most_us = self.most_us.max(us);
        *self.buckets.entry(bucket(us)).or_default() += 1;
    }

    fn merge(&mut self, other: &Spread) {
        self.sum_us += other.sum_us;
        self.least_us = self.least_us.into_iter().chain(other.least_us).min();
        self.most_us = self.most_us.max(other.most_us);
        for (bucket, count) in &other.buckets {
            *self.buckets.entry(*bucket).or_default() += count;
        }
    }

    /// The time that this share of all did not pass, from above.
    pub(crate) fn percentile_us(&self, percent: u64) -> u64 {
        let count: u64 = self.buckets.values().sum();
        let rank = (count * percent).div_ceil(100).max(1);
        let mut passed = 0;
        for (bucket, count) in &self.buckets {
            passed += count;
            if passed >= rank {
                return (((f64::from(*bucket) + 1.0) / 4.0).exp2() as u64).min(self.most_us);
            }
        }
        0
    }
}

fn bucket(us: u64) -> u8 {
    // 64 octaves have 256 quarters.
    ((us.max(1) as f64).log2() * 4.0) as u8
}

fn micros(ms: f64) -> u64 {
    (ms * 1000.0).round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_right_to_a_quarter_of_an_octave() {
        let mut spread = Spread::default();
        (1..=1000).for_each(|ms| spread.add(ms * 1000));
        for (percent, exact) in [(50, 500_000), (90, 900_000), (99, 990_000)] {
            let found = spread.percentile_us(percent);
            assert!((exact..exact * 119 / 100 + 1).contains(&found), "{percent}: {found}");
        }
        assert_eq!((spread.least_us, spread.most_us), (Some(1000), 1_000_000));
        assert_eq!(Spread::default().percentile_us(50), 0);
    }

    #[test]
    fn two_tallies_are_one() {
        let mut parts = [Tally::default(), Tally::default()];
        for (tally, us) in parts.iter_mut().zip([1000, 3000]) {
            tally.charge = Charge { requests: 1, billed_ms: 3, mib_ms: 384, storage_mib_ms: 0 };
            tally.duration.add(us);
            tally.event_ran(us);
            tally.concurrent = us as u32;
        }
        let [mut whole, other] = parts;
        whole.merge(&other);
        assert_eq!((whole.charge.requests, whole.charge.mib_ms), (2, 768));
        assert_eq!((whole.duration.sum_us, whole.duration.least_us), (4000, Some(1000)));
        assert_eq!((whole.event_age_ms, whole.event_age_most_ms), (4000, 3000));
        assert_eq!(whole.concurrent, 3000);
    }
}
