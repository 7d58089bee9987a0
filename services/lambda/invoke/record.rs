//! What is told of an event that has ended: the record for a destination, the attributes of a dead
//! letter. Pure.
//!
//! Sources: "Capturing records of Lambda asynchronous invocations", and records of SQS destinations
//! and dead-letter queues as AWS sent them.

use std::collections::BTreeMap;

use bus::Delivery;
use kit::Millis;
use runtime::Outcome;
use serde::Serialize;
use serde_json::{Value, value::RawValue};

use crate::{Error, functions::Runnable, invoke::event::Condition, name::LATEST};

/// Bytes of a function's message that a dead letter carries.
const MESSAGE_BYTES: usize = 1024;
/// The attribute of every dead letter, and of nothing else.
const REQUEST_ID: &str = "RequestID";

/// How an event ended.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) condition: Condition,
    /// What the last attempt came to, if the event's end was that of an attempt.
    pub(crate) outcome: Option<Outcome>,
    pub(crate) at: Millis,
}

impl End {
    /// Of an event that does not run any more.
    pub(crate) fn unrun(condition: Condition, at: Millis) -> End {
        End { condition, outcome: None, at }
    }

    pub(crate) fn succeeded(&self) -> bool {
        self.condition == Condition::Success
    }

    /// Whether the event never ran because the function was busy.
    fn throttled(&self, delivery: &Delivery) -> bool {
        self.condition == Condition::EventAgeExceeded
            && self.outcome.is_none()
            && delivery.failures > 0
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Record<'a> {
    version: &'static str,
    timestamp: String,
    request_context: RequestContext<'a>,
    request_payload: &'a RawValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_context: Option<ResponseContext<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_payload: Option<Value>,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    executed_version: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function_error: Option<&'static str>,
}

/// The record that a destination receives, JSON.
pub(crate) fn record(delivery: &Delivery, runnable: &Runnable, end: &End) -> String {
    let outcome = end.outcome.as_ref();
    let response_context = match outcome {
        Some(outcome) => Some(ResponseContext {
            status_code: 200,
            executed_version: Some(&runnable.function.version),
            function_error: outcome.error.map(|_| "Unhandled"),
        }),
        None if end.throttled(delivery) => {
            Some(ResponseContext { status_code: 429, executed_version: None, function_error: None })
        }
        None => None,
    };
    let function_arn = match runnable.qualifier {
        Some(_) => runnable.invoked_arn.clone(),
        None => format!("{}:{LATEST}", runnable.function_arn),
    };
    let payload = serde_json::from_str::<&RawValue>(&delivery.payload);
    let record = Record {
        version: "1.0",
        timestamp: end.at.iso8601(),
        request_context: RequestContext {
            request_id: &delivery.id,
            function_arn: &function_arn,
            condition: end.condition.as_str(),
            approximate_invoke_count: delivery.attempts + u32::from(outcome.is_some()),
        },
        request_payload: payload.unwrap_or(RawValue::NULL),
        response_context,
        response_payload: outcome.map(response),
    };
    serde_json::to_string(&record).unwrap_or_default()
}

fn response(outcome: &Outcome) -> Value {
    serde_json::from_slice(&outcome.payload)
        .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&outcome.payload).into_owned()))
}

/// `aws/lambda/async/NAME/YYYY/MM/DD/YYYY-MM-DDTHH.MM.SS-UUID`: where a bucket keeps a record.
pub(crate) fn object_key(function: &str, at: Millis, id: &str) -> String {
    let at = at.iso8601();
    let (day, time) = (&at[..10], at[11..19].replace(':', "."));
    format!("aws/lambda/async/{function}/{}/{day}T{time}-{id}", day.replace('-', "/"))
}

/// `RequestID`, `ErrorCode` and `ErrorMessage`, as the SQS target takes message attributes:
/// `type:value` under the attribute's name.
pub(crate) fn dead_letter_attributes(delivery: &Delivery, end: &End) -> BTreeMap<String, String> {
    let (code, message) = match &end.outcome {
        Some(outcome) => (Some(200), error_message(outcome)),
        None if end.throttled(delivery) => (Some(429), "Rate Exceeded.".to_owned()),
        // AWS's own spelling, and it sends no code.
        None if end.condition == Condition::ZeroReservedConcurrency => {
            let text = "Function not invoked. Function isconfigured with zero reserved concurrent \
                        executions";
            (None, text.to_owned())
        }
        None if end.condition == Condition::RecursiveLoop => {
            (Some(200), Error::RecursiveInvocation.to_string())
        }
        None => (Some(200), "Event age exceeded".to_owned()),
    };
    let code = code.map(|code| ("ErrorCode", format!("Number:{code}")));
    [(REQUEST_ID, format!("String:{}", delivery.id)), ("ErrorMessage", format!("String:{message}"))]
        .into_iter()
        .chain(code)
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// Whether a delivery is a dead letter, not a record for a destination.
pub(crate) fn is_dead_letter(delivery: &Delivery) -> bool {
    delivery.attributes.contains_key(REQUEST_ID)
}

/// The function's message, never empty, of characters that queues take.
fn error_message(outcome: &Outcome) -> String {
    let error: Value = serde_json::from_slice(&outcome.payload).unwrap_or_default();
    let message = error["errorMessage"].as_str().filter(|it| !it.is_empty());
    let message = message.unwrap_or("Unhandled");
    let end = message.floor_char_boundary(MESSAGE_BYTES);
    let taken = |letter: &char| !letter.is_control() || matches!(letter, '\t' | '\n' | '\r');
    message[..end].chars().filter(taken).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn failed(payload: &str) -> Outcome {
        Outcome {
            payload: Bytes::from(payload.to_owned()),
            error: Some(runtime::FunctionError::Handled),
            error_type: None,
            log_tail: Bytes::new(),
            log_stream: String::new(),
            report: runtime::Report::default(),
            ending: None,
        }
    }

    #[test]
    fn a_record_in_a_bucket_has_its_moment_in_its_key() {
        let key = object_key("f", Millis(1_700_000_000_123), "id");
        assert_eq!(key, "aws/lambda/async/f/2023/11/14/2023-11-14T22.13.20-id");
    }

    #[test]
    fn a_dead_letter_carries_a_message_that_a_queue_takes() {
        let message = |payload: &str| error_message(&failed(payload));
        assert_eq!(message(r#"{"errorMessage":"no"}"#), "no");
        assert_eq!(message(r#"{"errorMessage":""}"#), "Unhandled");
        assert_eq!(message("not JSON"), "Unhandled");
        assert_eq!(message(r#"{"errorMessage":"\u001b[31mred\n"}"#), "[31mred\n");
        let long = message(&format!(r#"{{"errorMessage":"a{}"}}"#, "ü".repeat(600)));
        assert_eq!(long.len(), 1023);
    }
}
