//! What a request does against its model's bounds, collected and worded as AWS words it.

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock, PoisonError, RwLock},
};

use crate::schema::Shape;

/// AWS stops naming violations at some length; so do we, to bound the answer.
const MAX_NAMED: usize = 50;
/// Longer values are cut in messages.
const MAX_SHOWN_CHARS: usize = 1024;

/// The violations of one request, in the order in which they were met.
#[derive(Debug)]
pub(crate) struct Violations {
    sentences: Vec<String>,
    /// Where the reader is: member names, list positions, map keys.
    path: Vec<Step>,
    /// Whether bounds and patterns are checked here, or only presence.
    pub(crate) bounds: bool,
    /// The first required member that is missing, by its model's name.
    pub(crate) missing: Option<&'static str>,
}

#[derive(Debug)]
pub(crate) enum Step {
    Member(&'static str),
    Element(usize),
    Entry(String),
}

impl Violations {
    pub(crate) fn new(bounds: bool) -> Violations {
        Violations { sentences: Vec::new(), path: Vec::new(), bounds, missing: None }
    }

    pub(crate) fn enter(&mut self, step: Step) {
        self.path.push(step);
    }

    pub(crate) fn leave(&mut self) {
        self.path.pop();
    }

    /// A required member is not there.
    pub(crate) fn missing(&mut self, name: &'static str) {
        self.missing.get_or_insert(name);
        self.path.push(Step::Member(name));
        let sentence = format!(
            "Value null at '{}' failed to satisfy constraint: Member must not be null",
            self.place()
        );
        self.path.pop();
        self.push(sentence);
    }

    /// A value fails constraints.
    pub(crate) fn value(&mut self, shape: &Shape, value: &str, constraints: Vec<String>) {
        if constraints.is_empty() {
            return;
        }
        let place = self.place();
        for constraint in constraints {
            let shown = show(shape, value);
            self.push(format!(
                "Value '{shown}' at '{place}' failed to satisfy constraint: {constraint}"
            ));
        }
    }

    fn push(&mut self, sentence: String) {
        if self.sentences.len() < MAX_NAMED {
            self.sentences.push(sentence);
        }
    }

    /// The whole text, or `None` if there is no violation.
    pub(crate) fn message(&self) -> Option<String> {
        let count = self.sentences.len();
        let plural = if count == 1 { "" } else { "s" };
        (count > 0).then(|| {
            format!("{count} validation error{plural} detected: {}", self.sentences.join("; "))
        })
    }

    fn place(&self) -> String {
        let mut text = String::new();
        for step in &self.path {
            if !text.is_empty() {
                text.push('.');
            }
            match step {
                Step::Member(name) => push_lower_first(&mut text, name),
                Step::Element(index) => text.push_str(&format!("{}.member", index + 1)),
                Step::Entry(key) => text.push_str(&format!("{key}.member")),
            }
        }
        text
    }
}

/// Bounds of a text: length, enumeration, pattern.
pub(crate) fn of_text(shape: &Shape, text: &str) -> Vec<String> {
    let mut failed = Vec::new();
    if !shape.enums.is_empty() {
        if !shape.enums.contains(&text) {
            let allowed = shape.enums.join(", ");
            failed.push(format!("Member must satisfy enum value set: [{allowed}]"));
        }
        return failed;
    }
    if let Some(pattern) = shape.pattern
        && !matches(shape.regex.unwrap_or(pattern), text)
    {
        failed.push(format!("Member must satisfy regular expression pattern: {pattern}"));
    }
    failed.extend(of_length(shape, text.chars().count()));
    failed
}

/// Bounds of a length: of a text, a list, a map or bytes.
pub(crate) fn of_length(shape: &Shape, length: usize) -> Vec<String> {
    let length = i64::try_from(length).unwrap_or(i64::MAX);
    let mut failed = Vec::new();
    if let Some(max) = shape.max.filter(|max| length > *max) {
        failed.push(format!("Member must have length less than or equal to {max}"));
    }
    if let Some(min) = shape.min.filter(|min| length < *min) {
        failed.push(format!("Member must have length greater than or equal to {min}"));
    }
    failed
}

/// Bounds of a number.
pub(crate) fn of_number(shape: &Shape, number: i64) -> Vec<String> {
    let mut failed = Vec::new();
    if let Some(max) = shape.max.filter(|max| number > *max) {
        failed.push(format!("Member must have value less than or equal to {max}"));
    }
    if let Some(min) = shape.min.filter(|min| number < *min) {
        failed.push(format!("Member must have value greater than or equal to {min}"));
    }
    failed
}

fn show<'a>(shape: &Shape, value: &'a str) -> &'a str {
    if shape.sensitive {
        return "***";
    }
    let end = value.char_indices().nth(MAX_SHOWN_CHARS).map_or(value.len(), |(end, _)| end);
    &value[..end]
}

fn push_lower_first(text: &mut String, name: &str) {
    let mut characters = name.chars();
    if let Some(first) = characters.next() {
        text.extend(first.to_lowercase());
        text.push_str(characters.as_str());
    }
}

enum Compiled {
    Linear(regex::Regex),
    /// Look-around: few, and bounded by the engine's own backtrack limit.
    Fancy(fancy_regex::Regex),
    /// A pattern of the model that no engine reads: nothing is refused for it.
    Unreadable,
}

/// Whether the whole text matches a pattern of a model. Compiled at first use.
fn matches(pattern: &'static str, text: &str) -> bool {
    static COMPILED: OnceLock<RwLock<HashMap<&'static str, Arc<Compiled>>>> = OnceLock::new();
    let cache = COMPILED.get_or_init(RwLock::default);
    let known = cache.read().unwrap_or_else(PoisonError::into_inner).get(pattern).cloned();
    let compiled = known.unwrap_or_else(|| {
        let compiled = Arc::new(compile(pattern));
        cache.write().unwrap_or_else(PoisonError::into_inner).insert(pattern, compiled.clone());
        compiled
    });
    match &*compiled {
        Compiled::Linear(regex) => regex.is_match(text),
        Compiled::Fancy(regex) => regex.is_match(text).unwrap_or(false),
        Compiled::Unreadable => true,
    }
}

fn compile(pattern: &str) -> Compiled {
    let whole = format!("^(?:{pattern})$");
    if let Ok(regex) = regex::RegexBuilder::new(&whole).size_limit(32 << 20).build() {
        return Compiled::Linear(regex);
    }
    fancy_regex::Regex::new(&whole).map_or(Compiled::Unreadable, Compiled::Fancy)
}
