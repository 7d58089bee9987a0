//! What IAM tells the services that act for its identities.

use std::sync::Arc;

use bus::{Identities, NoFactor, ResourcePolicies, Vouched};
use kit::{AccountId, Arn, Caller, Millis, Region, Tags};

use crate::{
    Iam, account::Account, document, instance_profile::InstanceProfile, mfa_device::MfaDevice,
    oidc_provider::OidcProvider, policy::Policy, resource::Kind, role::Role,
    saml_provider::SamlProvider, user::User,
};

/// A role's policy is its trust policy.
impl ResourcePolicies for Iam {
    fn policy(&self, role: &Arn) -> Option<Arc<str>> {
        let account = self.account(role.account().parse().ok()?);
        account.role(role).map(|role| Arc::from(role.trust.as_str()))
    }

    fn tags(&self, resource: &Arn) -> Tags {
        let Ok(account) = resource.account().parse() else { return Tags::new() };
        let account = self.account(account);
        let (kind, path) = resource.resource().split_once('/').unwrap_or_default();
        // Names are unique whatever the path; those of OpenID Connect providers hold slashes.
        let name = path.rsplit('/').next().unwrap_or_default();
        match kind {
            User::WORD => tags_of::<User>(&account, name),
            Role::WORD => tags_of::<Role>(&account, name),
            Policy::WORD => tags_of::<Policy>(&account, name),
            InstanceProfile::WORD => tags_of::<InstanceProfile>(&account, name),
            MfaDevice::WORD => tags_of::<MfaDevice>(&account, name),
            SamlProvider::WORD => tags_of::<SamlProvider>(&account, name),
            OidcProvider::WORD => tags_of::<OidcProvider>(&account, path),
            _ => Tags::new(),
        }
    }

    /// Who changes what a user or role may is asked about the boundary that it has.
    fn fact(&self, resource: &Arn, key: &str) -> Option<String> {
        match key {
            "iam:permissionsboundary" => {
                boundary_of(&self.account(resource.account().parse().ok()?), resource)
            }
            _ => None,
        }
    }
}

/// The boundary of a user or role, by its ARN, if it has one.
fn boundary_of(account: &Account, identity: &Arn) -> Option<String> {
    let (kind, path) = identity.resource().split_once('/')?;
    let name = path.rsplit('/').next()?;
    match kind {
        User::WORD => account.find::<User>(name).ok()?.boundary.clone(),
        Role::WORD => account.find::<Role>(name).ok()?.boundary.clone(),
        _ => None,
    }
}

fn tags_of<T: Kind>(account: &Account, name: &str) -> Tags {
    account.find::<T>(name).map(|it| it.resource().tags.clone()).unwrap_or_default()
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

    fn second_factor(&self, caller: &Caller, serial: &str, code: &str) -> Result<(), NoFactor> {
        self.check_factor(caller, serial, code)
    }
}
