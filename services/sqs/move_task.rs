//! Message move tasks: a dead-letter queue's messages go back where they came from, or elsewhere.
//!
//! A task is a row; its count of moved messages is part of each commit that moves some, so a task
//! that a restart has interrupted goes on exactly where it was.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use kit::{Arn, Millis};
use serde::{Deserialize, Serialize};

use crate::{
    Sqs,
    carry::Fate,
    entry::Receives,
    error::Error,
    limits,
    message::Message,
    open::{OpenQueue, lock},
    store::Changes,
};

/// Messages that one commit moves.
const STEP: usize = 10;

/// Reasons of failed tasks (developer guide, "Troubleshoot dead-letter queue redrive").
const NO_QUEUE: &str = "AWS.SimpleQueueService.NonExistentQueue";
const NO_SOURCE: &str = "CouldNotDetermineMessageSource";

/// A task and how far it is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct MoveTask {
    /// The number of the source queue.
    pub(crate) queue: u64,
    /// Rises over the tasks of a queue.
    pub(crate) number: u64,
    /// A UUID; what the handle holds.
    pub(crate) id: String,
    pub(crate) source: Arn,
    /// `None`: each message goes where it came from.
    pub(crate) destination: Option<Arn>,
    /// `None`: as fast as it goes.
    pub(crate) messages_per_second: Option<u32>,
    pub(crate) status: Status,
    pub(crate) moved: u64,
    pub(crate) to_move: u64,
    pub(crate) failure: Option<String>,
    pub(crate) started: Millis,
}

/// What a task does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Status {
    Running,
    Completed,
    Cancelling,
    Cancelled,
    Failed,
}

impl Status {
    /// AWS's word.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Status::Running => "RUNNING",
            Status::Completed => "COMPLETED",
            Status::Cancelling => "CANCELLING",
            Status::Cancelled => "CANCELLED",
            Status::Failed => "FAILED",
        }
    }
}

/// What a handle holds; the form is AWS's.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Handle {
    pub(crate) task_id: String,
    pub(crate) source_arn: String,
}

impl Handle {
    /// Reads a handle.
    pub(crate) fn parse(text: &str) -> Result<Handle, Error> {
        let decoded = BASE64_STANDARD.decode(text).ok();
        decoded.and_then(|json| serde_json::from_slice(&json).ok()).ok_or_else(|| {
            Error::InvalidParameterValue("Value for parameter TaskHandle is invalid.".to_owned())
        })
    }
}

impl MoveTask {
    /// The text by which clients name the task.
    pub(crate) fn handle(&self) -> String {
        let handle = Handle { task_id: self.id.clone(), source_arn: self.source.to_string() };
        BASE64_STANDARD.encode(serde_json::to_vec(&handle).expect("two texts are JSON"))
    }

    /// Whether it still moves messages.
    pub(crate) fn is_active(&self) -> bool {
        matches!(self.status, Status::Running | Status::Cancelling)
    }

    fn end(&mut self, status: Status, failure: Option<&str>) {
        self.status = status;
        self.failure = failure.map(str::to_owned);
    }
}

/// The tasks of one source queue, the newest last.
#[derive(Default)]
pub(crate) struct Tasks(Mutex<Vec<MoveTask>>);

impl Tasks {
    /// Takes in a task of an earlier run.
    pub(crate) fn restore(&self, task: MoveTask) {
        let mut tasks = lock(&self.0);
        tasks.push(task);
        tasks.sort_by_key(|task| task.number);
    }

    /// Takes in a new task, unless one is active; `make` gets its number.
    pub(crate) fn begin(&self, make: impl FnOnce(u64) -> MoveTask) -> Result<MoveTask, Error> {
        let mut tasks = lock(&self.0);
        if tasks.iter().any(MoveTask::is_active) {
            return Err(Error::InvalidParameterValue(
                "There is already a task running. Only one active task is allowed for a source queue arn at a given time.".to_owned(),
            ));
        }
        let task = make(tasks.last().map_or(0, |last| last.number + 1));
        tasks.push(task.clone());
        Ok(task)
    }

    /// Takes a task back that could not be written.
    pub(crate) fn withdraw(&self, task: &MoveTask) {
        lock(&self.0).retain(|it| it.id != task.id);
    }

