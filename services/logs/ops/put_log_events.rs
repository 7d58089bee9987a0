//! `PutLogEvents`: takes a batch of events into a stream. The sequence token means nothing.

use std::sync::Arc;

use bytes::Bytes;
use kit::{Caller, Millis};
use model::logs as api;
use store::{Durability, Record};

use crate::{Error, Logs, catalog::Place, event::EventId, intake};

pub(crate) async fn run(
    logs: Arc<Logs>,
    caller: Caller,
    input: api::PutLogEventsInput,
) -> Result<api::PutLogEventsOutput, Error> {
    let (stream, visible_from) = {
        let catalog = logs.catalog();
        let group = catalog.group(&Place::of(&caller), &input.log_group_name)?;
        (group.stream(&input.log_stream_name)?, group.settings.visible_from(caller.now))
    };
    let intake = intake::judge(&input.log_events, caller.now, visible_from)?;
    let mut events = input.log_events;
    events.truncate(intake.taken.end);
    let records: Vec<Record> = events.drain(intake.taken.start..).map(record).collect();
    let mut last = EventId::start_of(caller.now);
    if !records.is_empty() {
        let durable = Durability::Durable;
        let positions = logs.events.append(stream.id, caller.now, records, durable).await?;
        last.position = positions.last().map_or(0, |position| position.number());
    }
    Ok(api::PutLogEventsOutput {
        // Clients that still ask for it get one that looks like AWS's.
        next_sequence_token: Some(last.digits()),
        rejected_log_events_info: intake.rejected,
        rejected_entity_info: None,
    })
}

fn record(event: api::InputLogEvent) -> Record {
    Record { at: Millis(event.timestamp.max(0).unsigned_abs()), bytes: Bytes::from(event.message) }
}
