//! One account as it is at one moment. Readers hold a version of it; a change makes the next.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use kit::{AccountId, Arn, Principal};
use serde::{Deserialize, Serialize};

use crate::{
    Error,
    grants::{Bounded, Identity},
    group::Group,
    instance_profile::InstanceProfile,
    managed,
    mfa_device::{Enabled, MfaDevice},
    oidc_provider::{self, OidcProvider},
    password::PasswordPolicy,
    policy::Policy,
    resource::Kind,
    role::Role,
    saml_provider::SamlProvider,
    shelf::Shelf,
    user::{AccessKey, User},
};

/// An account's identities and policies.
#[derive(Clone)]
pub(crate) struct Account {
    pub(crate) id: AccountId,
    pub(crate) users: Shelf<User>,
    pub(crate) groups: Shelf<Group>,
    pub(crate) roles: Shelf<Role>,
    pub(crate) policies: Shelf<Policy>,
    pub(crate) profiles: Shelf<InstanceProfile>,
    pub(crate) oidc_providers: Shelf<OidcProvider>,
    pub(crate) saml_providers: Shelf<SamlProvider>,
    pub(crate) mfa_devices: Shelf<MfaDevice>,
    pub(crate) settings: Settings,
    /// Access key id → whose it is. Follows from users and settings.
    owners: HashMap<String, Owner>,
}

/// What belongs to the account as such.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Settings {
    pub(crate) alias: Option<String>,
    pub(crate) root_keys: Vec<AccessKey>,
    /// Its rules for passwords, if it has some of its own.
    #[serde(default)]
    pub(crate) password_policy: Option<PasswordPolicy>,
}

/// Whose an access key is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    Root,
    /// A user, by name.
    User(String),
}

/// How often a managed policy is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) attached: i32,
    pub(crate) boundaries: i32,
}

impl Account {
    /// An account in which nothing was made yet.
    pub(crate) fn new(id: AccountId) -> Account {
        Account {
            id,
            users: Shelf::default(),
            groups: Shelf::default(),
            roles: Shelf::default(),
            policies: Shelf::default(),
            profiles: Shelf::default(),
            oidc_providers: Shelf::default(),
            saml_providers: Shelf::default(),
            mfa_devices: Shelf::default(),
            settings: Settings::default(),
            owners: HashMap::new(),
        }
    }

    /// The resource of this name.
    pub(crate) fn find<T: Kind>(&self, name: &str) -> Result<&Arc<T>, Error> {
        T::shelf(self).find(name)
    }

    /// The role of this ARN.
    pub(crate) fn role(&self, arn: &Arn) -> Option<&Arc<Role>> {
        let name = arn.resource().strip_prefix("role/")?.rsplit('/').next()?;
        self.roles.find(name).ok().filter(|role| role.arn(self.id) == *arn)
    }

    /// The OpenID Connect provider whose tokens name this issuer.
    pub(crate) fn issuer(&self, issuer: &str) -> Option<&Arc<OidcProvider>> {
        let provider = self.oidc_providers.find(oidc_provider::name_of(issuer).ok()?).ok()?;
        Some(provider).filter(|it| it.issuer == issuer)
    }

    /// A managed policy of the account or of AWS.
    pub(crate) fn policy(&self, arn: &str) -> Result<&Arc<Policy>, Error> {
        let missing = || Error::NoSuchPolicy(arn.to_owned());
        if let Some(policy) = managed::find(arn) {
            return Ok(policy);
        }
        let name = arn.rsplit('/').next().unwrap_or_default();
        let policy = self.policies.find(name).map_err(|_| missing())?;
        if policy.arn(self.id).as_str() == arn { Ok(policy) } else { Err(missing()) }
    }

    /// The groups a user is in, by name.
    pub(crate) fn groups_of(&self, user: &User) -> Vec<&Arc<Group>> {
        self.groups.iter().filter(|group| user.groups.contains(group.id())).collect()
    }

    /// The users in a group, by name.
    pub(crate) fn members<'a>(&'a self, group: &'a Group) -> impl Iterator<Item = &'a Arc<User>> {
        self.users.iter().filter(|user| user.groups.contains(group.id()))
    }

    /// The devices that are a user's second factor, by name.
    pub(crate) fn mfa_devices_of<'a>(
        &'a self,
        user: &'a User,
    ) -> impl Iterator<Item = (&'a Arc<MfaDevice>, &'a Enabled)> {
        let own = self.mfa_devices.iter().filter(|device| device.is_of(user));
        own.filter_map(|device| Some((device, device.enabled.as_ref()?)))
    }

    /// The instance profiles of a role.
    pub(crate) fn profiles_of<'a>(
        &'a self,
        role: &'a Role,
    ) -> impl Iterator<Item = &'a Arc<InstanceProfile>> {
        self.profiles.iter().filter(|profile| profile.role.as_deref() == Some(role.name()))
    }

    /// How often each managed policy is used, by ARN.
    pub(crate) fn usage(&self) -> BTreeMap<&str, Usage> {
        let mut usage = BTreeMap::<&str, Usage>::new();
        let users = self.users.iter().flat_map(|user| &user.grants().attached);
        let groups = self.groups.iter().flat_map(|group| &group.grants().attached);
        let roles = self.roles.iter().flat_map(|role| &role.grants().attached);
        for arn in users.chain(groups).chain(roles) {
            usage.entry(arn).or_default().attached += 1;
        }
        let users = self.users.iter().filter_map(|user| user.boundary());
        for arn in users.chain(self.roles.iter().filter_map(|role| role.boundary())) {
            usage.entry(arn).or_default().boundaries += 1;
        }
        usage
    }

    /// Whose an access key is.
    pub(crate) fn owner(&self, access_key_id: &str) -> Option<&Owner> {
        self.owners.get(access_key_id)
    }

    /// An access key and who signs with it.
    pub(crate) fn key(&self, access_key_id: &str) -> Option<(&AccessKey, Principal)> {
        let (keys, principal) = match self.owners.get(access_key_id)? {
            Owner::Root => (&self.settings.root_keys, Principal::root(self.id)),
            Owner::User(name) => {
                let user = self.users.find(name).ok()?;
                (&user.keys, user.principal(self.id))
            }
        };
        let key = keys.iter().find(|key| key.id == access_key_id)?;
        Some((key, principal))
    }

    /// Brings the access keys' owners up to date with users and settings.
    pub(crate) fn index_keys(&mut self) {
        let of_root = self.settings.root_keys.iter().map(|key| (key.id.clone(), Owner::Root));
        let of_users = self.users.iter().flat_map(|user| {
            let owner = Owner::User(user.name().to_owned());
            user.keys.iter().map(move |key| (key.id.clone(), owner.clone()))
        });
        self.owners = of_root.chain(of_users).collect();
    }
}
