//! Whole policies as callers write them for `PutResourcePolicy`. Pure.
//!
//! Taken: the elements that a function's policy needs. `NotPrincipal`, `NotAction` and `NotResource`
//! are refused by name.

use serde::Deserialize;
use serde_json::Value;

use super::{Policy, Statement};
use crate::Error;

const LANGUAGES: [&str; 2] = ["2008-10-17", "2012-10-17"];

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Given {
    version: Option<String>,
    id: Option<String>,
    statement: Value,
}

impl Policy {
    /// Reads a policy for the function, version or alias of this ARN.
    pub(crate) fn parse(text: &str, arn: &str) -> Result<Policy, Error> {
        let given: Given = serde_json::from_str(text).map_err(malformed)?;
        if let Some(version) = &given.version
            && !LANGUAGES.contains(&version.as_str())
        {
            return Err(malformed(format!("no version {version} of the language is known")));
        }
        let statements = match given.statement {
            Value::Array(_) => serde_json::from_value(given.statement).map_err(malformed)?,
            one => vec![serde_json::from_value(one).map_err(malformed)?],
        };
        let mut policy = Policy { language: given.version, id: given.id, ..Policy::new() };
        for statement in statements {
            policy.add(checked(statement, arn)?)?;
        }
        if policy.statements.is_empty() {
            return Err(malformed("it has no statement"));
        }
        Ok(policy)
    }
}

fn checked(statement: Statement, arn: &str) -> Result<Statement, Error> {
    if let Some(action) = statement.action.iter().find(|action| !is_action(action)) {
        return Err(malformed(format!("{action} is no action of Lambda")));
    }
    if let Some(other) = statement.resource.iter().find(|resource| *resource != arn) {
        return Err(malformed(format!("the resource {other} is not {arn}")));
    }
    if statement.action.iter().next().is_none() || statement.resource.iter().next().is_none() {
        return Err(malformed("a statement needs an action and a resource"));
    }
    let statement = Statement { principal: statement.principal.checked()?, ..statement };
    if statement.is_public() {
        return Err(Error::PublicPolicy);
    }
    Ok(statement)
}

/// `*`, `lambda:*` or `lambda:Word`, as in the model's pattern of `Action`.
fn is_action(text: &str) -> bool {
    let word = |word: &str| !word.is_empty() && word.bytes().all(|it| it.is_ascii_alphabetic());
    text == "*" || text.strip_prefix("lambda:").is_some_and(|rest| rest == "*" || word(rest))
}

fn malformed(cause: impl std::fmt::Display) -> Error {
    Error::MalformedPolicy(cause.to_string())
}
