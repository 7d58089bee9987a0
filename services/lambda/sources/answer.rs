//! What a function's answer says of the items of its batch.

use serde::Deserialize;
use serde_json::Value;

/// Which items of a batch failed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Failures {
    /// None.
    None,
    /// Those at these positions, at least one.
    Some(Vec<usize>),
    /// The answer cannot be read: all of them.
    All,
}

#[derive(Deserialize)]
struct Response {
    #[serde(rename = "batchItemFailures", default)]
    failures: Option<Vec<Failure>>,
}

#[derive(Deserialize)]
struct Failure {
    #[serde(rename = "itemIdentifier", default)]
    id: Option<Value>,
}

/// Reads the answer of a function that reports failures of single items. An answer without the list,
/// or with an empty one, is a success; an id that is not of the batch fails the whole batch.
pub(crate) fn failures<'a>(
    answer: &[u8],
    batch: impl Iterator<Item = &'a str> + Clone,
) -> Failures {
    let response = match serde_json::from_slice(answer) {
        // A function that returns nothing failed nothing.
        Ok(Value::Null) => return Failures::None,
        Ok(Value::String(text)) if text.is_empty() => return Failures::None,
        Ok(value @ Value::Object(_)) => serde_json::from_value::<Response>(value),
        _ => return Failures::All,
    };
    let Ok(response) = response else { return Failures::All };
    let mut positions = Vec::new();
    for failure in response.failures.unwrap_or_default() {
        let Some(Value::String(id)) = failure.id else { return Failures::All };
        let position = batch.clone().position(|item| item == id);
        let Some(position) = position else { return Failures::All };
        positions.push(position);
    }
    if positions.is_empty() { Failures::None } else { Failures::Some(positions) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_tell_which_items_failed() {
        let read = |answer: &str| failures(answer.as_bytes(), ["a", "b"].into_iter());
        for good in
            ["null", "\"\"", "{}", r#"{"batchItemFailures": null}"#, r#"{"batchItemFailures": []}"#]
        {
            assert_eq!(read(good), Failures::None, "{good}");
        }
        let one = r#"{"batchItemFailures": [{"itemIdentifier": "b"}]}"#;
        assert_eq!(read(one), Failures::Some(vec![1]));
        for bad in [
            r#"{"batchItemFailures": [{"itemIdentifier": "nosuch"}]}"#,
            r#"{"batchItemFailures": [{"itemIdentifier": ""}]}"#,
            r#"{"batchItemFailures": [{"itemIdentifier": null}]}"#,
            r#"{"batchItemFailures": [{"foo": "a"}]}"#,
            r#"{"batchItemFailures": [{}]}"#,
            r#"{"batchItemFailures": 1}"#,
            "[]",
            "\"text\"",
            "not json",
        ] {
            assert_eq!(read(bad), Failures::All, "{bad}");
        }
    }
}
