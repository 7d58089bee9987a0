//! Event source mappings: sources that Lambda polls on a function's behalf.
//!
//! Read in this order: `mapping` (the record), `filter` (which records pass), `answer` (which items of
//! a batch failed), `call` (one call of the function), `batch`, `scale`, `loops` (what is stopped) and
//! `sqs` (the poller of a queue), `stream` (the poller of a stream). This file owns the running
//! pollers.

mod answer;
mod batch;
mod call;
pub(crate) mod filter;
mod loops;
pub(crate) mod mapping;
mod scale;
mod sqs;
mod store;
mod stream;
#[cfg(test)]
pub(crate) mod tests;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{
    sync::{oneshot, watch},
    task::{JoinHandle, JoinSet},
};

use crate::{
    Lambda,
    sources::mapping::{Mapping, State},
};

/// Dropped by a poller when from then on nothing of its source is missed.
type Ready = oneshot::Sender<()>;

/// All mappings of the server with their pollers.
#[derive(Default)]
pub(crate) struct Sources {
    entries: Mutex<BTreeMap<String, Entry>>,
    /// Held while a change is decided and made durable: the next one starts from its outcome.
    pub(crate) turn: tokio::sync::Mutex<()>,
    /// Changes that wait for pollers to begin or to end.
    changes: Mutex<JoinSet<()>>,
}

struct Entry {
    mapping: Arc<Mapping>,
    poller: Option<Poller>,
    status: Arc<Status>,
    /// Set while a change takes effect.
    passing: Option<State>,
    /// Counts changes: only the last one settles the state.
    change: u64,
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
    /// `LastProcessingResult`.
    pub(crate) result: &'static str,
}

/// How the last call with a batch ended.
pub(crate) struct Status(Mutex<&'static str>);

impl Default for Status {
    fn default() -> Status {
        Status(Mutex::new("No records processed"))
    }
}

impl Status {
    fn get(&self) -> &'static str {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, succeeded: bool) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) =
            if succeeded { "OK" } else { "PROBLEM: Function call failed" };
    }
}

impl Sources {
    fn entries(&self) -> MutexGuard<'_, BTreeMap<String, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a mapping that was read or written; polls if it is enabled. Until that has taken effect
    /// it is seen in the state that is named.
    pub(crate) fn put(
        &self,
        lambda: &Arc<Lambda>,
        mapping: Mapping,
        passing: Option<State>,
    ) -> Arc<Mapping> {
        let mapping = Arc::new(mapping);
        let mut entries = self.entries();
        let old = entries.remove(&mapping.id);
        let change = old.as_ref().map_or(0, |old| old.change + 1);
        let status = old.as_ref().map(|old| old.status.clone()).unwrap_or_default();
        let old = old.and_then(|old| old.poller).map(Poller::leave);
        let (poller, begun) = match mapping.enabled {
            true => {
                // A shard has one reader: the new one waits for the old one's calls.
                let (before, after) = match mapping.stream {
                    Some(_) => (old, None),
                    None => (None, old),
                };
                let (poller, ready) = Poller::start(lambda, &mapping, &status, before);
                (Some(poller), Begun { ready: Some(ready), ended: after })
            }
            false => (None, Begun { ready: None, ended: old }),
        };
        let entry = Entry { mapping: mapping.clone(), poller, status, passing, change };
        entries.insert(mapping.id.clone(), entry);
        drop(entries);
        let id = mapping.id.clone();
        self.when(lambda, begun, move |entries| {
            if let Some(entry) = entries.get_mut(&id).filter(|entry| entry.change == change) {
                entry.passing = None;
            }
        });
        mapping
    }

    /// Ends a mapping; its entry goes when its poller has finished.
    pub(crate) fn remove(&self, lambda: &Arc<Lambda>, id: &str) {
        let mut entries = self.entries();
        let Some(entry) = entries.get_mut(id) else { return };
        entry.passing = Some(State::Deleting);
        entry.change += 1;
        let ended = entry.poller.take().map(Poller::leave);
        drop(entries);
        let id = id.to_owned();
        self.when(lambda, Begun { ready: None, ended }, move |entries| {
            entries.remove(&id);
        });
    }

    /// Changes what pollers do not look at.
    pub(crate) fn relabel(&self, mapping: Mapping) {
        if let Some(entry) = self.entries().get_mut(&mapping.id) {
            entry.mapping = Arc::new(mapping);
        }
    }

    /// Does something when pollers have begun and ended; at once if there is nothing to wait for.
    fn when(
        &self,
        lambda: &Arc<Lambda>,
        begun: Begun,
        then: impl FnOnce(&mut BTreeMap<String, Entry>) + Send + 'static,
    ) {
        if begun.ready.is_none() && begun.ended.is_none() {
            return then(&mut self.entries());
        }
        let lambda = lambda.clone();
        let mut changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        while changes.try_join_next().is_some() {}
        changes.spawn(async move {
            begun.wait().await;
            then(&mut lambda.sources.entries());
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
        let leave = |entry: &mut Entry| entry.poller.take().map(Poller::leave);
        let tasks: Vec<_> = self.entries().values_mut().filter_map(leave).collect();
        for task in tasks {
            let _ = task.await;
        }
        let mut changes =
            std::mem::take(&mut *self.changes.lock().unwrap_or_else(PoisonError::into_inner));
        while changes.join_next().await.is_some() {}
    }
}

/// What a change waits for.
struct Begun {
    ready: Option<oneshot::Receiver<()>>,
    ended: Option<JoinHandle<()>>,
}

impl Begun {
    async fn wait(self) {
        if let Some(ended) = self.ended {
            let _ = ended.await;
        }
        if let Some(ready) = self.ready {
            let _ = ready.await;
        }
    }
}

impl Entry {
    fn seen(&self) -> Seen {
        let settled = if self.mapping.enabled { State::Enabled } else { State::Disabled };
        let state = self.passing.unwrap_or(settled);
        Seen { mapping: self.mapping.clone(), state, result: self.status.get() }
    }
}

impl Poller {
    /// Starts when `before` has ended.
    fn start(
        lambda: &Arc<Lambda>,
        mapping: &Arc<Mapping>,
        status: &Arc<Status>,
        before: Option<JoinHandle<()>>,
    ) -> (Poller, oneshot::Receiver<()>) {
        let (stop, stopped) = watch::channel(false);
        let (ready, begun) = oneshot::channel();
        let (lambda, mapping, status) = (lambda.clone(), mapping.clone(), status.clone());
        let task = tokio::spawn(async move {
            if let Some(before) = before {
                let _ = before.await;
            }
            match mapping.stream {
                Some(_) => stream::poll(lambda, mapping, status, ready, stopped).await,
                None => sqs::poll(lambda, mapping, ready, stopped).await,
            }
        });
        (Poller { stop, task }, begun)
    }

    /// Tells it to stop; the task ends when its calls have.
    fn leave(self) -> JoinHandle<()> {
        self.stop.send_replace(true);
        self.task
    }
}
