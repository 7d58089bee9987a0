//! The embedded engine: fjall behind one writer thread that turns whatever waits into one write
//! and one sync (`group`).
//!
//! All rows are in one keyspace. A stored value is the number of the commit that wrote it, then the
//! row. The key of a single zero byte, which [`Key::table`] cannot make, holds the ceiling: commit
//! numbers below it may have been used.
//!
//! Always true: fjall applies a batch to what readers see only after it has synced the journal, so
//! nobody reads what a crash could take back. After a failed write or sync nothing is written again.
//!
//! A removed row costs a range that passes over it about 0.3 µs until a compaction drops it: who
//! removes from the front of a table should also remember where the front is.

use std::{iter::once, path::Path, thread::JoinHandle};

use ::fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode, Readable};
use bytes::Bytes;
use flume::{Receiver, Sender};
use tokio::sync::oneshot;

use crate::{
    Batch, CommitError, Engine, Key, Op, OpenError, ReadError, Row,
    folder::create_folder,
    group::{Group, split},
    room::Room,
};

/// Batches that may wait for the writer; the next committer waits for a place.
const WAITING_LIMIT: usize = 1024;

/// Block cache. Rows that are read often also stay in the page cache.
const CACHE_BYTES: u64 = 4 << 20;

/// Size at which rows in memory are written out. Twice as much loads no faster and takes 10 MB.
const MEMTABLE_BYTES: u64 = 4 << 20;

/// The least that fjall takes. It begins a new journal only behind 64 MB, so opening replays up to
/// that much: 0.1 s of 100-byte rows, 0.8 s if they are all removals.
const JOURNALS_BYTES: u64 = 64 << 20;

/// One thread may compact while the other flushes.
const WORKER_THREADS: usize = 2;

/// Above this many rows a range is read on a thread that may block.
const INLINE_ROWS_LIMIT: usize = 256;

/// Commit numbers between two writes of the ceiling.
const CEILING_STEP: u64 = 1 << 20;

/// fjall's limit for keys.
const KEY_BYTES_LIMIT: usize = 65_535;

/// Rows in a folder.
pub struct FjallEngine {
    /// `None` only while dropping.
    queue: Option<Sender<Waiting>>,
    writer: Option<JoinHandle<()>>,
    database: Database,
    rows: Keyspace,
}

struct Waiting {
    batch: Batch,
    answer: oneshot::Sender<Result<u64, CommitError>>,
}

impl FjallEngine {
    /// Opens the rows in `folder`; makes it if it is missing.
    ///
    /// # Errors
    /// The files are damaged or the file system refuses.
    pub fn open(folder: &Path) -> Result<FjallEngine, OpenError> {
        create_folder(folder).map_err(OpenError::io(folder))?;
        let room = Room::of(folder).map_err(OpenError::io(folder))?;
        let failed = |error: ::fjall::Error| OpenError::Engine {
            path: folder.to_owned(),
            reason: error.to_string(),
        };
        let database = Database::builder(folder)
            .cache_size(CACHE_BYTES)
            .max_journaling_size(JOURNALS_BYTES)
            .worker_threads(WORKER_THREADS)
            .open()
            .map_err(failed)?;
        let options = || KeyspaceCreateOptions::default().max_memtable_size(MEMTABLE_BYTES);
        let rows = database.keyspace("rows", options).map_err(failed)?;
        let ceiling = read_ceiling(&rows).map_err(failed)?;
        let (queue, waiting) = flume::bounded(WAITING_LIMIT);
        let writer = Writer {
            database: database.clone(),
            rows: rows.clone(),
            room,
            next: ceiling,
            ceiling,
            stopped: None,
        };
        let writer = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || writer.run(&waiting))
            .map_err(OpenError::io(folder))?;
        Ok(FjallEngine { queue: Some(queue), writer: Some(writer), database, rows })
    }
}

impl Drop for FjallEngine {
    /// Waits until the writer has answered all that still wait, and has closed its files.
    fn drop(&mut self) {
        drop(self.queue.take());
        if self.writer.take().is_some_and(|writer| writer.join().is_err()) {
            tracing::error!("the store's writer panicked");
        }
    }
}

#[async_trait::async_trait]
impl Engine for FjallEngine {
    /// Dropping the future does not take the batch back once it has reached the writer.
    ///
    /// # Panics
    /// A key is empty or longer than 65,535 bytes: services bound their names.
    async fn commit(&self, batch: Batch) -> Result<u64, CommitError> {
        for op in &batch.ops {
            let (Op::Put(key, _) | Op::Delete(key) | Op::DeleteRange(key, _)) = op;
            assert!((1..=KEY_BYTES_LIMIT).contains(&key.as_bytes().len()), "a key's length");
        }
        let gone = || CommitError::Stopped("its writer has ended".to_owned());
        let (answer, answered) = oneshot::channel();
        let queue = self.queue.as_ref().ok_or_else(gone)?;
        queue.send_async(Waiting { batch, answer }).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }

    async fn get(&self, key: &Key) -> Result<Option<Row>, ReadError> {
        let stored = self.database.snapshot().get(&self.rows, key.as_bytes()).map_err(failed)?;
        stored.map(|stored| row(key.clone(), &stored)).transpose()
    }

