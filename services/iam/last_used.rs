//! When access keys, users and roles were last used, and for what. Noted in memory for every request
//! and written out now and then: a crash loses minutes of it.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use ::store::Batch;
use kit::{AccountId, Millis};
use serde::{Deserialize, Serialize};

use crate::{resource::second, store as rows};

/// The last use of an access key, user or role.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LastUsed {
    pub(crate) at: Millis,
    /// `s3`, `lambda`.
    pub(crate) service: String,
    pub(crate) region: String,
    /// Of users and roles: the services that were asked for, by namespace.
    #[serde(default)]
    pub(crate) services: BTreeMap<String, Seen>,
}

/// When and where a service was last asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Seen {
    pub(crate) at: Millis,
    pub(crate) region: String,
}

/// The last uses of all keys and roles, by id.
#[derive(Default)]
pub(crate) struct Uses {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    by_id: HashMap<String, (AccountId, LastUsed)>,
    unwritten: HashSet<String>,
}

impl Uses {
    pub(crate) fn new(by_id: HashMap<String, (AccountId, LastUsed)>) -> Uses {
        Uses { inner: Mutex::new(Inner { by_id, unwritten: HashSet::new() }) }
    }

    /// Notes a use.
    pub(crate) fn note(
        &self,
        account: AccountId,
        id: &str,
        service: &str,
        region: &str,
        now: Millis,
    ) {
        self.update(account, id, |known| {
            // AWS tells the time in minutes, so that a busy key need not be written for each use.
            let told =
                known.service == service && known.region == region && same_minute(now, known.at);
            if !told {
                (known.service, known.region) = (service.to_owned(), region.to_owned());
                known.at = second(now);
            }
            !told
        });
    }

    /// Notes that a user or role asked for a service, whatever the answer.
    pub(crate) fn note_access(
        &self,
        account: AccountId,
        id: &str,
        service: &str,
        region: &str,
        now: Millis,
    ) {
        self.note(account, id, service, region, now);
        self.update(account, id, |known| {
            let seen = known.services.get(service);
            if seen.is_some_and(|it| it.region == region && same_minute(now, it.at)) {
                return false;
            }
            let seen = Seen { at: second(now), region: region.to_owned() };
            known.services.insert(service.to_owned(), seen);
            true
        });
    }

    /// Changes what is known; `change` says whether it did.
    fn update(&self, account: AccountId, id: &str, change: impl FnOnce(&mut LastUsed) -> bool) {
        let mut inner = self.lock();
        let inner = &mut *inner;
        let new = || (account, LastUsed::default());
        let changed = match inner.by_id.get_mut(id) {
            Some((_, known)) => change(known),
            None => change(&mut inner.by_id.entry(id.to_owned()).or_insert_with(new).1),
        };
        if changed {
            inner.unwritten.insert(id.to_owned());
        }
    }

    /// The last use, if there was one.
    pub(crate) fn get(&self, id: &str) -> Option<LastUsed> {
        self.lock().by_id.get(id).map(|(_, last_used)| last_used.clone())
    }

    /// Drops keys and roles that are gone.
    pub(crate) fn forget(&self, gone: &[String]) {
        let mut inner = self.lock();
        for id in gone {
            inner.by_id.remove(id);
            inner.unwritten.remove(id);
        }
    }

    /// The rows that the store does not have yet.
    pub(crate) fn take_unwritten(&self) -> Batch {
        let mut inner = self.lock();
        let unwritten = std::mem::take(&mut inner.unwritten);
        let mut batch = Batch::new();
        for id in unwritten {
            if let Some((account, last_used)) = inner.by_id.get(&id) {
                batch.put(rows::last_used_key(*account, &id), last_used);
            }
        }
        batch
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn same_minute(one: Millis, other: Millis) -> bool {
    one.0 / 60_000 == other.0 / 60_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_key_is_written_once_a_minute() {
        let uses = Uses::default();
        let note =
            |millis| uses.note(AccountId::DEFAULT, "AKIA1", "s3", "us-east-1", Millis(millis));
        note(60_000);
        assert_eq!(uses.take_unwritten().ops.len(), 1);
        note(60_500);
        assert!(uses.take_unwritten().is_empty());
        note(120_000);
        assert_eq!(uses.take_unwritten().ops.len(), 1);
        assert_eq!(uses.get("AKIA1").map(|it| it.at), Some(Millis(120_000)));
        uses.forget(&["AKIA1".to_owned()]);
        assert_eq!(uses.get("AKIA1"), None);
    }

    #[test]
    fn the_services_of_a_role_are_told_apart() {
        let uses = Uses::default();
        let access = |service: &str, millis| {
            uses.note_access(AccountId::DEFAULT, "AROA1", service, "us-east-1", Millis(millis));
        };
        access("s3", 60_000);
        access("sqs", 61_000);
        assert_eq!(uses.take_unwritten().ops.len(), 1);
        let known = uses.get("AROA1").unwrap();
        assert_eq!((known.service.as_str(), known.services["s3"].at), ("sqs", Millis(60_000)));
        assert_eq!(known.services.len(), 2);
    }
}
