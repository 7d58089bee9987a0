//! What requests for sessions say of condition keys, and what they need permission for.
//!
//! Source: "Actions, resources, and condition keys for AWS Security Token Service" of the service
//! authorization reference.

use kit::{Arn, ConditionKeys, request_tags};
use model::sts as api;
use wire::Need;

type Pair = (String, Vec<String>);

pub(crate) use kit::TAG_KEYS;
pub(crate) const SOURCE_IDENTITY: &str = "sts:SourceIdentity";

/// `AssumeRole`.
pub(crate) fn assume_role(input: &api::AssumeRoleInput) -> Box<ConditionKeys> {
    let external = input.external_id.as_deref().map(|id| pair("sts:ExternalId", id));
    let transitive = input.transitive_tag_keys.as_deref().unwrap_or_default();
    external
        .into_iter()
        .chain(session_name(&input.role_session_name))
        .chain(source_identity(input.source_identity.as_deref()))
        .chain(request_tags(pairs(input.tags.as_deref())))
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

/// A second factor that is proved by the call itself.
pub(crate) fn second_factor() -> Vec<Pair> {
    vec![pair("aws:MultiFactorAuthPresent", "true"), pair("aws:MultiFactorAuthAge", "0")]
}

/// `GetFederationToken`.
pub(crate) fn federation(input: &api::GetFederationTokenInput) -> Box<ConditionKeys> {
    request_tags(pairs(input.tags.as_deref())).into()
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

fn pairs(tags: Option<&[api::Tag]>) -> impl Iterator<Item = (&str, &str)> {
    tags.unwrap_or_default().iter().map(|tag| (tag.key.as_str(), tag.value.as_str()))
}

fn pair(key: &str, value: &str) -> Pair {
    (key.to_owned(), vec![value.to_owned()])
}
