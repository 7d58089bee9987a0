//! The rules of one queue: order, delays, expiry, and in `lease` who may hold what. Pure: no input
//! or output, `now` is an argument. Contents may be missing from memory; the rules never look at them.
//!
//! Always true: a message is in exactly one [`State`], and `set_state` is the only way from one to
//! another, so that order, timers and counts agree with it.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use kit::Millis;

use crate::{
    entry::{Arrival, Counts, Entry, Receives, Rows, State},
    fifo::{Accepted, Attempt, DeduplicationKey, Groups, Remembered, Standing},
    limits,
    name::Kind,
    timers::Timers,
};

/// The messages of one queue.
pub(crate) struct Queue {
    entries: HashMap<u64, Entry>,
    order: Order,
    /// When delayed and leased messages become visible.
    timers: Timers,
    /// When messages were sent.
    ages: Timers,
    counts: Counts,
    /// Messages that are gone here while their rows are not: expired, or purged while they arrived.
    discarded: Vec<(u64, Rows)>,
    /// Messages whose receives are not in their row yet.
    unsaved: BTreeSet<u64>,
    next_sequence: u64,
    purged_below: u64,
}

enum Order {
    /// Visible messages, the oldest first.
    Standard(BTreeSet<u64>),
    Fifo(Box<Fifo>),
}

/// What a FIFO queue has besides.
pub(crate) struct Fifo {
    groups: Groups,
    pub(crate) accepted: Remembered<DeduplicationKey, Accepted>,
    pub(crate) attempts: Remembered<String, Attempt>,
}

impl Queue {
    /// An empty queue whose sequence numbers start behind all that an earlier run gave, since time
    /// has passed: 2^20 numbers to a millisecond.
    pub(crate) fn new(kind: Kind, now: Millis) -> Queue {
        let order = match kind {
            Kind::Standard => Order::Standard(BTreeSet::new()),
            Kind::Fifo => Order::Fifo(Box::new(Fifo {
                groups: Groups::default(),
                accepted: Remembered::new(limits::DEDUPLICATION_IDS),
                attempts: Remembered::new(limits::ATTEMPTS),
            })),
        };
        Queue {
            entries: HashMap::new(),
            order,
            timers: Timers::default(),
            ages: Timers::default(),
            counts: Counts::default(),
            discarded: Vec::new(),
            unsaved: BTreeSet::new(),
            next_sequence: now.0 << 20,
            purged_below: 0,
        }
    }

    /// Takes a message in that is not on disk yet, and answers with its number. In a FIFO queue it
    /// holds its place in its group from now on.
    pub(crate) fn reserve(&mut self, arrival: Arrival) -> u64 {
        let sequence = self.next_sequence;
        self.insert(sequence, arrival);
        sequence
    }

    /// Takes in a message of this number as it lay on disk: one that was received and not given
    /// back is still leased.
    pub(crate) fn restore(&mut self, sequence: u64, arrival: Arrival, now: Millis) {
        let (visible, leased) = (arrival.visible, arrival.receives.nonce.is_some());
        self.insert(sequence, arrival);
        match leased && visible > now {
            true => self.set_state(sequence, State::Leased(visible)),
            false => self.confirm(sequence, now),
        }
    }

    fn insert(&mut self, sequence: u64, arrival: Arrival) {
        self.next_sequence = self.next_sequence.max(sequence + 1);
        let state = State::Arriving { visible: arrival.visible };
        if let (Order::Fifo(fifo), Some(group)) = (&mut self.order, &arrival.group) {
            fifo.groups.set(group, sequence, Standing::Hidden);
        }
        let Arrival { sent, group, receives, rows, message, .. } = arrival;
        self.entries.insert(sequence, Entry { state, sent, group, receives, rows, message });
    }

