//! Deliveries between services, and the ports through which services meet. No service depends on
//! another: each sees the others as a [`Target`], a [`Queue`], [`Objects`] … found by ARN.
//!
//! Read in this order: `ports` (what services offer each other), `delivery` (one event on its way),
//! `outbox` (its row), `deliver` (the worker), `parked` (what waits long), `dead` (what no target took).
//!
//! Invariant: a delivery is a row in the transaction of its cause; it is gone only when its target
//! has made it durable, or a dead-letter record has.

mod dead;
mod deliver;
mod delivery;
mod guarded;
mod outbox;
mod parked;
mod ports;
#[cfg(test)]
mod tests;

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use kit::Clock;
use store::{Batch, Store};
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
};

pub use delivery::{Delivery, DeliveryError};
pub use outbox::Ticket;
pub use ports::{
    Directory, Identities, Lacking, Leased, LogEvent, Logs, NoFactor, NoSuchObject, ObjectBytes,
    Objects, Origin, Position, Provider, Queue, QueueError, QueueShape, Record, Records,
    ResourcePolicies, Role, RoleCredentials, Roles, Sending, Shard, Stream, StreamError, Target,
    Traces, Vouched,
};

/// Carries events to their targets.
pub struct Bus {
    outbox: outbox::Outbox,
    directory: Arc<Directory>,
    gauges: Arc<Gauges>,
    stop: watch::Sender<bool>,
    idle: Mutex<Idle>,
}

/// What the worker holds, for others to see.
#[derive(Default)]
pub(crate) struct Gauges {
    held: AtomicUsize,
    dead: AtomicUsize,
}

/// How many deliveries there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BusStatus {
    /// On their way or waiting for their next attempt, but for those that memory has no room for.
    pub waiting: usize,
    /// That no target took, in the last fourteen days.
    pub dead: usize,
}

/// The worker before it starts and while it runs.
enum Idle {
    Waiting(Box<(deliver::Worker, mpsc::UnboundedReceiver<outbox::Arrival>)>),
    Running(JoinHandle<()>),
    Stopped,
}

impl Bus {
    /// A bus that takes deliveries; they leave once it is [started](Bus::start).
    pub fn new(store: Store, clock: Clock, directory: Arc<Directory>) -> Arc<Bus> {
        let (sender, arrivals) = mpsc::unbounded_channel();
        let outbox = outbox::Outbox::new(clock.now(), sender);
        let gauges = Arc::<Gauges>::default();
        let worker = deliver::Worker::new(store, clock, directory.clone(), gauges.clone());
        Arc::new(Bus {
            outbox,
            directory,
            gauges,
            stop: watch::Sender::new(false),
            idle: Mutex::new(Idle::Waiting(Box::new((worker, arrivals)))),
        })
    }

    /// Who offers what.
    pub fn directory(&self) -> &Arc<Directory> {
        &self.directory
    }

    /// How many deliveries there are.
    pub fn status(&self) -> BusStatus {
        BusStatus {
            waiting: self.gauges.held.load(Ordering::Relaxed),
            dead: self.gauges.dead.load(Ordering::Relaxed),
        }
    }

    /// Adds deliveries to a transaction. Release the ticket when the batch is committed.
    pub fn enqueue(&self, batch: &mut Batch, deliveries: Vec<Delivery>) -> Ticket {
        self.outbox.enqueue(batch, deliveries)
    }

    /// Starts delivering, first what an earlier run left. Call it when every target is offered.
    pub fn start(&self) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if let Idle::Waiting(parts) = std::mem::replace(&mut *idle, Idle::Stopped) {
            let (worker, arrivals) = *parts;
            let task = tokio::spawn(worker.run(arrivals, self.stop.subscribe()));
            *idle = Idle::Running(task);
        }
    }

    /// Finishes the deliveries under way and stops; the rest waits in the store.
    pub async fn shutdown(&self) {
        self.stop.send_replace(true);
        let idle = std::mem::replace(
            &mut *self.idle.lock().unwrap_or_else(PoisonError::into_inner),
            Idle::Stopped,
        );
        if let Idle::Running(task) = idle {
            let _ = task.await;
        }
    }
}
