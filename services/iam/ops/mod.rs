//! The operations, a file for each family.

pub(crate) mod absent;
pub(crate) mod access_keys;
pub(crate) mod account;
pub(crate) mod advisor;
pub(crate) mod attachments;
pub(crate) mod boundaries;
pub(crate) mod credential_report;
pub(crate) mod details;
pub(crate) mod groups;
pub(crate) mod inline;
pub(crate) mod login_profiles;
pub(crate) mod mfa_devices;
pub(crate) mod oidc_providers;
pub(crate) mod password_policy;
pub(crate) mod policies;
pub(crate) mod profiles;
pub(crate) mod roles;
pub(crate) mod saml_providers;
pub(crate) mod service_roles;
pub(crate) mod simulate;
pub(crate) mod tags;
pub(crate) mod users;
pub(crate) mod versions;

#[cfg(test)]
mod tests;

use kit::Tags;
use model::iam as api;

use crate::{Error, tags::Keys};

/// The tags of a request.
fn given_tags(keys: Keys, tags: Option<Vec<api::Tag>>) -> Result<Tags, Error> {
    keys.check(tags.into_iter().flatten().map(|tag| (tag.key, tag.value)).collect())
}
