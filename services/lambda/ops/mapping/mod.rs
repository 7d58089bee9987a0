//! The operations on event source mappings, one file each, and what they share.

pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod update;

use std::sync::Arc;

use kit::{Arn, Caller};
use model::lambda as api;

use crate::{
    Error, Lambda,
    limits::MAPPING_FILTERS,
    sources::{
        Seen,
        filter::MAX_PATTERN_CHARS,
        mapping::{Filters, Mapping, State},
    },
};

/// The ARN of a mapping.
pub(crate) fn arn(caller: &Caller, id: &str) -> Arn {
    caller.arn("lambda", format!("event-source-mapping:{id}"))
}

/// The mapping of an id, if it is the caller's.
fn find(lambda: &Lambda, caller: &Caller, id: &str) -> Result<Seen, Error> {
    let seen = lambda.sources.get(id);
    seen.filter(|it| it.mapping.account == caller.account && it.mapping.region == caller.region)
        .ok_or(Error::NoSuchMapping)
}

/// A mapping in the form of answers.
fn describe(mapping: &Mapping, state: State) -> api::EventSourceMappingConfiguration {
    let filters = mapping.filters.iter().map(|it| api::Filter { pattern: Some(it.clone()) });
    let filters: Vec<api::Filter> = filters.collect();
    let arn = Arn::new(
        "lambda",
        mapping.region.as_str(),
        mapping.account.as_str(),
        format!("event-source-mapping:{}", mapping.id),
    );
    let maximum_concurrency = mapping.maximum_concurrency.map(|it| it as i32);
    api::EventSourceMappingConfiguration {
        uuid: Some(mapping.id.clone()),
        batch_size: Some(mapping.batch_size as i32),
        maximum_batching_window_in_seconds: Some(mapping.window_seconds as i32),
        event_source_arn: Some(mapping.source.to_string()),
        filter_criteria: (!filters.is_empty())
            .then_some(api::FilterCriteria { filters: Some(filters) }),
        function_arn: Some(mapping.function_arn.to_string()),
        last_modified: Some(mapping.modified),
        state: Some(state.as_str().to_owned()),
        state_transition_reason: Some("USER_INITIATED".to_owned()),
        function_response_types: Some(if mapping.report_item_failures {
            vec![api::FunctionResponseType::ReportBatchItemFailures]
        } else {
            Vec::new()
        }),
        scaling_config: mapping
            .maximum_concurrency
            .map(|_| api::ScalingConfig { maximum_concurrency }),
        event_source_mapping_arn: Some(arn.to_string()),
        ..api::EventSourceMappingConfiguration::default()
    }
}

/// The patterns of a request, checked.
fn filters(criteria: Option<api::FilterCriteria>) -> Result<Vec<String>, Error> {
    let filters = criteria.and_then(|it| it.filters).unwrap_or_default();
    let patterns: Vec<String> = filters.into_iter().filter_map(|filter| filter.pattern).collect();
    if patterns.len() > MAPPING_FILTERS
        || patterns.iter().any(|it| it.chars().count() > MAX_PATTERN_CHARS)
    {
        return Err(Error::InvalidParameter("Invalid filter pattern definition.".to_owned()));
    }
    Filters::parse(&patterns).map_err(|error| Error::InvalidParameter(error.to_string()))?;
    Ok(patterns)
}

/// The rules between batch size, window and the kind of queue.
async fn check_source(lambda: &Arc<Lambda>, mapping: &Mapping) -> Result<(), Error> {
    let queues = lambda.bus.directory().queues().cloned();
    let shape = match queues {
        Some(queues) => queues.shape(&mapping.source).await,
        None => None,
    };
    let shape = shape.ok_or_else(|| Error::InvalidParameter(
        "Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. SQS Error Message: The specified queue does not exist.".to_owned(),
    ))?;
    let refuse = |text: &str| Err(Error::InvalidParameter(text.to_owned()));
    if shape.fifo && mapping.batch_size > 10 {
        return refuse("Batch size for a FIFO queue must be between 1 and 10.");
    }
    if shape.fifo && mapping.window_seconds > 0 {
        return refuse("Batching window is not supported for FIFO queues.");
    }
    if mapping.batch_size > 10 && mapping.window_seconds == 0 {
        return refuse(
            "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10",
        );
    }
    let runnable = lambda.functions.runnable(
        mapping.account,
        &mapping.region,
        &mapping.function,
        mapping.qualifier.as_deref(),
    )?;
    let (visible, timeout) =
        (u64::from(shape.visibility_timeout_seconds), runnable.function.timeout.as_secs());
    if visible < timeout {
        return refuse(&format!(
            "Queue visibility timeout: {visible} seconds is less than Function timeout: {timeout} seconds"
        ));
    }
    Ok(())
}

/// What a queue's mapping cannot have.
fn refuse_stream_settings(settings: &[(&'static str, bool)]) -> Result<(), Error> {
    match settings.iter().find(|(_, given)| *given) {
        Some((name, _)) => {
            Err(Error::InvalidParameter(format!("{name} is not valid for SQS event sources.")))
        }
        None => Ok(()),
    }
}

fn concurrency(scaling: Option<api::ScalingConfig>) -> Option<u32> {
    scaling.and_then(|it| it.maximum_concurrency).and_then(|it| u32::try_from(it).ok())
}
