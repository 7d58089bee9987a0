//! The filters of a mapping against the records of its source.
//!
//! What producers wrote is text within the record: the body of a message, the data of a Kinesis
//! record. A pattern that looks into it as JSON drops records where it is not JSON; one that expects
//! plain text drops records where it is ("Properly filtering Amazon SQS messages").

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::Value;

use crate::sources::filter::{InvalidPattern, Node, Pattern};

/// Where a source's records hold what producers wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Payload {
    /// SQS: text under `body`.
    Body,
    /// Kinesis: base64 within `kinesis`; patterns name it `data`.
    Data,
    /// DynamoDB: the record itself.
    Record,
}

/// The patterns of a mapping, ready to match.
#[derive(Clone, Debug)]
pub(crate) struct Filters {
    patterns: Vec<Pattern>,
    payload: Payload,
}

impl Filters {
    /// Reads every pattern.
    pub(crate) fn parse(texts: &[String], payload: Payload) -> Result<Filters, InvalidPattern> {
        let patterns = texts.iter().map(|text| Pattern::parse(text)).collect::<Result<_, _>>()?;
        Ok(Filters { patterns, payload })
    }

    /// Whether a record passes one of the patterns; without patterns every record does.
    pub(crate) fn pass(&self, record: &Value) -> bool {
        if self.is_empty() {
            return true;
        }
        let Some((name, written)) = self.payload.of(record) else {
            return self.patterns.iter().any(|pattern| pattern.0.matches(Some(record)));
        };
        self.patterns.iter().any(|pattern| pattern.0.passes(record, name, &written))
    }

    /// Whether there is nothing to check.
    pub(crate) fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }
}

/// What a producer wrote.
enum Written {
    Json(Value),
    Plain(Value),
}

impl Payload {
    fn of(self, record: &Value) -> Option<(&'static str, Written)> {
        match self {
            Payload::Body => {
                let body = record["body"].as_str().unwrap_or_default();
                Some(("body", Written::read(body)))
            }
            Payload::Data => {
                let data = record["kinesis"]["data"].as_str().unwrap_or_default();
                let bytes = BASE64_STANDARD.decode(data).unwrap_or_default();
                Some(("data", Written::read(&String::from_utf8_lossy(&bytes))))
            }
            Payload::Record => None,
        }
    }
}

impl Written {
    fn read(text: &str) -> Written {
        match serde_json::from_str(text) {
            Ok(json @ (Value::Object(_) | Value::Array(_))) => Written::Json(json),
            _ => Written::Plain(Value::String(text.to_owned())),
        }
    }
}

impl Node {
    /// As `matches`, but the field of this name is what the producer wrote.
    fn passes(&self, record: &Value, name: &str, written: &Written) -> bool {
        match self {
            Node::AnyOf(nodes) => nodes.iter().any(|node| node.passes(record, name, written)),
            Node::Fields(fields) => fields.iter().all(|(field, node)| match (node, written) {
                (Node::AnyOf(_), _) => node.passes(record, name, written),
                _ if field != name => node.matches(record.get(field)),
                (Node::Fields(_), Written::Json(json)) => node.matches(Some(json)),
                (Node::Leaf(_), Written::Plain(text)) => node.matches(Some(text)),
                _ => false,
            }),
            // A pattern is an object, and so are its alternatives.
            Node::Leaf(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn filters(payload: Payload, pattern: Value) -> Filters {
        Filters::parse(&[pattern.to_string()], payload).unwrap()
    }

    #[test]
    fn a_body_is_matched_as_what_the_pattern_expects() {
        let structured = filters(Payload::Body, json!({"body": {"kind": ["a"]}}));
        assert!(structured.pass(&json!({"body": "{\"kind\":\"a\"}"})));
        assert!(structured.pass(&json!({"body": "[{\"kind\":\"b\"},{\"kind\":\"a\"}]"})));
        assert!(!structured.pass(&json!({"body": "{\"kind\":\"b\"}"})));
        assert!(!structured.pass(&json!({"body": "plain"})));
        let plain = filters(Payload::Body, json!({"body": [{"prefix": ""}]}));
        assert!(plain.pass(&json!({"body": "plain"})));
        assert!(!plain.pass(&json!({"body": "{\"kind\":\"a\"}"})));
        let metadata = filters(Payload::Body, json!({"messageId": ["1"]}));
        assert!(metadata.pass(&json!({"messageId": "1", "body": "plain"})));
        let either = json!({"$or": [{"body": ["x"]}, {"body": {"kind": ["a"]}}]});
        let either = filters(Payload::Body, either);
        assert!(
            either.pass(&json!({"body": "x"})) && either.pass(&json!({"body": "{\"kind\":\"a\"}"}))
        );
    }

    #[test]
    fn kinesis_data_is_decoded_and_dynamodb_records_are_matched_as_they_are() {
        let data = filters(Payload::Data, json!({"data": {"kind": ["a"]}}));
        let record = |text: &str| json!({"kinesis": {"data": BASE64_STANDARD.encode(text)}});
        assert!(data.pass(&record("{\"kind\":\"a\"}")));
        assert!(!data.pass(&record("{\"kind\":\"b\"}")) && !data.pass(&record("a")));
        let image = json!({"dynamodb": {"NewImage": {"n": {"N": ["1"]}}}, "eventName": ["INSERT"]});
        let image = filters(Payload::Record, image);
        let record =
            |n: &str| json!({"eventName": "INSERT", "dynamodb": {"NewImage": {"n": {"N": n}}}});
        assert!(image.pass(&record("1")) && !image.pass(&record("2")));
    }

    #[test]
    fn one_of_several_filters_is_enough_and_none_lets_all_pass() {
        let texts = [json!({"body": ["a"]}).to_string(), json!({"body": ["b"]}).to_string()];
        let either = Filters::parse(&texts, Payload::Body).unwrap();
        assert!(either.pass(&json!({"body": "b"})));
        assert!(!either.pass(&json!({"body": "c"})));
        assert!(Filters::parse(&[], Payload::Body).unwrap().pass(&json!({"body": "c"})));
    }
}
