//! A layer and its versions. Pure.

use std::{collections::BTreeMap, sync::Arc};

use kit::{AccountId, Millis};
use serde::{Deserialize, Serialize};

use crate::{code::Code, policy::Policy};

/// A layer at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Layer {
    /// The last number that was given to a version, used again by none.
    pub(crate) last_number: u64,
    pub(crate) versions: BTreeMap<u64, Arc<LayerVersion>>,
}

/// One version, one row. Only its policy ever changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct LayerVersion {
    pub(crate) number: u64,
    pub(crate) code: Code,
    pub(crate) created: Millis,
    pub(crate) description: String,
    /// `LicenseInfo`; not shown if it was not given, as the next two.
    pub(crate) license: Option<String>,
    pub(crate) runtimes: Option<Vec<String>>,
    pub(crate) architectures: Option<Vec<String>>,
    /// Who else may use it.
    pub(crate) policy: Option<Policy>,
}

/// What a list is narrowed to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    pub(crate) runtime: Option<String>,
    pub(crate) architecture: Option<String>,
}

impl Layer {
    /// Adds a version under the next number.
    pub(crate) fn publish(&mut self, version: LayerVersion) -> Arc<LayerVersion> {
        self.last_number += 1;
        let version = Arc::new(LayerVersion { number: self.last_number, ..version });
        self.versions.insert(version.number, version.clone());
        version
    }

    /// The versions that pass a filter, the newest first.
    pub(crate) fn matching(&self, filter: &Filter) -> impl Iterator<Item = &Arc<LayerVersion>> {
        self.versions.values().rev().filter(|version| filter.passes(version))
    }
}

impl LayerVersion {
    /// Whether another account may use it. Accounts here belong to no organization: a statement
    /// with `OrganizationId` allows none.
    pub(crate) fn is_shared_with(&self, account: AccountId) -> bool {
        self.policy.as_ref().is_some_and(|policy| policy.allows_account(account))
    }
}

impl Filter {
    /// A version must say that it is compatible: one that says nothing passes no filter.
    fn passes(&self, version: &LayerVersion) -> bool {
        let says = |list: &Option<Vec<String>>, wanted: &Option<String>| match wanted {
            Some(wanted) => list.as_ref().is_some_and(|list| list.contains(wanted)),
            None => true,
        };
        says(&version.runtimes, &self.runtime) && says(&version.architectures, &self.architecture)
    }
}

#[cfg(test)]
pub(crate) fn plain_version() -> LayerVersion {
    let blob = "a".repeat(32).try_into().expect("it is hexadecimal");
    LayerVersion {
        number: 0,
        code: Code { sha256: "a".repeat(64), bytes: 1, blob, folder: None },
        created: Millis(0),
        description: String::new(),
        license: None,
        runtimes: None,
        architectures: None,
        policy: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_used_once() {
        let mut layer = Layer::default();
        assert_eq!(layer.publish(plain_version()).number, 1);
        assert_eq!(layer.publish(plain_version()).number, 2);
        layer.versions.clear();
        assert_eq!(layer.publish(plain_version()).number, 3);
    }

    #[test]
    fn a_filter_passes_the_newest_that_says_it_fits() {
        let mut layer = Layer::default();
        let of = |runtimes: &[&str], architectures: &[&str]| LayerVersion {
            runtimes: Some(runtimes.iter().map(|it| (*it).to_owned()).collect()),
            architectures: Some(architectures.iter().map(|it| (*it).to_owned()).collect()),
            ..plain_version()
        };
        layer.publish(of(&["python3.11", "python3.12"], &["x86_64"]));
        layer.publish(of(&["python3.12"], &["arm64"]));
        layer.publish(plain_version());
        let numbers = |runtime: Option<&str>, architecture: Option<&str>| -> Vec<u64> {
            let filter = Filter {
                runtime: runtime.map(str::to_owned),
                architecture: architecture.map(str::to_owned),
            };
            layer.matching(&filter).map(|version| version.number).collect()
        };
        assert_eq!(numbers(None, None), [3, 2, 1]);
        assert_eq!(numbers(Some("python3.12"), None), [2, 1]);
        assert_eq!(numbers(Some("python3.12"), Some("x86_64")), [1]);
        assert_eq!(numbers(Some("nodejs20.x"), None), [] as [u64; 0]);
    }
}
