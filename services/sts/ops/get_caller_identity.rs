//! `GetCallerIdentity`: who asks. Everybody may.

use std::sync::Arc;

use kit::Caller;
use model::sts as api;

use crate::{Error, Sts};

pub(crate) async fn run(
    _sts: Arc<Sts>,
    caller: Caller,
    _input: api::GetCallerIdentityInput,
) -> Result<api::GetCallerIdentityOutput, Error> {
    Ok(api::GetCallerIdentityOutput {
        user_id: Some(caller.principal.user_id),
        account: Some(caller.account.to_string()),
        arn: Some(caller.principal.arn.to_string()),
    })
}
