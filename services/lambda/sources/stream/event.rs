//! A batch of records as the function sees it.

use serde::Serialize;
use serde_json::{Value, value::RawValue};

use crate::sources::stream::{piece::Item, window::Window};

/// What an event with a window holds beside its records and the state.
pub(crate) const WINDOW_FRAME_BYTES: usize = 4096;

/// The part of an event that only mappings with tumbling windows have.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Tumbling<'a> {
    window: Bounds,
    state: &'a RawValue,
    shard_id: &'a str,
    #[serde(rename = "eventSourceARN")]
    event_source_arn: &'a str,
    is_final_invoke_for_window: bool,
    is_window_terminated_early: bool,
}

#[derive(Serialize)]
struct Bounds {
    start: String,
    end: String,
}

/// A window in an event.
pub(crate) struct Framed<'a> {
    pub(crate) window: &'a Window,
    pub(crate) shard: &'a str,
    pub(crate) source: &'a str,
    /// The last call of the window, or of its state.
    pub(crate) closes: bool,
}

/// The event of some records, which are JSON already.
pub(crate) fn event(items: &[Item], framed: Option<&Framed<'_>>) -> String {
    let bytes: usize = items.iter().map(|item| item.event.len() + 1).sum();
    let mut event = String::with_capacity(bytes + 64);
    event.push_str("{\"Records\":[");
    for (position, item) in items.iter().enumerate() {
        if position > 0 {
            event.push(',');
        }
        event.push_str(&item.event);
    }
    event.push(']');
    if let Some(framed) = framed {
        event.push(',');
        event.push_str(tumbling(framed).trim_start_matches('{'));
    } else {
        event.push('}');
    }
    event
}

fn tumbling(framed: &Framed<'_>) -> String {
    let window = framed.window;
    let state = serde_json::from_str::<&RawValue>(&window.state).unwrap_or(RawValue::NULL);
    let part = Tumbling {
        window: Bounds { start: window.start.iso8601_seconds(), end: window.end.iso8601_seconds() },
        state,
        shard_id: framed.shard,
        event_source_arn: framed.source,
        is_final_invoke_for_window: framed.closes,
        is_window_terminated_early: framed.closes && window.overflows(),
    };
    serde_json::to_string(&part).unwrap_or_default()
}

/// A record as it goes into events: Kinesis names the role that reads.
pub(crate) fn record(mut event: Value, role: &str) -> String {
    if event["eventSource"] == "aws:kinesis" {
        event["invokeIdentityArn"] = role.into();
    }
    event.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use kit::Millis;
    use serde_json::json;

    fn item(event: &Value) -> Item {
        let sequence = "1".to_owned();
        Item { number: 0, sequence, arrived: Millis(0), event: record(event.clone(), "role") }
    }

    #[test]
    fn events_have_the_forms_of_their_sources() {
        let kinesis = json!({"eventSource": "aws:kinesis", "kinesis": {"data": "eA=="}});
        let read = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        let one = read(&event(&[item(&kinesis)], None));
        assert_eq!(one["Records"][0]["invokeIdentityArn"], "role");
        let dynamodb = json!({"eventSource": "aws:dynamodb"});
        let two = read(&event(&[item(&dynamodb), item(&dynamodb)], None));
        assert_eq!(two, json!({"Records": [dynamodb, dynamodb]}));
    }

    #[test]
    fn an_event_of_a_window_carries_its_state() {
        let window = Window {
            state: "{\"sum\":7}".to_owned(),
            ..Window::around(Millis(1_607_497_475_000), 120_000)
        };
        let framed = Framed { window: &window, shard: "shardId-1", source: "arn", closes: true };
        let event: Value = serde_json::from_str(&event(&[], Some(&framed))).unwrap();
        assert_eq!(
            event,
            json!({
                "Records": [],
                "window": {"start": "2020-12-09T07:04:00Z", "end": "2020-12-09T07:06:00Z"},
                "state": {"sum": 7},
                "shardId": "shardId-1",
                "eventSourceARN": "arn",
                "isFinalInvokeForWindow": true,
                "isWindowTerminatedEarly": false,
            })
        );
    }
}
