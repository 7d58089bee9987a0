//! The record that tells a mapping's on-failure destination of records that were given up.
//!
//! Source: "Retain discarded batch records for a Kinesis Data Streams event source in Lambda". The
//! record says where the records are, not what they are; only S3 is given the event as well.

use bus::Delivery;
use bytes::Bytes;
use kit::{Caller, Millis, ids};
use serde::Serialize;

use crate::{
    Lambda,
    sources::{
        mapping::Mapping,
        stream::{event, piece::Piece},
    },
};

/// Why records were given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    RetryAttemptsExhausted,
    RecordAgeExceeded,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Notice<'a> {
    request_context: RequestContext<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_context: Option<ResponseContext<'a>>,
    version: &'static str,
    timestamp: String,
    #[serde(rename = "KinesisBatchInfo", skip_serializing_if = "Option::is_none")]
    kinesis: Option<BatchInfo<'a>>,
    #[serde(rename = "DDBStreamBatchInfo", skip_serializing_if = "Option::is_none")]
    dynamodb: Option<BatchInfo<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RequestContext<'a> {
    request_id: &'a str,
    function_arn: &'a str,
    condition: &'static str,
    approximate_invoke_count: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResponseContext<'a> {
    status_code: u16,
    executed_version: &'a str,
    /// Null where the function only reported items.
    function_error: Option<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BatchInfo<'a> {
    shard_id: &'a str,
    start_sequence_number: &'a str,
    end_sequence_number: &'a str,
    approximate_arrival_of_first_record: String,
    approximate_arrival_of_last_record: String,
    batch_size: usize,
    stream_arn: &'a str,
}

/// The notice of a piece that was given up.
fn notice(
    mapping: &Mapping,
    shard: &str,
    piece: &Piece,
    condition: Condition,
    now: Millis,
    payload: Option<String>,
) -> Option<String> {
    let (first, last) = (piece.items.first()?, piece.items.last()?);
    let info = BatchInfo {
        shard_id: shard,
        start_sequence_number: &first.sequence,
        end_sequence_number: &last.sequence,
        approximate_arrival_of_first_record: first.arrived.iso8601(),
        approximate_arrival_of_last_record: last.arrived.iso8601(),
        batch_size: piece.items.len(),
        stream_arn: mapping.source.as_str(),
    };
    let (kinesis, dynamodb) = match mapping.source.service() {
        "kinesis" => (Some(info), None),
        _ => (None, Some(info)),
    };
    let never_called = ids::uuid();
    let notice = Notice {
        request_context: RequestContext {
            request_id: piece.last.as_ref().map_or(&never_called, |last| &last.request_id),
            function_arn: mapping.function_arn.as_str(),
            condition: match condition {
                Condition::RetryAttemptsExhausted => "RetryAttemptsExhausted",
                Condition::RecordAgeExceeded => "RecordAgeExceeded",
            },
            approximate_invoke_count: piece.calls,
        },
        response_context: piece.last.as_ref().map(|last| ResponseContext {
            status_code: 200,
            executed_version: &last.version,
            function_error: last.error.then_some("Unhandled"),
        }),
        version: "1.0",
        timestamp: now.iso8601(),
        kinesis,
        dynamodb,
        payload,
    };
    serde_json::to_string(&notice).ok()
}

/// `aws/lambda/mapping/shard/2026/11/23/2026-11-23T19.15.40-uuid`.
fn object_key(mapping: &str, shard: &str, now: Millis) -> String {
    let time = now.iso8601_seconds();
    let (day, time) = (time[..10].replace('-', "/"), time.replace(':', "."));
    format!("aws/lambda/{mapping}/{shard}/{day}/{}-{}", time.trim_end_matches('Z'), ids::uuid())
}

impl Lambda {
    /// Tells the destination. What goes over the bus is answered, to be committed with the place in
    /// the shard; an object is there when this returns, or the log says why not.
    pub(crate) async fn tell_of_discard(
        &self,
        mapping: &Mapping,
        shard: &str,
        piece: &Piece,
        condition: Condition,
    ) -> Option<Delivery> {
        let destination = mapping.stream.as_ref()?.on_failure.as_ref()?;
        let now = self.clock.now();
        let caller = Caller::internal(mapping.account, mapping.region.clone(), now);
        if destination.service() != "s3" {
            let notice = notice(mapping, shard, piece, condition, now, None)?;
            let (target, source) = (destination.clone(), mapping.function_arn.clone());
            return Some(Delivery::new(target, "lambda.amazonaws.com", source, &caller, notice));
        }
        let payload = event::event(&piece.items, None);
        let notice = notice(mapping, shard, piece, condition, now, Some(payload))?;
        let key = object_key(&mapping.id, shard, now);
        let objects = self.bus.directory().objects()?;
        let put = objects.put(&caller, destination.resource(), &key, Bytes::from(notice)).await;
        if let Err(error) = put {
            tracing::warn!(mapping = mapping.id, %error, "the destination did not take a notice");
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::stream::piece::{Attempt, Item};
    use serde_json::{Value, json};

    fn piece() -> Piece {
        let item = |sequence: &str, arrived| Item {
            number: 0,
            sequence: sequence.to_owned(),
            arrived: Millis(arrived),
            event: "{}".to_owned(),
        };
        let items = vec![item("7", 1_573_691_884_835), item("9", 1_573_691_885_580)];
        let version = "$LATEST".to_owned();
        let last = Some(Attempt { request_id: "r".to_owned(), version, error: true });
        Piece { items, failures: 1, calls: 2, last }
    }

    #[test]
    fn a_notice_has_the_form_that_aws_documents() {
        let mapping = crate::sources::tests::of_stream();
        let condition = Condition::RetryAttemptsExhausted;
        let now = Millis(1_573_691_886_021);
        let text = notice(&mapping, "shardId-1", &piece(), condition, now, None).unwrap();
        assert_eq!(
            serde_json::from_str::<Value>(&text).unwrap(),
            json!({
                "requestContext": {
                    "requestId": "r",
                    "functionArn": mapping.function_arn.as_str(),
                    "condition": "RetryAttemptsExhausted",
                    "approximateInvokeCount": 2,
                },
                "responseContext": {
                    "statusCode": 200,
                    "executedVersion": "$LATEST",
                    "functionError": "Unhandled",
                },
                "version": "1.0",
                "timestamp": "2019-11-14T00:38:06.021Z",
                "KinesisBatchInfo": {
                    "shardId": "shardId-1",
                    "startSequenceNumber": "7",
                    "endSequenceNumber": "9",
                    "approximateArrivalOfFirstRecord": "2019-11-14T00:38:04.835Z",
                    "approximateArrivalOfLastRecord": "2019-11-14T00:38:05.580Z",
                    "batchSize": 2,
                    "streamArn": mapping.source.as_str(),
                },
            })
        );
    }

    #[test]
    fn records_that_were_never_tried_have_no_response() {
        let mapping = crate::sources::tests::of_stream();
        let piece = Piece { last: None, calls: 0, ..piece() };
        let condition = Condition::RecordAgeExceeded;
        let text = notice(&mapping, "s", &piece, condition, Millis(0), None).unwrap();
        let notice: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(notice["requestContext"]["condition"], "RecordAgeExceeded");
        assert!(notice.get("responseContext").is_none());
    }

    #[test]
    fn an_object_is_named_after_mapping_shard_and_time() {
        let key = object_key("m", "shardId-1", Millis(1_573_691_886_021));
        assert!(key.starts_with("aws/lambda/m/shardId-1/2019/11/14/2019-11-14T00.38.06-"), "{key}");
    }
}
