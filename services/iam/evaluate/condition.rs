//! Conditions of statements: all operators, with `IfExists`, `ForAllValues` and `ForAnyValue`.
//!
//! Source: "IAM JSON policy elements: Condition operators", "Conditions with multiple context keys
//! or values". What cannot be read matches nothing: a value that is no number is equal to none.

use std::{borrow::Cow, cmp::Ordering, net::IpAddr};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{
    Facts, Key,
    pattern::{ArnGlob, Case, Glob, Grammar},
};

/// One key under one operator; its values are alternatives.
#[derive(Clone, Debug)]
pub(crate) struct Condition {
    key: Key,
    of: Of,
    if_exists: bool,
    /// `Not…`: no value may match.
    negated: bool,
    tests: Vec<Test>,
}

/// Which of the request's values must match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Of {
    /// The one there is.
    One,
    /// `ForAllValues`
    All,
    /// `ForAnyValue`
    Any,
}

#[derive(Clone, Debug, PartialEq)]
enum Test {
    Text(Glob),
    Arn(ArnGlob),
    Number(Compare, f64),
    /// Milliseconds since the epoch.
    Date(Compare, i128),
    Bool(bool),
    Bytes(Vec<u8>),
    Network(IpAddr, u8),
    /// The key is absent: true, or present: false.
    Null(bool),
    Never,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compare {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Condition {
    /// The conditions of a statement's `Condition` element. Unknown operators never match.
    pub(crate) fn parse(element: &Value, variables: bool) -> Vec<Condition> {
        let blocks = element.as_object().into_iter().flatten();
        let keys = blocks.flat_map(|(operator, keys)| {
            keys.as_object().into_iter().flatten().map(move |(key, values)| (operator, key, values))
        });
        keys.map(|(operator, key, values)| Condition::of(operator, key, values, variables))
            .collect()
    }

    fn of(operator: &str, key: &str, values: &Value, variables: bool) -> Condition {
        let (of, name) = match operator.split_once(':') {
            Some(("ForAllValues", name)) => (Of::All, name),
            Some(("ForAnyValue", name)) => (Of::Any, name),
            _ => (Of::One, operator),
        };
        let (name, if_exists) = match name.strip_suffix("IfExists") {
            Some(name) => (name, true),
            None => (name, false),
        };
        let (name, negated) = match name {
            "StringNotEquals" => ("StringEquals", true),
            "StringNotEqualsIgnoreCase" => ("StringEqualsIgnoreCase", true),
            "StringNotLike" => ("StringLike", true),
            "NumericNotEquals" => ("NumericEquals", true),
            "DateNotEquals" => ("DateEquals", true),
            "NotIpAddress" => ("IpAddress", true),
            "ArnNotEquals" | "ArnNotLike" => ("ArnLike", true),
            name => (name, false),
        };
        let one = std::slice::from_ref(values);
        let values = values.as_array().map_or(one, Vec::as_slice);
        let tests = values.iter().map(|value| Test::parse(name, &text(value), variables)).collect();
        Condition { key: Key::new(key), of, if_exists, negated, tests }
    }

    /// The context keys that it and its variables name.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &Key> {
        let variables = self.tests.iter().flat_map(|test| {
            let (text, arn) = match test {
                Test::Text(glob) => (Some(glob), None),
                Test::Arn(glob) => (None, Some(glob)),
                _ => (None, None),
            };
            text.into_iter().flat_map(Glob::keys).chain(arn.into_iter().flat_map(ArnGlob::keys))
        });
        std::iter::once(&self.key).chain(variables)
    }

    /// Whether a request meets it.
    pub(crate) fn holds(&self, facts: &dyn Facts) -> bool {
        let values = facts.values(self.key.lower());
        // To sets and to `Null` an empty text is no value.
        let is_null = values.iter().flatten().all(|value| value.is_empty());
        let meets = |value: &Cow<'_, str>| {
            self.negated != self.tests.iter().any(|test| test.matches(value, facts))
        };
        match (values.filter(|values| !values.is_empty()), self.of) {
            _ if self.is_null_check() => self.tests.contains(&Test::Null(is_null)),
            (_, Of::All) if is_null => true,
            (None, Of::Any) => self.if_exists,
            (Some(_), Of::Any) if is_null => false,
            (None, _) => self.if_exists || self.negated,
            (Some(values), Of::All) => values.iter().all(meets),
            (Some(values), Of::Any) => values.iter().any(meets),
            // Several values under an operator for one: as if each were asked for.
            (Some(values), Of::One) if self.negated => values.iter().all(meets),
            (Some(values), Of::One) => values.iter().any(meets),
        }
    }

    fn is_null_check(&self) -> bool {
        matches!(self.tests[..], [Test::Null(_), ..])
    }
}

