//! Sending: from a producer's entry to a message on disk that consumers see.

use std::sync::Arc;

use kit::{Caller, Millis};
use model::sqs as api;
use sha2::{Digest, Sha256};

use crate::{
    Sqs,
    attributes::{DeduplicationScope, FifoSettings, Settings},
    entry::{Arrival, Receives},
    error::Error,
    fifo::{Accepted, DeduplicationKey},
    limits,
    message::{self, Content, Head, Message, Written},
    open::OpenQueue,
    queue::Queue,
    store::{Changes, rows_of},
};

/// What a producer asks for; the same members in SendMessage and in a batch's entry.
#[derive(Default)]
pub(crate) struct Request {
    pub(crate) body: String,
    pub(crate) delay_seconds: Option<i32>,
    pub(crate) attributes: Option<wire::Map<api::MessageAttributeValue>>,
    pub(crate) system_attributes: Option<wire::Map<api::MessageSystemAttributeValue>>,
    pub(crate) deduplication: Option<String>,
    pub(crate) group: Option<String>,
}

/// A checked message on its way into a queue.
pub(crate) struct Outgoing {
    pub(crate) message: Arc<Message>,
    visible: Millis,
    /// In FIFO queues.
    key: Option<DeduplicationKey>,
}

/// A message that is in the queue, now or since an equal one was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) id: String,
    pub(crate) sequence: u64,
}

impl Outgoing {
    /// Checks an entry against its queue.
    pub(crate) fn check(
        caller: &Caller,
        settings: &Settings,
        request: Request,
    ) -> Result<Outgoing, Error> {
        let delay_seconds = delay_seconds(settings, request.delay_seconds)?;
        check_id("MessageGroupId", request.group.as_deref())?;
        check_id("MessageDeduplicationId", request.deduplication.as_deref())?;
        let content = content(request.body, request.attributes)?;
        if content.size_bytes() > settings.message_bytes {
            return Err(Error::InvalidParameterValue(format!(
                "One or more parameters are invalid. Reason: Message must be shorter than {} bytes.",
                settings.message_bytes
            )));
        }
        let group: Option<Arc<str>> = request.group.map(Arc::from);
        let key = match &settings.fifo {
            Some(fifo) => {
                let group = group.clone().ok_or_else(missing_group)?;
                Some(deduplication(fifo, group, request.deduplication, &content.body)?)
            }
            None if request.deduplication.is_some() => return Err(Error::InvalidParameterValue(
                "The request include parameter MessageDeduplicationId which is not valid for this queue type".to_owned(),
            )),
            None => None,
        };
        let given = trace(request.system_attributes)?;
        let head = Head {
            id: kit::ids::uuid(),
            sender: caller.principal.user_id.clone(),
            sent: caller.now,
            group,
            deduplication: key.as_ref().map(|(_, id)| id.clone()),
            trace: given.or_else(|| (!caller.trace.is_empty()).then(|| caller.trace.clone())),
            dead_letter_source: None,
        };
        let visible = caller.now.plus_seconds(delay_seconds);
        Ok(Outgoing { message: Arc::new(Message { head, content }), visible, key })
    }
}

fn delay_seconds(settings: &Settings, asked: Option<i32>) -> Result<u64, Error> {
    match (asked.map(i64::from), &settings.fifo) {
        (Some(seconds), _) if !limits::DELAY_SECONDS.contains(&seconds) => {
            Err(Error::invalid(seconds, "DelaySeconds", "DelaySeconds must be >= 0 and <= 900."))
        }
        (Some(seconds), Some(_)) if seconds > 0 => Err(Error::invalid(
            seconds,
            "DelaySeconds",
            "The request include parameter that is not valid for this queue type.",
        )),
        (Some(seconds), None) => Ok(seconds as u64),
        _ => Ok(settings.delay_seconds),
    }
}

fn missing_group() -> Error {
    Error::MissingParameter("MessageGroupId".to_owned())
}

/// Refuses a group or deduplication id that is malformed.
fn check_id(parameter: &str, id: Option<&str>) -> Result<(), Error> {
    let Some(id) = id else { return Ok(()) };
    let fits = (1..=limits::FIFO_ID_CHARS).contains(&id.len());
    if fits && id.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    let reason = format!(
        "{parameter} can only include alphanumeric and punctuation characters. 1 to 128 in length."
    );
    Err(Error::invalid(id, parameter, reason))
}

fn content(
    body: String,
    attributes: Option<wire::Map<api::MessageAttributeValue>>,
) -> Result<Content, Error> {
    if body.is_empty() {
        return Err(Error::MissingParameter("MessageBody".to_owned()));
    }
    message::check_text(&body)?;
    let written = attributes.unwrap_or_default().into_iter().map(|(name, value)| {
        let lists = value.string_list_values.is_some_and(|list| !list.is_empty())
            || value.binary_list_values.is_some_and(|list| !list.is_empty());
        let api::MessageAttributeValue {
            data_type, string_value: text, binary_value: bytes, ..
        } = value;
        (name, Written { data_type, text, bytes, has_lists: lists })
    });
    Ok(Content { body, attributes: message::check_attributes(written)? })
}

/// What the message's deduplication id counts within, and the id, given or made from the body.
fn deduplication(
    fifo: &FifoSettings,
    group: Arc<str>,
    given: Option<String>,
    body: &str,
) -> Result<DeduplicationKey, Error> {
    let id = match given {
        Some(id) => id,
        None if fifo.content_based_deduplication => hex::encode(Sha256::digest(body)),
        None => {
            return Err(Error::InvalidParameterValue(
                "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly".to_owned(),
            ));
        }
    };
    let scope = fifo.deduplication_scope == DeduplicationScope::MessageGroup;
    Ok((scope.then_some(group), id))
}

