//! Which shapes lie within which.

use std::collections::HashSet;

use anyhow::Context;

use crate::model::{Kind, Model, Shape};

/// The shapes that the given ones consist of, themselves included.
pub(super) fn reachable<'a>(
    model: &'a Model,
    from: impl IntoIterator<Item = &'a str>,
) -> anyhow::Result<HashSet<&'a str>> {
    let mut found = HashSet::new();
    let mut open: Vec<&str> = from.into_iter().collect();
    while let Some(name) = open.pop() {
        let shape = model.shapes.get(name).with_context(|| format!("no shape {name}"))?;
        if found.insert(name) {
            open.extend(parts(shape));
        }
    }
    Ok(found)
}

/// Whether a value of structure `owner` would hold a value of `owner` through the member of shape
/// `part` without a list or map between: it must be boxed.
pub(super) fn contains_itself(model: &Model, owner: &str, part: &str) -> bool {
    let mut seen = HashSet::new();
    let mut open = vec![part];
    while let Some(name) = open.pop() {
        let shape = &model.shapes[name];
        if shape.kind != Kind::Structure || !seen.insert(name) {
            continue;
        }
        if name == owner {
            return true;
        }
        open.extend(parts(shape));
    }
    false
}

fn parts(shape: &Shape) -> impl Iterator<Item = &str> {
    let members = shape.members.values().chain(&shape.member).chain(&shape.key).chain(&shape.value);
    members.map(|member| member.shape.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model() -> Model {
        serde_json::from_str(
            r#"{"metadata": {"apiVersion": "1"}, "operations": {}, "shapes": {
                "Tree": {"type": "structure", "members": {
                    "Left": {"shape": "Branch"}, "Leaves": {"shape": "Trees"}}},
                "Branch": {"type": "structure", "members": {"Next": {"shape": "Tree"}}},
                "Trees": {"type": "list", "member": {"shape": "Tree"}},
                "Root": {"type": "structure", "members": {"Tree": {"shape": "Tree"}}},
                "Alone": {"type": "string"}
            }}"#,
        )
        .unwrap()
    }

    #[test]
    fn recursion_ends_at_lists() {
        let model = model();
        assert!(contains_itself(&model, "Tree", "Branch"));
        assert!(contains_itself(&model, "Branch", "Tree"));
        assert!(!contains_itself(&model, "Tree", "Trees"));
        assert!(!contains_itself(&model, "Root", "Tree"));
    }

    #[test]
    fn reachable_shapes_are_found_once() {
        let model = model();
        let found = reachable(&model, ["Tree"]).unwrap();
        assert_eq!(found, HashSet::from(["Tree", "Branch", "Trees"]));
        assert!(reachable(&model, ["Nothing"]).is_err());
    }
}
