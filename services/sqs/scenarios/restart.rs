//! What a restart and a crash leave.

use model::sqs as api;

use super::{Bench, bodies, handle, message};
use crate::worker;

#[tokio::test]
async fn a_restart_keeps_messages_leases_and_counts() {
    let bench = Bench::open().await;
    let url = bench.create("q", &[]).await;
    bench.send(&url, "held").await;
    bench.send(&url, "deleted").await;
    let delayed = api::SendMessageInput { delay_seconds: Some(60), ..message(&url, "delayed") };
    bench.send_as(delayed).await.unwrap();
    let received = bench.receive(&url, 2).await;
    bench.delete(&url, handle(&received[1])).await.unwrap();
    let bench = bench.restart().await;
    assert_eq!(bench.counts(&url).await, ["0", "1", "1"]);
    bench.advance(30);
    let again = bench.receive(&url, 10).await;
    assert_eq!(bodies(&again), ["held"]);
    assert_eq!(again[0].attributes.as_ref().unwrap()["ApproximateReceiveCount"], "2");
    let bench = bench.restart().await;
    bench.delete(&url, handle(&again[0])).await.unwrap();
    bench.advance(60);
    assert_eq!(bodies(&bench.receive(&url, 10).await), ["delayed"]);
}

#[tokio::test]
async fn a_crash_loses_no_message_and_at_most_the_last_receives() {
    let bench = Bench::open().await;
    let url = bench.create("q", &[]).await;
    bench.send(&url, "a").await;
    bench.send(&url, "b").await;
    let first = bench.receive(&url, 1).await;
    worker::write_behind(&bench.sqs).await;
    let second = bench.receive(&url, 1).await;
    bench.delete(&url, handle(&first[0])).await.unwrap();
    let bench = bench.crash().await;
    assert_eq!(bench.counts(&url).await, ["1", "0", "0"], "deleted is deleted; the lease is lost");
    bench.delete(&url, handle(&second[0])).await.unwrap();
    assert_eq!(bench.counts(&url).await, ["0", "0", "0"], "its holder may still delete it");
}

#[tokio::test]
async fn order_and_sequence_numbers_go_on_after_a_crash() {
    let bench = Bench::open().await;
    let url = bench
        .create("q.fifo", &[("FifoQueue", "true"), ("ContentBasedDeduplication", "true")])
        .await;
    let send = async |bench: &Bench, body: &str| {
        let group = Some("g".to_owned());
        let input = api::SendMessageInput { message_group_id: group, ..message(&url, body) };
        bench.send_as(input).await.unwrap().sequence_number.unwrap()
    };
    let mut numbers = vec![send(&bench, "1").await, send(&bench, "2").await];
    let bench = bench.crash().await;
    numbers.push(send(&bench, "3").await);
    assert!(numbers.is_sorted());
    assert_eq!(bodies(&bench.receive(&url, 10).await), ["1", "2", "3"]);
}
