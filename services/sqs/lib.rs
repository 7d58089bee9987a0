//! Amazon SQS: queues, standard and FIFO.
//!
//! Read in this order: `queue` with `entry`, `lease` and `fifo` (the rules, pure), `open` (a queue
//! behind its lock), `send`, `receive` and `carry` (what operations do with it), `store` (rows),
//! `worker` (what happens by itself), `ops` (one file per operation), `ports` (what other services
//! see).
//!
//! Order, leases and timers live in memory and are read from the rows when the service opens. A
//! message is written once, when it is sent, and removed when it is deleted; both are durable before
//! they are acknowledged. What is received is written behind, a moment later: a crash may take back
//! the last quarter of a second of it, so a message may be visible early and be counted once less.
//!
//! Always true: a receive costs the same however long the queue is, and reads the store only for
//! contents that are not in memory.

mod attributes;
mod batch;
mod cache;
mod carry;
mod entry;
mod error;
mod fifo;
mod lease;
mod limits;
mod message;
mod move_task;
mod name;
mod open;
mod ops;
mod page;
mod policy;
mod ports;
mod queue;
mod receipt;
mod receive;
mod redrive;
mod send;
mod shelf;
mod store;
mod timers;
mod told;
mod worker;

#[cfg(test)]
mod model_test;
#[cfg(test)]
mod scenarios;

use std::sync::{Arc, Mutex};

use ::store::Store;
use bus::Directory;
use kit::{Arn, Caller, Clock};
use model::sqs as api;
use tokio::{
    sync::{RwLock, watch},
    task::JoinSet,
};
use wire::{Access, Table};

use crate::{
    cache::Cache,
    name::Place,
    open::{Bell, OpenQueue, lock},
    shelf::Shelf,
    store::RowStore,
};
pub use crate::{error::Error, store::OpenError};

/// The queue service.
pub struct Sqs {
    rows: RowStore,
    clock: Clock,
    shelf: Shelf,
    cache: Arc<Cache>,
    bell: Arc<Bell>,
    /// Read by work that must come to its end; written once, by who shuts down.
    busy: Arc<RwLock<()>>,
    workers: Mutex<JoinSet<()>>,
    stop: watch::Sender<bool>,
}

impl Sqs {
    /// Opens the queues, offers them to other services, and starts what happens by itself.
    ///
    /// # Errors
    /// The rows cannot be read.
    pub async fn open(
        store: Store,
        directory: &Directory,
        clock: Clock,
    ) -> Result<Arc<Sqs>, OpenError> {
        let sqs = Arc::new(Sqs {
            rows: RowStore(store),
            clock,
            shelf: Shelf::default(),
            cache: Arc::default(),
            bell: Arc::default(),
            busy: Arc::default(),
            workers: Mutex::default(),
            stop: watch::Sender::new(false),
        });
        let found = sqs.rows.open(&sqs.cache, sqs.clock.now()).await?;
        for queue in found.queues {
            queue.hang(&sqs.bell);
            sqs.shelf.add(Arc::new(queue));
        }
        found.deleted.into_iter().for_each(|(place, at)| sqs.shelf.note_deleted(place, at));
        sqs.spawn(worker::alarms(sqs.clone()));
        sqs.spawn(worker::keep(sqs.clone()));
        for task in found.tasks {
            let Some(queue) = sqs.queue_of(&task.source) else { continue };
            queue.tasks.restore(task.clone());
            if task.is_active() {
                sqs.spawn(move_task::run(sqs.clone(), task));
            }
        }
        let ports = Arc::new(ports::Ports(sqs.clone()));
        directory.offer_queues(ports.clone());
        directory.offer_policies("sqs", ports.clone());
        directory.offer_target("sqs", ports);
        Ok(sqs)
    }

    /// Stops, when what is under way has come to its end. What is received is then all written.
    pub async fn shutdown(&self) {
        self.stop.send_replace(true);
        let mut workers = std::mem::take(&mut *lock(&self.workers));
        while workers.join_next().await.is_some() {}
        let _all_done = self.busy.write().await;
        worker::write_behind(self).await;
    }

