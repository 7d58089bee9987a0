//! Doubles: a stream in memory, a target and buckets that keep what they are sent.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use base64::{Engine, prelude::BASE64_STANDARD};
use bus::{
    Delivery, DeliveryError, NoSuchObject, ObjectBytes, Objects, Position, Record, Records, Shard,
    Stream, StreamError, Target,
};
use bytes::Bytes;
use kit::{Arn, Caller, Clock};
use serde_json::{Value, json};
use tokio::sync::Notify;

pub(super) const STREAM: &str = "arn:aws:kinesis:us-east-1:000000000000:stream/s";
/// A stream whose shards and records tests make.
pub(super) struct Double {
    clock: Clock,
    shards: Mutex<Vec<Held>>,
    sequence: AtomicU64,
    changed: Notify,
    /// While closed, nobody learns where to begin.
    pub(super) gate: tokio::sync::RwLock<()>,
}

struct Held {
    shard: Shard,
    records: Vec<Record>,
    closed: bool,
}

impl Double {
    pub(super) fn new(clock: &Clock) -> Arc<Double> {
        let double = Double {
            clock: clock.clone(),
            shards: Mutex::default(),
            sequence: AtomicU64::new(8),
            changed: Notify::new(),
            gate: tokio::sync::RwLock::default(),
        };
        double.open("0", &[]);
        Arc::new(double)
    }

    pub(super) fn open(&self, id: &str, parents: &[&str]) {
        let parents = parents.iter().map(|it| (*it).to_owned()).collect();
        let shard = Shard { id: id.to_owned(), parents };
        let held = Held { shard, records: Vec::new(), closed: false };
        self.shards.lock().unwrap().push(held);
    }

    pub(super) fn close(&self, id: &str) {
        self.with(id, |held| held.closed = true);
        self.changed.notify_waiters();
    }

    /// Puts records of one partition key into a shard.
    pub(super) fn put(&self, shard: &str, key: &str, all: &[&str]) {
        for data in all {
            let sequence = self.sequence.fetch_add(1, Ordering::Relaxed).to_string();
            let event = json!({
                "eventSource": "aws:kinesis",
                "eventID": format!("{shard}:{sequence}"),
                "kinesis": {
                    "sequenceNumber": sequence,
                    "partitionKey": key,
                    "data": BASE64_STANDARD.encode(data),
                },
            });
            let (arrived, partition_key) = (self.clock.now(), key.to_owned());
            let record = Record { sequence, arrived, partition_key, event };
            self.with(shard, |held| held.records.push(record));
        }
        self.changed.notify_waiters();
    }

    fn with<T>(&self, id: &str, work: impl FnOnce(&mut Held) -> T) -> T {
        let mut shards = self.shards.lock().unwrap();
        work(shards.iter_mut().find(|held| held.shard.id == id).unwrap())
    }
}

#[async_trait]
impl Stream for Double {
    async fn shards(&self, stream: &Arn) -> Result<Vec<Shard>, StreamError> {
        match stream.as_str() {
            STREAM => {
                Ok(self.shards.lock().unwrap().iter().map(|held| held.shard.clone()).collect())
            }
            _ => Err(StreamError::Missing),
        }
    }

    async fn begin(&self, _: &Arn, shard: &str, position: Position) -> Result<String, StreamError> {
        let _gate = self.gate.read().await;
        let before = self.with(shard, |held| match position {
            Position::TrimHorizon => None,
            Position::Latest => held.records.last().cloned(),
            Position::At(moment) => {
                held.records.iter().take_while(|it| it.arrived < moment).last().cloned()
            }
        });
        Ok(before.map_or("0".to_owned(), |record| record.sequence))
    }

    async fn read(
        &self,
        _: &Arn,
        shard: &str,
        after: &str,
        max: usize,
        wait: Duration,
    ) -> Result<Records, StreamError> {
        let after: u64 = after.parse().unwrap();
        let deadline = self.clock.now().plus(wait.as_millis() as u64);
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let found = self.with(shard, |held| {
                let behind = |record: &&Record| record.sequence.parse::<u64>().unwrap() > after;
                let records: Vec<Record> =
                    held.records.iter().filter(behind).take(max).cloned().collect();
                Records { end: held.closed && records.len() < max, records }
            });
            if found.end || !found.records.is_empty() || self.clock.now() >= deadline {
                return Ok(found);
            }
            tokio::select! {
                () = changed => {}
                () = self.clock.sleep_until(deadline) => {}
            }
        }
    }
}

/// A target that keeps what it is sent.
#[derive(Default)]
pub(super) struct Letters(Mutex<Vec<Value>>);

impl Letters {
    pub(super) fn all(&self) -> Vec<Value> {
        self.0.lock().unwrap().clone()
    }
}

#[async_trait]
impl Target for Letters {
    async fn deliver(&self, delivery: &Delivery) -> Result<(), DeliveryError> {
        self.0.lock().unwrap().push(serde_json::from_str(&delivery.payload).unwrap());
        Ok(())
    }

    async fn validate(&self, _: &Delivery) -> Result<(), DeliveryError> {
        Ok(())
    }
}

/// Buckets that keep what is put into them: bucket, key, JSON.
#[derive(Default)]
pub(super) struct Bucket(Mutex<Vec<(String, String, Value)>>);

impl Bucket {
    pub(super) fn all(&self) -> Vec<(String, String, Value)> {
        self.0.lock().unwrap().clone()
    }
}

#[async_trait]
impl Objects for Bucket {
    async fn get(
        &self,
        _: &Caller,
        _: &str,
        key: &str,
        _: Option<&str>,
        _: u64,
    ) -> Result<ObjectBytes, NoSuchObject> {
        Err(NoSuchObject { code: "NoSuchKey".to_owned(), message: key.to_owned() })
    }

    async fn put(
        &self,
        _: &Caller,
        bucket: &str,
        key: &str,
        body: Bytes,
    ) -> Result<(), NoSuchObject> {
        let value = serde_json::from_slice(&body).unwrap();
        self.0.lock().unwrap().push((bucket.to_owned(), key.to_owned(), value));
        Ok(())
    }
}
