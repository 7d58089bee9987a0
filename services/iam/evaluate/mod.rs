//! Whether policies allow a call, and which of their statements say so. Pure.
//!
//! Read in this order: `pattern` (wildcards and variables), `condition` (operators), `principal`
//! (who is meant), `statement` (compiled policies), then the decision, here.
//!
//! Source: "Policy evaluation logic", "Cross-account policy evaluation logic", "Permissions
//! boundaries for IAM entities", "Session policies" of the IAM user guide.

mod condition;
mod pattern;
mod principal;
mod statement;

use std::{borrow::Cow, collections::BTreeSet, ops::Range};

use kit::AccountId;
use serde::{Deserialize, Serialize};

pub(crate) use principal::{Kind, Who};
pub(crate) use statement::Compiled;

use principal::Naming;
use statement::{Asked, Effect};

/// What conditions and variables ask of a request: the values of a context key.
pub(crate) trait Facts {
    /// The values; `None` where the request has no such key. The key is in lower case.
    fn values(&self, key: &str) -> Option<Vec<Cow<'_, str>>>;
}

/// A context key. Capitals do not count; answers show it as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    written: String,
    lower: String,
}

impl Key {
    fn new(written: &str) -> Key {
        Key { written: written.to_owned(), lower: written.to_ascii_lowercase() }
    }

    /// As it was written.
    pub(crate) fn written(&self) -> &str {
        &self.written
    }

    /// As [`Facts`] are asked.
    pub(crate) fn lower(&self) -> &str {
        &self.lower
    }
}

/// A call that needs permission.
pub(crate) struct Request<'a> {
    /// `sqs:SendMessage`
    pub(crate) action: &'a str,
    /// An ARN, or `*` where the action knows no resources.
    pub(crate) resource: &'a str,
    /// Whose the resource is.
    pub(crate) owner: AccountId,
    pub(crate) who: Who<'a>,
    pub(crate) facts: &'a dyn Facts,
}

/// All policies that have a say.
#[derive(Clone, Copy, Default)]
pub(crate) struct Policies<'a> {
    /// Of the user with its groups, or of the role.
    pub(crate) identity: &'a [&'a Compiled],
    /// The permissions boundary.
    pub(crate) boundary: Option<&'a Compiled>,
    /// Those that narrow the session; one of them must allow, if it is narrowed.
    pub(crate) session: Option<&'a [&'a Compiled]>,
    /// The resource's own.
    pub(crate) resource: Option<&'a Compiled>,
    /// Whether the resource's policy must allow whatever others say: roles that are assumed.
    pub(crate) resource_decides: bool,
}

/// The kinds of policy, in the words of AWS's sentences.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Source {
    Identity,
    Boundary,
    Session,
    Resource,
}

impl Source {
    /// What sentences call it.
    pub(crate) fn kind(self) -> &'static str {
        match self {
            Source::Identity => "identity-based policy",
            Source::Boundary => "permissions boundary",
            Source::Session => "session policy",
            Source::Resource => "resource-based policy",
        }
    }

    /// One of them, with its article.
    pub(crate) fn one(self) -> String {
        match self {
            Source::Identity => format!("an {}", self.kind()),
            _ => format!("a {}", self.kind()),
        }
    }
}

/// What was decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Decision {
    pub(crate) outcome: Outcome,
    /// The statements that made it, or that would have allowed it.
    pub(crate) matched: Vec<Matched>,
}

/// Whether the call may go on, and if not, for want of what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Outcome {
    Allowed,
    /// No policy of this kind allows it.
    NotAllowed(Source),
    /// A policy of this kind denies it.
    Denied(Source),
}

/// A statement that matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Matched {
    pub(crate) source: Source,
    /// Which of the identity's or the session's policies; 0 for the others.
    pub(crate) policy: usize,
    pub(crate) sid: Option<String>,
    /// Where it stands in its document, in bytes.
    pub(crate) place: Range<usize>,
}

impl Request<'_> {
    /// The context keys for want of which a statement of these policies does not speak of the call.
    pub(crate) fn missing(&self, policies: &Policies<'_>) -> Vec<String> {
        let asked = self.asked(policies);
        let all = policies.identity.iter().copied().chain(policies.boundary);
        let keys = all.chain(policies.resource).flat_map(|policy| {
            policy.missing(&asked).map(|key| key.written().to_owned()).collect::<Vec<_>>()
        });
        keys.collect::<BTreeSet<_>>().into_iter().collect()
    }

    fn asked(&self, policies: &Policies<'_>) -> Asked<'_> {
        let Request { action, resource, ref who, facts, .. } = *self;
        let bounded = policies.boundary.is_some() && who.may_be_bounded();
        Asked { action, service: statement::service(action), resource, who, bounded, facts }
    }
}

