//! `ListDeadLetterSourceQueues`: the queues whose dead letters go to this one.

use std::sync::Arc;

use kit::Caller;
use model::sqs as api;

use crate::{Sqs, error::Error, page};

pub(crate) async fn run(
    sqs: Arc<Sqs>,
    caller: Caller,
    input: api::ListDeadLetterSourceQueuesInput,
) -> Result<api::ListDeadLetterSourceQueuesOutput, Error> {
    let queue = sqs.queue(&caller, &input.queue_url)?;
    let sources = sqs.shelf.sources(&queue, &page::after(input.next_token.as_deref())?);
    let page = page::page(&caller, sources, input.max_results)?;
    Ok(api::ListDeadLetterSourceQueuesOutput { queue_urls: page.urls, next_token: page.next })
}
