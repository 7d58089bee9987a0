//! Filter patterns: what `filterPattern` means.
//!
//! Three languages share one text: terms (`ERROR -debug`), JSON conditions (`{ $.n > 3 }`) and
//! space-delimited fields (`[ip, status=4*, ...]`). The first character tells which.
//!
//! Always true: parsing and matching take time linear in the message, and nothing here panics.
//! Where AWS's documentation is silent, answers recorded from `TestMetricFilter` decided.
//!
//! Read next: `terms`, `json`, `fields`; then what they share: `expression`, `comparison`, `cursor`.

mod comparison;
mod cursor;
mod expression;
mod fields;
mod glob;
mod json;
mod regex;
mod selector;
mod terms;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use self::{cursor::Cursor, fields::Fields, json::Json, terms::Terms};

/// Regular expressions in one JSON or space-delimited pattern; AWS's quota.
const REGEXES: usize = 2;

/// A parsed filter pattern.
#[derive(Debug)]
pub(crate) enum Pattern {
    Terms(Terms),
    Json(Json),
    Fields(Fields),
}

/// What is wrong with a pattern. The texts are AWS's; [`PatternError::Invalid`] is worded
/// differently by filters of events and filters of metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PatternError {
    /// It has not the form of a pattern.
    Invalid,
    /// Something that must be quoted is not.
    Character(String),
    /// It begins with a bracket and does not end with the other one.
    Unclosed { open: char, close: char },
}

impl Pattern {
    /// Parses a pattern. A blank one matches everything.
    pub(crate) fn parse(text: &str) -> Result<Pattern, PatternError> {
        let text = text.trim();
        let inside = |open, close| {
            let content = text.strip_prefix(open)?;
            Some(content.strip_suffix(close).ok_or(PatternError::Unclosed { open, close }))
        };
        if let Some(content) = inside('{', '}') {
            let mut cursor = Cursor::new(content?);
            return Ok(Pattern::Json(within_quota(Json::parse(&mut cursor)?, &cursor)?));
        }
        if let Some(content) = inside('[', ']') {
            let mut cursor = Cursor::new(content?);
            return Ok(Pattern::Fields(within_quota(Fields::parse(&mut cursor)?, &cursor)?));
        }
        Ok(Pattern::Terms(Terms::parse(&mut Cursor::new(text))?))
    }

    /// Whether an event's message is what the pattern asks for.
    pub(crate) fn matches(&self, message: &str) -> bool {
        match self {
            Pattern::Terms(terms) => terms.matches(message),
            Pattern::Json(json) => json.matches(message),
            Pattern::Fields(fields) => fields.matches(message),
        }
    }

    /// The values that the pattern names in a message that matches, by `$name` or selector.
    pub(crate) fn extract(&self, message: &str) -> BTreeMap<String, String> {
        match self {
            Pattern::Terms(_) => BTreeMap::new(),
            Pattern::Json(json) => json.extract(message),
            Pattern::Fields(fields) => fields.extract(message),
        }
    }
}

fn within_quota<T>(pattern: T, cursor: &Cursor) -> Result<T, PatternError> {
    if cursor.regexes() > REGEXES {
        return Err(PatternError::Invalid);
    }
    Ok(pattern)
}
