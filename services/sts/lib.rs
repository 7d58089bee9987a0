//! The security token service: temporary credentials for roles, users and federated users.
//!
//! Read in this order: `session` (what a session is), `seal` (how it becomes credentials and is
//! known again), `store` (the one row: the server's key), `keys` (signature checks), `ports` (roles
//! that services assume), `identity_token` and `issuer` (tokens of OpenID Connect providers), `ops`.
//!
//! A session is not stored. Its token holds it, authenticated with a key that never leaves the data
//! folder; its secret follows from the access key's id and the same key. So credentials cost no
//! write, survive a restart, are known to every node that shares the store, and need no sweeping:
//! they end at the time in the token. What this cannot do is end one session before its time.
//!
//! Invariants: a token is good for the one access key it was made for; secrets are in answers, never
//! in rows or logs.

mod error;
mod identity_token;
mod issuer;
mod keys;
mod limits;
mod ops;
mod ports;
mod seal;
mod session;
mod store;

use std::sync::Arc;

use ::store::Store;
use bus::{Directory, Identities};
use kit::{Arn, Caller, Clock};
use model::sts as api;
use wire::{Access, Proof, ServiceError, Table};

use crate::{issuer::Issuers, ops::told, seal::Seal};

pub use crate::{error::Error, store::OpenError};

/// The service and what it needs.
pub struct Sts {
    clock: Clock,
    identities: Arc<dyn Identities>,
    seal: Seal,
    issuers: Issuers,
}

impl Sts {
    /// Reads the server's key, or makes it, and offers [`bus::Roles`].
    ///
    /// # Errors
    /// The key can neither be read nor made durable, or nobody offers identities.
    pub async fn open(
        store: Store,
        directory: &Directory,
        clock: Clock,
    ) -> Result<Arc<Sts>, OpenError> {
        let seal = Seal::new(store::server_key(&store).await?);
        let identities = directory.identities().cloned().ok_or(OpenError::NoIdentities)?;
        let sts = Arc::new(Sts { clock, identities, seal, issuers: Issuers::new() });
        directory.offer_roles(sts.clone());
        Ok(sts)
    }

    /// Every operation this service answers; one line each.
    #[rustfmt::skip]
    pub fn table(self: &Arc<Self>) -> Table {
        Table::new(&model::sts::SERVICE)
            .on::<api::AssumeRole, _, _, _>(self, ops::assume_role::run, Access::new("sts:AssumeRole", role).telling(|_, i| told::assume_role(i)).also(|c, i| told::assume_role_needs(role(c, i), i)).proving(self.second_factor()))
            .on::<api::AssumeRoleWithWebIdentity, _, _, _>(self, ops::assume_role_with_web_identity::run, Access::any("sts:AssumeRoleWithWebIdentity"))
            .unsigned::<api::AssumeRoleWithWebIdentity>()
            .on::<api::DecodeAuthorizationMessage, _, _, _>(self, ops::decode_authorization_message::run, Access::any("sts:DecodeAuthorizationMessage"))
            .on::<api::GetAccessKeyInfo, _, _, _>(self, ops::get_access_key_info::run, Access::any("sts:GetAccessKeyInfo"))
            .on::<api::GetCallerIdentity, _, _, _>(self, ops::get_caller_identity::run, Access::any("sts:GetCallerIdentity"))
            .on::<api::GetFederationToken, _, _, _>(self, ops::get_federation_token::run, Access::new("sts:GetFederationToken", federated_user).telling(|_, i| told::federation(i)).also(|c, i| told::federation_needs(federated_user(c, i), i)))
            .on::<api::GetSessionToken, _, _, _>(self, ops::get_session_token::run, Access::any("sts:GetSessionToken"))
    }
}

impl Sts {
    /// Proves the second factor of `AssumeRole` before policies are asked, which may want one.
    fn second_factor(self: &Arc<Self>) -> Proof<api::AssumeRoleInput> {
        let sts = self.clone();
        Arc::new(move |caller, input| {
            let (serial, code) = (input.serial_number.as_deref(), input.token_code.as_deref());
            let proved = ops::proved(&sts, caller, serial, code).map_err(|error| error.fault())?;
            Ok(proved.map_or_else(Vec::new, |_| told::second_factor()))
        })
    }
}

fn role(_: &Caller, input: &api::AssumeRoleInput) -> Vec<Arn> {
    input.role_arn.parse().into_iter().collect()
}

fn federated_user(caller: &Caller, input: &api::GetFederationTokenInput) -> Vec<Arn> {
    vec![session::federated_user(caller.account, &input.name)]
}
