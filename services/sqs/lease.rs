//! The rules of leases: who gets which message, for how long, and what a receipt is good for. Pure.

use std::sync::Arc;

use kit::Millis;

use crate::{
    cache::Cached,
    entry::{Rows, State},
    fifo::Attempt,
    limits,
    message::Message,
    queue::Queue,
    receipt::Receipt,
};

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
    /// Leases up to `max` visible messages, the oldest first; of a FIFO queue's group only the
    /// first ones, and none while another consumer holds one of them.
    pub(crate) fn lease(&mut self, ask: Ask, mut nonce: impl FnMut() -> u64) -> Given {
        let mut given = Given::default();
        let mut group = None;
        while given.leases.len() < ask.max && self.counts().in_flight < limits::IN_FLIGHT {
            let Some(sequence) = self.next(group.as_ref()) else { break };
            let Some(entry) = self.entry_mut(sequence) else { break };
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
            self.note_received(sequence);
            self.set_state(sequence, State::Leased(ask.until));
        }
        // A lease of no time at all counts as a receive but hides nothing; only now, or the same
        // message would be handed out twice.
        if ask.until <= ask.now {
            given.leases.iter().for_each(|lease| self.set_state(lease.sequence, State::Visible));
        }
        given
    }

    /// Takes visible messages out of sight to move them elsewhere, the oldest first.
    pub(crate) fn take(&mut self, max: usize) -> Vec<u64> {
        let mut taken = Vec::new();
        let mut group = None;
        while taken.len() < max {
            let Some(sequence) = self.next(group.as_ref()) else { break };
            group = self.entry(sequence).and_then(|entry| entry.group.clone());
            self.set_state(sequence, State::Leaving);
            taken.push(sequence);
        }
        taken
    }

    /// Gives the messages of an earlier receive once more, if its consumer still holds them all.
    pub(crate) fn repeat(&mut self, attempt: &Attempt, until: Millis) -> Option<Vec<Lease>> {
        let leases = attempt.iter().map(|(sequence, nonce)| {
            let entry = self.entry(*sequence)?;
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
        let Some(entry) = self.entry(receipt.sequence) else { return Ok(None) };
        let latest = entry.receives.nonce.is_none_or(|nonce| nonce == receipt.nonce);
        if self.is_fifo() {
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
        let fifo = self.is_fifo();
        let entry = self.entry_mut(receipt.sequence).ok_or(Refusal::Unknown)?;
        if entry.receives.nonce.is_some_and(|nonce| nonce != receipt.nonce) {
            return Err(Refusal::Unknown);
        }
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
        self.note_received(receipt.sequence);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        entry::{Arrival, Receives},
        name::Kind,
    };

    fn queue(kind: Kind, count: usize) -> Queue {
        let mut queue = Queue::new(kind, Millis(0));
        for _ in 0..count {
            let sequence = queue.reserve(Arrival {
                sent: Millis(0),
                visible: Millis(0),
                group: Some(Arc::from("g")),
                receives: Receives::default(),
                rows: Rows::default(),
                message: None,
            });
            queue.confirm(sequence, Millis(0));
        }
        queue
    }

    fn ask(max: usize, dead_after: Option<u32>) -> Ask {
        Ask { now: Millis(0), until: Millis(1_000), max, dead_after }
    }

    #[test]
    fn no_more_than_the_quota_is_in_flight() {
        let mut queue = queue(Kind::Standard, limits::IN_FLIGHT + 1);
        let given = queue.lease(ask(usize::MAX, None), || 1);
        assert_eq!(given.leases.len(), limits::IN_FLIGHT);
        assert!(queue.lease(ask(1, None), || 1).leases.is_empty());
        assert_eq!((queue.available(), queue.counts().visible), (0, 1), "nobody is woken for it");
        queue.remove(given.leases[0].sequence);
        assert_eq!(queue.available(), 1);
        assert_eq!(queue.lease(ask(2, None), || 1).leases.len(), 1);
    }

    #[test]
    fn a_message_received_too_often_leaves_instead_and_its_group_goes_on() {
        let mut queue = queue(Kind::Fifo, 2);
        for _ in 0..2 {
            let given = queue.lease(ask(1, Some(2)), || 1);
            assert_eq!((given.leases.len(), given.dead.len()), (1, 0));
            queue.advance(Millis(1_000), 60);
        }
        let given = queue.lease(ask(1, Some(2)), || 1);
        assert_eq!((given.leases.len(), given.dead.len()), (1, 1));
        assert!(given.dead[0] < given.leases[0].sequence);
        queue.confirm(given.dead[0], Millis(1_000));
        assert_eq!(queue.counts().visible, 1, "it stays if it could not be carried");
    }

    #[test]
    fn a_lease_of_no_time_counts_but_hides_nothing() {
        let mut queue = queue(Kind::Standard, 1);
        for count in 1..3 {
            let given = queue.lease(Ask { until: Millis(0), ..ask(10, None) }, || 1);
            assert_eq!((given.leases.len(), given.leases[0].count), (1, count));
        }
    }
}
