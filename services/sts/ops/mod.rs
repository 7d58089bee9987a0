//! One file per operation, and what they share.

pub(crate) mod assume_role;
pub(crate) mod assume_role_with_web_identity;
pub(crate) mod decode_authorization_message;
pub(crate) mod get_access_key_info;
pub(crate) mod get_caller_identity;
pub(crate) mod get_federation_token;
pub(crate) mod get_session_token;
mod role;
pub(crate) mod told;

#[cfg(test)]
mod tests;

use bus::NoFactor;
use kit::{Caller, Millis, PrincipalKind, Tags};
use model::sts as api;

use crate::{
    Error, Sts, limits,
    session::{self, Narrowed, Session},
};

/// A session's credentials as answers hold them.
fn credentials(sts: &Sts, session: &Session) -> api::Credentials {
    api::Credentials {
        access_key_id: session.access_key_id.clone(),
        secret_access_key: sts.seal.secret(&session.access_key_id),
        session_token: sts.seal.token(session),
        expiration: session.expires,
    }
}

/// The policies that are to narrow a session.
fn narrowed(
    sts: &Sts,
    inline: Option<String>,
    managed: Option<Vec<api::PolicyDescriptorType>>,
) -> Result<Narrowed, Error> {
    if let Some(document) = &inline {
        sts.identities.check_policy(document).map_err(Error::MalformedPolicy)?;
    }
    let managed = managed.into_iter().flatten().filter_map(|policy| policy.arn).collect();
    Ok(Narrowed { inline, managed })
}

/// The tags of a request, none of them twice.
fn session_tags(tags: Option<Vec<api::Tag>>) -> Result<Tags, Error> {
    let tags = tags.unwrap_or_default();
    let repeats = |(at, tag): (usize, &api::Tag)| {
        tags[..at].iter().any(|earlier| earlier.key.to_lowercase() == tag.key.to_lowercase())
    };
    if tags.iter().enumerate().any(repeats) {
        return Err(Error::DuplicateTags);
    }
    Ok(tags.into_iter().map(|tag| (tag.key, tag.value)).collect())
}

/// Whether all tags are there that are to be handed on.
fn check_transitive(tags: &Tags, transitive: &[String]) -> Result<(), Error> {
    if transitive.iter().all(|key| tags.contains_key(key)) {
        return Ok(());
    }
    Err(Error::UnknownTransitiveTag)
}

/// How much of the room for policies and tags a session takes, in percent. AWS packs them in a
/// binary form that it does not describe; here their characters count, of which it allows 2,048.
fn packed_percent(narrowed: &Narrowed, tags: &Tags) -> Result<i32, Error> {
    let policies = narrowed.inline.iter().chain(&narrowed.managed).map(|it| it.chars().count());
    let tags = tags.iter().map(|(key, value)| key.chars().count() + value.chars().count());
    let percent = (policies.sum::<usize>() + tags.sum::<usize>()) * 100;
    let percent = percent.div_ceil(limits::POLICY_SIZE);
    match i32::try_from(percent) {
        Ok(small) if small <= 100 => Ok(small),
        _ => Err(Error::PolicyTooLarge(percent)),
    }
}

/// When a second factor is proved by this call; `None` if it offers none. The same code proves it
/// again for the same call only.
pub(crate) fn proved(
    sts: &Sts,
    caller: &Caller,
    serial: Option<&str>,
    code: Option<&str>,
) -> Result<Option<Millis>, Error> {
    match (serial, code) {
        (None, None) => Ok(None),
        (Some(serial), Some(code)) => match sts.identities.second_factor(caller, serial, code) {
            Ok(()) => Ok(Some(caller.now)),
            Err(NoFactor::Device) => Err(Error::UnknownMfaDevice),
            Err(NoFactor::Code) => Err(Error::WrongMfaCode),
        },
        _ => Err(Error::HalfAnMfaProof),
    }
}

/// Refuses callers that have a session already.
fn check_long_term(caller: &Caller, operation: &'static str) -> Result<(), Error> {
    if session::is_session(&caller.access_key) {
        return Err(Error::SessionCredentials(operation));
    }
    Ok(())
}

/// How long a session lasts that a user begins. That of an account itself is cut, not refused.
fn user_session_seconds(caller: &Caller, given: Option<i32>) -> u32 {
    let given = given.and_then(|seconds| u32::try_from(seconds).ok());
    let seconds = given.unwrap_or(limits::USER_SESSION_SECONDS);
    match caller.principal.kind {
        PrincipalKind::Root => seconds.min(limits::ROOT_SESSION_SECONDS),
        _ => seconds,
    }
}
