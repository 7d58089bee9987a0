//! Logs of many streams in append-only files: for records that are many, small and written once.
//!
//! A segment is a file `0000000001.log`: eight bytes of magic, then records of all streams as they
//! came. Numbers are little-endian:
//!
//! ```text
//! crc     4   CRC-32 of all that follows in the record
//! length  4   of the bytes
//! stream  8
//! at      8   the record's own time, milliseconds
//! taken   8   when the log took it in, milliseconds
//! bytes   …
//! ```
//!
//! Only the last segment grows. A full one is sealed: synced, and its index written beside it as
//! `0000000001.idx` (`format`), so that opening reads small files and scans one segment. What a
//! crash left half written at the end of the last segment fails its checksum and is cut off.
//!
//! In memory there is one `Block` per stream and 256 KiB of segment (`index`). A segment vanishes
//! when no block is left in it, which [`SegmentLog::retain`] brings about.
//!
//! Always true: the position of a synced record names it for ever, and positions of a stream grow in
//! the order in which its records were appended.
//!
//! Read next: `writer` (the one thread that appends), `reader`, `spans`.

mod format;
mod index;
mod reader;
mod spans;
#[cfg(test)]
mod tests;
mod writer;

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    thread::JoinHandle,
};

use bytes::Bytes;
use flume::Sender;
use kit::Millis;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

pub use self::spans::Span;
use self::{
    format::HEADER_BYTES,
    index::Index,
    writer::{Append, Waiting, Writer},
};
use crate::OpenError;

/// Appends that may wait for the writer; the next one waits for a place.
const WAITING_LIMIT: usize = 64;

/// The largest segment.
const SEGMENT_BYTES_LIMIT: u32 = 1 << 30;

/// The most bytes of segment that one append may take.
const APPEND_BYTES_LIMIT: usize = 16 << 20;

/// Where a record is. Ordered as the records were appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Position(u64);

impl Position {
    fn new(segment: u32, offset: u32) -> Position {
        Position(u64::from(segment) << 32 | u64::from(offset))
    }

    /// The position as a number, for tokens.
    pub fn number(self) -> u64 {
        self.0
    }

    /// A position that [`Position::number`] gave.
    pub fn from_number(number: u64) -> Position {
        Position(number)
    }
}

/// A record to append.
#[derive(Clone, Debug)]
pub struct Record {
    /// Its own time.
    pub at: Millis,
    /// What it says.
    pub bytes: Bytes,
}

/// A record as read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where it is.
    pub position: Position,
    /// Its own time.
    pub at: Millis,
    /// When the log took it in.
    pub taken: Millis,
    /// What it says.
    pub bytes: Bytes,
}

/// Records that were found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// In the order of positions, or the other way round if asked for.
    pub entries: Vec<Entry>,
    /// Whether the search stopped at a limit: there may be more.
    pub more: bool,
}

/// When an append is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// When it is synced.
    Durable,
    /// When the kernel has it: it survives the end of the process, and within about 100 ms the
    /// end of the machine.
    Lazy,
}

/// Which way to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the oldest position.
    Forward,
    /// From the newest position.
    Backward,
}

/// What to read.
#[derive(Clone, Copy, Debug)]
pub struct Query {
    /// Whose records.
    pub stream: u64,
    /// The earliest record's own time.
    pub from: Millis,
    /// The record's own time where to stop, exclusive.
    pub to: Millis,
    /// Go on behind this position (before it, if backward).
    pub after: Option<Position>,
    /// The most records. A page also ends at 4 MiB.
    pub limit: usize,
    /// Which way.
    pub direction: Direction,
}

/// Sizes.
#[derive(Clone, Copy, Debug)]
pub struct SegmentConfig {
    /// Size at which a segment is sealed: what opening may have to scan, and the grain in which
    /// space is given back. At most 1 GiB, so that offsets fit 32 bits.
    pub segment_bytes: u32,
}

impl Default for SegmentConfig {
    fn default() -> SegmentConfig {
        SegmentConfig { segment_bytes: 16 << 20 }
    }
}

/// Why records were not appended.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AppendError {
    /// The disk is full. Retrying may succeed when there is room.
    #[error("the disk is full")]
    DiskFull,
    /// After a failed write or sync the log must be opened anew.
    #[error("the log has stopped: {0}")]
    Stopped(String),
}

