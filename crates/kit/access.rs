//! Permission: what is asked of whoever decides, and what it answers.

use crate::{AccountId, Arn, Caller};

/// Condition keys, each with the values that a request has for it.
pub type ConditionKeys = [(String, Vec<String>)];

/// The keys of all tags that a request names.
pub const TAG_KEYS: &str = "aws:TagKeys";

/// The condition keys of a request that puts tags on a resource: each tag, and all their keys.
pub fn request_tags<'a>(
    tags: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Vec<(String, Vec<String>)> {
    let tags: Vec<_> = tags.into_iter().collect();
    let keys: Vec<_> = tags.iter().map(|(key, _)| (*key).to_owned()).collect();
    let one =
        |(key, value): (&str, &str)| (format!("aws:RequestTag/{key}"), vec![value.to_owned()]);
    let all = (!keys.is_empty()).then(|| (TAG_KEYS.to_owned(), keys));
    tags.into_iter().map(one).chain(all).collect()
}

/// The condition keys of a request that takes tags off a resource.
pub fn tag_keys(keys: &[String]) -> Box<ConditionKeys> {
    Box::new([(TAG_KEYS.to_owned(), keys.to_vec())])
}

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

    /// Whether a policy that has a say about a caller and a resource names a condition key that
    /// starts so, in lower case. For keys that take a read to find out: `s3:existingobjecttag/`.
    fn asks_for(&self, caller: &Caller, resource: &Arn, key: &str) -> bool;

    /// A number that changes whenever an identity or its policies do: what was decided about an
    /// identity may be kept as long as it stays.
    fn edition(&self) -> u64;
}

/// A call that may not go on. Its text is AWS's sentence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Denied(pub String);
