//! Policies in the form in which they are evaluated: read once, kept until they change.

use std::{collections::HashMap, ops::Range};

use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use super::{
    Facts, Key,
    condition::Condition,
    pattern::{Case, Glob, Grammar},
    principal::{Naming, Principals, Who},
};

/// A policy, compiled.
#[derive(Clone, Debug, Default)]
pub(crate) struct Compiled {
    pub(crate) statements: Vec<Statement>,
}

/// One statement of it.
#[derive(Clone, Debug)]
pub(crate) struct Statement {
    pub(crate) sid: Option<String>,
    pub(crate) effect: Effect,
    /// Where it stands in the document, in bytes.
    pub(crate) place: Range<usize>,
    principals: Option<Principals>,
    actions: Actions,
    resources: Resources,
    conditions: Vec<Condition>,
}

/// What a statement does when it matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    Allow,
    Deny,
}

/// `Action` or `NotAction`, by service: AWS's own policies list a thousand.
#[derive(Clone, Debug)]
struct Actions {
    /// By what stands in front of the colon, in lower case.
    of_services: HashMap<String, Vec<Glob>>,
    /// Those with a wildcard there: `*`.
    others: Vec<Glob>,
    negated: bool,
}

/// `Resource` or `NotResource`.
#[derive(Clone, Debug)]
struct Resources {
    patterns: Vec<Glob>,
    negated: bool,
}

/// A text that is no policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the text is not a policy document")]
pub(crate) struct NotAPolicy;

#[derive(Deserialize)]
struct Document<'a> {
    #[serde(rename = "Version")]
    version: Option<String>,
    #[serde(rename = "Statement", borrow)]
    statement: &'a RawValue,
}

/// A call, as statements are asked about it.
pub(crate) struct Asked<'a> {
    /// `sqs:SendMessage`
    pub(crate) action: &'a str,
    /// What stands in front of its colon, in lower case.
    pub(crate) service: String,
    /// An ARN, or `*` where the action knows no resources.
    pub(crate) resource: &'a str,
    pub(crate) who: &'a Who<'a>,
    /// Whether who asks has a permissions boundary.
    pub(crate) bounded: bool,
    pub(crate) facts: &'a dyn Facts,
}

impl Compiled {
    /// Reads a document. What has been checked when it was stored is not checked again; what cannot
    /// be understood matches nothing.
    pub(crate) fn parse(document: &str) -> Result<Compiled, NotAPolicy> {
        let read: Document = serde_json::from_str(document).map_err(|_| NotAPolicy)?;
        let variables = read.version.as_deref() == Some("2012-10-17");
        let raw = read.statement.get();
        let texts: Vec<&RawValue> = match raw.starts_with('[') {
            true => serde_json::from_str(raw).map_err(|_| NotAPolicy)?,
            false => vec![read.statement],
        };
        let statements = texts.into_iter().map(|text| {
            let start = text.get().as_ptr() as usize - document.as_ptr() as usize;
            Statement::parse(text.get(), start..start + text.get().len(), variables)
        });
        Ok(Compiled { statements: statements.collect::<Result<_, _>>()? })
    }
}

impl Compiled {
    /// The context keys that its statements name.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.statements.iter().flat_map(Statement::keys)
    }

    /// Whether a statement allows any action of a service, `s3`.
    pub(crate) fn grants(&self, service: &str) -> bool {
        let mut allowing = self.statements.iter().filter(|it| it.effect == Effect::Allow);
        allowing.any(|statement| statement.speaks_of(service))
    }

    /// The context keys for want of which a statement does not speak of this call.
    pub(crate) fn missing<'a>(&'a self, asked: &'a Asked<'_>) -> impl Iterator<Item = &'a Key> {
        self.statements.iter().flat_map(|statement| statement.missing(asked))
    }
}

impl Statement {
    fn parse(text: &str, place: Range<usize>, variables: bool) -> Result<Statement, NotAPolicy> {
        let statement: Value = serde_json::from_str(text).map_err(|_| NotAPolicy)?;
        let effect = match statement["Effect"].as_str() {
            Some("Allow") => Effect::Allow,
            Some("Deny") => Effect::Deny,
            _ => return Err(NotAPolicy),
        };
        let principals = match (statement.get("Principal"), statement.get("NotPrincipal")) {
            (Some(listed), _) => Some(Principals::parse(listed, false)),
            (None, Some(listed)) => Some(Principals::parse(listed, true)),
            (None, None) => None,
        };
        let conditions = statement.get("Condition");
        Ok(Statement {
            sid: statement["Sid"].as_str().filter(|sid| !sid.is_empty()).map(str::to_owned),
            effect,
            place,
            principals,
            actions: Actions::of(&statement),
            resources: Resources::of(&statement, variables),
            conditions: conditions.map_or(Vec::new(), |it| Condition::parse(it, variables)),
        })
    }

