//! How fast a response may stream: a burst first, then a steady rate. Pure; time passed in.
//!
//! Sources: "Bandwidth limits for response streaming" (the first 6 MB uncapped, then 2 MB/s); the
//! interval is that of AWS's runtime interface emulator.

use kit::Millis;

/// What may go at once.
const BURST_BYTES: i64 = 6 * 1024 * 1024;
const REFILL_MILLIS: u64 = 125;
/// 2 MiB a second.
const REFILL_BYTES: i64 = 2 * 1024 * 1024 / 8;

/// A bucket of bytes that may be sent.
#[derive(Debug)]
pub(crate) struct Bucket {
    /// Below zero: promised, to be refilled before anything else goes.
    bytes: i64,
    refilled: Millis,
}

impl Bucket {
    /// A full one.
    pub(crate) fn new(now: Millis) -> Bucket {
        Bucket { bytes: BURST_BYTES, refilled: now }
    }

    /// Takes so many bytes out; they may be sent at the moment that is returned.
    pub(crate) fn take(&mut self, bytes: usize, now: Millis) -> Millis {
        let intervals = now.since(self.refilled) / REFILL_MILLIS;
        self.refilled = self.refilled.plus(intervals * REFILL_MILLIS);
        let refill = i64::try_from(intervals).unwrap_or(i64::MAX).saturating_mul(REFILL_BYTES);
        self.bytes = self.bytes.saturating_add(refill).min(BURST_BYTES) - bytes as i64;
        if self.bytes >= 0 {
            return now;
        }
        let needed = (-self.bytes).cast_unsigned().div_ceil(REFILL_BYTES.cast_unsigned());
        self.refilled.plus(needed * REFILL_MILLIS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1024 * 1024;

    #[test]
    fn six_mebibytes_go_at_once_and_then_two_a_second() {
        let mut bucket = Bucket::new(Millis(0));
        assert_eq!(bucket.take(6 * MIB, Millis(0)), Millis(0));
        assert_eq!(bucket.take(1, Millis(0)), Millis(125));
        assert_eq!(bucket.take(2 * MIB, Millis(0)), Millis(1125));
        assert_eq!(bucket.take(2 * MIB, Millis(1125)), Millis(2125));
    }

    #[test]
    fn a_pause_fills_the_bucket_up_to_its_brim() {
        let mut bucket = Bucket::new(Millis(0));
        bucket.take(6 * MIB, Millis(0));
        assert_eq!(bucket.take(6 * MIB, Millis(3_600_000)), Millis(3_600_000));
        assert_eq!(bucket.take(1, Millis(3_600_000)), Millis(3_600_125));
    }
}
