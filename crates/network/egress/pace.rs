//! How many packets of one instance the server looks at: a burst, then a steady rate. Each costs a
//! microsecond or two of the server's time, which no function may use up. Pure; time passed in.

use kit::Millis;

/// What may come at once.
const BURST: i64 = 4_000;
/// What may come for ever: with full packets 5 Gbit/s.
const PER_MILLISECOND: i64 = 40;

/// A bucket of packets.
#[derive(Debug)]
pub(super) struct Pace {
    /// Below zero: taken already, to be waited for.
    packets: i64,
    refilled: Millis,
}

impl Pace {
    pub(super) fn new(now: Millis) -> Pace {
        Pace { packets: BURST, refilled: now }
    }

    /// Counts packets; more may be taken at the moment that is returned.
    pub(super) fn take(&mut self, packets: usize, now: Millis) -> Millis {
        let passed = i64::try_from(now.since(self.refilled)).unwrap_or(i64::MAX);
        self.refilled = self.refilled.max(now);
        let refill = passed.saturating_mul(PER_MILLISECOND);
        let taken = i64::try_from(packets).unwrap_or(i64::MAX);
        self.packets = self.packets.saturating_add(refill).min(BURST).saturating_sub(taken);
        let lacking = self.packets.min(0).unsigned_abs();
        now.plus(lacking.div_ceil(PER_MILLISECOND.unsigned_abs()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_a_flood_waits() {
        let mut pace = Pace::new(Millis(0));
        assert_eq!(pace.take(4_000, Millis(0)), Millis(0));
        assert_eq!(pace.take(64, Millis(0)), Millis(2));
        assert_eq!(pace.take(16, Millis(2)), Millis(2));
        assert_eq!(pace.take(1, Millis(2)), Millis(3));
    }

    #[test]
    fn a_pause_fills_no_more_than_a_burst() {
        let mut pace = Pace::new(Millis(0));
        pace.take(4_000, Millis(0));
        assert_eq!(pace.take(4_000, Millis(3_600_000)), Millis(3_600_000));
        assert_eq!(pace.take(40, Millis(3_600_000)), Millis(3_600_001));
    }
}
