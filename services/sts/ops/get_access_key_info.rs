//! `GetAccessKeyInfo`: whose an access key is. The id says it; whether the key exists does not
//! matter.

use std::sync::Arc;

use kit::Caller;
use model::sts as api;

use crate::{Error, Sts};

pub(crate) async fn run(
    _sts: Arc<Sts>,
    _caller: Caller,
    input: api::GetAccessKeyInfoInput,
) -> Result<api::GetAccessKeyInfoOutput, Error> {
    let account = kit::ids::account_of(&input.access_key_id)
        .ok_or(Error::InvalidAccessKeyId(input.access_key_id))?;
    Ok(api::GetAccessKeyInfoOutput { account: Some(account.to_string()) })
}
