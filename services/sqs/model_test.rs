//! The rules against a simple model of what a queue is: random commands, the same answers.

use std::{collections::BTreeMap, sync::Arc};

use kit::Millis;
use proptest::prelude::*;

use crate::{
    entry::{Arrival, Receives, Rows},
    lease::{Ask, Refusal},
    name::Kind,
    queue::Queue,
    receipt::Receipt,
};

const RETENTION_SECONDS: u64 = 500;

#[derive(Clone, Debug)]
enum Command {
    Send {
        group: usize,
        delay: u64,
    },
    Receive {
        max: usize,
        timeout: u64,
    },
    /// Of the nth lease ever given.
    Delete(usize),
    Hide {
        lease: usize,
        timeout: u64,
    },
    Pass(u64),
}

fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        4 => (0..3_usize, prop_oneof![Just(0), 1..20_u64])
            .prop_map(|(group, delay)| Command::Send { group, delay }),
        4 => (1..5_usize, 0..30_u64).prop_map(|(max, timeout)| Command::Receive { max, timeout }),
        2 => (0..50_usize).prop_map(Command::Delete),
        1 => (0..50_usize, 0..30_u64).prop_map(|(lease, timeout)| Command::Hide { lease, timeout }),
        3 => (1..40_u64).prop_map(Command::Pass),
    ]
}

/// A message as the model sees it: hidden until a moment, and by whom.
struct Known {
    group: usize,
    sent: Millis,
    hidden_until: Millis,
    is_leased: bool,
    /// The last lease's number; `None` when it was given back.
    nonce: Option<u64>,
}

/// A queue as a list that is searched from its beginning each time.
struct Model {
    fifo: bool,
    now: Millis,
    messages: BTreeMap<u64, Known>,
}

impl Model {
    fn pass(&mut self, seconds: u64) {
        self.now = self.now.plus_seconds(seconds);
        let now = self.now;
        self.messages.retain(|_, it| now.since(it.sent) < RETENTION_SECONDS * 1000);
        for it in self.messages.values_mut().filter(|it| it.hidden_until <= now) {
            it.is_leased = false;
        }
    }

    fn is_visible(&self, it: &Known) -> bool {
        it.hidden_until <= self.now
    }

    /// Which messages a receive gives, in order.
    fn receive(&mut self, max: usize, until: Millis, mut nonce: u64) -> Vec<u64> {
        let closed: Vec<usize> =
            self.messages.values().filter(|it| it.is_leased).map(|it| it.group).collect();
        let mut given: Vec<u64> = Vec::new();
        let mut group = None;
        while given.len() < max {
            let candidates = self.messages.iter().filter(|(sequence, it)| {
                let is_first = self
                    .messages
                    .iter()
                    .find(|(other, before)| before.group == it.group && !given.contains(*other));
                let in_turn = !self.fifo
                    || (!closed.contains(&it.group)
                        && is_first.is_some_and(|(first, _)| first == *sequence));
                self.is_visible(it) && in_turn && !given.contains(*sequence)
            });
            let candidates: Vec<(u64, usize)> =
                candidates.map(|(sequence, it)| (*sequence, it.group)).collect();
            let same = candidates.iter().find(|(_, it)| self.fifo && group == Some(*it));
            let Some((sequence, of)) = same.or_else(|| {
                // A group that this receive has left is closed by its own leases.
                candidates.iter().find(|(_, of)| {
                    !self.fifo || !given.iter().any(|sequence| self.messages[sequence].group == *of)
                })
            }) else {
                break;
            };
            given.push(*sequence);
            group = Some(*of);
        }
        for sequence in &given {
            let it = self.messages.get_mut(sequence).unwrap();
            it.hidden_until = until;
            it.is_leased = until > self.now;
            it.nonce = Some(nonce);
            nonce += 1;
        }
        given
    }

    fn delete(&mut self, sequence: u64, nonce: u64) -> Result<bool, Refusal> {
        let Some(it) = self.messages.get(&sequence) else { return Ok(false) };
        let latest = it.nonce.is_none_or(|latest| latest == nonce);
        if self.fifo && !(latest && it.is_leased) {
            return Err(Refusal::Expired);
        }
        if latest {
            self.messages.remove(&sequence);
        }
        Ok(latest)
    }

