//! The bus over a real store: what reaches its target, when, how often, and what a restart finds.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use kit::{Arn, Caller, Clock};
use store::{Batch, DataFolder, Key, Store};
use tokio::sync::Notify;

use crate::{Bus, Delivery, DeliveryError, Directory, Origin, Target, deliver::MAX_HELD};

type Answer = Result<(), DeliveryError>;

/// A target that answers as it is told and remembers what it took.
#[derive(Default)]
struct Double {
    /// Payload → answers still to give; `Ok` when there are none.
    answers: Mutex<HashMap<String, Vec<Answer>>>,
    taken: Mutex<Vec<String>>,
    tried: Mutex<Vec<String>>,
    changed: Notify,
    /// Deliveries of this payload wait for it.
    gate: Notify,
}

#[async_trait]
impl Target for Double {
    async fn deliver(&self, delivery: &Delivery) -> Answer {
        self.tried.lock().unwrap().push(delivery.payload.clone());
        self.changed.notify_waiters();
        if delivery.payload.starts_with("slow") {
            self.gate.notified().await;
        }
        assert_ne!(delivery.payload, "panic once", "as told");
        let answer = {
            let mut answers = self.answers.lock().unwrap();
            answers.get_mut(&delivery.payload).and_then(Vec::pop)
        };
        let answer = answer.unwrap_or(Ok(()));
        if answer.is_ok() {
            let text = format!("{}#{}", delivery.payload, delivery.attempts);
            self.taken.lock().unwrap().push(text);
            self.changed.notify_waiters();
        }
        answer
    }

    async fn validate(&self, _: &Delivery) -> Answer {
        Ok(())
    }
}

impl Double {
    fn will(&self, payload: &str, mut answers: Vec<Answer>) {
        answers.reverse();
        self.answers.lock().unwrap().insert(payload.to_owned(), answers);
    }

    fn taken(&self) -> Vec<String> {
        self.taken.lock().unwrap().clone()
    }

    /// Waits until `done` holds, at most ten seconds.
    async fn until(&self, done: impl Fn(&Double) -> bool) {
        let wait = async {
            loop {
                let changed = self.changed.notified();
                if done(self) {
                    return;
                }
                changed.await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), wait).await.expect("it happens in time");
    }
}

struct World {
    folder: tempfile::TempDir,
    store: Store,
    clock: Clock,
    bus: Arc<Bus>,
    target: Arc<Double>,
}

impl World {
    async fn new() -> World {
        World::in_folder(tempfile::tempdir().unwrap(), Arc::default()).await
    }

    async fn in_folder(folder: tempfile::TempDir, target: Arc<Double>) -> World {
        let store = Store::open(&DataFolder::open(folder.path()).unwrap()).unwrap();
        let clock = Clock::default();
        let directory = Arc::new(Directory::default());
        directory.offer_target("sqs", target.clone());
        let bus = Bus::new(store.clone(), clock.clone(), directory);
        World { folder, store, clock, bus, target }
    }

    /// Ends everything as a shutdown does and opens the folder again.
    async fn again(self) -> World {
        let World { folder, store, bus, target, .. } = self;
        bus.shutdown().await;
        drop((store, bus));
        World::in_folder(folder, target).await
    }

    async fn send(&self, payload: &str, order: &str) {
        let caller =
            Caller::internal(kit::AccountId::DEFAULT, kit::Region::default(), self.clock.now());
        let arn: Arn = caller.arn("sqs", format!("queue-of-{payload}"));
        let target = if order.is_empty() { arn.clone() } else { caller.arn("sqs", "ordered") };
        let mut delivery =
            Delivery::new(target, "s3.amazonaws.com", arn, &caller, payload.to_owned());
        delivery.order = order.to_owned();
        let mut batch = Batch::new();
        let ticket = self.bus.enqueue(&mut batch, vec![delivery]);
        self.store.commit(batch).await.unwrap();
        ticket.release();
    }

    async fn rows(&self, table: &str) -> usize {
        self.store.rows(&Key::table(table), None, 1000).await.unwrap().len()
    }

    /// Waits until the table has so many rows.
    async fn until_rows(&self, table: &str, count: usize) {
        for _ in 0..10_000 {
            if self.rows(table).await == count {
                return;
            }
            tokio::task::yield_now().await;
            self.store.commit(Batch::new()).await.unwrap();
        }
        panic!("{table} never had {count} rows");
    }
}

#[tokio::test]
async fn a_delivery_reaches_its_target_and_its_row_goes() {
    let world = World::new().await;
    world.bus.start();
    world.send("a", "").await;
    world.target.until(|it| it.taken() == ["a#0"]).await;
    world.until_rows("bus/outbox", 0).await;
}

