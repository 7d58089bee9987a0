//! `DeleteMessage`, `DeleteMessageBatch`: a consumer is done with messages.

use std::sync::Arc;

use kit::Caller;
use model::sqs as api;

use crate::{
    Sqs, batch, entry::Rows, error::Error, lease::Refusal, open::OpenQueue, receipt::Receipt,
    store::Changes,
};

pub(crate) async fn run(
    sqs: Arc<Sqs>,
    caller: Caller,
    input: api::DeleteMessageInput,
) -> Result<api::DeleteMessageOutput, Error> {
    let queue = sqs.queue(&caller, &input.queue_url)?;
    let found = find(&sqs, &queue, &input.receipt_handle)?;
    sqs.delete(&queue, found.into_iter().collect()).await?;
    Ok(wire::Unit)
}

pub(crate) async fn run_batch(
    sqs: Arc<Sqs>,
    caller: Caller,
    input: api::DeleteMessageBatchInput,
) -> Result<api::DeleteMessageBatchOutput, Error> {
    let queue = sqs.queue(&caller, &input.queue_url)?;
    batch::check_ids("DeleteMessageBatchRequestEntry", input.entries.iter().map(|it| &it.id))?;
    let mut output = api::DeleteMessageBatchOutput::default();
    let mut all_found = Vec::new();
    for entry in input.entries {
        match find(&sqs, &queue, &entry.receipt_handle) {
            Ok(found) => {
                all_found.extend(found);
                output.successful.push(api::DeleteMessageBatchResultEntry { id: entry.id });
            }
            Err(error) => output.failed.push(batch::failed(entry.id, &error)),
        }
    }
    sqs.delete(&queue, all_found).await?;
    Ok(output)
}

/// The message that a receipt handle allows to delete; `None` if there is nothing to do.
pub(crate) fn find(
    sqs: &Sqs,
    queue: &OpenQueue,
    handle: &str,
) -> Result<Option<(u64, Rows)>, Error> {
    if handle.trim().is_empty() {
        return Err(Error::MissingParameter("ReceiptHandle".to_owned()));
    }
    let receipt = Receipt::parse(handle, queue.number)?;
    match queue.with(sqs.clock.now(), |rules| rules.deletable(receipt)) {
        Ok(rows) => Ok(rows.map(|rows| (receipt.sequence, rows))),
        Err(refusal) => Err(refused(refusal, handle)),
    }
}

/// A refusal in AWS's words.
pub(crate) fn refused(refusal: Refusal, handle: &str) -> Error {
    match refusal {
        Refusal::Unknown => Error::invalid(
            handle,
            "ReceiptHandle",
            "Message does not exist or is not available for visibility timeout change.",
        ),
        Refusal::NotInFlight => Error::MessageNotInflight,
        Refusal::Expired => {
            Error::invalid(handle, "ReceiptHandle", "The receipt handle has expired.")
        }
        Refusal::TooLong => Error::InvalidParameterValue(
            "Total VisibilityTimeout for the message is beyond the limit [43200 seconds]"
                .to_owned(),
        ),
    }
}

impl Sqs {
    /// Removes messages; when it answers they are gone for good.
    pub(crate) async fn delete(
        self: &Arc<Self>,
        queue: &Arc<OpenQueue>,
        found: Vec<(u64, Rows)>,
    ) -> Result<(), Error> {
        if found.is_empty() {
            return Ok(());
        }
        let work = {
            let (sqs, queue) = (self.clone(), queue.clone());
            async move {
                let mut changes = Changes::default();
                for (sequence, rows) in &found {
                    changes.delete_message(queue.number, *sequence, *rows);
                }
                sqs.rows.commit(changes).await?;
                queue.with(sqs.clock.now(), |rules| {
                    found.iter().for_each(|(sequence, _)| drop(rules.remove(*sequence)));
                });
                Ok(())
            }
        };
        self.finish(work).await
    }
}