    /// The context keys that it names.
    fn keys(&self) -> impl Iterator<Item = &Key> {
        let resources = self.resources.patterns.iter().flat_map(Glob::keys);
        resources.chain(self.conditions.iter().flat_map(Condition::keys))
    }

    /// The context keys for want of which it does not speak of a call whose action and resource are
    /// its own.
    fn missing<'a>(&'a self, asked: &'a Asked<'_>) -> impl Iterator<Item = &'a Key> {
        let speaks = self.actions.matches(asked) && self.resources.matches(asked);
        let failing = self.conditions.iter().filter(|it| !it.holds(asked.facts));
        let keys = failing.filter(move |_| speaks).flat_map(Condition::keys);
        keys.filter(|key| asked.facts.values(key.lower()).is_none())
    }

    /// Whether it speaks of a call that an identity makes.
    pub(crate) fn applies(&self, asked: &Asked<'_>) -> bool {
        self.actions.matches(asked)
            && self.resources.matches(asked)
            && self.conditions.iter().all(|condition| condition.holds(asked.facts))
    }

    /// Whether an action of this service may be meant.
    fn speaks_of(&self, service: &str) -> bool {
        let Actions { of_services, others, negated } = &self.actions;
        let mut patterns = of_services.values().flatten().chain(others);
        match negated {
            false => patterns.any(|it| it.reaches(service)),
            true => !patterns.any(|it| it.covers(service)),
        }
    }

    /// How directly it names who makes the call, if it speaks of it; for policies of resources.
    pub(crate) fn names(&self, asked: &Asked<'_>) -> Naming {
        let Some(principals) = &self.principals else { return Naming::No };
        // Who has a boundary is denied, whomever `NotPrincipal` excepts.
        let all = asked.bounded && self.effect == Effect::Deny && principals.is_negated();
        let naming = if all { Naming::Itself } else { principals.naming(asked.who) };
        if naming != Naming::No && self.applies(asked) { naming } else { Naming::No }
    }
}

impl Actions {
    fn of(statement: &Value) -> Actions {
        let grammar = Grammar { wildcards: true, variables: false, case: Case::Insensitive };
        let (texts, negated) = listed(statement, "Action", "NotAction");
        let mut actions = Actions { of_services: HashMap::new(), others: Vec::new(), negated };
        for text in texts {
            let service = service(text);
            let patterns = match service.contains(['*', '?']) {
                true => &mut actions.others,
                false => actions.of_services.entry(service).or_default(),
            };
            patterns.push(Glob::parse(text, grammar));
        }
        actions
    }

    fn matches(&self, asked: &Asked<'_>) -> bool {
        let of_service = self.of_services.get(&asked.service).into_iter().flatten();
        let mut patterns = of_service.chain(&self.others);
        self.negated != patterns.any(|pattern| pattern.matches(asked.action, asked.facts))
    }
}

/// What stands in front of an action's colon, in lower case.
pub(crate) fn service(action: &str) -> String {
    action.split(':').next().unwrap_or_default().to_ascii_lowercase()
}

impl Resources {
    fn of(statement: &Value, variables: bool) -> Resources {
        let (texts, negated) = listed(statement, "Resource", "NotResource");
        let patterns = texts.map(|text| Glob::resource(text, variables)).collect();
        Resources { patterns, negated }
    }

    fn matches(&self, asked: &Asked<'_>) -> bool {
        let mut patterns = self.patterns.iter();
        self.negated != patterns.any(|pattern| pattern.matches(asked.resource, asked.facts))
    }
}

/// The texts of an element or of its negation, and whether it is that. A policy that is part of a
/// resource may leave the resource unnamed: no text, negated, is all.
fn listed<'a>(
    statement: &'a Value,
    name: &str,
    negation: &str,
) -> (impl Iterator<Item = &'a str>, bool) {
    let (element, negated) = match statement.get(name) {
        Some(element) => (Some(element), false),
        None => (statement.get(negation), true),
    };
    let texts = element.into_iter().flat_map(|element| {
        let one = std::slice::from_ref(element);
        element.as_array().map_or(one, Vec::as_slice).iter().filter_map(Value::as_str)
    });
    (texts, negated)
}
