//! Chains: the invocations that share the root of an X-Ray trace, since one has caused the others.
//!
//! In memory, of the last day and bounded. Those of more than one invocation are also rows: a single
//! invocation is no chain that a restart could cut.

use std::collections::{HashMap, HashSet, VecDeque};

use kit::Millis;
use serde::{Deserialize, Serialize};

use crate::usage::{Charge, Subject};

/// Chains that are kept.
const MAX_CHAINS: usize = 10_000;
/// Versions that a chain tells apart; those beyond are not counted.
const MAX_PARTS: usize = 64;
/// How long a chain is kept.
const KEPT_SECONDS: u64 = 24 * 60 * 60;

/// The invocations of one trace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Chain {
    pub(crate) root: String,
    pub(crate) began: Millis,
    /// When its last invocation began.
    pub(crate) last: Millis,
    pub(crate) parts: Vec<Part>,
}

/// What one version did in a chain, in the order in which they began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Part {
    pub(crate) subject: Subject,
    pub(crate) charge: Charge,
    pub(crate) errors: u64,
}

/// All chains.
#[derive(Default)]
pub(crate) struct Chains {
    by_root: HashMap<String, Chain>,
    /// Roots by when their chain was first seen.
    order: VecDeque<String>,
    /// Roots of chains whose rows are behind.
    changed: HashSet<String>,
    /// Roots of chains whose rows are to go.
    gone: Vec<String>,
}

/// The rows that differ since the last time.
#[derive(Default)]
pub(crate) struct Changes {
    pub(crate) changed: Vec<Chain>,
    pub(crate) gone: Vec<String>,
}

impl Chain {
    pub(crate) fn requests(&self) -> u64 {
        self.parts.iter().map(|part| part.charge.requests).sum()
    }
}

impl Chains {
    /// Chains as they were read.
    pub(crate) fn new(mut loaded: Vec<Chain>) -> Chains {
        loaded.sort_by_key(|chain| chain.began);
        let order = loaded.iter().map(|chain| chain.root.clone()).collect();
        let by_root = loaded.into_iter().map(|chain| (chain.root.clone(), chain)).collect();
        Chains { by_root, order, ..Chains::default() }
    }

    /// Adds an invocation.
    pub(crate) fn add(
        &mut self,
        root: &str,
        subject: &Subject,
        now: Millis,
        (charge, errors): (&Charge, u64),
    ) {
        let Some(chain) = self.by_root.get_mut(root) else {
            let part = Part { subject: subject.clone(), charge: *charge, errors };
            let root = root.to_owned();
            let chain = Chain { root: root.clone(), began: now, last: now, parts: vec![part] };
            self.order.push_back(root.clone());
            self.by_root.insert(root, chain);
            if self.by_root.len() > MAX_CHAINS {
                self.forget_first();
            }
            return;
        };
        chain.last = chain.last.max(now);
        let known = chain.parts.iter_mut().find(|part| part.subject == *subject);
        if let Some(part) = known {
            part.charge.merge(charge);
            part.errors += errors;
        } else if chain.parts.len() < MAX_PARTS {
            chain.parts.push(Part { subject: subject.clone(), charge: *charge, errors });
        }
        if !self.changed.contains(root) {
            self.changed.insert(root.to_owned());
        }
    }

    /// Forgets the chain that was first seen.
    fn forget_first(&mut self) {
        let chain = self.order.pop_front().and_then(|root| self.by_root.remove(&root));
        if let Some(chain) = chain.filter(|chain| chain.requests() > 1) {
            self.changed.remove(&chain.root);
            self.gone.push(chain.root);
        }
    }

    /// Forgets what is old, and takes what the rows lack.
    pub(crate) fn take_changes(&mut self, now: Millis) -> Changes {
        while let Some(chain) = self.order.front().and_then(|root| self.by_root.get(root))
            && now > chain.began.plus_seconds(KEPT_SECONDS)
        {
            self.forget_first();
        }
        let changed = std::mem::take(&mut self.changed);
        Changes {
            changed: changed.iter().filter_map(|root| self.by_root.get(root).cloned()).collect(),
            gone: std::mem::take(&mut self.gone),
        }
    }

    /// Takes back changes that could not be written.
    pub(crate) fn restore(&mut self, changes: Changes) {
        self.changed.extend(changes.changed.into_iter().map(|chain| chain.root));
        self.gone.extend(changes.gone);
    }

    /// All chains, the last one first.
    pub(crate) fn list(&self) -> Vec<Chain> {
        self.order.iter().rev().filter_map(|root| self.by_root.get(root).cloned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::usage::Architecture;

    fn subject(function: &str) -> Subject {
        Subject {
            account: kit::AccountId::DEFAULT,
            region: kit::Region::default(),
            function: function.to_owned(),
            version: "1".to_owned(),
            qualifier: String::new(),
            architecture: Architecture::X86,
        }
    }

    const ONE: Charge = Charge { requests: 1, billed_ms: 2, mib_ms: 256, storage_mib_ms: 0 };

    #[test]
    fn invocations_of_a_trace_are_a_chain() {
        let mut chains = Chains::default();
        for (function, at) in [("a", 1), ("b", 2), ("b", 3)] {
            chains.add("r", &subject(function), Millis(at), (&ONE, 1));
        }
        let [chain] = &chains.list()[..] else { panic!("one chain") };
        assert_eq!((chain.began, chain.last, chain.requests()), (Millis(1), Millis(3), 3));
        let counts: Vec<_> =
            chain.parts.iter().map(|it| (it.subject.function.as_str(), it.errors)).collect();
        assert_eq!(counts, [("a", 1), ("b", 2)]);
    }

    #[test]
    fn only_chains_of_several_are_rows_and_all_go_after_a_day() {
        let mut chains = Chains::default();
        chains.add("single", &subject("a"), Millis(0), (&ONE, 0));
        chains.add("several", &subject("a"), Millis(1), (&ONE, 0));
        chains.add("several", &subject("a"), Millis(2), (&ONE, 0));
        let changes = chains.take_changes(Millis(3));
        let roots: Vec<_> = changes.changed.iter().map(|it| it.root.as_str()).collect();
        assert_eq!((roots, changes.gone.len()), (vec!["several"], 0));
        let changes = chains.take_changes(Millis(2).plus_seconds(KEPT_SECONDS));
        assert_eq!((changes.changed.len(), changes.gone), (0, vec!["several".to_owned()]));
        assert!(chains.list().is_empty());
    }

    #[test]
    fn chains_are_bounded() {
        let mut chains = Chains::default();
        for number in 0..=MAX_CHAINS {
            chains.add(&number.to_string(), &subject("a"), Millis(0), (&ONE, 0));
        }
        let list = chains.list();
        assert_eq!(list.len(), MAX_CHAINS);
        assert_eq!(list.last().unwrap().root, "1");
    }
}
