//! `AssumeRole`: a session of a role, which may be another account's.

use std::sync::Arc;

use kit::{Caller, PrincipalKind, Tags};
use model::sts as api;

use super::{
    check_transitive, credentials, narrowed, packed_percent, proved,
    role::{self, Wish},
    session_tags,
};
use crate::{Error, Sts, session::Session};

pub(crate) async fn run(
    sts: Arc<Sts>,
    caller: Caller,
    input: api::AssumeRoleInput,
) -> Result<api::AssumeRoleOutput, Error> {
    let arn = role::arn(&input.role_arn)?;
    // Of a role's sessions AWS does not remember it: the trust policy has asked for it.
    proved(&sts, &caller, input.serial_number.as_deref(), input.token_code.as_deref())?;
    let tags = session_tags(input.tags)?;
    let transitive = input.transitive_tag_keys.unwrap_or_default();
    check_transitive(&tags, &transitive)?;
    let (tags, transitive) = with_inherited(&caller, tags, transitive)?;
    let source_identity = source_identity(&caller, input.source_identity, &input.role_arn)?;
    let narrowed = narrowed(&sts, input.policy, input.policy_arns)?;
    let packed = packed_percent(&narrowed, &tags)?;

    let wish = Wish { arn, name: input.role_session_name, seconds: input.duration_seconds };
    let Some(granted) = wish.granted(&sts, Some(caller.principal.kind)) else {
        // AWS does not tell a role that does not exist from one that does not trust the caller.
        let caller = caller.principal.arn.to_string();
        return Err(Error::MayNotAssume { caller, role: input.role_arn });
    };
    let (principal, seconds) = granted?;
    let account = wish.arn.account().parse().unwrap_or(caller.account);
    let session = Session {
        narrowed,
        tags,
        transitive,
        source_identity: source_identity.clone(),
        ..Session::new(account, principal, caller.now, seconds)
    };
    sts.identities.role_used(&wish.arn, &caller.region, caller.now);
    Ok(api::AssumeRoleOutput {
        credentials: Some(credentials(&sts, &session)),
        assumed_role_user: Some(api::AssumedRoleUser {
            assumed_role_id: session.principal.user_id,
            arn: session.principal.arn.to_string(),
        }),
        packed_policy_size: Some(packed).filter(|percent| *percent > 0),
        source_identity,
        ..api::AssumeRoleOutput::default()
    })
}

/// The tags with those that the calling session of a role hands on, and the keys of all that are to
/// be handed on further.
fn with_inherited(
    caller: &Caller,
    mut tags: Tags,
    mut transitive: Vec<String>,
) -> Result<(Tags, Vec<String>), Error> {
    let Some(session) = calling_session(caller) else { return Ok((tags, transitive)) };
    let handed_on = session.tags.iter().filter(|(key, _)| session.transitive_tags.contains(key));
    for (key, value) in handed_on {
        if tags.keys().any(|given| given.to_lowercase() == key.to_lowercase()) {
            return Err(Error::InheritedTag);
        }
        tags.insert(key.clone(), value.clone());
        transitive.push(key.clone());
    }
    Ok((tags, transitive))
}

/// Who is behind the session: as the calling session says, which cannot be changed.
fn source_identity(
    caller: &Caller,
    given: Option<String>,
    role: &str,
) -> Result<Option<String>, Error> {
    let set = calling_session(caller).and_then(|session| session.source_identity.clone());
    match (set, given) {
        (Some(set), Some(given)) if set != given => {
            let (caller, role) = (caller.principal.arn.to_string(), role.to_owned());
            Err(Error::SourceIdentityIsSet { caller, role })
        }
        (set, given) => Ok(set.or(given)),
    }
}

/// The session of a role that asks, if one does.
fn calling_session(caller: &Caller) -> Option<&kit::Session> {
    let session = caller.session.as_deref();
    session.filter(|_| caller.principal.kind == PrincipalKind::AssumedRole)
}
