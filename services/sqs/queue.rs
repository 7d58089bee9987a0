//! The rules of one queue: order, delays, leases, expiry. Pure: no input or output, `now` is an
//! argument. Contents may be missing from memory; the rules never look at them.
//!
//! Always true: a message is in exactly one [`State`], and `set_state` is the only way from one to
//! another, so that order, timers and counts agree with it.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use kit::Millis;

use crate::{
    cache::Cached,
    fifo::{Accepted, Attempt, DeduplicationKey, Groups, Remembered, Standing},
    limits,
    message::Message,
    receipt::Receipt,
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

/// How many messages are in which state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) visible: usize,
    pub(crate) delayed: usize,
    pub(crate) in_flight: usize,
}

/// One message.
pub(crate) struct Entry {
    state: State,
    sent: Millis,
    group: Option<Arc<str>>,
    receives: Receives,
    rows: Rows,
    message: Option<Cached>,
}

/// What has been received of a message, over all queues it was in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Receives {
    pub(crate) count: u32,
    pub(crate) first: Option<Millis>,
    /// When the present or last lease began.
    pub(crate) leased: Millis,
    /// Of the last receipt; `None` before the first receive, or when a crash has lost it.
    pub(crate) nonce: Option<u64>,
}

/// Which rows a message has besides its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rows {
    /// Its content has a row of its own.
    pub(crate) content: bool,
    /// Its receives have a row.
    pub(crate) receives: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Its commit is under way.
    Arriving { visible: Millis },
    /// Hidden until then.
    Delayed(Millis),
    Visible,
    /// Held by a consumer until then.
    Leased(Millis),
    /// Its move to another queue is under way.
    Leaving,
}

/// A message that comes in.
pub(crate) struct Arrival {
    pub(crate) sent: Millis,
    pub(crate) visible: Millis,
    pub(crate) group: Option<Arc<str>>,
    pub(crate) receives: Receives,
    pub(crate) rows: Rows,
    pub(crate) message: Option<Cached>,
}

/// A message as a receive hands it out.
#[derive(Clone, Debug)]
pub(crate) struct Lease {
    pub(crate) sequence: u64,
    pub(crate) nonce: u64,
    pub(crate) count: u32,
    pub(crate) first: Millis,
    /// `None`: to be read from the store.
    pub(crate) message: Option<Arc<Message>>,
}

/// What a receive asks for.
#[derive(Clone, Copy)]
pub(crate) struct Ask {
    pub(crate) now: Millis,
    /// How long the messages are hidden from others.
    pub(crate) until: Millis,
    pub(crate) max: usize,
    /// Messages received so often go to the dead-letter queue instead.
    pub(crate) dead_after: Option<u32>,
}

/// What a receive gives.
#[derive(Default)]
pub(crate) struct Given {
    pub(crate) leases: Vec<Lease>,
    /// Messages, now leaving, for the dead-letter queue.
    pub(crate) dead: Vec<u64>,
}

/// Why a receipt does not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The message is gone, or somebody else has received it since.
    Unknown,
    /// The consumer itself made the message visible.
    NotInFlight,
    /// The lease is over, in a FIFO queue.
    Expired,
    /// The lease would last longer than twelve hours in all.
    TooLong,
}

