//! The statements of a decision, by the names of their policies.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::evaluate::{Compiled, Matched, Source};

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

/// The policies that a decision is based on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Basis {
    pub(super) granted: Arc<Granted>,
    /// What narrows the session, by name.
    pub(super) session: Option<Narrowing>,
    /// The resource's own.
    pub(super) resource: Option<Arc<Compiled>>,
}

/// Policies that narrow a session, with what they are called.
pub(super) type Narrowing = Arc<[(Arc<str>, Arc<Compiled>)]>;

impl Basis {
    /// The statements that matched, of a decision about this resource.
    pub(super) fn cite(&self, matched: &[Matched], resource: &str) -> Vec<Cited> {
        matched.iter().filter_map(|it| self.one(it, resource)).collect()
    }

    fn one(&self, matched: &Matched, resource: &str) -> Option<Cited> {
        let (name, policy): (Arc<str>, &Compiled) = match matched.source {
            Source::Identity => {
                let named = self.granted.policies.get(matched.policy)?;
                (named.name.clone(), &named.policy)
            }
            Source::Boundary => {
                let named = self.granted.boundary.as_ref()?;
                (named.name.clone(), &named.policy)
            }
            Source::Session => {
                let (name, policy) = self.session.as_ref()?.get(matched.policy)?;
                (name.clone(), policy)
            }
            Source::Resource => (format!("policy of {resource}").into(), self.resource.as_deref()?),
        };
        let place = policy.statements.iter().position(|it| it.place == matched.place)?;
        let (source, sid) = (matched.source, matched.sid.clone());
        Some(Cited { source, policy: name, statement: place + 1, sid })
    }

    /// Where its policies lie in memory: another place is another policy, while this lives.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = usize> {
        let session = self.session.iter().flat_map(|it| it.iter().map(|(_, it)| it));
        let documents = session.chain(&self.resource).map(|it| Arc::as_ptr(it).addr());
        let granted = (!self.granted.says_nothing()).then(|| Arc::as_ptr(&self.granted).addr());
        granted.into_iter().chain(documents)
    }
}
