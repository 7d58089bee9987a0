//! Policy documents: whether a text is one. What is wrong is said in AWS's words and in the order in
//! which AWS looks: form, version, effects and dates, ids, actions, resources.
//!
//! `resources` holds the rules of resource ARNs.

mod resources;

use std::collections::BTreeSet;

use serde_json::{Map, Value};

const SYNTAX: &str = "Syntax errors in policy.";
const LEGACY: &str = "The policy failed legacy parsing";
const VERSIONS: [&str; 2] = ["2008-10-17", "2012-10-17"];
const TOP_ELEMENTS: [&str; 4] = ["Version", "Id", "Statement", "Conditions"];
const ELEMENTS: [&str; 9] = [
    "Sid",
    "Effect",
    "Principal",
    "NotPrincipal",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
];
const OPERATORS: [&str; 27] = [
    "StringEquals",
    "StringNotEquals",
    "StringEqualsIgnoreCase",
    "StringNotEqualsIgnoreCase",
    "StringLike",
    "StringNotLike",
    "NumericEquals",
    "NumericNotEquals",
    "NumericLessThan",
    "NumericLessThanEquals",
    "NumericGreaterThan",
    "NumericGreaterThanEquals",
    "DateEquals",
    "DateNotEquals",
    "DateLessThan",
    "DateLessThanEquals",
    "DateGreaterThan",
    "DateGreaterThanEquals",
    "Bool",
    "BinaryEquals",
    "IpAddress",
    "NotIpAddress",
    "ArnEquals",
    "ArnLike",
    "ArnNotEquals",
    "ArnNotLike",
    "Null",
];
/// What a trust policy may allow (service authorization reference of AWS STS).
const TRUST_ACTIONS: [&str; 6] = [
    "sts:AssumeRole",
    "sts:AssumeRoleWithSAML",
    "sts:AssumeRoleWithWebIdentity",
    "sts:SetContext",
    "sts:SetSourceIdentity",
    "sts:TagSession",
];

type Statement = Map<String, Value>;

/// The size that quotas count: characters that are not white space.
pub(crate) fn size(document: &str) -> usize {
    document.chars().filter(|letter| !letter.is_whitespace()).count()
}

/// Checks a policy of an identity, or one that narrows a session.
pub(crate) fn check_identity_policy(document: &str) -> Result<(), String> {
    let policy: Value = serde_json::from_str(document).map_err(|_| SYNTAX)?;
    let statements = statements(&policy)?;
    if policy.get("Version").and_then(Value::as_str) != Some("2012-10-17") {
        return Err("Policy document must be version 2012-10-17 or greater.".to_owned());
    }
    check_legacy(&statements)?;
    let resource_fault = resources::check_forms(&statements).map_err(|()| LEGACY)?;
    check_sids(&statements)?;
    check_actions_exist(&statements)?;
    resource_fault.map_or(Ok(()), Err)?;
    statements.iter().flat_map(|it| actions(it)).try_for_each(check_action)?;
    if statements.iter().any(|it| is_empty(it, "Resource") && is_empty(it, "NotResource")) {
        return Err("Policy statement must contain resources.".to_owned());
    }
    if statements.iter().any(|it| it.contains_key("Principal") || it.contains_key("NotPrincipal")) {
        return Err("Policy document should not specify a principal.".to_owned());
    }
    Ok(())
}

/// Checks a role's trust policy.
pub(crate) fn check_trust_policy(document: &str) -> Result<(), String> {
    let policy: Value =
        serde_json::from_str(document).map_err(|_| "This policy contains invalid Json")?;
    let statements = statements(&policy)?;
    check_legacy(&statements)?;
    check_sids(&statements)?;
    check_actions_exist(&statements)?;
    let allowed = |action: &str| TRUST_ACTIONS.iter().any(|it| it.eq_ignore_ascii_case(action));
    if !statements.iter().flat_map(|it| actions(it)).all(allowed) {
        return Err("AssumeRole policy may only specify STS AssumeRole actions.".to_owned());
    }
    for statement in &statements {
        if statement.contains_key("Resource") || statement.contains_key("NotResource") {
            return Err("Has prohibited field Resource".to_owned());
        }
        let principal = statement.get("Principal").ok_or("Missing required field Principal")?;
        if !is_principal(principal) {
            return Err(SYNTAX.to_owned());
        }
    }
    Ok(())
}

/// The statements of a policy whose form is right.
fn statements(policy: &Value) -> Result<Vec<&Statement>, &'static str> {
    let policy = policy.as_object().ok_or(SYNTAX)?;
    let version = policy.get("Version").map(|it| it.as_str().unwrap_or_default());
    let well_formed = policy.keys().all(|key| TOP_ELEMENTS.contains(&key.as_str()))
        && version.is_none_or(|it| VERSIONS.contains(&it))
        && policy.get("Id").is_none_or(Value::is_string);
    let statements = match policy.get("Statement") {
        Some(Value::Object(one)) => vec![one],
        Some(Value::Array(list)) => {
            list.iter().map(Value::as_object).collect::<Option<Vec<_>>>().ok_or(SYNTAX)?
        }
        _ => return Err(SYNTAX),
    };
    if well_formed && !statements.is_empty() && statements.iter().all(|it| is_statement(it)) {
        return Ok(statements);
    }
    Err(SYNTAX)
}