impl Queue {
    /// An empty queue whose sequence numbers start behind all that an earlier run gave, since time
    /// has passed: 2^20 numbers to a millisecond.
    pub(crate) fn new(fifo: bool, now: Millis) -> Queue {
        let order = match fifo {
            false => Order::Standard(BTreeSet::new()),
            true => Order::Fifo(Box::new(Fifo {
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

    /// Takes in a message of this number, as it lay on disk.
    pub(crate) fn restore(&mut self, sequence: u64, arrival: Arrival, leased: bool, now: Millis) {
        let visible = arrival.visible;
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
        let oldest = Millis(now.0.saturating_sub(retention_seconds * 1000));
        while let Some(sequence) = self.ages.due(oldest) {
            self.discard(sequence);
        }
    }

    /// Leases up to `max` visible messages, the oldest first; of a FIFO queue's group only the
    /// first ones, and none while another consumer holds one of them.
    pub(crate) fn lease(&mut self, ask: Ask, mut nonce: impl FnMut() -> u64) -> Given {
        let mut given = Given::default();
        let mut group = None;
        while given.leases.len() < ask.max && self.counts.in_flight < limits::IN_FLIGHT {
            let Some(sequence) = self.next(group.as_ref()) else { break };
            let Some(entry) = self.entries.get_mut(&sequence) else { break };
            group = entry.group.clone();
            if ask.dead_after.is_some_and(|limit| entry.receives.count >= limit) {
                self.set_state(sequence, State::Leaving);
                given.dead.push(sequence);
                continue;
            }
            let receives = &mut entry.receives;
            receives.count += 1;
            let first = *receives.first.get_or_insert(ask.now);
            let nonce = *receives.nonce.insert(nonce());
            receives.leased = ask.now;
            let count = receives.count;
            let message = entry.message.as_ref().map(Cached::message);
            given.leases.push(Lease { sequence, nonce, count, first, message });
            self.unsaved.insert(sequence);
            self.set_state(sequence, State::Leased(ask.until));
        }
        // A lease of no time at all counts as a receive but hides nothing; only now, or the same
        // message would be handed out twice.
        if ask.until <= ask.now {
            given.leases.iter().for_each(|lease| self.set_state(lease.sequence, State::Visible));
        }
        given
    }

    fn next(&self, group: Option<&Arc<str>>) -> Option<u64> {
        match &self.order {
            Order::Standard(visible) => visible.first().copied(),
            Order::Fifo(fifo) => fifo.groups.next(group),
        }
    }

    /// Takes visible messages out of sight to move them elsewhere, the oldest first.
    pub(crate) fn take(&mut self, max: usize) -> Vec<u64> {
        let mut taken = Vec::new();
        let mut group = None;
        while taken.len() < max {
            let Some(sequence) = self.next(group.as_ref()) else { break };
            group = self.entries.get(&sequence).and_then(|entry| entry.group.clone());
            self.set_state(sequence, State::Leaving);
            taken.push(sequence);
        }
        taken
    }

    /// Gives the messages of an earlier receive once more, if its consumer still holds them all.
    pub(crate) fn repeat(&mut self, attempt: &Attempt, until: Millis) -> Option<Vec<Lease>> {
        let leases = attempt.iter().map(|(sequence, nonce)| {
            let entry = self.entries.get(sequence)?;
            let held = matches!(entry.state, State::Leased(_));
            (held && entry.receives.nonce == Some(*nonce)).then(|| Lease {
                sequence: *sequence,
                nonce: *nonce,
                count: entry.receives.count,
                first: entry.receives.first.unwrap_or(entry.receives.leased),
                message: entry.message.as_ref().map(Cached::message),
            })
        });
        let leases = leases.collect::<Option<Vec<_>>>()?;
        leases.iter().for_each(|lease| self.set_state(lease.sequence, State::Leased(until)));
        Some(leases)
    }

    /// Which rows go when the holder of this receipt deletes its message; `None` if there is
    /// nothing to delete: the message is gone, or a standard queue's receipt is not its latest.
    pub(crate) fn deletable(&self, receipt: Receipt) -> Result<Option<Rows>, Refusal> {
        let Some(entry) = self.entries.get(&receipt.sequence) else { return Ok(None) };
        let latest = entry.receives.nonce.is_none_or(|nonce| nonce == receipt.nonce);
        if matches!(self.order, Order::Fifo(_)) {
            let held = latest && matches!(entry.state, State::Leased(_));
            return if held { Ok(Some(entry.rows)) } else { Err(Refusal::Expired) };
        }
        Ok((latest && entry.state != State::Leaving).then_some(entry.rows))
    }

    /// Hides a message until a moment counted from `now`, for the holder of this receipt.
    pub(crate) fn set_visibility(
        &mut self,
        receipt: Receipt,
        until: Millis,
        now: Millis,
    ) -> Result<(), Refusal> {
        let entry = self.entries.get_mut(&receipt.sequence).ok_or(Refusal::Unknown)?;
        if entry.receives.nonce.is_some_and(|nonce| nonce != receipt.nonce) {
            return Err(Refusal::Unknown);
        }
        let fifo = matches!(self.order, Order::Fifo(_));
        match entry.state {
            State::Leased(_) => {}
            State::Visible if fifo => return Err(Refusal::Expired),
            // A standard queue lets a consumer hold on though its time has run out, but not once it
            // has given the message back.
            State::Visible if entry.receives.nonce.is_some() => {}
            State::Visible => return Err(Refusal::NotInFlight),
            State::Arriving { .. } | State::Delayed(_) | State::Leaving => {
                return Err(Refusal::Unknown);
            }
        }
        let longest = entry.receives.leased.plus_seconds(*limits::VISIBILITY_SECONDS.end() as u64);
        if until > longest {
            return Err(Refusal::TooLong);
        }
        if until > now {
            self.set_state(receipt.sequence, State::Leased(until));
        } else {
            entry.receives.nonce = None;
            self.set_state(receipt.sequence, State::Visible);
        }
        self.unsaved.insert(receipt.sequence);
        Ok(())
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

    /// How many receives would find something now, at least.
    pub(crate) fn available(&self) -> usize {
        match &self.order {
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

    fn set_state(&mut self, sequence: u64, state: State) {
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

impl Entry {
    /// What has been received of it.
    pub(crate) fn receives(&self) -> Receives {
        self.receives
    }

    /// Which rows it has.
    pub(crate) fn rows(&self) -> Rows {
        self.rows
    }

    /// Its content, if it is in memory.
    pub(crate) fn message(&self) -> Option<Arc<Message>> {
        self.message.as_ref().map(Cached::message)
    }
}
