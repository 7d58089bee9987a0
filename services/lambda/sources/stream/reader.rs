//! A shard at work: reads its records, puts them into lanes, calls the function with their batches,
//! and writes down how far it is.

use std::{sync::Arc, time::Duration};

use ::store::{Batch, CommitError};
use bus::{Records, StreamError};
use kit::Millis;
use tokio::{
    sync::watch,
    task::{JoinError, JoinSet},
};

use crate::sources::{
    call::Backoff,
    stream::{
        Polled,
        checkpoint::Checkpoint,
        discard::Condition,
        event,
        lane::{Lane, Next, Ran, Read},
        piece::{Item, Piece},
        progress::Progress,
        window::Window,
    },
};

/// How long one read waits for a first record.
const LONG_POLL: Duration = Duration::from_secs(20);
/// The same where there are windows: one closes when a read that began after its end finds nothing.
const WINDOW_POLL: Duration = Duration::from_secs(1);
/// Records of one read.
const READ_RECORDS: usize = 10_000;
/// Records in memory that are not done; beyond it nothing is read. A lane that fails for long fills it.
const MAX_HELD: usize = 20_000;
/// A record may be seen this much later than it arrived.
const LATE_MILLIS: u64 = 1000;
/// Waits after a failure of the stream or of the store.
const BACKOFF: Backoff =
    Backoff { first: Duration::from_millis(100), last: Duration::from_secs(10) };

/// Why a reader has ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The shard is closed and done.
    OfShard,
    /// The mapping was deleted, or the store has stopped.
    OfMapping,
    /// It was told to.
    Stopped,
}

/// The reader of one shard.
pub(super) struct Reader {
    polled: Arc<Polled>,
    shard: String,
    lanes: Vec<Lane>,
    progress: Progress,
    /// Behind this the next read begins.
    place: String,
    read: Read,
    failures: u32,
    read_not_before: Millis,
    reads: JoinSet<(Millis, Result<Records, StreamError>)>,
    calls: JoinSet<Called>,
    stop: watch::Receiver<bool>,
}

/// A call that has ended.
enum Called {
    Batch(usize, Piece, Ran),
    Closing(usize, bool),
}

impl Reader {
    pub(super) fn new(
        polled: Arc<Polled>,
        shard: String,
        checkpoint: Checkpoint,
        stop: watch::Receiver<bool>,
    ) -> Reader {
        let place = checkpoint.place.clone();
        Reader {
            lanes: checkpoint.lanes(polled.rules.lanes),
            progress: Progress::new(place.clone()),
            place,
            read: Read { until: Millis(0), end: false },
            failures: 0,
            read_not_before: Millis(0),
            reads: JoinSet::new(),
            calls: JoinSet::new(),
            stop,
            polled,
            shard,
        }
    }

    /// Reads until the shard ends or it is told to stop; then waits for the calls under way.
    pub(super) async fn run(mut self) -> (String, End) {
        let end = match self.work().await {
            Err(end) | Ok(end) => end,
        };
        (self.shard, end)
    }

    async fn work(&mut self) -> Result<End, End> {
        let mut stop = self.stop.clone();
        while !*stop.borrow() {
            self.start_read();
            let wake = self.start_calls().await?;
            if self.is_done() {
                self.save(Vec::new()).await?;
                return Ok(End::OfShard);
            }
            let clock = self.polled.lambda.clock.clone();
            tokio::select! {
                Some(read) = self.reads.join_next() => self.take_read(read).await?,
                Some(called) = self.calls.join_next() => self.take_call(called).await?,
                () = clock.sleep_until(wake.unwrap_or_default()), if wake.is_some() => {}
                _ = stop.changed() => {}
            }
        }
        self.reads.abort_all();
        while let Some(called) = self.calls.join_next().await {
            self.take_call(called).await?;
        }
        Ok(End::Stopped)
    }

    fn is_done(&self) -> bool {
        self.read.end && self.progress.held() == 0 && self.lanes.iter().all(Lane::is_idle)
    }

    fn start_read(&mut self) {
        let now = self.polled.lambda.clock.now();
        let held = self.progress.held();
        if !self.reads.is_empty() || self.read.end || held >= MAX_HELD || now < self.read_not_before
        {
            return;
        }
        let windows = self.lanes.iter().any(|lane| lane.mark().window.is_some());
        let wait = if windows || self.polled.rules.tumbling_millis.is_some() {
            WINDOW_POLL
        } else {
            LONG_POLL
        };
        let (polled, shard) = (self.polled.clone(), self.shard.clone());
        let (place, most) = (self.place.clone(), READ_RECORDS.min(MAX_HELD - held));
        self.reads.spawn(async move {
            let source = &polled.mapping.source;
            (now, polled.stream.read(source, &shard, &place, most, wait).await)
        });
    }

