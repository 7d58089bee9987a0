//! The only file that knows how queues and messages lie in the store.
//!
//! ```text
//! sqs/queue     account region name   the queue: its number, settings, tags
//! sqs/deleted   account region name   when a queue of this name was deleted
//! sqs/message   queue sequence        a message; written once, with its content if that is small
//! sqs/content   queue sequence        the content of a large one, so that opening reads small rows
//! sqs/receives  queue sequence        what was received of it; written behind, see `worker`
//! sqs/accepted  queue sequence        a deduplication id, for five minutes
//! sqs/move      queue number          a message move task of the source queue
//! ```
//!
//! Queues are named by a number that is never used again: rows that a crash or a race leaves behind
//! belong to nobody and are removed when the store is opened.

use std::{collections::HashMap, sync::Arc};

use kit::{Millis, Tags};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use store::{Batch, Key, ReadError, Store};

use crate::{
    attributes::Settings,
    cache::Cache,
    entry::{Arrival, Receives, Rows},
    fifo::{Accepted, DeduplicationKey},
    limits,
    message::{Content, Head, Message},
    move_task::MoveTask,
    name::Place,
    open::{OpenQueue, Record},
    queue::Queue,
};

/// Rows removed in one commit when the store is opened.
const SWEEP_ROWS: usize = 1_000;

const MESSAGE: &str = "sqs/message";
const CONTENT: &str = "sqs/content";
const RECEIVES: &str = "sqs/receives";
const ACCEPTED: &str = "sqs/accepted";
const MOVE: &str = "sqs/move";

#[derive(Serialize, Deserialize)]
struct QueueRow {
    place: Place,
    number: u64,
    created: Millis,
    modified: Millis,
    settings: Settings,
    tags: Tags,
}

#[derive(Serialize, Deserialize)]
struct DeletedRow {
    place: Place,
    at: Millis,
}

#[derive(Serialize, Deserialize)]
struct MessageRow {
    head: Head,
    /// `None`: it has a row of its own.
    content: Option<Content>,
    visible: Millis,
    /// Receives in the queues it was in before this one.
    count: u32,
    first: Option<Millis>,
}

#[derive(Serialize, Deserialize)]
struct ReceivesRow {
    count: u32,
    first: Option<Millis>,
    leased: Millis,
    nonce: Option<u64>,
    until: Millis,
}

#[derive(Serialize, Deserialize)]
struct AcceptedRow {
    key: DeduplicationKey,
    /// The message id.
    id: String,
    since: Millis,
}

/// What opening finds.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) queues: Vec<OpenQueue>,
    pub(crate) deleted: Vec<(Place, Millis)>,
    pub(crate) tasks: Vec<MoveTask>,
}

/// The rows of the service.
#[derive(Clone)]
pub(crate) struct RowStore(pub(crate) Store);

impl RowStore {
    /// A message with its content.
    pub(crate) async fn message(
        &self,
        queue: u64,
        sequence: u64,
    ) -> Result<Option<Message>, ReadError> {
        let Some(row) = self.0.read::<MessageRow>(&key(MESSAGE, queue, sequence)).await? else {
            return Ok(None);
        };
        let content = match row.content {
            Some(content) => Some(content),
            None => self.0.read(&key(CONTENT, queue, sequence)).await?,
        };
        Ok(content.map(|content| Message { head: row.head, content }))
    }

