//! Throughput of the operations, eight tasks at once, on a real store. The bounds are far below what
//! any machine does and only catch a queue that has become slow by kind. The numbers are printed:
//! `cargo test --release -p lampejo-sqs speed -- --nocapture --test-threads 1`.

use std::{sync::Arc, time::Instant};

use model::sqs as api;

use super::{Bench, handle};
use crate::ops;

const TASKS: usize = 8;
/// Fewer where the compiler has not optimized.
const EACH: usize = if cfg!(debug_assertions) { 50 } else { 5_000 };
const BACKLOG: usize = if cfg!(debug_assertions) { 2_000 } else { 100_000 };

async fn each_task<F: Future<Output = ()> + Send + 'static>(
    bench: &Arc<Bench>,
    work: impl Fn(Arc<Bench>) -> F,
) -> f64 {
    let begin = Instant::now();
    let tasks: Vec<_> = (0..TASKS).map(|_| tokio::spawn(work(bench.clone()))).collect();
    for task in tasks {
        task.await.unwrap();
    }
    begin.elapsed().as_secs_f64()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_tasks_send_receive_and_delete() {
    let bench = Arc::new(Bench::open().await);
    let url = bench.create("q", &[]).await;
    let body = "x".repeat(256);
    let seconds = each_task(&bench, |bench| {
        let (url, body) = (url.clone(), body.clone());
        async move {
            for _ in 0..EACH {
                bench.send(&url, &body).await;
            }
        }
    })
    .await;
    println!("durable sends: {:.0}/s", (TASKS * EACH) as f64 / seconds);
    let seconds = each_task(&bench, |bench| {
        let (url, body) = (url.clone(), body.clone());
        async move {
            for _ in 0..EACH {
                bench.send(&url, &body).await;
                let received = bench.receive(&url, 1).await;
                bench.delete(&url, handle(&received[0])).await.unwrap();
            }
        }
    })
    .await;
    let cycles = (TASKS * EACH) as f64 / seconds;
    println!("cycles of send, receive, delete: {cycles:.0}/s");
    assert_eq!(bench.counts(&url).await, [(TASKS * EACH).to_string(), "0".into(), "0".into()]);
    assert!(cycles > 20.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receive_costs_the_same_with_a_long_backlog() {
    let bench = Bench::open().await;
    let (short, long) = (bench.create("short", &[]).await, bench.create("long", &[]).await);
    fill(&bench, &short, 10).await;
    fill(&bench, &long, BACKLOG).await;
    let mut micros = Vec::new();
    for url in [&short, &long] {
        let begin = Instant::now();
        for _ in 0..1_000 {
            let received = bench.receive(url, 1).await;
            bench.hide(url, handle(&received[0]), 0).await.unwrap();
        }
        micros.push(begin.elapsed().as_secs_f64() * 1e3);
    }
    println!(
        "receive and give back: 10 messages {:.1} µs, {BACKLOG} {:.1} µs",
        micros[0], micros[1]
    );
    assert!(micros[1] < 10.0 * micros[0]);
    let begin = Instant::now();
    let bench = bench.restart().await;
    println!("opening with {BACKLOG} messages: {:.0} ms", begin.elapsed().as_secs_f64() * 1e3);
    assert_eq!(bench.counts(&long).await[0], BACKLOG.to_string());
}

async fn fill(bench: &Bench, url: &str, count: usize) {
    for first in (0..count).step_by(10) {
        let entry = |n: usize| api::SendMessageBatchRequestEntry {
            id: n.to_string(),
            message_body: format!("{n} {}", "x".repeat(250)),
            ..Default::default()
        };
        let entries = (first..count.min(first + 10)).map(entry).collect();
        let input = api::SendMessageBatchInput { queue_url: url.to_owned(), entries };
        ops::send_message_batch::run(bench.sqs.clone(), bench.caller(), input).await.unwrap();
    }
}
