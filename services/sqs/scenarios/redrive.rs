//! Dead letters and message move tasks.

use model::sqs as api;

use super::{Bench, bodies, handle};
use crate::{Error, ops};

const DEAD: &str =
    r#"{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:dead","maxReceiveCount":2}"#;

/// Waits, bounded, until the queue has this many visible messages.
async fn until_visible(bench: &Bench, url: &str, count: &str) {
    for _ in 0..10_000 {
        if bench.counts(url).await[0] == count {
            return;
        }
        tokio::task::yield_now().await;
        bench.clock.advance(std::time::Duration::from_millis(1));
    }
    panic!("{url} has {:?}", bench.counts(url).await);
}

async fn with_dead_letter(bench: &Bench) -> (String, String) {
    let dead = bench.create("dead", &[]).await;
    let url = bench.create("q", &[("RedrivePolicy", DEAD), ("VisibilityTimeout", "10")]).await;
    bench.send(&url, "poison").await;
    for _ in 0..2 {
        assert_eq!(bodies(&bench.receive(&url, 1).await), ["poison"]);
        bench.advance(10);
    }
    assert!(bench.receive(&url, 1).await.is_empty());
    until_visible(bench, &dead, "1").await;
    (url, dead)
}

#[tokio::test]
async fn a_message_received_too_often_goes_to_the_dead_letter_queue() {
    let bench = Bench::open().await;
    let (url, dead) = with_dead_letter(&bench).await;
    let bench = bench.restart().await;
    assert_eq!(bench.counts(&url).await, ["0", "0", "0"]);
    let received = bench.receive(&dead, 1).await;
    let attributes = received[0].attributes.as_ref().unwrap();
    assert_eq!(attributes["ApproximateReceiveCount"], "3");
    assert_eq!(attributes["DeadLetterQueueSourceArn"], "arn:aws:sqs:us-east-1:000000000000:q");
    let input = api::ListDeadLetterSourceQueuesInput { queue_url: dead, ..Default::default() };
    let sources =
        ops::list_dead_letter_source_queues::run(bench.sqs.clone(), bench.caller(), input).await;
    assert_eq!(sources.unwrap().queue_urls, [url]);
}

#[tokio::test]
async fn a_redrive_policy_needs_its_target() {
    let bench = Bench::open().await;
    let refusal = bench.try_create("q", &[("RedrivePolicy", DEAD)]).await.unwrap_err().to_string();
    assert!(refusal.ends_with("Reason: Dead letter target does not exist."), "{refusal}");
    let deny = r#"{"redrivePermission":"denyAll"}"#;
    bench.create("dead", &[("RedriveAllowPolicy", deny)]).await;
    assert!(bench.try_create("q", &[("RedrivePolicy", DEAD)]).await.is_err());
}

async fn start(bench: &Bench, rate: Option<i32>, to: Option<&str>) -> Result<String, Error> {
    let arn = |name: &str| format!("arn:aws:sqs:us-east-1:000000000000:{name}");
    let input = api::StartMessageMoveTaskInput {
        source_arn: arn("dead"),
        destination_arn: to.map(arn),
        max_number_of_messages_per_second: rate,
    };
    let output = ops::message_move_tasks::start(bench.sqs.clone(), bench.caller(), input).await?;
    Ok(output.task_handle.unwrap())
}

async fn list(bench: &Bench) -> api::ListMessageMoveTasksResultEntry {
    let input = api::ListMessageMoveTasksInput {
        source_arn: "arn:aws:sqs:us-east-1:000000000000:dead".to_owned(),
        max_results: None,
    };
    let output = ops::message_move_tasks::list(bench.sqs.clone(), bench.caller(), input).await;
    output.unwrap().results.unwrap().remove(0)
}

async fn until_status(bench: &Bench, status: &str) -> api::ListMessageMoveTasksResultEntry {
    for _ in 0..10_000 {
        let task = list(bench).await;
        if task.status.as_deref() == Some(status) {
            return task;
        }
        tokio::task::yield_now().await;
        bench.clock.advance(std::time::Duration::from_millis(1));
    }
    panic!("{:?}", list(bench).await);
}

#[tokio::test]
async fn a_move_task_brings_messages_back_where_they_came_from() {
    let bench = Bench::open().await;
    let (url, dead) = with_dead_letter(&bench).await;
    start(&bench, None, None).await.unwrap();
    let task = until_status(&bench, "COMPLETED").await;
    assert_eq!(task.approximate_number_of_messages_moved, Some(1));
    assert_eq!(task.approximate_number_of_messages_to_move, Some(1));
    assert_eq!((task.destination_arn, task.task_handle), (None, None));
    assert_eq!(bench.counts(&dead).await, ["0", "0", "0"]);
    let back = bench.receive(&url, 1).await;
    assert_eq!(bodies(&back), ["poison"]);
    assert_eq!(back[0].attributes.as_ref().unwrap()["ApproximateReceiveCount"], "1");
}

#[tokio::test]
async fn a_move_task_is_cancelled() {
    let bench = Bench::open().await;
    let (_, dead) = with_dead_letter(&bench).await;
    for n in 0..9 {
        bench.send(&dead, &n.to_string()).await;
    }
    bench.create("elsewhere", &[]).await;
    let handle = start(&bench, Some(1), Some("elsewhere")).await.unwrap();
    assert_eq!(
        start(&bench, None, None).await.unwrap_err().to_string(),
        "There is already a task running. Only one active task is allowed for a source queue arn at a given time."
    );
    let input = api::CancelMessageMoveTaskInput { task_handle: handle };
    let cancel = ops::message_move_tasks::cancel(bench.sqs.clone(), bench.caller(), input).await;
    assert!(cancel.unwrap().approximate_number_of_messages_moved.unwrap() < 10);
    let task = until_status(&bench, "CANCELLED").await;
    let moved = task.approximate_number_of_messages_moved.unwrap();
    assert_eq!(bench.counts(&dead).await[0], (10 - moved).to_string());
    let bench = bench.restart().await;
    assert_eq!(list(&bench).await.status.as_deref(), Some("CANCELLED"));
}

#[tokio::test]
async fn a_message_without_a_source_fails_the_task_and_stays() {
    let bench = Bench::open().await;
    let (_, dead) = with_dead_letter(&bench).await;
    let letter = bench.receive(&dead, 1).await;
    bench.delete(&dead, handle(&letter[0])).await.unwrap();
    bench.send(&dead, "sent here").await;
    start(&bench, None, None).await.unwrap();
    let task = until_status(&bench, "FAILED").await;
    assert_eq!(task.failure_reason.as_deref(), Some("CouldNotDetermineMessageSource"));
    assert_eq!(bodies(&bench.receive(&dead, 10).await), ["sent here"]);
}

#[tokio::test]
async fn a_move_task_needs_a_dead_letter_queue_and_a_destination() {
    let bench = Bench::open().await;
    assert_eq!(
        start(&bench, None, None).await.unwrap_err().to_string(),
        "The resource that you specified for the SourceArn parameter doesn't exist."
    );
    bench.create("dead", &[]).await;
    assert_eq!(
        start(&bench, None, None).await.unwrap_err().to_string(),
        "Source queue must be configured as a Dead Letter Queue."
    );
    bench.create("q", &[("RedrivePolicy", DEAD)]).await;
    assert_eq!(
        start(&bench, None, Some("nowhere")).await.unwrap_err().to_string(),
        "The resource that you specified for the DestinationArn parameter doesn't exist."
    );
}
