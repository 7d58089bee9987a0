//! Permission for real calls: finds the policies that have a say, asks [`crate::evaluate`] and says
//! a refusal in AWS's sentence.
//!
//! Read next: `facts` (condition keys of a call), `granted` (an identity's policies, compiled).

mod facts;
mod granted;
mod sentence;

use std::sync::Arc;

use kit::{AccountId, Arn, Attempt, Authority, Caller, Denied, PrincipalKind, Service};

use crate::{
    Iam,
    evaluate::{Compiled, Decision, Kind, Outcome, Policies, Request, Who, evaluate},
};

pub(crate) use granted::{Documents, Grantees};

use facts::CallFacts;

/// What everybody may who has credentials, whatever policies say ("No permissions are required").
const FREE: [&str; 2] = ["sts:GetCallerIdentity", "sts:GetSessionToken"];

/// A call on one resource, and what was decided about it.
pub(crate) struct Judged<'a> {
    pub(crate) resource: &'a str,
    pub(crate) decision: Decision,
}

impl Authority for Iam {
    fn permit(&self, attempt: &Attempt<'_>) -> Result<(), Denied> {
        if FREE.contains(&attempt.action) {
            return Ok(());
        }
        let judgements: Vec<Judged<'_>> = if attempt.resources.is_empty() {
            vec![self.judge(attempt, None)]
        } else {
            attempt.resources.iter().map(|it| self.judge(attempt, Some(it))).collect()
        };
        let refused = judgements.iter().find(|it| it.decision.outcome != Outcome::Allowed);
        refused.map_or(Ok(()), |judged| Err(Denied(sentence::of(attempt, judged))))
    }
}

impl Iam {
    /// Decides about one resource of a call; `None` is a call that names none.
    fn judge<'a>(&self, attempt: &Attempt<'_>, resource: Option<&'a Arn>) -> Judged<'a> {
        let caller = attempt.caller;
        let account = self.account(caller.account);
        let granted = self.grantees.of(&account, &caller.principal);
        let identity: Vec<&Compiled> = granted.policies.iter().map(|it| &**it).collect();
        let session = self.session_policies(caller);
        let session: Option<Vec<&Compiled>> =
            session.as_ref().map(|policies| policies.iter().map(|it| &**it).collect());
        let directory = self.directory.upgrade();
        let keeper = resource.and_then(|it| Some((it, directory.as_ref()?.policies(it)?)));
        let document = keeper.as_ref().and_then(|(it, policies)| policies.policy(it));
        let of_resource = document.map(|text| self.documents.compiled(&text));
        let role = granted.role.as_ref().map(Arn::as_str);
        let text = resource.map_or("*", Arn::as_str);
        let owner = match keeper {
            Some((it, policies)) => policies.owner(it),
            None => resource.and_then(|it| it.account().parse().ok()),
        };
        let owner = owner.unwrap_or(caller.account);
        let facts = CallFacts { attempt, role, resource, owner, tags: &granted.tags };
        let request = Request {
            action: attempt.action,
            resource: text,
            owner,
            who: attempt.service.map_or_else(|| who(caller, role), of_service),
            facts: &facts,
        };
        let policies = Policies {
            identity: &identity,
            boundary: granted.boundary.as_deref(),
            session: session.as_deref(),
            resource: of_resource.as_deref(),
            resource_decides: attempt.action.starts_with("sts:AssumeRole"),
        };
        Judged { resource: text, decision: evaluate(&request, &policies) }
    }

    /// The policies that narrow a session, all of which count as one. Without any, a session has
    /// what its role has, and a federated user nothing.
    fn session_policies(&self, caller: &Caller) -> Option<Vec<Arc<Compiled>>> {
        let session = caller.session.as_ref()?;
        let federated = caller.principal.kind == PrincipalKind::FederatedUser;
        if session.policy.is_none() && session.policy_arns.is_empty() {
            return federated.then(Vec::new);
        }
        let account = self.account(caller.account);
        let managed = session.policy_arns.iter().filter_map(|arn| {
            let policy = account.policy(arn).ok()?;
            Some(self.documents.compiled(&policy.versions.get(&policy.default)?.document))
        });
        let inline = session.policy.iter().map(|text| self.documents.compiled(text));
        Some(inline.chain(managed).collect())
    }
}

fn of_service(service: Service<'_>) -> Who<'_> {
    Who { kind: Kind::Service, account: None, arn: service.name, role: None, id: "" }
}

fn who<'a>(caller: &'a Caller, role: Option<&'a str>) -> Who<'a> {
    let principal = &caller.principal;
    let kind = match principal.kind {
        PrincipalKind::Root => Kind::Root,
        PrincipalKind::User => Kind::User,
        PrincipalKind::AssumedRole => Kind::Session,
        PrincipalKind::FederatedUser => Kind::Federated,
        PrincipalKind::Anonymous => Kind::Anonymous,
    };
    let account = principal.arn.account().parse::<AccountId>().ok();
    Who {
        kind,
        account: account.filter(|_| kind != Kind::Anonymous),
        arn: principal.arn.as_str(),
        role,
        id: &principal.user_id,
    }
}
