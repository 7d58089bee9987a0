//! What IAM tells the services that act for its identities.

use std::sync::Arc;

use bus::{Identities, ResourcePolicies, Vouched};
use kit::{AccountId, Arn, Millis, Region};

use crate::{Iam, document, resource::Kind};

/// A role's policy is its trust policy.
impl ResourcePolicies for Iam {
    fn policy(&self, role: &Arn) -> Option<Arc<str>> {
        let account = self.account(role.account().parse().ok()?);
        account.role(role).map(|role| Arc::from(role.trust.as_str()))
    }
}

impl Identities for Iam {
    fn role(&self, role: &Arn) -> Option<bus::Role> {
        let account = self.account(role.account().parse().ok()?);
        let role = account.role(role)?;
        Some(bus::Role {
            id: role.id().to_owned(),
            name: role.name().to_owned(),
            max_session_seconds: role.max_session_seconds,
        })
    }

    fn role_used(&self, role: &Arn, region: &Region, now: Millis) {
        let Ok(id) = role.account().parse() else { return };
        if let Some(role) = self.account(id).role(role) {
            self.uses.note(id, role.id(), "sts", region.as_str(), now);
        }
    }

    fn check_policy(&self, document: &str) -> Result<(), String> {
        document::check_identity_policy(document)
    }

    fn provider(&self, account: AccountId, issuer: &str) -> Option<bus::Provider> {
        let account = self.account(account);
        let provider = account.issuer(issuer)?;
        Some(bus::Provider {
            arn: provider.arn(account.id),
            name: provider.name().to_owned(),
            client_ids: provider.client_ids.clone(),
        })
    }

    fn trusts(&self, vouched: &Vouched<'_>) -> bool {
        self.lets_in(vouched)
    }
}