fn trace(
    attributes: Option<wire::Map<api::MessageSystemAttributeValue>>,
) -> Result<Option<String>, Error> {
    let refuse = |text: String| Err(Error::InvalidParameterValue(text));
    let mut trace = None;
    for (name, value) in attributes.unwrap_or_default() {
        if name != message::TRACE {
            return refuse(format!("Message system attribute name '{name}' is invalid."));
        }
        match value.string_value {
            Some(text) if value.data_type == "String" && !text.is_empty() => trace = Some(text),
            _ => {
                return refuse(format!(
                    "Message (system) attribute '{name}' must contain a non-empty value of type 'String'."
                ));
            }
        }
    }
    Ok(trace)
}

impl Sqs {
    /// Puts messages into a queue, all or none, and answers when they are durable. A message whose
    /// deduplication id was accepted before is not put in again; the answer names the earlier one.
    pub(crate) async fn send(
        self: &Arc<Self>,
        queue: &Arc<OpenQueue>,
        outgoing: Vec<Outgoing>,
    ) -> Result<Vec<Sent>, Error> {
        let (sqs, queue) = (self.clone(), queue.clone());
        self.finish(async move { sqs.send_to_the_end(&queue, &outgoing).await }).await
    }

    async fn send_to_the_end(
        &self,
        queue: &OpenQueue,
        outgoing: &[Outgoing],
    ) -> Result<Vec<Sent>, Error> {
        let reserved = loop {
            let settled = queue.settled().notified();
            tokio::pin!(settled);
            settled.as_mut().enable();
            let now = self.clock.now();
            if let Some(reserved) = queue.with(now, |it| self.reserve(it, outgoing, now)) {
                break reserved;
            }
            settled.await;
        };
        let mut changes = Changes::default();
        let new = || reserved.iter().zip(outgoing).filter(|(it, _)| it.is_new);
        for (it, outgoing) in new() {
            let to = (queue.number, it.sent.sequence);
            changes.put_message(to, &outgoing.message, outgoing.visible, Receives::default());
            if let Some(key) = &outgoing.key {
                let accepted = accepted(&it.sent, Settled::Yes);
                changes.put_accepted(queue.number, key, &accepted, outgoing.message.head.sent);
            }
        }
        let committed = match (new().next(), queue.check_exists()) {
            (None, _) => Ok(0),
            (Some(_), Err(gone)) => Err(gone),
            (Some(_), Ok(())) => self.rows.commit(changes).await.map_err(Error::from),
        };
        let now = self.clock.now();
        queue.with(now, |rules| {
            for (it, outgoing) in new() {
                settle(rules, it.sent.sequence, outgoing.key.as_ref(), &committed, now);
            }
        });
        queue.settled().notify_waiters();
        committed?;
        Ok(reserved.into_iter().map(|it| it.sent).collect())
    }

    /// Gives every new message its number. `None` if the outcome of an earlier send with the same
    /// deduplication id is not known yet.
    fn reserve(
        &self,
        rules: &mut Queue,
        outgoing: &[Outgoing],
        now: Millis,
    ) -> Option<Vec<Reserved>> {
        let earlier = |rules: &mut Queue, key: &Option<DeduplicationKey>| {
            rules.fifo()?.accepted.get(key.as_ref()?, now).cloned()
        };
        if outgoing.iter().any(|it| earlier(rules, &it.key).is_some_and(|it| it.arriving)) {
            return None;
        }
        let reserve = |outgoing: &Outgoing| {
            if let Some(Accepted { sequence, id, .. }) = earlier(rules, &outgoing.key) {
                return Reserved { sent: Sent { id, sequence }, is_new: false };
            }
            let message = &outgoing.message;
            let sequence = rules.reserve(Arrival {
                sent: message.head.sent,
                visible: outgoing.visible,
                group: message.head.group.clone(),
                receives: Receives::default(),
                rows: rows_of(&message.content),
                message: self.cache.keep(message),
            });
            let sent = Sent { id: message.head.id.clone(), sequence };
            if let (Some(fifo), Some(key)) = (rules.fifo(), &outgoing.key) {
                let accepted = accepted(&sent, Settled::No);
                fifo.accepted.insert(key.clone(), message.head.sent, accepted);
            }
            Reserved { sent, is_new: true }
        };
        Some(outgoing.iter().map(reserve).collect())
    }
}

struct Reserved {
    sent: Sent,
    is_new: bool,
}

enum Settled {
    Yes,
    No,
}

fn accepted(sent: &Sent, settled: Settled) -> Accepted {
    let arriving = matches!(settled, Settled::No);
    Accepted { sequence: sent.sequence, id: sent.id.clone(), arriving }
}

/// Lets a message in, or takes it back, now that its commit is known.
fn settle(
    rules: &mut Queue,
    sequence: u64,
    key: Option<&DeduplicationKey>,
    committed: &Result<u64, Error>,
    now: Millis,
) {
    match committed {
        Ok(_) => rules.confirm(sequence, now),
        Err(_) => drop(rules.remove(sequence)),
    }
    let (Some(fifo), Some(key)) = (rules.fifo(), key) else { return };
    match (committed, fifo.accepted.get_mut(key)) {
        (Ok(_), Some(accepted)) => accepted.arriving = false,
        (Ok(_), None) => {}
        (Err(_), _) => fifo.accepted.remove(key),
    }
}
