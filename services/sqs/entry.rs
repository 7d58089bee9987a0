//! One message as the rules see it.

use std::sync::Arc;

use kit::Millis;

use crate::{cache::Cached, message::Message};

/// How many messages are in which state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) visible: usize,
    pub(crate) delayed: usize,
    pub(crate) in_flight: usize,
}

/// One message.
pub(crate) struct Entry {
    pub(crate) state: State,
    pub(crate) sent: Millis,
    pub(crate) group: Option<Arc<str>>,
    pub(crate) receives: Receives,
    pub(crate) rows: Rows,
    pub(crate) message: Option<Cached>,
}

/// What has been received of a message, over all queues it was in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Receives {
    pub(crate) count: u32,
    pub(crate) first: Option<Millis>,
    /// When the present or last lease began.
    pub(crate) leased: Millis,
    /// Of the last receipt; `None` before the first receive, or when a crash has lost it.
    pub(crate) nonce: Option<u64>,
}

/// Which rows a message has besides its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rows {
    /// Its content has a row of its own.
    pub(crate) content: bool,
    /// Its receives have a row.
    pub(crate) receives: bool,
}

/// Where a message stands. It is in exactly one state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Its commit is under way.
    Arriving {
        visible: Millis,
    },
    /// Hidden until then.
    Delayed(Millis),
    Visible,
    /// Held by a consumer until then.
    Leased(Millis),
    /// Its move to another queue is under way.
    Leaving,
}

/// A message that comes in.
pub(crate) struct Arrival {
    pub(crate) sent: Millis,
    pub(crate) visible: Millis,
    pub(crate) group: Option<Arc<str>>,
    pub(crate) receives: Receives,
    pub(crate) rows: Rows,
    pub(crate) message: Option<Cached>,
}

impl Entry {
    /// Its content, if it is in memory.
    pub(crate) fn message(&self) -> Option<Arc<Message>> {
        self.message.as_ref().map(Cached::message)
    }
}
