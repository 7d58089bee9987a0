//! Small shared values: who, where, when and what. Nothing here does input or output, except that
//! [`Clock`] reads the time and [`ids`] reads the kernel's randomness.
//!
//! Read next: `arn` (names of things), `clock` (time), `caller` (who asks), `access`
//! (whether it may).

mod access;
mod arn;
mod caller;
mod clock;
pub mod ids;
mod place;
pub mod web;

pub use access::{
    Attempt, Authority, ConditionKeys, Denied, Service, TAG_KEYS, request_tags, tag_keys,
};
pub use arn::{Arn, InvalidArn};
pub use caller::{Caller, Principal, PrincipalKind, Session};
pub use clock::{Clock, Millis};
pub use place::{AccountId, InvalidAccountId, InvalidRegion, Region};

/// Tags of a resource, in key order.
pub type Tags = std::collections::BTreeMap<String, String>;
