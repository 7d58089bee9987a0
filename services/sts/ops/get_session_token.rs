//! `GetSessionToken`: temporary credentials for the caller itself.

use std::sync::Arc;

use kit::Caller;
use model::sts as api;

use super::{check_long_term, credentials, proved, user_session_seconds};
use crate::{Error, Sts, session::Session};

pub(crate) async fn run(
    sts: Arc<Sts>,
    caller: Caller,
    input: api::GetSessionTokenInput,
) -> Result<api::GetSessionTokenOutput, Error> {
    check_long_term(&caller, "GetSessionToken")?;
    let proved =
        proved(&sts, &caller, input.serial_number.as_deref(), input.token_code.as_deref())?;
    let seconds = user_session_seconds(&caller, input.duration_seconds);
    let session =
        Session { proved, ..Session::new(caller.account, caller.principal, caller.now, seconds) };
    let credentials = Some(credentials(&sts, &session));
    Ok(api::GetSessionTokenOutput { credentials, ..api::GetSessionTokenOutput::default() })
}
