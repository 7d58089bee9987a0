//! `$.user.groups[0]`, `$.*`, `$.['a.b']`: places in a JSON document.

use serde_json::Value;

use super::{
    PatternError,
    cursor::{Cursor, is_word},
};

/// A place, or several where there is a wildcard.
#[derive(Debug)]
pub(super) struct Selector {
    /// As written.
    pub(super) text: String,
    steps: Vec<Step>,
}

#[derive(Debug)]
enum Step {
    Field(String),
    AnyField,
    Element(usize),
    AnyElement,
}

impl Selector {
    /// Parses a selector; the cursor is where its `$` should be.
    pub(super) fn parse(cursor: &mut Cursor) -> Result<Selector, PatternError> {
        let start = cursor.rest();
        let written = |cursor: &Cursor| &start[..start.len() - cursor.rest().len()];
        if !cursor.eat("$") {
            return Err(cursor.unexpected(""));
        }
        let mut steps = Vec::new();
        loop {
            let dot = cursor.eat(".");
            let step = if cursor.eat("[") {
                bracketed(cursor)
            } else if dot {
                field(cursor)
            } else {
                break;
            };
            steps.push(step.ok_or_else(|| cursor.unexpected(written(cursor)))?);
        }
        let text = written(cursor).to_owned();
        let selector = Selector { text, steps };
        if selector.steps.is_empty() || selector.wildcards() > 1 {
            return Err(PatternError::Invalid);
        }
        Ok(selector)
    }

    /// Wildcards in it.
    pub(super) fn wildcards(&self) -> usize {
        let is_wildcard = |step: &&Step| matches!(step, Step::AnyField | Step::AnyElement);
        self.steps.iter().filter(is_wildcard).count()
    }

    /// The values there.
    pub(super) fn values<'v>(&self, document: &'v Value) -> Vec<&'v Value> {
        let mut values = vec![document];
        for step in &self.steps {
            values = values.into_iter().flat_map(|value| step.from(value)).collect();
        }
        values
    }
}

impl Step {
    fn from<'v>(&self, value: &'v Value) -> Vec<&'v Value> {
        match (self, value) {
            (Step::Field(name), Value::Object(fields)) => fields.get(name).into_iter().collect(),
            (Step::AnyField, Value::Object(fields)) => fields.values().collect(),
            (Step::Element(index), Value::Array(items)) => items.get(*index).into_iter().collect(),
            (Step::AnyElement, Value::Array(items)) => items.iter().collect(),
            _ => Vec::new(),
        }
    }
}

/// What is behind a dot.
fn field(cursor: &mut Cursor) -> Option<Step> {
    if cursor.eat("*") {
        return Some(Step::AnyField);
    }
    let name = cursor.take_while(|char| is_word(char) || char == '-');
    (!name.is_empty()).then(|| Step::Field(name.to_owned()))
}

/// What is behind an opening bracket, and the closing one.
fn bracketed(cursor: &mut Cursor) -> Option<Step> {
    let step = if cursor.eat("*") {
        Step::AnyElement
    } else if let Some(quote @ ('\'' | '"')) = cursor.peek() {
        let mut sign = [0; 4];
        let sign = quote.encode_utf8(&mut sign);
        cursor.eat(sign);
        let name = cursor.take_while(|char| char != quote).to_owned();
        if !cursor.eat(sign) {
            return None;
        }
        Step::Field(name)
    } else {
        Step::Element(cursor.take_while(|char| char.is_ascii_digit()).parse().ok()?)
    };
    cursor.eat("]").then_some(step)
}
