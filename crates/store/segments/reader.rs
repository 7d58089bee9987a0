//! Reading a stream: block by block, either way.

use std::{fs::File, io, os::unix::fs::FileExt};

use bytes::Bytes;

use super::{
    Direction, Entry, Files, Page, Position, Query, SegmentLog, format::Stored, index::Block,
};
use crate::ReadError;

/// Payload bytes at which a page ends.
const PAGE_BYTES: usize = 4 << 20;

impl SegmentLog {
    /// Records of one stream in the order of their positions.
    ///
    /// # Errors
    /// A segment cannot be read, or is damaged.
    pub async fn read(&self, query: Query) -> Result<Page, ReadError> {
        let files = self.0.files.clone();
        tokio::task::spawn_blocking(move || read(&files, query))
            .await
            .unwrap_or_else(|error| Err(io::Error::other(error)))
            .map_err(|error| ReadError::Engine(error.to_string()))
    }
}

fn read(files: &Files, query: Query) -> io::Result<Page> {
    let mut page = Page::default();
    let mut bytes_left = PAGE_BYTES;
    let mut after = query.after;
    loop {
        let next = files.index().next(query.stream, query.from..query.to, after, query.direction);
        let Some(block) = next else { return Ok(page) };
        for entry in read_block(files, &block, &query)? {
            if page.entries.len() == query.limit || bytes_left == 0 {
                page.more = true;
                return Ok(page);
            }
            bytes_left = bytes_left.saturating_sub(entry.bytes.len());
            page.entries.push(entry);
        }
        after = Some(match query.direction {
            Direction::Forward => Position::new(block.segment, block.end),
            Direction::Backward => block.position(),
        });
    }
}

/// The block's records that the query asks for, in its direction.
pub(super) fn read_block(files: &Files, block: &Block, query: &Query) -> io::Result<Vec<Entry>> {
    let mut bytes = vec![0; (block.end - block.start) as usize];
    let path = files.segment(block.segment);
    match File::open(&path) {
        Ok(file) => file.read_exact_at(&mut bytes, u64::from(block.start))?,
        // Given up since the index was asked.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    }
    let damaged = |offset: usize| {
        let at = block.start as usize + offset;
        io::Error::other(format!("{} is damaged at byte {at}", path.display()))
    };
    let mut entries = Vec::new();
    let mut offset = 0;
    while offset < bytes.len() {
        let rest = &bytes[offset..];
        let (record, _) = Stored::decode_unchecked(rest).ok_or_else(|| damaged(offset))?;
        let position = Position::new(block.segment, block.start + offset as u32);
        if record.stream == query.stream && wants(query, position, &record) {
            let record = Stored::decode(rest).ok_or_else(|| damaged(offset))?;
            let bytes = Bytes::copy_from_slice(record.bytes);
            entries.push(Entry { position, at: record.at, taken: record.taken, bytes });
        }
        offset += record.stored_bytes();
    }
    if query.direction == Direction::Backward {
        entries.reverse();
    }
    Ok(entries)
}

fn wants(query: &Query, position: Position, record: &Stored) -> bool {
    let beyond = query.after.is_none_or(|after| match query.direction {
        Direction::Forward => position > after,
        Direction::Backward => position < after,
    });
    beyond && (query.from..query.to).contains(&record.at)
}
