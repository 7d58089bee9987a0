//! Instance profiles: a role's way onto an EC2 instance.

use serde::{Deserialize, Serialize};

use crate::{
    Error,
    account::Account,
    limits::{self, Quota},
    resource::{Kind, Resource},
    shelf::Shelf,
};

/// An instance profile.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct InstanceProfile {
    pub(crate) resource: Resource,
    /// The name of its role.
    pub(crate) role: Option<String>,
}

impl Kind for InstanceProfile {
    const TABLE: &'static str = "iam/instance-profile";
    const WORD: &'static str = "instance-profile";
    const ID_PREFIX: &'static str = "AIPA";
    const QUOTA: Quota = limits::INSTANCE_PROFILES;

    fn resource(&self) -> &Resource {
        &self.resource
    }

    fn resource_mut(&mut self) -> &mut Resource {
        &mut self.resource
    }

    fn shelf(account: &Account) -> &Shelf<InstanceProfile> {
        &account.profiles
    }

    fn shelf_mut(account: &mut Account) -> &mut Shelf<InstanceProfile> {
        &mut account.profiles
    }

    fn missing(name: &str) -> Error {
        Error::NoSuchProfile(name.to_owned())
    }

    fn exists(name: &str) -> Error {
        Error::ProfileExists(name.to_owned())
    }
}
