//! A function with its versions, aliases, policies and tags. Pure.

use std::{collections::BTreeMap, sync::Arc};

use kit::{Millis, Tags, ids};
use serde::{Deserialize, Serialize};

use crate::{
    Error,
    alias::Alias,
    invoke::{concurrency::FunctionKey, event::EventPolicy, lineage::Recursion},
    management::{RuntimeManagement, Scaling},
    name::LATEST,
    policy::Policy,
    provisioned::Provisioned,
    url::config::FunctionUrl,
    version::{Number, Version},
};

/// A function at one moment.
#[derive(Clone, Debug)]
pub(crate) struct Function {
    pub(crate) key: FunctionKey,
    pub(crate) common: Common,
    /// `$LATEST`, always, and the numbered ones.
    pub(crate) versions: BTreeMap<Number, Arc<Version>>,
}

/// What all versions share, one row.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Common {
    pub(crate) tags: Tags,
    /// `ReservedConcurrentExecutions`.
    pub(crate) reserved: Option<u32>,
    pub(crate) aliases: BTreeMap<String, Alias>,
    /// By version or alias; the function's own under an empty text.
    pub(crate) policies: BTreeMap<String, Policy>,
    /// By version or alias.
    pub(crate) events: BTreeMap<String, EventPolicy>,
    /// By version or alias.
    pub(crate) provisioned: BTreeMap<String, Provisioned>,
    /// `RecursiveLoop`.
    pub(crate) recursion: Recursion,
    /// By alias; the function's own under an empty text.
    pub(crate) urls: BTreeMap<String, FunctionUrl>,
    /// The last number that was given to a version, used again by none.
    pub(crate) last_number: u64,
    /// The ARN of the code signing configuration.
    pub(crate) code_signing: Option<String>,
    /// By version; what is not here is `Auto`.
    pub(crate) runtime_management: BTreeMap<String, RuntimeManagement>,
    /// `RequestedFunctionScalingConfig` by version.
    pub(crate) scaling: BTreeMap<String, Scaling>,
}

impl Function {
    /// A new function.
    pub(crate) fn new(key: FunctionKey, latest: Version, tags: Tags) -> Function {
        let common = Common { tags, ..Common::default() };
        Function { key, common, versions: [(Number::LATEST, Arc::new(latest))].into() }
    }

    /// `$LATEST`.
    pub(crate) fn latest(&self) -> &Arc<Version> {
        &self.versions[&Number::LATEST]
    }

    /// The numbered versions.
    pub(crate) fn published(&self) -> impl Iterator<Item = &Arc<Version>> {
        self.versions.values().filter(|version| version.number != Number::LATEST)
    }

    /// The version that a qualifier means; for an alias of two, its first.
    pub(crate) fn version(&self, qualifier: Option<&str>) -> Result<&Arc<Version>, Error> {
        self.version_for(qualifier, 1.0)
    }

    /// The version that runs one invocation; `roll`, from 0 to below 1, chooses among an alias's.
    pub(crate) fn version_for(
        &self,
        qualifier: Option<&str>,
        roll: f64,
    ) -> Result<&Arc<Version>, Error> {
        let number = match qualifier {
            None => Some(Number::LATEST),
            Some(qualifier) => Number::parse(qualifier)
                .or_else(|| self.common.aliases.get(qualifier).map(|alias| alias.pick(roll))),
        };
        let found = number.and_then(|number| self.versions.get(&number));
        found.ok_or_else(|| Error::NoSuchFunction(self.key.qualified(qualifier)))
    }

    /// An alias by its name.
    pub(crate) fn alias(&self, name: &str) -> Result<&Alias, Error> {
        let alias = self.common.aliases.get(name);
        alias.ok_or_else(|| Error::NoSuchAlias(self.key.qualified(Some(name))))
    }

    /// The revision of the function, the version or the alias that has a policy.
    pub(crate) fn revision(&self, qualifier: Option<&str>) -> Result<&str, Error> {
        match qualifier {
            // What cannot be an alias's name is told as if it were a version's.
            Some(name) if Number::parse(name).is_none() && !name.contains('$') => {
                Ok(&self.alias(name)?.revision)
            }
            _ => Ok(&self.version(qualifier)?.revision),
        }
    }

    /// Checks the revision that a caller has seen of what a qualifier names.
    pub(crate) fn check_revision_of(
        &self,
        qualifier: Option<&str>,
        given: Option<&str>,
    ) -> Result<(), Error> {
        let current = self.revision(qualifier)?;
        if given.is_some_and(|given| given != current) {
            return Err(Error::RevisionDiffers);
        }
        Ok(())
    }

    /// Gives what a qualifier names a new revision.
    pub(crate) fn revise(&mut self, qualifier: Option<&str>) -> Result<(), Error> {
        let alias = qualifier.and_then(|name| self.common.aliases.get_mut(name));
        if let Some(alias) = alias {
            alias.revision = ids::uuid();
            return Ok(());
        }
        let revised = Version { revision: ids::uuid(), ..Version::clone(self.version(qualifier)?) };
        self.versions.insert(revised.number, Arc::new(revised));
        Ok(())
    }

    /// Whether `$LATEST` is the revision that a caller has seen.
    pub(crate) fn check_revision(&self, given: Option<&str>) -> Result<(), Error> {
        self.check_revision_of(None, given)
    }

    /// Changes `$LATEST`.
    pub(crate) fn change_latest<T>(
        &mut self,
        now: Millis,
        change: impl FnOnce(&mut Version) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut latest = Version::clone(self.latest());
        let answer = change(&mut latest)?;
        latest.revision = ids::uuid();
        latest.build = ids::uuid();
        latest.modified = now;
        self.versions.insert(Number::LATEST, Arc::new(latest));
        Ok(answer)
    }

