//! `GetFederationToken`: temporary credentials for somebody whom the caller vouches for.

use std::sync::Arc;

use kit::{Caller, Principal, PrincipalKind};
use model::sts as api;

use super::{
    check_long_term, credentials, narrowed, packed_percent, session_tags, user_session_seconds,
};
use crate::{
    Error, Sts,
    session::{self, Session},
};

pub(crate) async fn run(
    sts: Arc<Sts>,
    caller: Caller,
    input: api::GetFederationTokenInput,
) -> Result<api::GetFederationTokenOutput, Error> {
    check_long_term(&caller, "GetFederationToken")?;
    let tags = session_tags(input.tags)?;
    let narrowed = narrowed(&sts, input.policy, input.policy_arns)?;
    let packed = packed_percent(&narrowed, &tags)?;
    let principal = Principal {
        arn: session::federated_user(caller.account, &input.name),
        user_id: format!("{}:{}", caller.account, input.name),
        kind: PrincipalKind::FederatedUser,
    };
    let seconds = user_session_seconds(&caller, input.duration_seconds);
    let begun_by = Some(caller.principal);
    let session = Session {
        narrowed,
        tags,
        begun_by,
        ..Session::new(caller.account, principal, caller.now, seconds)
    };
    Ok(api::GetFederationTokenOutput {
        credentials: Some(credentials(&sts, &session)),
        federated_user: Some(api::FederatedUser {
            federated_user_id: session.principal.user_id,
            arn: session.principal.arn.to_string(),
        }),
        packed_policy_size: Some(packed),
        ..api::GetFederationTokenOutput::default()
    })
}
