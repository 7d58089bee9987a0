//! `CreateQueue`: makes a queue, or finds the one that is there if it is set as asked.

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
    ops::{set_queue_attributes, tags},
    queue::Queue,
    store::Changes,
};

pub(crate) async fn run(
    sqs: Arc<Sqs>,
    caller: Caller,
    input: api::CreateQueueInput,
) -> Result<api::CreateQueueOutput, Error> {
    let texts = input.attributes.unwrap_or_default();
    let settings = Settings::create(&texts)?;
    let place = Place::create(&caller, &input.queue_name, settings.kind())?;
    let tags = input.tags.unwrap_or_default();
    tags::check(&tags)?;
    let queue_url = Some(place.url(&caller));
    loop {
        if let Some(queue) = sqs.shelf.find(&place) {
            return match queue.record().settings.difference(&settings, &texts) {
                Some(name) => Err(Error::QueueNameExists(name)),
                None => Ok(api::CreateQueueOutput { queue_url }),
            };
        }
        sqs.shelf.check_free(&place, caller.now)?;
        set_queue_attributes::check_redrive(&sqs, &place, &settings)?;
        let record = Record {
            created: caller.now,
            modified: caller.now,
            settings: settings.clone(),
            tags: tags.clone(),
            version: 0,
        };
        if create(&sqs, place.clone(), record).await? {
            return Ok(api::CreateQueueOutput { queue_url });
        }
        // Somebody creates the same queue in this moment: it is about to be found.
        tokio::task::yield_now().await;
    }
}

/// Answers with `false` if there is a row of this place.
async fn create(sqs: &Arc<Sqs>, place: Place, record: Record) -> Result<bool, Error> {
    let sqs = sqs.clone();
    let work = {
        let sqs = sqs.clone();
        async move {
            let number = u64::from_be_bytes(kit::ids::random());
            let rules = Queue::new(place.kind(), sqs.clock.now());
            let queue = OpenQueue::new(number, place, record, rules);
            let mut changes = Changes::default();
            changes.create_queue(&queue);
            match sqs.rows.commit(changes).await {
                Ok(version) => {
                    queue.set_record(Record { version, ..Record::clone(&queue.record()) });
                    queue.hang(&sqs.bell);
                    sqs.shelf.add(Arc::new(queue));
                    Ok(true)
                }
                Err(CommitError::Conflict(_)) => Ok(false),
                Err(error) => Err(error.into()),
            }
        }
    };
    sqs.finish(work).await
}
