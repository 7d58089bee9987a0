//! `FilterLogEvents`: events of many streams that a pattern matches, in the order of time.

use std::sync::Arc;

use kit::{Caller, Millis};
use model::logs as api;
use store::Direction;

use crate::{
    Error, Logs,
    catalog::{Group, Place},
    error::Invalid,
    event::SearchToken,
    limits, name,
    pattern::Pattern,
    search::{Event, Search},
};

pub(crate) async fn run(
    logs: Arc<Logs>,
    caller: Caller,
    input: api::FilterLogEventsInput,
) -> Result<api::FilterLogEventsOutput, Error> {
    let group =
        name::of_either(input.log_group_name.as_deref(), input.log_group_identifier.as_deref())?;
    let pattern = input.filter_pattern.as_deref().map(Pattern::parse).transpose();
    let pattern = pattern.map_err(Invalid::event_pattern)?;
    let (direction, after) = match &input.next_token {
        Some(token) => {
            let token = SearchToken::parse(token).ok_or(Invalid::Token)?;
            (token.direction, Some(token.after))
        }
        None => (first_direction(&input)?, None),
    };
    let start = moment(input.start_time.unwrap_or(0));
    // The end belongs to the range.
    let end = moment(input.end_time.unwrap_or(i64::MAX)).plus(1);
    let (names, search) = {
        let catalog = logs.catalog();
        let group = catalog.group(&Place::of(&caller), group)?;
        let (names, streams) = streams(&input, group)?;
        let times = group.settings.visible(start..end, caller.now);
        let limit = input.limit.map_or(limits::PAGE_EVENTS, |limit| limit.max(1) as usize);
        (names, Search { streams, times, after, direction, limit, pattern })
    };
    let found = logs.search(search).await?;
    let token = |after| SearchToken { after, direction }.text();
    Ok(api::FilterLogEventsOutput {
        events: Some(found.events.into_iter().map(|event| output(event, &names)).collect()),
        searched_log_streams: Some(Vec::new()),
        next_token: found.next.map(token),
    })
}

fn first_direction(input: &api::FilterLogEventsInput) -> Result<Direction, Invalid> {
    if input.start_from_head.unwrap_or(true) {
        return Ok(Direction::Forward);
    }
    if input.start_time.is_none_or(|start| start < limits::BACKWARD_START_MILLIS) {
        return Err(Invalid::BackwardStart);
    }
    Ok(Direction::Backward)
}

/// Names and numbers of the streams to search.
fn streams(
    input: &api::FilterLogEventsInput,
    group: &Group,
) -> Result<(Vec<String>, Vec<u64>), Error> {
    let Some(names) = &input.log_stream_names else {
        let prefix = input.log_stream_name_prefix.as_deref().unwrap_or_default();
        let wanted = group.streams.iter().filter(|(name, _)| name.starts_with(prefix));
        return Ok(wanted.map(|(name, stream)| (name.clone(), stream.id)).unzip());
    };
    if input.log_stream_name_prefix.is_some() {
        return Err(Invalid::NamesAndPrefix.into());
    }
    let mut names = names.clone();
    names.sort();
    names.dedup();
    let ids = names.iter().map(|name| Ok(group.stream(name)?.id)).collect::<Result<_, Error>>()?;
    Ok((names, ids))
}

fn moment(millis: i64) -> Millis {
    Millis(millis.max(0).unsigned_abs())
}

fn output(event: Event, names: &[String]) -> api::FilteredLogEvent {
    api::FilteredLogEvent {
        log_stream_name: names.get(event.stream).cloned(),
        timestamp: Some(event.id.at.0 as i64),
        message: Some(event.message),
        ingestion_time: Some(event.taken.0 as i64),
        event_id: Some(event.id.digits()),
    }
}