/// A log. Clones share it; the last one to go waits until everything is synced.
#[derive(Clone)]
pub struct SegmentLog(Arc<Log>);

struct Log {
    files: Arc<Files>,
    /// `None` only while dropping.
    queue: Option<Sender<Waiting>>,
    writer: Option<JoinHandle<()>>,
}

/// What the writer and the readers share.
struct Files {
    folder: PathBuf,
    index: RwLock<Index>,
}

impl Files {
    fn index(&self) -> RwLockReadGuard<'_, Index> {
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn index_mut(&self) -> RwLockWriteGuard<'_, Index> {
        self.index.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn segment(&self, number: u32) -> PathBuf {
        self.folder.join(format!("{number:010}.log"))
    }

    fn segment_index(&self, number: u32) -> PathBuf {
        self.folder.join(format!("{number:010}.idx"))
    }
}

impl SegmentLog {
    /// Opens the log in `folder`; makes it if it is missing. What streams that are gone left behind
    /// is back until [`SegmentLog::retain`] is called.
    ///
    /// # Errors
    /// A segment is not one of ours, or the file system refuses.
    ///
    /// # Panics
    /// The configuration passes its limit.
    pub fn open(folder: &Path, config: SegmentConfig) -> Result<SegmentLog, OpenError> {
        assert!(config.segment_bytes <= SEGMENT_BYTES_LIMIT, "a segment's size");
        let (files, writer) = Writer::open(folder, config).map_err(OpenError::io(folder))?;
        let (queue, waiting) = flume::bounded(WAITING_LIMIT);
        let writer = std::thread::Builder::new()
            .name("log-writer".to_owned())
            .spawn(move || writer.run(&waiting))
            .map_err(OpenError::io(folder))?;
        Ok(SegmentLog(Arc::new(Log { files, queue: Some(queue), writer: Some(writer) })))
    }

    /// Appends records of one stream, all or none, and answers with their positions. `now` is when
    /// they arrived.
    ///
    /// # Errors
    /// The disk is full, or the log has stopped.
    ///
    /// # Panics
    /// The records take more than 16 MiB: services bound what they take.
    pub async fn append(
        &self,
        stream: u64,
        now: Millis,
        records: Vec<Record>,
        durability: Durability,
    ) -> Result<Vec<Position>, AppendError> {
        let bytes: usize = records.iter().map(|record| HEADER_BYTES + record.bytes.len()).sum();
        assert!(bytes <= APPEND_BYTES_LIMIT, "an append of {bytes} bytes");
        let gone = || AppendError::Stopped("its writer has ended".to_owned());
        let (answer, answered) = oneshot::channel();
        let queue = self.0.queue.as_ref().ok_or_else(gone)?;
        let append = Append { stream, now, records, durability };
        queue.send_async(Waiting { append, answer }).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }

    /// Payload bytes of a stream, in blocks that are kept.
    pub fn stream_bytes(&self, stream: u64) -> u64 {
        self.0.files.index().stream_bytes(stream)
    }

    /// Forgets what `keep_from` no longer wants: it is asked for the earliest time to keep of every
    /// stream, and answers `None` for one that is gone. Answers with the bytes of disk given back.
    /// The rule must know every stream that is being appended to, and must not call the log; ids of
    /// gone streams must not come back.
    ///
    /// # Errors
    /// The file system refuses to remove a segment.
    pub async fn retain(
        &self,
        keep_from: impl Fn(u64) -> Option<Millis> + Send + 'static,
    ) -> io::Result<u64> {
        let files = self.0.files.clone();
        tokio::task::spawn_blocking(move || {
            let dead = files.index_mut().retain(keep_from);
            let mut freed = 0;
            for number in dead {
                let segment = files.segment(number);
                freed += fs::metadata(&segment)?.len();
                // The index last: a segment without one is scanned again, one without the segment
                // is nothing.
                fs::remove_file(segment)?;
                remove_if_there(&files.segment_index(number))?;
            }
            Ok(freed)
        })
        .await?
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        drop(self.queue.take());
        if self.writer.take().is_some_and(|writer| writer.join().is_err()) {
            tracing::error!("a log's writer panicked");
        }
    }
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
