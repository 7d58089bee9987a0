//! Provisioned concurrency of versions and aliases: what is asked for, and how many instances of
//! which version follow from it. Pure; the pool keeps them.

use std::collections::BTreeMap;

use kit::Millis;
use serde::{Deserialize, Serialize};

use crate::{Error, alias::Alias, function::Function, limits::UNRESERVED_MINIMUM, version::Number};

/// What a version or an alias asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Provisioned {
    pub(crate) count: u32,
    /// When it was set.
    pub(crate) modified: Millis,
}

impl Function {
    /// How many instances of each version are to be always ready.
    pub(crate) fn wanted(&self) -> BTreeMap<Number, u32> {
        let mut wanted = BTreeMap::new();
        for (qualifier, provisioned) in &self.common.provisioned {
            for (version, count) in self.shares(qualifier, provisioned.count) {
                *wanted.entry(version).or_default() += count;
            }
        }
        wanted
    }

    /// Which versions a version's or an alias's instances are of: an alias of two splits them by
    /// its weights.
    pub(crate) fn shares(&self, qualifier: &str, count: u32) -> Vec<(Number, u32)> {
        if let Some(version) = Number::parse(qualifier) {
            return vec![(version, count)];
        }
        let Some(alias) = self.common.aliases.get(qualifier) else { return Vec::new() };
        let Some((second, weight)) = alias.second else { return vec![(alias.version, count)] };
        let seconds = ((f64::from(count) * weight).round() as u32).min(count);
        let mut shares = vec![(alias.version, count - seconds), (second, seconds)];
        shares.retain(|(_, count)| *count > 0);
        shares
    }

    /// All that its versions and aliases ask for.
    pub(crate) fn provisioned_total(&self) -> u32 {
        self.common.provisioned.values().map(|provisioned| provisioned.count).sum()
    }

    /// What it takes of the account's concurrency for itself alone.
    pub(crate) fn claimed(&self) -> u32 {
        self.common.reserved.unwrap_or_else(|| self.provisioned_total())
    }

    /// Asks for instances; `others` is what the account's other functions claim of its `account`
    /// places.
    pub(crate) fn provision(
        &mut self,
        qualifier: &str,
        asked: Provisioned,
        others: u32,
        account: u32,
    ) -> Result<(), Error> {
        self.check_provisionable(qualifier)?;
        let old = self.common.provisioned.get(qualifier).map_or(0, |old| old.count);
        let total = (self.provisioned_total() - old).saturating_add(asked.count);
        match self.common.reserved {
            Some(reserved) if total > reserved => return Err(Error::ProvisionedBeyondReserved),
            None if asked.count > account => return Err(Error::ProvisionedBeyondAccount(account)),
            None if total.saturating_add(others) > account.saturating_sub(UNRESERVED_MINIMUM) => {
                return Err(Error::TooMuchProvisioned);
            }
            _ => {}
        }
        self.common.provisioned.insert(qualifier.to_owned(), asked);
        Ok(())
    }

    fn check_provisionable(&self, qualifier: &str) -> Result<(), Error> {
        match Number::parse(qualifier) {
            Some(Number::LATEST) => Err(Error::LatestProvisioned),
            Some(version) => {
                let mut aliases = self.common.aliases.iter();
                let provisioned = |(name, alias): (&String, &Alias)| {
                    alias.names(version) && self.common.provisioned.contains_key(name)
                };
                if aliases.any(provisioned) {
                    return Err(Error::AliasOfVersionProvisioned);
                }
                self.version(Some(qualifier)).map(drop)
            }
            None => {
                let alias = self.alias(qualifier)?;
                if alias.second.is_some() {
                    return Err(Error::WeightedAliasProvisioned);
                }
                self.check_alias_provisionable(alias)
            }
        }
    }

    /// Whether an alias that asks for instances may change to this.
    pub(crate) fn check_provisioned_alias(&self, name: &str, alias: &Alias) -> Result<(), Error> {
        match self.common.provisioned.contains_key(name) {
            true => self.check_alias_provisionable(alias),
            false => Ok(()),
        }
    }

    fn check_alias_provisionable(&self, alias: &Alias) -> Result<(), Error> {
        if alias.version == Number::LATEST {
            return Err(Error::LatestProvisioned);
        }
        let versions = [Some(alias.version), alias.second.map(|(second, _)| second)];
        let provisioned =
            |version: Number| self.common.provisioned.contains_key(&version.to_string());
        match versions.into_iter().flatten().any(provisioned) {
            true => Err(Error::VersionOfAliasProvisioned),
            false => Ok(()),
        }
    }

    /// What a qualifier that names a version or an alias asks for.
    pub(crate) fn provisioned(&self, qualifier: &str) -> Result<Option<&Provisioned>, Error> {
        match Number::parse(qualifier) {
            Some(Number::LATEST) => return Err(Error::NeitherAliasNorVersion),
            Some(_) => self.version(Some(qualifier)).map(drop)?,
            None => self.alias(qualifier).map(drop)?,
        }
        Ok(self.common.provisioned.get(qualifier))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        code::Code, invoke::concurrency::FunctionKey, settings::Settings, version::Version,
    };
    use kit::{AccountId, Region, Tags};

    /// A function with the versions 1 and 2 and the alias `live` of both.
    fn function(weight: f64) -> Function {
        let (account, region) = (AccountId::DEFAULT, Region::default());
        let key = FunctionKey { account, region, name: "f".to_owned() };
        let code = Code {
            sha256: "a".repeat(64),
            bytes: 1,
            blob: "a".repeat(32).try_into().expect("the form of a blob's id"),
            folder: None,
        };
        let latest = Version::first(Settings::default(), code, Millis(0));
        let mut function = Function::new(key, latest, Tags::new());
        let alias = Alias::new(Number(1), String::new(), Some((Number(2), weight))).unwrap();
        function.common.aliases.insert("live".to_owned(), alias);
        function
    }

    #[test]
    fn shares_add_up_to_what_was_asked_for() {
        for weight in [0.0, 0.01, 0.3, 0.5, 0.99, 1.0] {
            let function = function(weight);
            for count in 1..50 {
                let shares = function.shares("live", count);
                assert_eq!(shares.iter().map(|(_, share)| share).sum::<u32>(), count);
            }
        }
        assert_eq!(function(0.3).shares("live", 10), [(Number(1), 7), (Number(2), 3)]);
        assert_eq!(function(1.0).shares("live", 10), [(Number(2), 10)]);
        assert_eq!(function(0.3).shares("2", 4), [(Number(2), 4)]);
    }
}
