//! A lane of a shard: its records one batch after the other, in order. Pure.
//!
//! A shard has as many lanes as its mapping's `ParallelizationFactor`, and all records of a partition
//! key are in one of them. Always true: at most one call of a lane is under way, and nothing of a
//! lane is tried before all that precedes it is done or given up.

use std::{cmp::Ordering, collections::VecDeque, time::Duration};

use kit::Millis;
use serde::{Deserialize, Serialize};

use crate::sources::{
    call::{Backoff, EVENT_FRAME_BYTES, MAX_EVENT_BYTES},
    stream::{
        event::WINDOW_FRAME_BYTES,
        piece::{Attempt, Item, Outcome, Piece},
        progress::compare,
        rules::Rules,
        window::Window,
    },
};

/// Waits after a failure of the function or a throttle.
const BACKOFF: Backoff =
    Backoff { first: Duration::from_millis(100), last: Duration::from_secs(60) };

/// A lane at work.
#[derive(Debug, Default)]
pub(crate) struct Lane {
    mark: Mark,
    /// Read, and in no batch yet; each with when it was read.
    queue: VecDeque<(Item, Millis)>,
    /// What is left of the batch under way, without the piece that is being called with.
    pieces: VecDeque<Piece>,
    calling: bool,
    not_before: Millis,
    /// Calls in a row that did not run, or closings that failed.
    refusals: u32,
}

/// What of a lane survives a restart.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Mark {
    /// Everything of the lane up to here is done.
    pub(crate) done: Option<String>,
    pub(crate) window: Option<Window>,
}

/// What a lane is to do.
#[derive(Debug, PartialEq)]
pub(crate) enum Next {
    /// Nothing until something happens.
    Rest,
    /// Nothing until this moment.
    Wait(Millis),
    /// Give these up: they are too old.
    Discard(Piece),
    /// Call the function.
    Call(Piece, Option<Window>),
    /// Call the function with the state of a window that has ended.
    Close(Window),
}

/// How far the shard was read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Read {
    /// Every record that arrived before this moment is in its lane.
    pub(crate) until: Millis,
    /// There will be no other records.
    pub(crate) end: bool,
}

/// What became of a call.
#[derive(Debug)]
pub(crate) enum Ran {
    /// It never ran: throttled, or the function is not there.
    Refused,
    Called {
        attempt: Attempt,
        outcome: Outcome,
        /// The answer's state, where there are windows.
        state: Option<String>,
    },
}

/// What a call has settled.
#[derive(Debug, Default)]
pub(crate) struct Settled {
    pub(crate) done: Vec<Item>,
    pub(crate) given_up: Option<Piece>,
}

impl Lane {
    /// A lane that goes on behind its mark.
    pub(crate) fn new(mark: Mark) -> Lane {
        Lane { mark, ..Lane::default() }
    }

    pub(crate) fn mark(&self) -> &Mark {
        &self.mark
    }

    /// Whether a record was done before a restart.
    pub(crate) fn has_done(&self, sequence: &str) -> bool {
        let done = self.mark.done.as_deref();
        done.is_some_and(|done| compare(sequence, done) != Ordering::Greater)
    }

    /// Takes a record that was read.
    pub(crate) fn admit(&mut self, item: Item, now: Millis) {
        self.queue.push_back((item, now));
    }

    /// Whether nothing is left to do, windows included.
    pub(crate) fn is_idle(&self) -> bool {
        !self.calling
            && self.queue.is_empty()
            && self.pieces.is_empty()
            && self.mark.window.is_none()
    }

    /// Decides what to do now. Calls and closings must be [settled](Lane::settle) before the next.
    pub(crate) fn next(&mut self, rules: &Rules, now: Millis, read: Read) -> Next {
        if self.calling {
            return Next::Rest;
        }
        if self.pieces.is_empty() {
            match self.form(rules, now, read) {
                Some(Next::Close(_)) if now < self.not_before => {
                    return Next::Wait(self.not_before);
                }
                Some(next) => {
                    self.calling = matches!(next, Next::Close(_));
                    return next;
                }
                None => {}
            }
        }
        let Some(mut piece) = self.pieces.pop_front() else { return Next::Rest };
        if let Some(old) = piece.take_older(rules.oldest(now)) {
            if !piece.items.is_empty() {
                self.pieces.push_front(piece);
            }
            self.note_done(&old.items);
            return Next::Discard(old);
        }
        if now < self.not_before {
            self.pieces.push_front(piece);
            return Next::Wait(self.not_before);
        }
        self.calling = true;
        Next::Call(piece, self.mark.window.clone())
    }

