//! Bytes of records and of index files.
//!
//! An index file is eight bytes of magic, the blocks of its segment (stream, start, end, earliest,
//! latest, bytes: 8, 4, 4, 8, 8, 4 bytes), and the CRC-32 of all before it.

use kit::Millis;

use super::index::Block;

/// The first bytes of a segment.
pub(super) const SEGMENT_MAGIC: &[u8; 8] = b"lmpseg01";

/// The first bytes of an index file.
const INDEX_MAGIC: &[u8; 8] = b"lmpidx01";

/// Bytes in front of a record's own.
pub(super) const HEADER_BYTES: usize = 32;

/// Bytes of one block in an index file.
const BLOCK_BYTES: usize = 36;

/// A record in a segment's bytes.
pub(super) struct Stored<'a> {
    pub(super) stream: u64,
    pub(super) at: Millis,
    pub(super) taken: Millis,
    pub(super) bytes: &'a [u8],
}

impl<'a> Stored<'a> {
    /// Appends the record.
    pub(super) fn encode(&self, to: &mut Vec<u8>) {
        let start = to.len();
        to.extend([0; 4]);
        // Appends are bounded to 16 MiB.
        to.extend((self.bytes.len() as u32).to_le_bytes());
        to.extend(self.stream.to_le_bytes());
        to.extend(self.at.0.to_le_bytes());
        to.extend(self.taken.0.to_le_bytes());
        to.extend(self.bytes);
        let crc = crc32fast::hash(&to[start + 4..]);
        to[start..start + 4].copy_from_slice(&crc.to_le_bytes());
    }

    /// The record at the beginning of `from`; `None` if there is no whole one.
    pub(super) fn decode(from: &'a [u8]) -> Option<Stored<'a>> {
        let (record, crc) = Stored::decode_unchecked(from)?;
        let whole = &from[4..HEADER_BYTES + record.bytes.len()];
        (crc32fast::hash(whole) == crc).then_some(record)
    }

    /// The same without a look at the checksum, to step over other streams' records. Also the
    /// checksum that it should have.
    pub(super) fn decode_unchecked(from: &'a [u8]) -> Option<(Stored<'a>, u32)> {
        let mut fields = Fields(from);
        let crc = fields.u32()?;
        let length = fields.u32()? as usize;
        let (stream, at, taken) = (fields.u64()?, Millis(fields.u64()?), Millis(fields.u64()?));
        let bytes = fields.0.get(..length)?;
        Some((Stored { stream, at, taken, bytes }, crc))
    }

    /// Bytes in the segment.
    pub(super) fn stored_bytes(&self) -> usize {
        HEADER_BYTES + self.bytes.len()
    }
}

/// A segment's blocks as a file.
pub(super) fn encode_index(blocks: impl Iterator<Item = (u64, Block)>) -> Vec<u8> {
    let mut file = INDEX_MAGIC.to_vec();
    for (stream, block) in blocks {
        file.extend(stream.to_le_bytes());
        file.extend(block.start.to_le_bytes());
        file.extend(block.end.to_le_bytes());
        file.extend(block.earliest.0.to_le_bytes());
        file.extend(block.latest.0.to_le_bytes());
        file.extend(block.bytes.to_le_bytes());
    }
    let crc = crc32fast::hash(&file);
    file.extend(crc.to_le_bytes());
    file
}

/// The blocks of `segment` in a file; `None` if the file is damaged.
pub(super) fn decode_index(segment: u32, file: &[u8]) -> Option<Vec<(u64, Block)>> {
    let (content, crc) = file.split_last_chunk()?;
    let blocks = content.strip_prefix(INDEX_MAGIC)?;
    if crc32fast::hash(content) != u32::from_le_bytes(*crc) || blocks.len() % BLOCK_BYTES != 0 {
        return None;
    }
    let block = |bytes| {
        let mut fields = Fields(bytes);
        let stream = fields.u64()?;
        let (start, end) = (fields.u32()?, fields.u32()?);
        let (earliest, latest) = (Millis(fields.u64()?), Millis(fields.u64()?));
        Some((stream, Block { segment, start, end, earliest, latest, bytes: fields.u32()? }))
    };
    blocks.chunks_exact(BLOCK_BYTES).map(block).collect()
}

struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn u32(&mut self) -> Option<u32> {
        let (number, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u32::from_le_bytes(*number))
    }

    fn u64(&mut self) -> Option<u64> {
        let (number, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u64::from_le_bytes(*number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_whole_or_nothing() {
        let record = Stored { stream: 7, at: Millis(1), taken: Millis(2), bytes: b"text" };
        let mut bytes = Vec::new();
        record.encode(&mut bytes);
        assert_eq!(bytes.len(), record.stored_bytes());
        let back = Stored::decode(&bytes).unwrap();
        assert_eq!(
            (back.stream, back.at, back.taken, back.bytes),
            (7, Millis(1), Millis(2), &b"text"[..])
        );
        for cut in 0..bytes.len() {
            assert!(Stored::decode(&bytes[..cut]).is_none(), "cut at {cut}");
            let mut damaged = bytes.clone();
            damaged[cut] ^= 1;
            assert!(Stored::decode(&damaged).is_none(), "damaged at {cut}");
        }
        assert!(Stored::decode(&[0; 100]).is_none(), "zeros are no record");
    }

    #[test]
    fn an_index_file_is_whole_or_nothing() {
        let block = Block {
            segment: 3,
            start: 8,
            end: 99,
            earliest: Millis(4),
            latest: Millis(5),
            bytes: 6,
        };
        let file = encode_index([(7, block), (8, block)].into_iter());
        assert_eq!(decode_index(3, &file), Some(vec![(7, block), (8, block)]));
        assert_eq!(decode_index(3, &encode_index(std::iter::empty())), Some(Vec::new()));
        for cut in 0..file.len() {
            assert_eq!(decode_index(3, &file[..cut]), None, "cut at {cut}");
        }
    }
}
