//! Aliases: names for versions, perhaps for two at once. Pure.

use kit::ids;
use serde::{Deserialize, Serialize};

use crate::{Error, version::Number};

/// An alias.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Alias {
    pub(crate) version: Number,
    pub(crate) description: String,
    /// A second version and its share of the invocations.
    pub(crate) second: Option<(Number, f64)>,
    /// `RevisionId`.
    pub(crate) revision: String,
}

impl Alias {
    pub(crate) fn new(
        version: Number,
        description: String,
        second: Option<(Number, f64)>,
    ) -> Result<Alias, Error> {
        let alias = Alias { version, description, second, revision: ids::uuid() };
        alias.check()?;
        Ok(alias)
    }

    /// Whether the two versions may share an alias.
    pub(crate) fn check(&self) -> Result<(), Error> {
        match self.second {
            Some((second, _)) if second == self.version => {
                Err(Error::VersionWeighedTwice(second.0))
            }
            Some(_) if self.version == Number::LATEST => Err(Error::LatestWeighed),
            _ => Ok(()),
        }
    }

    /// The version for one invocation; `roll` is from 0 to below 1.
    pub(crate) fn pick(&self, roll: f64) -> Number {
        match self.second {
            Some((second, weight)) if roll < weight => second,
            _ => self.version,
        }
    }

    /// Whether it names this version.
    pub(crate) fn names(&self, version: Number) -> bool {
        self.version == version || self.second.is_some_and(|(second, _)| second == version)
    }
}

/// Reads `AdditionalVersionWeights`: none or one.
pub(crate) fn second(weights: Option<&wire::Map<f64>>) -> Result<Option<(Number, f64)>, Error> {
    let Some(weights) = weights else { return Ok(None) };
    let Some((version, weight)) = weights.first_key_value() else { return Ok(None) };
    let shown = || {
        let shown = weights.iter().map(|(version, weight)| format!("{version}={weight:?}"));
        shown.collect::<Vec<_>>().join(", ")
    };
    if weights.values().any(|weight| !(0.0..=1.0).contains(weight)) {
        return Err(Error::WeightOutOfRange { weights: shown() });
    }
    if weights.len() > 1 {
        return Err(Error::TooManyWeights);
    }
    // The codec lets digits through; what is no version's number fails where it is looked up.
    Ok(Some((Number::parse(version).unwrap_or(Number(u64::MAX)), *weight)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weights(pairs: &[(&str, f64)]) -> Result<Option<(Number, f64)>, Error> {
        let weights = pairs.iter().map(|(key, weight)| ((*key).to_owned(), *weight)).collect();
        second(Some(&weights))
    }

    #[test]
    fn weights_share_the_invocations() {
        let alias = Alias::new(Number(1), String::new(), Some((Number(2), 0.25))).unwrap();
        assert_eq!((alias.pick(0.0), alias.pick(0.2499)), (Number(2), Number(2)));
        assert_eq!((alias.pick(0.25), alias.pick(0.9999)), (Number(1), Number(1)));
        let whole = Alias::new(Number(1), String::new(), Some((Number(2), 1.0))).unwrap();
        assert_eq!(whole.pick(0.9999), Number(2));
        assert!(alias.names(Number(1)) && alias.names(Number(2)) && !alias.names(Number(3)));
    }

    #[test]
    fn weights_out_of_bounds_are_refused_in_awss_words() {
        assert_eq!(weights(&[]).unwrap(), None);
        assert_eq!(weights(&[("2", 0.5)]).unwrap(), Some((Number(2), 0.5)));
        let text = |pairs| weights(pairs).unwrap_err().to_string();
        assert_eq!(
            text(&[("1", 0.1), ("2", 0.1)]),
            "Number of items in AdditionalVersionWeights cannot be greater than 1"
        );
        assert!(text(&[("2", 2.0)]).starts_with("1 validation error detected: Value '{2=2.0}' at"));
        assert!(text(&[("2", -1.0)]).contains("'{2=-1.0}'"));
    }

    #[test]
    fn two_versions_are_two_and_published() {
        let same = Alias::new(Number(1), String::new(), Some((Number(1), 0.5)));
        assert!(matches!(same, Err(Error::VersionWeighedTwice(1))));
        let latest = Alias::new(Number::LATEST, String::new(), Some((Number(1), 0.5)));
        assert!(matches!(latest, Err(Error::LatestWeighed)));
    }
}
