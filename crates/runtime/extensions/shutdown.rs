//! How an instance that has extensions ends: the runtime is told first, then they are, and nobody has
//! longer than Lambda allows ("Lambda Extensions API", shutdown phase).

use std::time::Duration;

use serde_json::json;

use super::roster::{Extension, Kind};
use crate::faults::Fault;

/// Why an instance ends, in the words of `shutdownReason`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// It is not needed any more.
    Spindown,
    /// An invocation took too long.
    Timeout,
    /// Something failed.
    Failure,
}

impl Reason {
    /// Of an instance that has failed.
    pub(crate) fn of(fault: &Fault) -> Reason {
        match fault {
            Fault::Timeout(_) => Reason::Timeout,
            _ => Reason::Failure,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Reason::Spindown => "spindown",
            Reason::Timeout => "timeout",
            Reason::Failure => "failure",
        }
    }
}

/// How long the runtime has, and all together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Times {
    pub(crate) runtime: Duration,
    pub(crate) all: Duration,
}

impl Times {
    /// Of an instance with these extensions.
    pub(crate) fn of(extensions: &[Extension]) -> Times {
        let has = |kind| extensions.iter().any(|extension| extension.kind == kind);
        let runtime = Duration::from_millis(match (has(Kind::Internal), has(Kind::External)) {
            (true, _) => 500,
            (false, true) => 300,
            (false, false) => 0,
        });
        let all = if has(Kind::External) { Duration::from_secs(2) } else { runtime };
        Times { runtime, all }
    }
}

/// What an extension is told.
pub(crate) fn event(reason: Reason, deadline_ms: u64) -> String {
    let reason = reason.as_str();
    json!({ "eventType": "SHUTDOWN", "shutdownReason": reason, "deadlineMs": deadline_ms })
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extensions::roster::State;

    #[test]
    fn who_has_no_extensions_has_no_time() {
        let of = |kinds: &[Kind]| {
            let extension = |kind: &Kind| Extension {
                name: String::new(),
                id: String::new(),
                kind: *kind,
                events: Vec::new(),
                state: State::Ready,
                error_type: None,
            };
            let extensions: Vec<_> = kinds.iter().map(extension).collect();
            let Times { runtime, all } = Times::of(&extensions);
            (runtime.as_millis(), all.as_millis())
        };
        assert_eq!(of(&[]), (0, 0));
        assert_eq!(of(&[Kind::Internal]), (500, 500));
        assert_eq!(of(&[Kind::External]), (300, 2000));
        assert_eq!(of(&[Kind::External, Kind::Internal]), (500, 2000));
    }

    #[test]
    fn the_reason_is_said() {
        assert_eq!(
            event(Reason::of(&Fault::Timeout(3000)), 7),
            r#"{"deadlineMs":7,"eventType":"SHUTDOWN","shutdownReason":"timeout"}"#
        );
    }
}
