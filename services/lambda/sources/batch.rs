//! A batch of queue messages as the function sees it.

use std::collections::BTreeMap;

use bus::Leased;
use serde::Serialize;
use serde_json::Value;

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

    /// Its size in an event.
    pub(crate) fn bytes(&self) -> usize {
        serde_json::to_string(self).map_or(0, |text| text.len())
    }
}

/// The event of some messages.
pub(crate) fn event(messages: &[Leased], queue: &str, region: &str) -> Vec<u8> {
    let records = messages.iter().map(|message| Record::of(message, queue, region)).collect();
    serde_json::to_vec(&Event { records }).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_has_the_form_of_sqs_events() {
        let message = Leased {
            id: "a".to_owned(),
            receipt: "receipt".to_owned(),
            body: "xx".to_owned(),
            attributes: BTreeMap::new(),
            message_attributes: Value::Object(serde_json::Map::new()),
            md5_of_body: "d41d8cd98f00b204e9800998ecf8427e".to_owned(),
            md5_of_message_attributes: None,
        };
        let event = event(std::slice::from_ref(&message), "arn:aws:sqs:r:1:q", "r");
        let frame = event.len() - Record::of(&message, "arn:aws:sqs:r:1:q", "r").bytes();
        assert_eq!(frame, r#"{"Records":[]}"#.len());
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
