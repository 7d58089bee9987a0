//! Contents of messages in memory, bounded for all queues together. What finds no room is read from
//! the store when it is received.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use crate::{limits, message::Message};

/// The room for contents.
#[derive(Default)]
pub(crate) struct Cache {
    used_bytes: AtomicUsize,
}

/// A message in memory; dropping it gives its room back.
pub(crate) struct Cached {
    message: Arc<Message>,
    bytes: usize,
    cache: Arc<Cache>,
}

impl Cache {
    /// Keeps a message, if it is small and there is room.
    pub(crate) fn keep(self: &Arc<Cache>, message: &Arc<Message>) -> Option<Cached> {
        let content_bytes = message.content.size_bytes();
        if content_bytes > limits::INLINE_BYTES {
            return None;
        }
        let bytes = content_bytes + limits::MESSAGE_OVERHEAD_BYTES;
        let used = self.used_bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let cached = Cached { message: message.clone(), bytes, cache: self.clone() };
        (used <= limits::CACHE_BYTES).then_some(cached)
    }
}

impl Cached {
    /// The message.
    pub(crate) fn message(&self) -> Arc<Message> {
        self.message.clone()
    }
}

impl Drop for Cached {
    fn drop(&mut self) {
        self.cache.used_bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
