//! Mappings over a double of a queue: what two callers at once get, and what becomes of leased
//! messages.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Mutex,
    time::Duration,
};

use async_trait::async_trait;
use bus::{Leased, Queue, QueueError, QueueShape, Sending};
use kit::Arn;
use tokio::sync::Notify;

use super::*;
use crate::{
    ops::mapping::create,
    sources::{
        mapping::{Mapping, State},
        tests::mapping as of_queue,
    },
};

const QUEUE: &str = "arn:aws:sqs:us-east-1:000000000000:q";

/// A queue that answers receives as it is told, and then with nothing, ever.
#[derive(Default)]
struct Double {
    answers: Mutex<VecDeque<Result<Vec<Leased>, QueueError>>>,
    released: Mutex<Vec<String>>,
    waits: Notify,
}

#[async_trait]
impl Queue for Double {
    async fn shape(&self, _: &Arn) -> Option<QueueShape> {
        // Long enough for other tasks to come as far.
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        Some(QueueShape { fifo: false, visibility_timeout_seconds: 30, redrives: false })
    }

    async fn receive(&self, _: &Arn, _: usize, _: Duration) -> Result<Vec<Leased>, QueueError> {
        let answer = self.answers.lock().unwrap().pop_front();
        match answer {
            Some(answer) => answer,
            None => {
                self.waits.notify_one();
                std::future::pending().await
            }
        }
    }

    async fn delete(&self, _: &Arn, _: &[String]) -> Result<(), QueueError> {
        Ok(())
    }

    async fn release(&self, _: &Arn, receipts: &[String], _: Duration) -> Result<(), QueueError> {
        self.released.lock().unwrap().extend_from_slice(receipts);
        Ok(())
    }

    async fn send(&self, _: &Arn, _: Sending) -> Result<String, QueueError> {
        Err(QueueError::Missing)
    }
}

fn leased(receipt: &str) -> Leased {
    Leased {
        id: receipt.to_owned(),
        receipt: receipt.to_owned(),
        body: String::new(),
        attributes: BTreeMap::new(),
        message_attributes: serde_json::json!({}),
        md5_of_body: String::new(),
        md5_of_message_attributes: None,
    }
}

/// Of a function that is not there: its batches go back to the queue.
fn mapping() -> Mapping {
    Mapping { function: "gone".to_owned(), window_seconds: 300, ..of_queue() }
}

#[tokio::test]
async fn of_two_callers_at_once_one_makes_the_mapping() {
    let world = World::new().await;
    world.lambda.bus.directory().offer_queues(Arc::<Double>::default());
    world.create("f").await;
    let create = || {
        let input = api::CreateEventSourceMappingInput {
            event_source_arn: Some(QUEUE.to_owned()),
            function_name: "f".to_owned(),
            ..api::CreateEventSourceMappingInput::default()
        };
        create::run(world.lambda.clone(), world.caller.clone(), input)
    };
    let (one, other) = tokio::join!(create(), create());
    assert!(one.is_ok(), "{one:?}");
    assert!(matches!(other, Err(Error::QueueMappingExists { .. })), "{other:?}");
    world.lambda.shutdown().await;
}

#[tokio::test]
async fn a_stop_during_the_window_forgets_no_leased_message() {
    let world = World::new().await;
    let queue = Arc::new(Double::default());
    queue.answers.lock().unwrap().push_back(Ok(vec![leased("a")]));
    world.lambda.bus.directory().offer_queues(queue.clone());
    world.lambda.sources.put(&world.lambda, mapping(), None);
    queue.waits.notified().await;
    world.lambda.shutdown().await;
    assert_eq!(*queue.released.lock().unwrap(), ["a"]);
}

#[tokio::test]
async fn a_queue_that_vanishes_during_the_window_ends_the_batch() {
    let world = World::new().await;
    let queue = Arc::new(Double::default());
    let answers = [Ok(vec![leased("a")]), Err(QueueError::Missing), Ok(vec![leased("b")])];
    queue.answers.lock().unwrap().extend(answers);
    world.lambda.bus.directory().offer_queues(queue.clone());
    world.lambda.sources.put(&world.lambda, mapping(), None);
    queue.waits.notified().await;
    world.lambda.shutdown().await;
    let released = queue.released.lock().unwrap();
    assert!(released.contains(&"a".to_owned()) && released.contains(&"b".to_owned()));
}

#[tokio::test]
async fn a_deleted_mapping_stays_deleted_while_earlier_pollers_end() {
    let world = World::new().await;
    let queue = Arc::new(Double::default());
    world.lambda.bus.directory().offer_queues(queue.clone());
    let sources = &world.lambda.sources;
    sources.put(&world.lambda, mapping(), None);
    queue.waits.notified().await;
    // The second poller has a message to give back when it ends; the first has nothing.
    queue.answers.lock().unwrap().push_back(Ok(vec![leased("a")]));
    sources.put(&world.lambda, mapping(), None);
    queue.waits.notified().await;
    sources.remove(&world.lambda, "m");
    while let Some(seen) = sources.get("m") {
        assert_eq!(seen.state, State::Deleting);
        tokio::task::yield_now().await;
    }
    assert_eq!(*queue.released.lock().unwrap(), ["a"]);
}
