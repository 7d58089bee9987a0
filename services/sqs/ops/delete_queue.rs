//! `DeleteQueue`: removes a queue with its messages. Waiting consumers learn it at once.

use std::sync::Arc;

use ::store::CommitError;
use kit::Caller;
use model::sqs as api;

use crate::{Sqs, error::Error, store::Changes};

pub(crate) async fn run(
    sqs: Arc<Sqs>,
    caller: Caller,
    input: api::DeleteQueueInput,
) -> Result<api::DeleteQueueOutput, Error> {
    let queue = sqs.own_queue(&caller, &input.queue_url)?;
    let work = {
        let sqs = sqs.clone();
        async move {
            let mut changes = Changes::default();
            changes.delete_queue(&queue, caller.now);
            match sqs.rows.commit(changes).await {
                // A conflict: somebody else has deleted it in this moment.
                Ok(_) | Err(CommitError::Conflict(_)) => {}
                Err(error) => return Err(error.into()),
            }
            sqs.shelf.remove(&queue.place, caller.now);
            queue.delete();
            Ok(wire::Unit)
        }
    };
    sqs.finish(work).await
}
