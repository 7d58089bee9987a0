//! Patterns against a slow second reading of the same rules, over small random patterns and records.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::Pattern;

/// Reads the pattern's JSON anew for every record, by the words of the documentation.
fn oracle(pattern: &Value, record: Option<&Value>) -> bool {
    if let Some(Value::Array(items)) = record {
        return items.iter().any(|item| oracle(pattern, Some(item)));
    }
    for (name, wanted) in pattern.as_object().unwrap() {
        let field = record.and_then(|record| record.get(name));
        let met = match (name.as_str(), wanted) {
            ("$or", Value::Array(ways)) => ways.iter().any(|way| oracle(way, record)),
            (_, Value::Array(conditions)) => conditions.iter().any(|it| meets(it, field)),
            (_, inner) => oracle(inner, field),
        };
        if !met {
            return false;
        }
    }
    true
}

fn meets(condition: &Value, field: Option<&Value>) -> bool {
    if let Some(wanted) = condition.get("exists") {
        let there = !matches!(field, None | Some(Value::Object(_)));
        return wanted.as_bool().unwrap() == there;
    }
    match field {
        None => false,
        Some(Value::Array(items)) => items.iter().any(|item| holds(condition, item)),
        Some(value) => holds(condition, value),
    }
}

fn holds(condition: &Value, value: &Value) -> bool {
    let Some(operator) = condition.as_object() else { return same(condition, value) };
    let (name, argument) = operator.iter().next().unwrap();
    if name == "anything-but" {
        let listed: Vec<Value> = match argument {
            Value::Array(values) => values.clone(),
            Value::Object(inner) => {
                let (name, argument) = inner.iter().next().unwrap();
                let arguments = argument.as_array().cloned().unwrap_or(vec![argument.clone()]);
                arguments.into_iter().map(|it| json!({ name.as_str(): it })).collect()
            }
            one => vec![one.clone()],
        };
        return !value.is_object() && listed.iter().all(|it| !holds(it, value));
    }
    if name == "numeric" {
        let Some(number) = value.as_f64() else { return false };
        let parts = argument.as_array().unwrap();
        return (0..parts.len()).step_by(2).all(|at| {
            let bound = parts[at + 1].as_f64().unwrap();
            let (is, inclusive) = (parts[at].as_str().unwrap(), number == bound);
            match is.as_bytes()[0] {
                b'=' => inclusive,
                b'<' => number < bound || (is.len() == 2 && inclusive),
                _ => number > bound || (is.len() == 2 && inclusive),
            }
        });
    }
    let Some(text) = value.as_str() else { return false };
    let (wanted, text) = match argument.get("equals-ignore-case").unwrap_or(argument) {
        inner if inner == argument && name != "equals-ignore-case" => (inner, text.to_owned()),
        inner => (inner, text.to_lowercase()),
    };
    let wanted = wanted.as_str().unwrap();
    let folded = wanted.to_lowercase();
    match name.as_str() {
        "equals-ignore-case" => text == folded,
        "prefix" if argument.is_object() => text.chars().take(folded.len()).eq(folded.chars()),
        "prefix" => text.chars().take(wanted.len()).eq(wanted.chars()),
        "suffix" if argument.is_object() => {
            text.chars().rev().take(folded.len()).eq(folded.chars().rev())
        }
        "suffix" => text.chars().rev().take(wanted.len()).eq(wanted.chars().rev()),
        "wildcard" => glob(wanted, &text),
        other => panic!("{other} is not among the generated operators"),
    }
}

fn same(wanted: &Value, value: &Value) -> bool {
    match (wanted.as_f64(), value.as_f64()) {
        (Some(wanted), Some(value)) => (wanted - value).abs() < f64::EPSILON,
        _ => wanted == value,
    }
}

/// Tries every length for every star.
fn glob(pattern: &str, text: &str) -> bool {
    match pattern.chars().next() {
        None => text.is_empty(),
        Some('*') => (0..=text.len()).any(|cut| glob(&pattern[1..], &text[cut..])),
        Some(first) => text.strip_prefix(first).is_some_and(|rest| glob(&pattern[1..], rest)),
    }
}

fn text() -> impl Strategy<Value = String> {
    "[abA]{0,3}"
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        text().prop_map(Value::from),
        (-2..3_i32).prop_map(Value::from),
        (-2..3_i32).prop_map(|it| json!(f64::from(it) / 2.0)),
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
    ]
}

fn wildcard() -> impl Strategy<Value = String> {
    "[ab]{0,2}(\\*[ab]{1,2}){0,2}\\*?"
}

fn condition() -> impl Strategy<Value = Value> {
    let word = prop_oneof![text().prop_map(Value::from), (-2..3_i32).prop_map(Value::from)];
    let but = prop_oneof![
        word.clone(),
        prop::collection::vec(word, 1..3).prop_map(Value::from),
        text().prop_map(|it| json!({ "prefix": it })),
        prop::collection::vec(text(), 1..3).prop_map(|it| json!({ "suffix": it })),
        text().prop_map(|it| json!({ "equals-ignore-case": it })),
        wildcard().prop_map(|it| json!({ "wildcard": it })),
    ];
    let compared = prop::sample::select(vec!["=", "<", "<=", ">", ">="]);
    prop_oneof![
        3 => scalar(),
        1 => text().prop_map(|it| json!({ "prefix": it })),
        1 => text().prop_map(|it| json!({ "suffix": it })),
        1 => text().prop_map(|it| json!({ "prefix": { "equals-ignore-case": it } })),
        1 => text().prop_map(|it| json!({ "suffix": { "equals-ignore-case": it } })),
        1 => text().prop_map(|it| json!({ "equals-ignore-case": it })),
        1 => wildcard().prop_map(|it| json!({ "wildcard": it })),
        1 => any::<bool>().prop_map(|it| json!({ "exists": it })),
        1 => but.prop_map(|it| json!({ "anything-but": it })),
        1 => (compared, -2..3_i32).prop_map(|(is, it)| json!({ "numeric": [is, it] })),
        1 => (-2..1_i32).prop_map(|it| json!({ "numeric": [">", it, "<=", it + 2] })),
    ]
}

fn pattern() -> impl Strategy<Value = Value> {
    let leaf = prop::collection::vec(condition(), 1..3).prop_map(Value::from);
    let fields = prop::collection::btree_map("[xyz]", leaf, 1..3).prop_map(|it| json!(it));
    fields.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::btree_map("[xyz]", inner.clone(), 1..3).prop_map(|it| json!(it)),
            prop::collection::vec(inner, 1..3).prop_map(|it| json!({ "$or": it })),
        ]
    })
}

fn record() -> impl Strategy<Value = Value> {
    let value = scalar().prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[xyz]", inner, 0..3).prop_map(|it| json!(it)),
        ]
    });
    prop::collection::btree_map("[xyz]", value, 0..4).prop_map(|it| json!(it))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_pattern_passes_what_the_slow_reading_passes(pattern in pattern(), record in record()) {
        let read = Pattern::parse(&pattern.to_string()).unwrap();
        prop_assert_eq!(read.0.matches(Some(&record)), oracle(&pattern, Some(&record)));
    }

    #[test]
    fn no_text_breaks_the_reader(text in ".{0,60}") {
        let _ = Pattern::parse(&text);
    }
}
