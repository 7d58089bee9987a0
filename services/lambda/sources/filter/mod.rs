//! Event patterns: which records of a source reach the function.
//!
//! A pattern is a JSON object of the record's shape whose leaves are arrays of conditions; a record
//! passes when every named field meets one of its conditions. Sources: "Control which events Lambda
//! sends to your function" and EventBridge's "Comparison operators for use in event patterns".
//!
//! Read next: `condition` (what a leaf may demand), `payload` (what of a record is matched).

mod condition;
#[cfg(test)]
mod oracle;
mod payload;
mod wildcard;

use serde_json::{Map, Value};

use condition::{Condition, condition};
pub(crate) use payload::{Filters, Payload};

/// At most this many characters a pattern.
const MAX_PATTERN_CHARS: usize = 4096;
/// Patterns nested deeper are refused.
const MAX_DEPTH: usize = 64;
/// The field that holds alternatives instead of conditions.
const OR: &str = "$or";

/// A parsed pattern.
#[derive(Clone, Debug, PartialEq)]
struct Pattern(Node);

#[derive(Clone, Debug, PartialEq)]
enum Node {
    /// All fields must match.
    Fields(Vec<(String, Node)>),
    /// One of the conditions must hold.
    Leaf(Vec<Condition>),
    /// `$or`: one of the alternatives must match.
    AnyOf(Vec<Node>),
}

/// A text that is not a pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Invalid filter pattern definition.")]
pub(crate) struct InvalidPattern;

impl Pattern {
    /// Reads a pattern.
    fn parse(text: &str) -> Result<Pattern, InvalidPattern> {
        if text.chars().count() > MAX_PATTERN_CHARS {
            return Err(InvalidPattern);
        }
        match serde_json::from_str(text) {
            Ok(Value::Object(fields)) => node(&fields, 0).map(Pattern),
            _ => Err(InvalidPattern),
        }
    }
}

fn node(fields: &Map<String, Value>, depth: usize) -> Result<Node, InvalidPattern> {
    if fields.is_empty() || depth > MAX_DEPTH {
        return Err(InvalidPattern);
    }
    let mut nodes = Vec::with_capacity(fields.len());
    for (name, value) in fields {
        let inner = match value {
            Value::Array(alternatives) if name == OR => any_of(alternatives, depth)?,
            Value::Array(conditions) if !conditions.is_empty() => {
                Node::Leaf(conditions.iter().map(condition).collect::<Result<_, _>>()?)
            }
            Value::Object(fields) => node(fields, depth + 1)?,
            _ => return Err(InvalidPattern),
        };
        nodes.push((name.clone(), inner));
    }
    Ok(Node::Fields(nodes))
}

fn any_of(alternatives: &[Value], depth: usize) -> Result<Node, InvalidPattern> {
    if alternatives.is_empty() {
        return Err(InvalidPattern);
    }
    let read = |alternative: &Value| match alternative {
        Value::Object(fields) => node(fields, depth + 1),
        _ => Err(InvalidPattern),
    };
    alternatives.iter().map(read).collect::<Result<_, _>>().map(Node::AnyOf)
}

impl Node {
    fn matches(&self, value: Option<&Value>) -> bool {
        match self {
            Node::Leaf(conditions) => leaf(conditions, value),
            Node::AnyOf(nodes) => nodes.iter().any(|node| node.matches(value)),
            Node::Fields(fields) => match value {
                // A list of objects passes when one of them does.
                Some(Value::Array(items)) => items.iter().any(|item| self.matches(Some(item))),
                value => fields.iter().all(|(name, node)| match node {
                    Node::AnyOf(_) => node.matches(value),
                    _ => node.matches(value.and_then(|value| value.get(name))),
                }),
            },
        }
    }
}

fn leaf(conditions: &[Condition], value: Option<&Value>) -> bool {
    conditions.iter().any(|condition| match (condition, value) {
        // `exists` looks at leaves only: an object there is not the field itself.
        (Condition::Exists(wanted), value) => {
            value.is_some_and(|value| !value.is_object()) == *wanted
        }
        (_, None) => false,
        // A list matches when one of its elements does.
        (condition, Some(Value::Array(items))) => items.iter().any(|item| condition.holds(item)),
        (condition, Some(value)) => condition.holds(value),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn passes(pattern: &Value, record: &Value) -> bool {
        Pattern::parse(&pattern.to_string()).unwrap().0.matches(Some(record))
    }

    #[test]
    fn fields_must_all_match_and_alternatives_one() {
        let both = json!({"a": ["1"], "b": {"c": [{"exists": false}]}});
        assert!(passes(&both, &json!({"a": "1", "b": {}})));
        assert!(passes(&both, &json!({"a": "1"})));
        assert!(!passes(&both, &json!({"a": "1", "b": {"c": 0}})));
        let either = json!({"$or": [{"a": ["1"]}, {"b": ["2"]}], "c": ["3"]});
        assert!(passes(&either, &json!({"b": "2", "c": "3"})));
        assert!(!passes(&either, &json!({"b": "2"})));
        assert!(!passes(&either, &json!({"b": "x", "c": "3"})));
    }

    #[test]
    fn lists_match_by_any_element() {
        assert!(passes(&json!({"a": ["x"]}), &json!({"a": ["y", "x"]})));
        assert!(passes(&json!({"a": {"b": [1]}}), &json!({"a": [{"b": 2}, {"b": 1}]})));
    }

    #[test]
    fn what_is_not_a_pattern_is_refused() {
        let deep = "{\"a\":".repeat(200) + "[1]" + &"}".repeat(200);
        let long = format!("{{\"a\":[\"{}\"]}}", "x".repeat(MAX_PATTERN_CHARS));
        let bad = [
            "",
            "[]",
            "{}",
            "1",
            "{\"a\": 1}",
            "{\"a\": []}",
            "{\"a\": {}}",
            "{\"a\": [{}]}",
            "{\"a\": [[1]]}",
            "{\"$or\": []}",
            "{\"$or\": [1]}",
            deep.as_str(),
            long.as_str(),
        ];
        for text in bad {
            assert_eq!(Pattern::parse(text), Err(InvalidPattern), "{text}");
        }
    }
}
