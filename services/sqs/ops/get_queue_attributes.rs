//! `GetQueueAttributes`: what a queue is set to, and how many messages it has.

use std::sync::Arc;

use kit::Caller;
use model::sqs as api;

use crate::{Sqs, attributes::Texts, error::Error, open::OpenQueue};

/// Every name that may be asked for, whether or not the queue has it.
const KNOWN: [&str; 22] = [
    "All",
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesDelayed",
    "ApproximateNumberOfMessagesNotVisible",
    "ContentBasedDeduplication",
    "CreatedTimestamp",
    "DeduplicationScope",
    "DelaySeconds",
    "FifoQueue",
    "FifoThroughputLimit",
    "KmsDataKeyReusePeriodSeconds",
    "KmsMasterKeyId",
    "LastModifiedTimestamp",
    "MaximumMessageSize",
    "MessageRetentionPeriod",
    "Policy",
    "QueueArn",
    "ReceiveMessageWaitTimeSeconds",
    "RedriveAllowPolicy",
    "RedrivePolicy",
    "SqsManagedSseEnabled",
    "VisibilityTimeout",
];

pub(crate) async fn run(
    sqs: Arc<Sqs>,
    caller: Caller,
    input: api::GetQueueAttributesInput,
) -> Result<api::GetQueueAttributesOutput, Error> {
    let queue = sqs.queue(&caller, &input.queue_url)?;
    let names = input.attribute_names.unwrap_or_default();
    if let Some(unknown) = names.iter().find(|name| !KNOWN.contains(&name.as_str())) {
        return Err(Error::unknown_attribute(unknown));
    }
    let all = names.iter().any(|name| name == "All");
    let mut attributes = texts(&queue, &caller);
    attributes.retain(|name, _| all || names.contains(name));
    // AWS leaves an empty map out.
    let attributes = Some(attributes).filter(|it| !it.is_empty());
    Ok(api::GetQueueAttributesOutput { attributes })
}

fn texts(queue: &OpenQueue, caller: &Caller) -> Texts {
    let record = queue.record();
    let counts = queue.with(caller.now, |rules| rules.counts());
    let mut texts = record.settings.texts();
    for (name, text) in [
        ("ApproximateNumberOfMessages", counts.visible.to_string()),
        ("ApproximateNumberOfMessagesDelayed", counts.delayed.to_string()),
        ("ApproximateNumberOfMessagesNotVisible", counts.in_flight.to_string()),
        ("CreatedTimestamp", record.created.seconds().to_string()),
        ("LastModifiedTimestamp", record.modified.seconds().to_string()),
        ("QueueArn", queue.place.arn().to_string()),
    ] {
        texts.insert(name.to_owned(), text);
    }
    texts
}