    /// Every queue with its messages, and the rest. Removes rows that belong to nobody.
    pub(crate) async fn open(&self, cache: &Arc<Cache>, now: Millis) -> Result<Found, OpenError> {
        let mut orphans = Vec::new();
        let mut found = Found::default();
        let mut queues = HashMap::new();
        for row in self.0.rows(&Key::table("sqs/queue"), None, usize::MAX).await? {
            let queue: QueueRow = row.decode()?;
            let messages = Queue::new(queue.place.kind(), now);
            let record = Record {
                created: queue.created,
                modified: queue.modified,
                settings: queue.settings,
                tags: queue.tags,
                version: row.version,
            };
            queues.insert(queue.number, (queue.place, record, messages));
        }
        let mut receives = HashMap::new();
        self.scan(RECEIVES, |queue, sequence, row: ReceivesRow| {
            receives.insert((queue, sequence), row);
        })
        .await?;
        self.scan(MESSAGE, |number, sequence, row: MessageRow| {
            let received = receives.remove(&(number, sequence));
            match queues.get_mut(&number) {
                Some((_, _, queue)) => restore(queue, sequence, row, received, cache, now),
                None => orphans.extend(message_rows(number, sequence, ALL_ROWS)),
            }
        })
        .await?;
        orphans
            .extend(receives.into_keys().map(|(queue, sequence)| key(RECEIVES, queue, sequence)));
        self.scan(ACCEPTED, |number, sequence, row: AcceptedRow| {
            let Some((_, _, queue)) = queues.get_mut(&number) else {
                return orphans.push(key(ACCEPTED, number, sequence));
            };
            let Some(fifo) = queue.fifo() else { return };
            let accepted = Accepted { sequence, id: row.id, arriving: false };
            fifo.accepted.insert(row.key, row.since, accepted);
        })
        .await?;
        self.scan(MOVE, |number, task, row: MoveTask| match queues.contains_key(&number) {
            true => found.tasks.push(row),
            false => orphans.push(key(MOVE, number, task)),
        })
        .await?;
        let table = Key::table("sqs/deleted");
        let deleted = self.0.list::<DeletedRow>(&table, None, usize::MAX).await?;
        found.deleted = deleted.into_iter().map(|(_, row)| (row.place, row.at)).collect();
        found.queues = queues
            .into_iter()
            .map(|(number, (place, record, queue))| OpenQueue::new(number, place, record, queue))
            .collect();
        self.sweep(orphans).await?;
        Ok(found)
    }

    /// Hands over every row of a table by queue and sequence number.
    async fn scan<T: DeserializeOwned>(
        &self,
        table: &str,
        mut each: impl FnMut(u64, u64, T) + Send,
    ) -> Result<(), ReadError> {
        self.0
            .scan(&Key::table(table), |key, row| {
                let numbers = key.as_bytes().last_chunk::<16>().copied().map(u128::from_be_bytes);
                if let Some(numbers) = numbers {
                    each((numbers >> 64) as u64, numbers as u64, row);
                }
            })
            .await
    }

    /// Makes changes durable and answers with the version of the rows written.
    pub(crate) async fn commit(&self, changes: Changes) -> Result<u64, store::CommitError> {
        self.0.commit(changes.0).await
    }

    async fn sweep(&self, orphans: Vec<Key>) -> Result<(), store::CommitError> {
        for keys in orphans.chunks(SWEEP_ROWS) {
            let mut batch = Batch::new();
            keys.iter().for_each(|key| {
                batch.delete(key.clone());
            });
            self.0.commit(batch).await?;
        }
        Ok(())
    }
}

