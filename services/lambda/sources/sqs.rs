//! The poller of a queue: leases messages, runs the function on each batch, deletes what succeeded.
//! What failed becomes visible again when its visibility timeout ends, and the queue's redrive
//! policy counts it.

use std::{sync::Arc, time::Duration};

use bus::{Leased, Queue, QueueError};
use bytes::Bytes;
use tokio::{sync::watch, task::JoinSet};

use crate::{
    Error, Lambda,
    sources::{
        Ready,
        answer::{self, Failures},
        batch::{self, Record},
        call::{self, Backoff},
        filter::Filters,
        loops,
        mapping::Mapping,
        scale::{Bounds, Scale},
    },
};

/// How long one receive waits for a first message.
const LONG_POLL: Duration = Duration::from_secs(20);
/// Waits after a failure of the queue or a throttle.
const BACKOFF: Backoff =
    Backoff { first: Duration::from_millis(100), last: Duration::from_secs(10) };

/// Polls until told to stop, then waits for the batches under way.
pub(crate) async fn poll(
    lambda: Arc<Lambda>,
    mapping: Arc<Mapping>,
    ready: Ready,
    mut stop: watch::Receiver<bool>,
) {
    let Some(queue) = lambda.bus.directory().queues().cloned() else { return };
    let Ok(filters) = Filters::parse(&mapping.filters, mapping.payload()) else { return };
    let mut scale = Scale::new(Bounds::of(&mapping), lambda.clock.clone());
    let poller = Arc::new(Poller { lambda, mapping, queue, filters, stop: stop.clone() });
    let mut batches = JoinSet::new();
    let mut failures = 0;
    drop(ready);
    while !*stop.borrow() {
        let place = tokio::select! {
            place = scale.place() => place,
            _ = stop.changed() => break,
        };
        match poller.receive(&mut stop).await {
            Ok(messages) if messages.is_empty() => {
                failures = 0;
                drop(place);
                scale.shrink();
            }
            Ok(messages) => {
                failures = 0;
                let poller = poller.clone();
                batches.spawn(async move {
                    poller.process_in_turn(messages).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::debug!(mapping = poller.mapping.id, %error, "receiving failed");
                let wait = BACKOFF.after(failures);
                failures += 1;
                tokio::select! {
                    () = poller.lambda.clock.sleep(wait) => {}
                    _ = stop.changed() => break,
                }
            }
        }
        while batches.try_join_next().is_some() {}
    }
    while batches.join_next().await.is_some() {}
}

/// What every batch of one mapping shares.
pub(crate) struct Poller {
    pub(crate) lambda: Arc<Lambda>,
    pub(crate) mapping: Arc<Mapping>,
    pub(crate) queue: Arc<dyn Queue>,
    filters: Filters,
    stop: watch::Receiver<bool>,
}

impl Poller {
    /// The messages of one batch; waits for the first, then for the rest as long as the window says.
    /// When told to stop it answers with what it has: leased messages must not be forgotten.
    async fn receive(&self, stop: &mut watch::Receiver<bool>) -> Result<Vec<Leased>, QueueError> {
        let (source, size) = (&self.mapping.source, self.mapping.batch_size as usize);
        let mut messages = tokio::select! {
            first = self.queue.receive(source, size, LONG_POLL) => first?,
            _ = stop.changed() => return Ok(Vec::new()),
        };
        if messages.is_empty() || self.mapping.window_seconds == 0 {
            return Ok(messages);
        }
        let clock = &self.lambda.clock;
        let end = clock.now().plus_seconds(u64::from(self.mapping.window_seconds));
        while messages.len() < size {
            let left = Duration::from_millis(end.since(clock.now()));
            if left.is_zero() {
                break;
            }
            let more = tokio::select! {
                more = self.queue.receive(source, size - messages.len(), left) => more,
                _ = stop.changed() => break,
            };
            // What is leased already is processed whatever the queue says now.
            let Ok(more) = more else { break };
            messages.extend(more);
        }
        Ok(messages)
    }

    /// Runs the function on one batch after the other: they have one place, and a group of a FIFO
    /// queue may go on in the next one. There a failure ends it, so that nothing overtakes what failed.
    async fn process_in_turn(&self, messages: Vec<Leased>) {
        let fifo = self.mapping.source.resource().ends_with(".fifo");
        for batch in call::split(messages, |message| self.record(message).bytes()) {
            let succeeded = self.process(batch).await;
            if fifo && !succeeded {
                return;
            }
        }
    }

    /// Runs the function on one batch; answers whether all of it succeeded.
    async fn process(&self, mut messages: Vec<Leased>) -> bool {
        if !self.filters.is_empty() {
            messages = self.drop_filtered(messages).await;
        }
        messages = self.drop_loops(messages).await;
        if messages.is_empty() {
            return true;
        }
        let source = &self.mapping.source;
        let event = batch::event(&messages, source.as_str(), source.region());
        let Some((failed, answer)) = self.run(Bytes::from(event), &messages).await else {
            return false;
        };
        let failures = match (failed, self.mapping.report_item_failures) {
            (true, _) => Failures::All,
            (false, false) => Failures::None,
            (false, true) => answer::failures(&answer, messages.iter().map(|it| it.id.as_str())),
        };
        let succeeded = failures == Failures::None;
        let failed = match failures {
            Failures::All => return false,
            Failures::None => Vec::new(),
            Failures::Some(positions) => positions,
        };
        let done = messages.into_iter().enumerate();
        let done = done.filter(|(position, _)| !failed.contains(position));
        let done: Vec<String> = done.map(|(_, message)| message.receipt).collect();
        self.delete(&done).await;
        succeeded
    }

    fn record<'a>(&'a self, message: &'a Leased) -> Record<'a> {
        let source = &self.mapping.source;
        Record::of(message, source.as_str(), source.region())
    }

    /// Deletes the messages that no filter lets through; gives back the others.
    async fn drop_filtered(&self, messages: Vec<Leased>) -> Vec<Leased> {
        let (pass, drop): (Vec<_>, Vec<_>) = messages.into_iter().partition(|message| {
            let record = serde_json::to_value(self.record(message));
            record.is_ok_and(|record| self.filters.pass(&record))
        });
        let receipts: Vec<String> = drop.into_iter().map(|message| message.receipt).collect();
        self.delete(&receipts).await;
        pass
    }

    pub(crate) async fn delete(&self, receipts: &[String]) {
        if receipts.is_empty() {
            return;
        }
        if let Err(error) = self.queue.delete(&self.mapping.source, receipts).await {
            // They come again: at least once.
            tracing::warn!(mapping = self.mapping.id, %error, "deleting processed messages failed");
        }
    }

    /// Runs the function; tries throttled batches again while their lease lasts. `None`: it never
    /// ran, and the messages are back in the queue or will be.
    async fn run(&self, event: Bytes, messages: &[Leased]) -> Option<(bool, Bytes)> {
        let clock = &self.lambda.clock;
        let shape = self.queue.shape(&self.mapping.source).await;
        let lease = shape.map_or(30, |shape| shape.visibility_timeout_seconds);
        let until = clock.now().plus_seconds(u64::from(lease) / 2);
        let mut attempt = 0;
        loop {
            let trace = loops::trace(messages);
            let error = match self.lambda.call(&self.mapping, event.clone(), trace).await {
                Ok(called) => return Some((called.failed, called.answer)),
                Err(error) => error,
            };
            let stopping = matches!(error, Error::Stopping) || *self.stop.borrow();
            let wait = BACKOFF.after(attempt);
            if stopping || clock.now().plus(wait.as_millis() as u64) > until {
                tracing::debug!(mapping = self.mapping.id, %error, "batch goes back");
                let delay = if stopping { Duration::ZERO } else { wait };
                self.give_back(messages, delay).await;
                return None;
            }
            let mut stop = self.stop.clone();
            tokio::select! {
                () = clock.sleep(wait) => {}
                _ = stop.wait_for(|stop| *stop) => {}
            }
            attempt += 1;
        }
    }

    pub(crate) async fn give_back(&self, messages: &[Leased], delay: Duration) {
        let receipts: Vec<String> = messages.iter().map(|it| it.receipt.clone()).collect();
        if let Err(error) = self.queue.release(&self.mapping.source, &receipts, delay).await {
            // They come back when their lease ends.
            tracing::debug!(mapping = self.mapping.id, %error, "giving messages back failed");
        }
    }
}
