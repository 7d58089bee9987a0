//! What requests say of condition keys.
//!
//! Source: "Actions, resources, and condition keys for AWS Identity and Access Management" of the
//! service authorization reference.

use kit::{Arn, ConditionKeys};
use model::iam as api;
use wire::Need;

/// Tags that are to be put on a resource.
pub(crate) fn tags(tags: Option<&[api::Tag]>) -> Box<ConditionKeys> {
    tag_pairs(tags).into()
}

/// Keys of tags that are to go.
pub(crate) use kit::tag_keys;

/// A user or role that is to be made.
pub(crate) fn made(tags: Option<&[api::Tag]>, boundary: Option<&str>) -> Box<ConditionKeys> {
    tag_pairs(tags).into_iter().chain(boundary.map(boundary_pair)).collect()
}

/// A boundary that is to be set.
pub(crate) fn boundary(arn: &str) -> Box<ConditionKeys> {
    Box::new([boundary_pair(arn)])
}

/// A managed policy that is to be attached or detached.
pub(crate) fn policy(arn: &str) -> Box<ConditionKeys> {
    Box::new([("iam:PolicyARN".to_owned(), vec![arn.to_owned()])])
}

/// The service that a role is to be made for.
pub(crate) fn service(name: &str) -> Box<ConditionKeys> {
    Box::new([("iam:AWSServiceName".to_owned(), vec![name.to_owned()])])
}

/// The permission to put tags on what is being made.
pub(crate) fn tagging(
    action: &'static str,
    resources: Vec<Arn>,
    given: Option<&[api::Tag]>,
) -> Vec<Need> {
    if given.is_none_or(<[_]>::is_empty) {
        return Vec::new();
    }
    vec![Need { action, resources, keys: tags(given) }]
}

/// The permission to hand roles over to a service.
pub(crate) fn passing(roles: Vec<Arn>, service: &str) -> Vec<Need> {
    let keys = Box::new([("iam:PassedToService".to_owned(), vec![service.to_owned()])]);
    vec![Need { action: "iam:PassRole", resources: roles, keys }]
}

fn boundary_pair(arn: &str) -> (String, Vec<String>) {
    ("iam:PermissionsBoundary".to_owned(), vec![arn.to_owned()])
}

fn tag_pairs(tags: Option<&[api::Tag]>) -> Vec<(String, Vec<String>)> {
    let tags = tags.unwrap_or_default();
    kit::request_tags(tags.iter().map(|tag| (tag.key.as_str(), tag.value.as_str())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_tells_its_tags_and_boundary() {
        let tag = api::Tag { key: "cost".to_owned(), value: "1".to_owned() };
        let told = made(Some(&[tag]), Some("arn:b"));
        let pair = |key: &str, value: &str| (key.to_owned(), vec![value.to_owned()]);
        assert_eq!(
            *told,
            [
                pair("aws:RequestTag/cost", "1"),
                pair("aws:TagKeys", "cost"),
                pair("iam:PermissionsBoundary", "arn:b")
            ]
        );
        assert!(made(None, None).is_empty());
    }
}
