//! `ChangeMessageVisibility`, `ChangeMessageVisibilityBatch`: a consumer holds messages for longer,
//! or gives them back.

use std::sync::Arc;

use kit::Caller;
use model::sqs as api;

use crate::{
    Sqs, batch, error::Error, lease::Refusal, limits, open::OpenQueue,
    ops::delete_message::refused, receipt::Receipt,
};

pub(crate) async fn run(
    sqs: Arc<Sqs>,
    caller: Caller,
    input: api::ChangeMessageVisibilityInput,
) -> Result<api::ChangeMessageVisibilityOutput, Error> {
    let queue = sqs.queue(&caller, &input.queue_url)?;
    change(&sqs, &queue, &input.receipt_handle, input.visibility_timeout)?;
    Ok(wire::Unit)
}

pub(crate) async fn run_batch(
    sqs: Arc<Sqs>,
    caller: Caller,
    input: api::ChangeMessageVisibilityBatchInput,
) -> Result<api::ChangeMessageVisibilityBatchOutput, Error> {
    let queue = sqs.queue(&caller, &input.queue_url)?;
    let ids = input.entries.iter().map(|it| &it.id);
    batch::check_ids("ChangeMessageVisibilityBatchRequestEntry", ids)?;
    let mut output = api::ChangeMessageVisibilityBatchOutput::default();
    for (index, entry) in input.entries.into_iter().enumerate() {
        let timeout = entry.visibility_timeout.ok_or_else(|| {
            Error::MissingParameter(format!(
                "ChangeMessageVisibilityBatchRequestEntry.{}.VisibilityTimeout",
                index + 1
            ))
        });
        match timeout.and_then(|timeout| change(&sqs, &queue, &entry.receipt_handle, timeout)) {
            Ok(()) => {
                let done = api::ChangeMessageVisibilityBatchResultEntry { id: entry.id };
                output.successful.push(done);
            }
            Err(error) => output.failed.push(batch::failed(entry.id, &error)),
        }
    }
    Ok(output)
}

/// Hides a message for so many seconds from now. The change is written behind, as receives are.
pub(crate) fn change(
    sqs: &Sqs,
    queue: &OpenQueue,
    handle: &str,
    timeout: i32,
) -> Result<(), Error> {
    let seconds = i64::from(timeout);
    if !limits::VISIBILITY_SECONDS.contains(&seconds) {
        return Err(Error::invalid(
            seconds,
            "VisibilityTimeout",
            "VisibilityTimeout must be an integer between 0 and 43200.",
        ));
    }
    if handle.trim().is_empty() {
        return Err(Error::MissingParameter("ReceiptHandle".to_owned()));
    }
    let receipt = Receipt::parse(handle, queue.number)?;
    let now = sqs.clock.now();
    let until = now.plus_seconds(seconds as u64);
    match queue.with(now, |rules| rules.set_visibility(receipt, until, now)) {
        Ok(()) => Ok(()),
        Err(Refusal::TooLong) => Err(Error::invalid(
            seconds,
            "VisibilityTimeout",
            "Total VisibilityTimeout for the message is beyond the limit [43200 seconds]",
        )),
        Err(refusal) => Err(refused(refusal, handle)),
    }
}
