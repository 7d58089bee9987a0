//! `{ $.a = "x" && ($.n >= 3 || $.b NOT EXISTS) }`: conditions on messages that are JSON.

use std::{borrow::Cow, collections::BTreeMap};

use serde_json::Value;

use super::{
    PatternError,
    comparison::{Comparison, Seen},
    cursor::Cursor,
    expression::Expression,
    selector::Selector,
};

/// Wildcards in all selectors of one pattern; AWS's quota.
const WILDCARDS: usize = 3;

/// A condition on a JSON document.
#[derive(Debug)]
pub(crate) struct Json(Expression<Test>);

#[derive(Debug)]
struct Test {
    selector: Selector,
    asks: Asks,
}

#[derive(Debug)]
enum Asks {
    Compares(Comparison),
    Is(Value),
    NotExists,
}

impl Json {
    /// Parses what stands between the braces.
    pub(super) fn parse(cursor: &mut Cursor) -> Result<Json, PatternError> {
        let expression = Expression::parse(cursor, &mut Test::parse)?;
        if !cursor.rest().is_empty() {
            return Err(cursor.unexpected(""));
        }
        let wildcards: usize =
            expression.tests().iter().map(|test| test.selector.wildcards()).sum();
        if wildcards > WILDCARDS {
            return Err(PatternError::Invalid);
        }
        Ok(Json(expression))
    }

    pub(super) fn matches(&self, message: &str) -> bool {
        let document = serde_json::from_str::<Value>(message);
        document.is_ok_and(|document| self.0.holds(&|test| test.holds(&document)))
    }

    /// The first value at each selector.
    pub(super) fn extract(&self, message: &str) -> BTreeMap<String, String> {
        let Ok(document) = serde_json::from_str::<Value>(message) else { return BTreeMap::new() };
        let mut values = BTreeMap::new();
        for test in self.0.tests() {
            let first = test.selector.values(&document).into_iter().find_map(text);
            if let Some(value) = first {
                values.insert(test.selector.text.clone(), value.into_owned());
            }
        }
        values
    }
}

impl Test {
    fn parse(cursor: &mut Cursor) -> Result<Test, PatternError> {
        let selector = Selector::parse(cursor)?;
        cursor.skip_space();
        let asks = if cursor.eat("IS ") {
            cursor.skip_space();
            Asks::Is(match cursor.take_while(|char| char.is_ascii_alphabetic()) {
                "NULL" => Value::Null,
                "TRUE" => Value::Bool(true),
                "FALSE" => Value::Bool(false),
                _ => return Err(PatternError::Invalid),
            })
        } else if cursor.eat("NOT ") {
            cursor.skip_space();
            if !cursor.eat("EXISTS") {
                return Err(PatternError::Invalid);
            }
            Asks::NotExists
        } else {
            Asks::Compares(Comparison::parse(cursor)?)
        };
        Ok(Test { selector, asks })
    }

    fn holds(&self, document: &Value) -> bool {
        let values = self.selector.values(document);
        match &self.asks {
            Asks::NotExists => values.is_empty(),
            Asks::Is(wanted) => values.contains(&wanted),
            Asks::Compares(comparison) => values.into_iter().any(|value| {
                let number = value.as_f64();
                text(value).is_some_and(|text| comparison.holds(&Seen { text: &text, number }))
            }),
        }
    }
}

/// What a value says; nothing for null, objects and arrays, of which no comparison holds.
fn text(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Number(number) => Some(Cow::Owned(number.to_string())),
        Value::Bool(flag) => Some(Cow::Borrowed(if *flag { "true" } else { "false" })),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}
