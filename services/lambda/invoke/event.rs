//! Asynchronous events: when they are tried again, and when they are given up. Pure.
//!
//! Sources: "How Lambda handles errors and retries with asynchronous invocation" (two retries, one
//! and two minutes later; throttled events wait from one second to five minutes, for six hours),
//! "Capturing records of Lambda asynchronous invocations" (what follows at the end).

use kit::{Arn, Millis};
use serde::{Deserialize, Serialize};

use crate::limits::{ASYNC_EVENT_AGE_SECONDS, ASYNC_RETRIES};

/// How asynchronous events of a function are handled; what is not set has AWS's default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EventPolicy {
    /// `MaximumRetryAttempts`.
    pub(crate) retries: Option<u32>,
    /// `MaximumEventAgeInSeconds`.
    pub(crate) age_seconds: Option<u32>,
    /// `DestinationConfig.OnSuccess`.
    pub(crate) on_success: Option<Arn>,
    /// `DestinationConfig.OnFailure`.
    pub(crate) on_failure: Option<Arn>,
    /// When it was set.
    pub(crate) modified: Millis,
}

/// What follows an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// It succeeded.
    Done,
    /// The function failed; again at this moment.
    Again(Millis),
    /// It failed for the last time.
    GiveUp(Condition),
}

/// `requestContext.condition` of a destination's record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    Success,
    RetriesExhausted,
    EventAgeExceeded,
    /// The invocation would have continued a recursive loop.
    RecursiveLoop,
    /// The function may not run at all: no retries ("Adding a destination", note).
    ZeroReservedConcurrency,
}

impl Condition {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Condition::Success => "Success",
            // AWS does not say which word it has for loops.
            Condition::RetriesExhausted | Condition::RecursiveLoop => "RetriesExhausted",
            Condition::EventAgeExceeded => "EventAgeExceeded",
            Condition::ZeroReservedConcurrency => "ZeroReservedConcurrency",
        }
    }
}

impl EventPolicy {
    /// The last moment at which an event may run that was caused at `created`.
    pub(crate) fn end(&self, created: Millis) -> Millis {
        created.plus_seconds(u64::from(self.age_seconds.unwrap_or(ASYNC_EVENT_AGE_SECONDS)))
    }

    /// Whether an event that was caused at `created` is too old to run.
    pub(crate) fn expired(&self, created: Millis, now: Millis) -> bool {
        now > self.end(created)
    }

    /// What follows an attempt that came to `outcome`, when `attempts` were counted before it.
    pub(crate) fn next(&self, failed: bool, attempts: u32, created: Millis, now: Millis) -> Next {
        if !failed {
            return Next::Done;
        }
        if attempts >= self.retries.unwrap_or(ASYNC_RETRIES) {
            return Next::GiveUp(Condition::RetriesExhausted);
        }
        // One minute before the second attempt, two before the third.
        let at = now.plus_seconds(60 * u64::from(attempts + 1));
        if self.expired(created, at) {
            return Next::GiveUp(Condition::EventAgeExceeded);
        }
        Next::Again(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: u64 = 60_000;

    #[test]
    fn a_failure_is_tried_again_after_one_minute_and_after_two() {
        let policy = EventPolicy::default();
        let (created, now) = (Millis(0), Millis(5));
        assert_eq!(policy.next(true, 0, created, now), Next::Again(now.plus(MINUTE)));
        assert_eq!(policy.next(true, 1, created, now), Next::Again(now.plus(2 * MINUTE)));
        assert_eq!(policy.next(true, 2, created, now), Next::GiveUp(Condition::RetriesExhausted));
        assert_eq!(policy.next(false, 2, created, now), Next::Done);
    }

    #[test]
    fn an_event_that_would_be_too_old_is_given_up_at_once() {
        let policy = EventPolicy { age_seconds: Some(60), ..EventPolicy::default() };
        assert!(!policy.expired(Millis(0), Millis(MINUTE)));
        assert!(policy.expired(Millis(0), Millis(MINUTE + 1)));
        assert_eq!(
            policy.next(true, 0, Millis(0), Millis(1)),
            Next::GiveUp(Condition::EventAgeExceeded)
        );
    }

    #[test]
    fn no_retries_means_one_attempt() {
        let policy = EventPolicy { retries: Some(0), ..EventPolicy::default() };
        assert_eq!(
            policy.next(true, 0, Millis(0), Millis(0)),
            Next::GiveUp(Condition::RetriesExhausted)
        );
    }
}
