//! What requests for sessions say of condition keys, and what they need permission for.
//!
//! Source: "Actions, resources, and condition keys for AWS Security Token Service" of the service
//! authorization reference.

use kit::{Arn, ConditionKeys};
use model::sts as api;
use wire::Need;

type Pair = (String, Vec<String>);

pub(crate) const TAG_KEYS: &str = "aws:TagKeys";
pub(crate) const SOURCE_IDENTITY: &str = "sts:SourceIdentity";

/// `AssumeRole`.
pub(crate) fn assume_role(input: &api::AssumeRoleInput) -> Box<ConditionKeys> {
    let external = input.external_id.as_deref().map(|id| pair("sts:ExternalId", id));
    let transitive = input.transitive_tag_keys.as_deref().unwrap_or_default();
    external
        .into_iter()
        .chain(session_name(&input.role_session_name))
        .chain(source_identity(input.source_identity.as_deref()))
        .chain(tags(pairs(input.tags.as_deref())))
        .chain(self::transitive(transitive))
        .collect()
}

/// What `AssumeRole` needs beyond itself: to tag the session and to name who is behind it.
pub(crate) fn assume_role_needs(role: Vec<Arn>, input: &api::AssumeRoleInput) -> Vec<Need> {
    let tags = input.tags.as_ref().is_some_and(|tags| !tags.is_empty());
    let tags = tags.then_some("sts:TagSession");
    let identity = input.source_identity.as_ref().map(|_| "sts:SetSourceIdentity");
    let need = |action| Need { action, resources: role.clone(), keys: assume_role(input) };
    tags.into_iter().chain(identity).map(need).collect()
}

/// `GetFederationToken`.
pub(crate) fn federation(input: &api::GetFederationTokenInput) -> Box<ConditionKeys> {
    tags(pairs(input.tags.as_deref())).collect()
}

/// What `GetFederationToken` needs beyond itself: to tag the session.
pub(crate) fn federation_needs(user: Vec<Arn>, input: &api::GetFederationTokenInput) -> Vec<Need> {
    if input.tags.as_ref().is_none_or(Vec::is_empty) {
        return Vec::new();
    }
    vec![Need { action: "sts:TagSession", resources: user, keys: federation(input) }]
}

pub(crate) fn session_name(name: &str) -> Option<Pair> {
    Some(pair("sts:RoleSessionName", name))
}

pub(crate) fn source_identity(identity: Option<&str>) -> Option<Pair> {
    identity.map(|identity| pair(SOURCE_IDENTITY, identity))
}

pub(crate) fn transitive(keys: &[String]) -> Option<Pair> {
    let key = || "sts:TransitiveTagKeys".to_owned();
    (!keys.is_empty()).then(|| (key(), keys.to_vec()))
}

/// The tags, each and all their keys.
pub(crate) fn tags<'a>(
    tags: impl Iterator<Item = (&'a str, &'a str)>,
) -> impl Iterator<Item = Pair> {
    let tags: Vec<_> = tags.collect();
    let keys: Vec<_> = tags.iter().map(|(key, _)| (*key).to_owned()).collect();
    let all = (!keys.is_empty()).then(|| (TAG_KEYS.to_owned(), keys));
    let one = |(key, value): (&str, &str)| pair(&format!("aws:RequestTag/{key}"), value);
    tags.into_iter().map(one).chain(all)
}

fn pairs(tags: Option<&[api::Tag]>) -> impl Iterator<Item = (&str, &str)> {
    tags.unwrap_or_default().iter().map(|tag| (tag.key.as_str(), tag.value.as_str()))
}

fn pair(key: &str, value: &str) -> Pair {
    (key.to_owned(), vec![value.to_owned()])
}
