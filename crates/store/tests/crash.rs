//! A process that writes is killed at arbitrary moments. What it acknowledged is there, and no
//! transaction is there by half.
#![allow(clippy::unwrap_used, reason = "a test: a failure is a panic")]

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, Command, Stdio},
};

use futures::TryStreamExt;
use kit::Millis;
use serde::{Deserialize, Serialize};
use store::{
    Batch, BlobId, DataFolder, Direction, Durability, Key, Query, Record, SegmentConfig,
    SegmentLog, Store,
};

/// Tells the child where to write; without it `the_child` is not one.
const FOLDER: &str = "LAMPEJO_CRASH_TEST_FOLDER";

const ROUNDS: usize = 10;
const ROWS_PER_BATCH: u64 = 20;
const SEGMENTS: SegmentConfig = SegmentConfig { segment_bytes: 4_000 };

#[derive(Serialize, Deserialize)]
struct Row {
    batch: u64,
    blob: Option<BlobId>,
}

fn batch_key(batch: u64) -> Key {
    Key::table("crash/row").number(batch)
}

#[tokio::test]
async fn a_kill_at_any_moment_loses_nothing_acknowledged_and_leaves_no_half() {
    let temporary = tempfile::tempdir().unwrap();
    let mut acknowledged = 0;
    for round in 0..ROUNDS {
        let mut child = spawn_child(temporary.path());
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut lines = output.lines().map_while(Result::ok).filter_map(|line| number(&line));
        // Different in every round, so that the kill meets different moments.
        for _ in 0..5 + round * 17 {
            acknowledged = lines.next().expect("the child lives until it is killed");
        }
        child.kill().unwrap();
        acknowledged = lines.last().unwrap_or(acknowledged);
        child.wait().unwrap();
        let next = check(temporary.path(), acknowledged).await;
        assert!(next - acknowledged <= 2, "batches {acknowledged} to {next} were never asked for");
    }
    assert!(acknowledged > 500, "{acknowledged}");
}

/// Not a test of its own: what the test above starts and kills.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_child() {
    let Some(path) = std::env::var_os(FOLDER) else { return };
    let folder = DataFolder::open(path).unwrap();
    let store = Store::open(&folder).unwrap();
    let log = SegmentLog::open(&folder.join("log"), SEGMENTS).unwrap();
    let mut batch = store
        .last_rows(&Key::table("crash/row"), 1)
        .await
        .unwrap()
        .first()
        .map_or(1, |row| row.decode::<Row>().unwrap().batch + 1);
    loop {
        write(&store, &log, batch).await;
        // One write per line: a kill leaves no part of it.
        std::io::stdout().write_all(format!("\nacknowledged {batch}\n").as_bytes()).unwrap();
        batch += 1;
    }
}

async fn write(store: &Store, log: &SegmentLog, number: u64) {
    let record = Record { at: Millis(number), bytes: format!("batch {number}").into() };
    log.append(1, Millis(0), vec![record], Durability::Durable).await.unwrap();
    let mut blob = None;
    if number.is_multiple_of(5) {
        let mut writer = store.blobs().writer().await.unwrap();
        writer.write(vec![number as u8; 10_000].into()).await.unwrap();
        blob = Some(writer.finish().await.unwrap());
    }
    let mut batch = Batch::new();
    for row in 0..ROWS_PER_BATCH {
        batch.put(batch_key(number).number(row), &Row { batch: number, blob });
    }
    store.commit(batch).await.unwrap();
}

fn spawn_child(folder: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_child", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

fn number(line: &str) -> Option<u64> {
    line.strip_prefix("acknowledged ")?.parse().ok()
}

/// Checks everything, and answers with the last batch that is there.
async fn check(path: &Path, acknowledged: u64) -> u64 {
    let folder = DataFolder::open(path).unwrap();
    let store = Store::open(&folder).unwrap();
    let mut batch = 1;
    loop {
        let rows = store.list::<Row>(&batch_key(batch), None, 100).await.unwrap();
        if rows.is_empty() {
            break;
        }
        assert_eq!(rows.len() as u64, ROWS_PER_BATCH, "batch {batch} is there by half");
        if let Some(blob) = rows[0].1.blob {
            let chunks = store.blobs().read(blob, 0..10_000).await.unwrap();
            let bytes: Vec<bytes::Bytes> = chunks.try_collect().await.unwrap();
            assert!(bytes.concat() == vec![batch as u8; 10_000], "the blob of batch {batch}");
        }
        batch += 1;
    }
    let last = batch - 1;
    assert!(last >= acknowledged, "{acknowledged} was acknowledged, {last} is the last");
    let log = SegmentLog::open(&folder.join("log"), SEGMENTS).unwrap();
    let (from, to) = (Millis(0), Millis(u64::MAX));
    let all =
        Query { stream: 1, from, to, after: None, limit: 100_000, direction: Direction::Forward };
    let mut logged: Vec<u64> =
        log.read(all).await.unwrap().entries.iter().map(|entry| entry.at.0).collect();
    // A batch whose record was logged but whose rows were not is written again by the next child.
    logged.dedup();
    assert!(logged.len() as u64 >= last, "{} records for {last} batches", logged.len());
    assert!(logged.iter().copied().eq(1..=logged.len() as u64), "no record is missing");
    last
}