fn is_statement(statement: &Statement) -> bool {
    let effect = statement.get("Effect").and_then(Value::as_str).unwrap_or_default();
    let both =
        |one: &str, other: &str| statement.contains_key(one) && statement.contains_key(other);
    statement.keys().all(|key| ELEMENTS.contains(&key.as_str()))
        && ["Allow", "Deny"].iter().any(|it| it.eq_ignore_ascii_case(effect))
        && !both("Action", "NotAction")
        && !both("Resource", "NotResource")
        && ["Action", "NotAction", "Resource", "NotResource"]
            .iter()
            .all(|key| statement.get(*key).is_none_or(is_text_or_texts))
        && statement.get("Sid").is_none_or(Value::is_string)
        && statement.get("Condition").is_none_or(is_condition)
}

fn is_text_or_texts(value: &Value) -> bool {
    match value {
        Value::String(_) => true,
        Value::Array(list) => list.iter().all(|it| it.is_string() || it.is_null()),
        _ => false,
    }
}

fn is_condition(condition: &Value) -> bool {
    let is_block = |(operator, keys): (&String, &Value)| {
        let Some(keys) = keys.as_object() else { return false };
        let scalar = |it: &Value| it.is_string() || it.is_boolean() || it.is_number();
        let values = keys.values().all(|it| scalar(it) || it.is_array());
        values && (keys.is_empty() || OPERATORS.contains(&bare(operator)))
    };
    condition.as_object().is_some_and(|blocks| blocks.iter().all(is_block))
}

/// A condition operator without `ForAllValues:`, `ForAnyValue:` and `IfExists`.
fn bare(operator: &str) -> &str {
    let operator = operator.strip_prefix("ForAllValues:").unwrap_or(operator);
    let operator = operator.strip_prefix("ForAnyValue:").unwrap_or(operator);
    operator.strip_suffix("IfExists").unwrap_or(operator)
}

fn is_principal(principal: &Value) -> bool {
    const KINDS: [&str; 4] = ["AWS", "Service", "Federated", "CanonicalUser"];
    match principal {
        Value::String(all) => all == "*",
        Value::Object(kinds) => {
            !kinds.is_empty()
                && kinds
                    .iter()
                    .all(|(kind, whom)| KINDS.contains(&kind.as_str()) && is_text_or_texts(whom))
        }
        _ => false,
    }
}

/// What the form leaves open and AWS's older parser does not: the case of effects, and dates.
fn check_legacy(statements: &[&Statement]) -> Result<(), &'static str> {
    let fits = |statement: &&Statement| {
        let effect = statement.get("Effect").and_then(Value::as_str);
        let blocks = statement.get("Condition").and_then(Value::as_object);
        let dates = blocks
            .into_iter()
            .flatten()
            .filter(|(operator, _)| bare(operator).starts_with("Date"))
            .flat_map(|(_, keys)| keys.as_object().into_iter().flat_map(Map::values))
            .flat_map(texts);
        matches!(effect, Some("Allow" | "Deny")) && dates.into_iter().all(is_moment)
    };
    if statements.iter().all(fits) { Ok(()) } else { Err(LEGACY) }
}

/// A date with or without a time, or seconds since the epoch.
fn is_moment(text: &str) -> bool {
    if !text.contains(['-', 't', 'T']) {
        return text.parse::<i64>().is_ok_and(|seconds| seconds >= 0);
    }
    let date = text.split(['t', 'T']).next().unwrap_or_default();
    let mut parts = date.trim_start_matches('-').split('-');
    let mut within = |from: i64, to: i64| {
        parts.next().is_none_or(|it| it.parse().is_ok_and(|it: i64| (from..=to).contains(&it)))
    };
    // The years are those of AWS's clock.
    within(0, 292_278_993) && within(1, 12) && within(1, 31) && parts.next().is_none()
}

fn check_sids(statements: &[&Statement]) -> Result<(), &'static str> {
    let mut seen = BTreeSet::new();
    let sids = statements.iter().filter_map(|it| it.get("Sid")?.as_str());
    if sids.filter(|sid| !sid.is_empty()).all(|sid| seen.insert(sid)) {
        return Ok(());
    }
    Err("Statement IDs (SID) in a single policy must be unique.")
}

fn check_actions_exist(statements: &[&Statement]) -> Result<(), &'static str> {
    if statements.iter().any(|it| is_empty(it, "Action") && is_empty(it, "NotAction")) {
        return Err("Policy statement must contain actions.");
    }
    Ok(())
}

fn check_action(action: &str) -> Result<(), String> {
    if action == "*" {
        return Ok(());
    }
    let mut parts = action.split(':');
    let vendor = parts.next().unwrap_or_default();
    if parts.next().is_none() {
        let text = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.";
        return Err(text.to_owned());
    }
    if parts.next().is_some() {
        return Err("Actions/Condition can contain only one colon.".to_owned());
    }
    let fits = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '.');
    if vendor != "*" && !vendor.chars().all(fits) {
        return Err(format!("Vendor {vendor} is not valid"));
    }
    Ok(())
}

fn actions(statement: &Statement) -> impl Iterator<Item = &str> {
    ["Action", "NotAction"].into_iter().filter_map(|key| statement.get(key)).flat_map(texts)
}

/// Whether an element is missing or an empty list.
fn is_empty(statement: &Statement, key: &str) -> bool {
    statement.get(key).is_none_or(|it| it.as_array().is_some_and(Vec::is_empty))
}

/// A text, or the texts of a list.
fn texts(value: &Value) -> impl Iterator<Item = &str> {
    let list = value.as_array().into_iter().flatten().filter_map(Value::as_str);
    value.as_str().into_iter().chain(list)
}

#[cfg(test)]
mod tests;