    /// Asks a running task to stop, and answers with it.
    pub(crate) fn cancel(&self, id: &str) -> Result<MoveTask, Error> {
        let mut tasks = lock(&self.0);
        let task = tasks.iter_mut().find(|task| task.id == id);
        let task = task.ok_or(Error::ResourceNotFound("Task does not exist."))?;
        if task.status != Status::Running {
            return Err(Error::InvalidParameterValue(format!(
                "Only active tasks can be cancelled. Current status: {}",
                task.status.as_str()
            )));
        }
        task.status = Status::Cancelling;
        Ok(task.clone())
    }

    /// The newest tasks first.
    pub(crate) fn list(&self, max: usize) -> Vec<MoveTask> {
        lock(&self.0).iter().rev().take(max).cloned().collect()
    }

    fn is_cancelling(&self, task: &MoveTask) -> bool {
        lock(&self.0).iter().any(|it| it.id == task.id && it.status == Status::Cancelling)
    }

    /// Notes how far a task is, and answers with the tasks that are now too old to be kept.
    fn note(&self, task: &MoveTask) -> Vec<MoveTask> {
        let mut tasks = lock(&self.0);
        if let Some(known) = tasks.iter_mut().find(|it| it.id == task.id) {
            let cancelling = known.status == Status::Cancelling && task.status == Status::Running;
            *known = task.clone();
            if cancelling {
                known.status = Status::Cancelling;
            }
        }
        let old = tasks.len().saturating_sub(limits::MOVE_TASKS);
        tasks.drain(..old).collect()
    }
}

/// Works a task off. On shutdown it stops between two commits and goes on at the next start.
pub(crate) async fn run(sqs: Arc<Sqs>, mut task: MoveTask) {
    let Some(queue) = sqs.queue_of(&task.source) else { return };
    let mut stop = sqs.stop.subscribe();
    while task.is_active() {
        if *stop.borrow() {
            return;
        }
        if let Err(error) = step(&sqs, &queue, &mut task).await {
            tracing::error!(queue = %queue.place, %error, "a message move task has stopped");
            task.end(Status::Failed, Some(&error.to_string()));
        }
        if !task.is_active() {
            finish(&sqs, &queue, &task).await;
            return;
        }
        let pause = task.messages_per_second.map(|rate| Duration::from_secs(1) / rate);
        tokio::select! {
            () = sqs.clock.sleep(pause.unwrap_or_default()) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

/// Moves the next messages, or notes that the task has ended.
async fn step(sqs: &Sqs, queue: &Arc<OpenQueue>, task: &mut MoveTask) -> Result<(), Error> {
    if queue.tasks.is_cancelling(task) {
        task.end(Status::Cancelled, None);
        return Ok(());
    }
    let left = task.to_move.saturating_sub(task.moved);
    let max = if task.messages_per_second.is_some() { 1 } else { STEP };
    let now = sqs.clock.now();
    let taken = queue.with(now, |rules| rules.take(max.min(left as usize)));
    if taken.is_empty() {
        task.end(Status::Completed, None);
        return Ok(());
    }
    let mut moved = task.clone();
    moved.moved += taken.len() as u64;
    let mut changes = Changes::default();
    changes.put_task(&moved);
    let fate = |message: Message, _: Receives| fate(sqs, task, message, now);
    match sqs.carry(queue, &taken, &fate, changes).await {
        Ok(()) => *task = moved,
        Err(Error::ResourceNotFound(reason)) => task.end(Status::Failed, Some(reason)),
        Err(error) => return Err(error),
    }
    queue.tasks.note(task);
    Ok(())
}

/// A moved message is a new one: new id, new age, never received.
fn fate(sqs: &Sqs, task: &MoveTask, mut message: Message, now: Millis) -> Result<Fate, Error> {
    let destination = task.destination.as_ref().or(message.head.dead_letter_source.as_ref());
    let destination = destination.ok_or(Error::ResourceNotFound(NO_SOURCE))?;
    let to = sqs.queue_of(destination).ok_or(Error::ResourceNotFound(NO_QUEUE))?;
    message.head.id = kit::ids::uuid();
    message.head.sent = now;
    message.head.dead_letter_source = None;
    Ok(Fate { to, message, receives: Receives::default() })
}

async fn finish(sqs: &Sqs, queue: &OpenQueue, task: &MoveTask) {
    let mut changes = Changes::default();
    changes.put_task(task);
    for old in queue.tasks.note(task) {
        changes.delete_task(&old);
    }
    if let Err(error) = sqs.rows.commit(changes).await {
        tracing::error!(queue = %queue.place, %error, "the end of a message move task is not noted");
    }
}
