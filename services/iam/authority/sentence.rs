//! Refusals in AWS's sentences.
//!
//! Source: "Troubleshoot access denied error messages" of the IAM user guide.

use kit::Attempt;

use crate::evaluate::Outcome;

use super::Judged;

/// The sentence of a call that was refused.
pub(crate) fn of(attempt: &Attempt<'_>, judged: &Judged<'_>) -> String {
    let (caller, action) = (attempt.caller.principal.arn.as_str(), attempt.action);
    let caller = attempt.service.map_or(caller, |service| service.name);
    let resource = &judged.resource;
    let start =
        format!("User: {caller} is not authorized to perform: {action} on resource: {resource}");
    match judged.decision.outcome {
        Outcome::Denied(source) => format!("{start} with an explicit deny in {}", source.one()),
        Outcome::NotAllowed(source) => {
            format!("{start} because no {} allows the {action} action", source.kind())
        }
        Outcome::Allowed => start,
    }
}
