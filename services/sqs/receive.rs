//! Receiving: leases what is visible, and waits where nothing is.

use std::{collections::BTreeMap, sync::Arc};

use kit::Millis;
use model::sqs as api;

use crate::{
    Sqs,
    error::Error,
    lease::{Ask, Given, Lease},
    limits,
    message::{self, Attribute, Message, Value},
    open::OpenQueue,
    receipt::Receipt,
};

/// What a consumer asks for.
pub(crate) struct Asked {
    pub(crate) max: usize,
    /// `None`: as the queue is set.
    pub(crate) visibility_seconds: Option<u64>,
    /// 0 is a short poll.
    pub(crate) wait_seconds: u64,
    /// ReceiveRequestAttemptId.
    pub(crate) attempt: Option<String>,
}

/// A message in a consumer's hands.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) handle: String,
    pub(crate) message: Arc<Message>,
    sequence: u64,
    count: u32,
    first: Millis,
    fifo: bool,
}

impl Sqs {
    /// Leases messages, waiting for the first if there is none. Whoever stops waiting loses
    /// nothing: a message is leased only in the moment before the answer.
    pub(crate) async fn receive(
        self: &Arc<Self>,
        queue: &Arc<OpenQueue>,
        asked: Asked,
    ) -> Result<Vec<Received>, Error> {
        let deadline = self.clock.now().plus_seconds(asked.wait_seconds);
        let waiting = queue.wait();
        loop {
            let arrival = queue.arrivals().notified();
            tokio::pin!(arrival);
            arrival.as_mut().enable();
            queue.check_exists()?;
            let now = self.clock.now();
            let leases = self.lease(queue, &asked, now)?;
            let received = self.contents(queue, leases).await?;
            if !received.is_empty() || now >= deadline {
                drop(waiting);
                return Ok(received);
            }
            let mut stop = self.stop.subscribe();
            tokio::select! {
                () = arrival => {}
                () = self.clock.sleep_until(deadline) => {}
                _ = stop.wait_for(|stop| *stop) => return Ok(Vec::new()),
            }
        }
    }

    fn lease(
        self: &Arc<Self>,
        queue: &Arc<OpenQueue>,
        asked: &Asked,
        now: Millis,
    ) -> Result<Vec<Lease>, Error> {
        let record = queue.record();
        let visibility_seconds =
            asked.visibility_seconds.unwrap_or(record.settings.visibility_seconds);
        // Without its target the policy rests: the messages stay and are received further on.
        let redrive = record.settings.redrive.as_ref();
        let dead = redrive.and_then(|it| Some((it, self.queue_of(&it.dead_letter_target_arn)?)));
        let ask = Ask {
            now,
            until: now.plus_seconds(visibility_seconds),
            max: asked.max,
            dead_after: dead.as_ref().map(|(redrive, _)| redrive.max_receive_count),
        };
        let given = queue.with(now, |rules| {
            let attempt = asked.attempt.as_ref();
            let earlier = attempt.and_then(|id| rules.fifo()?.attempts.get(id, now).cloned());
            if let Some(leases) = earlier.and_then(|it| rules.repeat(&it, ask.until)) {
                return Ok(Given { leases, dead: Vec::new() });
            }
            let in_flight = rules.counts().in_flight;
            if in_flight >= limits::IN_FLIGHT && rules.fifo().is_none() && asked.wait_seconds == 0 {
                return Err(Error::OverLimit(format!(
                    "{in_flight} messages are in flight, maximum allowed is {}.",
                    limits::IN_FLIGHT
                )));
            }
            let given = rules.lease(ask, || u64::from_be_bytes(kit::ids::random()));
            if let (Some(fifo), Some(id), false) = (rules.fifo(), attempt, given.leases.is_empty())
            {
                let attempt = given.leases.iter().map(|it| (it.sequence, it.nonce)).collect();
                fifo.attempts.insert(id.clone(), now, attempt);
                fifo.attempts.expire(now);
            }
            Ok(given)
        })?;
        if let (false, Some((_, target))) = (given.dead.is_empty(), dead) {
            let (sqs, source) = (self.clone(), queue.clone());
            self.spawn(async move { sqs.bury(&source, &target, given.dead).await });
        }
        Ok(given.leases)
    }

    /// Adds the contents, read from the store where they are not in memory.
    async fn contents(
        &self,
        queue: &Arc<OpenQueue>,
        leases: Vec<Lease>,
    ) -> Result<Vec<Received>, Error> {
        let mut received = Vec::with_capacity(leases.len());
        for lease in leases {
            let message = match lease.message {
                Some(message) => Some(message),
                None => self.rows.message(queue.number, lease.sequence).await?.map(Arc::new),
            };
            let Some(message) = message else {
                // A purge has taken the row in this moment.
                queue.with(self.clock.now(), |rules| drop(rules.remove(lease.sequence)));
                continue;
            };
            let Lease { sequence, nonce, count, first, .. } = lease;
            let handle = Receipt { queue: queue.number, sequence, nonce }.handle();
            let fifo = queue.place.is_fifo();
            received.push(Received { handle, message, sequence, count, first, fifo });
        }
        Ok(received)
    }
}

/// The number that a FIFO queue's clients see: twenty digits, as AWS's.
pub(crate) fn sequence_number(sequence: u64) -> String {
    const TWENTY_DIGITS: u64 = 10_000_000_000_000_000_000;
    (TWENTY_DIGITS + sequence).to_string()
}

impl Received {
    /// Every system attribute.
    pub(crate) fn system_attributes(&self) -> BTreeMap<String, String> {
        let head = &self.message.head;
        let always = [
            ("SenderId", Some(head.sender.clone())),
            ("SentTimestamp", Some(head.sent.to_string())),
            ("ApproximateReceiveCount", Some(self.count.to_string())),
            ("ApproximateFirstReceiveTimestamp", Some(self.first.to_string())),
            ("SequenceNumber", self.fifo.then(|| sequence_number(self.sequence))),
            ("MessageDeduplicationId", head.deduplication.clone()),
            ("MessageGroupId", head.group.as_deref().map(str::to_owned)),
            ("AWSTraceHeader", head.trace.clone()),
            ("DeadLetterQueueSourceArn", head.dead_letter_source.as_ref().map(ToString::to_string)),
        ];
        let given = always.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        given.collect()
    }

    /// The message attributes that were asked for, and their digest.
    pub(crate) fn message_attributes(
        &self,
        asked: &[String],
    ) -> (wire::Map<api::MessageAttributeValue>, Option<String>) {
        let attributes = &self.message.content.attributes;
        let chosen = || attributes.iter().filter(|(name, _)| message::is_asked_for(name, asked));
        let values = chosen().map(|(name, attribute)| (name.clone(), attribute_value(attribute)));
        (values.collect(), message::md5_of_attributes(chosen()))
    }
}

fn attribute_value(attribute: &Attribute) -> api::MessageAttributeValue {
    let data_type = attribute.data_type.clone();
    let (string_value, binary_value) = match attribute.value.clone() {
        Value::Text(text) => (Some(text), None),
        Value::Bytes(bytes) => (None, Some(bytes)),
    };
    api::MessageAttributeValue { data_type, string_value, binary_value, ..Default::default() }
}