    async fn range(&self, from: &Key, to: &Key, limit: usize) -> Result<Vec<Row>, ReadError> {
        self.read_range(from, to, limit, Order::Ascending).await
    }

    async fn range_back(&self, from: &Key, to: &Key, limit: usize) -> Result<Vec<Row>, ReadError> {
        self.read_range(from, to, limit, Order::Descending).await
    }
}

#[derive(Clone, Copy)]
enum Order {
    Ascending,
    Descending,
}

impl FjallEngine {
    async fn read_range(
        &self,
        from: &Key,
        to: &Key,
        limit: usize,
        order: Order,
    ) -> Result<Vec<Row>, ReadError> {
        if from >= to {
            return Ok(Vec::new());
        }
        let mut found = self.database.snapshot().range(&self.rows, from.as_bytes()..to.as_bytes());
        let mut read = move || {
            let next = || match order {
                Order::Ascending => found.next(),
                Order::Descending => found.next_back(),
            };
            std::iter::from_fn(next)
                .take(limit)
                .map(|found| {
                    let (key, stored) = found.into_inner().map_err(failed)?;
                    row(Key::from_stored(key.to_vec()), &stored)
                })
                .collect()
        };
        if limit <= INLINE_ROWS_LIMIT {
            return read();
        }
        tokio::task::spawn_blocking(read)
            .await
            .map_err(|error| ReadError::Engine(error.to_string()))?
    }
}

fn row(key: Key, stored: &[u8]) -> Result<Row, ReadError> {
    // Copied: a shared slice would keep its whole block in memory.
    match split(stored) {
        Some((version, row)) => Ok(Row { key, version, bytes: Bytes::copy_from_slice(row) }),
        None => Err(ReadError::Damaged { key, reason: "it holds no version".to_owned() }),
    }
}

fn failed(error: ::fjall::Error) -> ReadError {
    ReadError::Engine(error.to_string())
}

fn ceiling_key() -> Key {
    Key::from_stored(vec![0])
}

fn read_ceiling(rows: &Keyspace) -> ::fjall::Result<u64> {
    let stored = rows.get(ceiling_key().as_bytes())?;
    Ok(stored.and_then(|stored| split(&stored).map(|(ceiling, _)| ceiling)).unwrap_or(1))
}

/// The one thread that writes.
struct Writer {
    database: Database,
    rows: Keyspace,
    room: Room,
    /// The number of the next commit.
    next: u64,
    /// Numbers below this one are covered by the ceiling on disk.
    ceiling: u64,
    /// Why nothing is written any more.
    stopped: Option<String>,
}

impl Writer {
    fn run(mut self, queue: &Receiver<Waiting>) {
        while let Ok(first) = queue.recv() {
            let group = once(first).chain(queue.try_iter().take(WAITING_LIMIT - 1)).collect();
            self.commit(group);
        }
    }

    /// Nobody is answered before the sync, not even with a conflict: it may rest on a batch of the
    /// same group.
    fn commit(&mut self, waiting: Vec<Waiting>) {
        let (batches, answers): (Vec<_>, Vec<_>) =
            waiting.into_iter().map(|waiting| (waiting.batch, waiting.answer)).unzip();
        let written = match &self.stopped {
            Some(reason) => Err(reason.clone()),
            None => self.write(batches),
        };
        match written {
            Ok(outcomes) => {
                for (answer, outcome) in answers.into_iter().zip(outcomes) {
                    // Whoever no longer waits has no use for the answer.
                    let _ = answer.send(outcome);
                }
            }
            Err(reason) => {
                if self.stopped.is_none() {
                    tracing::error!(reason, "the store has stopped");
                    self.stopped = Some(reason.clone());
                }
                for answer in answers {
                    let _ = answer.send(Err(CommitError::Stopped(reason.clone())));
                }
            }
        }
    }

    /// One outcome per batch, all synced; or why the engine must stop.
    fn write(&mut self, batches: Vec<Batch>) -> Result<Vec<Result<u64, CommitError>>, String> {
        let full = self.room.is_used_up();
        let mut group = Group::new(&self.database, &self.rows);
        let mut outcomes = Vec::with_capacity(batches.len());
        for batch in batches {
            let outcome = match full && puts(&batch) {
                true => Err(CommitError::DiskFull),
                false => group.add(batch, self.next).map(|()| self.next),
            };
            match outcome {
                Ok(_) => self.next += 1,
                Err(CommitError::Stopped(reason)) => return Err(reason),
                Err(CommitError::Conflict(_) | CommitError::DiskFull) => {}
            }
            outcomes.push(outcome);
        }
        if group.is_empty() {
            return Ok(outcomes);
        }
        // Data is enough: the journal's name was synced when the file was made, and its length
        // belongs to what fdatasync writes.
        let mut batch = self.database.batch().durability(Some(PersistMode::SyncData));
        group.write_into(&mut batch);
        if self.next > self.ceiling {
            self.ceiling = self.next + CEILING_STEP;
            batch.insert(&self.rows, ceiling_key().as_bytes(), self.ceiling.to_be_bytes());
        }
        batch.commit().map_err(|error| error.to_string())?;
        Ok(outcomes)
    }
}

/// Batches that only remove rows are taken even when the disk is full: they make room.
fn puts(batch: &Batch) -> bool {
    batch.ops.iter().any(|op| matches!(op, Op::Put(..)))
}
