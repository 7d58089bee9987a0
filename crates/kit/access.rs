//! Permission: what is asked of whoever decides, and what it answers.

use crate::{AccountId, Arn, Caller};

/// Condition keys, each with the values that a request has for it.
pub type ConditionKeys = [(String, Vec<String>)];

/// A call that needs permission.
pub struct Attempt<'a> {
    /// Who calls, or whose service calls.
    pub caller: &'a Caller,
    /// The service that calls, where it is one and not the caller.
    pub service: Option<Service<'a>>,
    /// `sqs:SendMessage`.
    pub action: &'a str,
    /// The ARNs that it names, all of which must be allowed; none stands for `*`.
    pub resources: &'a [Arn],
    /// What the request says of the service's own condition keys, `s3:prefix`.
    pub keys: &'a ConditionKeys,
}

/// An AWS service that acts for itself.
#[derive(Clone, Copy)]
pub struct Service<'a> {
    /// `s3.amazonaws.com`
    pub name: &'a str,
    /// What it acts for: the bucket (`aws:SourceArn`).
    pub source: Option<&'a Arn>,
    /// Whose that is (`aws:SourceAccount`).
    pub account: Option<AccountId>,
}

/// Decides who may do what.
pub trait Authority: Send + Sync {
    /// Lets a call go on.
    ///
    /// # Errors
    /// It may not.
    fn permit(&self, attempt: &Attempt<'_>) -> Result<(), Denied>;
}

/// A call that may not go on. Its text is AWS's sentence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Denied(pub String);
