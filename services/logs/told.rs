//! What requests say of condition keys: their tags.
//!
//! Source: "Actions, resources, and condition keys for Amazon CloudWatch Logs" of the service
//! authorization reference; `CreateLogGroup` in the API reference for what its tags need.

use kit::{Caller, ConditionKeys, Tags};
use model::logs as api;
use wire::Need;

use crate::name::group_access;

/// Tags that are to be put on a group.
pub(crate) fn tags(tags: &Tags) -> Box<ConditionKeys> {
    kit::request_tags(tags.iter().map(|(key, value)| (key.as_str(), value.as_str()))).into()
}

/// `CreateLogGroup`.
pub(crate) fn made(input: &api::CreateLogGroupInput) -> Box<ConditionKeys> {
    input.tags.as_ref().map(tags).unwrap_or_default()
}

/// What `CreateLogGroup` needs beyond itself: to tag the group.
pub(crate) fn tagging(caller: &Caller, input: &api::CreateLogGroupInput) -> Vec<Need> {
    if input.tags.as_ref().is_none_or(Tags::is_empty) {
        return Vec::new();
    }
    let resources = vec![group_access(caller, &input.log_group_name)];
    vec![Need { action: "logs:TagResource", resources, keys: made(input) }]
}
