//! Code signing: configurations that say whose code functions may have. Pure but for `store`.
//!
//! There is no AWS Signer here, so no signature can be checked and no package counts as signed by an
//! allowed publisher: a configuration that enforces refuses every package, one that warns lets every
//! package pass and logs it.

mod store;

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

use kit::{AccountId, Arn, Caller, Millis, Region, Tags, ids};
use serde::{Deserialize, Serialize};

use crate::Error;

/// Letters and digits of an id behind `csc-` (the model's pattern of `CodeSigningConfigArn`).
const ID_CHARS: usize = 17;

/// A configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Signing {
    pub(crate) id: String,
    pub(crate) account: AccountId,
    pub(crate) region: Region,
    pub(crate) description: String,
    /// ARNs of signing profiles' versions.
    pub(crate) publishers: Vec<String>,
    /// `UntrustedArtifactOnDeployment` is `Enforce`, not `Warn`.
    pub(crate) enforced: bool,
    pub(crate) modified: Millis,
    pub(crate) tags: Tags,
}

/// All configurations, by ARN.
#[derive(Default)]
pub(crate) struct Signings {
    by_arn: RwLock<BTreeMap<String, Arc<Signing>>>,
    /// Held while configurations change and while functions take or lose one: none goes that a
    /// function is about to take.
    pub(crate) turn: tokio::sync::Mutex<()>,
}

impl Signing {
    /// A configuration with an id of its own, still empty.
    pub(crate) fn new(caller: &Caller, publishers: Vec<String>, tags: Tags) -> Signing {
        Signing {
            id: format!("csc-{}", ids::lower_alphanumeric(ID_CHARS)),
            account: caller.account,
            region: caller.region.clone(),
            description: String::new(),
            publishers,
            enforced: false,
            modified: caller.now,
            tags,
        }
    }

    /// Its ARN.
    pub(crate) fn arn(&self) -> Arn {
        let resource = format!("code-signing-config:{}", self.id);
        Arn::new("lambda", self.region.as_str(), self.account.as_str(), resource)
    }

    /// Whether new code, or a new layer, may be deployed to a function, named as the caller is told.
    pub(crate) fn check(&self, function: &str) -> Result<(), Error> {
        if self.enforced {
            return Err(Error::CodeNotVerified(function.to_owned()));
        }
        tracing::warn!(function, signing = %self.arn(), "code of no allowed publisher deployed");
        Ok(())
    }
}

impl Signings {
    /// A configuration in the caller's account and region.
    pub(crate) fn get(&self, caller: &Caller, arn: &str) -> Option<Arc<Signing>> {
        let found = self.by_arn().get(arn).cloned();
        found.filter(|it| it.account == caller.account && it.region == caller.region)
    }

    /// The tags of a configuration, anybody's.
    pub(crate) fn tags(&self, arn: &str) -> Option<Tags> {
        self.by_arn().get(arn).map(|it| it.tags.clone())
    }

    /// All of an account in a region, by ARN.
    pub(crate) fn list(&self, caller: &Caller) -> Vec<Arc<Signing>> {
        let here = |it: &&Arc<Signing>| it.account == caller.account && it.region == caller.region;
        self.by_arn().values().filter(here).cloned().collect()
    }

    fn put(&self, signing: Signing) -> Arc<Signing> {
        let signing = Arc::new(signing);
        let mut by_arn = self.by_arn.write().unwrap_or_else(PoisonError::into_inner);
        by_arn.insert(signing.arn().to_string(), signing.clone());
        signing
    }

    fn remove(&self, arn: &str) {
        self.by_arn.write().unwrap_or_else(PoisonError::into_inner).remove(arn);
    }

    fn by_arn(&self) -> std::sync::RwLockReadGuard<'_, BTreeMap<String, Arc<Signing>>> {
        self.by_arn.read().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_the_form_of_the_model_and_belongs_to_its_place() {
        let caller = Caller::internal(AccountId::DEFAULT, Region::default(), Millis(0));
        let signing = Signing::new(&caller, Vec::new(), Tags::new());
        let id = signing.id.strip_prefix("csc-").unwrap();
        assert_eq!(id.len(), ID_CHARS);
        assert!(id.bytes().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit()), "{id}");
        let signings = Signings::default();
        let arn = signings.put(signing).arn().to_string();
        assert!(signings.get(&caller, &arn).is_some());
        let elsewhere = Caller { region: "eu-west-1".parse().unwrap(), ..caller.clone() };
        assert!(signings.get(&elsewhere, &arn).is_none() && signings.list(&elsewhere).is_empty());
        signings.remove(&arn);
        assert!(signings.get(&caller, &arn).is_none());
    }

    #[test]
    fn what_enforces_refuses_and_what_warns_does_not() {
        let caller = Caller::internal(AccountId::DEFAULT, Region::default(), Millis(0));
        let warning = Signing::new(&caller, Vec::new(), Tags::new());
        warning.check("f").unwrap();
        let enforcing = Signing { enforced: true, ..warning };
        assert!(matches!(enforcing.check("f"), Err(Error::CodeNotVerified(_))));
    }
}
