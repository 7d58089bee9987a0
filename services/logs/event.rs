//! An event's id: where it stands among all events, and its forms on the wire.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use kit::Millis;
use store::{Direction, Position};

/// Ten to the 19th: the digits that one step of the decimal form makes.
const DIGITS: u128 = 10_000_000_000_000_000_000;

/// An event's time and place in the log. Ordered as AWS orders events: by time, then as they came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct EventId {
    pub(crate) at: Millis,
    pub(crate) position: u64,
}

impl EventId {
    pub(crate) fn new(at: Millis, position: Position) -> EventId {
        EventId { at, position: position.number() }
    }

    /// The id before all of a moment.
    pub(crate) fn start_of(at: Millis) -> EventId {
        EventId { at, position: 0 }
    }

    /// 56 decimal digits. As AWS's ids it is the time, 144 bits to the left; the position follows.
    pub(crate) fn digits(self) -> String {
        let mut number = [self.at.0 << 16 | self.position >> 48, self.position << 16, 0];
        let mut parts = [0; 3];
        for part in &mut parts {
            let mut remainder = 0;
            for limb in &mut number {
                let dividend = remainder << 64 | u128::from(*limb);
                *limb = (dividend / DIGITS) as u64;
                remainder = dividend % DIGITS;
            }
            *part = remainder as u64;
        }
        format!("{:018}{:019}{:019}", parts[2], parts[1], parts[0])
    }

    /// Reads what [`EventId::digits`] wrote.
    pub(crate) fn from_digits(text: &str) -> Option<EventId> {
        if text.len() != 56 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let mut number = [0_u64; 3];
        for digit in text.bytes() {
            let mut carry = u128::from(digit - b'0');
            for limb in number.iter_mut().rev() {
                let value = u128::from(*limb) * 10 + carry;
                *limb = value as u64;
                carry = value >> 64;
            }
        }
        let position = number[0] << 48 | number[1] >> 16;
        Some(EventId { at: Millis(number[0] >> 16), position })
    }
}

/// Where a search goes on: `FilterLogEvents`' token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SearchToken {
    pub(crate) after: EventId,
    pub(crate) direction: Direction,
}

impl SearchToken {
    pub(crate) fn text(self) -> String {
        let mut bytes = vec![u8::from(self.direction == Direction::Backward)];
        bytes.extend(self.after.at.0.to_be_bytes());
        bytes.extend(self.after.position.to_be_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    pub(crate) fn parse(text: &str) -> Option<SearchToken> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (direction, rest) = bytes.split_first()?;
        let (at, position) = rest.split_first_chunk()?;
        let after = EventId {
            at: Millis(u64::from_be_bytes(*at)),
            position: u64::from_be_bytes(position.try_into().ok()?),
        };
        let direction = match direction {
            0 => Direction::Forward,
            1 => Direction::Backward,
            _ => return None,
        };
        Some(SearchToken { after, direction })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_id_is_its_time_144_bits_to_the_left() {
        let id = EventId::start_of(Millis(1_433_190_184_360));
        assert_eq!(id.digits(), "31961209122447488581323258444701925972207999649589493760");
        // An answer of AWS to a request of that moment.
        let aws = "31961209122447488583055879464742346735121166569214640130";
        assert_eq!(EventId::from_digits(aws).map(|id| id.at), Some(id.at));
        assert_eq!(EventId::from_digits("31961209122447488583055879464742346735121166569"), None);
        assert_eq!(EventId::from_digits(&"x".repeat(56)), None);
    }

    proptest! {
        #[test]
        fn ids_and_tokens_read_back_and_keep_their_order(
            left in (0..4_000_000_000_000_u64, any::<u64>()),
            right in (0..4_000_000_000_000_u64, any::<u64>()),
        ) {
            let id = |(at, position)| EventId { at: Millis(at), position };
            let (left, right) = (id(left), id(right));
            prop_assert_eq!(EventId::from_digits(&left.digits()), Some(left));
            prop_assert_eq!(left.cmp(&right), left.digits().cmp(&right.digits()));
            let token = SearchToken { after: left, direction: Direction::Backward };
            prop_assert_eq!(SearchToken::parse(&token.text()), Some(token));
        }
    }
}
