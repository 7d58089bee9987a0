//! FIFO queues: groups, deduplication, receive attempts.

use model::sqs as api;

use super::{Bench, bodies, handle, message, receiving};
use crate::ops;

const FIFO: (&str, &str) = ("FifoQueue", "true");
const BY_CONTENT: (&str, &str) = ("ContentBasedDeduplication", "true");

fn in_group(url: &str, group: &str, body: &str) -> api::SendMessageInput {
    api::SendMessageInput { message_group_id: Some(group.to_owned()), ..message(url, body) }
}

#[tokio::test]
async fn groups_keep_their_order_and_do_not_hinder_each_other() {
    let bench = Bench::open().await;
    let url = bench.create("q.fifo", &[FIFO, BY_CONTENT]).await;
    for (group, body) in [("a", "a1"), ("a", "a2"), ("b", "b1"), ("a", "a3"), ("b", "b2")] {
        bench.send_as(in_group(&url, group, body)).await.unwrap();
    }
    let first = bench.receive(&url, 2).await;
    assert_eq!(bodies(&first), ["a1", "a2"]);
    let second = bench.receive(&url, 10).await;
    assert_eq!(bodies(&second), ["b1", "b2"], "group a waits for its first two");
    bench.delete(&url, handle(&first[0])).await.unwrap();
    assert!(bench.receive(&url, 10).await.is_empty());
    bench.hide(&url, handle(&first[1]), 0).await.unwrap();
    assert_eq!(bodies(&bench.receive(&url, 10).await), ["a2", "a3"]);
    bench.advance(30);
    assert_eq!(
        bench.delete(&url, handle(&second[0])).await.unwrap_err().to_string(),
        format!(
            "Value {} for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired.",
            handle(&second[0])
        )
    );
}

#[tokio::test]
async fn an_accepted_message_is_not_accepted_again_for_five_minutes() {
    let bench = Bench::open().await;
    let url = bench.create("q.fifo", &[FIFO, BY_CONTENT]).await;
    let first = bench.send_as(in_group(&url, "a", "same")).await.unwrap();
    let again = bench.send_as(in_group(&url, "b", "same")).await.unwrap();
    assert_eq!(first.message_id, again.message_id);
    assert_eq!(first.sequence_number, again.sequence_number);
    assert_eq!(first.sequence_number.as_ref().unwrap().len(), 20);
    let received = bench.receive(&url, 10).await;
    assert_eq!(bodies(&received), ["same"]);
    bench.delete(&url, handle(&received[0])).await.unwrap();
    let bench = bench.restart().await;
    let again = bench.send_as(in_group(&url, "a", "same")).await.unwrap();
    assert_eq!(first.message_id, again.message_id, "even after a restart");
    assert!(bench.receive(&url, 10).await.is_empty());
    bench.advance(301);
    let later = bench.send_as(in_group(&url, "a", "same")).await.unwrap();
    assert_ne!(first.message_id, later.message_id);
    assert!(first.sequence_number < later.sequence_number);
    assert_eq!(bodies(&bench.receive(&url, 10).await), ["same"]);
}

#[tokio::test]
async fn ids_count_within_the_group_if_the_queue_says_so() {
    let bench = Bench::open().await;
    let scope = [
        FIFO,
        ("DeduplicationScope", "messageGroup"),
        ("FifoThroughputLimit", "perMessageGroupId"),
    ];
    let url = bench.create("q.fifo", &scope).await;
    let send = async |group: &str| {
        let id = Some("id".to_owned());
        let input =
            api::SendMessageInput { message_deduplication_id: id, ..in_group(&url, group, "x") };
        bench.send_as(input).await.unwrap().message_id
    };
    assert_eq!(send("a").await, send("a").await);
    assert_ne!(send("a").await, send("b").await);
}

#[tokio::test]
async fn equal_messages_sent_at_once_are_accepted_once() {
    let bench = Bench::open().await;
    let url = bench.create("q.fifo", &[FIFO, BY_CONTENT]).await;
    let send = || bench.send_as(in_group(&url, "a", "same"));
    let (a, b, c) = tokio::join!(send(), send(), send());
    let ids = [a, b, c].map(|it| it.unwrap().message_id);
    assert!(ids.iter().all(|id| *id == ids[0]));
    assert_eq!(bench.receive(&url, 10).await.len(), 1);
}

#[tokio::test]
async fn what_a_fifo_message_lacks_is_named() {
    let bench = Bench::open().await;
    let url = bench.create("q.fifo", &[FIFO]).await;
    let refusal = async |input| bench.send_as(input).await.unwrap_err().to_string();
    assert_eq!(
        refusal(message(&url, "x")).await,
        "The request must contain the parameter MessageGroupId."
    );
    assert_eq!(
        refusal(in_group(&url, "a", "x")).await,
        "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly"
    );
    let delayed = api::SendMessageInput { delay_seconds: Some(2), ..in_group(&url, "a", "x") };
    assert_eq!(
        refusal(delayed).await,
        "Value 2 for parameter DelaySeconds is invalid. Reason: The request include parameter that is not valid for this queue type."
    );
    assert_eq!(
        refusal(in_group(&url, "a b", "x")).await,
        "Value a b for parameter MessageGroupId is invalid. Reason: MessageGroupId can only include alphanumeric and punctuation characters. 1 to 128 in length."
    );
    let entry = api::SendMessageBatchRequestEntry {
        id: "1".to_owned(),
        message_body: "x".to_owned(),
        ..Default::default()
    };
    let input = api::SendMessageBatchInput { queue_url: url.clone(), entries: vec![entry] };
    let error = ops::send_message_batch::run(bench.sqs.clone(), bench.caller(), input).await;
    assert_eq!(error.unwrap_err().code(), "InvalidParameterValue", "a batch is refused whole");
}

#[tokio::test]
async fn a_repeated_attempt_gets_the_same_messages_and_a_new_timeout() {
    let bench = Bench::open().await;
    let url = bench.create("q.fifo", &[FIFO, BY_CONTENT]).await;
    bench.send_as(in_group(&url, "a", "1")).await.unwrap();
    bench.send_as(in_group(&url, "b", "2")).await.unwrap();
    let receive = async |attempt: &str| {
        let input = api::ReceiveMessageInput {
            receive_request_attempt_id: Some(attempt.to_owned()),
            max_number_of_messages: Some(1),
            ..receiving(&url)
        };
        bench.receive_as(input).await.unwrap()
    };
    let first = receive("x").await;
    assert_eq!(bodies(&first), ["1"]);
    bench.advance(20);
    assert_eq!(receive("x").await, first);
    bench.advance(20);
    assert_eq!(bodies(&receive("y").await), ["2"], "the repeat has begun the timeout anew");
    bench.delete(&url, handle(&first[0])).await.unwrap();
    assert!(receive("x").await.is_empty(), "a changed batch is not given again");
}

#[tokio::test]
async fn a_new_delay_counts_for_messages_that_are_there() {
    let bench = Bench::open().await;
    let url = bench.create("q.fifo", &[FIFO, BY_CONTENT, ("DelaySeconds", "100")]).await;
    bench.send_as(in_group(&url, "a", "1")).await.unwrap();
    assert!(bench.receive(&url, 1).await.is_empty());
    bench.set(&url, &[("DelaySeconds", "0")]).await.unwrap();
    assert_eq!(bodies(&bench.receive(&url, 1).await), ["1"]);
}
