//! Decisions in plain words. Pure.
//!
//! Source of the rules: "Policy evaluation logic", "Cross-account policy evaluation logic" of the
//! IAM user guide.

use kit::PrincipalKind;

use crate::{
    authority::Cited,
    evaluate::{Outcome, Source},
};

use super::{Mode, Record, Verdict};

/// Why a call was decided as it was. `exists` says whether IAM knows its user or role.
pub(super) fn sentences(record: &Record, exists: bool) -> Vec<String> {
    let mut said = Vec::new();
    for verdict in &record.verdicts {
        said.push(decision(record, verdict));
        said.extend(verdict.statements.iter().map(|it| statement(verdict, it)));
        match verdict.outcome {
            Outcome::NotAllowed(source) => said.extend(remedy(record, verdict, source, exists)),
            Outcome::Denied(_) => said.push(
                "An explicit deny is stronger than whatever allows: that statement must change, or \
                 its conditions must not hold."
                    .to_owned(),
            ),
            Outcome::Allowed => {}
        }
        if !verdict.missing.is_empty() {
            let keys = verdict.missing.join(", ");
            said.push(format!(
                "A statement for this action and resource has a condition on {keys}, of which the \
                 request says nothing."
            ));
        }
    }
    if record.mode == Mode::Audit && !record.is_allowed() {
        said.push("The call went on: the server was in audit mode.".to_owned());
    }
    said
}

fn decision(record: &Record, verdict: &Verdict) -> String {
    let (action, resource) = (&record.action, &verdict.resource);
    match verdict.outcome {
        Outcome::Allowed if verdict.statements.is_empty() => {
            format!("{action} on {resource} is allowed: {} may everything in it.", root(record))
        }
        Outcome::Allowed => format!("{action} on {resource} is allowed."),
        Outcome::Denied(source) => {
            format!("{action} on {resource} is denied by {}.", source.one())
        }
        Outcome::NotAllowed(source) => {
            format!("{action} on {resource} is not allowed: no {} allows it.", source.kind())
        }
    }
}

fn root(record: &Record) -> String {
    format!("the root of account {}", record.account)
}

fn statement(verdict: &Verdict, cited: &Cited) -> String {
    let verb = match verdict.outcome {
        Outcome::Denied(_) => "denies",
        Outcome::Allowed => "allows",
        // Some statements allowed it, and it was not enough.
        Outcome::NotAllowed(_) => "would allow",
    };
    let sid = cited.sid.as_ref().map_or(String::new(), |sid| format!(" (Sid {sid})"));
    let Cited { policy, statement, .. } = cited;
    format!("Statement {statement}{sid} of the {}, {policy}, {verb} it.", cited.source.kind())
}

/// What would have to change for a call that nothing allows.
fn remedy(record: &Record, verdict: &Verdict, source: Source, exists: bool) -> Vec<String> {
    let Record { account, action, caller, .. } = record;
    let Verdict { resource, owner, .. } = verdict;
    let who = record.identity.as_deref().unwrap_or(caller);
    let other = account != owner;
    let mut said = Vec::new();
    match source {
        Source::Identity => {
            if !exists {
                said.push(format!(
                    "There is no {who} in account {account}, so it has no policies."
                ));
            }
            said.push(format!(
                "A policy of {who} in account {account} must allow {action} on {resource}."
            ));
            if !other && resource != "*" {
                said.push(format!(
                    "A policy of the resource itself that names {caller} would do as well, if its \
                     service has such policies."
                ));
            }
        }
        Source::Resource if record.kind == PrincipalKind::Anonymous => said.push(format!(
            "The request is not signed: only the policy of {resource} in account {owner} can let \
             everybody in."
        )),
        Source::Resource if action.starts_with("sts:AssumeRole") => said.push(format!(
            "The trust policy of {resource} in account {owner} must allow {action} to {caller}."
        )),
        Source::Resource if record.service => said.push(format!(
            "The policy of {resource} in account {owner} must allow {action} to the service \
             {caller}."
        )),
        Source::Resource => said.push(format!(
            "The policy of {resource} in account {owner} must allow {action} to {caller}: between \
             accounts, both must allow."
        )),
        Source::Boundary => said.push(format!(
            "The permissions boundary of {who} in account {account} must allow {action} on \
             {resource}, too: it bounds what the other policies allow."
        )),
        Source::Session => said.push(format!(
            "The policies that were passed when the session of {who} began must allow {action} on \
             {resource}, too: they narrow what the session may."
        )),
    }
    said
}
