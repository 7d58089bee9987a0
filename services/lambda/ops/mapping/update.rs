//! `UpdateEventSourceMapping`.

use std::sync::Arc;

use kit::Caller;
use model::lambda as api;

use crate::{
    Error, Lambda,
    ops::mapping::{check_source, concurrency, describe, filters, find, refuse_stream_settings},
    sources::mapping::{Mapping, State},
};

pub(crate) async fn run(
    lambda: Arc<Lambda>,
    caller: Caller,
    input: api::UpdateEventSourceMappingInput,
) -> Result<api::UpdateEventSourceMappingOutput, Error> {
    let _turn = lambda.sources.turn.lock().await;
    let seen = find(&lambda, &caller, &input.uuid)?;
    refuse_stream_settings(&[
        ("ParallelizationFactor", input.parallelization_factor.is_some()),
        ("TumblingWindowInSeconds", input.tumbling_window_in_seconds.is_some()),
        ("BisectBatchOnFunctionError", input.bisect_batch_on_function_error.is_some()),
        ("MaximumRecordAgeInSeconds", input.maximum_record_age_in_seconds.is_some()),
        ("MaximumRetryAttempts", input.maximum_retry_attempts.is_some()),
        ("DestinationConfig", input.destination_config.is_some()),
    ])?;
    if seen.state == State::Deleting {
        return Err(Error::MappingInUse { id: input.uuid });
    }
    let mut mapping = Mapping::clone(&seen.mapping);
    if let Some(name) = input.function_name.as_deref() {
        let runnable = lambda.functions.named(&caller, name, None)?;
        mapping.function.clone_from(&runnable.function.name);
        mapping.qualifier.clone_from(&runnable.qualifier);
        mapping.function_arn = runnable.invoked_arn.parse().map_err(|_| Error::NoSuchMapping)?;
    }
    mapping.enabled = input.enabled.unwrap_or(mapping.enabled);
    mapping.batch_size = input.batch_size.map_or(mapping.batch_size, |it| it as u32);
    let window = input.maximum_batching_window_in_seconds;
    mapping.window_seconds = window.map_or(mapping.window_seconds, |it| it as u32);
    if input.filter_criteria.is_some() {
        mapping.filters = filters(input.filter_criteria)?;
    }
    if let Some(types) = input.function_response_types {
        mapping.report_item_failures = !types.is_empty();
    }
    if input.scaling_config.is_some() {
        mapping.maximum_concurrency = concurrency(input.scaling_config);
    }
    mapping.modified = caller.now;
    check_source(&lambda, &mapping).await?;
    lambda.save_mapping(&mapping).await?;
    let mapping = lambda.sources.put(&lambda, mapping);
    Ok(describe(&mapping, State::Updating))
}