    /// Starts what lanes have due; answers when to look again.
    async fn start_calls(&mut self) -> Result<Option<Millis>, End> {
        let mut wake = None::<Millis>;
        let wait_until = |wake: &mut Option<Millis>, moment| {
            *wake = Some(wake.map_or(moment, |wake| wake.min(moment)));
        };
        if self.reads.is_empty() && !self.read.end && self.progress.held() < MAX_HELD {
            wait_until(&mut wake, self.read_not_before);
        }
        for number in 0..self.lanes.len() {
            loop {
                let now = self.polled.lambda.clock.now();
                match self.lanes[number].next(&self.polled.rules, now, self.read) {
                    Next::Discard(piece) => {
                        self.give_up(piece, Condition::RecordAgeExceeded).await?;
                        continue;
                    }
                    Next::Call(piece, window) => self.start_call(number, piece, window),
                    Next::Close(window) => self.start_closing(number, window),
                    // The read that is under way ends when the window does.
                    Next::Wait(moment) if moment <= now => {}
                    Next::Wait(moment) => wait_until(&mut wake, moment),
                    Next::Rest => {}
                }
                break;
            }
        }
        Ok(wake)
    }

    fn start_call(&mut self, lane: usize, piece: Piece, window: Option<Window>) {
        let (polled, shard) = (self.polled.clone(), self.shard.clone());
        self.calls.spawn(async move {
            let ran = polled.call(&shard, &piece, window.as_ref()).await;
            Called::Batch(lane, piece, ran)
        });
    }

    fn start_closing(&mut self, lane: usize, window: Window) {
        let (polled, shard) = (self.polled.clone(), self.shard.clone());
        self.calls.spawn(async move {
            let succeeded = polled.close(&shard, &window).await;
            Called::Closing(lane, succeeded)
        });
    }

    async fn take_read(
        &mut self,
        read: Result<(Millis, Result<Records, StreamError>), JoinError>,
    ) -> Result<(), End> {
        let now = self.polled.lambda.clock.now();
        let (began, records) = match read {
            Ok((began, Ok(records))) => (began, records),
            Ok((_, Err(error))) => {
                tracing::debug!(shard = self.shard, %error, "reading failed");
                self.read_not_before = now.plus(BACKOFF.after(self.failures).as_millis() as u64);
                self.failures += 1;
                return Ok(());
            }
            Err(_) => return Ok(()),
        };
        self.failures = 0;
        self.read.end = records.end;
        if records.records.is_empty() {
            self.read.until = Millis(began.0.saturating_sub(LATE_MILLIS));
            return Ok(());
        }
        let role = self.polled.role();
        for record in records.records {
            self.place.clone_from(&record.sequence);
            let number = self.progress.read(record.sequence.clone());
            let lane = &mut self.lanes[self.polled.rules.lane(&record.partition_key)];
            if lane.has_done(&record.sequence) || !self.polled.filters.pass(&record.event) {
                self.progress.finish(number);
                continue;
            }
            let event = event::record(record.event, &role);
            let (sequence, arrived) = (record.sequence, record.arrived);
            lane.admit(Item { number, sequence, arrived, event }, now);
        }
        if self.progress.advance() { self.save(Vec::new()).await } else { Ok(()) }
    }

    async fn take_call(&mut self, called: Result<Called, JoinError>) -> Result<(), End> {
        let now = self.polled.lambda.clock.now();
        let (lane, piece, ran) = match called {
            Ok(Called::Batch(lane, piece, ran)) => (lane, piece, ran),
            Ok(Called::Closing(lane, succeeded)) => {
                self.lanes[lane].settle_closing(succeeded, now);
                return if succeeded { self.save(Vec::new()).await } else { Ok(()) };
            }
            // A call that panicked: what it held comes again with the next run of the server.
            Err(error) => {
                tracing::error!(%error, "a call of a stream's batch has failed");
                return Err(End::OfMapping);
            }
        };
        let settled = self.lanes[lane].settle(piece, ran, &self.polled.rules, now);
        for item in &settled.done {
            self.progress.finish(item.number);
        }
        if let Some(piece) = settled.given_up {
            return self.give_up(piece, Condition::RetryAttemptsExhausted).await;
        }
        if settled.done.is_empty() {
            return Ok(());
        }
        self.progress.advance();
        self.save(Vec::new()).await
    }

    /// Tells the destination of records that will not be tried again, and counts them as done.
    async fn give_up(&mut self, piece: Piece, condition: Condition) -> Result<(), End> {
        let Polled { lambda, mapping, .. } = &*self.polled;
        let told = lambda.tell_of_discard(mapping, &self.shard, &piece, condition).await;
        for item in &piece.items {
            self.progress.finish(item.number);
        }
        self.progress.advance();
        self.save(told.into_iter().collect()).await
    }

    /// Writes down how far the shard is, with what is on its way to the destination.
    async fn save(&mut self, deliveries: Vec<bus::Delivery>) -> Result<(), End> {
        let Polled { lambda, mapping, .. } = &*self.polled;
        let checkpoint = Checkpoint::of(&self.progress, &self.lanes, self.is_done());
        let mut failures = 0;
        loop {
            let mut batch = Batch::new();
            let ticket = lambda.bus.enqueue(&mut batch, deliveries.clone());
            let changes = [(self.shard.as_str(), Some(&checkpoint))];
            match lambda.save_checkpoints(&mapping.id, &changes, batch).await {
                Ok(()) => {
                    ticket.release();
                    return Ok(());
                }
                Err(CommitError::DiskFull) => {
                    tracing::warn!(shard = self.shard, "the disk is full");
                    let mut stop = self.stop.clone();
                    tokio::select! {
                        () = lambda.clock.sleep(BACKOFF.after(failures)) => failures += 1,
                        _ = stop.wait_for(|stop| *stop) => return Err(End::Stopped),
                    }
                }
                Err(_) => return Err(End::OfMapping),
            }
        }
    }
}
