//! Where the crate `iam-rs` does not do what AWS documents, or does not do at all what ours does.

use serde_json::{Value, json};

use super::generate::{Context, Trial};

/// A known difference, by the smallest part of a trial that shows it.
pub(super) struct Disagreement {
    pub(super) name: &'static str,
    /// What settles it: a title of the IAM user guide.
    pub(super) doc: &'static str,
    pub(super) applies: fn(&Part<'_>) -> bool,
    /// What shows it: `Resource` or `Condition`; a pattern for S3 is asked about
    /// `arn:aws:s3:::b/*/k`, everything else about `arn:aws:sqs:us-east-1:1:q`.
    pub(super) example: fn() -> (Value, Context),
}

/// A pattern of a resource, or a key under an operator, with what it is compared with.
pub(super) enum Part<'a> {
    Resource { pattern: &'a str, asked: &'a str, context: &'a Context },
    Condition { operator: &'a str, wanted: Vec<&'a str>, given: Option<&'a [&'static str]> },
}

const OPERATORS: &str = "IAM JSON policy elements: Condition operators";
const VARIABLES: &str = "IAM policy elements: Variables and tags";
const RESOURCE: &str = "IAM JSON policy elements: Resource";
const SETS: &str = "Single-valued vs. multivalued context keys";

pub(super) const DISAGREEMENTS: [Disagreement; 11] = [
    Disagreement {
        name: "a star at the end of a part does not reach over colons",
        doc: RESOURCE,
        applies: |part| match part {
            Part::Resource { pattern, asked, .. } => {
                *pattern != "*" && colons(pattern) < colons(asked)
            }
            Part::Condition { .. } => false,
        },
        example: || (json!({"Resource": "arn:aws:sqs:*:q"}), Context::new()),
    },
    Disagreement {
        name: "a pattern with a star for the service matches nothing",
        doc: "Not settled: the guide says that one cannot write it; both refuse or match, none is wrong",
        applies: |part| match part {
            Part::Resource { pattern, .. } => pattern.split(':').nth(2) == Some("*"),
            Part::Condition { .. } => false,
        },
        example: || (json!({"Resource": "arn:aws:*:*:*:*"}), Context::new()),
    },
    Disagreement {
        name: "a variable without a value is an empty text, stars in values are wildcards, `${*}` is none",
        doc: VARIABLES,
        applies: |part| match part {
            Part::Resource { pattern, context, .. } => {
                let value = context.get("aws:username").map(|values| values[0]);
                let absent = value.is_none() && !pattern.contains(", '");
                let wild = absent || value.is_some_and(|value| value.contains('*'));
                pattern.contains("${*}") || pattern.contains("${aws:") && wild
            }
            Part::Condition { .. } => false,
        },
        example: || {
            let resource = "arn:aws:sqs:us-east-1:1:${aws:username}";
            (json!({"Resource": resource}), Context::from([("aws:username", vec!["*"])]))
        },
    },
    Disagreement {
        name: "a star of a pattern stands only for a star where the resource has one",
        doc: RESOURCE,
        applies: |part| match part {
            Part::Resource { pattern, asked, .. } => pattern.contains("*") && asked.contains('*'),
            Part::Condition { .. } => false,
        },
        example: || (json!({"Resource": "arn:aws:s3:::b/*"}), Context::new()),
    },
    Disagreement {
        name: "variables in conditions are letters",
        doc: VARIABLES,
        applies: |part| condition(part, |_, wanted, _| wanted.iter().any(|it| it.contains("${"))),
        example: || {
            let condition = json!({"StringEquals": {"aws:username": "${aws:username}"}});
            (json!({"Condition": condition}), Context::from([("aws:username", vec!["ana"])]))
        },
    },
    Disagreement {
        name: "ArnEquals knows no wildcards, and those of ArnLike reach over colons",
        doc: OPERATORS,
        applies: |part| {
            condition(part, |operator, wanted, given| {
                let wild = wanted.iter().any(|it| it.contains('*'));
                let shorter = |given: &&str| wanted.iter().any(|it| colons(it) < colons(given));
                let equals = operator.contains("Equals");
                operator.starts_with("Arn")
                    && wild
                    && (equals || given.unwrap_or_default().iter().any(shorter))
            })
        },
        example: || {
            let condition = json!({"ArnEquals": {"aws:SourceArn": "arn:aws:sns:*:*:t"}});
            let arn = "arn:aws:sns:us-east-1:1:t";
            (json!({"Condition": condition}), Context::from([("aws:SourceArn", vec![arn])]))
        },
    },
    Disagreement {
        name: "a negation holds if one of several values differs, though no set was asked for",
        doc: "Not settled: the guide asks for set operators with such keys; ours is the stricter denial",
        applies: |part| {
            condition(part, |operator, _, given| {
                let several = given.is_some_and(|values| values.len() > 1);
                several && !operator.starts_with("For") && operator.contains("Not")
            })
        },
        example: || {
            let condition = json!({"StringNotLike": {"aws:TagKeys": ["a"]}});
            (json!({"Condition": condition}), Context::from([("aws:TagKeys", vec!["a", "b"])]))
        },
    },
    Disagreement {
        name: "to sets and to Null an empty text is a value",
        doc: SETS,
        applies: |part| {
            condition(part, |operator, _, given| {
                let empty = given.is_some_and(|values| values.iter().all(|it| it.is_empty()));
                empty && (operator.starts_with("For") || operator == "Null")
            })
        },
        example: || {
            let condition = json!({"ForAllValues:StringEquals": {"aws:TagKeys": ["a"]}});
            (json!({"Condition": condition}), Context::from([("aws:TagKeys", vec![""])]))
        },
    },
    Disagreement {
        name: "BinaryEquals does not count the capitals of base64",
        doc: OPERATORS,
        applies: |part| {
            condition(part, |operator, wanted, given| {
                operator.starts_with("Binary")
                    && wanted.contains(&"qujd")
                    && given == Some(&["QUJD"])
            })
        },
        example: || {
            let condition = json!({"BinaryEquals": {"k:bytes": "qujd"}});
            (json!({"Condition": condition}), Context::from([("k:bytes", vec!["QUJD"])]))
        },
    },
    Disagreement {
        name: "a day without a time is an error",
        doc: OPERATORS,
        applies: |part| {
            condition(part, |operator, wanted, _| {
                operator.starts_with("Date") && wanted.contains(&"2026-01-01")
            })
        },
        example: || {
            let condition = json!({"DateLessThan": {"aws:CurrentTime": "2026-01-01"}});
            (
                json!({"Condition": condition}),
                Context::from([("aws:CurrentTime", vec!["1767225599"])]),
            )
        },
    },
    Disagreement {
        name: "a set operator with IfExists is not known",
        doc: OPERATORS,
        applies: |part| {
            condition(part, |operator, _, _| {
                operator.starts_with("For") && operator.ends_with("IfExists")
            })
        },
        example: || {
            let condition = json!({"ForAnyValue:StringEqualsIfExists": {"aws:TagKeys": "a"}});
            (json!({"Condition": condition}), Context::new())
        },
    },
];

