//! One event on its way from a service to a target.

use std::collections::BTreeMap;

use kit::{AccountId, Arn, Millis, Region};
use serde::{Deserialize, Serialize};

/// An event that must reach its target at least once.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Delivery {
    /// Unique; a target may use it to drop repeats. Functions see it as their request id.
    pub id: String,
    /// Where to: a function's or a queue's ARN.
    pub target: Arn,
    /// The service that sends, as in policies: `s3.amazonaws.com`.
    pub principal: String,
    /// What it is about (`aws:SourceArn`): the bucket.
    pub source: Arn,
    /// Whose event it is (`aws:SourceAccount`).
    pub account: AccountId,
    /// Where it happened.
    pub region: Region,
    /// Deliveries with the same key arrive in order; empty: no order is kept.
    pub order: String,
    /// The event, JSON.
    pub payload: String,
    /// What else the target takes with it (`client-context`), by names that the target defines.
    pub attributes: BTreeMap<String, String>,
    /// X-Ray trace header to carry on, or empty.
    pub trace: String,
    /// When it was caused.
    pub created: Millis,
    /// Not before this moment.
    pub due: Millis,
    /// Attempts that the target counted.
    pub attempts: u32,
    /// Times in a row that the target could not try it, since the server started: the exponent of
    /// the waits between them.
    #[serde(skip)]
    pub failures: u32,
}

impl Delivery {
    /// A delivery that is due at once, in no order, and carries on the caller's trace.
    pub fn new(
        target: Arn,
        principal: &str,
        source: Arn,
        caller: &kit::Caller,
        payload: String,
    ) -> Delivery {
        Delivery {
            id: kit::ids::uuid(),
            target,
            principal: principal.to_owned(),
            source,
            account: caller.account,
            region: caller.region.clone(),
            order: String::new(),
            payload,
            attributes: BTreeMap::new(),
            trace: caller.trace.clone(),
            created: caller.now,
            due: caller.now,
            attempts: 0,
            failures: 0,
        }
    }
}

/// Why a target did not take a delivery.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeliveryError {
    /// Trying again may help: throttled, stopping, disk full. The bus waits longer each time.
    #[error("{0}")]
    Retry(String),
    /// The same, but the next attempt is not to come after a moment: the delivery ends then.
    #[error("{reason}")]
    RetryBefore {
        /// Not after.
        end: Millis,
        /// Why.
        reason: String,
    },
    /// The target counted this attempt and names the next one's moment. Both are durable.
    #[error("{reason}")]
    RetryAt {
        /// Not before.
        at: Millis,
        /// Why.
        reason: String,
    },
    /// It never will: the target is gone or refuses this sender.
    #[error("{0}")]
    Refused(String),
}
