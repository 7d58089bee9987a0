//! Roles that services assume for their own work: a function's. Nothing is written or waited for.

use std::time::Duration;

use async_trait::async_trait;
use bus::{RoleCredentials, Roles};
use kit::{AccountId, Arn};

use crate::{
    Sts,
    session::{self, Session},
};

#[async_trait]
impl Roles for Sts {
    async fn exists(&self, role: &Arn) -> bool {
        self.identities.role(role).is_some()
    }

    /// Works for roles that do not exist too: a platform that checks no permissions runs functions
    /// under any role.
    async fn assume(
        &self,
        role: &Arn,
        session: &str,
        function: &Arn,
        lifetime: Duration,
    ) -> RoleCredentials {
        let known = self.identities.role(role);
        let account = role.account().parse().unwrap_or(AccountId::DEFAULT);
        let (name, id) = known.map_or_else(
            || {
                let name = role.resource().rsplit('/').next().unwrap_or_default();
                (name.to_owned(), kit::ids::of_account("AROA", account, 17))
            },
            |role| (role.name, role.id),
        );
        let principal = session::assumed_role(account, &name, &id, session);
        let seconds = u32::try_from(lifetime.as_secs()).unwrap_or(u32::MAX);
        let session = Session {
            function: Some(function.clone()),
            ..Session::new(account, principal, self.clock.now(), seconds)
        };
        RoleCredentials {
            secret_access_key: self.seal.secret(&session.access_key_id),
            session_token: self.seal.token(&session),
            expires: session.expires,
            access_key_id: session.access_key_id,
        }
    }
}
