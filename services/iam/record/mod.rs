//! What was decided about calls: a record of each, and what every user and role has done.
//!
//! Read in this order: `audit` (the authority that records), `gather` (records before they are kept),
//! `writer` (the task that keeps them),
//! `scope` (resources, and how several become one), `seen` (what was done), `suggest` (a policy for
//! it), `beyond` (what policies grant that was not done), `explain` (decisions in plain words),
//! `answers` (what is said to who asks).
//!
//! Always true: a call does not wait for its record. Records lie in segments beside the store and are
//! gone after [`RETENTION_MILLIS`] or when there are more than [`RECORD_BYTES_LIMIT`]; what was done
//! is rows, so that many records do not push it out.

mod answers;
mod audit;
mod beyond;
mod explain;
mod gather;
mod scope;
mod seen;
mod suggest;
#[cfg(test)]
mod tests;
mod writer;

use kit::{AccountId, Attempt, Caller, Millis, Principal, PrincipalKind, Region};
use serde::{Deserialize, Serialize};

use crate::{
    authority::{Cited, Judged},
    evaluate::Outcome,
};

pub use answers::{Explained, Suggested};
pub use audit::{Audit, OpenError, Wanted};

/// How long records, and what was seen, are kept.
const RETENTION_MILLIS: u64 = 7 * 24 * 3_600_000;
/// Records that are kept, in bytes; the oldest go first.
const RECORD_BYTES_LIMIT: u64 = 64 << 20;
/// Resources of one call that its record tells.
const RESOURCES_LIMIT: usize = 100;
/// Condition keys of one call that its record tells, and values of each.
const KEYS_LIMIT: usize = 16;
/// Letters of a value of a condition key.
const VALUE_LETTERS_LIMIT: usize = 256;

/// What a server does with decisions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Mode {
    /// Calls go on, whatever is decided.
    Audit,
    /// Only what is allowed goes on.
    Enforce,
}

/// A call, and what was decided about it; or several that are alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Record {
    /// The request's id, which its answer carried.
    pub(crate) id: String,
    pub(crate) at: Millis,
    pub(crate) mode: Mode,
    /// The caller's ARN, or the name of the service that calls.
    pub(crate) caller: String,
    /// Whether a service calls for itself.
    pub(crate) service: bool,
    pub(crate) kind: PrincipalKind,
    /// The user, or the role of a session: `user/ana`, `role/worker`.
    pub(crate) identity: Option<String>,
    pub(crate) account: AccountId,
    pub(crate) region: Region,
    pub(crate) action: String,
    pub(crate) source_ip: String,
    /// The request's values of the service's own condition keys.
    pub(crate) keys: Vec<(String, Vec<String>)>,
    pub(crate) verdicts: Vec<Verdict>,
    /// The other calls of this kind, in the order of time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) more: Vec<Call>,
}

/// What tells calls apart that are alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Call {
    pub(crate) id: String,
    pub(crate) at: Millis,
}

impl Call {
    fn of(caller: &Caller) -> Call {
        Call { id: caller.request_id.clone(), at: caller.now }
    }
}

/// What was decided about one resource of a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Verdict {
    pub(crate) resource: String,
    /// Whose the resource is.
    pub(crate) owner: AccountId,
    pub(crate) outcome: Outcome,
    /// The statements that made it.
    pub(crate) statements: Vec<Cited>,
    /// Context keys for want of which a statement did not speak.
    pub(crate) missing: Vec<String>,
}

impl Record {
    fn of(attempt: &Attempt<'_>, mut judgements: Vec<Judged<'_>>, mode: Mode) -> Record {
        let caller = attempt.caller;
        let keys = attempt.keys.iter().take(KEYS_LIMIT).map(|(key, values)| {
            let values = values.iter().take(KEYS_LIMIT);
            (key.clone(), values.map(|it| shortened(it)).collect())
        });
        // Refusals first: what is left out must not make a record say that the call was allowed.
        judgements.sort_by_key(|it| it.decision.outcome == Outcome::Allowed);
        let verdicts = judgements.into_iter().take(RESOURCES_LIMIT).map(|judged| Verdict {
            statements: judged.cited(),
            resource: judged.resource.into_owned(),
            owner: judged.owner,
            outcome: judged.decision.outcome,
            missing: judged.missing,
        });
        Record {
            id: caller.request_id.clone(),
            at: caller.now,
            mode,
            caller: attempt.service.map_or(caller.principal.arn.as_str(), |it| it.name).to_owned(),
            service: attempt.service.is_some(),
            kind: caller.principal.kind,
            identity: identity(&caller.principal).filter(|_| attempt.service.is_none()),
            account: caller.account,
            region: caller.region.clone(),
            action: attempt.action.to_owned(),
            source_ip: caller.source_ip.clone(),
            keys: keys.collect(),
            verdicts: verdicts.collect(),
            more: Vec::new(),
        }
    }

    /// Its calls, each as a record of its own, the newest one first.
    fn calls(self) -> impl Iterator<Item = Record> {
        let Record { id, at, more, .. } = &self;
        let mut calls = vec![Call { id: id.clone(), at: *at }];
        calls.extend(more.iter().cloned());
        let alike = Record { more: Vec::new(), ..self };
        calls.into_iter().rev().map(move |Call { id, at }| Record { id, at, ..alike.clone() })
    }

    /// Whether policies allow the call.
    pub(crate) fn is_allowed(&self) -> bool {
        self.verdicts.iter().all(|it| it.outcome == Outcome::Allowed)
    }

    /// Whether the call went on.
    pub(crate) fn went_on(&self) -> bool {
        self.mode == Mode::Audit || self.is_allowed()
    }
}

/// The user or role behind a caller. The session of a role that does not exist has one, too.
fn identity(principal: &Principal) -> Option<String> {
    let resource = principal.arn.resource();
    match principal.kind {
        PrincipalKind::User => Some(format!("user/{}", resource.rsplit('/').next()?)),
        PrincipalKind::AssumedRole => Some(format!("role/{}", resource.split('/').nth(1)?)),
        _ => None,
    }
}

fn shortened(value: &str) -> String {
    value.chars().take(VALUE_LETTERS_LIMIT).collect()
}
