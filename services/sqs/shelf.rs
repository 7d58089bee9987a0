//! The queues by place, and the places where one was deleted a short while ago.

use std::{
    collections::BTreeMap,
    ops::Bound,
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use kit::{Caller, Millis};

use crate::{
    error::Error,
    limits,
    name::Place,
    open::{OpenQueue, lock},
};

/// Every queue of every account and region.
#[derive(Default)]
pub(crate) struct Shelf {
    queues: RwLock<BTreeMap<Place, Arc<OpenQueue>>>,
    deleted: Mutex<BTreeMap<Place, Millis>>,
}

impl Shelf {
    /// The queue at a place.
    pub(crate) fn find(&self, place: &Place) -> Option<Arc<OpenQueue>> {
        self.read().get(place).cloned()
    }

    /// Puts a queue up.
    pub(crate) fn add(&self, queue: Arc<OpenQueue>) {
        lock(&self.deleted).remove(&queue.place);
        let mut queues = self.queues.write().unwrap_or_else(PoisonError::into_inner);
        queues.insert(queue.place.clone(), queue);
    }

    /// Takes a queue down.
    pub(crate) fn remove(&self, place: &Place, at: Millis) {
        self.note_deleted(place.clone(), at);
        self.queues.write().unwrap_or_else(PoisonError::into_inner).remove(place);
    }

    /// Notes that a queue was deleted.
    pub(crate) fn note_deleted(&self, place: Place, at: Millis) {
        lock(&self.deleted).insert(place, at);
    }

    /// Refuses a place whose queue was deleted less than a minute ago.
    pub(crate) fn check_free(&self, place: &Place, now: Millis) -> Result<(), Error> {
        let deleted = lock(&self.deleted).get(place).copied();
        match deleted {
            Some(at) if now < at.plus_seconds(limits::DELETED_SECONDS) => {
                Err(Error::QueueDeletedRecently)
            }
            _ => Ok(()),
        }
    }

    /// Takes the places off that may be used again.
    pub(crate) fn forget_deleted(&self, now: Millis) -> Vec<Place> {
        let mut deleted = lock(&self.deleted);
        let over = |at: &Millis| now >= at.plus_seconds(limits::DELETED_SECONDS);
        let free: Vec<Place> =
            deleted.iter().filter(|(_, at)| over(at)).map(|(place, _)| place.clone()).collect();
        deleted.retain(|_, at| !over(at));
        free
    }

    /// The caller's queues behind a name, in the order of their names.
    pub(crate) fn list(&self, caller: &Caller, after: &str) -> Vec<Arc<OpenQueue>> {
        let from = Place::of(caller, after);
        let mine = |place: &Place| place.account == from.account && place.region == from.region;
        self.read()
            .range((Bound::Excluded(&from), Bound::Unbounded))
            .take_while(|(place, _)| mine(place))
            .map(|(_, queue)| queue.clone())
            .collect()
    }

    /// Every queue.
    pub(crate) fn all(&self) -> Vec<Arc<OpenQueue>> {
        self.read().values().cloned().collect()
    }

    /// The queues whose dead letters go to this one, in the order of their names, behind a name.
    pub(crate) fn sources(&self, dead: &OpenQueue, after: &str) -> Vec<Arc<OpenQueue>> {
        let arn = dead.place.arn();
        let from = Place { name: after.into(), ..dead.place.clone() };
        let near = |place: &Place| place.account == from.account && place.region == from.region;
        self.read()
            .range((Bound::Excluded(&from), Bound::Unbounded))
            .take_while(|(place, _)| near(place))
            .filter(|(_, queue)| {
                let record = queue.record();
                let redrive = record.settings.redrive.as_ref();
                redrive.is_some_and(|redrive| redrive.dead_letter_target_arn == arn)
            })
            .map(|(_, queue)| queue.clone())
            .collect()
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, BTreeMap<Place, Arc<OpenQueue>>> {
        self.queues.read().unwrap_or_else(PoisonError::into_inner)
    }
}
