//! Groups. Who is in them is written on the users.

use serde::{Deserialize, Serialize};

use crate::{
    Error,
    account::Account,
    grants::{Grants, Identity},
    limits::{self, Quota},
    resource::{Kind, Resource},
    shelf::Shelf,
};

/// A group of users.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Group {
    pub(crate) resource: Resource,
    pub(crate) grants: Grants,
}

impl Kind for Group {
    const TABLE: &'static str = "iam/group";
    const WORD: &'static str = "group";
    const ID_PREFIX: &'static str = "AGPA";
    const QUOTA: Quota = limits::GROUPS;

    fn resource(&self) -> &Resource {
        &self.resource
    }

    fn resource_mut(&mut self) -> &mut Resource {
        &mut self.resource
    }

    fn shelf(account: &Account) -> &Shelf<Group> {
        &account.groups
    }

    fn shelf_mut(account: &mut Account) -> &mut Shelf<Group> {
        &mut account.groups
    }

    fn missing(name: &str) -> Error {
        Error::NoSuchNamed { kind: "group", name: name.to_owned() }
    }

    fn exists(name: &str) -> Error {
        Error::NamedExists { kind: "Group", name: name.to_owned() }
    }
}

impl Identity for Group {
    const ATTACHED: Quota = limits::ATTACHED_PER_GROUP;
    const INLINE_SIZE: usize = limits::GROUP_INLINE_SIZE;

    fn grants(&self) -> &Grants {
        &self.grants
    }

    fn grants_mut(&mut self) -> &mut Grants {
        &mut self.grants
    }
}
