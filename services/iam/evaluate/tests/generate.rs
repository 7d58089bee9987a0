//! Random policies and calls, from alphabets so small that they often match.

use std::collections::BTreeMap;

use proptest::{collection::vec, prelude::*, sample};
use serde_json::{Map, Value, json};

/// Values by context key.
pub(super) type Context = BTreeMap<&'static str, Vec<&'static str>>;

/// A call and the policies of the identity that makes it.
#[derive(Clone, Debug)]
pub(super) struct Trial {
    pub(super) policies: Vec<Vec<Value>>,
    pub(super) action: &'static str,
    pub(super) resource: &'static str,
    pub(super) context: Context,
}

/// Operators of one type, a key that has such values, and values for it.
#[derive(Debug)]
struct Family {
    operators: &'static [&'static str],
    key: &'static str,
    wanted: &'static [&'static str],
    given: &'static [&'static str],
}

const ACTIONS: [&str; 4] = ["s3:GetObject", "s3:PutObject", "s3:GetObjectAcl", "sqs:SendMessage"];
const ACTION_PATTERNS: &[&str] =
    &["*", "s3:*", "s3:Get*", "S3:getobject", "s3:?etObject", "s3:*Object", "sqs:*", "*:*t*"];
const RESOURCES: [&str; 6] = [
    "arn:aws:s3:::b",
    "arn:aws:s3:::b/k",
    "arn:aws:s3:::b/ana/k",
    "arn:aws:s3:::b/*/k",
    "arn:aws:sqs:us-east-1:111122223333:q",
    "arn:aws:sqs:eu-west-1:111122223333:queue",
];
const RESOURCE_PATTERNS: &[&str] = &[
    "*",
    "arn:aws:s3:::*",
    "arn:aws:s3:::b",
    "arn:aws:s3:::b/*",
    "arn:aws:s3:::?/k",
    "arn:aws:s3:::*/k",
    "arn:aws:s3:::b/${aws:username}/*",
    "arn:aws:s3:::b/${aws:username, 'ana'}/k",
    "arn:aws:s3:::b/${*}/k",
    "arn:aws:*:*:*:*",
    "arn:aws:sqs:*",
    "arn:aws:sqs:*:q",
    "arn:aws:sqs:*:*:q*",
    "arn:aws:sqs:us-*-1:111122223333:q",
];
static FAMILIES: [Family; 9] = [
    Family {
        operators: &[
            "StringEquals",
            "StringNotEquals",
            "StringEqualsIgnoreCase",
            "StringNotEqualsIgnoreCase",
            "StringLike",
            "StringNotLike",
        ],
        key: "aws:username",
        wanted: &["ana", "ANA", "a*", "?na", "*", "", "${aws:username}"],
        given: &["ana", "Ana", "a*", ""],
    },
    Family {
        operators: &[
            "ForAllValues:StringEquals",
            "ForAllValues:StringNotEquals",
            "ForAllValues:StringLike",
            "ForAllValues:StringNotLike",
            "ForAnyValue:StringEquals",
            "ForAnyValue:StringNotEquals",
            "ForAnyValue:StringLike",
            "ForAnyValue:StringNotEqualsIgnoreCase",
            "StringEquals",
            "StringNotLike",
        ],
        key: "aws:TagKeys",
        wanted: &["a", "B", "b*", "*", ""],
        given: &["a", "b", "bc", ""],
    },
    Family {
        operators: &[
            "NumericEquals",
            "NumericNotEquals",
            "NumericLessThan",
            "NumericLessThanEquals",
            "NumericGreaterThan",
            "NumericGreaterThanEquals",
        ],
        key: "s3:max-keys",
        wanted: &["9", "10", "10.5"],
        given: &["9", "10.0", "11", "ten"],
    },
    Family {
        operators: &[
            "DateEquals",
            "DateNotEquals",
            "DateLessThan",
            "DateLessThanEquals",
            "DateGreaterThan",
            "DateGreaterThanEquals",
        ],
        key: "aws:CurrentTime",
        wanted: &["2026-01-01T00:00:00Z", "1767225600", "2026-01-01"],
        given: &["2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00", "1767225601", "never"],
    },
    Family {
        operators: &["Bool"],
        key: "aws:SecureTransport",
        wanted: &["true", "false"],
        given: &["true", "false"],
    },
    Family {
        operators: &["IpAddress", "NotIpAddress"],
        key: "aws:SourceIp",
        wanted: &["10.0.0.0/8", "10.1.2.3", "0.0.0.0/0", "2001:db8::/32"],
        given: &["10.1.2.3", "10.255.0.1", "192.0.2.1", "2001:db8::1"],
    },
    Family {
        operators: &["ArnEquals", "ArnNotEquals", "ArnLike", "ArnNotLike"],
        key: "aws:SourceArn",
        wanted: &["arn:aws:sns:*:*:t", "arn:aws:sns:us-east-1:1:t", "arn:aws:sns:*:t"],
        given: &["arn:aws:sns:us-east-1:1:t", "arn:aws:sns:us-east-1:1:t:sub", "t"],
    },
    Family {
        operators: &["BinaryEquals"],
        key: "k:bytes",
        wanted: &["QUJD", "qujd"],
        given: &["QUJD", "REVG"],
    },
    Family { operators: &["Null"], key: "aws:TagKeys", wanted: &["true"], given: &["a", ""] },
];

