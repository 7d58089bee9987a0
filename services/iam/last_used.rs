//! When access keys and roles were last used. Noted in memory for every request and written out now
//! and then: a crash loses minutes of it.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use ::store::Batch;
use kit::{AccountId, Millis};
use serde::{Deserialize, Serialize};

use crate::{resource::second, store as rows};

/// The last use of an access key or role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LastUsed {
    pub(crate) at: Millis,
    /// `s3`, `lambda`.
    pub(crate) service: String,
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
        let mut inner = self.lock();
        let inner = &mut *inner;
        if let Some((_, known)) = inner.by_id.get_mut(id)
            && known.service == service
            && known.region == region
        {
            // AWS tells the time in minutes, so that a busy key need not be written for each use.
            if now.0 / 60_000 != known.at.0 / 60_000 {
                known.at = second(now);
                inner.unwritten.insert(id.to_owned());
            }
            return;
        }
        let last_used =
            LastUsed { at: second(now), service: service.to_owned(), region: region.to_owned() };
        inner.by_id.insert(id.to_owned(), (account, last_used));
        inner.unwritten.insert(id.to_owned());
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
}
