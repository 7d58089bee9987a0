//! The worker that carries deliveries to their targets: at least once, in order per key, with
//! backoff, until the target has them or a dead-letter record does.

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    panic::AssertUnwindSafe,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use futures::FutureExt;
use kit::{Arn, Clock, Millis};
use store::{Batch, Store};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};

use crate::{
    DeliveryError, Directory, Gauges,
    dead::{self, Dead},
    outbox::{self, Arrival, Item},
    parked::{Parked, Stub},
};

/// Deliveries under way at once to one target: at first, and at most. A target that takes its time
/// is given more, one that is quick gains nothing from it: every further instance of a function
/// costs a start.
const FIRST_ACTIVE: usize = 8;
const MAX_ACTIVE: usize = 256;
/// How often the places of busy targets are looked at. Deliveries that take longer are slow.
const GROW_EVERY: Duration = Duration::from_millis(50);
/// Deliveries held in memory; those beyond stay in the store until there is room. Tests overflow it.
pub(crate) const MAX_HELD: usize = if cfg!(test) { 1000 } else { 20_000 };
/// Rows read from the store at a time.
const REFILL_ROWS: usize = 256;
/// Their payloads together.
const MAX_HELD_BYTES: usize = 128 << 20;
/// A delivery that no target took for this long becomes a dead-letter record.
const MAX_AGE: Duration = Duration::from_secs(24 * 60 * 60);
/// Waits between attempts double from the first to the last, as those of Lambda's own queue ("How
/// Lambda handles errors and retries with asynchronous invocation").
const FIRST_BACKOFF: Duration = Duration::from_secs(1);
const LAST_BACKOFF: Duration = Duration::from_secs(5 * 60);
/// The wait after the outbox could not be read.
const AFTER_READ_ERROR: Duration = Duration::from_secs(60);
/// How often dead letters are looked at.
const SWEEP_EVERY: Duration = Duration::from_secs(60 * 60);
/// When to look whether a commit in doubt has happened.
const DOUBT: Duration = Duration::from_secs(2);

/// The worker's state; owned by its one task.
pub(crate) struct Worker {
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) directory: Arc<Directory>,
    gauges: Arc<Gauges>,
    /// Ready to go or under way, by target.
    targets: HashMap<Arn, Target>,
    /// Waiting for an earlier delivery of the same order key; a key is here while one is active.
    lanes: HashMap<String, VecDeque<Item>>,
    /// Waiting a short time for their next attempt, or others wait for them.
    retries: BTreeMap<(Millis, u64), Item>,
    /// Waiting longer.
    parked: Parked,
    /// Under way: deliveries and the removal of finished rows.
    active: JoinSet<Step>,
    /// Rows to change with the next commit.
    finished: Batch,
    committing: bool,
    /// Numbers of what is in any of the above.
    held: HashSet<u64>,
    held_bytes: usize,
    /// Rows behind this number are in the store only.
    overflow_after: Option<u64>,
}

/// What waits for one target, in order of arrival, and how much is under way.
struct Target {
    ready: VecDeque<Item>,
    active: usize,
    /// Places for deliveries under way.
    places: usize,
    /// Ended since the places were last looked at.
    ended: usize,
}

impl Default for Target {
    fn default() -> Target {
        Target { ready: VecDeque::new(), active: 0, places: FIRST_ACTIVE, ended: 0 }
    }
}

impl Target {
    /// Gives more places if all are taken by deliveries that take long.
    fn grow(&mut self) {
        let slow = self.ended < self.active;
        if slow && !self.ready.is_empty() {
            self.places = (self.places * 2).min(MAX_ACTIVE);
        }
        self.ended = 0;
    }
}

enum Step {
    Delivered(Box<Item>, Result<(), DeliveryError>),
    Committed(Result<(), store::CommitError>),
    /// Of items whose commit was in doubt, those that have rows.
    Found(Vec<Item>),
}

impl Worker {
    pub(crate) fn new(
        store: Store,
        clock: Clock,
        directory: Arc<Directory>,
        gauges: Arc<Gauges>,
    ) -> Worker {
        Worker {
            store,
            clock,
            directory,
            gauges,
            targets: HashMap::new(),
            lanes: HashMap::new(),
            retries: BTreeMap::new(),
            parked: Parked::default(),
            active: JoinSet::new(),
            finished: Batch::new(),
            committing: false,
            held: HashSet::new(),
            held_bytes: 0,
            overflow_after: None,
        }
    }

