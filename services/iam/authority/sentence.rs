//! Refusals in AWS's sentences.
//!
//! Source: "Troubleshoot access denied error messages" of the IAM user guide.

use kit::Attempt;

use crate::evaluate::{Outcome, Source};

use super::Judged;

/// The sentence of a call that was refused.
pub(crate) fn of(attempt: &Attempt<'_>, judged: &Judged<'_>) -> String {
    let (caller, action) = (attempt.caller.principal.arn.as_str(), attempt.action);
    let caller = attempt.service.map_or(caller, |service| service.name);
    let resource = judged.resource;
    let start =
        format!("User: {caller} is not authorized to perform: {action} on resource: {resource}");
    match judged.decision.outcome {
        Outcome::Denied(source) => format!("{start} with an explicit deny in {}", a(source)),
        Outcome::NotAllowed(source) => {
            format!("{start} because no {} allows the {action} action", kind(source))
        }
        Outcome::Allowed => start,
    }
}

fn kind(source: Source) -> &'static str {
    match source {
        Source::Identity => "identity-based policy",
        Source::Boundary => "permissions boundary",
        Source::Session => "session policy",
        Source::Resource => "resource-based policy",
    }
}

fn a(source: Source) -> String {
    let kind = kind(source);
    if kind.starts_with('i') { format!("an {kind}") } else { format!("a {kind}") }
}
