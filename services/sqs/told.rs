//! What requests say of condition keys: their tags.
//!
//! Source: "Actions, resources, and condition keys for Amazon SQS" of the service authorization
//! reference; "Configuring cost allocation tags for an Amazon SQS queue" for what tags need when a
//! queue is made.

use kit::{Caller, ConditionKeys, Tags};
use model::sqs as api;
use wire::Need;

use crate::name::Place;

/// `CreateQueue`.
pub(crate) fn made(input: &api::CreateQueueInput) -> Box<ConditionKeys> {
    input.tags.as_ref().map(told).unwrap_or_default()
}

/// What `CreateQueue` needs beyond itself: to tag the queue.
pub(crate) fn tagging(caller: &Caller, input: &api::CreateQueueInput) -> Vec<Need> {
    if input.tags.as_ref().is_none_or(Tags::is_empty) {
        return Vec::new();
    }
    let resources = vec![Place::of(caller, &input.queue_name).arn()];
    vec![Need { action: "sqs:TagQueue", resources, keys: made(input) }]
}

/// `TagQueue`.
pub(crate) fn tagged(input: &api::TagQueueInput) -> Box<ConditionKeys> {
    told(&input.tags)
}

fn told(tags: &Tags) -> Box<ConditionKeys> {
    kit::request_tags(tags.iter().map(|(key, value)| (key.as_str(), value.as_str()))).into()
}
