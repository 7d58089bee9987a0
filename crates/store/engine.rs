//! What an engine promises. One behaviour suite (`behaviour`) runs against every engine.

use bytes::Bytes;
use serde::de::DeserializeOwned;

use crate::{Batch, Key};

/// A row as read.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its key.
    pub key: Key,
    /// The number of the commit that wrote it.
    pub version: u64,
    /// Its bytes.
    pub bytes: Bytes,
}

impl Row {
    /// Reads the MessagePack that [`Batch::put`] wrote.
    ///
    /// # Errors
    /// The row is damaged, or was written by a version this one cannot read.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, ReadError> {
        rmp_serde::from_slice(&self.bytes).map_err(|source| ReadError::Damaged {
            key: self.key.clone(),
            reason: source.to_string(),
        })
    }
}

/// Why a commit did not happen. Nothing of the batch was written.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CommitError {
    /// A check did not hold.
    #[error("a condition on the row does not hold")]
    Conflict(Key),
    /// The disk is full. Retrying may succeed when there is room.
    #[error("the disk is full")]
    DiskFull,
    /// The engine has stopped: after a failed write or sync it must be opened anew.
    #[error("the store has stopped: {0}")]
    Stopped(String),
}

/// Why a read failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ReadError {
    /// The engine said so.
    #[error("reading failed: {0}")]
    Engine(String),
    /// The bytes do not decode.
    #[error("the row {key:?} is damaged: {reason}")]
    Damaged {
        /// Which row.
        key: Key,
        /// What the decoder said.
        reason: String,
    },
}

/// An ordered, durable key-value store with all-or-nothing batches.
#[async_trait::async_trait]
pub trait Engine: Send + Sync {
    /// Makes a batch durable and answers with the commit's number. `Ok` means synced.
    async fn commit(&self, batch: Batch) -> Result<u64, CommitError>;

    /// One row, as of the last acknowledged commit or later.
    async fn get(&self, key: &Key) -> Result<Option<Row>, ReadError>;

    /// Up to `limit` rows from `from` (inclusive) to `to` (exclusive), in key order, at one moment.
    async fn range(&self, from: &Key, to: &Key, limit: usize) -> Result<Vec<Row>, ReadError>;

    /// The same, from the end.
    async fn range_back(&self, from: &Key, to: &Key, limit: usize) -> Result<Vec<Row>, ReadError>;
}
