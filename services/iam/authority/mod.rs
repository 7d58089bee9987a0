//! Permission for real calls: finds the policies that have a say, asks [`crate::evaluate`] and says
//! a refusal in AWS's sentence.
//!
//! Read next: `facts` (condition keys of a call), `granted` (an identity's policies, compiled),
//! `cited` (the statements of a decision, by name).

mod cited;
mod facts;
mod granted;
mod sentence;

use std::{
    borrow::Cow,
    sync::{Arc, atomic::Ordering},
};

use bus::{ResourcePolicies, Vouched};
use kit::{AccountId, Arn, Attempt, Authority, Caller, Denied, PrincipalKind, Service, Tags};

use crate::{
    Iam,
    account::Account,
    evaluate::{self, Compiled, Decision, Outcome, Policies, Request, Source, Who, evaluate},
    group::Group,
    instance_profile::InstanceProfile,
    resource::Kind,
    role::Role,
    user::User,
};

pub(crate) use cited::{Basis, Cited};
pub(crate) use granted::{Documents, Granted, Grantees, carried, carried_by_user};

use cited::Narrowing;
use facts::CallFacts;

/// What everybody may who has credentials, whatever policies say ("No permissions are required").
const FREE: [&str; 2] = ["sts:GetCallerIdentity", "sts:GetSessionToken"];

/// What explanations call the policy that was passed when a session began.
const SESSION_POLICY: &str = "policy passed with the session";

/// A call on one resource, and what was decided about it.
pub(crate) struct Judged<'a> {
    pub(crate) resource: Cow<'a, str>,
    /// Whose the resource is.
    pub(crate) owner: AccountId,
    pub(crate) decision: Decision,
    /// What the decision is based on.
    pub(crate) basis: Basis,
    /// Of a refusal: the context keys for want of which a statement did not speak.
    pub(crate) missing: Vec<String>,
}

impl Judged<'_> {
    /// The statements that made the decision, by name.
    pub(crate) fn cited(&self) -> Vec<Cited> {
        self.basis.cite(&self.decision.matched, &self.resource)
    }
}

impl Authority for Iam {
    fn permit(&self, attempt: &Attempt<'_>) -> Result<(), Denied> {
        ruling(attempt, &self.judgements(attempt))
    }

    fn asks_for(&self, caller: &Caller, resource: &Arn, key: &str) -> bool {
        self.policies_ask_for(caller, resource, key)
    }

    fn edition(&self) -> u64 {
        self.edition.load(Ordering::Acquire)
    }
}

/// Whether the call may go on: all that it names must be allowed.
pub(crate) fn ruling(attempt: &Attempt<'_>, judgements: &[Judged<'_>]) -> Result<(), Denied> {
    let refused = judgements.iter().find(|it| it.decision.outcome != Outcome::Allowed);
    refused.map_or(Ok(()), |judged| Err(Denied(sentence::of(attempt, judged))))
}

