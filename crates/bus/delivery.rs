//! One event on its way from a service to a target.

use kit::{AccountId, Arn, Millis, Region};
use serde::{Deserialize, Serialize};

/// An event that must reach its target at least once.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Delivery {
    /// Unique; a target may use it to drop repeats.
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
    /// When it was caused.
    pub created: Millis,
    /// X-Ray trace header to carry on, or empty.
    pub trace: String,
    /// Attempts so far.
    pub attempts: u32,
}

/// Why a target did not take a delivery.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeliveryError {
    /// Trying again may help: throttled, stopping, disk full.
    #[error("{0}")]
    Retry(String),
    /// It never will: the target is gone or refuses this sender.
    #[error("{0}")]
    Refused(String),
}
