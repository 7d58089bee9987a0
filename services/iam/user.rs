//! Users and their access keys.

use std::{collections::BTreeSet, fmt};

use kit::{AccountId, Millis, Principal, PrincipalKind};
use serde::{Deserialize, Serialize};

use crate::{
    Error,
    account::Account,
    grants::{Bounded, Grants, Identity},
    limits::{self, Quota},
    password::Login,
    resource::{Kind, Resource, second},
    shelf::Shelf,
};

/// A user.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct User {
    pub(crate) resource: Resource,
    pub(crate) grants: Grants,
    pub(crate) boundary: Option<String>,
    /// Ids of the groups it is in.
    pub(crate) groups: BTreeSet<String>,
    pub(crate) keys: Vec<AccessKey>,
    /// Its password, if it has one.
    #[serde(default)]
    pub(crate) login: Option<Login>,
}

/// A long-term access key, of a user or of the account itself.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct AccessKey {
    pub(crate) id: String,
    pub(crate) secret: String,
    pub(crate) created: Millis,
    pub(crate) active: bool,
}

impl User {
    pub(crate) fn new(resource: Resource, boundary: Option<String>) -> User {
        let (grants, groups, keys) = (Grants::default(), BTreeSet::new(), Vec::new());
        User { resource, grants, boundary, groups, keys, login: None }
    }

    /// Who signs with one of its keys.
    pub(crate) fn principal(&self, account: AccountId) -> Principal {
        Principal {
            arn: self.arn(account),
            user_id: self.id().to_owned(),
            kind: PrincipalKind::User,
        }
    }
}

impl AccessKey {
    /// A key with a new id and secret.
    pub(crate) fn new(account: AccountId, now: Millis) -> AccessKey {
        AccessKey {
            id: kit::ids::of_account("AKIA", account, 16),
            secret: kit::ids::base64(40),
            created: second(now),
            active: true,
        }
    }
}

impl fmt::Debug for AccessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The secret never reaches a log.
        f.debug_struct("AccessKey").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Kind for User {
    const TABLE: &'static str = "iam/user";
    const WORD: &'static str = "user";
    const ID_PREFIX: &'static str = "AIDA";
    const QUOTA: Quota = limits::USERS;

    fn resource(&self) -> &Resource {
        &self.resource
    }

    fn resource_mut(&mut self) -> &mut Resource {
        &mut self.resource
    }

    fn shelf(account: &Account) -> &Shelf<User> {
        &account.users
    }

    fn shelf_mut(account: &mut Account) -> &mut Shelf<User> {
        &mut account.users
    }

    fn missing(name: &str) -> Error {
        Error::NoSuchNamed { kind: "user", name: name.to_owned() }
    }

    fn exists(name: &str) -> Error {
        Error::NamedExists { kind: "User", name: name.to_owned() }
    }
}

impl Identity for User {
    const ATTACHED: Quota = limits::ATTACHED_PER_USER;
    const INLINE_SIZE: usize = limits::USER_INLINE_SIZE;

    fn grants(&self) -> &Grants {
        &self.grants
    }

    fn grants_mut(&mut self) -> &mut Grants {
        &mut self.grants
    }
}

impl Bounded for User {
    fn boundary(&self) -> Option<&str> {
        self.boundary.as_deref()
    }

    fn boundary_mut(&mut self) -> &mut Option<String> {
        &mut self.boundary
    }
}