/// Why the service did not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A row could not be read.
    #[error("reading the queues failed")]
    Read(#[from] ReadError),
    /// What belongs to nobody could not be removed.
    #[error("removing rows of deleted queues failed")]
    Sweep(#[from] store::CommitError),
}

fn restore(
    queue: &mut Queue,
    sequence: u64,
    row: MessageRow,
    received: Option<ReceivesRow>,
    cache: &Arc<Cache>,
    now: Millis,
) {
    let rows = Rows { content: row.content.is_none(), receives: received.is_some() };
    let (sent, group) = (row.head.sent, row.head.group.clone());
    let (receives, visible) = match received {
        Some(it) => {
            let receives =
                Receives { count: it.count, first: it.first, leased: it.leased, nonce: it.nonce };
            (receives, it.until)
        }
        None => {
            let receives = Receives { count: row.count, first: row.first, ..Receives::default() };
            (receives, row.visible)
        }
    };
    let head = row.head;
    let message = row.content.and_then(|content| cache.keep(&Arc::new(Message { head, content })));
    let arrival = Arrival { sent, visible, group, receives, rows, message };
    queue.restore(sequence, arrival, now);
}

fn key(table: &str, queue: u64, sequence: u64) -> Key {
    Key::table(table).number(queue).number(sequence)
}

fn place_key(table: &str, place: &Place) -> Key {
    Key::table(table).text(place.account.as_str()).text(place.region.as_str()).text(&place.name)
}

const ALL_ROWS: Rows = Rows { content: true, receives: true };

fn message_rows(queue: u64, sequence: u64, rows: Rows) -> impl Iterator<Item = Key> {
    let content = rows.content.then(|| key(CONTENT, queue, sequence));
    let receives = rows.receives.then(|| key(RECEIVES, queue, sequence));
    std::iter::once(key(MESSAGE, queue, sequence)).chain(content).chain(receives)
}

/// Which rows a message of this content has when it is written.
pub(crate) fn rows_of(content: &Content) -> Rows {
    Rows { content: content.size_bytes() > limits::INLINE_BYTES, receives: false }
}

/// One transaction in the service's words.
#[derive(Default)]
pub(crate) struct Changes(Batch);

impl Changes {
    /// Writes a queue that does not exist yet.
    pub(crate) fn create_queue(&mut self, queue: &OpenQueue) {
        let key = place_key("sqs/queue", &queue.place);
        self.0.absent(key.clone()).put(key, &queue_row(queue, &queue.record()));
        self.forget_deleted(&queue.place);
    }

    /// Writes a queue's record in place of the one of this version.
    pub(crate) fn change_queue(&mut self, queue: &OpenQueue, record: &Record, version: u64) {
        let key = place_key("sqs/queue", &queue.place);
        self.0.version(key.clone(), version).put(key, &queue_row(queue, record));
    }

    /// Removes a queue with all it has, and notes when.
    pub(crate) fn delete_queue(&mut self, queue: &OpenQueue, at: Millis) {
        let key = place_key("sqs/queue", &queue.place);
        self.0.present(key.clone()).delete(key);
        for table in [MESSAGE, CONTENT, RECEIVES, ACCEPTED, MOVE] {
            self.0.delete_all(Key::table(table).number(queue.number));
        }
        let row = DeletedRow { place: queue.place.clone(), at };
        self.0.put(place_key("sqs/deleted", &queue.place), &row);
    }

    /// Forgets that a queue was deleted.
    pub(crate) fn forget_deleted(&mut self, place: &Place) {
        self.0.delete(place_key("sqs/deleted", place));
    }

    /// Removes every message below a number.
    pub(crate) fn purge(&mut self, queue: u64, below: u64) {
        for table in [MESSAGE, CONTENT, RECEIVES] {
            let from = key(table, queue, 0);
            self.0.ops.push(store::Op::DeleteRange(from, key(table, queue, below)));
        }
    }

    /// Writes a message.
    pub(crate) fn put_message(
        &mut self,
        (queue, sequence): (u64, u64),
        message: &Message,
        visible: Millis,
        receives: Receives,
    ) {
        let apart = rows_of(&message.content).content;
        if apart {
            self.0.put(key(CONTENT, queue, sequence), &message.content);
        }
        let row = MessageRow {
            head: message.head.clone(),
            content: (!apart).then(|| message.content.clone()),
            visible,
            count: receives.count,
            first: receives.first,
        };
        self.0.put(key(MESSAGE, queue, sequence), &row);
    }

    /// Removes a message.
    pub(crate) fn delete_message(&mut self, queue: u64, sequence: u64, rows: Rows) {
        for key in message_rows(queue, sequence, rows) {
            self.0.delete(key);
        }
    }

    /// Writes what was received of a message.
    pub(crate) fn put_receives(
        &mut self,
        queue: u64,
        sequence: u64,
        receives: Receives,
        until: Millis,
    ) {
        let Receives { count, first, leased, nonce } = receives;
        let row = ReceivesRow { count, first, leased, nonce, until };
        self.0.put(key(RECEIVES, queue, sequence), &row);
    }

    /// Remembers a deduplication id.
    pub(crate) fn put_accepted(
        &mut self,
        queue: u64,
        id: &DeduplicationKey,
        accepted: &Accepted,
        since: Millis,
    ) {
        let row = AcceptedRow { key: id.clone(), id: accepted.id.clone(), since };
        self.0.put(key(ACCEPTED, queue, accepted.sequence), &row);
    }

    /// Forgets one.
    pub(crate) fn delete_accepted(&mut self, queue: u64, sequence: u64) {
        self.0.delete(key(ACCEPTED, queue, sequence));
    }

    /// Writes a move task.
    pub(crate) fn put_task(&mut self, task: &MoveTask) {
        self.0.put(key(MOVE, task.queue, task.number), task);
    }

    /// Removes one.
    pub(crate) fn delete_task(&mut self, task: &MoveTask) {
        self.0.delete(key(MOVE, task.queue, task.number));
    }
}

fn queue_row(queue: &OpenQueue, record: &Record) -> QueueRow {
    QueueRow {
        place: queue.place.clone(),
        number: queue.number,
        created: record.created,
        modified: record.modified,
        settings: record.settings.clone(),
        tags: record.tags.clone(),
    }
}
