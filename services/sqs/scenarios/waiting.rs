//! Long polls, and the ports through which other services poll and deliver.

use std::time::Duration;

use bus::{Queue, Sending};
use model::sqs as api;

use super::{Bench, bodies, message, receiving};
use crate::{Error, ops};

fn polling(url: &str, seconds: i32) -> api::ReceiveMessageInput {
    api::ReceiveMessageInput { wait_time_seconds: Some(seconds), ..receiving(url) }
}

/// Lets other tasks run until somebody waits on the queue.
async fn until_waiting(bench: &Bench, url: &str, count: usize) {
    let queue = bench.sqs.queue(&bench.caller(), url).unwrap();
    for _ in 0..100_000 {
        if queue.waiting() == count {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("nobody waits");
}

#[tokio::test]
async fn a_waiter_is_woken_by_a_message() {
    let bench = Bench::open().await;
    let url = bench.create("q", &[]).await;
    let (received, _) = tokio::join!(bench.receive_as(polling(&url, 20)), async {
        until_waiting(&bench, &url, 1).await;
        bench.send(&url, "a").await;
    });
    assert_eq!(bodies(&received.unwrap()), ["a"]);
}

#[tokio::test]
async fn a_waiter_is_woken_when_a_lease_ends_or_a_delay_is_over() {
    let bench = Bench::open().await;
    let url = bench.create("q", &[]).await;
    bench.send(&url, "leased").await;
    bench.receive(&url, 1).await;
    let (received, _) = tokio::join!(bench.receive_as(polling(&url, 20)), async {
        until_waiting(&bench, &url, 1).await;
        let late = api::SendMessageInput { delay_seconds: Some(5), ..message(&url, "late") };
        bench.send_as(late).await.unwrap();
        bench.advance(5);
    });
    assert_eq!(bodies(&received.unwrap()), ["late"]);
    bench.advance(15);
    let (received, _) = tokio::join!(bench.receive_as(polling(&url, 20)), async {
        until_waiting(&bench, &url, 1).await;
        bench.advance(10);
    });
    assert_eq!(bodies(&received.unwrap()), ["leased"]);
}

#[tokio::test]
async fn a_waiter_gives_up_in_time() {
    let bench = Bench::open().await;
    let url = bench.create("q", &[("ReceiveMessageWaitTimeSeconds", "7")]).await;
    let before = bench.clock.now();
    let (received, _) = tokio::join!(bench.receive_as(receiving(&url)), async {
        until_waiting(&bench, &url, 1).await;
        bench.advance(7);
    });
    assert!(received.unwrap().is_empty());
    assert!(bench.clock.now().since(before) < 8_000);
    assert!(bench.receive_as(polling(&url, 0)).await.unwrap().is_empty());
    assert_eq!(
        bench.receive_as(polling(&url, 21)).await.unwrap_err().to_string(),
        "Value 21 for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= 20, if provided."
    );
}

#[tokio::test]
async fn a_cancelled_waiter_loses_nothing_and_passes_its_turn_on() {
    let bench = Bench::open().await;
    let url = bench.create("q", &[]).await;
    let gone = {
        let (sqs, caller) = (bench.sqs.clone(), bench.caller());
        tokio::spawn(ops::receive_message::run(sqs, caller, polling(&url, 20)))
    };
    until_waiting(&bench, &url, 1).await;
    let (received, _) = tokio::join!(bench.receive_as(polling(&url, 20)), async {
        until_waiting(&bench, &url, 2).await;
        gone.abort();
        bench.send(&url, "a").await;
    });
    assert_eq!(bodies(&received.unwrap()), ["a"]);
}

#[tokio::test]
async fn waiters_are_served_in_their_order() {
    let bench = Bench::open().await;
    let url = bench.create("q", &[]).await;
    let mut waiters = Vec::new();
    for n in 1..=5 {
        let (sqs, caller) = (bench.sqs.clone(), bench.caller());
        waiters.push(tokio::spawn(ops::receive_message::run(sqs, caller, polling(&url, 20))));
        until_waiting(&bench, &url, n).await;
    }
    for n in 0..5 {
        bench.send(&url, &n.to_string()).await;
    }
    for (n, waiter) in waiters.into_iter().enumerate() {
        let received = waiter.await.unwrap().unwrap().messages.unwrap();
        assert_eq!(bodies(&received), [n.to_string()]);
    }
}

#[tokio::test]
async fn a_waiter_learns_that_its_queue_is_deleted() {
    let bench = Bench::open().await;
    let url = bench.create("q", &[]).await;
    let (received, _) = tokio::join!(bench.receive_as(polling(&url, 20)), async {
        until_waiting(&bench, &url, 1).await;
        let input = api::DeleteQueueInput { queue_url: url.clone() };
        ops::delete_queue::run(bench.sqs.clone(), bench.caller(), input).await.unwrap();
    });
    assert_eq!(received, Err(Error::QueueDoesNotExist));
}

#[tokio::test]
async fn other_services_poll_and_deliver() {
    let bench = Bench::open().await;
    let url = bench.create("q", &[]).await;
    let arn = bench.attribute(&url, "QueueArn").await.unwrap().parse().unwrap();
    let queues: &dyn Queue = &**bench.directory.queues().unwrap();
    let attributes = [("n".to_owned(), ("Number".to_owned(), "1".to_owned()))].into();
    let sending = Sending { body: "a".to_owned(), attributes, ..Sending::default() };
    let id = queues.send(&arn, sending).await.unwrap();
    let leased = queues.receive(&arn, 10, Duration::from_secs(20)).await.unwrap();
    assert_eq!((leased.len(), &leased[0].id, leased[0].body.as_str()), (1, &id, "a"));
    assert_eq!(
        leased[0].message_attributes,
        serde_json::json!({"n": {"stringValue": "1", "stringListValues": [], "binaryListValues": [], "dataType": "Number"}})
    );
    queues.release(&arn, &[leased[0].receipt.clone()], Duration::ZERO).await.unwrap();
    let again = queues.receive(&arn, 10, Duration::ZERO).await.unwrap();
    queues.delete(&arn, &[again[0].receipt.clone()]).await.unwrap();
    assert!(bench.receive(&url, 1).await.is_empty());
    assert!(queues.shape(&arn).await.is_some_and(|shape| !shape.fifo));
}
