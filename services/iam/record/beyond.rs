//! What policies grant beyond what was seen. Conditions are left aside, and what cannot be told is
//! taken as used, so that nothing is called unused that is not.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use kit::AccountId;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::evaluate::{Compiled, Facts, Kind, Outcome, Policies, Request, Who, evaluate};

use super::scope::Scope;

type Seen = BTreeMap<String, BTreeSet<Scope>>;
type Statement = Map<String, Value>;

/// What one statement grants and was not used.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Beyond {
    /// What its policy is called.
    policy: String,
    /// Which statement of the policy, from 1.
    statement: usize,
    sid: Option<String>,
    /// Whether nothing of it was used.
    unused: bool,
    /// Actions of it that were not used.
    actions: Vec<String>,
    /// Resources of it that were not used.
    resources: Vec<String>,
    /// Wildcards of it, and the actions for which they were used.
    wide: BTreeMap<String, Vec<String>>,
}

/// What policies, each with its name, grant beyond what was seen; nothing of statements that were
/// used to the full.
pub(crate) fn beyond(account: AccountId, policies: &[(String, &str)], seen: &Seen) -> Vec<Beyond> {
    let mut found = Vec::new();
    for (name, text) in policies {
        let Ok(document) = serde_json::from_str::<Value>(text) else { continue };
        let one = std::slice::from_ref(&document["Statement"]);
        let statements = document["Statement"].as_array().map_or(one, Vec::as_slice);
        for (statement, number) in statements.iter().zip(1..) {
            let Some(statement) = statement.as_object() else { continue };
            if statement.get("Effect").and_then(Value::as_str) == Some("Allow") {
                found.extend(of_statement(account, (name, number), statement, seen));
            }
        }
    }
    found
}

fn of_statement(
    account: AccountId,
    (policy, number): (&str, usize),
    statement: &Statement,
    seen: &Seen,
) -> Option<Beyond> {
    let sid = statement.get("Sid").and_then(Value::as_str).map(str::to_owned);
    let used = |changed: Statement| used(account, &changed, seen);
    let mut beyond = Beyond {
        policy: policy.to_owned(),
        statement: number,
        sid,
        unused: used(statement.clone()).is_empty(),
        actions: Vec::new(),
        resources: Vec::new(),
        wide: BTreeMap::new(),
    };
    if beyond.unused {
        return Some(beyond);
    }
    for action in texts(statement.get("Action")) {
        let actions = used(with(statement, "Action", action));
        if actions.is_empty() {
            beyond.actions.push(action.to_owned());
        } else if action.contains(['*', '?']) {
            beyond.wide.insert(action.to_owned(), actions);
        }
    }
    for resource in texts(statement.get("Resource")) {
        if used(with(statement, "Resource", resource)).is_empty() {
            beyond.resources.push(resource.to_owned());
        }
    }
    let full = beyond.actions.is_empty() && beyond.resources.is_empty() && beyond.wide.is_empty();
    (!full).then_some(beyond)
}

/// The statement with one value in place of several.
fn with(statement: &Statement, element: &str, value: &str) -> Statement {
    let mut changed = statement.clone();
    changed.insert(element.to_owned(), value.into());
    changed
}

/// The actions for which a statement was used.
fn used(account: AccountId, statement: &Statement, seen: &Seen) -> Vec<String> {
    let mut open = statement.clone();
    open.remove("Condition");
    let resources: Vec<String> = texts(statement.get("Resource")).map(opened).collect();
    if !resources.is_empty() {
        open.insert("Resource".to_owned(), json!(resources));
    }
    let exact = compiled(&open);
    open.remove("NotResource");
    open.insert("Resource".to_owned(), json!("*"));
    let any = compiled(&open);
    let allows = |action: &str, scope: &Scope| match scope {
        Scope::One(resource) => allows(account, &exact, action, resource),
        Scope::Below(text) if text.is_empty() => allows(account, &exact, action, "*"),
        Scope::Below(text) => {
            let near = resources.is_empty() || resources.iter().any(|it| overlaps(it, text));
            near && allows(account, &any, action, text)
        }
    };
    let actions = seen.iter().filter(|(action, scopes)| scopes.iter().any(|it| allows(action, it)));
    actions.map(|(action, _)| action.clone()).collect()
}

fn compiled(statement: &Statement) -> Compiled {
    let document = json!({ "Version": "2012-10-17", "Statement": statement });
    Compiled::parse(&document.to_string()).unwrap_or_default()
}

