//! Where the records of each stream are. Pure: no input or output.

use std::collections::{BTreeSet, HashMap};

use kit::Millis;

use super::{Direction, Position};

/// Bytes of a segment that one block of a stream may span: what a reader reads at a time, and the
/// grain of the index. A stream's records within a span share one block, so a span costs at most
/// one block (40 bytes) per stream that wrote into it.
const BLOCK_SPAN_BYTES: u32 = 256 << 10;

/// A part of a segment that holds records of one stream, possibly between those of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) segment: u32,
    /// Offset of the first record.
    pub(super) start: u32,
    /// Offset behind the last record.
    pub(super) end: u32,
    pub(super) earliest: Millis,
    pub(super) latest: Millis,
    /// Payload bytes of the stream's records.
    pub(super) bytes: u32,
}

impl Block {
    pub(super) fn position(&self) -> Position {
        Position::new(self.segment, self.start)
    }

    fn end_position(&self) -> Position {
        Position::new(self.segment, self.end)
    }
}

/// All blocks, and which segments are sealed.
#[derive(Default)]
pub(super) struct Index {
    /// Blocks in the order of positions; those of one stream do not overlap.
    streams: HashMap<u64, Vec<Block>>,
    sealed: BTreeSet<u32>,
}

impl Index {
    /// Adds a stream's block behind all it has; joins it to the last one if both fit a span.
    pub(super) fn add(&mut self, stream: u64, block: Block) {
        let blocks = self.streams.entry(stream).or_default();
        match blocks.last_mut() {
            Some(last)
                if last.segment == block.segment && block.end - last.start <= BLOCK_SPAN_BYTES =>
            {
                last.end = block.end;
                last.earliest = last.earliest.min(block.earliest);
                last.latest = last.latest.max(block.latest);
                last.bytes += block.bytes;
            }
            _ => blocks.push(block),
        }
    }

    /// Notes that a segment grows no more.
    pub(super) fn seal(&mut self, segment: u32) {
        self.sealed.insert(segment);
    }

    /// The blocks of a segment, stream by stream.
    pub(super) fn of_segment(&self, segment: u32) -> impl Iterator<Item = (u64, Block)> {
        self.streams.iter().flat_map(move |(stream, blocks)| {
            let first = blocks.partition_point(|block| block.segment < segment);
            let of_segment =
                blocks[first..].iter().take_while(move |block| block.segment == segment);
            of_segment.map(|block| (*stream, *block))
        })
    }

    /// The blocks of a stream that may hold records between two times.
    pub(super) fn of_stream(
        &self,
        stream: u64,
        times: std::ops::Range<Millis>,
    ) -> impl Iterator<Item = Block> {
        let blocks = self.streams.get(&stream).into_iter().flatten().copied();
        blocks.filter(move |block| block.earliest < times.end && block.latest >= times.start)
    }

    /// The next block that may hold records behind `after` (before it, if backward) between two
    /// times.
    pub(super) fn next(
        &self,
        stream: u64,
        times: std::ops::Range<Millis>,
        after: Option<Position>,
        direction: Direction,
    ) -> Option<Block> {
        let blocks = self.streams.get(&stream)?;
        let overlaps = |block: &&Block| block.earliest < times.end && block.latest >= times.start;
        let found = match direction {
            Direction::Forward => {
                let first = after.map_or(0, |after| {
                    blocks.partition_point(|block| block.end_position() <= after)
                });
                blocks[first..].iter().find(overlaps)
            }
            Direction::Backward => {
                let behind = after.map_or(blocks.len(), |before| {
                    blocks.partition_point(|block| block.position() < before)
                });
                blocks[..behind].iter().rev().find(overlaps)
            }
        };
        found.copied()
    }

    pub(super) fn stream_bytes(&self, stream: u64) -> u64 {
        let blocks = self.streams.get(&stream).into_iter().flatten();
        blocks.map(|block| u64::from(block.bytes)).sum()
    }

