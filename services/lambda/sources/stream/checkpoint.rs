//! How far a mapping is in a shard, as a row. Pure.
//!
//! A restart reads on behind `place`. What lanes had done beyond it is skipped by their marks, so that
//! a window's state never counts a record twice.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use crate::sources::stream::{
    lane::{Lane, Mark},
    progress::{Progress, compare},
};

/// The row of a shard.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Checkpoint {
    /// Everything up to here is done.
    pub(crate) place: String,
    /// The shard is closed, and all of it is done.
    pub(crate) ended: bool,
    /// One for each lane, or none where no lane has more to tell than `place`.
    pub(crate) lanes: Vec<Mark>,
}

impl Checkpoint {
    /// Of a shard of which nothing is done.
    pub(crate) fn begin(place: String) -> Checkpoint {
        Checkpoint { place, ..Checkpoint::default() }
    }

    /// Of a reader at work.
    pub(crate) fn of(progress: &Progress, lanes: &[Lane], ended: bool) -> Checkpoint {
        let place = progress.place();
        let behind = |done: &String| compare(done, place) == Ordering::Greater;
        let marks = lanes.iter().map(|lane| {
            let Mark { done, window } = lane.mark();
            Mark { done: done.clone().filter(behind), window: window.clone() }
        });
        let mut lanes: Vec<Mark> = marks.collect();
        if lanes.iter().all(|mark| *mark == Mark::default()) {
            lanes.clear();
        }
        Checkpoint { place: place.to_owned(), ended, lanes }
    }

    /// The lanes of a reader that goes on from here. If the mapping has another number of them now,
    /// keys have moved between lanes: all read on from the place, with new windows.
    pub(crate) fn lanes(self, count: usize) -> Vec<Lane> {
        if self.lanes.len() == count {
            return self.lanes.into_iter().map(Lane::new).collect();
        }
        (0..count).map(|_| Lane::default()).collect()
    }
}