    /// Every operation, each with the permission that it needs.
    pub fn table(self: &Arc<Self>) -> Table {
        let table = Table::new(&api::SERVICE);
        self.message_operations(self.tag_operations(self.queue_operations(table)))
    }

    fn queue_operations(self: &Arc<Self>, table: Table) -> Table {
        table
            .on::<api::CreateQueue, _, _, _>(
                self,
                ops::create_queue::run,
                Access::<api::CreateQueueInput>::new("sqs:CreateQueue", |caller, input| {
                    named(caller, &input.queue_name)
                })
                .telling(|_, input| told::made(input))
                .also(told::tagging),
            )
            .on::<api::DeleteQueue, _, _, _>(
                self,
                ops::delete_queue::run,
                Access::new("sqs:DeleteQueue", |caller, input| at(caller, &input.queue_url)),
            )
            .on::<api::PurgeQueue, _, _, _>(
                self,
                ops::purge_queue::run,
                Access::new("sqs:PurgeQueue", |caller, input| at(caller, &input.queue_url)),
            )
            .on::<api::GetQueueUrl, _, _, _>(
                self,
                ops::get_queue_url::run,
                Access::<api::GetQueueUrlInput>::new(
                    "sqs:GetQueueUrl",
                    ops::get_queue_url::resources,
                )
                .hiding(ops::get_queue_url::hidden),
            )
            .on::<api::ListQueues, _, _, _>(
                self,
                ops::list_queues::run,
                Access::any("sqs:ListQueues"),
            )
            .on::<api::GetQueueAttributes, _, _, _>(
                self,
                ops::get_queue_attributes::run,
                Access::new("sqs:GetQueueAttributes", |caller, input| at(caller, &input.queue_url)),
            )
            .on::<api::SetQueueAttributes, _, _, _>(
                self,
                ops::set_queue_attributes::run,
                Access::new("sqs:SetQueueAttributes", |caller, input| at(caller, &input.queue_url)),
            )
            .on::<api::AddPermission, _, _, _>(
                self,
                ops::permissions::add,
                Access::new("sqs:AddPermission", |caller, input| at(caller, &input.queue_url)),
            )
            .on::<api::RemovePermission, _, _, _>(
                self,
                ops::permissions::remove,
                Access::new("sqs:RemovePermission", |caller, input| at(caller, &input.queue_url)),
            )
    }

    fn tag_operations(self: &Arc<Self>, table: Table) -> Table {
        table
            .on::<api::TagQueue, _, _, _>(
                self,
                ops::tags::tag,
                Access::<api::TagQueueInput>::new("sqs:TagQueue", |caller, input| {
                    at(caller, &input.queue_url)
                })
                .telling(|_, input| told::tagged(input)),
            )
            .on::<api::UntagQueue, _, _, _>(
                self,
                ops::tags::untag,
                Access::<api::UntagQueueInput>::new("sqs:UntagQueue", |caller, input| {
                    at(caller, &input.queue_url)
                })
                .telling(|_, input| kit::tag_keys(&input.tag_keys)),
            )
            .on::<api::ListQueueTags, _, _, _>(
                self,
                ops::tags::list,
                Access::new("sqs:ListQueueTags", |caller, input| at(caller, &input.queue_url)),
            )
    }

