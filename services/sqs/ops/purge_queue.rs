//! `PurgeQueue`: removes all messages that were sent before.

use std::sync::Arc;

use kit::Caller;
use model::sqs as api;

use crate::{Sqs, error::Error, queue::Queue, store::Changes};

pub(crate) async fn run(
    sqs: Arc<Sqs>,
    caller: Caller,
    input: api::PurgeQueueInput,
) -> Result<api::PurgeQueueOutput, Error> {
    let queue = sqs.queue(&caller, &input.queue_url)?;
    queue.begin_purge(caller.now)?;
    let work = {
        let sqs = sqs.clone();
        async move {
            let below = queue.with(caller.now, |rules| Queue::next_sequence(rules));
            let mut changes = Changes::default();
            changes.purge(queue.number, below);
            sqs.rows.commit(changes).await?;
            queue.with(sqs.clock.now(), |rules| rules.purge(below));
            Ok(wire::Unit)
        }
    };
    sqs.finish(work).await
}