fn allows(account: AccountId, policy: &Compiled, action: &str, resource: &str) -> bool {
    let who = Who { kind: Kind::User, account: Some(account), arn: "", role: None, id: "" };
    let request = Request { action, resource, owner: account, who, facts: &Nothing };
    let policies = Policies { identity: &[policy], ..Policies::default() };
    evaluate(&request, &policies).outcome == Outcome::Allowed
}

/// A pattern in which variables stand for anything.
fn opened(pattern: &str) -> String {
    let mut opened = String::new();
    let mut rest = pattern;
    while let Some((before, variable)) = rest.split_once("${") {
        let (name, behind) = variable.split_once('}').unwrap_or((variable, ""));
        opened.push_str(before);
        match name {
            "*" | "?" | "$" => opened.extend(["${", name, "}"]),
            _ => opened.push('*'),
        }
        rest = behind;
    }
    opened + rest
}

/// Whether a pattern may match something that begins so.
fn overlaps(pattern: &str, beginning: &str) -> bool {
    let letters = pattern.split(['*', '?', '$']).next().unwrap_or_default();
    letters.starts_with(beginning) || beginning.starts_with(letters)
}

fn texts(element: Option<&Value>) -> impl Iterator<Item = &str> {
    element.into_iter().flat_map(|element| {
        let one = std::slice::from_ref(element);
        element.as_array().map_or(one, Vec::as_slice).iter().filter_map(Value::as_str)
    })
}

/// No context: variables are opened and conditions left aside.
struct Nothing;

impl Facts for Nothing {
    fn values(&self, _: &str) -> Option<Vec<Cow<'_, str>>> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen() -> Seen {
        let calls = [
            ("s3:GetObject", "arn:aws:s3:::b/a"),
            ("s3:PutObject", "arn:aws:s3:::b/a"),
            ("sqs:SendMessage", "arn:aws:sqs:us-east-1:123456789012:q"),
            ("lambda:InvokeFunction", "arn:aws:lambda:us-east-1:123456789012:function:f:1"),
        ];
        let one = |(action, resource): (&str, &str)| {
            (action.to_owned(), BTreeSet::from([Scope::of(resource)]))
        };
        calls.into_iter().map(one).collect()
    }

    fn of(statement: Value) -> Option<Beyond> {
        let text = json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string();
        beyond(AccountId::DEFAULT, &[("p".to_owned(), &text)], &seen()).pop()
    }

    fn allow(actions: Value, resources: Value) -> Value {
        json!({ "Effect": "Allow", "Action": actions, "Resource": resources })
    }

    #[test]
    fn what_was_used_to_the_full_is_not_told() {
        for statement in [
            allow(json!(["s3:GetObject", "s3:putobject"]), json!("arn:aws:s3:::b/*")),
            allow(json!("sqs:SendMessage"), json!("*")),
            allow(json!("lambda:InvokeFunction"), json!("arn:aws:lambda:*:*:function:f:*")),
            allow(json!("s3:GetObject"), json!("arn:aws:s3:::b/${aws:username}")),
            json!({ "Effect": "Allow", "NotAction": "iam:*", "Resource": "*" }),
            json!({ "Effect": "Allow", "Action": "s3:GetObject", "Resource": "*",
                    "Condition": { "Bool": { "aws:SecureTransport": "true" } } }),
            json!({ "Effect": "Deny", "Action": "iam:*", "Resource": "*" }),
        ] {
            assert_eq!(of(statement.clone()), None, "{statement}");
        }
    }

    #[test]
    fn what_was_not_used_is_told() {
        let unused = of(allow(json!("sqs:*"), json!("arn:aws:sqs:*:*:other"))).unwrap();
        assert!(unused.unused);
        let some = of(allow(
            json!(["s3:*", "s3:DeleteObject", "sqs:SendMessage"]),
            json!(["arn:aws:s3:::b/*", "arn:aws:s3:::c/*", "arn:aws:sqs:*:*:q"]),
        ))
        .unwrap();
        assert!(!some.unused);
        assert_eq!(some.actions, ["s3:DeleteObject"]);
        assert_eq!(some.resources, ["arn:aws:s3:::c/*"]);
        let wide = ["s3:GetObject".to_owned(), "s3:PutObject".to_owned()].to_vec();
        assert_eq!(some.wide, BTreeMap::from([("s3:*".to_owned(), wide)]));
    }
}