    fn message_operations(self: &Arc<Self>, table: Table) -> Table {
        table
            .on::<api::SendMessage, _, _, _>(
                self,
                ops::send_message::run,
                Access::new("sqs:SendMessage", |caller, input| at(caller, &input.queue_url)),
            )
            .on::<api::SendMessageBatch, _, _, _>(
                self,
                ops::send_message_batch::run,
                Access::new("sqs:SendMessage", |caller, input| at(caller, &input.queue_url)),
            )
            .on::<api::ReceiveMessage, _, _, _>(
                self,
                ops::receive_message::run,
                Access::new("sqs:ReceiveMessage", |caller, input| at(caller, &input.queue_url)),
            )
            // A client that has gone waits for no message.
            .cancellable::<api::ReceiveMessage>()
            .on::<api::DeleteMessage, _, _, _>(
                self,
                ops::delete_message::run,
                Access::new("sqs:DeleteMessage", |caller, input| at(caller, &input.queue_url)),
            )
            .on::<api::DeleteMessageBatch, _, _, _>(
                self,
                ops::delete_message::run_batch,
                Access::new("sqs:DeleteMessage", |caller, input| at(caller, &input.queue_url)),
            )
            .on::<api::ChangeMessageVisibility, _, _, _>(
                self,
                ops::change_message_visibility::run,
                Access::new("sqs:ChangeMessageVisibility", |caller, input| {
                    at(caller, &input.queue_url)
                }),
            )
            .on::<api::ChangeMessageVisibilityBatch, _, _, _>(
                self,
                ops::change_message_visibility::run_batch,
                Access::new("sqs:ChangeMessageVisibility", |caller, input| {
                    at(caller, &input.queue_url)
                }),
            )
            .on::<api::ListDeadLetterSourceQueues, _, _, _>(
                self,
                ops::list_dead_letter_source_queues::run,
                Access::new("sqs:ListDeadLetterSourceQueues", |caller, input| {
                    at(caller, &input.queue_url)
                }),
            )
            .on::<api::StartMessageMoveTask, _, _, _>(
                self,
                ops::message_move_tasks::start,
                Access::new("sqs:StartMessageMoveTask", |_, input| of(&input.source_arn)),
            )
            .on::<api::CancelMessageMoveTask, _, _, _>(
                self,
                ops::message_move_tasks::cancel,
                Access::new("sqs:CancelMessageMoveTask", ops::message_move_tasks::resources),
            )
            .on::<api::ListMessageMoveTasks, _, _, _>(
                self,
                ops::message_move_tasks::list,
                Access::new("sqs:ListMessageMoveTasks", |_, input| of(&input.source_arn)),
            )
    }

    /// The queue that a URL means. It may be another account's: whether that lets the caller in has
    /// been asked before, where anybody decides.
    pub(crate) fn queue(&self, caller: &Caller, url: &str) -> Result<Arc<OpenQueue>, Error> {
        self.shelf.find(&Place::from_url(caller, url)?).ok_or(Error::QueueDoesNotExist)
    }

    /// The queue that a URL means, for what only its owner may do. Those of other accounts are not
    /// there.
    pub(crate) fn own_queue(&self, caller: &Caller, url: &str) -> Result<Arc<OpenQueue>, Error> {
        let queue = self.queue(caller, url)?;
        let own = queue.place.account == caller.account;
        own.then_some(queue).ok_or(Error::QueueDoesNotExist)
    }

    /// The queue of an ARN.
    pub(crate) fn queue_of(&self, arn: &Arn) -> Option<Arc<OpenQueue>> {
        self.shelf.find(&Place::from_arn(arn)?)
    }

    /// Runs work that commits to its end, even if the client goes away meanwhile: memory must learn
    /// what became of the rows.
    pub(crate) async fn finish<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<T, Error> {
        let busy = self.busy.clone().read_owned().await;
        let task = tokio::spawn(async move {
            let done = work.await;
            drop(busy);
            done
        });
        task.await.unwrap_or_else(|panic| Err(Error::Store(panic.to_string())))
    }

    /// Starts work that shutdown waits for.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let mut workers = lock(&self.workers);
        while workers.try_join_next().is_some() {}
        workers.spawn(work);
    }
}

fn at(caller: &Caller, url: &str) -> Vec<Arn> {
    Place::from_url(caller, url).map(|place| place.arn()).into_iter().collect()
}

fn named(caller: &Caller, name: &str) -> Vec<Arn> {
    vec![Place::of(caller, name).arn()]
}

fn of(arn: &str) -> Vec<Arn> {
    arn.parse().into_iter().collect()
}
