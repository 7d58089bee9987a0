//! A queue in use: its rules behind one lock, its record, and those who wait for messages.
//!
//! Always true: nothing awaits while the lock is held. Whoever changes the queue under
//! [`OpenQueue::with`] wakes as many waiters as there are messages for, in their order.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
};

use kit::{Millis, Tags};
use tokio::sync::Notify;

use crate::{
    attributes::Settings, error::Error, limits, move_task::Tasks, name::Place, queue::Queue,
};

/// A queue in use.
pub(crate) struct OpenQueue {
    /// Names the queue in rows and receipts; no other queue has or had it.
    pub(crate) number: u64,
    pub(crate) place: Place,
    record: RwLock<Arc<Record>>,
    queue: Mutex<Queue>,
    /// Wakes one waiter per message.
    arrivals: Notify,
    /// Wakes who waits for the outcome of a send with the same deduplication id.
    settled: Notify,
    waiters: AtomicUsize,
    /// The moment the bell is set to; `u64::MAX` if it is not.
    alarm: AtomicU64,
    is_listed: AtomicBool,
    is_deleted: AtomicBool,
    purged: Mutex<Option<Millis>>,
    /// The message move tasks whose source it is.
    pub(crate) tasks: Tasks,
    bell: OnceLock<Arc<Bell>>,
}

/// What is known of a queue besides its messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) created: Millis,
    pub(crate) modified: Millis,
    pub(crate) settings: Settings,
    pub(crate) tags: Tags,
    /// Of the row.
    pub(crate) version: u64,
}

impl OpenQueue {
    pub(crate) fn new(number: u64, place: Place, record: Record, queue: Queue) -> OpenQueue {
        OpenQueue {
            number,
            place,
            record: RwLock::new(Arc::new(record)),
            queue: Mutex::new(queue),
            arrivals: Notify::new(),
            settled: Notify::new(),
            waiters: AtomicUsize::new(0),
            alarm: AtomicU64::new(u64::MAX),
            is_listed: AtomicBool::new(false),
            is_deleted: AtomicBool::new(false),
            purged: Mutex::new(None),
            tasks: Tasks::default(),
            bell: OnceLock::new(),
        }
    }

    /// Tells the queue whom to tell of moments and of rows to write. The first one stays.
    pub(crate) fn hang(&self, bell: &Arc<Bell>) {
        let _ = self.bell.set(bell.clone());
    }

    /// The record as it is now.
    pub(crate) fn record(&self) -> Arc<Record> {
        self.record.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes a record that is on disk, unless a later one is already here.
    pub(crate) fn set_record(&self, record: Record) {
        let mut current = self.record.write().unwrap_or_else(PoisonError::into_inner);
        if record.version > current.version {
            *current = Arc::new(record);
        }
    }

    /// Reads or changes the queue as it is at `now`.
    pub(crate) fn with<T>(&self, now: Millis, act: impl FnOnce(&mut Queue) -> T) -> T {
        let retention_seconds = self.record().settings.retention_seconds;
        let mut queue = lock(&self.queue);
        queue.advance(now, retention_seconds);
        let done = act(&mut queue);
        let (available, due, dirty) = (queue.available(), queue.next_due(), queue.is_dirty());
        drop(queue);
        self.tell(available, due, dirty);
        done
    }

    fn tell(&self, available: usize, due: Option<Millis>, dirty: bool) {
        let Some(bell) = self.bell.get() else { return };
        if dirty && !self.is_listed.swap(true, Ordering::AcqRel) {
            bell.list(&self.place);
        }
        let waiters = self.waiters.load(Ordering::Acquire);
        for _ in 0..available.min(waiters) {
            self.arrivals.notify_one();
        }
        // Without waiters nobody minds the moment: the next caller advances the queue itself.
        if let Some(due) = due.filter(|_| waiters > 0)
            && due.0 < self.alarm.fetch_min(due.0, Ordering::AcqRel)
        {
            bell.set(due, &self.place);
        }
    }

    /// The bell has rung: messages may have become visible.
    pub(crate) fn ring(&self, now: Millis) {
        self.alarm.store(u64::MAX, Ordering::Release);
        self.with(now, |_| ());
    }

    /// The queue is off the bell's list: the caller now writes what is to be written.
    pub(crate) fn unlist(&self) {
        self.is_listed.store(false, Ordering::Release);
    }

    /// Counts the caller among the waiters until the answer is dropped.
    pub(crate) fn wait(&self) -> Waiting<'_> {
        self.waiters.fetch_add(1, Ordering::AcqRel);
        Waiting(self)
    }

    /// How many wait.
    #[cfg(test)]
    pub(crate) fn waiting(&self) -> usize {
        self.waiters.load(Ordering::Acquire)
    }

    /// A message may have come.
    pub(crate) fn arrivals(&self) -> &Notify {
        &self.arrivals
    }

    /// A send has been committed, or has failed.
    pub(crate) fn settled(&self) -> &Notify {
        &self.settled
    }

    /// The queue is gone: waiters are to find out.
    pub(crate) fn delete(&self) {
        self.is_deleted.store(true, Ordering::Release);
        self.arrivals.notify_waiters();
    }

    /// Refuses a queue that has been deleted since it was found.
    pub(crate) fn check_exists(&self) -> Result<(), Error> {
        match self.is_deleted.load(Ordering::Acquire) {
            true => Err(Error::QueueDoesNotExist),
            false => Ok(()),
        }
    }

    /// Notes a purge, unless the last one was less than a minute ago.
    pub(crate) fn begin_purge(&self, now: Millis) -> Result<(), Error> {
        let mut purged = lock(&self.purged);
        if purged.is_some_and(|at| now < at.plus_seconds(limits::PURGE_SECONDS)) {
            return Err(Error::PurgeQueueInProgress(self.place.name.to_string()));
        }
        *purged = Some(now);
        Ok(())
    }
}

/// A waiter.
pub(crate) struct Waiting<'a>(&'a OpenQueue);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiters.fetch_sub(1, Ordering::AcqRel);
    }
}

/// What queues ask of the workers: to be rung at a moment, and to have their rows written.
#[derive(Default)]
pub(crate) struct Bell {
    alarms: Mutex<BTreeSet<(Millis, Place)>>,
    /// An alarm was set before all others.
    pub(crate) earlier: Notify,
    listed: Mutex<Vec<Place>>,
    /// A queue has something to write.
    pub(crate) list_grew: Notify,
}

impl Bell {
    fn set(&self, at: Millis, place: &Place) {
        let mut alarms = lock(&self.alarms);
        alarms.insert((at, place.clone()));
        if alarms.first().is_some_and(|(first, _)| *first == at) {
            self.earlier.notify_one();
        }
    }

    /// The next alarm.
    pub(crate) fn next(&self) -> Option<Millis> {
        lock(&self.alarms).first().map(|(at, _)| *at)
    }

    /// The queue of an alarm that has come, which is taken off.
    pub(crate) fn due(&self, now: Millis) -> Option<Place> {
        let mut alarms = lock(&self.alarms);
        alarms.first().filter(|(at, _)| *at <= now)?;
        alarms.pop_first().map(|(_, place)| place)
    }

    fn list(&self, place: &Place) {
        lock(&self.listed).push(place.clone());
        self.list_grew.notify_one();
    }

    /// The queues that have something to write, which are taken off.
    pub(crate) fn take_list(&self) -> Vec<Place> {
        std::mem::take(&mut *lock(&self.listed))
    }
}

/// A lock that holds after a panic elsewhere: rules leave the queue whole between two calls.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