    /// Drops the blocks that the rule no longer wants, and gives up the sealed segments that hold
    /// no block any more.
    pub(super) fn retain(&mut self, keep_from: impl Fn(u64) -> Option<Millis>) -> Vec<u32> {
        self.streams.retain(|stream, blocks| {
            let Some(from) = keep_from(*stream) else { return false };
            blocks.retain(|block| block.latest >= from);
            !blocks.is_empty()
        });
        let used: BTreeSet<u32> =
            self.streams.values().flatten().map(|block| block.segment).collect();
        let dead = self.sealed.difference(&used).copied().collect();
        self.sealed.retain(|segment| used.contains(segment));
        dead
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(segment: u32, start: u32, end: u32, at: u64) -> Block {
        Block { segment, start, end, earliest: Millis(at), latest: Millis(at), bytes: end - start }
    }

    fn next(index: &Index, after: Option<Position>, direction: Direction) -> Option<(u32, u32)> {
        let block = index.next(1, Millis(0)..Millis(100), after, direction)?;
        Some((block.segment, block.start))
    }

    #[test]
    fn near_records_of_a_stream_share_a_block() {
        let mut index = Index::default();
        for start in [8, 100, 1_000] {
            index.add(1, block(1, start, start + 50, u64::from(start)));
        }
        index.add(1, block(1, 8 + BLOCK_SPAN_BYTES, 9 + BLOCK_SPAN_BYTES, 5));
        index.add(1, block(2, 8, 9, 5));
        let blocks: Vec<Block> = index.of_segment(1).map(|(_, block)| block).collect();
        let joined = Block {
            earliest: Millis(8),
            latest: Millis(1_000),
            bytes: 150,
            ..block(1, 8, 1_050, 0)
        };
        assert_eq!(blocks, [joined, block(1, 8 + BLOCK_SPAN_BYTES, 9 + BLOCK_SPAN_BYTES, 5)]);
        assert_eq!(index.stream_bytes(1), 152);
    }

    #[test]
    fn the_next_block_is_found_from_either_end() {
        let mut index = Index::default();
        for segment in 1..=3 {
            index.add(1, block(segment, 8, 108, u64::from(segment)));
        }
        let within_2 = Some(Position::new(2, 50));
        assert_eq!(next(&index, None, Direction::Forward), Some((1, 8)));
        assert_eq!(next(&index, within_2, Direction::Forward), Some((2, 8)));
        assert_eq!(next(&index, Some(Position::new(2, 108)), Direction::Forward), Some((3, 8)));
        assert_eq!(next(&index, Some(Position::new(3, 108)), Direction::Forward), None);
        assert_eq!(next(&index, None, Direction::Backward), Some((3, 8)));
        assert_eq!(next(&index, within_2, Direction::Backward), Some((2, 8)));
        assert_eq!(next(&index, Some(Position::new(2, 8)), Direction::Backward), Some((1, 8)));
        assert_eq!(next(&index, Some(Position::new(1, 8)), Direction::Backward), None);
        let third = index.next(1, Millis(3)..Millis(4), None, Direction::Forward);
        assert_eq!(third.map(|block| block.segment), Some(3));
        assert_eq!(index.next(1, Millis(4)..Millis(9), None, Direction::Forward), None);
    }

    #[test]
    fn a_sealed_segment_is_given_up_with_its_last_block() {
        let mut index = Index::default();
        index.add(1, block(1, 8, 9, 10));
        index.add(2, block(1, 9, 10, 20));
        index.add(2, block(2, 8, 9, 30));
        index.seal(1);
        assert_eq!(index.retain(|_| Some(Millis(20))), [0_u32; 0]);
        assert_eq!(index.stream_bytes(1), 0);
        assert_eq!(index.retain(|_| Some(Millis(21))), [1]);
        assert_eq!(index.retain(|_| None), [0_u32; 0], "the segment that grows stays");
    }
}
