//! A batch of a stream, or what is left of it, and what follows an attempt. Pure.
//!
//! Always true: the items of a piece are in the order of their shard, and the pieces of a batch
//! together are what of it is not done.

use kit::Millis;

/// A record on its way through a lane.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Item {
    /// Its position among those read of the shard.
    pub(crate) number: u64,
    pub(crate) sequence: String,
    pub(crate) arrived: Millis,
    /// The record of the event, JSON.
    pub(crate) event: String,
}

/// Items that are sent together.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Piece {
    pub(crate) items: Vec<Item>,
    /// Failures that count towards `MaximumRetryAttempts`.
    pub(crate) failures: u32,
    /// Calls so far, those with the batch it was split from included.
    pub(crate) calls: u32,
    /// The last of them.
    pub(crate) last: Option<Attempt>,
}

/// A call that ran.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Attempt {
    pub(crate) request_id: String,
    pub(crate) version: String,
    /// The function failed, rather than reporting items.
    pub(crate) error: bool,
}

/// What a call came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Succeeded,
    Failed,
    /// The function reports this item as the first that failed: those before it are done.
    FailedAt(usize),
}

/// What follows a call.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct After {
    pub(crate) done: Vec<Item>,
    /// To be tried again, in this order.
    pub(crate) again: Vec<Piece>,
    /// Whether to wait before that.
    pub(crate) wait: bool,
    /// Out of retries.
    pub(crate) given_up: Option<Piece>,
}

impl Piece {
    pub(crate) fn new(items: Vec<Item>) -> Piece {
        Piece { items, ..Piece::default() }
    }

    /// Takes out the items at its front that arrived before a moment.
    pub(crate) fn take_older(&mut self, than: Millis) -> Option<Piece> {
        let older = self.items.iter().take_while(|item| item.arrived < than).count();
        if older == 0 {
            return None;
        }
        let rest = self.items.split_off(older);
        let items = std::mem::replace(&mut self.items, rest);
        Some(Piece { items, last: self.last.clone(), ..*self })
    }

    /// Decides after a call. A batch that failed as a whole is split in two where the mapping says
    /// so, which does not count as a retry ("BisectBatchOnFunctionError"); what the function has
    /// reported is tried again from there on.
    pub(crate) fn after(
        mut self,
        attempt: Attempt,
        outcome: Outcome,
        bisect: bool,
        retries: Option<u32>,
    ) -> After {
        self.calls += 1;
        self.last = Some(attempt);
        let from = match outcome {
            Outcome::Succeeded => return After { done: self.items, ..After::default() },
            Outcome::Failed if bisect && self.items.len() > 1 => {
                return After { again: self.halves(), ..After::default() };
            }
            Outcome::Failed => 0,
            Outcome::FailedAt(position) => position,
        };
        let rest = self.items.split_off(from);
        let done = std::mem::replace(&mut self.items, rest);
        // The item that failed now was not to blame for the failures of those before it.
        self.failures = if from > 0 { 1 } else { self.failures + 1 };
        if retries.is_some_and(|most| self.failures > most) {
            return After { done, given_up: Some(self), ..After::default() };
        }
        After { done, again: vec![self], wait: true, given_up: None }
    }

