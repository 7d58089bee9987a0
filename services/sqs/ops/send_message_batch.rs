//! `SendMessageBatch`: puts up to ten messages into a queue, in their order and in one commit.
//! Entries fail one by one, except that a FIFO queue refuses the whole batch when an entry lacks or
//! has what a FIFO message must or must not have, as AWS does.

use std::sync::Arc;

use kit::Caller;
use model::sqs as api;

use crate::{
    Sqs, batch,
    error::Error,
    limits,
    message::{md5_of_attributes, md5_of_body, md5_of_trace},
    receive::sequence_number,
    send::{Outgoing, Request, Sent},
};

pub(crate) async fn run(
    sqs: Arc<Sqs>,
    caller: Caller,
    input: api::SendMessageBatchInput,
) -> Result<api::SendMessageBatchOutput, Error> {
    let queue = sqs.queue(&caller, &input.queue_url)?;
    batch::check_ids("SendMessageBatchRequestEntry", input.entries.iter().map(|it| &it.id))?;
    check_size(&input.entries)?;
    let record = queue.record();
    let fifo = record.settings.fifo.is_some();
    let mut accepted = Vec::new();
    let mut outgoing = Vec::new();
    let mut failed = Vec::new();
    for entry in input.entries {
        let (id, has_trace) = (entry.id.clone(), entry.message_system_attributes.is_some());
        match Outgoing::check(&caller, &record.settings, request(entry)) {
            Ok(one) => {
                accepted.push((id, has_trace, one.message.clone()));
                outgoing.push(one);
            }
            // Told apart from the missing parameter of SendMessage by AWS itself.
            Err(Error::MissingParameter(name)) if fifo && name == "MessageGroupId" => {
                let missing = Error::MissingParameter(name);
                return Err(Error::InvalidParameterValue(missing.to_string()));
            }
            Err(error) if fifo => return Err(error),
            Err(error) => failed.push(batch::failed(id, &error)),
        }
    }
    let sent = sqs.send(&queue, outgoing).await?;
    let done = accepted.into_iter().zip(sent).map(|((id, has_trace, message), sent)| {
        let Sent { id: message_id, sequence } = sent;
        let trace = message.head.trace.as_deref().filter(|_| has_trace);
        api::SendMessageBatchResultEntry {
            id,
            message_id,
            md5_of_message_body: md5_of_body(&message.content.body),
            md5_of_message_attributes: md5_of_attributes(&message.content.attributes),
            md5_of_message_system_attributes: trace.and_then(md5_of_trace),
            sequence_number: fifo.then(|| sequence_number(sequence)),
        }
    });
    Ok(api::SendMessageBatchOutput { successful: done.collect(), failed })
}

fn request(entry: api::SendMessageBatchRequestEntry) -> Request {
    Request {
        body: entry.message_body,
        delay_seconds: entry.delay_seconds,
        attributes: entry.message_attributes,
        system_attributes: entry.message_system_attributes,
        deduplication: entry.message_deduplication_id,
        group: entry.message_group_id,
    }
}

/// Refuses a batch that is larger in all than a message may be.
fn check_size(entries: &[api::SendMessageBatchRequestEntry]) -> Result<(), Error> {
    let attribute = |(name, value): (&String, &api::MessageAttributeValue)| {
        let text = value.string_value.as_ref().map_or(0, String::len);
        let bytes = value.binary_value.as_ref().map_or(0, bytes::Bytes::len);
        name.len() + value.data_type.len() + text + bytes
    };
    let entry = |entry: &api::SendMessageBatchRequestEntry| {
        let attributes = entry.message_attributes.iter().flatten().map(attribute);
        entry.message_body.len() + attributes.sum::<usize>()
    };
    match entries.iter().map(entry).sum() {
        bytes if bytes > limits::BATCH_BYTES => Err(Error::BatchRequestTooLong(bytes)),
        _ => Ok(()),
    }
}
