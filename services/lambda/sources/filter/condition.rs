//! What a leaf of a pattern may demand of a value.

use std::net::IpAddr;

use serde_json::{Map, Value};

use crate::sources::filter::{InvalidPattern, wildcard::Wildcard};

/// Numbers of a pattern lie between this and its negative ("Numeric matching").
const MAX_NUMBER: f64 = 5e9;

/// One demand.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Condition {
    Equals(Value),
    EqualsIgnoreCase(String),
    Prefix(String),
    PrefixIgnoreCase(String),
    Suffix(String),
    SuffixIgnoreCase(String),
    Wildcard(Wildcard),
    AnythingBut(Vec<Condition>),
    Numeric(Vec<(Comparison, f64)>),
    Exists(bool),
    Cidr(Network),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Comparison {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// The addresses that begin with the same bits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Network {
    start: u128,
    bits: u32,
    v6: bool,
}

/// Reads one condition.
pub(super) fn condition(value: &Value) -> Result<Condition, InvalidPattern> {
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
        ("wildcard", Value::String(text)) => Wildcard::parse(text).map(Condition::Wildcard),
        ("exists", Value::Bool(wanted)) => Ok(Condition::Exists(*wanted)),
        ("anything-but", argument) => anything_but(argument),
        ("numeric", Value::Array(parts)) => numeric(parts),
        ("cidr", Value::String(text)) => network(text).map(Condition::Cidr),
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
                Value::Array(values) if !values.is_empty() => {
                    values.iter().map(|it| operation(name, it)).collect::<Result<_, _>>()?
                }
                one => vec![operation(name, one)?],
            }
        }
        one => vec![scalar(one)?],
    };
    Ok(Condition::AnythingBut(but))
}

/// One comparison, or a lower and an upper bound in this order.
fn numeric(parts: &[Value]) -> Result<Condition, InvalidPattern> {
    use Comparison::{Greater, GreaterOrEqual, Less, LessOrEqual};
    let pair = |pair: &[Value]| {
        let comparison = match pair[0].as_str() {
            Some("=") => Comparison::Equal,
            Some("<") => Less,
            Some("<=") => LessOrEqual,
            Some(">") => Greater,
            Some(">=") => GreaterOrEqual,
            _ => return Err(InvalidPattern),
        };
        let bound = pair[1].as_f64().filter(|bound| bound.abs() <= MAX_NUMBER);
        Ok((comparison, bound.ok_or(InvalidPattern)?))
    };
    if !matches!(parts.len(), 2 | 4) {
        return Err(InvalidPattern);
    }
    let pairs: Vec<_> = parts.chunks_exact(2).map(pair).collect::<Result<_, _>>()?;
    match pairs.as_slice() {
        [_] => Ok(Condition::Numeric(pairs)),
        [(Greater | GreaterOrEqual, low), (Less | LessOrEqual, high)] if low < high => {
            Ok(Condition::Numeric(pairs))
        }
        _ => Err(InvalidPattern),
    }
}

fn network(text: &str) -> Result<Network, InvalidPattern> {
    let (start, bits) = text.split_once('/').ok_or(InvalidPattern)?;
    let bits: u32 = bits.parse().map_err(|_| InvalidPattern)?;
    let (start, v6) = address(start).ok_or(InvalidPattern)?;
    let width = if v6 { 128 } else { 32 };
    if bits > width { Err(InvalidPattern) } else { Ok(Network { start, bits, v6 }) }
}

fn address(text: &str) -> Option<(u128, bool)> {
    match text.parse().ok()? {
        IpAddr::V4(address) => Some((u128::from(u32::from(address)), false)),
        IpAddr::V6(address) => Some((u128::from(address), true)),
    }
}

impl Network {
    fn holds(self, text: &str) -> bool {
        let shift = (if self.v6 { 128 } else { 32 }) - self.bits;
        let cut = |it: u128| it.checked_shr(shift).unwrap_or(0);
        address(text).is_some_and(|(it, v6)| v6 == self.v6 && cut(it) == cut(self.start))
    }
}

impl Condition {
    pub(super) fn holds(&self, value: &Value) -> bool {
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
            Condition::Wildcard(wanted) => text.is_some_and(|it| wanted.matches(it)),
            Condition::AnythingBut(but) => {
                !value.is_object() && !but.iter().any(|condition| condition.holds(value))
            }
            Condition::Numeric(comparisons) => value.as_f64().is_some_and(|number| {
                comparisons.iter().all(|(comparison, bound)| comparison.holds(number, *bound))
            }),
            Condition::Cidr(network) => text.is_some_and(|it| network.holds(it)),
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_operator_tells_its_values_apart() {
        let cases = [
            (json!("a"), json!("a"), json!("b")),
            (json!(1), json!(1.0), json!("1")),
            (json!(null), json!(null), json!("")),
            (json!(""), json!(""), json!(null)),
            (json!(true), json!(true), json!("true")),
            (json!({"prefix": "us-"}), json!("us-east-1"), json!("eu-west-1")),
            (json!({"prefix": {"equals-ignore-case": "US-"}}), json!("us-east-1"), json!("eu")),
            (json!({"suffix": ".png"}), json!("a.png"), json!("a.jpg")),
            (json!({"suffix": {"equals-ignore-case": ".PNG"}}), json!("a.png"), json!("a.jpg")),
            (json!({"equals-ignore-case": "Alice"}), json!("aLICE"), json!("alic")),
            (json!({"anything-but": "a"}), json!("b"), json!("a")),
            (json!({"anything-but": ["a", 1]}), json!(2), json!(1)),
            (json!({"anything-but": {"prefix": "x"}}), json!("ax"), json!("xa")),
            (json!({"anything-but": {"suffix": [".a", ".b"]}}), json!("x.c"), json!("x.b")),
            (json!({"anything-but": {"equals-ignore-case": "A"}}), json!("b"), json!("a")),
            (json!({"anything-but": {"wildcard": "*a*"}}), json!("xyz"), json!("xay")),
            (json!({"numeric": [">", 0, "<=", 5]}), json!(5), json!(5.01)),
            (json!({"numeric": ["=", 100]}), json!(100.0), json!(99)),
            (json!({"wildcard": "a*c*e"}), json!("abcde"), json!("abcd")),
            (json!({"cidr": "10.0.0.0/24"}), json!("10.0.0.7"), json!("10.0.1.7")),
            (json!({"cidr": "2001:db8::/32"}), json!("2001:db8::7"), json!("10.0.1.7")),
        ];
        for (pattern, good, bad) in cases {
            let read = condition(&pattern).unwrap();
            assert!(read.holds(&good), "{pattern} takes {good}");
            assert!(!read.holds(&bad), "{pattern} refuses {bad}");
        }
    }

    #[test]
    fn what_is_not_a_condition_is_refused() {
        let bad = [
            json!({"nosuch": 1}),
            json!({"prefix": 1}),
            json!({"prefix": "a", "suffix": "b"}),
            json!({"anything-but": []}),
            json!({"anything-but": true}),
            json!({"anything-but": {"numeric": ["=", 1]}}),
            json!({"numeric": [">"]}),
            json!({"numeric": ["<", 5, ">", 1]}),
            json!({"numeric": [">", 5, "<", 5]}),
            json!({"numeric": ["=", 6e9]}),
            json!({"wildcard": "a**b"}),
            json!({"cidr": "10.0.0.0/33"}),
            json!({"exists": "true"}),
        ];
        for pattern in bad {
            assert_eq!(condition(&pattern), Err(InvalidPattern), "{pattern}");
        }
    }
}
