//! The task that keeps records: it takes what calls have left, appends it, counts what was
//! seen, writes that out now and then, and drops what is too old or too much.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use ::store::{Direction, Durability, Key, Position, Query, ReadError, SegmentLog, Store};
use bytes::Bytes;
use kit::{Clock, Millis};
use tokio::sync::{Notify, watch};

use super::{
    RECORD_BYTES_LIMIT, RETENTION_MILLIS, Record,
    gather::Gathered,
    seen::{Deed, Row, SEEN, Seen},
};

/// The one stream of the log: its bytes must be counted together.
pub(super) const STREAM: u64 = 0;
/// How long calls are gathered: to be woken for each costs more than to write it, and those that are
/// alike become one record.
const GATHERING: Duration = Duration::from_millis(100);
/// How often what was seen is written and what is too old dropped.
const EVERY: Duration = Duration::from_secs(60);
/// Records that are read together when what was seen is brought up to date.
const PAGE: usize = 1000;

/// What the task works with.
pub(super) struct Writer {
    pub(super) store: Store,
    pub(super) clock: Clock,
    pub(super) log: SegmentLog,
    pub(super) seen: Arc<Mutex<Seen>>,
    /// The last record that `seen` counts.
    pub(super) counted: Option<Position>,
    /// The last one that its rows count.
    pub(super) written: Option<Position>,
    pub(super) gathered: Arc<Mutex<Gathered>>,
    /// Tells that a first call is gathered.
    pub(super) first: Arc<Notify>,
    /// Tells that somebody waits for what is gathered.
    pub(super) hurry: Arc<Notify>,
}

impl Writer {
    /// Works until it is told to stop; then keeps what is waiting, and ends.
    pub(super) async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut tidy_at = self.clock.now();
        loop {
            tokio::select! {
                () = self.first.notified() => {
                    tokio::select! {
                        () = self.clock.sleep(GATHERING) => {}
                        () = self.hurry.notified() => {}
                        _ = stop.changed() => break,
                    }
                    self.keep().await;
                }
                () = self.hurry.notified() => self.keep().await,
                () = self.clock.sleep_until(tidy_at) => {
                    self.tidy().await;
                    tidy_at = self.clock.now().plus(EVERY.as_millis() as u64);
                }
                _ = stop.changed() => break,
            }
        }
        self.keep().await;
        self.write_seen().await;
    }

    async fn keep(&mut self) {
        let (records, marks) = self.gathered.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Err(error) = self.append(&records).await {
            // The calls have long been answered; what they did is counted all the same.
            tracing::error!(%error, "records of decisions could not be kept");
        }
        for mark in marks {
            // Whoever waited may have gone.
            let _ = mark.send(());
        }
    }

    async fn append(&mut self, records: &[Record]) -> Result<(), ::store::AppendError> {
        if records.is_empty() {
            return Ok(());
        }
        let rows = records.iter().map(|record| ::store::Record {
            at: record.at,
            bytes: Bytes::from(serde_json::to_vec(record).expect("records are plain values")),
        });
        let rows = rows.collect();
        self.seen(|seen| records.iter().for_each(|record| seen.note(record)));
        let now = self.clock.now();
        let positions = self.log.append(STREAM, now, rows, Durability::Lazy).await?;
        self.counted = positions.last().copied().or(self.counted);
        Ok(())
    }

    /// Writes what was seen; drops what is too old or too much.
    async fn tidy(&mut self) {
        let now = self.clock.now();
        let aged = Millis(now.0.saturating_sub(RETENTION_MILLIS));
        self.seen(|seen| seen.forget_before(aged));
        self.write_seen().await;
        let spans = self.log.spans(STREAM, Millis(0)..Millis(u64::MAX));
        let sizes = spans.iter().map(|span| (span.latest(), span.read_bytes()));
        let from = aged.max(first_to_keep(sizes.rev(), RECORD_BYTES_LIMIT));
        match self.log.retain(move |_| Some(from)).await {
            Ok(0) => {}
            Ok(bytes) => tracing::info!(bytes, "old records of decisions are gone"),
            Err(error) => tracing::error!(%error, "old records of decisions could not be removed"),
        }
    }

    async fn write_seen(&mut self) {
        let mut batch = self.seen(Seen::take_unwritten);
        if batch.is_empty() && self.counted == self.written {
            return;
        }
        let counted = self.counted;
        if let Some(position) = counted {
            batch.put(counted_key(), &position);
        }
        match self.store.commit(batch).await {
            Ok(_) => self.written = counted,
            // The next use writes it again.
            Err(error) => tracing::warn!(%error, "what was seen could not be written"),
        }
    }

    fn seen<R>(&self, change: impl FnOnce(&mut Seen) -> R) -> R {
        change(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner).close();
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

/// What was seen as it was written, brought up to date with the records behind it.
pub(super) async fn load(
    store: &Store,
    log: &SegmentLog,
) -> Result<(Seen, Option<Position>), ReadError> {
    let mut seen = Seen::default();
    let mut each = |key: Key, row: Row| {
        if let Some(deed) = Deed::of_key(&key) {
            seen.load(deed, row);
        }
    };
    store.scan::<Row>(&Key::table(SEEN), &mut each).await?;
    let mut counted: Option<Position> = store.read(&counted_key()).await?;
    loop {
        let page = log.read(all_behind(counted)).await?;
        for entry in &page.entries {
            counted = Some(entry.position);
            if let Ok(record) = serde_json::from_slice(&entry.bytes) {
                seen.note(&record);
            }
        }
        if !page.more {
            return Ok((seen, counted));
        }
    }
}

fn all_behind(after: Option<Position>) -> Query {
    Query {
        stream: STREAM,
        from: Millis(0),
        to: Millis(u64::MAX),
        after,
        limit: PAGE,
        direction: Direction::Forward,
    }
}

/// The row of the last record that the rows of what was seen count.
fn counted_key() -> Key {
    Key::table("iam/seen-until")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_spans_go_first() {
        let spans = [(Millis(30), 10), (Millis(20), 10), (Millis(10), 10)];
        let from = |limit_bytes| first_to_keep(spans.into_iter(), limit_bytes);
        assert_eq!(from(30), Millis(0));
        assert_eq!(from(29), Millis(11));
        assert_eq!(from(10), Millis(21));
    }
}
