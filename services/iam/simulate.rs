//! The policy simulator: what policies decide about calls that nobody makes. Pure.
//!
//! Source: "SimulateCustomPolicy" and "SimulatePrincipalPolicy" of the IAM API reference. Answers
//! name the types of policies as AWS's answers do, which is not what the reference says.

use std::{borrow::Cow, collections::BTreeMap};

use kit::AccountId;
use model::iam as api;

use crate::{
    Error,
    evaluate::{Compiled, Facts, Kind, Matched, Outcome, Policies, Request, Source, Who, evaluate},
};

/// A policy that takes part.
pub(crate) struct Simulated {
    /// What matched statements call it.
    id: String,
    text: String,
    compiled: Compiled,
}

/// Context entries, by key in lower case.
pub(crate) struct Entries(BTreeMap<String, Vec<String>>);

/// Who is imagined to call.
pub(crate) struct Caller {
    pub(crate) arn: String,
    pub(crate) account: AccountId,
}

/// All that is the same for every action and resource.
pub(crate) struct Simulation {
    pub(crate) identity: Vec<Simulated>,
    pub(crate) boundary: Option<Simulated>,
    pub(crate) resource: Option<Simulated>,
    pub(crate) caller: Caller,
    /// Whose the resources are whose ARN names no account.
    pub(crate) owner: AccountId,
    pub(crate) entries: Entries,
}

impl Simulated {
    /// A policy under this id.
    pub(crate) fn new(id: impl Into<String>, text: String) -> Result<Simulated, Error> {
        let compiled = Compiled::parse(&text)
            .map_err(|_| Error::MalformedPolicy("Syntax errors in policy.".to_owned()))?;
        Ok(Simulated { id: id.into(), text, compiled })
    }

    /// The context keys that its statements name.
    pub(crate) fn keys(&self) -> impl Iterator<Item = String> {
        self.compiled.keys().map(|key| key.written().to_owned())
    }
}

impl Entries {
    /// Of a request.
    pub(crate) fn of(entries: Vec<api::ContextEntry>) -> Entries {
        let pairs = entries.into_iter().filter_map(|entry| {
            let key = entry.context_key_name?.to_ascii_lowercase();
            Some((key, entry.context_key_values.unwrap_or_default()))
        });
        Entries(pairs.collect())
    }
}

impl Facts for Entries {
    fn values(&self, key: &str) -> Option<Vec<Cow<'_, str>>> {
        let values = self.0.get(key)?;
        Some(values.iter().map(|value| Cow::Borrowed(value.as_str())).collect())
    }
}

impl Simulation {
    /// What becomes of one action on one resource.
    pub(crate) fn result(&self, action: &str, resource: &str) -> api::EvaluationResult {
        let identity: Vec<&Compiled> = self.identity.iter().map(|it| &it.compiled).collect();
        let policies = Policies {
            identity: &identity,
            boundary: self.boundary.as_ref().map(|it| &it.compiled),
            resource: self.resource.as_ref().map(|it| &it.compiled),
            ..Policies::default()
        };
        let owner = resource.split(':').nth(4).and_then(|account| account.parse().ok());
        let request = Request {
            action,
            resource,
            owner: owner.unwrap_or(self.owner),
            who: self.caller.who(),
            facts: &self.entries,
        };
        let decision = evaluate(&request, &policies);
        let missing = match decision.outcome {
            Outcome::Allowed => Vec::new(),
            _ => request.missing(&policies),
        };
        let bounded = decision.matched.iter().any(|it| it.source == Source::Boundary)
            && decision.outcome != Outcome::Denied(Source::Boundary);
        let boundary = self.boundary.as_ref().map(|_| api::PermissionsBoundaryDecisionDetail {
            allowed_by_permissions_boundary: Some(bounded),
        });
        let matched: Vec<_> = decision.matched.iter().map(|it| self.statement(it)).collect();
        let decided = decided(decision.outcome);
        api::EvaluationResult {
            eval_action_name: action.to_owned(),
            eval_resource_name: Some(resource.to_owned()),
            eval_decision: decided,
            matched_statements: Some(matched.clone()),
            missing_context_values: Some(missing.clone()),
            permissions_boundary_decision_detail: boundary.clone(),
            eval_decision_details: Some(wire::Map::default()),
            resource_specific_results: Some(vec![api::ResourceSpecificResult {
                eval_resource_name: resource.to_owned(),
                eval_resource_decision: decided,
                matched_statements: Some(matched),
                missing_context_values: Some(missing),
                eval_decision_details: Some(wire::Map::default()),
                permissions_boundary_decision_detail: boundary,
            }]),
            ..api::EvaluationResult::default()
        }
    }

