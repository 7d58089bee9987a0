//! The statements of a decision, by the names of their policies.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::evaluate::{Compiled, Matched, Policies, Source};

use super::granted::Granted;

/// A statement that had a say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Cited {
    pub(crate) source: Source,
    /// What its policy is called.
    pub(crate) policy: Arc<str>,
    /// Which statement of the policy, from 1.
    pub(crate) statement: usize,
    pub(crate) sid: Option<String>,
}

/// What the policies of a call are called.
pub(super) struct Names<'a> {
    pub(super) granted: &'a Granted,
    /// Of what narrows the session.
    pub(super) session: Option<&'a [(&'a str, Arc<Compiled>)]>,
    /// Whose policy that of the resource is.
    pub(super) resource: &'a str,
}

impl Names<'_> {
    /// The statements that matched.
    pub(super) fn cite(&self, matched: &[Matched], policies: &Policies<'_>) -> Vec<Cited> {
        matched.iter().filter_map(|it| self.one(it, policies)).collect()
    }

    fn one(&self, matched: &Matched, policies: &Policies<'_>) -> Option<Cited> {
        let at = matched.policy;
        let (name, policy): (Arc<str>, &Compiled) = match matched.source {
            Source::Identity => {
                (self.granted.policies.get(at)?.name.clone(), policies.identity.get(at)?)
            }
            Source::Boundary => (self.granted.boundary.as_ref()?.name.clone(), policies.boundary?),
            Source::Session => (self.session?.get(at)?.0.into(), policies.session?.get(at)?),
            Source::Resource => (format!("policy of {}", self.resource).into(), policies.resource?),
        };
        let place = policy.statements.iter().position(|it| it.place == matched.place)?;
        let (source, sid) = (matched.source, matched.sid.clone());
        Some(Cited { source, policy: name, statement: place + 1, sid })
    }
}