    /// Publishes `$LATEST`, unless the last version is still the same. A new version
    /// gives `$LATEST` a new revision too, as AWS does.
    pub(crate) fn publish(&mut self, description: Option<String>) -> Arc<Version> {
        let latest = self.latest();
        if let Some(last) = self.published().last()
            && last.is_copy_of(latest)
        {
            return last.clone();
        }
        let number = Number(self.common.last_number + 1);
        let version = Arc::new(latest.published(number, description));
        let revised = Version { revision: ids::uuid(), ..Version::clone(latest) };
        self.common.last_number = number.0;
        self.versions.insert(Number::LATEST, Arc::new(revised));
        self.versions.insert(number, version.clone());
        version
    }

    /// Removes a numbered version with what hangs on it.
    pub(crate) fn remove_version(&mut self, number: Number) -> Result<(), Error> {
        let aliases = self.common.aliases.iter().filter(|(_, alias)| alias.names(number));
        let aliases: Vec<String> = aliases.map(|(name, _)| name.clone()).collect();
        if !aliases.is_empty() {
            return Err(Error::VersionInUse(aliases));
        }
        // AWS answers the same whether or not the version was there.
        self.versions.remove(&number);
        self.forget(&number.to_string());
        Ok(())
    }

    /// Removes an alias with what hangs on it; AWS answers the same if there is none.
    pub(crate) fn remove_alias(&mut self, name: &str) {
        self.common.aliases.remove(name);
        self.forget(name);
    }

    fn forget(&mut self, qualifier: &str) {
        self.common.policies.remove(qualifier);
        self.common.runtime_management.remove(qualifier);
        self.common.scaling.remove(qualifier);
        self.common.events.remove(qualifier);
        self.common.provisioned.remove(qualifier);
        self.common.urls.remove(qualifier);
    }

    /// How a version's runtime is updated.
    pub(crate) fn runtime_management(&self, number: Number) -> RuntimeManagement {
        self.common.runtime_management.get(&number.to_string()).cloned().unwrap_or_default()
    }

    /// How asynchronous events are handled that came by this qualifier.
    pub(crate) fn event_policy(&self, qualifier: Option<&str>) -> Option<&EventPolicy> {
        self.common.events.get(qualifier.unwrap_or(LATEST))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{code::Code, settings::Settings};
    use kit::{AccountId, Region};

    fn code(digit: &str) -> Code {
        let blob = digit.repeat(32).try_into().unwrap();
        Code { sha256: digit.repeat(64), bytes: 1, blob, folder: None }
    }

    fn function() -> Function {
        let (account, region) = (AccountId::DEFAULT, Region::default());
        let key = FunctionKey { account, region, name: "f".to_owned() };
        let latest = Version::first(Settings::default(), code("a"), Millis(0));
        Function::new(key, latest, Tags::new())
    }

    #[test]
    fn an_unchanged_function_publishes_no_second_version() {
        let mut function = function();
        let first = function.publish(Some("mine".to_owned()));
        assert_eq!((first.number, first.description()), (Number(1), "mine"));
        assert!(Arc::ptr_eq(&function.publish(Some("other".to_owned())), &first));
        function
            .change_latest(Millis(1), |latest| {
                latest.code = code("b").into();
                Ok(())
            })
            .unwrap();
        assert_eq!(function.publish(None).number, Number(2));
        function
            .change_latest(Millis(2), |latest| {
                latest.settings.description = "new".to_owned();
                Ok(())
            })
            .unwrap();
        let third = function.publish(None);
        assert_eq!((third.number, third.description()), (Number(3), "new"));
    }

    #[test]
    fn numbers_are_used_once() {
        let mut function = function();
        function.publish(None);
        function.remove_version(Number(1)).unwrap();
        assert_eq!(function.publish(None).number, Number(2));
    }

    #[test]
    fn a_version_that_an_alias_names_stays() {
        let mut function = function();
        function.publish(None);
        let alias = Alias::new(Number(1), String::new(), None).unwrap();
        function.common.aliases.insert("PROD".to_owned(), alias);
        assert_eq!(function.version(Some("PROD")).unwrap().number, Number(1));
        assert!(matches!(function.remove_version(Number(1)), Err(Error::VersionInUse(_))));
        function.remove_alias("PROD");
        function.remove_version(Number(1)).unwrap();
        let error = function.version(Some("PROD")).unwrap_err().to_string();
        assert_eq!(
            error,
            "Function not found: arn:aws:lambda:us-east-1:000000000000:function:f:PROD"
        );
    }

    #[test]
    fn a_change_has_a_new_revision() {
        let mut function = function();
        let seen = function.latest().revision.clone();
        function.check_revision(Some(&seen)).unwrap();
        function.change_latest(Millis(1), |_| Ok(())).unwrap();
        assert!(matches!(function.check_revision(Some(&seen)), Err(Error::RevisionDiffers)));
        function.check_revision(None).unwrap();
    }

    #[test]
    fn publishing_and_policies_change_revisions_but_not_what_runs() {
        let mut function = function();
        let before = function.latest().clone();
        function.publish(None);
        assert_ne!(function.latest().revision, before.revision);
        let published = function.version(Some("1")).unwrap().revision.clone();
        function.revise(Some("1")).unwrap();
        assert!(function.check_revision_of(Some("1"), Some(&published)).is_err());
        function.check_revision_of(Some("1"), None).unwrap();
        assert_eq!(function.latest().build, before.build);
        function.change_latest(Millis(1), |_| Ok(())).unwrap();
        assert_ne!(function.latest().build, before.build);
        assert!(matches!(function.revision(Some("none")), Err(Error::NoSuchAlias(_))));
        assert!(matches!(function.revision(Some("$x")), Err(Error::NoSuchFunction(_))));
    }
}
