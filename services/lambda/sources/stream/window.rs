//! Tumbling windows: the time that a state is gathered over. Pure.

use kit::Millis;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// A state larger than this ends its window early ("Implementing stateful Kinesis Data Streams
/// processing").
const MAX_STATE_BYTES: usize = 1 << 20;

/// The window that a lane is in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Window {
    pub(crate) start: Millis,
    pub(crate) end: Millis,
    /// What the function last answered, JSON.
    pub(crate) state: String,
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    state: Option<&'a RawValue>,
}

impl Window {
    /// The window that a record belongs to, with no state yet.
    pub(crate) fn around(arrived: Millis, length_millis: u64) -> Window {
        let start = Millis(arrived.0 - arrived.0 % length_millis);
        Window { start, end: start.plus(length_millis), state: "{}".to_owned() }
    }

    /// The same time with no state.
    pub(crate) fn emptied(&self) -> Window {
        Window { state: "{}".to_owned(), ..self.clone() }
    }

    /// Whether its state has grown too large.
    pub(crate) fn overflows(&self) -> bool {
        self.state.len() > MAX_STATE_BYTES
    }
}

/// The state in a function's answer; without one the answer is a failure.
pub(crate) fn state(answer: &[u8]) -> Option<String> {
    let answer: Answer<'_> = serde_json::from_slice(answer).ok()?;
    answer.state.map(|state| state.get().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_lie_on_multiples_of_their_length() {
        let window = Window::around(Millis(1_607_497_475_000), 120_000);
        assert_eq!(window.start.iso8601_seconds(), "2020-12-09T07:04:00Z");
        assert_eq!(window.end.iso8601_seconds(), "2020-12-09T07:06:00Z");
        assert_eq!(Window::around(window.end, 120_000).start, window.end);
    }

    #[test]
    fn an_answer_has_a_state_or_has_failed() {
        assert_eq!(state(br#"{"state": {"a": [1, 2]}}"#).as_deref(), Some(r#"{"a": [1, 2]}"#));
        assert_eq!(state(b"{}"), None);
        assert_eq!(state(b"null"), None);
        assert_eq!(state(b"no json"), None);
    }
}