/// Decides.
pub(crate) fn evaluate(request: &Request<'_>, policies: &Policies<'_>) -> Decision {
    let (asked, who) = (request.asked(policies), &request.who);
    let denials = denials(&asked, policies);
    if let Some(first) = denials.first() {
        return Decision { outcome: Outcome::Denied(first.source), matched: denials };
    }
    let mut matched = Vec::new();
    let identity =
        who.kind == Kind::Root || allows(&asked, Source::Identity, policies.identity, &mut matched);
    let named = policies.resource.map_or(Naming::No, |it| naming(&asked, it, &mut matched));
    let boundary = policies.boundary.filter(|_| asked.bounded);
    let boundary = boundary.is_none_or(|it| allows(&asked, Source::Boundary, &[it], &mut matched));
    let session =
        policies.session.is_none_or(|it| allows(&asked, Source::Session, it, &mut matched));
    let outcome = decide(request, policies, &Found { identity, named, boundary, session });
    Decision { outcome, matched }
}

/// What each kind of policy says of a call that none denies.
struct Found {
    identity: bool,
    named: Naming,
    boundary: bool,
    session: bool,
}

fn decide(request: &Request<'_>, policies: &Policies<'_>, found: &Found) -> Outcome {
    let Found { identity, named, boundary, session } = *found;
    let who = &request.who;
    if matches!(who.kind, Kind::Service | Kind::Provider | Kind::Anonymous) {
        return allowed_or(named > Naming::No, Source::Resource);
    }
    if who.account != Some(request.owner) {
        // Both accounts must agree.
        if named == Naming::No {
            return Outcome::NotAllowed(Source::Resource);
        }
    } else if policies.resource_decides && named == Naming::No {
        return Outcome::NotAllowed(Source::Resource);
    } else if named >= Naming::Role {
        // A policy of the resource that names the caller is enough; what narrows a role narrows
        // this, too, unless the session itself is named.
        return match who.kind {
            Kind::Session if named == Naming::Role => narrowed(boundary, session),
            _ => Outcome::Allowed,
        };
    }
    if !identity {
        return Outcome::NotAllowed(Source::Identity);
    }
    narrowed(boundary, session)
}

fn narrowed(boundary: bool, session: bool) -> Outcome {
    match (boundary, session) {
        (false, _) => Outcome::NotAllowed(Source::Boundary),
        (_, session) => allowed_or(session, Source::Session),
    }
}

fn allowed_or(allowed: bool, source: Source) -> Outcome {
    if allowed { Outcome::Allowed } else { Outcome::NotAllowed(source) }
}

/// Every statement that denies: of the identity, then of the resource, the boundary, the session.
fn denials(asked: &Asked<'_>, policies: &Policies<'_>) -> Vec<Matched> {
    let mut denials = Vec::new();
    let mut look = |source: Source, policies: &[&Compiled]| {
        for (index, policy) in policies.iter().enumerate() {
            let denying = policy.statements.iter().filter(|it| it.effect == Effect::Deny);
            for statement in denying {
                let applies = match source {
                    Source::Resource => statement.names(asked) != Naming::No,
                    _ => statement.applies(asked),
                };
                if applies {
                    denials.push(Matched::of(source, index, statement));
                }
            }
        }
    };
    look(Source::Identity, policies.identity);
    look(Source::Resource, policies.resource.as_slice());
    look(Source::Boundary, policies.boundary.as_slice());
    look(Source::Session, policies.session.unwrap_or_default());
    denials
}

/// Whether a statement of these policies allows the call; notes which.
fn allows(
    asked: &Asked<'_>,
    source: Source,
    policies: &[&Compiled],
    matched: &mut Vec<Matched>,
) -> bool {
    let before = matched.len();
    for (index, policy) in policies.iter().enumerate() {
        let allowing = policy.statements.iter().filter(|it| it.effect == Effect::Allow);
        let allowing = allowing.filter(|it| it.applies(asked));
        matched.extend(allowing.map(|it| Matched::of(source, index, it)));
    }
    matched.len() > before
}

/// How directly a resource's policy lets the caller in; notes which statements do.
fn naming(asked: &Asked<'_>, policy: &Compiled, matched: &mut Vec<Matched>) -> Naming {
    let mut best = Naming::No;
    for statement in policy.statements.iter().filter(|it| it.effect == Effect::Allow) {
        let naming = statement.names(asked);
        if naming != Naming::No {
            matched.push(Matched::of(Source::Resource, 0, statement));
            best = best.max(naming);
        }
    }
    best
}

impl Matched {
    fn of(source: Source, policy: usize, statement: &statement::Statement) -> Matched {
        Matched { source, policy, sid: statement.sid.clone(), place: statement.place.clone() }
    }
}

#[cfg(test)]
pub(crate) mod tests;
