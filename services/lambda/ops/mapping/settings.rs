//! What may be set of a mapping, and for which sources.

use kit::Arn;
use model::lambda as api;
use wire::Enumeration;

use crate::{
    Error, Lambda,
    limits::MAPPING_FILTERS,
    sources::{
        filter::{Filters, InvalidPattern},
        mapping::{Mapping, Pollers, Start, StreamSettings},
    },
};

/// Pollers of a queue in provisioned mode ("ProvisionedPollerConfig", API reference).
const FEWEST_POLLERS: u32 = 2;
const POLLERS_BY_DEFAULT: u32 = 200;
/// The least `MaximumRecordAgeInSeconds` beside -1 ("CreateEventSourceMapping", API reference).
const LEAST_AGE_SECONDS: u32 = 60;

fn refuse<T>(text: impl Into<String>) -> Result<T, Error> {
    Err(Error::InvalidParameter(text.into()))
}

/// Where a new mapping begins to read.
pub(super) fn start(
    source: &Arn,
    position: Option<api::EventSourcePosition>,
    timestamp: Option<kit::Millis>,
) -> Result<Start, Error> {
    use api::EventSourcePosition::{AtTimestamp, Latest, TrimHorizon};
    let Some(position) = position else {
        return refuse(
            "1 validation error detected: Value null at 'startingPosition' failed to satisfy constraint: Member must not be null.",
        );
    };
    if timestamp.is_some() && position != AtTimestamp {
        return refuse("Timestamp only valid with StartingPosition AT_TIMESTAMP");
    }
    match (position, timestamp) {
        (TrimHorizon, _) => Ok(Start::TrimHorizon),
        (Latest, _) => Ok(Start::Latest),
        (AtTimestamp, _) if source.service() != "kinesis" => {
            refuse(format!("Unsupported starting position for arn type: {source}"))
        }
        (AtTimestamp, Some(moment)) => Ok(Start::At(moment)),
        (AtTimestamp, None) => {
            refuse("Timestamp must be specified with StartingPosition AT_TIMESTAMP")
        }
    }
}

/// Changes what the input names.
pub(super) fn apply(
    lambda: &Lambda,
    mapping: &mut Mapping,
    mut input: api::UpdateEventSourceMappingInput,
) -> Result<(), Error> {
    refuse_others(mapping.stream.is_some(), &input)?;
    mapping.enabled = input.enabled.unwrap_or(mapping.enabled);
    set(&mut mapping.batch_size, input.batch_size);
    set(&mut mapping.window_seconds, input.maximum_batching_window_in_seconds);
    if let Some(criteria) = input.filter_criteria.take() {
        mapping.filters = filters(mapping, criteria)?;
    }
    if let Some(types) = input.function_response_types.take() {
        mapping.report_item_failures = !types.is_empty();
    }
    if let Some(key) = input.kms_key_arn.take() {
        mapping.kms_key = Some(key).filter(|key| !key.is_empty());
    }
    if let Some(config) = input.metrics_config.take() {
        let metrics = config.metrics.unwrap_or_default();
        mapping.metrics = Some(metrics.iter().map(|it| it.as_str().to_owned()).collect());
    }
    if let Some(config) = input.logging_config.take() {
        mapping.log_level = config.system_log_level.map(|level| level.as_str().to_owned());
    }
    match &mut mapping.stream {
        Some(stream) => apply_to_stream(lambda, stream, input),
        None => apply_to_queue(mapping, input),
    }
}

fn set(value: &mut u32, given: Option<i32>) {
    *value = given.and_then(|given| u32::try_from(given).ok()).unwrap_or(*value);
}

/// What mappings of this kind of source cannot have.
fn refuse_others(stream: bool, input: &api::UpdateEventSourceMappingInput) -> Result<(), Error> {
    let never = [
        ("SourceAccessConfigurations", input.source_access_configurations.is_some()),
        (
            "AmazonManagedKafkaEventSourceConfig",
            input.amazon_managed_kafka_event_source_config.is_some(),
        ),
        (
            "SelfManagedKafkaEventSourceConfig",
            input.self_managed_kafka_event_source_config.is_some(),
        ),
        ("DocumentDBEventSourceConfig", input.document_db_event_source_config.is_some()),
    ];
    let of_streams = [
        ("ParallelizationFactor", input.parallelization_factor.is_some()),
        ("TumblingWindowInSeconds", input.tumbling_window_in_seconds.is_some()),
        ("BisectBatchOnFunctionError", input.bisect_batch_on_function_error.is_some()),
        ("MaximumRecordAgeInSeconds", input.maximum_record_age_in_seconds.is_some()),
        ("MaximumRetryAttempts", input.maximum_retry_attempts.is_some()),
        ("DestinationConfig", input.destination_config.is_some()),
    ];
    let of_queues = [
        ("ScalingConfig", input.scaling_config.is_some()),
        ("ProvisionedPollerConfig", input.provisioned_poller_config.is_some()),
    ];
    refuse_given(&never)?;
    if stream { refuse_given(&of_queues) } else { refuse_given(&of_streams) }
}

