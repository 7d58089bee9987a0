//! One transaction: conditions and changes, all or nothing.

use bytes::Bytes;
use serde::Serialize;

use crate::Key;

/// A condition that must hold when the batch commits.
#[derive(Clone, Debug)]
pub enum Check {
    /// No row has this key.
    Absent(Key),
    /// A row has this key.
    Present(Key),
    /// The row's version is this one: nobody changed it since it was read.
    Version(Key, u64),
}

/// A change.
#[derive(Clone, Debug)]
pub enum Op {
    /// Writes a row.
    Put(Key, Bytes),
    /// Removes a row; nothing happens if there is none.
    Delete(Key),
    /// Removes all rows from the first key to before the second.
    DeleteRange(Key, Key),
}

/// Conditions and changes that are made durable together.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// All must hold, else nothing is written.
    pub checks: Vec<Check>,
    /// Applied in order.
    pub ops: Vec<Op>,
}

impl Batch {
    /// An empty batch.
    pub fn new() -> Batch {
        Batch::default()
    }

    /// Whether there is nothing to check and nothing to write.
    pub fn is_empty(&self) -> bool {
        self.checks.is_empty() && self.ops.is_empty()
    }

    /// Writes `row` as MessagePack with field names.
    pub fn put<T: Serialize>(&mut self, key: Key, row: &T) -> &mut Batch {
        let bytes = rmp_serde::to_vec_named(row).expect("rows hold only what MessagePack can hold");
        self.put_bytes(key, bytes.into())
    }

    /// Writes bytes as they are.
    pub fn put_bytes(&mut self, key: Key, row: Bytes) -> &mut Batch {
        self.ops.push(Op::Put(key, row));
        self
    }

    /// Removes a row.
    pub fn delete(&mut self, key: Key) -> &mut Batch {
        self.ops.push(Op::Delete(key));
        self
    }

    /// Removes every row under a prefix.
    pub fn delete_all(&mut self, prefix: Key) -> &mut Batch {
        self.ops.push(Op::DeleteRange(prefix.clone(), prefix.end()));
        self
    }

    /// Demands that no row has this key.
    pub fn absent(&mut self, key: Key) -> &mut Batch {
        self.checks.push(Check::Absent(key));
        self
    }

    /// Demands that a row has this key.
    pub fn present(&mut self, key: Key) -> &mut Batch {
        self.checks.push(Check::Present(key));
        self
    }

    /// Demands that the row is still at `version`.
    pub fn version(&mut self, key: Key, version: u64) -> &mut Batch {
        self.checks.push(Check::Version(key, version));
        self
    }

    /// Adds all of another batch behind this one.
    pub fn append(&mut self, other: Batch) -> &mut Batch {
        self.checks.extend(other.checks);
        self.ops.extend(other.ops);
        self
    }
}
