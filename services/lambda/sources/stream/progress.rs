//! How far a shard is done: the place before which nothing is left. Pure.

use std::{cmp::Ordering, collections::VecDeque};

/// The records read behind the place, in order, each with whether it is done.
#[derive(Debug)]
pub(crate) struct Progress {
    place: String,
    first: u64,
    records: VecDeque<(String, bool)>,
}

impl Progress {
    /// A reader that begins behind a place.
    pub(crate) fn new(place: String) -> Progress {
        Progress { place, first: 0, records: VecDeque::new() }
    }

    /// Takes the next record of the shard and answers with its number.
    pub(crate) fn read(&mut self, sequence: String) -> u64 {
        self.records.push_back((sequence, false));
        self.first + self.records.len() as u64 - 1
    }

    /// A record is done.
    pub(crate) fn finish(&mut self, number: u64) {
        let position = number.checked_sub(self.first).and_then(|it| usize::try_from(it).ok());
        if let Some(record) = position.and_then(|it| self.records.get_mut(it)) {
            record.1 = true;
        }
    }

    /// Moves the place behind what is done; answers whether it has moved.
    pub(crate) fn advance(&mut self) -> bool {
        let before = self.first;
        while self.records.front().is_some_and(|(_, done)| *done) {
            let Some((sequence, _)) = self.records.pop_front() else { break };
            self.place = sequence;
            self.first += 1;
        }
        self.first > before
    }

    /// Everything up to here is done.
    pub(crate) fn place(&self) -> &str {
        &self.place
    }

    /// Records behind the place.
    pub(crate) fn held(&self) -> usize {
        self.records.len()
    }
}

/// Compares sequence numbers: decimal, of any length.
pub(crate) fn compare(one: &str, other: &str) -> Ordering {
    let (one, other) = (one.trim_start_matches('0'), other.trim_start_matches('0'));
    one.len().cmp(&other.len()).then_with(|| one.cmp(other))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sequence_numbers_compare_as_numbers() {
        assert_eq!(compare("9", "10"), Ordering::Less);
        assert_eq!(compare("0010", "10"), Ordering::Equal);
        assert_eq!(compare("21", "12"), Ordering::Greater);
    }

    proptest! {
        /// In whatever order records are done, the place is behind the longest run of them.
        #[test]
        fn the_place_never_passes_what_is_not_done(order in Just((0..30_u64).collect::<Vec<_>>()).prop_shuffle()) {
            let mut progress = Progress::new("start".to_owned());
            for number in 0..30 {
                prop_assert_eq!(progress.read(number.to_string()), number);
            }
            let mut done = [false; 30];
            for number in order {
                progress.finish(number);
                progress.advance();
                done[number as usize] = true;
                let run = done.iter().take_while(|done| **done).count();
                let place = run.checked_sub(1).map_or("start".to_owned(), |it| it.to_string());
                prop_assert_eq!(progress.place(), place);
                prop_assert_eq!(progress.held(), 30 - run);
            }
        }
    }
}