impl Iam {
    /// Decides about every resource of a call; nothing if nobody has to be asked.
    pub(crate) fn judgements<'a>(&self, attempt: &Attempt<'a>) -> Vec<Judged<'a>> {
        if attempt.service.is_none() {
            self.note_access(attempt);
        }
        if FREE.contains(&attempt.action) {
            return Vec::new();
        }
        let mut judgements = match attempt.resources {
            [] => vec![self.judge(attempt, None)],
            resources => resources.iter().map(|it| self.judge(attempt, Some(it))).collect(),
        };
        for judged in &mut judgements {
            let outcome = &mut judged.decision.outcome;
            if *outcome == Outcome::NotAllowed(Source::Identity)
                && self.may_change_password(attempt)
            {
                *outcome = Outcome::Allowed;
            }
        }
        judgements
    }

    /// Notes which service a user or role asks for.
    fn note_access(&self, attempt: &Attempt<'_>) {
        let Caller { account, principal, region, now, .. } = attempt.caller;
        let service = attempt.action.split(':').next().unwrap_or_default();
        if matches!(principal.kind, PrincipalKind::User | PrincipalKind::AssumedRole) {
            let id = principal.user_id.split(':').next().unwrap_or_default();
            self.uses.note_access(*account, id, service, region.as_str(), *now);
        }
    }

    /// Whether a user changes its own password, or looks up the rules for it, where the account's
    /// password policy lets all users do so.
    fn may_change_password(&self, attempt: &Attempt<'_>) -> bool {
        let Caller { account, principal, .. } = attempt.caller;
        principal.kind == PrincipalKind::User
            && ["iam:ChangePassword", "iam:GetAccountPasswordPolicy"].contains(&attempt.action)
            && users_change_passwords(&self.account(*account))
    }

    /// Decides about one resource of a call; `None` is a call that names none.
    fn judge<'a>(&self, attempt: &Attempt<'_>, resource: Option<&'a Arn>) -> Judged<'a> {
        let caller = attempt.caller;
        let account = self.account(caller.account);
        let granted = match attempt.service {
            None => self.granted(&account, caller),
            // Services have no policies of identities.
            Some(_) => Arc::default(),
        };
        let identity: Vec<&Compiled> = granted.policies.iter().map(|it| &it.policy).collect();
        let session = self.session_policies(caller);
        let narrowing: Option<Vec<&Compiled>> =
            session.as_ref().map(|policies| policies.iter().map(|(_, it)| &**it).collect());
        let actual = resource.and_then(|it| self.with_path(attempt.action, it));
        let given = resource;
        let resource = actual.as_ref().or(given);
        let directory = self.directory.upgrade();
        let keeper = resource.and_then(|it| directory.as_ref()?.policies(it));
        let keeper = keeper.as_ref();
        let role = granted.role.as_ref().map(Arn::as_str);
        let text = resource.map_or("*", Arn::as_str);
        let owner = resource.and_then(|it| match keeper {
            Some(keeper) => keeper.owner(it),
            None => it.account().parse().ok(),
        });
        let owner = owner.unwrap_or(caller.account);
        let sharing = |it: &&Arc<dyn ResourcePolicies>| {
            owner == caller.account || attempt.service.is_some() || it.shares(attempt.action)
        };
        let document = resource.and_then(|it| keeper.filter(sharing)?.policy(it));
        let of_resource = document.map(|text| self.documents.compiled(&text));
        let facts = CallFacts { attempt, role, resource, keeper, owner, tags: &granted.tags };
        let request = Request {
            action: attempt.action,
            resource: text,
            owner,
            who: attempt.service.map_or_else(|| who(caller, role), of_service),
            facts: &facts,
        };
        let policies = Policies {
            identity: &identity,
            boundary: granted.boundary.as_ref().map(|it| &it.policy),
            session: narrowing.as_deref(),
            resource: of_resource.as_deref(),
            resource_decides: attempt.action.starts_with("sts:")
                && resource.is_some_and(|role| role.service() == "iam"),
        };
        let decision = evaluate(&request, &policies);
        let missing = match decision.outcome {
            Outcome::Allowed => Vec::new(),
            _ => request.missing(&policies),
        };
        let basis = Basis { granted, session, resource: of_resource };
        let resource = match actual {
            Some(actual) => Cow::Owned(actual.to_string()),
            None => Cow::Borrowed(given.map_or("*", Arn::as_str)),
        };
        Judged { resource, owner, decision, basis, missing }
    }

    /// The ARN of an identity that a request to IAM names without its path, if it has one.
    fn with_path(&self, action: &str, named: &Arn) -> Option<Arn> {
        let (kind, name) = named.resource().split_once('/')?;
        if !action.starts_with("iam:") || name.contains('/') {
            return None;
        }
        let account = self.account(named.account().parse().ok()?);
        let actual = match kind {
            User::WORD => account.find::<User>(name).ok()?.arn(account.id),
            Role::WORD => account.find::<Role>(name).ok()?.arn(account.id),
            Group::WORD => account.find::<Group>(name).ok()?.arn(account.id),
            InstanceProfile::WORD => account.find::<InstanceProfile>(name).ok()?.arn(account.id),
            _ => return None,
        };
        (actual != *named).then_some(actual)
    }

    /// What the caller's policies allow. A federated user may do what the identity may that vouched
    /// for it; the account itself has no policies.
    fn granted(&self, account: &Arc<Account>, caller: &Caller) -> Arc<Granted> {
        let begun_by = caller.session.as_ref().and_then(|session| session.begun_by.as_ref());
        match begun_by {
            Some(voucher) => self.grantees.of(account, voucher),
            None if caller.principal.kind != PrincipalKind::Root => {
                self.grantees.of(account, &caller.principal)
            }
            None => Arc::default(),
        }
    }

    /// Whether a policy that has a say about a caller and a resource names a key that starts so.
    fn policies_ask_for(&self, caller: &Caller, resource: &Arn, key: &str) -> bool {
        let asks = |policy: &Compiled| policy.keys().any(|it| it.lower().starts_with(key));
        let granted = self.granted(&self.account(caller.account), caller);
        let directory = self.directory.upgrade();
        let document = directory.and_then(|it| it.policies(resource)?.policy(resource));
        granted.policies.iter().chain(&granted.boundary).any(|it| asks(&it.policy))
            || document.is_some_and(|text| asks(&self.documents.compiled(&text)))
            || self.session_policies(caller).is_some_and(|all| all.iter().any(|(_, it)| asks(it)))
    }

    /// Whether a role's trust policy lets somebody in whom a provider vouches for.
    pub(crate) fn lets_in(&self, vouched: &Vouched<'_>) -> bool {
        let Vouched { caller, provider, action, role, keys } = *vouched;
        let Some(trust) = ResourcePolicies::policy(self, role) else { return false };
        let owner = role.account().parse().unwrap_or(caller.account);
        let resources = std::slice::from_ref(role);
        let attempt = Attempt { caller, service: None, action, resources, keys };
        let tags = Tags::new();
        let directory = self.directory.upgrade();
        let keeper = directory.as_ref().and_then(|it| it.policies(role));
        let (attempt, resource) = (&attempt, Some(role));
        let keeper = keeper.as_ref();
        let facts = CallFacts { attempt, role: None, resource, keeper, owner, tags: &tags };
        let arn = provider.as_str();
        let who = Who { kind: evaluate::Kind::Provider, account: None, arn, role: None, id: "" };
        let request = Request { action, resource: role.as_str(), owner, who, facts: &facts };
        let trust = self.documents.compiled(&trust);
        let policies = Policies { resource: Some(&trust), ..Policies::default() };
        evaluate(&request, &policies).outcome == Outcome::Allowed
    }

    /// The policies that narrow a session, by name; they count as one. Without any, a session has
    /// what its role has, and a federated user nothing.
    fn session_policies(&self, caller: &Caller) -> Option<Narrowing> {
        let session = caller.session.as_ref()?;
        let federated = caller.principal.kind == PrincipalKind::FederatedUser;
        if session.policy.is_none() && session.policy_arns.is_empty() {
            return federated.then(Narrowing::default);
        }
        let account = self.account(caller.account);
        let managed = session.policy_arns.iter().filter_map(|arn| {
            let policy = account.policy(arn).ok()?;
            let document = &policy.versions.get(&policy.default)?.document;
            Some((Arc::from(arn.as_str()), self.documents.compiled(document)))
        });
        let inline = session.policy.iter();
        let inline = inline.map(|text| (Arc::from(SESSION_POLICY), self.documents.compiled(text)));
        Some(inline.chain(managed).collect())
    }
}

fn of_service(service: Service<'_>) -> Who<'_> {
    Who { kind: evaluate::Kind::Service, account: None, arn: service.name, role: None, id: "" }
}

fn users_change_passwords(account: &Account) -> bool {
    account.settings.password_policy.as_ref().is_some_and(|policy| policy.users_change)
}

fn who<'a>(caller: &'a Caller, role: Option<&'a str>) -> Who<'a> {
    let principal = &caller.principal;
    let kind = match principal.kind {
        PrincipalKind::Root => evaluate::Kind::Root,
        PrincipalKind::User => evaluate::Kind::User,
        PrincipalKind::AssumedRole => evaluate::Kind::Session,
        PrincipalKind::FederatedUser => evaluate::Kind::Federated,
        PrincipalKind::Anonymous => evaluate::Kind::Anonymous,
    };
    let account = principal.arn.account().parse::<AccountId>().ok();
    Who {
        kind,
        account: account.filter(|_| kind != evaluate::Kind::Anonymous),
        arn: principal.arn.as_str(),
        role,
        id: &principal.user_id,
    }
}
