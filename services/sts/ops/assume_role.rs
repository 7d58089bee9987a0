//! `AssumeRole`: a session of a role, which may be another account's.

use std::sync::Arc;

use kit::{Arn, Caller};
use model::sts as api;

use super::{credentials, narrowed, packed_percent, session_tags};
use crate::{
    Error, Sts, limits,
    session::{self, Session},
};

pub(crate) async fn run(
    sts: Arc<Sts>,
    caller: Caller,
    input: api::AssumeRoleInput,
) -> Result<api::AssumeRoleOutput, Error> {
    let arn = role_arn(&input.role_arn)?;
    if input.serial_number.is_some() || input.token_code.is_some() {
        // There are no devices here.
        return Err(Error::UnknownMfaDevice);
    }
    let tags = session_tags(input.tags)?;
    let transitive = input.transitive_tag_keys.unwrap_or_default();
    if !transitive.iter().all(|key| tags.contains_key(key)) {
        return Err(Error::UnknownTransitiveTag);
    }
    let narrowed = narrowed(&sts, input.policy, input.policy_arns)?;
    let packed = packed_percent(&narrowed, &tags)?;

    let (Some(role), Ok(account)) = (sts.identities.role(&arn), arn.account().parse()) else {
        // AWS does not tell a role that does not exist from one that does not trust the caller.
        let caller = caller.principal.arn.to_string();
        return Err(Error::MayNotAssume { caller, role: input.role_arn });
    };
    let seconds = session_seconds(&caller, input.duration_seconds, role.max_session_seconds)?;
    let principal = session::assumed_role(account, &role.name, &role.id, &input.role_session_name);
    let session = Session {
        narrowed,
        tags,
        transitive,
        source_identity: input.source_identity.clone(),
        ..Session::new(account, principal, session::end(caller.now, seconds))
    };
    sts.identities.role_used(&arn, &caller.region, caller.now);
    Ok(api::AssumeRoleOutput {
        credentials: Some(credentials(&sts, &session)),
        assumed_role_user: Some(api::AssumedRoleUser {
            assumed_role_id: session.principal.user_id,
            arn: session.principal.arn.to_string(),
        }),
        packed_policy_size: Some(packed).filter(|percent| *percent > 0),
        source_identity: input.source_identity,
        ..api::AssumeRoleOutput::default()
    })
}

fn role_arn(text: &str) -> Result<Arn, Error> {
    let arn = text.parse::<Arn>().ok();
    let fits = |arn: &Arn| !arn.account().is_empty();
    arn.filter(fits).ok_or_else(|| Error::InvalidRoleArn(text.to_owned()))
}

/// How long the session lasts. The model bounds what is asked for.
fn session_seconds(caller: &Caller, given: Option<i32>, role_allows: u32) -> Result<u32, Error> {
    let given = given.and_then(|seconds| u32::try_from(seconds).ok());
    let seconds = given.unwrap_or(limits::ROLE_SESSION_SECONDS);
    if session::is_session(&caller.access_key) && seconds > limits::CHAINED_SESSION_SECONDS {
        return Err(Error::LongerThanChainAllows);
    }
    if seconds > role_allows {
        return Err(Error::LongerThanRoleAllows);
    }
    Ok(seconds)
}