    fn hide(&mut self, sequence: u64, nonce: u64, until: Millis) -> Result<(), Refusal> {
        let now = self.now;
        let it = self.messages.get_mut(&sequence).ok_or(Refusal::Unknown)?;
        if it.nonce.is_some_and(|latest| latest != nonce) {
            return Err(Refusal::Unknown);
        }
        if !it.is_leased {
            match (self.fifo, it.nonce) {
                (true, _) => return Err(Refusal::Expired),
                (false, None) => return Err(Refusal::NotInFlight),
                (false, Some(_)) => {}
            }
        }
        it.hidden_until = until;
        it.is_leased = until > now;
        if until <= now {
            it.nonce = None;
        }
        Ok(())
    }

    fn counts(&self) -> (usize, usize, usize) {
        let count =
            |fits: &dyn Fn(&Known) -> bool| self.messages.values().filter(|it| fits(it)).count();
        let visible = count(&|it| self.is_visible(it));
        let leased = count(&|it| it.is_leased);
        (visible, self.messages.len() - visible - leased, leased)
    }
}

fn run(fifo: bool, commands: Vec<Command>) -> Result<(), TestCaseError> {
    let start = Millis(1_000_000);
    let mut queue = Queue::new(if fifo { Kind::Fifo } else { Kind::Standard }, start);
    let mut model = Model { fifo, now: start, messages: BTreeMap::new() };
    let mut leases: Vec<Receipt> = Vec::new();
    let groups: Vec<Arc<str>> = vec!["a".into(), "b".into(), "c".into()];
    for command in commands {
        let now = model.now;
        queue.advance(now, RETENTION_SECONDS);
        match command {
            Command::Send { group, delay } => {
                // A FIFO queue has one delay for all.
                let visible = now.plus_seconds(if fifo { 0 } else { delay });
                let sequence = send(&mut queue, groups[group].clone(), now, visible);
                let hidden_until = visible;
                let known = Known { group, sent: now, hidden_until, is_leased: false, nonce: None };
                model.messages.insert(sequence, known);
            }
            Command::Receive { max, timeout } => {
                let until = now.plus_seconds(timeout);
                let first = leases.len() as u64;
                let mut next = first;
                let ask = Ask { now, until, max, dead_after: None };
                let given = queue.lease(ask, || {
                    next += 1;
                    next - 1
                });
                let sequences: Vec<u64> = given.leases.iter().map(|it| it.sequence).collect();
                prop_assert_eq!(&sequences, &model.receive(max, until, first));
                leases.extend(given.leases.iter().map(|it| Receipt {
                    queue: 0,
                    sequence: it.sequence,
                    nonce: it.nonce,
                }));
            }
            Command::Delete(lease) => {
                let Some(receipt) = leases.get(lease) else { continue };
                let allowed = queue.deletable(*receipt);
                let expected = model.delete(receipt.sequence, receipt.nonce);
                prop_assert_eq!(allowed.map(|rows| rows.is_some()), expected);
                if expected == Ok(true) {
                    queue.remove(receipt.sequence);
                }
            }
            Command::Hide { lease, timeout } => {
                let Some(receipt) = leases.get(lease) else { continue };
                let until = now.plus_seconds(timeout);
                let expected = model.hide(receipt.sequence, receipt.nonce, until);
                prop_assert_eq!(queue.set_visibility(*receipt, until, now), expected);
            }
            Command::Pass(seconds) => {
                model.pass(seconds);
                queue.advance(model.now, RETENTION_SECONDS);
            }
        }
        let counts = queue.counts();
        prop_assert_eq!((counts.visible, counts.delayed, counts.in_flight), model.counts());
        let due = model.messages.values().map(|it| it.hidden_until).filter(|it| *it > model.now);
        prop_assert_eq!(queue.next_due(), due.min());
    }
    Ok(())
}

fn send(queue: &mut Queue, group: Arc<str>, now: Millis, visible: Millis) -> u64 {
    let sequence = queue.reserve(Arrival {
        sent: now,
        visible,
        group: Some(group),
        receives: Receives::default(),
        rows: Rows::default(),
        message: None,
    });
    queue.confirm(sequence, now);
    sequence
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..Default::default() })]

    #[test]
    fn a_standard_queue_does_as_the_model(commands in prop::collection::vec(command(), 1..80)) {
        run(false, commands)?;
    }

    #[test]
    fn a_fifo_queue_does_as_the_model(commands in prop::collection::vec(command(), 1..80)) {
        run(true, commands)?;
    }
}
