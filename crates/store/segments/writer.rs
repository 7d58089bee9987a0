//! The one thread that appends: whatever waits becomes one write, and one sync if somebody waits
//! for it.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::Path,
    sync::{Arc, RwLock},
    time::{Duration, Instant},
};

use flume::{Receiver, RecvTimeoutError};
use kit::Millis;
use tokio::sync::oneshot;

use super::{
    AppendError, Durability, Files, Position, Record, SegmentConfig, WAITING_LIMIT,
    format::{SEGMENT_MAGIC, Stored, decode_index, encode_index},
    index::{Block, Index},
};
use crate::{
    folder::{create_folder, sync_folder},
    room::Room,
};

/// How long what nobody waits for may stay unsynced.
const LAZY_SYNC: Duration = Duration::from_millis(100);

/// Bytes at which a group takes no further append.
const GROUP_BYTES: usize = 4 << 20;

/// Records of one stream that arrived together.
pub(super) struct Append {
    pub(super) stream: u64,
    pub(super) now: Millis,
    pub(super) records: Vec<Record>,
    pub(super) durability: Durability,
}

/// An append in the queue.
pub(super) struct Waiting {
    pub(super) append: Append,
    pub(super) answer: oneshot::Sender<Result<Vec<Position>, AppendError>>,
}

pub(super) struct Writer {
    files: Arc<Files>,
    config: SegmentConfig,
    room: Room,
    /// The segment that grows.
    number: u32,
    file: File,
    length: u32,
    /// When the oldest unsynced bytes must be synced.
    sync_by: Option<Instant>,
    /// Why nothing is written any more.
    stopped: Option<String>,
}

impl Writer {
    /// Reads or rebuilds the index, cuts off a torn end, and continues the last segment.
    pub(super) fn open(folder: &Path, config: SegmentConfig) -> io::Result<(Arc<Files>, Writer)> {
        create_folder(folder)?;
        let index = RwLock::new(Index::default());
        let files = Arc::new(Files { folder: folder.to_owned(), index });
        let numbers = segment_numbers(folder)?;
        let mut last = None;
        for (place, number) in numbers.iter().enumerate() {
            last = load(&files, *number, place + 1 == numbers.len())?;
        }
        let (number, file, length) = match last {
            Some(open) => open,
            None => begin(&files, numbers.last().map_or(1, |number| number + 1))?,
        };
        let room = Room::of(folder)?;
        let writer = Writer {
            files: files.clone(),
            config,
            room,
            number,
            file,
            length,
            sync_by: None,
            stopped: None,
        };
        Ok((files, writer))
    }

