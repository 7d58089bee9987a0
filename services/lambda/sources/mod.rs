//! Event source mappings: sources that Lambda polls on a function's behalf.
//!
//! Read in this order: `mapping` (the record and its rules), `filter` (which records pass), `batch`
//! (records in, failures out), `loops` (what is stopped), `sqs` (the poller of a queue). This file owns the running pollers.

pub(crate) mod batch;
pub(crate) mod filter;
mod loops;
pub(crate) mod mapping;
pub(crate) mod sqs;
mod store;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{sync::watch, task::JoinHandle};

use crate::{
    Lambda,
    sources::mapping::{Mapping, State},
};

/// All mappings of the server with their pollers.
#[derive(Default)]
pub(crate) struct Sources {
    entries: Mutex<BTreeMap<String, Entry>>,
    /// Held while a change is decided and made durable: the next one starts from its outcome.
    pub(crate) turn: tokio::sync::Mutex<()>,
}

struct Entry {
    mapping: Arc<Mapping>,
    poller: Option<Poller>,
    /// Set while an earlier poller of it finishes.
    leaving: Option<State>,
}

/// A poller's task and how to end it.
struct Poller {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

/// A mapping with its state.
pub(crate) struct Seen {
    pub(crate) mapping: Arc<Mapping>,
    pub(crate) state: State,
}

impl Sources {
    fn entries(&self) -> MutexGuard<'_, BTreeMap<String, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a mapping that was read or written; polls if it is enabled.
    pub(crate) fn put(&self, lambda: &Arc<Lambda>, mapping: Mapping) -> Arc<Mapping> {
        let mapping = Arc::new(mapping);
        let poller = mapping.enabled.then(|| Poller::start(lambda, &mapping));
        let mut entries = self.entries();
        let entry = Entry { mapping: mapping.clone(), poller, leaving: None };
        let old = entries.insert(mapping.id.clone(), entry);
        if let Some(old) = old.and_then(|old| old.poller) {
            if let Some(entry) = entries.get_mut(&mapping.id) {
                entry.leaving =
                    Some(if mapping.enabled { State::Updating } else { State::Disabling });
            }
            self.finish(lambda, old, mapping.id.clone(), After::Keep);
        }
        mapping
    }

    /// Ends a mapping; its entry goes when its poller has finished.
    pub(crate) fn remove(&self, lambda: &Arc<Lambda>, id: &str) {
        let mut entries = self.entries();
        let Some(entry) = entries.get_mut(id) else { return };
        entry.leaving = Some(State::Deleting);
        match entry.poller.take() {
            Some(poller) => self.finish(lambda, poller, id.to_owned(), After::Drop),
            None => {
                entries.remove(id);
            }
        }
    }

    fn finish(&self, lambda: &Arc<Lambda>, poller: Poller, id: String, after: After) {
        let lambda = lambda.clone();
        tokio::spawn(async move {
            poller.end().await;
            let mut entries = lambda.sources.entries();
            match after {
                After::Drop => {
                    entries.remove(&id);
                }
                After::Keep => {
                    let entry = entries.get_mut(&id);
                    // It may have been deleted since; then its own end is still to come.
                    if let Some(entry) = entry.filter(|it| it.leaving != Some(State::Deleting)) {
                        entry.leaving = None;
                    }
                }
            }
        });
    }

    /// One mapping.
    pub(crate) fn get(&self, id: &str) -> Option<Seen> {
        self.entries().get(id).map(Entry::seen)
    }

    /// Mappings in the order of their ids, behind `after`.
    pub(crate) fn list(&self, after: Option<&str>) -> Vec<Seen> {
        let entries = self.entries();
        let behind = |id: &String| after.is_none_or(|after| id.as_str() > after);
        entries.iter().filter(|(id, _)| behind(id)).map(|(_, entry)| entry.seen()).collect()
    }

    /// Ends every poller and waits for the batches under way.
    pub(crate) async fn shutdown(&self) {
        let pollers: Vec<Poller> =
            self.entries().values_mut().filter_map(|entry| entry.poller.take()).collect();
        for poller in &pollers {
            poller.stop.send_replace(true);
        }
        for poller in pollers {
            poller.end().await;
        }
    }
}

enum After {
    Keep,
    Drop,
}

impl Entry {
    fn seen(&self) -> Seen {
        let settled = if self.mapping.enabled { State::Enabled } else { State::Disabled };
        Seen { mapping: self.mapping.clone(), state: self.leaving.unwrap_or(settled) }
    }
}

impl Poller {
    fn start(lambda: &Arc<Lambda>, mapping: &Arc<Mapping>) -> Poller {
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(sqs::poll(lambda.clone(), mapping.clone(), stopped));
        Poller { stop, task }
    }

    async fn end(self) {
        self.stop.send_replace(true);
        let _ = self.task.await;
    }
}
