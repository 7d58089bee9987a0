//! `SetQueueAttributes`: changes what a queue is set to.

use std::sync::Arc;

use ::store::CommitError;
use kit::Caller;
use model::sqs as api;

use crate::{
    Sqs,
    attributes::Settings,
    error::Error,
    name::Place,
    open::{OpenQueue, Record},
    store::Changes,
};

pub(crate) async fn run(
    sqs: Arc<Sqs>,
    caller: Caller,
    input: api::SetQueueAttributesInput,
) -> Result<api::SetQueueAttributesOutput, Error> {
    let queue = sqs.own_queue(&caller, &input.queue_url)?;
    if input.attributes.is_empty() {
        return Err(Error::MissingParameter("Attribute.Name".to_owned()));
    }
    let delay_seconds = queue.record().settings.delay_seconds;
    let place = queue.place.clone();
    let registry = sqs.clone();
    let record = change(&sqs, &queue, move |record| {
        record.settings = record.settings.change(&input.attributes)?;
        record.modified = caller.now;
        check_redrive(&registry, &place, &record.settings)
    })
    .await?;
    if record.settings.fifo.is_some() && record.settings.delay_seconds != delay_seconds {
        queue
            .with(caller.now, |rules| rules.delay_again(record.settings.delay_seconds, caller.now));
    }
    Ok(wire::Unit)
}

/// Refuses a redrive policy whose target is missing, of another kind, or unwilling.
pub(crate) fn check_redrive(sqs: &Sqs, place: &Place, settings: &Settings) -> Result<(), Error> {
    let Some(redrive) = &settings.redrive else { return Ok(()) };
    let target = sqs.queue_of(&redrive.dead_letter_target_arn);
    let record = target.as_ref().map(|target| target.record());
    let target = target
        .as_ref()
        .zip(record.as_ref())
        .map(|(target, record)| (&target.place, record.settings.redrive_allow.as_ref()));
    redrive.check(place, target)
}

/// Changes a queue's record and answers with it. When two change it at once, the second one starts
/// again from what the first one made of it.
pub(crate) async fn change(
    sqs: &Arc<Sqs>,
    queue: &Arc<OpenQueue>,
    edit: impl Fn(&mut Record) -> Result<(), Error> + Send + 'static,
) -> Result<Arc<Record>, Error> {
    let work = {
        let (sqs, queue) = (sqs.clone(), queue.clone());
        async move {
            loop {
                queue.check_exists()?;
                let before = queue.record();
                let mut record = Record::clone(&before);
                edit(&mut record)?;
                let mut changes = Changes::default();
                changes.change_queue(&queue, &record, before.version);
                match sqs.rows.commit(changes).await {
                    Ok(version) => {
                        queue.set_record(Record { version, ..record });
                        return Ok(queue.record());
                    }
                    Err(CommitError::Conflict(_)) => tokio::task::yield_now().await,
                    Err(error) => return Err(error.into()),
                }
            }
        }
    };
    sqs.finish(work).await
}
