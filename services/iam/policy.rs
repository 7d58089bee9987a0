//! Managed policies and their versions.

use std::collections::BTreeMap;

use kit::Millis;
use serde::{Deserialize, Serialize};

use crate::{
    Error,
    account::Account,
    document,
    limits::{self, Quota},
    resource::{Kind, Resource, second},
    shelf::Shelf,
};

/// A managed policy. Exactly one of its versions is the default, the one in effect.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Policy {
    pub(crate) resource: Resource,
    pub(crate) description: Option<String>,
    pub(crate) updated: Millis,
    /// Number of the default version.
    pub(crate) default: u32,
    /// Number of the next version; numbers are not given twice.
    pub(crate) next: u32,
    /// By number.
    pub(crate) versions: BTreeMap<u32, Version>,
}

/// One version of a managed policy.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Version {
    pub(crate) document: String,
    pub(crate) created: Millis,
}

/// What becomes of the default when a version is added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Default {
    Moves,
    Stays,
}

impl Policy {
    /// A policy whose document, version 1, has been checked.
    pub(crate) fn new(resource: Resource, description: Option<String>, document: String) -> Policy {
        let created = resource.created;
        let versions = BTreeMap::from([(1, Version { document, created })]);
        Policy { resource, description, updated: created, default: 1, next: 2, versions }
    }

    /// Adds a version and answers with its number.
    pub(crate) fn add(
        &mut self,
        document: String,
        default: Default,
        now: Millis,
    ) -> Result<u32, Error> {
        if self.versions.len() >= limits::VERSIONS_PER_POLICY {
            return Err(Error::TooManyVersions);
        }
        let number = self.next;
        self.next += 1;
        self.versions.insert(number, Version { document, created: second(now) });
        self.updated = second(now);
        if default == Default::Moves {
            self.default = number;
        }
        Ok(number)
    }

    /// Removes a version that is not the default.
    pub(crate) fn remove(&mut self, number: u32) -> Result<(), Error> {
        if number == self.default {
            return Err(Error::DefaultVersion);
        }
        self.versions.remove(&number);
        Ok(())
    }

    /// Makes a version that is there the default.
    pub(crate) fn set_default(&mut self, number: u32, now: Millis) {
        self.default = number;
        self.updated = second(now);
    }

    /// The number of a version that is there, from its id. `arn` is for the error.
    pub(crate) fn version(&self, arn: &str, id: &str) -> Result<u32, Error> {
        let number = id.strip_prefix('v').and_then(|digits| digits.parse().ok());
        let known = number.filter(|number| self.versions.contains_key(number));
        known.ok_or_else(|| Error::NoSuchVersion { arn: arn.to_owned(), version: id.to_owned() })
    }
}

/// A version's id.
pub(crate) fn version_id(number: u32) -> String {
    format!("v{number}")
}

/// Checks the document of a managed policy.
pub(crate) fn check(policy: &str) -> Result<(), Error> {
    document::check_identity_policy(policy).map_err(Error::MalformedPolicy)?;
    if document::size(policy) > limits::POLICY_SIZE.limit {
        return Err(Error::QuotaExceeded(limits::POLICY_SIZE));
    }
    Ok(())
}

impl Kind for Policy {
    const TABLE: &'static str = "iam/policy";
    const WORD: &'static str = "policy";
    const ID_PREFIX: &'static str = "ANPA";
    const QUOTA: Quota = limits::POLICIES;

    fn resource(&self) -> &Resource {
        &self.resource
    }

    fn resource_mut(&mut self) -> &mut Resource {
        &mut self.resource
    }

    fn shelf(account: &Account) -> &Shelf<Policy> {
        &account.policies
    }

    fn shelf_mut(account: &mut Account) -> &mut Shelf<Policy> {
        &mut account.policies
    }

    fn missing(name: &str) -> Error {
        Error::NoSuchPolicy(name.to_owned())
    }

    fn exists(name: &str) -> Error {
        Error::PolicyExists(name.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> Policy {
        let account = kit::AccountId::DEFAULT;
        let none = kit::Tags::new();
        let resource = Resource::new::<Policy>(account, "p".into(), None, none, Millis(1));
        Policy::new(resource, None, "1".into())
    }

    #[test]
    fn a_policy_has_five_versions_at_most_and_no_number_twice() {
        let mut policy = policy();
        for number in 2..=5 {
            assert_eq!(policy.add("x".into(), Default::Stays, Millis(2)).unwrap(), number);
        }
        let sixth = policy.add("x".into(), Default::Moves, Millis(3));
        assert!(matches!(sixth, Err(Error::TooManyVersions)));
        policy.remove(5).unwrap();
        assert_eq!(policy.add("x".into(), Default::Moves, Millis(3999)).unwrap(), 6);
        assert_eq!((policy.default, policy.updated), (6, Millis(3000)));
    }

    #[test]
    fn the_default_version_stays() {
        let mut policy = policy();
        assert!(matches!(policy.remove(1), Err(Error::DefaultVersion)));
        policy.add("x".into(), Default::Moves, Millis(2)).unwrap();
        policy.remove(1).unwrap();
        assert_eq!(policy.version("arn", "v2").unwrap(), 2);
        assert!(matches!(policy.version("arn", "v1"), Err(Error::NoSuchVersion { .. })));
    }
}
