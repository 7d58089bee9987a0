//! `TagQueue`, `UntagQueue`, `ListQueueTags`.

use std::sync::Arc;

use kit::{Caller, Tags};
use model::sqs as api;

use crate::{Sqs, error::Error, limits, ops::set_queue_attributes::change};

pub(crate) async fn tag(
    sqs: Arc<Sqs>,
    caller: Caller,
    input: api::TagQueueInput,
) -> Result<api::TagQueueOutput, Error> {
    let queue = sqs.own_queue(&caller, &input.queue_url)?;
    if input.tags.is_empty() {
        return Err(Error::MissingParameter("Tags".to_owned()));
    }
    change(&sqs, &queue, move |record| {
        record.tags.extend(input.tags.clone());
        check(&record.tags)
    })
    .await?;
    Ok(wire::Unit)
}

pub(crate) async fn untag(
    sqs: Arc<Sqs>,
    caller: Caller,
    input: api::UntagQueueInput,
) -> Result<api::UntagQueueOutput, Error> {
    let queue = sqs.own_queue(&caller, &input.queue_url)?;
    if input.tag_keys.is_empty() {
        return Err(Error::InvalidParameterValue(
            "Tag keys must be between 1 and 128 characters in length.".to_owned(),
        ));
    }
    change(&sqs, &queue, move |record| {
        record.tags.retain(|key, _| !input.tag_keys.contains(key));
        Ok(())
    })
    .await?;
    Ok(wire::Unit)
}

pub(crate) async fn list(
    sqs: Arc<Sqs>,
    caller: Caller,
    input: api::ListQueueTagsInput,
) -> Result<api::ListQueueTagsOutput, Error> {
    let queue = sqs.own_queue(&caller, &input.queue_url)?;
    // AWS leaves an empty map out.
    let tags = Some(queue.record().tags.clone()).filter(|tags| !tags.is_empty());
    Ok(api::ListQueueTagsOutput { tags })
}

/// Refuses too many tags, and keys and values that are too long.
pub(crate) fn check(tags: &Tags) -> Result<(), Error> {
    let refuse = |text: &str| Err(Error::InvalidParameterValue(text.to_owned()));
    let chars = |text: &String| text.chars().count();
    if tags.len() > limits::TAGS {
        return refuse("Too many tags added for queue.");
    }
    if !tags.keys().all(|key| (1..=limits::TAG_KEY_CHARS).contains(&chars(key))) {
        return refuse("Tag keys must be between 1 and 128 characters in length.");
    }
    if !tags.values().all(|value| chars(value) <= limits::TAG_VALUE_CHARS) {
        return refuse("Tag values must be between 0 and 256 characters in length.");
    }
    Ok(())
}