    fn halves(mut self) -> Vec<Piece> {
        let second = self.items.split_off(self.items.len() / 2);
        let second = Piece { items: second, last: self.last.clone(), ..self };
        vec![self, second]
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;
    use proptest::prelude::*;

    fn piece(count: u64) -> Piece {
        Piece::new((0..count).map(item).collect())
    }

    fn item(number: u64) -> Item {
        let sequence = number.to_string();
        Item { number, sequence, arrived: Millis(number), event: String::new() }
    }

    fn attempt() -> Attempt {
        Attempt { request_id: "r".to_owned(), version: "$LATEST".to_owned(), error: true }
    }

    fn numbers(items: &[Item]) -> Vec<u64> {
        items.iter().map(|item| item.number).collect()
    }

    #[test]
    fn a_batch_is_tried_once_more_than_it_may_be_retried() {
        let once = piece(2).after(attempt(), Outcome::Failed, false, Some(1));
        assert!(once.wait && once.given_up.is_none());
        let [piece] = once.again.try_into().unwrap();
        let twice = piece.after(attempt(), Outcome::Failed, false, Some(1));
        let given_up = twice.given_up.unwrap();
        assert_eq!((given_up.items.len(), given_up.calls), (2, 2));
    }

    #[test]
    fn without_a_bound_it_is_tried_for_ever() {
        let tired = Piece { failures: 1_000_000, ..piece(1) };
        assert!(tired.after(attempt(), Outcome::Failed, true, None).given_up.is_none());
    }

    #[test]
    fn what_is_reported_is_tried_again_from_there_on() {
        let after = piece(5).after(attempt(), Outcome::FailedAt(3), true, None);
        assert_eq!(numbers(&after.done), [0, 1, 2]);
        assert_eq!(numbers(&after.again[0].items), [3, 4]);
        assert_eq!(after.again.len(), 1, "reported batches are not halved");
    }

    #[test]
    fn old_items_are_taken_from_the_front() {
        let mut piece = piece(4);
        assert_eq!(piece.take_older(Millis(0)), None);
        assert_eq!(numbers(&piece.take_older(Millis(3)).unwrap().items), [0, 1, 2]);
        assert_eq!(numbers(&piece.items), [3]);
    }

    proptest! {
        /// With bisection only the bad items are given up, each alone, and every item is either done
        /// or given up, once and in order.
        #[test]
        fn bisection_isolates_what_is_bad(
            count in 1..40_u64,
            bad in prop::collection::btree_set(0..40_u64, 0..6),
            retries in 0..3_u32,
        ) {
            let mut queue = VecDeque::from([piece(count)]);
            let mut ended = Vec::new();
            let mut lost = Vec::new();
            let mut calls = 0;
            while let Some(piece) = queue.pop_front() {
                calls += 1;
                let fails = piece.items.iter().any(|item| bad.contains(&item.number));
                let outcome = if fails { Outcome::Failed } else { Outcome::Succeeded };
                let after = piece.after(attempt(), outcome, true, Some(retries));
                ended.extend(numbers(&after.done));
                if let Some(piece) = after.given_up {
                    prop_assert_eq!(piece.items.len(), 1);
                    lost.extend(numbers(&piece.items));
                    ended.extend(numbers(&piece.items));
                }
                after.again.into_iter().rev().for_each(|piece| queue.push_front(piece));
            }
            prop_assert_eq!(ended, (0..count).collect::<Vec<_>>());
            let expected: Vec<u64> = bad.iter().copied().filter(|it| *it < count).collect();
            prop_assert_eq!(lost.len(), expected.len());
            prop_assert_eq!(lost, expected.clone());
            let most = 1 + expected.len() * (2 * 6 + retries as usize);
            prop_assert!(calls <= most, "{} calls", calls);
        }

        /// Whatever is reported, nothing is lost, doubled or put out of order.
        #[test]
        fn reports_keep_order(count in 1..20_u64, reports in prop::collection::vec(0..20_usize, 0..30)) {
            let (mut piece, mut ended) = (piece(count), Vec::new());
            for position in reports.into_iter().chain(std::iter::repeat(usize::MAX)) {
                let outcome = if position < piece.items.len() {
                    Outcome::FailedAt(position)
                } else {
                    Outcome::Succeeded
                };
                let after = piece.after(attempt(), outcome, false, Some(3));
                ended.extend(numbers(&after.done));
                ended.extend(after.given_up.iter().flat_map(|piece| numbers(&piece.items)));
                match after.again.into_iter().next() {
                    Some(rest) => piece = rest,
                    None => break,
                }
            }
            prop_assert_eq!(ended, (0..count).collect::<Vec<_>>());
        }
    }
}
