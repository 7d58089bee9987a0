//! `ListQueues`: the caller's queues by name.

use std::sync::Arc;

use kit::Caller;
use model::sqs as api;

use crate::{Sqs, error::Error, page};

pub(crate) async fn run(
    sqs: Arc<Sqs>,
    caller: Caller,
    input: api::ListQueuesInput,
) -> Result<api::ListQueuesOutput, Error> {
    let prefix = input.queue_name_prefix.unwrap_or_default();
    let mut queues = sqs.shelf.list(&caller, &page::after(input.next_token.as_deref())?);
    queues.retain(|queue| queue.place.name.starts_with(&prefix));
    let page = page::page(&caller, queues, input.max_results)?;
    // AWS leaves an empty list out.
    let queue_urls = Some(page.urls).filter(|urls| !urls.is_empty());
    Ok(api::ListQueuesOutput { queue_urls, next_token: page.next })
}
