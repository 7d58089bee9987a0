//! Patches over the models: `models/overlay/NAME.json` is a list of JSON merge patches (RFC 7396),
//! each with the reason why AWS's service differs from its published model.

use std::{fs, path::Path};

use anyhow::{Context, ensure};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::model::Model;

/// Reads a service's model with its patches applied.
pub(super) fn load(root: &Path, service: &str) -> anyhow::Result<Model> {
    let base = root.join(format!("models/{service}.json"));
    let patches = root.join(format!("models/overlay/{service}.json"));
    let base = fs::read_to_string(&base)
        .with_context(|| format!("{}: run `cargo xtask models`", base.display()))?;
    let patches = if patches.exists() { fs::read_to_string(&patches)? } else { "[]".to_owned() };
    patched(&base, &patches)
}

fn patched(base: &str, patches: &str) -> anyhow::Result<Model> {
    let patches: Vec<Patch> = serde_json::from_str(patches).context("the overlay")?;
    if patches.is_empty() {
        return serde_json::from_str(base).context("the model");
    }
    let mut model: Json = serde_json::from_str(base).context("the model")?;
    for Patch { why, patch } in patches {
        ensure!(!why.is_empty(), "a patch has no reason");
        merge(&mut model, patch);
    }
    serde_json::from_str(&serde_json::to_string(&model)?).context("the patched model")
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Patch {
    why: String,
    patch: Json,
}

/// JSON that keeps the order of members, which `serde_json::Value` does not.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Json {
    Object(IndexMap<String, Json>),
    Array(Vec<Json>),
    Bool(bool),
    Number(serde_json::Number),
    String(String),
    Null(()),
}

fn merge(target: &mut Json, patch: Json) {
    let Json::Object(patch) = patch else {
        *target = patch;
        return;
    };
    if !matches!(target, Json::Object(_)) {
        *target = Json::Object(IndexMap::new());
    }
    let Json::Object(target) = target else { return };
    for (name, value) in patch {
        if matches!(value, Json::Null(())) {
            target.shift_remove(&name);
            continue;
        }
        merge(target.entry(name).or_insert(Json::Null(())), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = r#"{
        "metadata": {"apiVersion": "1"},
        "operations": {},
        "shapes": {
            "Colour": {"type": "string", "enum": ["red"], "max": 9},
            "Paint": {"type": "structure", "members": {
                "Z": {"shape": "Colour"}, "A": {"shape": "Colour"}
            }}
        }
    }"#;

    #[test]
    fn a_patch_sets_and_removes_and_keeps_the_order_of_members() {
        let patch = r#"[{"why": "open", "patch": {"shapes": {
            "Colour": {"enum": null, "min": 1},
            "Paint": {"members": {"Z": {"locationName": "z"}}}
        }}}]"#;
        let model = patched(BASE, patch).unwrap();
        let colour = &model.shapes["Colour"];
        assert!(colour.names.is_empty());
        assert_eq!(colour.min, Some(1.into()));
        assert_eq!(colour.max, Some(9.into()));
        let members: Vec<_> = model.shapes["Paint"].members.keys().collect();
        assert_eq!(members, ["Z", "A"]);
        assert_eq!(model.shapes["Paint"].members["Z"].location_name.as_deref(), Some("z"));
    }

    #[test]
    fn a_patch_needs_a_reason() {
        assert!(patched(BASE, r#"[{"patch": {}}]"#).is_err());
        assert!(patched(BASE, r#"[{"why": "", "patch": {}}]"#).is_err());
    }
}
