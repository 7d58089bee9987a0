//! What services hold: rows as typed values, and the blobs beside them.

use std::sync::Arc;

use bytes::Bytes;
use serde::de::DeserializeOwned;

use crate::{
    Batch, Blobs, CommitError, DataFolder, Engine, FjallEngine, Key, OpenError, ReadError, Row,
};

/// Rows that [`Store::scan`] reads at a time.
const SCAN_ROWS: usize = 1024;

/// Rows and blobs. Clones share both.
#[derive(Clone)]
pub struct Store {
    // Before the folder: the engine closes its files before the folder's lock is given back.
    engine: Arc<dyn Engine>,
    blobs: Blobs,
    folder: DataFolder,
}

impl Store {
    /// Opens the rows and blobs of a data folder, and holds the folder while a clone lives.
    ///
    /// # Errors
    /// The files are damaged or the file system refuses.
    pub fn open(folder: &DataFolder) -> Result<Store, OpenError> {
        let engine = FjallEngine::open(&folder.join("rows"))?;
        let blobs = Blobs::open(&folder.join("blobs"))?;
        Ok(Store { engine: Arc::new(engine), blobs, folder: folder.clone() })
    }

    /// The same rows with blobs of another owner: each owner collects only its own orphans.
    ///
    /// # Errors
    /// The file system refuses.
    pub fn with_blobs(&self, owner: &str) -> Result<Store, OpenError> {
        let blobs = Blobs::open(&self.folder.join("blobs").join(owner))?;
        Ok(Store { engine: self.engine.clone(), blobs, folder: self.folder.clone() })
    }

    /// The bytes too large for rows.
    pub fn blobs(&self) -> &Blobs {
        &self.blobs
    }

    /// Makes a batch durable and answers with the commit's number. `Ok` means synced.
    ///
    /// # Errors
    /// A check does not hold, the disk is full, or the engine has stopped; nothing was written.
    pub async fn commit(&self, batch: Batch) -> Result<u64, CommitError> {
        self.engine.commit(batch).await
    }

    /// A row with its version.
    ///
    /// # Errors
    /// The engine cannot read it.
    pub async fn get(&self, key: &Key) -> Result<Option<Row>, ReadError> {
        self.engine.get(key).await
    }

    /// A row's value.
    ///
    /// # Errors
    /// The engine cannot read it, or it is not a `T`.
    pub async fn read<T: DeserializeOwned>(&self, key: &Key) -> Result<Option<T>, ReadError> {
        self.engine.get(key).await?.map(|row| row.decode()).transpose()
    }

    /// A row's bytes as [`Batch::put_bytes`] wrote them.
    ///
    /// # Errors
    /// The engine cannot read it.
    pub async fn read_bytes(&self, key: &Key) -> Result<Option<Bytes>, ReadError> {
        Ok(self.engine.get(key).await?.map(|row| row.bytes))
    }

    /// Up to `limit` rows under `prefix` in key order, behind `after` if there is one.
    ///
    /// # Errors
    /// The engine cannot read them, or one is not a `T`.
    pub async fn list<T: DeserializeOwned>(
        &self,
        prefix: &Key,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<(Key, T)>, ReadError> {
        let rows = self.rows(prefix, after, limit).await?;
        rows.into_iter().map(|row| Ok((row.key.clone(), row.decode()?))).collect()
    }

    /// Up to `limit` rows under `prefix` with their versions, behind `after` if there is one.
    ///
    /// # Errors
    /// The engine cannot read them.
    pub async fn rows(
        &self,
        prefix: &Key,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<Row>, ReadError> {
        let from = after.map_or_else(|| prefix.clone(), successor);
        self.engine.range(&from, &prefix.clone().end(), limit).await
    }

    /// Up to `limit` rows under `prefix`, the last one first.
    ///
    /// # Errors
    /// The engine cannot read them.
    pub async fn last_rows(&self, prefix: &Key, limit: usize) -> Result<Vec<Row>, ReadError> {
        self.engine.range_back(prefix, &prefix.clone().end(), limit).await
    }

    /// Hands every row under `prefix` to `each`, in key order and in bounded memory. For the start:
    /// rows that change meanwhile may be seen old or new.
    ///
    /// # Errors
    /// The engine cannot read a row, or one is not a `T`; the rows before it were handed over.
    pub async fn scan<T: DeserializeOwned>(
        &self,
        prefix: &Key,
        mut each: impl FnMut(Key, T) + Send,
    ) -> Result<(), ReadError> {
        let mut after = None;
        loop {
            let rows = self.rows(prefix, after.as_ref(), SCAN_ROWS).await?;
            let more = rows.len() == SCAN_ROWS;
            after = rows.last().map(|row| row.key.clone());
            for row in rows {
                each(row.key.clone(), row.decode()?);
            }
            if !more {
                return Ok(());
            }
        }
    }
}

/// The first key behind this one.
fn successor(key: &Key) -> Key {
    let mut bytes = key.as_bytes().to_vec();
    bytes.push(0);
    Key::from_stored(bytes)
}
