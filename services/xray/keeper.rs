//! The task that keeps segments: it takes them as they come, appends them together, and drops what is
//! too old or too much.

use std::time::Duration;

use bytes::Bytes;
use kit::{Clock, Millis};
use store::{Durability, Record, SegmentLog};
use tokio::sync::{mpsc, oneshot, watch};

use crate::{RETENTION_MILLIS, SEGMENT_BYTES_LIMIT};

/// The one stream of the log: its bytes must be counted together.
pub(crate) const STREAM: u64 = 0;
/// How often what is too old or too much is dropped.
const EVERY: Duration = Duration::from_secs(60);
/// Bytes that one append takes, at most.
const APPEND_BYTES: usize = 4 << 20;

/// What reaches the task.
pub(crate) enum Arrival {
    /// Segments, and what stands before each in its record.
    Segments(String, Vec<String>),
    /// Answered when all that came before is kept.
    Mark(oneshot::Sender<()>),
}

/// What the task works with.
pub(crate) struct Keeper {
    pub(crate) log: SegmentLog,
    pub(crate) clock: Clock,
}

impl Keeper {
    /// Works until it is told to stop; then keeps what is waiting, and ends.
    pub(crate) async fn run(
        self,
        mut arrivals: mpsc::Receiver<Arrival>,
        mut stop: watch::Receiver<bool>,
    ) {
        let mut tidy_at = self.clock.now();
        loop {
            tokio::select! {
                arrival = arrivals.recv() => match arrival {
                    Some(arrival) => self.keep(arrival).await,
                    None => return,
                },
                () = self.clock.sleep_until(tidy_at) => {
                    self.tidy().await;
                    tidy_at = self.clock.now().plus(EVERY.as_millis() as u64);
                }
                _ = stop.changed() => break,
            }
        }
        while let Ok(arrival) = arrivals.try_recv() {
            self.keep(arrival).await;
        }
    }

    async fn keep(&self, arrival: Arrival) {
        let (place, documents) = match arrival {
            Arrival::Segments(place, documents) => (place, documents),
            Arrival::Mark(mark) => {
                // Whoever waited may have gone.
                let _ = mark.send(());
                return;
            }
        };
        let now = self.clock.now();
        let mut records = Vec::new();
        let mut bytes = 0;
        for document in documents {
            if bytes + document.len() > APPEND_BYTES {
                self.append(now, std::mem::take(&mut records)).await;
                bytes = 0;
            }
            bytes += document.len();
            records.push(Record { at: now, bytes: Bytes::from(format!("{place}{document}")) });
        }
        self.append(now, records).await;
    }

    async fn append(&self, now: Millis, records: Vec<Record>) {
        let count = records.len();
        if let Err(error) = self.log.append(STREAM, now, records, Durability::Lazy).await {
            tracing::error!(%error, count, "segments are lost");
        }
    }

    /// Drops what is too old or too much.
    async fn tidy(&self) {
        let aged = Millis(self.clock.now().0.saturating_sub(RETENTION_MILLIS));
        let spans = self.log.spans(STREAM, Millis(0)..Millis(u64::MAX));
        let sizes = spans.iter().map(|span| (span.latest(), span.read_bytes()));
        let from = aged.max(first_to_keep(sizes.rev(), SEGMENT_BYTES_LIMIT));
        match self.log.retain(move |_| Some(from)).await {
            Ok(0) => {}
            Ok(bytes) => tracing::info!(bytes, "old segments are gone"),
            Err(error) => tracing::error!(%error, "old segments could not be removed"),
        }
    }
}

/// The time from which spans, the newest one first, are kept within a limit.
fn first_to_keep(spans: impl Iterator<Item = (Millis, u64)>, limit_bytes: u64) -> Millis {
    let mut bytes = 0;
    for (latest, size) in spans {
        bytes += size;
        if bytes > limit_bytes {
            return Millis(latest.0 + 1);
        }
    }
    Millis(0)
}
