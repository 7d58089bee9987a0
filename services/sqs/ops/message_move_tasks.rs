//! `StartMessageMoveTask`, `CancelMessageMoveTask`, `ListMessageMoveTasks`.

use std::sync::Arc;

use kit::{Arn, Caller};
use model::sqs as api;

use crate::{
    Sqs,
    error::Error,
    limits,
    move_task::{self, Handle, MoveTask, Status},
    open::OpenQueue,
    store::Changes,
};

const NO_SOURCE: &str =
    "The resource that you specified for the SourceArn parameter doesn't exist.";
const NO_DESTINATION: &str =
    "The resource that you specified for the DestinationArn parameter doesn't exist.";

pub(crate) async fn start(
    sqs: Arc<Sqs>,
    caller: Caller,
    input: api::StartMessageMoveTaskInput,
) -> Result<api::StartMessageMoveTaskOutput, Error> {
    let queue = find(&sqs, &caller, "SourceArn", &input.source_arn, NO_SOURCE)?;
    if sqs.shelf.sources(&queue, "").is_empty() {
        return Err(Error::InvalidParameterValue(
            "Source queue must be configured as a Dead Letter Queue.".to_owned(),
        ));
    }
    let destination = input.destination_arn.as_deref().map(|arn| {
        find(&sqs, &caller, "DestinationArn", arn, NO_DESTINATION).map(|queue| queue.place.arn())
    });
    let destination = destination.transpose()?;
    let rate = input.max_number_of_messages_per_second;
    if let Some(rate) = rate.filter(|rate| !limits::MOVE_RATE.contains(&i64::from(*rate))) {
        return Err(Error::invalid(
            rate,
            "MaxNumberOfMessagesPerSecond",
            "Must be between 1 and 500, if provided.",
        ));
    }
    let visible = queue.with(caller.now, |rules| rules.counts().visible);
    let task = queue.tasks.begin(|number| MoveTask {
        queue: queue.number,
        number,
        id: kit::ids::uuid(),
        source: queue.place.arn(),
        destination,
        messages_per_second: rate.map(|rate| rate as u32),
        status: Status::Running,
        moved: 0,
        to_move: visible as u64,
        failure: None,
        started: caller.now,
    })?;
    let work = {
        let (sqs, task) = (sqs.clone(), task.clone());
        async move {
            let mut changes = Changes::default();
            changes.put_task(&task);
            if let Err(error) = sqs.rows.commit(changes).await {
                queue.tasks.withdraw(&task);
                return Err(error.into());
            }
            sqs.spawn(move_task::run(sqs.clone(), task));
            Ok(())
        }
    };
    sqs.finish(work).await?;
    Ok(api::StartMessageMoveTaskOutput { task_handle: Some(task.handle()) })
}

pub(crate) async fn cancel(
    sqs: Arc<Sqs>,
    caller: Caller,
    input: api::CancelMessageMoveTaskInput,
) -> Result<api::CancelMessageMoveTaskOutput, Error> {
    let handle = Handle::parse(&input.task_handle)?;
    let queue = find(&sqs, &caller, "SourceArn", &handle.source_arn, NO_SOURCE)?;
    let task = queue.tasks.cancel(&handle.task_id)?;
    let mut changes = Changes::default();
    changes.put_task(&task);
    sqs.rows.commit(changes).await?;
    let moved = i64::try_from(task.moved).ok();
    Ok(api::CancelMessageMoveTaskOutput { approximate_number_of_messages_moved: moved })
}

pub(crate) async fn list(
    sqs: Arc<Sqs>,
    caller: Caller,
    input: api::ListMessageMoveTasksInput,
) -> Result<api::ListMessageMoveTasksOutput, Error> {
    let queue = find(&sqs, &caller, "SourceArn", &input.source_arn, NO_SOURCE)?;
    let max = match input.max_results.unwrap_or(1) {
        max @ 1..=10 => max as usize,
        max => {
            let reason = "Must be between 1 and 10, if provided.";
            return Err(Error::invalid(max, "MaxResults", reason));
        }
    };
    let results = queue.tasks.list(max).into_iter().map(entry).collect();
    Ok(api::ListMessageMoveTasksOutput { results: Some(results) })
}

fn entry(task: MoveTask) -> api::ListMessageMoveTasksResultEntry {
    let running = task.status == Status::Running;
    api::ListMessageMoveTasksResultEntry {
        task_handle: running.then(|| task.handle()),
        status: Some(task.status.as_str().to_owned()),
        source_arn: Some(task.source.to_string()),
        destination_arn: task.destination.as_ref().map(Arn::to_string),
        max_number_of_messages_per_second: task.messages_per_second.map(|rate| rate as i32),
        approximate_number_of_messages_moved: i64::try_from(task.moved).ok(),
        approximate_number_of_messages_to_move: i64::try_from(task.to_move).ok(),
        failure_reason: task.failure,
        started_timestamp: i64::try_from(task.started.0).ok(),
    }
}

/// The source queue that a task handle names.
pub(crate) fn resources(_: &Caller, input: &api::CancelMessageMoveTaskInput) -> Vec<Arn> {
    let handle = Handle::parse(&input.task_handle).ok();
    handle.and_then(|handle| handle.source_arn.parse().ok()).into_iter().collect()
}

fn find(
    sqs: &Sqs,
    caller: &Caller,
    parameter: &str,
    arn: &str,
    missing: &'static str,
) -> Result<Arc<OpenQueue>, Error> {
    let arn: Arn = arn.parse().map_err(|_| {
        Error::InvalidParameterValue(format!(
            "You must use this format to specify the {parameter}: arn:<partition>:<service>:<region>:<account-id>:<resource-id>"
        ))
    })?;
    let own = |queue: &Arc<OpenQueue>| queue.place.account == caller.account;
    sqs.queue_of(&arn).filter(own).ok_or(Error::ResourceNotFound(missing))
}
