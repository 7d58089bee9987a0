//! `CreateEventSourceMapping`.

use std::sync::Arc;

use kit::{Caller, ids};
use model::lambda as api;

use crate::{
    Error, Lambda,
    functions::Runnable,
    ops::{
        mapping::{
            function, refuse_twin, settings,
            source::{self, Source},
            view::describe_as,
        },
        tags::check,
    },
    sources::mapping::{Mapping, State, StreamSettings},
};

/// Records of a batch if nothing else is said ("CreateEventSourceMapping", API reference).
const QUEUE_BATCH: u32 = 10;
const STREAM_BATCH: u32 = 100;

pub(crate) async fn run(
    lambda: Arc<Lambda>,
    caller: Caller,
    input: api::CreateEventSourceMappingInput,
) -> Result<api::CreateEventSourceMappingOutput, Error> {
    let source = Source::named(&lambda, &input)?;
    let function = function(&lambda, &caller, &input.function_name)?;
    let mut mapping = blank(&caller, &source, &function, &input)?;
    mapping.tags = input.tags.clone().unwrap_or_default();
    check(&mapping.tags)?;
    settings::apply(&lambda, &mut mapping, settings_of(input))?;
    let timeout = function.function.timeout.as_secs();
    let _turn = lambda.sources.turn.lock().await;
    refuse_twin(&lambda, &mapping)?;
    source::check(&lambda, &mapping).await?;
    if let Source::Queue(queue) = &source {
        lambda.check_polls(&function.function, queue)?;
    }
    source::check_visibility(&lambda, &mapping, timeout).await?;
    lambda.save_mapping(&mapping).await?;
    let mapping = lambda.sources.put(&lambda, mapping, Some(State::Creating));
    let seen = lambda.sources.get(&mapping.id).ok_or(Error::NoSuchMapping)?;
    Ok(describe_as(&seen, State::Creating))
}

/// A mapping with Lambda's defaults.
fn blank(
    caller: &Caller,
    source: &Source,
    function: &Runnable,
    input: &api::CreateEventSourceMappingInput,
) -> Result<Mapping, Error> {
    settings::refuse_given(&[
        ("Topics", input.topics.is_some()),
        ("Queues", input.queues.is_some()),
    ])?;
    let (position, timestamp) = (input.starting_position, input.starting_position_timestamp);
    let (batch_size, stream) = match source {
        Source::Queue(_) if position.is_some() || timestamp.is_some() => {
            return Err(Error::InvalidParameter(
                "StartingPosition is not valid for SQS event sources.".to_owned(),
            ));
        }
        Source::Queue(_) => (QUEUE_BATCH, None),
        Source::Stream(arn) => {
            let start = settings::start(arn, position, timestamp)?;
            (STREAM_BATCH, Some(StreamSettings { start, ..StreamSettings::default() }))
        }
    };
    Ok(Mapping {
        id: ids::uuid(),
        account: caller.account,
        region: caller.region.clone(),
        function: function.function.name.clone(),
        qualifier: function.qualifier.clone(),
        function_arn: function.invoked_arn.parse().map_err(|_| Error::NoSuchMapping)?,
        source: source.arn().clone(),
        batch_size,
        window_seconds: 0,
        enabled: true,
        filters: Vec::new(),
        report_item_failures: false,
        maximum_concurrency: None,
        modified: caller.now,
        tags: kit::Tags::new(),
        stream,
        pollers: None,
        kms_key: None,
        metrics: None,
        log_level: None,
    })
}

/// What an update could set as well.
fn settings_of(input: api::CreateEventSourceMappingInput) -> api::UpdateEventSourceMappingInput {
    api::UpdateEventSourceMappingInput {
        uuid: String::new(),
        function_name: None,
        enabled: input.enabled,
        batch_size: input.batch_size,
        filter_criteria: input.filter_criteria,
        kms_key_arn: input.kms_key_arn,
        metrics_config: input.metrics_config,
        logging_config: input.logging_config,
        scaling_config: input.scaling_config,
        maximum_batching_window_in_seconds: input.maximum_batching_window_in_seconds,
        parallelization_factor: input.parallelization_factor,
        destination_config: input.destination_config,
        maximum_record_age_in_seconds: input.maximum_record_age_in_seconds,
        bisect_batch_on_function_error: input.bisect_batch_on_function_error,
        maximum_retry_attempts: input.maximum_retry_attempts,
        tumbling_window_in_seconds: input.tumbling_window_in_seconds,
        source_access_configurations: input.source_access_configurations,
        function_response_types: input.function_response_types,
        amazon_managed_kafka_event_source_config: input.amazon_managed_kafka_event_source_config,
        self_managed_kafka_event_source_config: input.self_managed_kafka_event_source_config,
        document_db_event_source_config: input.document_db_event_source_config,
        provisioned_poller_config: input.provisioned_poller_config,
    }
}