    /// Runs until told to stop; then finishes what is under way. Rows of the rest stay.
    pub(crate) async fn run(
        mut self,
        mut arrivals: mpsc::UnboundedReceiver<Arrival>,
        mut stop: watch::Receiver<bool>,
    ) {
        // What an earlier run left is taken up as if memory had overflowed before the first row.
        self.overflow_after = Some(0);
        let mut grow_at = None;
        let mut sweep_at = self.clock.now();
        while !*stop.borrow() {
            self.refill().await;
            self.unpark().await;
            if sweep_at <= self.clock.now() {
                self.sweep().await;
                sweep_at = self.clock.now().plus(SWEEP_EVERY.as_millis() as u64);
            }
            self.start_commit();
            self.gauges.held.store(self.held.len(), Ordering::Relaxed);
            let retry_at = self.retries.keys().next().map(|(at, _)| *at);
            let retry_at = retry_at.into_iter().chain(self.parked.next()).min();
            let more_to_read = self.has_room() && self.parked.is_due();
            let busy = self.targets.values().any(|target| !target.ready.is_empty());
            if busy && grow_at.is_none() {
                grow_at = Some(self.clock.now().plus(GROW_EVERY.as_millis() as u64));
            }
            tokio::select! {
                Some(arrival) = arrivals.recv() => self.arrive(arrival),
                Some(done) = self.active.join_next() => self.finish(done),
                () = wait_until(&self.clock, retry_at) => self.wake_retries(),
                () = std::future::ready(()), if more_to_read => {}
                () = self.clock.sleep_until(sweep_at) => {}
                () = wait_until(&self.clock, grow_at), if busy => {
                    grow_at = None;
                    self.grow();
                }
                _ = stop.changed() => {}
            }
        }
        self.start_commit();
        while let Some(done) = self.active.join_next().await {
            self.finish(done);
            self.start_commit();
        }
    }

    /// Counts the dead letters and removes old ones.
    async fn sweep(&mut self) {
        match dead::sweep(&self.store, self.clock.now()).await {
            Ok(sweep) => {
                self.gauges.dead.store(sweep.kept, Ordering::Relaxed);
                self.finished.append(sweep.removal);
            }
            Err(error) => tracing::error!(%error, "reading the dead letters failed"),
        }
    }

    fn arrive(&mut self, arrival: Arrival) {
        match arrival {
            Arrival::Committed(items) => items.into_iter().for_each(|item| self.admit(item)),
            Arrival::Doubtful(items) => {
                let (store, clock) = (self.store.clone(), self.clock.clone());
                self.active.spawn(async move {
                    // A commit under way has ended by then.
                    clock.sleep(DOUBT).await;
                    Step::Found(outbox::committed(&store, items).await)
                });
            }
        }
    }

    /// Takes a new delivery into memory, or leaves it to its row when memory is full.
    fn admit(&mut self, item: Item) {
        // A refill may have been quicker than the hand-over.
        let known = self.held.contains(&item.number);
        let left_to_refill = self.overflow_after.is_some_and(|after| item.number > after);
        if known || left_to_refill {
            return;
        }
        if self.in_memory() >= MAX_HELD || self.held_bytes >= MAX_HELD_BYTES {
            self.overflow_after = Some(item.number - 1);
            return;
        }
        self.queue(item);
    }

    /// Deliveries that are in memory with all that they carry.
    fn in_memory(&self) -> usize {
        self.held.len() - self.parked.len()
    }

    /// Whether more may be read from the store.
    fn has_room(&self) -> bool {
        self.in_memory() <= MAX_HELD / 2 && self.held_bytes <= MAX_HELD_BYTES / 2
    }

    fn queue(&mut self, item: Item) {
        self.held.insert(item.number);
        self.held_bytes += item.delivery.payload.len();
        let order = &item.delivery.order;
        if order.is_empty() {
            self.ready(item);
        } else if let Some(lane) = self.lanes.get_mut(order) {
            lane.push_back(item);
        } else {
            self.lanes.insert(order.clone(), VecDeque::new());
            self.ready(item);
        }
    }

    /// Lets a delivery go, now or when its moment or its target's turn comes.
    fn ready(&mut self, item: Item) {
        match item.delivery.due {
            due if due > self.clock.now() => self.wait(item, due),
            _ => self.go(item),
        }
    }

    fn go(&mut self, item: Item) {
        let arn = item.delivery.target.clone();
        self.targets.entry(arn.clone()).or_default().ready.push_back(item);
        self.start(&arn);
    }

