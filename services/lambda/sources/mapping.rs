//! An event source mapping: its record and its rules. Pure.

use kit::{AccountId, Arn, Millis, Region};
use serde::{Deserialize, Serialize};

use crate::sources::filter::{InvalidPattern, Pattern};

/// A mapping as it is stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Mapping {
    pub(crate) id: String,
    pub(crate) account: AccountId,
    pub(crate) region: Region,
    /// The function's name, and its version or alias if it was named with one.
    pub(crate) function: String,
    pub(crate) qualifier: Option<String>,
    /// The function's ARN as answers show it, qualifier included.
    pub(crate) function_arn: Arn,
    pub(crate) source: Arn,
    pub(crate) batch_size: u32,
    pub(crate) window_seconds: u32,
    pub(crate) enabled: bool,
    /// Patterns as the user wrote them.
    pub(crate) filters: Vec<String>,
    pub(crate) report_item_failures: bool,
    pub(crate) maximum_concurrency: Option<u32>,
    pub(crate) modified: Millis,
    pub(crate) tags: kit::Tags,
}

/// Where a mapping is in its life, in the words of `State`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Creating,
    Enabled,
    Disabling,
    Disabled,
    Updating,
    Deleting,
}

impl State {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            State::Creating => "Creating",
            State::Enabled => "Enabled",
            State::Disabling => "Disabling",
            State::Disabled => "Disabled",
            State::Updating => "Updating",
            State::Deleting => "Deleting",
        }
    }
}

/// The patterns of a mapping, ready to match.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filters(Vec<Pattern>);

impl Filters {
    /// Reads every pattern.
    pub(crate) fn parse(texts: &[String]) -> Result<Filters, InvalidPattern> {
        texts.iter().map(|text| Pattern::parse(text)).collect::<Result<_, _>>().map(Filters)
    }

    /// Whether a record of a queue passes: without patterns every record does. The body is matched
    /// as JSON where it is JSON and the pattern looks into it, as plain text where both are plain;
    /// where they differ the record does not pass.
    pub(crate) fn pass(&self, record: &serde_json::Value) -> bool {
        self.0.is_empty() || self.0.iter().any(|pattern| passes(pattern, record))
    }

    /// Whether there is nothing to check.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn passes(pattern: &Pattern, record: &serde_json::Value) -> bool {
    if !pattern.wants_object("body") {
        return pattern.matches(record);
    }
    let body = record["body"].as_str().unwrap_or_default();
    match serde_json::from_str::<serde_json::Value>(body) {
        Ok(parsed) if parsed.is_object() => {
            let mut record = record.clone();
            record["body"] = parsed;
            pattern.matches(&record)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn filters(pattern: serde_json::Value) -> Filters {
        Filters::parse(&[pattern.to_string()]).unwrap()
    }

    #[test]
    fn a_body_is_matched_as_what_the_pattern_expects() {
        let structured = filters(json!({"body": {"kind": ["a"]}}));
        assert!(structured.pass(&json!({"body": "{\"kind\":\"a\"}"})));
        assert!(!structured.pass(&json!({"body": "{\"kind\":\"b\"}"})));
        assert!(!structured.pass(&json!({"body": "plain"})));
        let plain = filters(json!({"body": ["plain"]}));
        assert!(plain.pass(&json!({"body": "plain"})));
        assert!(!plain.pass(&json!({"body": "{\"kind\":\"a\"}"})));
    }

    #[test]
    fn one_of_several_filters_is_enough_and_none_lets_all_pass() {
        let texts = [json!({"body": ["a"]}).to_string(), json!({"body": ["b"]}).to_string()];
        let either = Filters::parse(&texts).unwrap();
        assert!(either.pass(&json!({"body": "b"})));
        assert!(!either.pass(&json!({"body": "c"})));
        assert!(Filters::default().pass(&json!({"body": "c"})));
    }
}
