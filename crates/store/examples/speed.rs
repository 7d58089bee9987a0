//! Measures the store against what the disk allows, and prints a table.
//! `cargo run --release -p lampejo-store --example speed [folder]`; the folder decides which disk.
//! Everything is bounded and runs for less than a minute.
#![allow(clippy::unwrap_used, reason = "a measurement that fails is no measurement")]

use std::{
    fs::File,
    io::Write,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures::{StreamExt, future::join_all};
use kit::Millis;
use store::{
    Batch, Blobs, DataFolder, Direction, Durability, Engine, FjallEngine, Key, Query, Record,
    SegmentConfig, SegmentLog, Store,
};
use tokio::sync::oneshot;

const ROW_BYTES: usize = 256;
const ROUND: Duration = Duration::from_millis(700);
const ROUNDS: usize = 3;

fn main() {
    let parent =
        std::env::args().nth(1).unwrap_or_else(|| std::env::temp_dir().display().to_string());
    let folder = tempfile::tempdir_in(parent).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(idle(folder.path()));
    runtime.block_on(commits(folder.path()));
    runtime.block_on(rows(folder.path()));
    runtime.block_on(blobs(folder.path()));
    runtime.block_on(logs(folder.path()));
}

async fn idle(folder: &Path) {
    let before = resident_bytes();
    let begin = Instant::now();
    let folder = DataFolder::open(folder.join("idle")).unwrap();
    let store = Store::open(&folder).unwrap();
    line("opening an empty folder, ms", millis(begin));
    drop(store);
    let begin = Instant::now();
    let _store = Store::open(&folder).unwrap();
    line("opening it again, ms", millis(begin));
    line("resident memory of an idle store, MB", (resident_bytes() - before) / 1e6);
}

/// Commits of one row, beside the same bytes appended to a bare file in groups, in turns.
async fn commits(folder: &Path) {
    let engine = Arc::new(FjallEngine::open(&folder.join("commits")).unwrap());
    let floor = Arc::new(Floor::open(&folder.join("floor")));
    println!("{:<44}{:>12}{:>12}{:>8}", "durable commits/s", "bare file", "engine", "ratio");
    for clients in [1, 8, 64] {
        let (mut bare, mut ours) = (0.0_f64, 0.0_f64);
        for _ in 0..ROUNDS {
            bare = bare.max(clients_per_second(clients, floor.clone(), Floor::append).await);
            ours = ours.max(clients_per_second(clients, engine.clone(), put_one).await);
        }
        let label = format!("{clients} clients, {ROW_BYTES} byte rows");
        println!("{label:<44}{bare:>12.0}{ours:>12.0}{:>8.2}", ours / bare);
    }
}

async fn clients_per_second<T, F>(clients: u64, on: Arc<T>, step: fn(Arc<T>, u64) -> F) -> f64
where
    T: Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let begin = Instant::now();
    let tasks = (0..clients).map(|client| {
        let on = on.clone();
        tokio::spawn(async move {
            let mut steps = 0_u64;
            while begin.elapsed() < ROUND {
                step(on.clone(), (client << 32) + steps).await;
                steps += 1;
            }
            steps
        })
    });
    let steps: u64 = join_all(tasks).await.into_iter().map(Result::unwrap).sum();
    steps as f64 / begin.elapsed().as_secs_f64()
}

async fn put_one(engine: Arc<FjallEngine>, number: u64) {
    let mut batch = Batch::new();
    batch.put_bytes(Key::table("speed/row").number(number), vec![7; ROW_BYTES].into());
    engine.commit(batch).await.unwrap();
}

/// The least a durable write can cost: one thread, one write and one sync per group.
struct Floor(flume::Sender<(Bytes, oneshot::Sender<()>)>);

impl Floor {
    fn open(path: &Path) -> Floor {
        let mut file = File::create(path).unwrap();
        // As journals do: syncs then have no new length to write.
        file.set_len(64 << 20).unwrap();
        let (queue, waiting) = flume::bounded::<(Bytes, oneshot::Sender<()>)>(1024);
        std::thread::spawn(move || {
            while let Ok(first) = waiting.recv() {
                let group: Vec<_> = std::iter::once(first).chain(waiting.try_iter()).collect();
                let bytes: Vec<u8> = group.iter().flat_map(|(bytes, _)| bytes.to_vec()).collect();
                file.write_all(&bytes).unwrap();
                file.sync_data().unwrap();
                for (_, answer) in group {
                    let _ = answer.send(());
                }
            }
        });
        Floor(queue)
    }

    async fn append(self: Arc<Floor>, _number: u64) {
        let (answer, answered) = oneshot::channel();
        self.0.send_async((vec![7; ROW_BYTES + 40].into(), answer)).await.unwrap();
        answered.await.unwrap();
    }
}