    /// Lets an arriving message, or one that did not leave, be received: it is on disk.
    pub(crate) fn confirm(&mut self, sequence: u64, now: Millis) {
        let visible = match self.entries.get(&sequence).map(|entry| entry.state) {
            Some(State::Arriving { visible }) => visible,
            Some(State::Leaving) => now,
            _ => return,
        };
        if sequence < self.purged_below {
            self.discard(sequence);
        } else if visible > now {
            self.set_state(sequence, State::Delayed(visible));
        } else {
            self.set_state(sequence, State::Visible);
        }
    }

    /// Takes a message out, with all that was known of it.
    pub(crate) fn remove(&mut self, sequence: u64) -> Option<Entry> {
        self.leave_state(sequence);
        self.unsaved.remove(&sequence);
        let entry = self.entries.remove(&sequence)?;
        if let (Order::Fifo(fifo), Some(group)) = (&mut self.order, &entry.group) {
            fifo.groups.set(group, sequence, Standing::Gone);
        }
        Some(entry)
    }

    fn discard(&mut self, sequence: u64) {
        if let Some(entry) = self.remove(sequence) {
            self.discarded.push((sequence, entry.rows));
        }
    }

    /// Makes visible whose moment has come, and drops whose retention is over.
    pub(crate) fn advance(&mut self, now: Millis, retention_seconds: u64) {
        while let Some(sequence) = self.timers.due(now) {
            self.set_state(sequence, State::Visible);
        }
        let Some(oldest) = now.0.checked_sub(retention_seconds * 1000) else { return };
        while let Some(sequence) = self.ages.due(Millis(oldest)) {
            self.discard(sequence);
        }
    }

    /// The next message to hand out; see [`Groups::next`].
    pub(crate) fn next(&self, group: Option<&Arc<str>>) -> Option<u64> {
        match &self.order {
            Order::Standard(visible) => visible.first().copied(),
            Order::Fifo(fifo) => fifo.groups.next(group),
        }
    }

    /// Drops every message below a number whose rows are already gone. Those that are just
    /// arriving are dropped when they have arrived.
    pub(crate) fn purge(&mut self, below: u64) {
        self.purged_below = self.purged_below.max(below);
        let settled = |(sequence, entry): (&u64, &Entry)| {
            let moving = matches!(entry.state, State::Arriving { .. } | State::Leaving);
            (*sequence < below && !moving).then_some(*sequence)
        };
        let purged: Vec<u64> = self.entries.iter().filter_map(settled).collect();
        purged.into_iter().for_each(|sequence| {
            self.remove(sequence);
        });
    }

    /// Applies another delay to messages that were never received: in FIFO queues a new
    /// DelaySeconds counts for what is already there.
    pub(crate) fn delay_again(&mut self, delay_seconds: u64, now: Millis) {
        let waiting = |(sequence, entry): (&u64, &Entry)| {
            let waiting = matches!(entry.state, State::Delayed(_) | State::Visible);
            let visible = entry.sent.plus_seconds(delay_seconds);
            (waiting && entry.receives.count == 0).then_some((*sequence, visible))
        };
        let waiting: Vec<(u64, Millis)> = self.entries.iter().filter_map(waiting).collect();
        for (sequence, visible) in waiting {
            match visible > now {
                true => self.set_state(sequence, State::Delayed(visible)),
                false => self.set_state(sequence, State::Visible),
            }
        }
    }

    /// How many messages are in which state.
    pub(crate) fn counts(&self) -> Counts {
        self.counts
    }

    /// How many receives would find something now, at least: none while too much is in flight, or
    /// who waits would be woken in vain, over and over.
    pub(crate) fn available(&self) -> usize {
        match &self.order {
            _ if self.counts.in_flight >= limits::IN_FLIGHT => 0,
            Order::Standard(visible) => visible.len(),
            Order::Fifo(fifo) => fifo.groups.open(),
        }
    }

    /// When the next hidden message becomes visible.
    pub(crate) fn next_due(&self) -> Option<Millis> {
        self.timers.next()
    }

