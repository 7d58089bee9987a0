//! Version ids: 32 characters that hide the version's place in the order of its key.
//!
//! An id is twenty bytes in base 32: twelve random ones, then the sequence number masked with the
//! first eight. So the row of a version is found without an index, and ids tell clients nothing.

const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// A new id for the version of this sequence number.
pub(crate) fn id(sequence: u64) -> String {
    let random: [u8; 12] = kit::ids::random();
    let mut bytes = [0; 20];
    bytes[..12].copy_from_slice(&random);
    let masked = sequence ^ mask(&bytes);
    bytes[12..].copy_from_slice(&masked.to_be_bytes());
    let mut text = String::with_capacity(32);
    for group in bytes.chunks_exact(5) {
        let number = group.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        text.extend((0..8).rev().map(|at| ALPHABET[(number >> (5 * at)) as usize & 31] as char));
    }
    text
}

/// The sequence number in an id; `None` if the text is no id of ours.
pub(crate) fn sequence(id: &str) -> Option<u64> {
    if id.len() != 32 {
        return None;
    }
    let mut bytes = [0; 20];
    for (letters, group) in id.as_bytes().chunks_exact(8).zip(bytes.chunks_exact_mut(5)) {
        let mut number = 0_u64;
        for letter in letters {
            let digit = ALPHABET.iter().position(|known| known == letter)?;
            number = number << 5 | digit as u64;
        }
        group.copy_from_slice(&number.to_be_bytes()[3..]);
    }
    let masked = u64::from_be_bytes(*bytes.last_chunk()?);
    Some(masked ^ mask(&bytes))
}

fn mask(bytes: &[u8; 20]) -> u64 {
    bytes[..8].iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_leads_back_to_its_sequence_number() {
        for number in [0, 1, u64::MAX, 0x1234_5678_9abc_def0] {
            let id = id(number);
            assert_eq!(id.len(), 32);
            assert_eq!(sequence(&id), Some(number));
        }
        assert_ne!(id(7), id(7));
    }

    #[test]
    fn other_texts_are_no_ids() {
        assert_eq!(sequence("null"), None);
        assert_eq!(sequence(&"A".repeat(32)), None);
        assert_eq!(sequence(&"é".repeat(16)), None);
    }
}
