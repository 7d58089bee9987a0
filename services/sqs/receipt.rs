//! Receipt handles: which receive of which message. Opaque to clients; they keep their meaning when
//! the server restarts, so a consumer may delete what it received before.

use base64::{Engine, prelude::BASE64_STANDARD};

use crate::error::Error;

/// Begins every handle; `AQEB` in base64, as AWS's do.
const MARK: [u8; 3] = [1, 1, 1];

/// One receive of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Receipt {
    /// The number of the queue, which no other queue has or had.
    pub(crate) queue: u64,
    /// The message's sequence number in the queue.
    pub(crate) sequence: u64,
    /// Random; another one for each receive.
    pub(crate) nonce: u64,
}

impl Receipt {
    /// The handle's text.
    pub(crate) fn handle(self) -> String {
        let mut bytes = [0; 27];
        bytes[..3].copy_from_slice(&MARK);
        bytes[3..11].copy_from_slice(&self.queue.to_be_bytes());
        bytes[11..19].copy_from_slice(&self.sequence.to_be_bytes());
        bytes[19..].copy_from_slice(&self.nonce.to_be_bytes());
        BASE64_STANDARD.encode(bytes)
    }

    /// Reads the handle of a message in the queue of this number.
    pub(crate) fn parse(handle: &str, queue: u64) -> Result<Receipt, Error> {
        let invalid = || Error::ReceiptHandleIsInvalid(handle.to_owned());
        let bytes = BASE64_STANDARD.decode(handle).map_err(|_| invalid())?;
        let bytes = <[u8; 27]>::try_from(bytes).map_err(|_| invalid())?;
        let number = |at: usize| {
            u64::from_be_bytes(bytes[at..at + 8].try_into().expect("eight of twenty-seven bytes"))
        };
        let receipt = Receipt { queue: number(3), sequence: number(11), nonce: number(19) };
        if bytes[..3] != MARK || receipt.queue != queue {
            return Err(invalid());
        }
        Ok(receipt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_is_read_back_by_its_own_queue_only() {
        let receipt = Receipt { queue: 7, sequence: 8, nonce: 9 };
        let handle = receipt.handle();
        assert!(handle.starts_with("AQEB"));
        assert_eq!(Receipt::parse(&handle, 7), Ok(receipt));
        for (handle, queue) in [(handle.as_str(), 6), ("", 7), ("AQEB", 7), ("not base64", 7)] {
            let invalid = Error::ReceiptHandleIsInvalid(handle.to_owned());
            assert_eq!(Receipt::parse(handle, queue), Err(invalid));
        }
    }
}