fn some_of(list: &'static [&'static str]) -> impl Strategy<Value = Value> {
    sample::subsequence(list, 1..=2).prop_map(|chosen| json!(chosen))
}

fn condition() -> impl Strategy<Value = (String, Value)> {
    let families = sample::select(FAMILIES.iter().collect::<Vec<_>>());
    families.prop_flat_map(|family| {
        let wanted = 1..=family.wanted.len().min(2);
        let wanted = sample::subsequence(family.wanted, wanted);
        let operator = sample::select(family.operators);
        (operator, wanted, proptest::bool::weighted(0.3)).prop_map(|(operator, wanted, suffix)| {
            let suffix = if suffix && operator != "Null" { "IfExists" } else { "" };
            (format!("{operator}{suffix}"), json!({family.key: wanted}))
        })
    })
}

/// A statement without a principal.
pub(super) fn statement(
    effect: impl Strategy<Value = &'static str>,
) -> impl Strategy<Value = Value> {
    let action =
        (sample::select(&["Action", "Action", "Action", "NotAction"]), some_of(ACTION_PATTERNS));
    let resource = (
        sample::select(&["Resource", "Resource", "Resource", "NotResource"]),
        some_of(RESOURCE_PATTERNS),
    );
    let conditions = prop_oneof![2 => vec(condition(), 0..=1), 1 => vec(condition(), 2)];
    (effect, action, resource, conditions).prop_map(|(effect, action, resource, conditions)| {
        let conditions: Map<String, Value> = conditions.into_iter().collect();
        let mut statement = json!({"Effect": effect, "Condition": conditions});
        statement[action.0] = action.1;
        statement[resource.0] = resource.1;
        statement
    })
}

/// `Allow` more often than `Deny`.
pub(super) fn effect() -> impl Strategy<Value = &'static str> {
    sample::select(&["Allow", "Allow", "Allow", "Deny"])
}

/// Keys of which some are absent; only `aws:TagKeys` may have several values.
fn context() -> impl Strategy<Value = Context> {
    let entry = |family: &'static Family| {
        let most = if family.key == "aws:TagKeys" { 3 } else { 1 };
        vec(sample::select(family.given), 0..=most).prop_map(|values| (family.key, values))
    };
    let entries: Vec<_> = FAMILIES[..FAMILIES.len() - 1].iter().map(entry).collect();
    entries.prop_map(|entries| entries.into_iter().filter(|(_, it)| !it.is_empty()).collect())
}

pub(super) fn trial() -> impl Strategy<Value = Trial> {
    let policies = vec(vec(statement(effect()), 1..=3), 2..=4);
    let asked = (sample::select(&ACTIONS), sample::select(&RESOURCES));
    (policies, asked, context()).prop_map(|(policies, (action, resource), context)| Trial {
        policies,
        action,
        resource,
        context,
    })
}

/// A document of these statements.
pub(super) fn document(statements: &[Value]) -> String {
    json!({"Version": "2012-10-17", "Statement": statements}).to_string()
}
