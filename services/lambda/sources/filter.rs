//! Event patterns: which records of a source reach the function.
//!
//! A pattern is a JSON object of the record's shape whose leaves are arrays of conditions; a record
//! passes when every named field meets one of its conditions. Sources: "Control which events Lambda
//! sends to your function" and EventBridge's "Comparison operators for use in event patterns".

use serde_json::{Map, Value};

/// At most this many characters a pattern.
pub(crate) const MAX_PATTERN_CHARS: usize = 4096;
/// Patterns nested deeper are refused.
const MAX_DEPTH: usize = 64;

/// A parsed pattern.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Pattern(Node);

#[derive(Clone, Debug, PartialEq)]
enum Node {
    /// All fields must match.
    Fields(Vec<(String, Node)>),
    /// One of the conditions must hold.
    Leaf(Vec<Condition>),
    /// `$or`: one of the alternatives must match.
    AnyOf(Vec<Node>),
}

#[derive(Clone, Debug, PartialEq)]
enum Condition {
    Equals(Value),
    EqualsIgnoreCase(String),
    Prefix(String),
    PrefixIgnoreCase(String),
    Suffix(String),
    SuffixIgnoreCase(String),
    Wildcard(String),
    AnythingBut(Vec<Condition>),
    Numeric(Vec<(Comparison, f64)>),
    Exists(bool),
    Cidr { network: u128, bits: u32, v6: bool },
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Comparison {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// A text that is not a pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Invalid filter pattern definition.")]
pub(crate) struct InvalidPattern;

impl Pattern {
    /// Reads a pattern.
    pub(crate) fn parse(text: &str) -> Result<Pattern, InvalidPattern> {
        if text.chars().count() > MAX_PATTERN_CHARS {
            return Err(InvalidPattern);
        }
        match serde_json::from_str(text) {
            Ok(Value::Object(fields)) => node(&fields, 0).map(Pattern),
            _ => Err(InvalidPattern),
        }
    }

    /// Whether a record passes.
    pub(crate) fn matches(&self, record: &Value) -> bool {
        self.0.matches(Some(record))
    }

    /// Whether the pattern wants a JSON object in a field, and not plain text.
    pub(crate) fn wants_object(&self, field: &str) -> bool {
        matches!(self.0.field(field), Some(Node::Fields(_) | Node::AnyOf(_)))
    }
}

fn node(fields: &Map<String, Value>, depth: usize) -> Result<Node, InvalidPattern> {
    if fields.is_empty() || depth > MAX_DEPTH {
        return Err(InvalidPattern);
    }
    let mut nodes = Vec::with_capacity(fields.len());
    for (name, value) in fields {
        let inner = match value {
            Value::Array(alternatives) if name == "$or" => any_of(alternatives, depth)?,
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

fn condition(value: &Value) -> Result<Condition, InvalidPattern> {
    match value {
        Value::Object(operator) => {
            let mut entries = operator.iter();
            match (entries.next(), entries.next()) {
                (Some((name, argument)), None) => operation(name, argument),
                _ => Err(InvalidPattern),
            }
        }
        Value::Array(_) => Err(InvalidPattern),
        scalar => Ok(Condition::Equals(scalar.clone())),
    }
}

fn operation(name: &str, argument: &Value) -> Result<Condition, InvalidPattern> {
    match (name, argument) {
        ("prefix", Value::String(text)) => Ok(Condition::Prefix(text.clone())),
        ("prefix", Value::Object(inner)) => ignoring_case(inner).map(Condition::PrefixIgnoreCase),
        ("suffix", Value::String(text)) => Ok(Condition::Suffix(text.clone())),
        ("suffix", Value::Object(inner)) => ignoring_case(inner).map(Condition::SuffixIgnoreCase),
        ("equals-ignore-case", Value::String(text)) => {
            Ok(Condition::EqualsIgnoreCase(text.to_lowercase()))
        }
        ("wildcard", Value::String(text)) if !text.contains("**") => {
            Ok(Condition::Wildcard(text.clone()))
        }
        ("exists", Value::Bool(wanted)) => Ok(Condition::Exists(*wanted)),
        ("anything-but", argument) => anything_but(argument),
        ("numeric", Value::Array(parts)) => numeric(parts),
        ("cidr", Value::String(text)) => cidr(text),
        _ => Err(InvalidPattern),
    }
}

fn ignoring_case(inner: &Map<String, Value>) -> Result<String, InvalidPattern> {
    match (inner.get("equals-ignore-case"), inner.len()) {
        (Some(Value::String(text)), 1) => Ok(text.to_lowercase()),
        _ => Err(InvalidPattern),
    }
}

fn anything_but(argument: &Value) -> Result<Condition, InvalidPattern> {
    let scalar = |value: &Value| match value {
        Value::String(_) | Value::Number(_) => Ok(Condition::Equals(value.clone())),
        _ => Err(InvalidPattern),
    };
    let but = match argument {
        Value::Array(values) if !values.is_empty() => {
            values.iter().map(scalar).collect::<Result<_, _>>()?
        }
        Value::Object(inner) if inner.len() == 1 => {
            let (name, argument) = inner.iter().next().ok_or(InvalidPattern)?;
            if !matches!(name.as_str(), "prefix" | "suffix" | "equals-ignore-case" | "wildcard") {
                return Err(InvalidPattern);
            }
            match argument {
                Value::Array(values) => {
                    values.iter().map(|it| operation(name, it)).collect::<Result<_, _>>()?
                }
                one => vec![operation(name, one)?],
            }
        }
        one => vec![scalar(one)?],
    };
    Ok(Condition::AnythingBut(but))
}

fn numeric(parts: &[Value]) -> Result<Condition, InvalidPattern> {
    if !matches!(parts.len(), 2 | 4) {
        return Err(InvalidPattern);
    }
    let pair = |pair: &[Value]| {
        let comparison = match pair[0].as_str() {
            Some("=") => Comparison::Equal,
            Some("<") => Comparison::Less,
            Some("<=") => Comparison::LessOrEqual,
            Some(">") => Comparison::Greater,
            Some(">=") => Comparison::GreaterOrEqual,
            _ => return Err(InvalidPattern),
        };
        Ok((comparison, pair[1].as_f64().ok_or(InvalidPattern)?))
    };
    parts.chunks_exact(2).map(pair).collect::<Result<_, _>>().map(Condition::Numeric)
}

fn cidr(text: &str) -> Result<Condition, InvalidPattern> {
    let (network, bits) = text.split_once('/').ok_or(InvalidPattern)?;
    let bits: u32 = bits.parse().map_err(|_| InvalidPattern)?;
    let (network, v6) = address(network).ok_or(InvalidPattern)?;
    let width = if v6 { 128 } else { 32 };
    if bits > width {
        return Err(InvalidPattern);
    }
    Ok(Condition::Cidr { network, bits, v6 })
}

fn address(text: &str) -> Option<(u128, bool)> {
    match text.parse().ok()? {
        std::net::IpAddr::V4(address) => Some((u128::from(u32::from(address)), false)),
        std::net::IpAddr::V6(address) => Some((u128::from(address), true)),
    }
}

impl Node {
    fn field(&self, name: &str) -> Option<&Node> {
        match self {
            Node::Fields(fields) => {
                fields.iter().find(|(known, _)| known == name).map(|(_, node)| node)
            }
            _ => None,
        }
    }

    fn matches(&self, value: Option<&Value>) -> bool {
        match self {
            Node::Leaf(conditions) => leaf(conditions, value),
            Node::AnyOf(nodes) => nodes.iter().any(|node| node.matches(value)),
            Node::Fields(fields) => match value {
                // A list of objects passes when one of them does.
                Some(Value::Array(items)) => items.iter().any(|item| self.matches(Some(item))),
                value => fields.iter().all(|(name, node)| {
                    if name == "$or" && matches!(node, Node::AnyOf(_)) {
                        return node.matches(value);
                    }
                    node.matches(value.and_then(|value| value.get(name)))
                }),
            },
        }
    }
}

fn leaf(conditions: &[Condition], value: Option<&Value>) -> bool {
    conditions.iter().any(|condition| match (condition, value) {
        (Condition::Exists(wanted), value) => {
            // `exists` looks at leaves only: an object there is not the field itself.
            value.is_some_and(|value| !value.is_object()) == *wanted
        }
        (_, None) => false,
        // A list matches when one of its elements does.
        (condition, Some(Value::Array(items))) => items.iter().any(|item| condition.holds(item)),
        (condition, Some(value)) => condition.holds(value),
    })
}

impl Condition {
    fn holds(&self, value: &Value) -> bool {
        let text = value.as_str();
        match self {
            Condition::Equals(wanted) => equal(wanted, value),
            Condition::EqualsIgnoreCase(wanted) => {
                text.is_some_and(|it| it.to_lowercase() == *wanted)
            }
            Condition::Prefix(wanted) => text.is_some_and(|it| it.starts_with(wanted.as_str())),
            Condition::PrefixIgnoreCase(wanted) => {
                text.is_some_and(|it| it.to_lowercase().starts_with(wanted.as_str()))
            }
            Condition::Suffix(wanted) => text.is_some_and(|it| it.ends_with(wanted.as_str())),
            Condition::SuffixIgnoreCase(wanted) => {
                text.is_some_and(|it| it.to_lowercase().ends_with(wanted.as_str()))
            }
            Condition::Wildcard(wanted) => text.is_some_and(|it| wildcard(wanted, it)),
            Condition::AnythingBut(but) => {
                !value.is_object() && !but.iter().any(|condition| condition.holds(value))
            }
            Condition::Numeric(comparisons) => value.as_f64().is_some_and(|number| {
                comparisons.iter().all(|(comparison, bound)| comparison.holds(number, *bound))
            }),
            Condition::Cidr { network, bits, v6 } => {
                text.and_then(address).is_some_and(|(address, is_v6)| {
                    let shift = (if *v6 { 128 } else { 32 }) - bits;
                    let cut = |it: u128| it.checked_shr(shift).unwrap_or(0);
                    is_v6 == *v6 && cut(address) == cut(*network)
                })
            }
            Condition::Exists(wanted) => *wanted,
        }
    }
}

fn equal(wanted: &Value, value: &Value) -> bool {
    match (wanted, value) {
        (Value::Number(wanted), Value::Number(value)) => wanted.as_f64() == value.as_f64(),
        (wanted, value) => wanted == value,
    }
}

impl Comparison {
    fn holds(self, number: f64, bound: f64) -> bool {
        match self {
            Comparison::Equal => number == bound,
            Comparison::Less => number < bound,
            Comparison::LessOrEqual => number <= bound,
            Comparison::Greater => number > bound,
            Comparison::GreaterOrEqual => number >= bound,
        }
    }
}

/// `*` stands for any characters; `\*` for itself. On a mismatch only the last star is
/// tried again: at worst the product of both lengths.
fn wildcard(pattern: &str, text: &str) -> bool {
    let pattern = tokens(pattern);
    let text: Vec<char> = text.chars().collect();
    let (mut at, mut in_text) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while in_text < text.len() {
        match pattern.get(at) {
            Some(None) => {
                retry = Some((at, in_text));
                at += 1;
                continue;
            }
            Some(Some(wanted)) if *wanted == text[in_text] => {
                at += 1;
                in_text += 1;
                continue;
            }
            _ => {}
        }
        let Some((star, from)) = retry else { return false };
        retry = Some((star, from + 1));
        at = star + 1;
        in_text = from + 1;
    }
    pattern[at..].iter().all(Option::is_none)
}

/// Characters, and `None` for a star.
fn tokens(pattern: &str) -> Vec<Option<char>> {
    let mut tokens = Vec::new();
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        match character {
            '*' => tokens.push(None),
            '\\' => tokens.push(Some(characters.next().unwrap_or('\\'))),
            other => tokens.push(Some(other)),
        }
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn passes(pattern: &Value, record: &Value) -> bool {
        Pattern::parse(&pattern.to_string()).unwrap().matches(record)
    }

    #[test]
    fn each_operator_tells_its_values_apart() {
        let cases = [
            (json!(["a"]), json!("a"), json!("b")),
            (json!([1]), json!(1.0), json!("1")),
            (json!([null]), json!(null), json!("")),
            (json!([""]), json!(""), json!(null)),
            (json!([true]), json!(true), json!("true")),
            (json!(["a", "b"]), json!("b"), json!("c")),
            (json!([{"prefix": "us-"}]), json!("us-east-1"), json!("eu-west-1")),
            (json!([{"prefix": {"equals-ignore-case": "US-"}}]), json!("us-east-1"), json!("eu")),
            (json!([{"suffix": ".png"}]), json!("a.png"), json!("a.jpg")),
            (json!([{"suffix": {"equals-ignore-case": ".PNG"}}]), json!("a.png"), json!("a.jpg")),
            (json!([{"equals-ignore-case": "Alice"}]), json!("aLICE"), json!("alic")),
            (json!([{"anything-but": "a"}]), json!("b"), json!("a")),
            (json!([{"anything-but": ["a", 1]}]), json!(2), json!(1)),
            (json!([{"anything-but": {"prefix": "x"}}]), json!("ax"), json!("xa")),
            (json!([{"anything-but": {"suffix": [".a", ".b"]}}]), json!("x.c"), json!("x.b")),
            (json!([{"anything-but": {"wildcard": "*a*"}}]), json!("xyz"), json!("xay")),
            (json!([{"numeric": [">", 0, "<=", 5]}]), json!(5), json!(5.01)),
            (json!([{"numeric": ["=", 100]}]), json!(100.0), json!(99)),
            (json!([{"wildcard": "a*c*e"}]), json!("abcde"), json!("abcd")),
            (json!([{"wildcard": "a\\*c"}]), json!("a*c"), json!("abc")),
            (json!([{"cidr": "10.0.0.0/24"}]), json!("10.0.0.7"), json!("10.0.1.7")),
            (json!([{"exists": true}]), json!("x"), json!({"y": 1})),
        ];
        for (condition, good, bad) in cases {
            let pattern = json!({ "field": condition });
            assert!(passes(&pattern, &json!({ "field": good })), "{condition} takes {good}");
            assert!(!passes(&pattern, &json!({ "field": bad })), "{condition} refuses {bad}");
        }
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
            "{\"a\": [{\"nosuch\": 1}]}",
            "{\"a\": [{\"numeric\": [\">\"]}]}",
            "{\"a\": [{\"prefix\": 1}]}",
            "{\"a\": [{\"wildcard\": \"a**b\"}]}",
            "{\"$or\": []}",
            deep.as_str(),
        ];
        for text in bad {
            assert_eq!(Pattern::parse(text), Err(InvalidPattern), "{text}");
        }
    }

    #[test]
    fn a_wildcard_with_many_stars_stays_quick() {
        let pattern = "*a".repeat(500) + "b";
        assert!(!wildcard(&pattern, &"a".repeat(20_000)));
    }
}
