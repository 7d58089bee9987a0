//! AWS X-Ray: the segments that functions send to the daemon of their instance. There is no operation
//! yet; what is kept is read by its trace, at `/_lampejo/traces/segments`.
//!
//! Always true: a function does not wait for its segment. Segments lie in files beside the store and
//! are gone after [`RETENTION_MILLIS`], X-Ray's own, or when there are more than [`SEGMENT_BYTES_LIMIT`];
//! what comes faster than it is written is dropped and counted.

mod keeper;

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use kit::{AccountId, Clock, Millis, Region};
use serde_json::Value;
use store::{DataFolder, Direction, OpenError, Query, ReadError, SegmentConfig, SegmentLog};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
};

use keeper::{Arrival, Keeper, STREAM};

/// How long segments are kept ("AWS X-Ray": traces for 30 days).
const RETENTION_MILLIS: u64 = 30 * 24 * 3_600_000;
/// Segments that are kept, in bytes; the oldest go first.
const SEGMENT_BYTES_LIMIT: u64 = 256 << 20;
/// Batches on their way to the files.
const WAITING_LIMIT: usize = 256;
/// Segments of one trace that are found.
const FOUND_LIMIT: usize = 1000;
/// Records that are looked at together.
const PAGE: usize = 1000;
/// A trace's segments arrive from a little before the time in its id, by other clocks, to this long
/// after it: functions run for minutes, workflows for hours.
const EARLY_MILLIS: u64 = 60_000;
const LATE_MILLIS: u64 = 24 * 3_600_000;

/// The service.
pub struct Xray {
    segments: SegmentLog,
    arrivals: mpsc::Sender<Arrival>,
    dropped: AtomicU64,
    clock: Clock,
    stop: watch::Sender<bool>,
    keeper: Mutex<Option<JoinHandle<()>>>,
}

impl Xray {
    /// Opens the service on a data folder, offers its port and starts its task.
    ///
    /// # Errors
    /// The files of segments cannot be opened.
    pub fn open(
        folder: &DataFolder,
        directory: &bus::Directory,
        clock: Clock,
    ) -> Result<Arc<Xray>, OpenError> {
        let segments = SegmentLog::open(&folder.join("xray"), SegmentConfig::default())?;
        let (arrivals, waiting) = mpsc::channel(WAITING_LIMIT);
        let stop = watch::Sender::new(false);
        let keeper = Keeper { log: segments.clone(), clock: clock.clone() };
        let keeper = Mutex::new(Some(tokio::spawn(keeper.run(waiting, stop.subscribe()))));
        let dropped = AtomicU64::default();
        let xray = Arc::new(Xray { segments, arrivals, dropped, clock, stop, keeper });
        directory.offer_traces(xray.clone());
        Ok(xray)
    }

    /// The segments and subsegments of a trace, in the order in which they came.
    ///
    /// # Errors
    /// They cannot be read.
    pub async fn segments(
        &self,
        account: AccountId,
        region: &Region,
        trace: &str,
    ) -> Result<Vec<Value>, ReadError> {
        self.catch_up().await;
        let place = place(account, region);
        let (from, to) = times(trace, self.clock.now());
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let query = Query {
                stream: STREAM,
                from,
                to,
                after,
                limit: PAGE,
                direction: Direction::Forward,
            };
            let page = self.segments.read(query).await?;
            for entry in &page.entries {
                after = Some(entry.position);
                let document = entry.bytes.strip_prefix(place.as_bytes()).unwrap_or_default();
                let segment: Value = serde_json::from_slice(document).unwrap_or_default();
                if segment["trace_id"] == trace && found.len() < FOUND_LIMIT {
                    found.push(segment);
                }
            }
            if !page.more || found.len() >= FOUND_LIMIT {
                return Ok(found);
            }
        }
    }

    /// Datagrams and segments that were dropped since the server's start: what was no segment, and
    /// what came too fast.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Waits until what has come so far can be read.
    async fn catch_up(&self) {
        let (mark, reached) = oneshot::channel();
        if self.arrivals.send(Arrival::Mark(mark)).await.is_ok() {
            // An error would mean that the server stops.
            let _ = reached.await;
        }
    }

    /// Keeps what is waiting, and ends.
    pub async fn shutdown(&self) {
        self.stop.send_replace(true);
        let keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(keeper) = keeper
            && keeper.await.is_err()
        {
            tracing::error!("the keeper of segments panicked");
        }
    }
}

impl bus::Traces for Xray {
    fn keep(&self, account: AccountId, region: &Region, documents: Vec<String>, dropped: u64) {
        self.dropped.fetch_add(dropped, Ordering::Relaxed);
        let count = documents.len() as u64;
        if count == 0 {
            return;
        }
        let arrival = Arrival::Segments(place(account, region), documents);
        if self.arrivals.try_send(arrival).is_err() {
            self.dropped.fetch_add(count, Ordering::Relaxed);
            tracing::warn!(%account, count, "segments came too fast; dropped");
        }
    }
}

/// What stands before a segment in its record: whose it is, and where.
fn place(account: AccountId, region: &Region) -> String {
    format!("{account}/{region}\n")
}

/// When segments of a trace may have come: its id holds the time of its begin.
fn times(trace: &str, now: Millis) -> (Millis, Millis) {
    let digits = trace.strip_prefix("1-").and_then(|rest| rest.get(..8));
    let began = digits.and_then(|digits| u64::from_str_radix(digits, 16).ok());
    let Some(began) = began.map(|seconds| Millis(seconds * 1000)) else {
        return (Millis(0), now.plus(1));
    };
    (Millis(began.0.saturating_sub(EARLY_MILLIS)), began.plus(LATE_MILLIS))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bus::Traces;

    fn segment(trace: &str, id: &str) -> String {
        format!(r#"{{"trace_id":"{trace}","id":"{id}","name":"n"}}"#)
    }

    fn open(folder: &tempfile::TempDir, clock: &Clock) -> (DataFolder, Arc<Xray>) {
        let folder = DataFolder::open(folder.path()).unwrap();
        let xray = Xray::open(&folder, &bus::Directory::default(), clock.clone()).unwrap();
        (folder, xray)
    }

    fn trace(clock: &Clock) -> String {
        format!("1-{:08x}-{}", clock.now().seconds(), "0".repeat(24))
    }

    #[tokio::test]
    async fn segments_are_found_by_their_trace_in_their_account_and_after_a_restart() {
        let (folder, clock) = (tempfile::tempdir().unwrap(), Clock::default());
        let (account, region) = (AccountId::DEFAULT, Region::default());
        let (trace, other) = (trace(&clock), "1-5759e988-bd862e3fe1be46a994272793");
        let ids = |found: Vec<Value>| -> Vec<String> {
            found.iter().map(|it| it["id"].as_str().unwrap().to_owned()).collect()
        };
        for _ in 0..2 {
            let (data, xray) = open(&folder, &clock);
            if xray.segments(account, &region, &trace).await.unwrap().is_empty() {
                let documents =
                    vec![segment(&trace, "1"), segment(other, "2"), segment(&trace, "3")];
                xray.keep(account, &region, documents, 2);
                assert_eq!(xray.dropped(), 2);
            }
            let found = xray.segments(account, &region, &trace).await.unwrap();
            assert_eq!(ids(found), ["1", "3"]);
            let stranger = "111111111111".parse().unwrap();
            assert!(xray.segments(stranger, &region, &trace).await.unwrap().is_empty());
            xray.shutdown().await;
            drop((xray, data));
        }
    }
}
