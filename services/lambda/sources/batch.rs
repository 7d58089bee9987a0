//! A batch of queue messages as the function sees it, and what its answer says of each.

use std::collections::BTreeMap;

use bus::Leased;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// An event's payload is at most this many bytes; a larger batch is split.
const MAX_EVENT_BYTES: usize = 6 << 20;
/// What a record weighs beside its body and attributes.
const RECORD_OVERHEAD_BYTES: usize = 1024;

#[derive(Serialize)]
struct Event<'a> {
    #[serde(rename = "Records")]
    records: Vec<Record<'a>>,
}

/// One message in the form of an SQS event.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Record<'a> {
    message_id: &'a str,
    receipt_handle: &'a str,
    body: &'a str,
    attributes: &'a BTreeMap<String, String>,
    message_attributes: &'a Value,
    #[serde(rename = "md5OfMessageAttributes", skip_serializing_if = "Option::is_none")]
    md5_of_message_attributes: Option<&'a str>,
    #[serde(rename = "md5OfBody")]
    md5_of_body: &'a str,
    event_source: &'static str,
    #[serde(rename = "eventSourceARN")]
    event_source_arn: &'a str,
    aws_region: &'a str,
}

impl<'a> Record<'a> {
    pub(crate) fn of(message: &'a Leased, queue: &'a str, region: &'a str) -> Record<'a> {
        Record {
            message_id: &message.id,
            receipt_handle: &message.receipt,
            body: &message.body,
            attributes: &message.attributes,
            message_attributes: &message.message_attributes,
            md5_of_message_attributes: message.md5_of_message_attributes.as_deref(),
            md5_of_body: &message.md5_of_body,
            event_source: "aws:sqs",
            event_source_arn: queue,
            aws_region: region,
        }
    }
}

/// The event of some messages.
pub(crate) fn event(messages: &[Leased], queue: &str, region: &str) -> Vec<u8> {
    let records = messages.iter().map(|message| Record::of(message, queue, region)).collect();
    serde_json::to_vec(&Event { records }).unwrap_or_default()
}

/// Splits messages so that no event is too large. The order stays.
pub(crate) fn split(messages: Vec<Leased>) -> Vec<Vec<Leased>> {
    let mut batches: Vec<Vec<Leased>> = Vec::new();
    let mut room = 0;
    for message in messages {
        let size = message.body.len() + RECORD_OVERHEAD_BYTES;
        match batches.last_mut() {
            Some(batch) if size <= room => {
                room -= size;
                batch.push(message);
            }
            _ => {
                room = MAX_EVENT_BYTES.saturating_sub(size);
                batches.push(vec![message]);
            }
        }
    }
    batches
}

/// Which messages of a batch failed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Failures {
    /// None.
    None,
    /// Those of these ids.
    Some(Vec<String>),
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
pub(crate) fn failures(answer: &[u8], batch: &[Leased]) -> Failures {
    let Ok(value) = serde_json::from_slice::<Value>(answer) else { return Failures::All };
    if !value.is_object() {
        // A function that returns nothing, or anything else that is no object, failed nothing.
        return if value.is_null() { Failures::None } else { Failures::All };
    }
    let Ok(response) = serde_json::from_value::<Response>(value) else { return Failures::All };
    let failures = response.failures.unwrap_or_default();
    let mut ids = Vec::with_capacity(failures.len());
    for failure in failures {
        match failure.id {
            Some(Value::String(id)) if batch.iter().any(|message| message.id == id) => ids.push(id),
            _ => return Failures::All,
        }
    }
    if ids.is_empty() { Failures::None } else { Failures::Some(ids) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(id: &str, bytes: usize) -> Leased {
        Leased {
            id: id.to_owned(),
            receipt: format!("receipt-{id}"),
            body: "x".repeat(bytes),
            attributes: BTreeMap::new(),
            message_attributes: Value::Object(serde_json::Map::new()),
            md5_of_body: "d41d8cd98f00b204e9800998ecf8427e".to_owned(),
            md5_of_message_attributes: None,
        }
    }

    #[test]
    fn answers_tell_which_items_failed() {
        let batch = [message("a", 1), message("b", 1)];
        let read = |answer: &str| failures(answer.as_bytes(), &batch);
        assert_eq!(read("null"), Failures::None);
        assert_eq!(read("{}"), Failures::None);
        assert_eq!(read(r#"{"batchItemFailures": null}"#), Failures::None);
        assert_eq!(read(r#"{"batchItemFailures": []}"#), Failures::None);
        let one = r#"{"batchItemFailures": [{"itemIdentifier": "b"}]}"#;
        assert_eq!(read(one), Failures::Some(vec!["b".to_owned()]));
        for bad in [
            r#"{"batchItemFailures": [{"itemIdentifier": "nosuch"}]}"#,
            r#"{"batchItemFailures": [{"itemIdentifier": ""}]}"#,
            r#"{"batchItemFailures": [{}]}"#,
            r#"{"batchItemFailures": 1}"#,
            "\"text\"",
            "not json",
        ] {
            assert_eq!(read(bad), Failures::All, "{bad}");
        }
    }

    #[test]
    fn a_batch_larger_than_an_event_is_split_in_order() {
        let mebibyte = 1 << 20;
        let messages: Vec<Leased> =
            (0..10).map(|number| message(&number.to_string(), mebibyte)).collect();
        let batches = split(messages);
        assert_eq!(batches.iter().map(Vec::len).collect::<Vec<_>>(), [5, 5]);
        assert_eq!(batches[1][0].id, "5");
    }

    #[test]
    fn an_event_has_the_form_of_sqs_events() {
        let event = event(&[message("a", 2)], "arn:aws:sqs:r:1:q", "r");
        let event: Value = serde_json::from_slice(&event).unwrap();
        let record = &event["Records"][0];
        assert_eq!(record["messageId"], "a");
        assert_eq!(record["body"], "xx");
        assert_eq!(record["eventSource"], "aws:sqs");
        assert_eq!(record["eventSourceARN"], "arn:aws:sqs:r:1:q");
        assert_eq!(record["awsRegion"], "r");
        assert_eq!(record["md5OfBody"], "d41d8cd98f00b204e9800998ecf8427e");
        assert!(record.get("md5OfMessageAttributes").is_none());
    }
}