    /// Takes a new batch from the queue, or says what comes before it.
    fn form(&mut self, rules: &Rules, now: Millis, read: Read) -> Option<Next> {
        if let Some(window) = self.ended_window(rules, read) {
            return Some(Next::Close(window));
        }
        let Some((first, since)) = self.queue.front() else {
            let end = self.mark.window.as_ref().map(|window| window.end);
            return Some(end.map_or(Next::Rest, Next::Wait));
        };
        let since = *since;
        if let (Some(length), None) = (rules.tumbling_millis, &self.mark.window) {
            self.mark.window = Some(Window::around(first.arrived, length));
        }
        let (count, full) = self.fitting(rules);
        let mut due = since.plus(rules.batching_millis);
        if let Some(window) = &self.mark.window {
            due = due.min(window.end);
        }
        if !full && !read.end && now < due {
            return Some(Next::Wait(due));
        }
        let items = self.queue.drain(..count).map(|(item, _)| item).collect();
        self.pieces.push_back(Piece::new(items));
        None
    }

    /// How many records go into the next batch, and whether no other could.
    fn fitting(&self, rules: &Rules) -> (usize, bool) {
        let window = self.mark.window.as_ref();
        let frame = window.map_or(0, |window| WINDOW_FRAME_BYTES + window.state.len());
        let mut room = MAX_EVENT_BYTES.saturating_sub(EVENT_FRAME_BYTES + frame);
        let mut count = 0;
        for (item, _) in &self.queue {
            let needed = item.event.len() + 1;
            let later = window.is_some_and(|window| item.arrived >= window.end);
            // One record goes alone however large it is.
            if count == rules.batch_size || (count > 0 && (needed > room || later)) {
                return (count, true);
            }
            room = room.saturating_sub(needed);
            count += 1;
        }
        (count, count == rules.batch_size)
    }

    /// The window, if its time is over for this lane or its state too large.
    fn ended_window(&self, rules: &Rules, read: Read) -> Option<Window> {
        let window = self.mark.window.as_ref()?;
        let over = match self.queue.front() {
            Some((item, _)) => item.arrived >= window.end,
            None => read.end || read.until >= window.end,
        };
        // Without windows in the mapping there is nobody to take the state.
        let over = over || window.overflows() || rules.tumbling_millis.is_none();
        over.then(|| window.clone())
    }

    /// Takes what became of a call with a piece.
    pub(crate) fn settle(&mut self, piece: Piece, ran: Ran, rules: &Rules, now: Millis) -> Settled {
        self.calling = false;
        let Ran::Called { attempt, outcome, state } = ran else {
            self.pieces.push_front(piece);
            self.refuse(now);
            return Settled::default();
        };
        self.refusals = 0;
        let after = piece.after(attempt, outcome, rules.bisect, rules.retries);
        if let (Some(window), Some(state)) = (&mut self.mark.window, state) {
            window.state = state;
        }
        if after.wait {
            let failures = after.again.first().map_or(1, |piece| piece.failures);
            self.not_before = now.plus(BACKOFF.after(failures - 1).as_millis() as u64);
        }
        for piece in after.again.into_iter().rev() {
            self.pieces.push_front(piece);
        }
        self.note_done(&after.done);
        if let Some(piece) = &after.given_up {
            self.note_done(&piece.items);
        }
        Settled { done: after.done, given_up: after.given_up }
    }

    /// Takes what became of a window's last call: until it succeeds, nothing else of the lane runs.
    pub(crate) fn settle_closing(&mut self, succeeded: bool, now: Millis) {
        self.calling = false;
        if !succeeded {
            return self.refuse(now);
        }
        self.refusals = 0;
        // A window that was ended early goes on with a new state.
        self.mark.window = self.mark.window.take().filter(Window::overflows).map(|it| it.emptied());
    }

    fn refuse(&mut self, now: Millis) {
        self.not_before = now.plus(BACKOFF.after(self.refusals).as_millis() as u64);
        self.refusals += 1;
    }

    fn note_done(&mut self, items: &[Item]) {
        if let Some(last) = items.last() {
            self.mark.done = Some(last.sequence.clone());
        }
    }
}

#[cfg(test)]
mod tests;
