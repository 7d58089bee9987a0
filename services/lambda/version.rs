//! The versions of a function: `$LATEST`, which changes, and the numbered ones, which do not. Pure.

use std::fmt;

use kit::{Millis, ids};
use serde::{Deserialize, Serialize};

use crate::{code::Code, image::Content, name::LATEST, settings::Settings, snapshot::Snapshot};

/// Which version. Numbers are given once and rise; `$LATEST` is before all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct Number(pub(crate) u64);

impl Number {
    /// `$LATEST`.
    pub(crate) const LATEST: Number = Number(0);

    /// Reads `$LATEST` or a positive number in its only form; `None` for aliases.
    pub(crate) fn parse(text: &str) -> Option<Number> {
        if text == LATEST {
            return Some(Number::LATEST);
        }
        let number = text.parse().ok().filter(|number| *number > 0)?;
        (Number(number).to_string() == text).then_some(Number(number))
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Number::LATEST => f.write_str(LATEST),
            Number(number) => number.fmt(f),
        }
    }
}

/// Code and settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Version {
    pub(crate) number: Number,
    pub(crate) settings: Settings,
    pub(crate) code: Content,
    /// Given when it was published; else the settings' description is shown.
    pub(crate) description: Option<String>,
    /// `RevisionId`.
    pub(crate) revision: String,
    /// Another one for other code or settings: what instances run. A revision also counts what they
    /// do not notice, such as policies.
    #[serde(default)]
    pub(crate) build: String,
    pub(crate) modified: Millis,
    #[serde(default)]
    pub(crate) snapshot: Snapshot,
}

impl Version {
    /// A new function's `$LATEST`.
    pub(crate) fn first(settings: Settings, code: impl Into<Content>, now: Millis) -> Version {
        Version {
            number: Number::LATEST,
            settings,
            code: code.into(),
            description: None,
            revision: ids::uuid(),
            build: ids::uuid(),
            modified: now,
            snapshot: Snapshot::None,
        }
    }

    /// This `$LATEST` as a numbered version.
    pub(crate) fn published(&self, number: Number, description: Option<String>) -> Version {
        let snapshot = Snapshot::of(&self.settings);
        Version { number, description, revision: ids::uuid(), snapshot, ..self.clone() }
    }

    /// Whether `$LATEST` is still what it was when `self` was published.
    pub(crate) fn is_copy_of(&self, latest: &Version) -> bool {
        self.code.is_same(&latest.code) && self.settings == latest.settings
    }

    /// All packages that it runs: its own, unless it runs an image, and those of its layers.
    pub(crate) fn packages(&self) -> impl Iterator<Item = &Code> {
        self.code.package().into_iter().chain(self.settings.layers.iter().map(|layer| &layer.code))
    }

    /// `Description`.
    pub(crate) fn description(&self) -> &str {
        self.description.as_deref().unwrap_or(&self.settings.description)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_has_one_spelling() {
        assert_eq!(Number::parse("$LATEST"), Some(Number::LATEST));
        assert_eq!(Number::parse("12"), Some(Number(12)));
        for text in ["0", "012", "+1", "-1", "PROD", "", "99999999999999999999"] {
            assert_eq!(Number::parse(text), None, "{text}");
        }
        assert_eq!(
            (Number::LATEST.to_string(), Number(3).to_string()),
            ("$LATEST".into(), "3".into())
        );
    }
}
