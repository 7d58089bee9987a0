//! The outbox: deliveries as rows in the transaction of their cause.

use std::sync::atomic::{AtomicU64, Ordering};

use kit::Millis;
use store::{Batch, Key, Store};
use tokio::sync::mpsc;

use crate::Delivery;

/// A delivery with its row's key. Numbers rise over the life of the data folder.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub(crate) number: u64,
    pub(crate) delivery: Delivery,
}

/// Numbers new rows and hands them to the worker once they are committed.
pub(crate) struct Outbox {
    next: AtomicU64,
    worker: mpsc::UnboundedSender<Arrival>,
}

/// What the worker is handed.
pub(crate) enum Arrival {
    /// Their rows are committed.
    Committed(Vec<Item>),
    /// Their rows may be: whoever knew is gone.
    Doubtful(Vec<Item>),
}

/// Rows that are part of a batch which has not been committed yet. Dropping it is right when the
/// commit failed; when a caller was cancelled in the middle, the worker looks for the rows itself.
#[must_use = "release it when the batch is committed"]
pub struct Ticket {
    items: Vec<Item>,
    worker: mpsc::UnboundedSender<Arrival>,
}

impl Outbox {
    /// Numbers start behind all that an earlier run gave, since time has passed.
    pub(crate) fn new(now: Millis, worker: mpsc::UnboundedSender<Arrival>) -> Outbox {
        const NUMBERS_PER_MILLI: u64 = 100_000;
        Outbox { next: AtomicU64::new(now.0 * NUMBERS_PER_MILLI), worker }
    }

    pub(crate) fn enqueue(&self, batch: &mut Batch, deliveries: Vec<Delivery>) -> Ticket {
        let items: Vec<Item> = deliveries
            .into_iter()
            .map(|delivery| {
                let number = self.next.fetch_add(1, Ordering::Relaxed);
                batch.put(row(number), &delivery);
                Item { number, delivery }
            })
            .collect();
        Ticket { items, worker: self.worker.clone() }
    }
}

impl Ticket {
    /// Hands the deliveries over: their rows are committed.
    pub fn release(mut self) {
        self.hand_over(Arrival::Committed);
    }

    fn hand_over(&mut self, arrival: fn(Vec<Item>) -> Arrival) {
        let items = std::mem::take(&mut self.items);
        if !items.is_empty() {
            // The worker is gone only when the server stops; the rows wait for the next start.
            let _ = self.worker.send(arrival(items));
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.hand_over(Arrival::Doubtful);
    }
}

/// The key of a delivery's row.
pub(crate) fn row(number: u64) -> Key {
    Key::table("bus/outbox").number(number)
}

/// Up to `limit` deliveries behind `after`, in order.
pub(crate) async fn load(
    store: &Store,
    after: Option<u64>,
    limit: usize,
) -> Result<Vec<Item>, store::ReadError> {
    let table = Key::table("bus/outbox");
    let after = after.map(row);
    let rows = store.list::<Delivery>(&table, after.as_ref(), limit).await?;
    Ok(rows
        .into_iter()
        .filter_map(|(key, delivery)| {
            let number = key.as_bytes().last_chunk::<8>()?;
            Some(Item { number: u64::from_be_bytes(*number), delivery })
        })
        .collect())
}

/// One delivery, if its row is there.
pub(crate) async fn read(store: &Store, number: u64) -> Result<Option<Item>, store::ReadError> {
    let delivery = store.read(&row(number)).await?;
    Ok(delivery.map(|delivery| Item { number, delivery }))
}

/// Those of `items` whose rows are in the store.
pub(crate) async fn committed(store: &Store, items: Vec<Item>) -> Vec<Item> {
    let mut found = Vec::new();
    for item in items {
        match store.get(&row(item.number)).await {
            Ok(None) => {}
            Ok(Some(_)) => found.push(item),
            Err(error) => tracing::error!(%error, "a delivery in doubt waits for the next start"),
        }
    }
    found
}