    /// The number behind all given ones.
    pub(crate) fn next_sequence(&self) -> u64 {
        self.next_sequence
    }

    /// What a FIFO queue has besides.
    pub(crate) fn fifo(&mut self) -> Option<&mut Fifo> {
        match &mut self.order {
            Order::Standard(_) => None,
            Order::Fifo(fifo) => Some(fifo),
        }
    }

    /// A message and what is known of it.
    pub(crate) fn entry(&self, sequence: u64) -> Option<&Entry> {
        self.entries.get(&sequence)
    }

    /// The same, to be changed. Its state is changed by `set_state` only.
    pub(crate) fn entry_mut(&mut self, sequence: u64) -> Option<&mut Entry> {
        self.entries.get_mut(&sequence)
    }

    /// Whether the queue keeps order by group.
    pub(crate) fn is_fifo(&self) -> bool {
        matches!(self.order, Order::Fifo(_))
    }

    /// Notes that a message's receives differ from its row.
    pub(crate) fn note_received(&mut self, sequence: u64) {
        self.unsaved.insert(sequence);
    }

    /// Messages that are gone while their rows are not; the caller removes these.
    pub(crate) fn take_discarded(&mut self) -> Vec<(u64, Rows)> {
        std::mem::take(&mut self.discarded)
    }

    /// Messages whose receives changed since the last call, with what their rows shall hold; the
    /// caller writes these.
    pub(crate) fn take_unsaved(&mut self) -> Vec<(u64, Receives, Millis)> {
        let unsaved = std::mem::take(&mut self.unsaved);
        let saved = unsaved.into_iter().filter_map(|sequence| {
            let entry = self.entries.get_mut(&sequence)?;
            entry.rows.receives = true;
            let until = match entry.state {
                State::Leased(until) => until,
                _ => Millis(0),
            };
            Some((sequence, entry.receives, until))
        });
        saved.collect()
    }

    /// Whether something waits for `take_unsaved` or `take_discarded`.
    pub(crate) fn is_dirty(&self) -> bool {
        !self.unsaved.is_empty() || !self.discarded.is_empty()
    }

    /// Brings a message into a state, with everything that follows from it.
    pub(crate) fn set_state(&mut self, sequence: u64, state: State) {
        self.leave_state(sequence);
        let Some(entry) = self.entries.get_mut(&sequence) else { return };
        entry.state = state;
        let standing = match state {
            State::Arriving { .. } => Standing::Hidden,
            State::Delayed(until) => {
                self.timers.set(until, sequence);
                self.counts.delayed += 1;
                Standing::Hidden
            }
            State::Visible => {
                self.counts.visible += 1;
                Standing::Visible
            }
            State::Leased(until) => {
                self.timers.set(until, sequence);
                self.counts.in_flight += 1;
                Standing::Held
            }
            State::Leaving => Standing::Held,
        };
        if !matches!(state, State::Arriving { .. } | State::Leaving) {
            self.ages.set(entry.sent, sequence);
        }
        match (&mut self.order, &entry.group) {
            (Order::Standard(visible), _) if standing == Standing::Visible => {
                visible.insert(sequence);
            }
            (Order::Fifo(fifo), Some(group)) => fifo.groups.set(group, sequence, standing),
            _ => {}
        }
    }

    fn leave_state(&mut self, sequence: u64) {
        let Some(entry) = self.entries.get(&sequence) else { return };
        match entry.state {
            State::Arriving { .. } | State::Leaving => return,
            State::Delayed(until) => {
                self.timers.clear(until, sequence);
                self.counts.delayed -= 1;
            }
            State::Visible => {
                self.counts.visible -= 1;
                if let Order::Standard(visible) = &mut self.order {
                    visible.remove(&sequence);
                }
            }
            State::Leased(until) => {
                self.timers.clear(until, sequence);
                self.counts.in_flight -= 1;
            }
        }
        self.ages.clear(entry.sent, sequence);
    }
}