    fn statement(&self, matched: &Matched) -> api::Statement {
        let policy = match matched.source {
            Source::Identity => self.identity.get(matched.policy),
            Source::Boundary => self.boundary.as_ref(),
            Source::Resource => self.resource.as_ref(),
            Source::Session => None,
        };
        let kind = match matched.source {
            Source::Resource => api::PolicySourceType::ResourcePolicy,
            _ => api::PolicySourceType::IamPolicy,
        };
        let at = |byte: usize| policy.map(|policy| position(&policy.text, byte));
        api::Statement {
            source_policy_id: policy.map(|policy| policy.id.clone()),
            source_policy_type: Some(kind),
            start_position: at(matched.place.start),
            end_position: at(matched.place.end),
        }
    }
}

impl Caller {
    fn who(&self) -> Who<'_> {
        let role = self.arn.contains(":role/").then_some(self.arn.as_str());
        let kind = match () {
            () if self.arn.ends_with(":root") => Kind::Root,
            () if role.is_some() => Kind::Session,
            () => Kind::User,
        };
        Who { kind, account: Some(self.account), arn: &self.arn, role, id: "" }
    }
}

fn decided(outcome: Outcome) -> api::PolicyEvaluationDecisionType {
    match outcome {
        Outcome::Allowed => api::PolicyEvaluationDecisionType::Allowed,
        Outcome::Denied(_) => api::PolicyEvaluationDecisionType::ExplicitDeny,
        Outcome::NotAllowed(_) => api::PolicyEvaluationDecisionType::ImplicitDeny,
    }
}

/// Line and column of a byte, both counted from 1.
fn position(text: &str, byte: usize) -> api::Position {
    let before = &text[..byte];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    api::Position { line: i32::try_from(line).ok(), column: i32::try_from(column).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn simulation(policy: &str) -> Simulation {
        let account = AccountId::DEFAULT;
        Simulation {
            identity: vec![Simulated::new("PolicyInputList.1", policy.to_owned()).unwrap()],
            boundary: None,
            resource: None,
            caller: Caller { arn: String::new(), account },
            owner: account,
            entries: Entries::of(Vec::new()),
        }
    }

    #[test]
    fn a_matched_statement_is_told_with_its_place() {
        let policy = "{\n  \"Version\": \"2012-10-17\",\n  \"Statement\": {\n    \"Effect\": \"Allow\",\n    \
                      \"Action\": \"s3:*\",\n    \"Resource\": \"*\"\n  }\n}";
        let result = simulation(policy).result("s3:GetObject", "arn:aws:s3:::b/k");
        assert_eq!(result.eval_decision, api::PolicyEvaluationDecisionType::Allowed);
        let matched = &result.matched_statements.unwrap()[0];
        assert_eq!(matched.source_policy_id.as_deref(), Some("PolicyInputList.1"));
        let place = |line, column| Some(api::Position { line: Some(line), column: Some(column) });
        assert_eq!(
            (matched.start_position.clone(), matched.end_position.clone()),
            (place(3, 16), place(7, 4))
        );
    }

    #[test]
    fn a_refusal_names_the_context_that_was_missing() {
        let policy = r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow",
            "Action": "s3:GetObject", "Resource": "*",
            "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}}}]}"#;
        let simulation = simulation(policy);
        let result = simulation.result("s3:GetObject", "*");
        assert_eq!(result.eval_decision, api::PolicyEvaluationDecisionType::ImplicitDeny);
        assert_eq!(result.missing_context_values.unwrap(), ["aws:MultiFactorAuthPresent"]);
        let other = simulation.result("s3:PutObject", "*");
        assert_eq!(other.missing_context_values.unwrap(), Vec::<String>::new());
    }
}
