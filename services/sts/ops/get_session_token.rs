//! `GetSessionToken`: temporary credentials for the caller itself.

use std::sync::Arc;

use kit::Caller;
use model::sts as api;

use super::{check_long_term, credentials, user_session_seconds};
use crate::{
    Error, Sts,
    session::{self, Session},
};

pub(crate) async fn run(
    sts: Arc<Sts>,
    caller: Caller,
    input: api::GetSessionTokenInput,
) -> Result<api::GetSessionTokenOutput, Error> {
    check_long_term(&caller, "GetSessionToken")?;
    if input.serial_number.is_some() || input.token_code.is_some() {
        // There are no devices here.
        return Err(Error::UnknownMfaDevice);
    }
    let seconds = user_session_seconds(&caller, input.duration_seconds);
    let end = session::end(caller.now, seconds);
    let session = Session::new(caller.account, caller.principal, end);
    let credentials = Some(credentials(&sts, &session));
    Ok(api::GetSessionTokenOutput { credentials, ..api::GetSessionTokenOutput::default() })
}
