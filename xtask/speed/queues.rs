//! SQS: sends, and whole cycles of send, receive and delete.

use anyhow::Context;
use serde_json::json;

use super::{
    aws,
    bench::{Bench, CLIENTS, Same, Work, rate},
    floors::{APPEND_BYTES, synced_appends},
    http::Connection,
    table::{Line, Number, Table},
};

/// Adds its lines to the table.
pub(super) async fn measure(bench: &Bench, table: &mut Table) -> anyhow::Result<()> {
    let before = synced_appends(&bench.folder, CLIENTS, APPEND_BYTES).await?;
    for name in ["sends", "cycles"] {
        bench.once(&aws::sqs("CreateQueue", &json!({ "QueueName": name }))).await?;
    }
    let mut senders = Vec::new();
    for _ in 0..CLIENTS {
        senders.push(Same { connection: bench.connect().await?, request: send(bench, "sends") });
    }
    let sends = rate(senders).await?;
    // The disk has moods: the better of two looks, before and after.
    let floor = before.max(synced_appends(&bench.folder, CLIENTS, APPEND_BYTES).await?);
    table.add(Line {
        workload: "SQS send, 8 clients, durable",
        reached: Number::PerSecond(sends),
        aim: Number::PerSecond(10_000.0),
        floor: Number::PerSecond(floor),
        floor_is: "synced appends in groups, 8 clients",
    });
    let mut cycles = Vec::new();
    for _ in 0..CLIENTS {
        cycles.push(Cycle::new(bench).await?);
    }
    table.add(Line {
        workload: "SQS send, receive and delete, 8 clients",
        reached: Number::PerSecond(rate(cycles).await?),
        aim: Number::PerSecond(3_000.0),
        // What is received is written behind: a cycle syncs its send and its delete.
        floor: Number::PerSecond(floor / 2.0),
        floor_is: "half of the synced appends",
    });
    Ok(())
}

fn send(bench: &Bench, queue: &str) -> Vec<u8> {
    let url = aws::queue_url(bench.address, queue);
    aws::sqs("SendMessage", &json!({ "QueueUrl": url, "MessageBody": "x".repeat(100) }))
}

/// A client that sends a message, receives one and deletes it.
struct Cycle {
    connection: Connection,
    url: String,
    send: Vec<u8>,
    receive: Vec<u8>,
}

impl Cycle {
    async fn new(bench: &Bench) -> anyhow::Result<Cycle> {
        let url = aws::queue_url(bench.address, "cycles");
        let receive = aws::sqs("ReceiveMessage", &json!({ "QueueUrl": url, "WaitTimeSeconds": 5 }));
        let connection = bench.connect().await?;
        Ok(Cycle { connection, url, send: send(bench, "cycles"), receive })
    }
}

impl Work for Cycle {
    async fn step(&mut self) -> anyhow::Result<()> {
        self.connection.done(&self.send).await?;
        let received: serde_json::Value =
            serde_json::from_slice(self.connection.done(&self.receive).await?)?;
        let handle = received["Messages"][0]["ReceiptHandle"].as_str().context("no message")?;
        let input = json!({ "QueueUrl": self.url, "ReceiptHandle": handle });
        self.connection.done(&aws::sqs("DeleteMessage", &input)).await.map(drop)
    }
}
