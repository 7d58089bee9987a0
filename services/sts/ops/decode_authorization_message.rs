//! `DecodeAuthorizationMessage`. Encoded messages come with refusals of Amazon EC2 only, which is not
//! here: no message is one of this server's.

use std::sync::Arc;

use kit::Caller;
use model::sts as api;

use crate::{Error, Sts};

pub(crate) async fn run(
    _sts: Arc<Sts>,
    _caller: Caller,
    _input: api::DecodeAuthorizationMessageInput,
) -> Result<api::DecodeAuthorizationMessageOutput, Error> {
    Err(Error::InvalidAuthorizationMessage)
}
