//! `TestMetricFilter`: tries a filter pattern on messages.

use std::sync::Arc;

use kit::Caller;
use model::logs as api;

use crate::{Error, Logs, error::Invalid, pattern::Pattern};

pub(crate) async fn run(
    _: Arc<Logs>,
    _: Caller,
    input: api::TestMetricFilterInput,
) -> Result<api::TestMetricFilterOutput, Error> {
    let pattern = Pattern::parse(&input.filter_pattern).map_err(Invalid::metric_pattern)?;
    let messages = (0..).zip(input.log_event_messages);
    let matches = messages.filter(|(_, message)| pattern.matches(message));
    let records = matches.map(|(number, message)| api::MetricFilterMatchRecord {
        event_number: Some(number),
        extracted_values: Some(pattern.extract(&message)),
        event_message: Some(message),
    });
    Ok(api::TestMetricFilterOutput { matches: Some(records.collect()) })
}