impl Test {
    fn parse(operator: &str, value: &str, variables: bool) -> Test {
        let grammar = |wildcards, case| Grammar { wildcards, variables, case };
        let number = |compare| value.parse().map_or(Test::Never, |it| Test::Number(compare, it));
        let date = |compare| moment(value).map_or(Test::Never, |it| Test::Date(compare, it));
        match operator {
            "StringEquals" => Test::Text(Glob::parse(value, grammar(false, Case::Sensitive))),
            "StringEqualsIgnoreCase" => {
                Test::Text(Glob::parse(value, grammar(false, Case::Insensitive)))
            }
            "StringLike" => Test::Text(Glob::parse(value, grammar(true, Case::Sensitive))),
            "ArnEquals" | "ArnLike" => Test::Arn(ArnGlob::parse(value, variables)),
            "NumericEquals" => number(Compare::Equal),
            "NumericLessThan" => number(Compare::Less),
            "NumericLessThanEquals" => number(Compare::LessOrEqual),
            "NumericGreaterThan" => number(Compare::Greater),
            "NumericGreaterThanEquals" => number(Compare::GreaterOrEqual),
            "DateEquals" => date(Compare::Equal),
            "DateLessThan" => date(Compare::Less),
            "DateLessThanEquals" => date(Compare::LessOrEqual),
            "DateGreaterThan" => date(Compare::Greater),
            "DateGreaterThanEquals" => date(Compare::GreaterOrEqual),
            "Bool" => boolean(value).map_or(Test::Never, Test::Bool),
            "BinaryEquals" => STANDARD.decode(value).map_or(Test::Never, Test::Bytes),
            "IpAddress" => network(value).map_or(Test::Never, |(ip, bits)| Test::Network(ip, bits)),
            "Null" => boolean(value).map_or(Test::Never, Test::Null),
            _ => Test::Never,
        }
    }

    fn matches(&self, value: &str, facts: &dyn Facts) -> bool {
        match self {
            Test::Text(glob) => glob.matches(value, facts),
            Test::Arn(arn) => arn.matches(value, facts),
            Test::Number(compare, wanted) => value
                .parse::<f64>()
                .ok()
                .and_then(|it| it.partial_cmp(wanted))
                .is_some_and(|order| compare.fits(order)),
            Test::Date(compare, wanted) => {
                moment(value).is_some_and(|it| compare.fits(it.cmp(wanted)))
            }
            Test::Bool(wanted) => boolean(value) == Some(*wanted),
            Test::Bytes(wanted) => STANDARD.decode(value).is_ok_and(|it| it == *wanted),
            Test::Network(network, bits) => {
                value.parse().is_ok_and(|it| is_within(it, *network, *bits))
            }
            Test::Null(_) | Test::Never => false,
        }
    }
}

impl Compare {
    fn fits(self, order: Ordering) -> bool {
        match self {
            Compare::Equal => order.is_eq(),
            Compare::Less => order.is_lt(),
            Compare::LessOrEqual => order.is_le(),
            Compare::Greater => order.is_gt(),
            Compare::GreaterOrEqual => order.is_ge(),
        }
    }
}

/// A value as text: policies may write numbers and booleans without quotes.
fn text(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => Cow::Borrowed(text),
        other => Cow::Owned(other.to_string()),
    }
}

fn boolean(text: &str) -> Option<bool> {
    match text {
        _ if text.eq_ignore_ascii_case("true") => Some(true),
        _ if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// Milliseconds since the epoch: of seconds, or of a date of W3C's note on ISO 8601, which may end
/// after the month, the day or the minute. A year alone is not to be told from seconds.
fn moment(text: &str) -> Option<i128> {
    if let Ok(seconds) = text.parse::<i64>() {
        return Some(i128::from(seconds) * 1000);
    }
    let full = match text.len() {
        // A month; a day.
        7 => format!("{text}-01T00:00:00Z"),
        10 => format!("{text}T00:00:00Z"),
        // Without seconds: `2026-01-01T00:00Z`, `2026-01-01T00:00+01:00`.
        _ if !matches!(text.as_bytes().get(16), None | Some(b':')) => {
            let (minutes, zone) = text.split_at_checked(16)?;
            format!("{minutes}:00{zone}")
        }
        _ => text.to_owned(),
    };
    let time = OffsetDateTime::parse(&full, &Rfc3339).ok()?;
    Some(time.unix_timestamp_nanos() / 1_000_000)
}

/// An address with the length of its prefix; without one it is a single address.
fn network(text: &str) -> Option<(IpAddr, u8)> {
    let (ip, bits) = match text.split_once('/') {
        Some((ip, bits)) => (ip.parse().ok()?, Some(bits.parse().ok()?)),
        None => (text.parse().ok()?, None),
    };
    let most = if matches!(ip, IpAddr::V4(_)) { 32 } else { 128 };
    Some((ip, bits.unwrap_or(most))).filter(|(_, bits)| *bits <= most)
}

fn is_within(ip: IpAddr, network: IpAddr, bits: u8) -> bool {
    // Both as 128 bits, aligned at their beginning.
    let leading = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => u128::from(ip.to_bits()) << 96,
        IpAddr::V6(ip) => ip.to_bits(),
    };
    let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
    ip.is_ipv4() == network.is_ipv4() && (leading(ip) ^ leading(network)) & mask == 0
}
