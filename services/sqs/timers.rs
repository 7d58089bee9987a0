//! Moments at which something happens to a message, in order.

use std::collections::BTreeSet;

use kit::Millis;

/// At most one moment per message of a queue.
#[derive(Default)]
pub(crate) struct Timers(BTreeSet<(Millis, u64)>);

impl Timers {
    /// Sets a message's moment.
    pub(crate) fn set(&mut self, at: Millis, sequence: u64) {
        self.0.insert((at, sequence));
    }

    /// Takes it back.
    pub(crate) fn clear(&mut self, at: Millis, sequence: u64) {
        self.0.remove(&(at, sequence));
    }

    /// The next moment.
    pub(crate) fn next(&self) -> Option<Millis> {
        self.0.first().map(|(at, _)| *at)
    }

    /// A message whose moment has come by `now`. It stays until it is cleared.
    pub(crate) fn due(&self, now: Millis) -> Option<u64> {
        self.0.first().filter(|(at, _)| *at <= now).map(|(_, sequence)| *sequence)
    }
}