    /// Lets a delivery wait for a moment. What waits long must not keep others out of memory.
    fn wait(&mut self, item: Item, until: Millis) {
        let Item { number, delivery } = &item;
        if delivery.order.is_empty() && self.parked.takes(self.clock.now(), until) {
            self.held_bytes -= delivery.payload.len();
            self.parked.park(Stub { number: *number, failures: delivery.failures }, until);
        } else {
            self.retries.insert((until, *number), item);
        }
    }

    /// Reads the rows of what was parked and is due, if there is room.
    async fn unpark(&mut self) {
        if !self.has_room() {
            return;
        }
        for stub in self.parked.take_due(REFILL_ROWS) {
            match outbox::read(&self.store, stub.number).await {
                Ok(Some(mut item)) => {
                    item.delivery.failures = stub.failures;
                    self.held_bytes += item.delivery.payload.len();
                    self.go(item);
                }
                // Its row is gone, and so is it.
                Ok(None) => {
                    self.held.remove(&stub.number);
                }
                Err(error) => {
                    tracing::error!(%error, "reading a delivery failed");
                    let until = self.clock.now().plus(AFTER_READ_ERROR.as_millis() as u64);
                    self.parked.park(stub, until);
                }
            }
        }
    }

    /// Reads rows that memory had no room for.
    async fn refill(&mut self) {
        let Some(after) = self.overflow_after else { return };
        if !self.has_room() {
            return;
        }
        // In steps: a thousand payloads of the greatest size fit the machine, twenty thousand do not.
        let room = (MAX_HELD - self.in_memory()).min(REFILL_ROWS);
        match outbox::load(&self.store, Some(after), room).await {
            Ok(items) => {
                self.overflow_after =
                    if items.len() < room { None } else { items.last().map(|item| item.number) };
                for item in items {
                    // Numbers may arrive out of order: what overflowed may stand before what is here.
                    if !self.held.contains(&item.number) {
                        self.queue(item);
                    }
                }
            }
            Err(error) => {
                tracing::error!(%error, "reading the outbox failed");
                self.clock.sleep(AFTER_READ_ERROR).await;
            }
        }
    }

    /// Starts what waits for a target, up to its limit.
    fn start(&mut self, arn: &Arn) {
        let Some(waiting) = self.targets.get_mut(arn) else { return };
        while waiting.active < waiting.places {
            let Some(item) = waiting.ready.pop_front() else { break };
            waiting.active += 1;
            let target = self.directory.target(arn);
            self.active.spawn(async move {
                let Some(target) = target else {
                    let refused = DeliveryError::Refused("no such kind of target".to_owned());
                    return Step::Delivered(Box::new(item), Err(refused));
                };
                let delivered = AssertUnwindSafe(target.deliver(&item.delivery)).catch_unwind();
                let outcome = delivered.await.unwrap_or_else(|_| {
                    Err(DeliveryError::Retry("the target panicked".to_owned()))
                });
                Step::Delivered(Box::new(item), outcome)
            });
        }
        if waiting.active == 0 && waiting.ready.is_empty() {
            self.targets.remove(arn);
        }
    }

    /// Gives slow targets more places.
    fn grow(&mut self) {
        let arns: Vec<Arn> = self.targets.keys().cloned().collect();
        for arn in arns {
            if let Some(target) = self.targets.get_mut(&arn) {
                target.grow();
            }
            self.start(&arn);
        }
    }

    /// Commits the rows of finished deliveries; one commit at a time, so that they gather.
    fn start_commit(&mut self) {
        if self.committing || self.finished.is_empty() {
            return;
        }
        self.committing = true;
        let batch = std::mem::take(&mut self.finished);
        let store = self.store.clone();
        self.active.spawn(async move { Step::Committed(store.commit(batch).await.map(drop)) });
    }

    fn finish(&mut self, done: Result<Step, tokio::task::JoinError>) {
        match done {
            Ok(Step::Delivered(item, outcome)) => {
                let arn = item.delivery.target.clone();
                if let Some(target) = self.targets.get_mut(&arn) {
                    target.active -= 1;
                    target.ended += 1;
                }
                self.settle(*item, outcome);
                self.start(&arn);
            }
            Ok(Step::Committed(outcome)) => {
                self.committing = false;
                if let Err(error) = outcome {
                    // The rows stay: the deliveries repeat after the next start.
                    tracing::error!(%error, "removing delivered rows failed");
                }
            }
            Ok(Step::Found(items)) => items.into_iter().for_each(|item| self.admit(item)),
            Err(panic) => tracing::error!(%panic, "a step of the bus panicked"),
        }
    }

