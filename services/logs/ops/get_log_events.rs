//! `GetLogEvents`: a stream's events page by page, either way.

use std::sync::Arc;

use kit::{Caller, Millis};
use model::logs as api;
use store::Direction;

use crate::{
    Error, Logs,
    catalog::Place,
    error::Invalid,
    event::EventId,
    limits, name,
    search::{Event, Found, Search},
};

pub(crate) async fn run(
    logs: Arc<Logs>,
    caller: Caller,
    input: api::GetLogEventsInput,
) -> Result<api::GetLogEventsOutput, Error> {
    let group =
        name::of_either(input.log_group_name.as_deref(), input.log_group_identifier.as_deref())?;
    let token = input.next_token.as_deref().map(parse_token).transpose()?;
    let direction = match token {
        Some((direction, _)) => direction,
        None if input.start_from_head == Some(true) => Direction::Forward,
        None => Direction::Backward,
    };
    let after = token.map(|(_, id)| id);
    let search = {
        let catalog = logs.catalog();
        let group = catalog.group(&Place::of(&caller), group)?;
        let stream = group.stream(&input.log_stream_name)?;
        let times =
            moment(input.start_time.unwrap_or(0))..moment(input.end_time.unwrap_or(i64::MAX));
        Search {
            streams: vec![stream.id],
            times: group.settings.visible(times, caller.now),
            after,
            direction,
            limit: input.limit.map_or(limits::PAGE_EVENTS, |limit| limit.max(1) as usize),
            pattern: None,
        }
    };
    let start = search.times.start;
    let mut found = logs.search(search).await?;
    if direction == Direction::Backward {
        found.events.reverse();
    }
    let (first, last) = ends(&found, after, start);
    Ok(api::GetLogEventsOutput {
        events: Some(found.events.into_iter().map(output).collect()),
        next_forward_token: Some(format!("f/{}/s", last.digits())),
        next_backward_token: Some(format!("b/{}/s", first.digits())),
    })
}

/// The ids that the tokens name. An empty page gives back the token it was asked with, so that
/// clients see the end by it.
fn ends(found: &Found, after: Option<EventId>, start: Millis) -> (EventId, EventId) {
    match (found.events.first(), found.events.last()) {
        (Some(first), Some(last)) => (first.id, last.id),
        _ => {
            let id = found.next.or(after).unwrap_or(EventId::start_of(start));
            (id, id)
        }
    }
}

/// `f/56 digits/s` or `b/56 digits/s`; the last part is as good as missing.
fn parse_token(token: &str) -> Result<(Direction, EventId), Invalid> {
    let mut parts = token.splitn(3, '/');
    let direction = match parts.next() {
        Some("f") => Direction::Forward,
        Some("b") => Direction::Backward,
        _ => return Err(Invalid::Token),
    };
    let id = parts.next().and_then(EventId::from_digits).ok_or(Invalid::Token)?;
    Ok((direction, id))
}

fn moment(millis: i64) -> Millis {
    Millis(millis.max(0).unsigned_abs())
}

fn output(event: Event) -> api::OutputLogEvent {
    api::OutputLogEvent {
        timestamp: Some(event.id.at.0 as i64),
        message: Some(event.message),
        ingestion_time: Some(event.taken.0 as i64),
    }
}
