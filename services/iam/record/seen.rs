//! What users and roles have done: which actions on which resources, how often, first and last.
//! Pure, but for the rows that it makes.

use std::collections::{BTreeMap, BTreeSet};

use ::store::{Batch, Key};
use kit::{AccountId, Millis};
use serde::{Deserialize, Serialize};

use super::{
    Record,
    scope::{SIBLINGS, Scope, generalised},
};

pub(crate) const SEEN: &str = "iam/seen";
/// Scopes that are told apart for one action of one identity; more are generalised.
const SCOPES_LIMIT: usize = 64;
/// Actions of identities that are noted; more are overlooked.
const DEEDS_LIMIT: usize = 20_000;

/// An action of an identity.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Deed {
    pub(crate) account: AccountId,
    /// `role/worker`
    pub(crate) identity: String,
    /// `sqs:SendMessage`
    pub(crate) action: String,
}

/// How often something was done, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Uses {
    pub(crate) count: u64,
    pub(crate) first: Millis,
    pub(crate) last: Millis,
}

/// A row: the scopes of one deed.
#[derive(Serialize, Deserialize)]
pub(crate) struct Row {
    scopes: Vec<(Scope, Uses)>,
}

/// All deeds.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    deeds: BTreeMap<Deed, BTreeMap<Scope, Uses>>,
    unwritten: BTreeSet<Deed>,
    /// Calls for which there was no room.
    overlooked: u64,
}

impl Seen {
    /// Puts back a row.
    pub(crate) fn load(&mut self, deed: Deed, row: Row) {
        self.deeds.insert(deed, row.scopes.into_iter().collect());
    }

    /// Notes calls that went on, if a user or role made them.
    pub(crate) fn note(&mut self, record: &Record) {
        let Some(identity) = record.identity.clone().filter(|_| record.went_on()) else { return };
        let deed = Deed { account: record.account, identity, action: record.action.clone() };
        if self.deeds.len() >= DEEDS_LIMIT && !self.deeds.contains_key(&deed) {
            self.overlooked += 1 + record.more.len() as u64;
            return;
        }
        let scopes = self.deeds.entry(deed.clone()).or_default();
        let last = record.more.last().map_or(record.at, |call| call.at);
        let uses = Uses { count: 1 + record.more.len() as u64, first: record.at, last };
        for verdict in &record.verdicts {
            let scope = place(scopes, Scope::of(&verdict.resource));
            add(scopes, scope, uses);
        }
        if scopes.len() > SCOPES_LIMIT {
            *scopes = fewer(std::mem::take(scopes));
        }
        self.unwritten.insert(deed);
    }

    /// What an identity has done since a time.
    pub(crate) fn of(
        &self,
        account: AccountId,
        identity: &str,
        since: Millis,
    ) -> BTreeMap<String, BTreeMap<Scope, Uses>> {
        let first = Deed { account, identity: identity.to_owned(), action: String::new() };
        let its = self.deeds.range(first..);
        let its = its.take_while(|(deed, _)| deed.account == account && deed.identity == identity);
        let mut found = BTreeMap::new();
        for (deed, scopes) in its {
            let recent = scopes.iter().filter(|(_, uses)| uses.last >= since);
            let recent: BTreeMap<Scope, Uses> =
                recent.map(|(scope, uses)| (scope.clone(), *uses)).collect();
            if !recent.is_empty() {
                found.insert(deed.action.clone(), recent);
            }
        }
        found
    }

    /// Whether anything is known of an identity.
    pub(crate) fn knows(&self, account: AccountId, identity: &str) -> bool {
        !self.of(account, identity, Millis(0)).is_empty()
    }

    /// Calls for which there was no room.
    pub(crate) fn overlooked(&self) -> u64 {
        self.overlooked
    }

    /// Forgets what was not done since a time.
    pub(crate) fn forget_before(&mut self, time: Millis) {
        for (deed, scopes) in &mut self.deeds {
            let before = scopes.len();
            scopes.retain(|_, uses| uses.last >= time);
            if scopes.len() < before {
                self.unwritten.insert(deed.clone());
            }
        }
        self.deeds.retain(|_, scopes| !scopes.is_empty());
    }

    /// The rows that the store does not have yet.
    pub(crate) fn take_unwritten(&mut self) -> Batch {
        let mut batch = Batch::new();
        for deed in std::mem::take(&mut self.unwritten) {
            match self.deeds.get(&deed) {
                Some(scopes) => {
                    let scopes = scopes.iter().map(|(scope, uses)| (scope.clone(), *uses));
                    batch.put(deed.key(), &Row { scopes: scopes.collect() });
                }
                None => {
                    batch.delete(deed.key());
                }
            }
        }
        batch
    }
}

impl Deed {
    fn key(&self) -> Key {
        let identity = Key::table(SEEN).text(self.account.as_str()).text(&self.identity);
        identity.text(&self.action)
    }

    /// The deed of a row.
    pub(crate) fn of_key(key: &Key) -> Option<Deed> {
        let table = Key::table(SEEN);
        let account = key.text_after(&table)?;
        let of_account = table.text(&account);
        let identity = key.text_after(&of_account)?;
        let action = key.text_after(&of_account.text(&identity))?;
        Some(Deed { account: account.parse().ok()?, identity, action })
    }
}

/// The scope that is there already for a resource, or one of its own.
fn place(scopes: &BTreeMap<Scope, Uses>, scope: Scope) -> Scope {
    if scopes.contains_key(&scope) {
        return scope;
    }
    let wider = scopes.keys().find(|it| !it.text().is_empty() && it.covers(&scope));
    wider.cloned().unwrap_or(scope)
}

fn add(scopes: &mut BTreeMap<Scope, Uses>, scope: Scope, uses: Uses) {
    let entry = scopes.entry(scope);
    let known = entry.or_insert(Uses { count: 0, ..uses });
    known.count += uses.count;
    known.first = known.first.min(uses.first);
    known.last = known.last.max(uses.last);
}

/// The same, generalised until it is at most half of what may be told apart.
fn fewer(scopes: BTreeMap<Scope, Uses>) -> BTreeMap<Scope, Uses> {
    let all: BTreeSet<Scope> = scopes.keys().cloned().collect();
    let tries = (0..=SIBLINGS).rev().map(|siblings| generalised(&all, siblings));
    let few = tries.reduce(|found, next| if found.len() > SCOPES_LIMIT / 2 { next } else { found });
    let few = few.unwrap_or(all);
    let mut fewer = BTreeMap::new();
    for (scope, uses) in scopes {
        let wider = few.iter().find(|it| it.covers(&scope)).cloned();
        add(&mut fewer, wider.unwrap_or(scope), uses);
    }
    fewer
}
