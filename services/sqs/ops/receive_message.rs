//! `ReceiveMessage`: leases visible messages to a consumer.

use std::{collections::BTreeSet, ops::RangeInclusive, sync::Arc};

use kit::Caller;
use model::sqs as api;

use crate::{
    Sqs,
    error::Error,
    limits,
    message::md5_of_body,
    name::Kind,
    receive::{Asked, Received},
};

pub(crate) async fn run(
    sqs: Arc<Sqs>,
    caller: Caller,
    input: api::ReceiveMessageInput,
) -> Result<api::ReceiveMessageOutput, Error> {
    let queue = sqs.queue(&caller, &input.queue_url)?;
    let names = Names::of(&input)?;
    let settings = &queue.record().settings;
    let asked = Asked {
        max: check(
            "MaxNumberOfMessages",
            input.max_number_of_messages,
            limits::RECEIVE_MESSAGES,
            "Must be between 1 and 10, if provided.",
        )?
        .unwrap_or(1) as usize,
        visibility_seconds: check(
            "VisibilityTimeout",
            input.visibility_timeout,
            limits::VISIBILITY_SECONDS,
            "Must be >= 0 and <= 43200, if provided.",
        )?,
        wait_seconds: check(
            "WaitTimeSeconds",
            input.wait_time_seconds,
            limits::WAIT_SECONDS,
            "Must be >= 0 and <= 20, if provided.",
        )?
        .unwrap_or(settings.wait_seconds),
        attempt: check_attempt(input.receive_request_attempt_id, settings.kind())?,
    };
    let received = sqs.receive(&queue, asked).await?;
    let messages: Vec<api::Message> = received.into_iter().map(|it| names.message(it)).collect();
    // AWS leaves an empty list out.
    Ok(api::ReceiveMessageOutput { messages: Some(messages).filter(|it| !it.is_empty()) })
}

fn check(
    parameter: &str,
    value: Option<i32>,
    range: RangeInclusive<i64>,
    reason: &str,
) -> Result<Option<u64>, Error> {
    match value.map(i64::from) {
        None => Ok(None),
        Some(value) if range.contains(&value) => Ok(Some(value as u64)),
        Some(value) => Err(Error::invalid(value, parameter, reason)),
    }
}

fn check_attempt(id: Option<String>, kind: Kind) -> Result<Option<String>, Error> {
    let Some(id) = id else { return Ok(None) };
    if kind == Kind::Standard {
        return Err(Error::InvalidParameterValue(
            "The request include parameter ReceiveRequestAttemptId which is not valid for this queue type".to_owned(),
        ));
    }
    let fits = (1..=limits::FIFO_ID_CHARS).contains(&id.len());
    if !fits || !id.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Error::invalid(
            id,
            "ReceiveRequestAttemptId",
            "ReceiveRequestAttemptId can only include alphanumeric and punctuation characters. 1 to 128 in length.",
        ));
    }
    Ok(Some(id))
}

/// Every system attribute that may be asked for.
const KNOWN: [&str; 11] = [
    "All",
    "AWSTraceHeader",
    "ApproximateFirstReceiveTimestamp",
    "ApproximateReceiveCount",
    "DeadLetterQueueSourceArn",
    "MessageDeduplicationId",
    "MessageGroupId",
    "SenderId",
    "SentTimestamp",
    "SequenceNumber",
    // Documented for AttributeNames, though no message has it.
    "SqsManagedSseEnabled",
];

/// Which attributes a consumer asks for.
struct Names {
    system: BTreeSet<String>,
    message: Vec<String>,
}

impl Names {
    fn of(input: &api::ReceiveMessageInput) -> Result<Names, Error> {
        let older = input.attribute_names.iter().flatten();
        let newer = input.message_system_attribute_names.iter().flatten();
        let system: BTreeSet<String> = older.chain(newer).cloned().collect();
        if let Some(unknown) = system.iter().find(|name| !KNOWN.contains(&name.as_str())) {
            return Err(Error::unknown_attribute(unknown));
        }
        let message = input.message_attribute_names.clone().unwrap_or_default();
        Ok(Names { system, message })
    }

    fn message(&self, received: Received) -> api::Message {
        let mut attributes = received.system_attributes();
        attributes.retain(|name, _| self.system.contains("All") || self.system.contains(name));
        let (message_attributes, digest) = received.message_attributes(&self.message);
        let Received { handle, message, .. } = received;
        let (id, body) = match Arc::try_unwrap(message) {
            Ok(message) => (message.head.id, message.content.body),
            Err(shared) => (shared.head.id.clone(), shared.content.body.clone()),
        };
        api::Message {
            message_id: Some(id),
            receipt_handle: Some(handle),
            md5_of_body: Some(md5_of_body(&body)),
            body: Some(body),
            attributes: Some(attributes).filter(|it| !it.is_empty()),
            md5_of_message_attributes: digest,
            message_attributes: Some(message_attributes).filter(|it| !it.is_empty()),
        }
    }
}
