//! Reading in the order of time: a stream's blocks, for readers that merge them themselves.

use std::ops::Range;

use kit::Millis;

use super::{Direction, Entry, Query, SegmentLog, index::Block, reader::read_block};
use crate::ReadError;

/// A part of a segment that holds records of one stream.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    stream: u64,
    block: Block,
}

impl Span {
    /// The earliest time of its records.
    pub fn earliest(&self) -> Millis {
        self.block.earliest
    }

    /// The latest time of its records.
    pub fn latest(&self) -> Millis {
        self.block.latest
    }

    /// Bytes that reading it reads.
    pub fn read_bytes(&self) -> u64 {
        u64::from(self.block.end - self.block.start)
    }
}

impl SegmentLog {
    /// The spans of a stream that may hold records between two times, in the order of positions.
    /// Their times may overlap: records come as their writers send them.
    pub fn spans(&self, stream: u64, times: Range<Millis>) -> Vec<Span> {
        let index = self.0.files.index();
        index.of_stream(stream, times).map(|block| Span { stream, block }).collect()
    }

    /// The records of a span between two times, in the order of positions. Blocks while it reads.
    ///
    /// # Errors
    /// The segment cannot be read, or is damaged.
    pub fn read_span(&self, span: &Span, times: Range<Millis>) -> Result<Vec<Entry>, ReadError> {
        let query = Query {
            stream: span.stream,
            from: times.start,
            to: times.end,
            after: None,
            limit: usize::MAX,
            direction: Direction::Forward,
        };
        read_block(&self.0.files, &span.block, &query)
            .map_err(|error| ReadError::Engine(error.to_string()))
    }
}