/// Refuses the first that was given.
pub(super) fn refuse_given(settings: &[(&str, bool)]) -> Result<(), Error> {
    match settings.iter().find(|(_, given)| *given) {
        Some((name, _)) => {
            refuse(format!("Unsupported {name} parameter for given event source mapping type."))
        }
        None => Ok(()),
    }
}

/// The patterns of a request, checked.
fn filters(mapping: &Mapping, criteria: api::FilterCriteria) -> Result<Vec<String>, Error> {
    let invalid = |error: InvalidPattern| Error::InvalidParameter(error.to_string());
    let filters = criteria.filters.unwrap_or_default();
    if filters.len() > MAPPING_FILTERS {
        return Err(invalid(InvalidPattern));
    }
    let patterns = filters.into_iter().map(|filter| filter.pattern.ok_or(InvalidPattern));
    let patterns: Vec<String> = patterns.collect::<Result<_, _>>().map_err(invalid)?;
    Filters::parse(&patterns, mapping.payload()).map_err(invalid)?;
    Ok(patterns)
}

fn apply_to_queue(
    mapping: &mut Mapping,
    input: api::UpdateEventSourceMappingInput,
) -> Result<(), Error> {
    if let Some(scaling) = input.scaling_config {
        mapping.maximum_concurrency =
            scaling.maximum_concurrency.and_then(|most| u32::try_from(most).ok());
    }
    if let Some(config) = input.provisioned_poller_config {
        mapping.pollers = pollers(&config)?;
    }
    if mapping.maximum_concurrency.is_some() && mapping.pollers.is_some() {
        return refuse("MaximumConcurrency and ProvisionedPollerConfig exclude each other.");
    }
    Ok(())
}

/// An empty configuration ends the provisioned mode.
fn pollers(config: &api::ProvisionedPollerConfig) -> Result<Option<Pollers>, Error> {
    refuse_given(&[("PollerGroupName", config.poller_group_name.is_some())])?;
    let number = |given: Option<i32>| given.and_then(|it| u32::try_from(it).ok());
    let (minimum, maximum) = (number(config.minimum_pollers), number(config.maximum_pollers));
    if minimum.is_none() && maximum.is_none() {
        return Ok(None);
    }
    let minimum = minimum.unwrap_or(FEWEST_POLLERS);
    let maximum = maximum.unwrap_or(POLLERS_BY_DEFAULT.max(minimum));
    if minimum < FEWEST_POLLERS || maximum < minimum {
        return refuse(format!(
            "MinimumPollers must be at least {FEWEST_POLLERS} and not more than MaximumPollers."
        ));
    }
    Ok(Some(Pollers { minimum, maximum }))
}

fn apply_to_stream(
    lambda: &Lambda,
    stream: &mut StreamSettings,
    input: api::UpdateEventSourceMappingInput,
) -> Result<(), Error> {
    // -1 stands for no bound.
    let bound = |given: i32| u32::try_from(given).ok();
    set(&mut stream.lanes, input.parallelization_factor);
    set(&mut stream.tumbling_seconds, input.tumbling_window_in_seconds);
    stream.bisect = input.bisect_batch_on_function_error.unwrap_or(stream.bisect);
    stream.retries = input.maximum_retry_attempts.map_or(stream.retries, bound);
    stream.age_seconds = input.maximum_record_age_in_seconds.map_or(stream.age_seconds, bound);
    if stream.age_seconds.is_some_and(|age| age < LEAST_AGE_SECONDS) {
        return refuse(format!(
            "MaximumRecordAgeInSeconds must be -1 or at least {LEAST_AGE_SECONDS}."
        ));
    }
    if let Some(config) = input.destination_config {
        if config.on_success.is_some() {
            return refuse_given(&[("DestinationConfig", true)]);
        }
        let destination = config.on_failure.and_then(|it| it.destination);
        let destination = destination.filter(|text| !text.is_empty());
        stream.on_failure = destination.map(|text| on_failure(lambda, &text)).transpose()?;
    }
    Ok(())
}

/// A queue, topic or bucket that can be told of batches that were given up.
fn on_failure(lambda: &Lambda, text: &str) -> Result<Arn, Error> {
    let directory = lambda.bus.directory();
    let arn: Option<Arn> = text.parse().ok();
    let Some(arn) = arn.filter(|arn| matches!(arn.service(), "sqs" | "sns" | "s3")) else {
        return refuse(format!(
            "The provided destination config DestinationConfig is invalid: {text}"
        ));
    };
    let here = match arn.service() {
        "s3" => directory.objects().is_some(),
        _ => directory.target(&arn).is_some(),
    };
    if !here {
        let service = arn.service();
        return refuse(format!("lampejo does not deliver to {service} destinations yet."));
    }
    Ok(arn)
}