/// Opening after a million writes, reads, and what deleted rows cost a scan.
async fn rows(folder: &Path) {
    let path = folder.join("rows");
    let table = Key::table("speed/queue");
    let engine = FjallEngine::open(&path).unwrap();
    let begin = Instant::now();
    for chunk in 0..1_000_u64 {
        let mut batch = Batch::new();
        for row in 0..1_000 {
            batch.put_bytes(table.clone().number(chunk * 1_000 + row), vec![7; 100].into());
        }
        engine.commit(batch).await.unwrap();
    }
    line("bulk load, rows/s (1,000 a commit)", 1e6 / begin.elapsed().as_secs_f64());
    drop(engine);
    let begin = Instant::now();
    let engine = FjallEngine::open(&path).unwrap();
    line("opening after 1,000,000 rows, ms", millis(begin));
    let begin = Instant::now();
    for number in 0..100_000 {
        engine.get(&table.clone().number(number * 7 % 1_000_000)).await.unwrap().unwrap();
    }
    line("get, one reader, rows/s", 1e5 / begin.elapsed().as_secs_f64());
    for deleted in [0, 10_000, 100_000, 500_000_u64] {
        for chunk in (0..deleted).collect::<Vec<_>>().chunks(1_000) {
            let mut batch = Batch::new();
            chunk.iter().for_each(|number| {
                batch.delete(table.clone().number(*number));
            });
            engine.commit(batch).await.unwrap();
        }
        let begin = Instant::now();
        for _ in 0..5 {
            engine.range(&table, &table.clone().end(), 10).await.unwrap();
        }
        line(&format!("first 10 rows behind {deleted} deleted, ms"), millis(begin) / 5.0);
    }
    drop(engine);
    let begin = Instant::now();
    let _engine = FjallEngine::open(&path).unwrap();
    line("opening after the deletes, ms", millis(begin));
    line("resident memory, MB", resident_bytes() / 1e6);
}

/// Each file is removed again, so that the next one finds memory that is in use already: on a
/// virtual machine the first touch of a page costs more than writing it.
async fn blobs(folder: &Path) {
    let blobs = Blobs::open(&folder.join("blobs")).unwrap();
    let (chunk, size) = (Bytes::from(vec![7_u8; 64 << 10]), 64 << 20_u64);
    let speed = |begin: Instant| size as f64 / begin.elapsed().as_secs_f64() / 1e6;
    let (mut bare, mut writes, mut reads) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..9 {
        let begin = Instant::now();
        let path = folder.join("bare");
        let mut file = File::create(&path).unwrap();
        (0..size >> 20).for_each(|_| file.write_all(&[7; 1 << 20]).unwrap());
        file.sync_all().unwrap();
        bare.push(speed(begin));
        std::fs::remove_file(path).unwrap();
        let begin = Instant::now();
        let mut writer = blobs.writer().await.unwrap();
        for _ in 0..size / chunk.len() as u64 {
            writer.write(chunk.clone()).await.unwrap();
        }
        let id = writer.finish().await.unwrap();
        writes.push(speed(begin));
        let begin = Instant::now();
        let mut stream = blobs.read(id, 0..size).await.unwrap();
        while let Some(chunk) = stream.next().await {
            chunk.unwrap();
        }
        reads.push(speed(begin));
        blobs.delete(vec![id]).await.unwrap();
    }
    line("64 MiB bare file, durable write, median MB/s", median(bare));
    line("64 MiB blob, durable write, median MB/s", median(writes));
    line("64 MiB blob, cached read, median MB/s", median(reads));
    let begin = Instant::now();
    for _ in 0..200 {
        let mut writer = blobs.writer().await.unwrap();
        writer.write(chunk.clone()).await.unwrap();
        writer.finish().await.unwrap();
    }
    line("64 KiB blobs, one writer, durable, blobs/s", 200.0 / begin.elapsed().as_secs_f64());
}

/// Records of 100 bytes, ten to an append, of 64 streams.
async fn logs(folder: &Path) {
    let path = folder.join("logs");
    let log = SegmentLog::open(&path, SegmentConfig::default()).unwrap();
    for (label, durability) in [("durable", Durability::Durable), ("lazy", Durability::Lazy)] {
        let begin = Instant::now();
        let streams = (0..64).map(|stream| {
            let log = log.clone();
            tokio::spawn(async move {
                for at in 0..1_000 {
                    let record = || Record { at: Millis(at), bytes: vec![7; 100].into() };
                    let records = std::iter::repeat_with(record).take(10).collect();
                    log.append(stream, Millis(at), records, durability).await.unwrap();
                }
            })
        });
        join_all(streams).await.into_iter().for_each(|done| done.unwrap());
        let label = format!("log, 64 streams, {label}, records/s");
        line(&label, 640_000.0 / begin.elapsed().as_secs_f64());
    }
    let begin = Instant::now();
    let (from, to) = (Millis(500), Millis(600));
    let direction = Direction::Forward;
    let query = Query { stream: 7, from, to, after: None, limit: 10_000, direction };
    let found = log.read(query).await.unwrap().entries.len();
    line(&format!("log, {found} of 1,280,000 records by time, ms"), millis(begin));
    drop(log);
    let begin = Instant::now();
    let _log = SegmentLog::open(&path, SegmentConfig::default()).unwrap();
    line("opening the log, ms", millis(begin));
}

fn line(label: &str, value: f64) {
    println!("{label:<44}{value:>12.1}");
}

fn millis(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn resident_bytes() -> f64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<f64>().unwrap() * 4096.0
}