#[tokio::test]
async fn a_batch_that_is_never_committed_delivers_nothing() {
    let world = World::new().await;
    world.bus.start();
    let caller =
        Caller::internal(kit::AccountId::DEFAULT, kit::Region::default(), world.clock.now());
    let arn = caller.arn("sqs", "q");
    let delivery = Delivery::new(arn.clone(), "s3.amazonaws.com", arn, &caller, "lost".to_owned());
    drop(world.bus.enqueue(&mut Batch::new(), vec![delivery]));
    world.send("b", "").await;
    world.target.until(|it| it.taken() == ["b#0"]).await;
}

#[tokio::test]
async fn a_commit_whose_caller_is_gone_is_found_and_delivered() {
    let world = World::new().await;
    world.bus.start();
    let caller =
        Caller::internal(kit::AccountId::DEFAULT, kit::Region::default(), world.clock.now());
    let arn = caller.arn("sqs", "q");
    let delivery = Delivery::new(arn.clone(), "s3.amazonaws.com", arn, &caller, "a".to_owned());
    let mut batch = Batch::new();
    let ticket = world.bus.enqueue(&mut batch, vec![delivery]);
    world.store.commit(batch).await.unwrap();
    drop(ticket);
    world.send("b", "").await;
    world.target.until(|it| it.taken() == ["b#0"]).await;
    world.clock.advance(Duration::from_secs(3));
    world.target.until(|it| it.taken() == ["b#0", "a#0"]).await;
}

#[tokio::test]
async fn what_a_stopped_server_left_is_delivered_by_the_next_one() {
    let world = World::new().await;
    // Never started: the rows are all there is.
    world.send("a", "").await;
    world.send("b", "").await;
    let world = world.again().await;
    assert_eq!(world.rows("bus/outbox").await, 2);
    world.bus.start();
    world.target.until(|it| it.taken().len() == 2).await;
}

#[tokio::test]
async fn a_failure_is_tried_again_when_its_backoff_has_passed() {
    let world = World::new().await;
    world.target.will("a", vec![Err(DeliveryError::Retry("busy".to_owned()))]);
    world.bus.start();
    world.send("a", "").await;
    world.target.until(|it| it.tried.lock().unwrap().len() == 1).await;
    world.clock.advance(Duration::from_secs(1));
    world.target.until(|it| it.taken() == ["a#0"]).await;
}

#[tokio::test]
async fn any_number_that_waits_for_long_keeps_nobody_else_out() {
    const WAITING: usize = MAX_HELD + 100;
    let world = World::new().await;
    let (busy, minute) = ("busy".to_owned(), world.clock.now().plus_seconds(60));
    let later = || Err(DeliveryError::RetryAt { at: minute, reason: busy.clone() });
    world.target.will("a", (0..WAITING).map(|_| later()).collect());
    world.bus.start();
    let caller = Caller::internal(kit::AccountId::DEFAULT, kit::Region::default(), minute);
    let arn = caller.arn("sqs", "q");
    let delivery = || {
        let caller = Caller { now: world.clock.now(), ..caller.clone() };
        Delivery::new(arn.clone(), "s3.amazonaws.com", arn.clone(), &caller, "a".to_owned())
    };
    let mut batch = Batch::new();
    let ticket = world.bus.enqueue(&mut batch, (0..WAITING).map(|_| delivery()).collect());
    world.store.commit(batch).await.unwrap();
    ticket.release();
    world.target.until(|it| it.tried.lock().unwrap().len() == WAITING).await;
    world.send("b", "").await;
    world.target.until(|it| it.taken.lock().unwrap().len() == 1).await;
    world.clock.advance(Duration::from_secs(60));
    world.target.until(|it| it.taken.lock().unwrap().len() == WAITING + 1).await;
    world.until_rows("bus/outbox", 0).await;
}

#[tokio::test]
async fn a_counted_attempt_and_its_moment_survive_a_restart() {
    let world = World::new().await;
    let at = world.clock.now().plus_seconds(60);
    world.target.will("a", vec![Err(DeliveryError::RetryAt { at, reason: "failed".to_owned() })]);
    world.bus.start();
    world.send("a", "").await;
    world.target.until(|it| it.tried.lock().unwrap().len() == 1).await;
    let world = world.again().await;
    world.bus.start();
    world.send("b", "").await;
    world.target.until(|it| it.taken() == ["b#0"]).await;
    world.clock.advance(Duration::from_secs(61));
    world.target.until(|it| it.taken() == ["b#0", "a#1"]).await;
}

