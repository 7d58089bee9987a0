//! `DescribeLogStreams`: a group's streams, by name or by their last event.

use std::sync::Arc;

use kit::{Caller, Millis};
use model::logs::{self as api, OrderBy};
use store::{ReadError, SegmentLog, Span};

use crate::{
    Error, Logs,
    catalog::{Place, Stream},
    error::Invalid,
    name, page,
};

/// What streams are sorted by: the last event's time if that is asked for, else 0; the name.
type Key = (u64, String);

pub(crate) async fn run(
    logs: Arc<Logs>,
    caller: Caller,
    input: api::DescribeLogStreamsInput,
) -> Result<api::DescribeLogStreamsOutput, Error> {
    let order = input.order_by.unwrap_or(OrderBy::LogStreamName);
    if order == OrderBy::LastEventTime && input.log_stream_name_prefix.is_some() {
        return Err(Invalid::OrderWithPrefix.into());
    }
    let group =
        name::of_either(input.log_group_name.as_deref(), input.log_group_identifier.as_deref())?;
    let after: Option<Key> = page::parse(input.next_token.as_deref())?;
    let descending = input.descending.unwrap_or_default();
    let prefix = input.log_stream_name_prefix.as_deref().unwrap_or_default();
    let mut streams = candidates(&logs, &caller, group, prefix, order)?;
    streams.sort_by(|(left, _), (right, _)| left.cmp(right));
    if descending {
        streams.reverse();
    }
    let rest = streams.into_iter().filter(|(key, _)| {
        after.as_ref().is_none_or(|after| if descending { key < after } else { key > after })
    });
    let (page, next_token) = page::cut(rest, input.limit, |(key, _)| key.clone());
    let events = logs.events.clone();
    let group = group.to_owned();
    let described = tokio::task::spawn_blocking(move || {
        let describe = |((_, name), stream)| described(&events, &caller, &group, name, stream);
        page.into_iter().map(describe).collect::<Result<_, ReadError>>()
    });
    let log_streams = described.await.map_err(|error| Error::Internal(error.to_string()))??;
    Ok(api::DescribeLogStreamsOutput { log_streams: Some(log_streams), next_token })
}

fn candidates(
    logs: &Logs,
    caller: &Caller,
    group: &str,
    prefix: &str,
    order: OrderBy,
) -> Result<Vec<(Key, Stream)>, Error> {
    let catalog = logs.catalog();
    let streams = catalog.group(&Place::of(caller), group)?.streams.iter();
    let wanted = streams.filter(|(name, _)| name.starts_with(prefix)).map(|(name, stream)| {
        let last = match order {
            OrderBy::LogStreamName => None,
            OrderBy::LastEventTime => spans(&logs.events, stream).iter().map(Span::latest).max(),
        };
        ((last.unwrap_or_default().0, name.clone()), *stream)
    });
    Ok(wanted.collect())
}

fn described(
    events: &SegmentLog,
    caller: &Caller,
    group: &str,
    stream_name: String,
    stream: Stream,
) -> Result<api::LogStream, ReadError> {
    let spans = spans(events, &stream);
    let last_entry = match spans.last() {
        Some(span) => events.read_span(span, Millis(0)..Millis(u64::MAX))?.pop(),
        None => None,
    };
    let millis = |moment: Millis| moment.0 as i64;
    Ok(api::LogStream {
        arn: Some(name::stream_arn(caller, group, &stream_name).to_string()),
        log_stream_name: Some(stream_name),
        creation_time: Some(millis(stream.created)),
        first_event_timestamp: spans.iter().map(Span::earliest).min().map(millis),
        last_event_timestamp: spans.iter().map(Span::latest).max().map(millis),
        last_ingestion_time: last_entry.map(|entry| millis(entry.taken)),
        // AWS reports no size of streams since 2019, and takes no tokens since 2023.
        stored_bytes: Some(0),
        upload_sequence_token: None,
    })
}

fn spans(events: &SegmentLog, stream: &Stream) -> Vec<Span> {
    events.spans(stream.id, Millis(0)..Millis(u64::MAX))
}
