//! Deliveries that wait so long for their next attempt that memory keeps no more of them than their
//! numbers: the rest is in their rows.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use kit::Millis;

/// Shorter waits are not worth a look at the row.
const WORTHWHILE: Duration = Duration::from_secs(5);
/// Numbers and moments kept; further deliveries wait in memory as a whole.
const MAX_PARKED: usize = 500_000;

/// A delivery of which only the row is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stub {
    pub(crate) number: u64,
    /// See [`crate::Delivery::failures`].
    pub(crate) failures: u32,
}

/// All of them.
#[derive(Default)]
pub(crate) struct Parked {
    waiting: BTreeMap<(Millis, u64), u32>,
    /// Whose moment has come, in the order of their moments.
    due: VecDeque<Stub>,
}

impl Parked {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.waiting.len() + self.due.len()
    }

    /// Whether one more may wait here until then.
    pub(crate) fn takes(&self, now: Millis, until: Millis) -> bool {
        until >= now.plus(WORTHWHILE.as_millis() as u64) && self.len() < MAX_PARKED
    }

    /// Lets one wait.
    pub(crate) fn park(&mut self, stub: Stub, until: Millis) {
        self.waiting.insert((until, stub.number), stub.failures);
    }

    /// The next moment at which one is due.
    pub(crate) fn next(&self) -> Option<Millis> {
        self.waiting.keys().next().map(|(at, _)| *at)
    }

    /// Notes whose moment has come.
    pub(crate) fn wake(&mut self, now: Millis) {
        while let Some(entry) = self.waiting.first_entry() {
            if entry.key().0 > now {
                return;
            }
            let ((_, number), failures) = entry.remove_entry();
            self.due.push_back(Stub { number, failures });
        }
    }

    /// Whether any is due.
    pub(crate) fn is_due(&self) -> bool {
        !self.due.is_empty()
    }

    /// Takes the first ones that are due.
    pub(crate) fn take_due(&mut self, at_most: usize) -> Vec<Stub> {
        self.due.drain(..at_most.min(self.due.len())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_due_in_the_order_of_their_moments() {
        let mut parked = Parked::default();
        let now = Millis(1000);
        assert!(!parked.takes(now, Millis(5999)), "a short wait");
        assert!(parked.takes(now, Millis(6000)));
        for (number, at) in [(1, 9000), (2, 7000), (3, 8000)] {
            parked.park(Stub { number, failures: 4 }, Millis(at));
        }
        assert_eq!((parked.len(), parked.next()), (3, Some(Millis(7000))));
        parked.wake(Millis(8000));
        assert!(parked.is_due());
        let [first] = parked.take_due(1)[..] else { panic!("one is asked for") };
        assert_eq!(first, Stub { number: 2, failures: 4 });
        let numbers: Vec<u64> = parked.take_due(9).iter().map(|stub| stub.number).collect();
        assert_eq!((numbers, parked.len(), parked.is_due()), (vec![3], 1, false));
    }
}