#[tokio::test]
async fn what_is_refused_becomes_a_dead_letter_and_so_does_what_is_too_old() {
    let world = World::new().await;
    world.target.will("no", vec![Err(DeliveryError::Refused("gone".to_owned()))]);
    let busy = || Err(DeliveryError::Retry("busy".to_owned()));
    world.target.will("late", vec![busy(), busy()]);
    world.bus.start();
    world.send("no", "").await;
    world.until_rows("bus/dead", 1).await;
    world.send("late", "").await;
    world.target.until(|it| it.tried.lock().unwrap().len() == 2).await;
    world.clock.advance(Duration::from_secs(25 * 60 * 60));
    world.until_rows("bus/dead", 2).await;
    world.until_rows("bus/outbox", 0).await;
}

#[tokio::test]
async fn deliveries_of_one_order_key_arrive_in_order_even_when_the_first_fails() {
    let world = World::new().await;
    world.target.will("1", vec![Err(DeliveryError::Retry("busy".to_owned()))]);
    world.bus.start();
    for payload in ["1", "2", "3"] {
        world.send(payload, "key").await;
    }
    world.send("x", "other").await;
    world.target.until(|it| it.taken() == ["x#0"]).await;
    world.clock.advance(Duration::from_secs(1));
    world.target.until(|it| it.taken() == ["x#0", "1#0", "2#0", "3#0"]).await;
}

#[tokio::test]
async fn a_slow_target_holds_up_no_other_and_a_panic_ends_nothing() {
    let world = World::new().await;
    world.bus.start();
    world.send("slow", "").await;
    world.send("panic once", "").await;
    world.send("quick", "").await;
    world.target.until(|it| it.taken() == ["quick#0"]).await;
    world.target.gate.notify_one();
    world.target.until(|it| it.taken().len() == 2).await;
}

#[tokio::test]
async fn a_slow_target_is_given_more_places() {
    let world = World::new().await;
    world.bus.start();
    let caller =
        Caller::internal(kit::AccountId::DEFAULT, kit::Region::default(), world.clock.now());
    let arn = caller.arn("sqs", "q");
    let mut batch = Batch::new();
    let delivery = |number: usize| {
        Delivery::new(
            arn.clone(),
            "s3.amazonaws.com",
            arn.clone(),
            &caller,
            format!("slow{number}"),
        )
    };
    let ticket = world.bus.enqueue(&mut batch, (0..40).map(delivery).collect());
    world.store.commit(batch).await.unwrap();
    ticket.release();
    world.target.until(|it| it.tried.lock().unwrap().len() == 8).await;
    world.target.until(|it| it.tried.lock().unwrap().len() == 40).await;
    assert!(world.target.taken().is_empty());
    for _ in 0..40 {
        world.target.gate.notify_one();
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_retry_comes_at_the_latest_when_its_delivery_ends() {
    let world = World::new().await;
    let end = world.clock.now().plus_seconds(4);
    let busy = || Err(DeliveryError::RetryBefore { end, reason: "busy".to_owned() });
    world.target.will("a", vec![busy(), busy(), busy()]);
    world.bus.start();
    world.send("a", "").await;
    // After 1 and 2 more seconds as always; the fourth attempt would be 4 seconds later.
    for (tries, seconds) in [(1, 1), (2, 2), (3, 1)] {
        world.target.until(|it| it.tried.lock().unwrap().len() == tries).await;
        world.clock.advance(Duration::from_secs(seconds));
    }
    world.target.until(|it| it.taken() == ["a#0"]).await;
}

/// Remembers what it was told.
#[derive(Default)]
struct Sender(Mutex<Vec<(String, String)>>);

impl Origin for Sender {
    fn refused(&self, delivery: &Delivery, reason: &str) {
        self.0.lock().unwrap().push((delivery.payload.clone(), reason.to_owned()));
    }
}

#[tokio::test]
async fn dead_letters_are_told_counted_and_gone_after_fourteen_days() {
    let world = World::new().await;
    let sender = Arc::new(Sender::default());
    world.bus.directory().offer_origin("sqs", sender.clone());
    world.target.will("no", vec![Err(DeliveryError::Refused("gone".to_owned()))]);
    world.bus.start();
    world.send("no", "").await;
    world.until_rows("bus/dead", 1).await;
    assert_eq!(*sender.0.lock().unwrap(), [("no".to_owned(), "gone".to_owned())]);
    assert_eq!(world.bus.status().dead, 1);
    let world = world.again().await;
    world.bus.start();
    world.send("b", "").await;
    world.target.until(|it| it.taken() == ["b#0"]).await;
    assert_eq!(world.bus.status().dead, 1);
    world.clock.advance(Duration::from_secs(14 * 24 * 60 * 60 + 1));
    world.until_rows("bus/dead", 0).await;
    assert_eq!(world.bus.status().dead, 0);
}