    fn settle(&mut self, mut item: Item, outcome: Result<(), DeliveryError>) {
        let now = self.clock.now();
        let delivery = &mut item.delivery;
        let reason = match outcome {
            Ok(()) => None,
            Err(DeliveryError::Refused(reason)) => Some(reason),
            Err(DeliveryError::RetryAt { at, .. }) => {
                delivery.attempts += 1;
                delivery.failures = 0;
                delivery.due = at;
                self.finished.put(outbox::row(item.number), &*delivery);
                return self.wait(item, at);
            }
            Err(DeliveryError::RetryBefore { end, reason }) => {
                let at = next_try(delivery.failures, now).min(end.max(now.plus(1)));
                return self.try_again(item, at, &reason);
            }
            Err(DeliveryError::Retry(reason)) => {
                if now.since(delivery.created) < MAX_AGE.as_millis() as u64 {
                    let at = next_try(delivery.failures, now);
                    return self.try_again(item, at, &reason);
                }
                Some(reason)
            }
        };
        self.finished.delete(outbox::row(item.number));
        self.held.remove(&item.number);
        self.held_bytes -= item.delivery.payload.len();
        self.free_lane(&item.delivery.order);
        if let Some(reason) = reason {
            let (id, target) = (&item.delivery.id, &item.delivery.target);
            tracing::warn!(id, %target, reason, "delivery became a dead letter");
            if let Some(origin) = self.directory.origin(&item.delivery.source) {
                origin.refused(&item.delivery, &reason);
            }
            let dead = Dead { delivery: item.delivery, reason, at: now };
            self.finished.put(dead::row(item.number), &dead);
            self.gauges.dead.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Lets a delivery wait that its target could not try.
    fn try_again(&mut self, mut item: Item, at: Millis, reason: &str) {
        tracing::debug!(target = %item.delivery.target, reason, "delivery is tried again");
        item.delivery.failures += 1;
        self.wait(item, at);
    }

    /// Lets the next delivery of an order key go.
    fn free_lane(&mut self, order: &str) {
        let Some(lane) = self.lanes.get_mut(order) else { return };
        match lane.pop_front() {
            Some(next) => self.ready(next),
            None => {
                self.lanes.remove(order);
            }
        }
    }

    fn wake_retries(&mut self) {
        let now = self.clock.now();
        self.parked.wake(now);
        while let Some(entry) = self.retries.first_entry() {
            if entry.key().0 > now {
                return;
            }
            let item = entry.remove();
            self.go(item);
        }
    }
}

fn next_try(failures: u32, now: Millis) -> Millis {
    let wait = FIRST_BACKOFF.saturating_mul(1 << failures.min(10)).min(LAST_BACKOFF);
    now.plus(wait.as_millis() as u64)
}

async fn wait_until(clock: &Clock, moment: Option<Millis>) {
    match moment {
        Some(moment) => clock.sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Delivery, outbox::Outbox};
    use kit::Caller;
    use store::DataFolder;

    #[tokio::test]
    async fn what_is_in_memory_is_not_taken_up_again_when_memory_has_overflowed_before_it() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&DataFolder::open(folder.path()).unwrap()).unwrap();
        let clock = Clock::default();
        let (sender, mut arrivals) = mpsc::unbounded_channel();
        let outbox = Outbox::new(clock.now(), sender);
        let caller = Caller::internal(kit::AccountId::DEFAULT, kit::Region::default(), clock.now());
        let arn = caller.arn("sqs", "q");
        let delivery = || Delivery::new(arn.clone(), "s3", arn.clone(), &caller, "x".to_owned());
        let mut batch = Batch::new();
        let ticket = outbox.enqueue(&mut batch, vec![delivery(), delivery()]);
        store.commit(batch).await.unwrap();
        ticket.release();
        let Some(Arrival::Committed(mut items)) = arrivals.recv().await else { panic!("released") };

        let mut worker = Worker::new(store, clock, Arc::default(), Arc::default());
        let (first, second) = (items.remove(0), items.remove(0));
        worker.admit(second);
        worker.overflow_after = Some(first.number - 1);
        worker.refill().await;
        assert_eq!((worker.held.len(), worker.held_bytes, worker.active.len()), (2, 2, 2));
    }
}
