//! `SendMessage`: puts one message into a queue.

use std::sync::Arc;

use kit::Caller;
use model::sqs as api;

use crate::{
    Sqs,
    error::Error,
    message::{md5_of_attributes, md5_of_body, md5_of_trace},
    receive::sequence_number,
    send::{Outgoing, Request},
};

pub(crate) async fn run(
    sqs: Arc<Sqs>,
    caller: Caller,
    input: api::SendMessageInput,
) -> Result<api::SendMessageOutput, Error> {
    let queue = sqs.queue(&caller, &input.queue_url)?;
    let has_trace = input.message_system_attributes.is_some();
    let request = Request {
        body: input.message_body,
        delay_seconds: input.delay_seconds,
        attributes: input.message_attributes,
        system_attributes: input.message_system_attributes,
        deduplication: input.message_deduplication_id,
        group: input.message_group_id,
    };
    let outgoing = Outgoing::check(&caller, &queue.record().settings, request)?;
    let message = outgoing.message.clone();
    let sent = sqs.send(&queue, vec![outgoing]).await?;
    let sent =
        sent.into_iter().next().ok_or_else(|| Error::Store("nothing was sent".to_owned()))?;
    let trace = message.head.trace.as_deref().filter(|_| has_trace);
    Ok(api::SendMessageOutput {
        md5_of_message_body: Some(md5_of_body(&message.content.body)),
        md5_of_message_attributes: md5_of_attributes(&message.content.attributes),
        md5_of_message_system_attributes: trace.and_then(md5_of_trace),
        message_id: Some(sent.id),
        sequence_number: queue.place.is_fifo().then(|| sequence_number(sent.sequence)),
    })
}
