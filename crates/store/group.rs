//! A group: batches that waited together and are written together. Each is judged, in the order of
//! arrival, against what is committed plus the batches before it.

use std::collections::BTreeMap;

use ::fjall::{Database, Keyspace, OwnedWriteBatch, Readable, Snapshot, UserKey, UserValue};
use bytes::Bytes;

use crate::{Batch, Check, CommitError, Key, Op};

/// Bytes in front of every stored value: the number of the commit that wrote it, big-endian.
pub(crate) const VERSION_BYTES: usize = 8;

/// Splits a stored value into the number of its commit and the row's bytes.
pub(crate) fn split(stored: &[u8]) -> Option<(u64, &[u8])> {
    let (version, row) = stored.split_first_chunk::<VERSION_BYTES>()?;
    Some((u64::from_be_bytes(*version), row))
}

/// What a group changes so far.
pub(crate) struct Group<'a> {
    rows: &'a Keyspace,
    committed: Snapshot,
    /// The last word on each key; `None` is a removal. One entry per key, so that a write batch
    /// never holds the same key twice.
    changes: BTreeMap<Key, Option<Change>>,
}

struct Change {
    version: u64,
    row: Bytes,
}

impl<'a> Group<'a> {
    /// An empty group on top of what is committed now.
    pub(crate) fn new(database: &Database, rows: &'a Keyspace) -> Group<'a> {
        Group { rows, committed: database.snapshot(), changes: BTreeMap::new() }
    }

    /// Takes a batch in as commit `number` if its checks hold.
    pub(crate) fn add(&mut self, batch: Batch, number: u64) -> Result<(), CommitError> {
        for check in batch.checks {
            self.check(check)?;
        }
        for op in batch.ops {
            match op {
                Op::Put(key, row) => {
                    self.changes.insert(key, Some(Change { version: number, row }));
                }
                Op::Delete(key) => {
                    self.changes.insert(key, None);
                }
                Op::DeleteRange(from, to) => self.delete_range(from, to)?,
            }
        }
        Ok(())
    }

    /// Whether there is something to write.
    pub(crate) fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Moves the changes into the engine's batch.
    pub(crate) fn write_into(self, batch: &mut OwnedWriteBatch) {
        for (key, change) in self.changes {
            let key = UserKey::from(key.as_bytes());
            match change {
                Some(change) => batch.insert(self.rows, key, encode(&change)),
                None => batch.remove(self.rows, key),
            }
        }
    }

    fn check(&self, check: Check) -> Result<(), CommitError> {
        let (holds, key) = match check {
            Check::Absent(key) => (self.version(&key)?.is_none(), key),
            Check::Present(key) => (self.version(&key)?.is_some(), key),
            Check::Version(key, version) => (self.version(&key)? == Some(version), key),
        };
        if holds { Ok(()) } else { Err(CommitError::Conflict(key)) }
    }

    fn version(&self, key: &Key) -> Result<Option<u64>, CommitError> {
        if let Some(change) = self.changes.get(key) {
            return Ok(change.as_ref().map(|change| change.version));
        }
        let stored = self.committed.get(self.rows, key.as_bytes()).map_err(unreadable)?;
        stored
            .map(|stored| split(&stored).map(|(version, _)| version).ok_or_else(damaged))
            .transpose()
    }

    fn delete_range(&mut self, from: Key, to: Key) -> Result<(), CommitError> {
        if from >= to {
            return Ok(());
        }
        for (_, change) in self.changes.range_mut(&from..&to) {
            *change = None;
        }
        for row in self.committed.range(self.rows, from.as_bytes()..to.as_bytes()) {
            let key = row.key().map_err(unreadable)?;
            self.changes.insert(Key::from_stored(key.to_vec()), None);
        }
        Ok(())
    }
}

fn encode(change: &Change) -> UserValue {
    let mut stored = Vec::with_capacity(VERSION_BYTES + change.row.len());
    stored.extend(change.version.to_be_bytes());
    stored.extend_from_slice(&change.row);
    stored.into()
}

fn unreadable(error: ::fjall::Error) -> CommitError {
    CommitError::Stopped(format!("a row could not be read to check it: {error}"))
}

fn damaged() -> CommitError {
    CommitError::Stopped("a row is too short to hold its version".to_owned())
}