/// The differences that a statement may show in a trial.
pub(super) fn of(statement: &Value, trial: &Trial) -> Vec<&'static str> {
    let parts = parts(statement, trial);
    let shown = DISAGREEMENTS.iter().filter(|it| parts.iter().any(it.applies));
    shown.map(|it| it.name).collect()
}

/// A trial without the statements that may show a difference.
pub(super) fn without(trial: &Trial) -> Trial {
    let mut rest = trial.clone();
    for policy in &mut rest.policies {
        policy.retain(|statement| of(statement, trial).is_empty());
    }
    rest.policies.retain(|policy| !policy.is_empty());
    rest
}

fn parts<'a>(statement: &'a Value, trial: &'a Trial) -> Vec<Part<'a>> {
    let resources = statement.get("Resource").or(statement.get("NotResource"));
    let resources = resources.into_iter().flat_map(texts).map(|pattern| Part::Resource {
        pattern,
        asked: trial.resource,
        context: &trial.context,
    });
    let blocks = statement["Condition"].as_object().into_iter().flatten();
    let conditions = blocks.flat_map(|(operator, keys)| {
        let keys = keys.as_object().into_iter().flatten();
        keys.map(move |(key, wanted)| Part::Condition {
            operator,
            wanted: texts(wanted),
            given: trial.context.get(key.as_str()).map(Vec::as_slice),
        })
    });
    resources.chain(conditions).collect()
}

fn texts(value: &Value) -> Vec<&str> {
    let list = value.as_array().into_iter().flatten().filter_map(Value::as_str);
    value.as_str().into_iter().chain(list).collect()
}

fn condition(part: &Part<'_>, applies: fn(&str, &[&str], Option<&[&'static str]>) -> bool) -> bool {
    match part {
        Part::Condition { operator, wanted, given } => applies(operator, wanted, *given),
        Part::Resource { .. } => false,
    }
}

fn colons(text: &str) -> usize {
    text.matches(':').count()
}
