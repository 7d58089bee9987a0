//! Snapshots: processes that have run a function's init, from which its instances are forked.
//!
//! One for each version of a function with SnapStart, made when the version is published or when
//! an instance of it is needed first. Bounded in number and memory: the one that was used longest
//! ago goes, and is made anew when it is needed. Its process ends with the last of its forks.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use kit::Millis;
use tokio::sync::OnceCell;

use crate::{extensions::shutdown::Reason, groups::MAX_AGE, instance::Instance, sandbox::Zygote};

/// More are not held at once.
const MAX_SNAPSHOTS: usize = 64;
/// Nor more memory by all of them together.
const MAX_SNAPSHOTS_MIB: u32 = 4096;

/// One version's snapshot.
pub(crate) struct Snapshot {
    pub(crate) zygote: Arc<Zygote>,
    /// The process.
    pub(crate) instance: Arc<Instance>,
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        self.instance.stop(Reason::Spindown);
    }
}

/// What came of an init: a snapshot, or the reason why its process cannot be forked.
#[derive(Clone)]
pub(crate) enum Taken {
    Snapshot(Arc<Snapshot>),
    Refused(Arc<str>),
}

/// All that there are, by the function's key.
#[derive(Default)]
pub(crate) struct Snapshots {
    entries: Mutex<HashMap<String, Entry>>,
}

struct Entry {
    taken: Arc<OnceCell<Taken>>,
    made: Millis,
    used: Millis,
}

impl Snapshots {
    fn entries(&self) -> MutexGuard<'_, HashMap<String, Entry>> {
        self.entries.lock().expect("nothing panics while it holds this lock")
    }

    /// The place of a version's snapshot, which may be empty. One that has ended, or whose
    /// credentials soon do, is let go.
    pub(crate) fn place(&self, key: &str, now: Millis) -> Arc<OnceCell<Taken>> {
        let mut entries = self.entries();
        if entries.get(key).is_some_and(|entry| !entry.is_good(now)) {
            entries.remove(key);
        }
        let new = || Entry { taken: Arc::default(), made: now, used: now };
        let entry = entries.entry(key.to_owned()).or_insert_with(new);
        entry.used = now;
        entry.taken.clone()
    }

    /// Lets a version's snapshot go.
    pub(crate) fn remove(&self, key: &str) {
        self.entries().remove(key);
    }

    /// Lets go of those that were used longest ago, until the rest is within bounds.
    pub(crate) fn shrink(&self) {
        let mut entries = self.entries();
        loop {
            let mib: u32 = entries.values().map(Entry::mib).sum();
            if entries.len() <= MAX_SNAPSHOTS && mib <= MAX_SNAPSHOTS_MIB {
                return;
            }
            let Some(key) = oldest(&entries) else { return };
            entries.remove(&key);
        }
    }

    /// Lets go of all.
    pub(crate) fn clear(&self) {
        self.entries().clear();
    }
}

/// Never the only one.
fn oldest(entries: &HashMap<String, Entry>) -> Option<String> {
    let oldest = entries.iter().min_by_key(|(_, entry)| entry.used)?;
    (entries.len() > 1).then(|| oldest.0.clone())
}

impl Entry {
    fn is_good(&self, now: Millis) -> bool {
        let alive = match self.taken.get() {
            Some(Taken::Snapshot(snapshot)) => snapshot.instance.desk.settled_now() != Some(false),
            _ => true,
        };
        alive && now.since(self.made) < MAX_AGE.as_millis() as u64
    }

    fn mib(&self) -> u32 {
        match self.taken.get() {
            Some(Taken::Snapshot(snapshot)) => snapshot.zygote.resident_mib(),
            _ => 0,
        }
    }
}

/// An init before a snapshot may take this long, or the function's timeout if that is longer
/// ("Improving startup performance with Lambda SnapStart").
pub(crate) const INIT_LIMIT: Duration = Duration::from_secs(130);
/// Restoring with its hooks may take this long (same source).
pub(crate) const RESTORE_LIMIT: Duration = Duration::from_secs(10);
