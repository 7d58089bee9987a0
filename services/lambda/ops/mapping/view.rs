//! How answers show a mapping.

use kit::Arn;
use model::lambda as api;
use wire::Enumeration;

use crate::sources::{
    Seen,
    mapping::{Mapping, Start, State, StreamSettings},
};

/// A mapping in the state in which it is seen.
pub(super) fn describe(seen: &Seen) -> api::EventSourceMappingConfiguration {
    describe_as(seen, seen.state)
}

/// A mapping in another state.
pub(super) fn describe_as(seen: &Seen, state: State) -> api::EventSourceMappingConfiguration {
    let mapping = &seen.mapping;
    let filters = mapping.filters.iter().map(|it| api::Filter { pattern: Some(it.clone()) });
    let filters: Vec<api::Filter> = filters.collect();
    let arn = Arn::new(
        "lambda",
        mapping.region.as_str(),
        mapping.account.as_str(),
        format!("event-source-mapping:{}", mapping.id),
    );
    let reports = mapping.report_item_failures;
    let types = reports.then_some(api::FunctionResponseType::ReportBatchItemFailures);
    let common = api::EventSourceMappingConfiguration {
        uuid: Some(mapping.id.clone()),
        batch_size: Some(mapping.batch_size as i32),
        maximum_batching_window_in_seconds: Some(mapping.window_seconds as i32),
        event_source_arn: Some(mapping.source.to_string()),
        filter_criteria: (!filters.is_empty())
            .then_some(api::FilterCriteria { filters: Some(filters) }),
        kms_key_arn: mapping.kms_key.clone(),
        metrics_config: metrics(mapping),
        logging_config: log_level(mapping),
        function_arn: Some(mapping.function_arn.to_string()),
        last_modified: Some(mapping.modified),
        state: Some(state.as_str().to_owned()),
        function_response_types: Some(types.into_iter().collect()),
        event_source_mapping_arn: Some(arn.to_string()),
        ..api::EventSourceMappingConfiguration::default()
    };
    match &mapping.stream {
        Some(stream) => api::EventSourceMappingConfiguration {
            last_processing_result: Some(seen.result.to_owned()),
            ..of_stream(common, stream)
        },
        None => of_queue(common, mapping),
    }
}

fn of_queue(
    common: api::EventSourceMappingConfiguration,
    mapping: &Mapping,
) -> api::EventSourceMappingConfiguration {
    let most = mapping.maximum_concurrency;
    api::EventSourceMappingConfiguration {
        state_transition_reason: Some("USER_INITIATED".to_owned()),
        scaling_config: most
            .map(|most| api::ScalingConfig { maximum_concurrency: Some(most as i32) }),
        provisioned_poller_config: mapping.pollers.map(|pollers| api::ProvisionedPollerConfig {
            minimum_pollers: Some(pollers.minimum as i32),
            maximum_pollers: Some(pollers.maximum as i32),
            poller_group_name: None,
        }),
        ..common
    }
}

fn of_stream(
    common: api::EventSourceMappingConfiguration,
    stream: &StreamSettings,
) -> api::EventSourceMappingConfiguration {
    use api::EventSourcePosition::{AtTimestamp, Latest, TrimHorizon};
    let (position, timestamp) = match stream.start {
        Start::TrimHorizon => (TrimHorizon, None),
        Start::Latest => (Latest, None),
        Start::At(moment) => (AtTimestamp, Some(moment)),
    };
    let bound = |bound: Option<u32>| Some(bound.map_or(-1, |bound| bound as i32));
    let destination = stream.on_failure.as_ref().map(ToString::to_string);
    api::EventSourceMappingConfiguration {
        state_transition_reason: Some("User action".to_owned()),
        starting_position: Some(position),
        starting_position_timestamp: timestamp,
        parallelization_factor: Some(stream.lanes as i32),
        bisect_batch_on_function_error: Some(stream.bisect),
        maximum_retry_attempts: bound(stream.retries),
        maximum_record_age_in_seconds: bound(stream.age_seconds),
        tumbling_window_in_seconds: Some(stream.tumbling_seconds as i32),
        destination_config: Some(api::DestinationConfig {
            on_success: None,
            on_failure: Some(api::OnFailure { destination }),
        }),
        ..common
    }
}

fn metrics(mapping: &Mapping) -> Option<api::EventSourceMappingMetricsConfig> {
    let metrics = mapping.metrics.as_ref()?;
    let metrics = metrics.iter().filter_map(|name| named(name)).collect();
    Some(api::EventSourceMappingMetricsConfig { metrics: Some(metrics) })
}

fn log_level(mapping: &Mapping) -> Option<api::EventSourceMappingLoggingConfig> {
    let level = mapping.log_level.as_ref()?;
    Some(api::EventSourceMappingLoggingConfig { system_log_level: named(level) })
}

/// The value of a name in the model.
fn named<T: Enumeration>(name: &str) -> Option<T> {
    T::ALL.iter().copied().find(|value| value.as_str() == name)
}
