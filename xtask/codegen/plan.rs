//! What is generated for one service: rows for all that its operations reach, types for what the
//! chosen operations reach, and the names of both.

use std::collections::{HashMap, HashSet};

use anyhow::{Context, ensure};

use super::{
    names::{self, Distinct},
    reach::reachable,
};
use crate::{
    model::{Body, Kind, Model, Operation, Shape},
    selection::Choice,
};

/// Of shapes whose name is taken.
const SUFFIX: &str = "Shape";

/// Everything that the two files of a service are written from.
pub(super) struct Plan<'a> {
    pub(super) service: &'a str,
    pub(super) choice: &'a Choice,
    pub(super) model: &'a Model,
    /// Rows of the shape table, in the model's order.
    pub(super) rows: Vec<(&'a str, &'a Shape)>,
    /// A shape's index in `rows`.
    pub(super) index: HashMap<&'a str, usize>,
    /// Operations with types, and their indexes in the model.
    pub(super) calls: Vec<Call<'a>>,
    /// Structures and enumerations with a type, and its name.
    pub(super) types: HashMap<&'a str, String>,
}

/// One typed operation.
pub(super) struct Call<'a> {
    pub(super) name: &'a str,
    pub(super) index: usize,
    pub(super) operation: &'a Operation,
}

impl<'a> Plan<'a> {
    pub(super) fn new(
        service: &'a str,
        choice: &'a Choice,
        model: &'a Model,
    ) -> anyhow::Result<Plan<'a>> {
        let everything = model.operations.values().flat_map(Operation::shapes);
        let reached = reachable(model, everything)?;
        let rows: Vec<(&str, &Shape)> = model
            .shapes
            .iter()
            .map(|(name, shape)| (name.as_str(), shape))
            .filter(|(name, _)| reached.contains(name))
            .collect();
        let index = rows.iter().enumerate().map(|(index, (name, _))| (*name, index)).collect();
        let calls = calls(choice, model)?;
        let types = types(&calls, model, &rows)?;
        Ok(Plan { service, choice, model, rows, index, calls, types })
    }
}

impl Call<'_> {
    /// The shape of the events that follow the output, if any do.
    pub(super) fn events<'a>(&self, model: &'a Model) -> Option<&'a str> {
        let output = &model.shapes[&self.operation.output.as_ref()?.shape];
        let members = output.members.values().map(|member| member.shape.as_str());
        members.into_iter().find_map(|shape| {
            let (name, shape) = model.shapes.get_key_value(shape)?;
            shape.eventstream.then_some(name.as_str())
        })
    }

    /// `SendMessageInput` and its shape, `SendMessageOutput` and its shape.
    pub(super) fn bodies(&self) -> [(String, Option<&str>); 2] {
        let Operation { input, output, .. } = self.operation;
        [("Input", input), ("Output", output)].map(|(side, body)| {
            (format!("{}{side}", self.name), body.as_ref().map(|body| body.shape.as_str()))
        })
    }
}

impl Operation {
    fn shapes(&self) -> impl Iterator<Item = &str> {
        self.bodies().chain(&self.errors).map(|body| body.shape.as_str())
    }

    fn bodies(&self) -> impl Iterator<Item = &Body> {
        self.input.iter().chain(&self.output)
    }
}

fn calls<'a>(choice: &Choice, model: &'a Model) -> anyhow::Result<Vec<Call<'a>>> {
    let mut calls = Vec::new();
    for name in choice.typed() {
        let (index, name, operation) =
            model.operations.get_full(name).with_context(|| format!("no operation {name}"))?;
        let input = operation.input.as_ref().map(|input| &model.shapes[&input.shape]);
        let mut members = input.iter().flat_map(|input| input.members.values());
        let streams = members.any(|member| model.shapes[&member.shape].eventstream);
        ensure!(!streams, "{name}: inputs that stream have no types");
        calls.push(Call { name, index, operation });
    }
    let names: HashSet<&str> = calls.iter().map(|call| call.name).collect();
    ensure!(names.len() == calls.len(), "an operation is selected twice");
    Ok(calls)
}

/// Names the structures and enumerations of the typed operations. An operation's own names come
/// first; a shape that has one of them for something else is called `…Shape`.
fn types<'a>(
    calls: &[Call<'a>],
    model: &'a Model,
    rows: &[(&'a str, &'a Shape)],
) -> anyhow::Result<HashMap<&'a str, String>> {
    let mut taken = Distinct::default();
    for call in calls {
        taken.take(call.name.to_owned(), SUFFIX);
        for (alias, shape) in call.bodies() {
            if shape != Some(&alias) {
                taken.take(alias, SUFFIX);
            }
        }
    }
    let bodies = calls.iter().flat_map(|call| call.operation.bodies());
    let reached = reachable(model, bodies.map(|body| body.shape.as_str()))?;
    let typed = rows.iter().filter(|(name, shape)| reached.contains(name) && has_type(shape));
    let mut types = HashMap::new();
    for (name, _) in typed {
        types.insert(*name, taken.take(names::type_name(name), SUFFIX));
    }
    Ok(types)
}

/// Other shapes are types of Rust's or of `wire`.
fn has_type(shape: &Shape) -> bool {
    match shape.kind {
        Kind::Structure => !shape.document,
        Kind::String => !shape.names.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::selection::{Protocol, Validation};

    #[test]
    fn a_shape_that_has_the_name_of_an_operation_is_renamed() {
        let model: Model = serde_json::from_str(
            r#"{"metadata": {"apiVersion": "1"},
            "operations": {
                "Paint": {"http": {"method": "POST", "requestUri": "/"},
                    "input": {"shape": "PaintInput"}, "output": {"shape": "Paint"}},
                "Wash": {"http": {"method": "POST", "requestUri": "/"},
                    "input": {"shape": "Water"}}
            },
            "shapes": {
                "PaintInput": {"type": "structure"},
                "Paint": {"type": "structure", "members": {"Colour": {"shape": "colour"}}},
                "colour": {"type": "string", "enum": ["red"]},
                "Water": {"type": "structure"},
                "Unused": {"type": "string"}
            }}"#,
        )
        .unwrap();
        let choice = Choice {
            scopes: Vec::new(),
            protocols: vec![Protocol::Json],
            validation: Validation::Own,
            operations: "Paint".to_owned(),
        };
        let plan = Plan::new("art", &choice, &model).unwrap();
        let rows: Vec<_> = plan.rows.iter().map(|(name, _)| *name).collect();
        assert_eq!(rows, ["PaintInput", "Paint", "colour", "Water"]);
        let types = [("PaintInput", "PaintInput"), ("Paint", "PaintShape"), ("colour", "Colour")];
        let types = types.map(|(shape, name)| (shape, name.to_owned()));
        assert_eq!(plan.types, HashMap::from(types));
    }
}