    pub(super) fn run(mut self, queue: &Receiver<Waiting>) {
        loop {
            let next = match self.sync_by {
                Some(moment) => queue.recv_deadline(moment),
                None => queue.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match next {
                Ok(first) => self.append(gather(first, queue)),
                Err(RecvTimeoutError::Timeout) => self.sync_or_stop(),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.sync_or_stop();
    }

    fn append(&mut self, waiting: Vec<Waiting>) {
        let (appends, answers): (Vec<_>, Vec<_>) =
            waiting.into_iter().map(|waiting| (waiting.append, waiting.answer)).unzip();
        match self.write(&appends) {
            Ok(positions) => {
                for (answer, positions) in answers.into_iter().zip(positions) {
                    // Whoever no longer waits has no use for the answer.
                    let _ = answer.send(Ok(positions));
                }
            }
            Err(error) => {
                for answer in answers {
                    let _ = answer.send(Err(error.clone()));
                }
            }
        }
    }

    fn write(&mut self, appends: &[Append]) -> Result<Vec<Vec<Position>>, AppendError> {
        if let Some(reason) = &self.stopped {
            return Err(AppendError::Stopped(reason.clone()));
        }
        if self.room.is_used_up() {
            return Err(AppendError::DiskFull);
        }
        self.write_group(appends).map_err(|error| {
            self.stop(&error);
            AppendError::Stopped(error.to_string())
        })
    }

    /// The index learns of the records last, so readers never see what a failed write left.
    fn write_group(&mut self, appends: &[Append]) -> io::Result<Vec<Vec<Position>>> {
        if self.length >= self.config.segment_bytes {
            self.roll()?;
        }
        let mut bytes = Vec::new();
        let mut blocks = Vec::new();
        let mut positions = Vec::with_capacity(appends.len());
        for append in appends {
            let begin = blocks.len();
            for record in &append.records {
                let start = self.length + bytes.len() as u32;
                let stored = append.stored(record);
                stored.encode(&mut bytes);
                blocks.push((append.stream, block_of(self.number, start, &stored)));
            }
            positions.push(blocks[begin..].iter().map(|(_, block)| block.position()).collect());
        }
        self.file.write_all(&bytes)?;
        self.length += bytes.len() as u32;
        let sync_by = *self.sync_by.get_or_insert_with(|| Instant::now() + LAZY_SYNC);
        let durable = appends.iter().any(|append| append.durability == Durability::Durable);
        if durable || sync_by <= Instant::now() {
            self.sync()?;
        }
        let mut index = self.files.index_mut();
        blocks.into_iter().for_each(|(stream, block)| index.add(stream, block));
        Ok(positions)
    }

    /// Seals the segment and begins the next one.
    fn roll(&mut self) -> io::Result<()> {
        self.sync()?;
        write_index(&self.files, self.number)?;
        (self.number, self.file, self.length) = begin(&self.files, self.number + 1)?;
        self.files.index_mut().seal(self.number - 1);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        if self.sync_by.take().is_some() {
            self.file.sync_data()?;
        }
        Ok(())
    }

    fn sync_or_stop(&mut self) {
        if let Err(error) = self.sync() {
            self.stop(&error);
        }
    }

    fn stop(&mut self, error: &io::Error) {
        tracing::error!(%error, "a log has stopped");
        self.stopped = Some(error.to_string());
        self.sync_by = None;
    }
}

impl Append {
    fn stored<'a>(&self, record: &'a Record) -> Stored<'a> {
        Stored { stream: self.stream, at: record.at, taken: self.now, bytes: &record.bytes }
    }
}

fn gather(first: Waiting, queue: &Receiver<Waiting>) -> Vec<Waiting> {
    let size = |one: &Waiting| one.append.records.iter().map(|one| one.bytes.len()).sum::<usize>();
    let mut bytes = size(&first);
    let mut group = vec![first];
    while bytes < GROUP_BYTES && group.len() < WAITING_LIMIT {
        let Ok(next) = queue.try_recv() else { break };
        bytes += size(&next);
        group.push(next);
    }
    group
}

fn block_of(segment: u32, start: u32, record: &Stored) -> Block {
    Block {
        segment,
        start,
        end: start + record.stored_bytes() as u32,
        earliest: record.at,
        latest: record.at,
        bytes: record.bytes.len() as u32,
    }
}

fn segment_numbers(folder: &Path) -> io::Result<Vec<u32>> {
    let mut numbers = Vec::new();
    for file in fs::read_dir(folder)? {
        let name = file?.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(".log"));
        numbers.extend(number.and_then(|number| number.parse::<u32>().ok()));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// A segment that grows: its number, its file at the end, its length.
type Growing = (u32, File, u32);

/// Makes a segment, durably.
fn begin(files: &Files, number: u32) -> io::Result<Growing> {
    let mut file = File::create_new(files.segment(number))?;
    file.write_all(SEGMENT_MAGIC)?;
    file.sync_all()?;
    sync_folder(&files.folder)?;
    Ok((number, file, SEGMENT_MAGIC.len() as u32))
}

/// Brings a segment's blocks into the index. The last segment is given back to grow on, unless it
/// was sealed.
fn load(files: &Files, number: u32, is_last: bool) -> io::Result<Option<Growing>> {
    if let Ok(file) = fs::read(files.segment_index(number))
        && let Some(blocks) = decode_index(number, &file)
    {
        let mut index = files.index_mut();
        blocks.into_iter().for_each(|(stream, block)| index.add(stream, block));
        index.seal(number);
        return Ok(None);
    }
    let path = files.segment(number);
    let bytes = fs::read(&path)?;
    let whole = scan(files, number, &bytes)?;
    if !is_last {
        write_index(files, number)?;
        files.index_mut().seal(number);
        return Ok(None);
    }
    let mut file = OpenOptions::new().append(true).open(&path)?;
    if whole < bytes.len() {
        tracing::warn!(segment = number, bytes = bytes.len() - whole, "a torn end was cut off");
        file.set_len(whole as u64)?;
    }
    if whole < SEGMENT_MAGIC.len() {
        // The crash came between the making of the file and its first sync.
        file.set_len(0)?;
        file.write_all(SEGMENT_MAGIC)?;
    }
    // Also what the last run did not come to sync: it is in the index now.
    file.sync_all()?;
    Ok(Some((number, file, whole.max(SEGMENT_MAGIC.len()) as u32)))
}

/// Adds a segment's records to the index, up to the first that is not whole; answers where.
fn scan(files: &Files, number: u32, bytes: &[u8]) -> io::Result<usize> {
    let magic = bytes.len().min(SEGMENT_MAGIC.len());
    if bytes[..magic] != SEGMENT_MAGIC[..magic] {
        return Err(io::Error::other(format!("segment {number} does not begin as a segment does")));
    }
    let mut index = files.index_mut();
    let mut offset = magic;
    while let Some(record) = bytes.get(offset..).and_then(Stored::decode) {
        let block = block_of(number, offset as u32, &record);
        index.add(record.stream, block);
        offset = block.end as usize;
    }
    Ok(offset)
}

fn write_index(files: &Files, number: u32) -> io::Result<()> {
    let content = encode_index(files.index().of_segment(number));
    let path = files.segment_index(number);
    let unfinished = path.with_extension("new");
    let mut file = File::create(&unfinished)?;
    file.write_all(&content)?;
    file.sync_all()?;
    fs::rename(&unfinished, &path)
}
