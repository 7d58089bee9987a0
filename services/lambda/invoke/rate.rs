//! How fast a function may be invoked and may scale. Pure: time is an argument.
//!
//! A budget is time: it fills as time passes and never beyond a bound, and everything costs some of
//! it. Source: "Lambda scaling behavior" and "Lambda quotas".

use kit::Millis;

/// Requests each second for each invocation that may run at once.
const REQUESTS_PER_PLACE: u64 = 10;
const SECOND_MICROS: u64 = 1_000_000;
/// A function may grow by 1,000 instances in ten seconds; what is not used does not add up.
const GROWTH_PERIOD_MICROS: u64 = 10 * SECOND_MICROS;
const GROWTH_INSTANCES: u64 = 1000;

/// What is left to spend.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Budget {
    /// How much of the period is spent.
    spent_micros: u64,
    at: Millis,
}

impl Budget {
    fn take(&mut self, cost_micros: u64, period_micros: u64, now: Millis) -> bool {
        let passed_micros = now.since(self.at).saturating_mul(1000);
        self.spent_micros = self.spent_micros.saturating_sub(passed_micros);
        self.at = now.max(self.at);
        let fits = self.spent_micros + cost_micros <= period_micros;
        if fits {
            self.spent_micros += cost_micros;
        }
        fits
    }

    /// Takes a synchronous request where `places` invocations may run at once.
    pub(crate) fn take_request(&mut self, places: u32, now: Millis) -> bool {
        let cost_micros = SECOND_MICROS / (REQUESTS_PER_PLACE * u64::from(places.max(1)));
        self.take(cost_micros, SECOND_MICROS, now)
    }
}

/// How many instances a function has come to need, and how fast.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Growth {
    instances: u32,
    budget: Budget,
}

impl Growth {
    /// Whether the function may have this many instances now.
    pub(crate) fn reach(&mut self, instances: u32, now: Millis) -> bool {
        let more = u64::from(instances.saturating_sub(self.instances));
        let cost_micros = more * (GROWTH_PERIOD_MICROS / GROWTH_INSTANCES);
        let fits = more == 0 || self.budget.take(cost_micros, GROWTH_PERIOD_MICROS, now);
        if fits {
            self.instances = self.instances.max(instances);
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Millis = Millis(1_000_000_000);

    #[test]
    fn ten_requests_a_second_for_each_place() {
        let mut budget = Budget::default();
        let taken = |budget: &mut Budget, now| {
            std::iter::repeat_with(|| budget.take_request(5, now)).take_while(|it| *it).count()
        };
        assert_eq!(taken(&mut budget, START), 50);
        assert_eq!(taken(&mut budget, START.plus(100)), 5);
        assert_eq!(taken(&mut budget, START.plus_seconds(3600)), 50, "nothing adds up");
    }

    #[test]
    fn a_function_grows_by_a_thousand_in_ten_seconds() {
        let mut growth = Growth::default();
        assert!((1..=1000).all(|instances| growth.reach(instances, START)));
        assert!(!growth.reach(1001, START));
        assert!(growth.reach(700, START), "those that it has are free");
        assert!(growth.reach(1001, START.plus(10)));
        assert!(!growth.reach(1002, START.plus(10)));
        assert!((1002..=2001).all(|instances| growth.reach(instances, START.plus_seconds(20))));
        assert!(!growth.reach(2002, START.plus_seconds(20)));
    }
}
