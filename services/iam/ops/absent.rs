//! `ListSigningCertificates`, `ListSSHPublicKeys`, `ListServiceSpecificCredentials`: users have none of these here. Tools ask before they delete a
//! user.

use std::sync::Arc;

use kit::Caller;
use model::iam as api;

use super::users::own_name;
use crate::{Error, Iam, user::User};

pub(crate) async fn signing_certificates(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::ListSigningCertificatesInput,
) -> Result<api::ListSigningCertificatesOutput, Error> {
    check_user(&iam, &caller, input.user_name)?;
    Ok(api::ListSigningCertificatesOutput { is_truncated: Some(false), ..Default::default() })
}

pub(crate) async fn ssh_public_keys(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::ListSSHPublicKeysInput,
) -> Result<api::ListSSHPublicKeysOutput, Error> {
    check_user(&iam, &caller, input.user_name)?;
    let ssh_public_keys = Some(Vec::new());
    Ok(api::ListSSHPublicKeysOutput { ssh_public_keys, is_truncated: Some(false), marker: None })
}

pub(crate) async fn service_credentials(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::ListServiceSpecificCredentialsInput,
) -> Result<api::ListServiceSpecificCredentialsOutput, Error> {
    check_user(&iam, &caller, input.user_name)?;
    let service_specific_credentials = Some(Vec::new());
    Ok(api::ListServiceSpecificCredentialsOutput {
        service_specific_credentials,
        ..Default::default()
    })
}

/// Whether there is such a user; without a name it is the caller.
fn check_user(iam: &Iam, caller: &Caller, given: Option<String>) -> Result<(), Error> {
    let Some(name) = own_name(caller, given)? else { return Ok(()) };
    iam.account(caller.account).find::<User>(&name).map(drop)
}
