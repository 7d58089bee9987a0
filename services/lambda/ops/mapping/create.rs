//! `CreateEventSourceMapping`.

use std::sync::Arc;

use kit::{Arn, Caller, ids};
use model::lambda as api;

use crate::{
    Error, Lambda,
    ops::mapping::{check_source, concurrency, describe, filters, refuse_stream_settings},
    sources::mapping::{Mapping, State},
};

pub(crate) async fn run(
    lambda: Arc<Lambda>,
    caller: Caller,
    input: api::CreateEventSourceMappingInput,
) -> Result<api::CreateEventSourceMappingOutput, Error> {
    let source: Arn = input
        .event_source_arn
        .as_deref()
        .and_then(|arn| arn.parse().ok())
        .ok_or_else(|| Error::InvalidParameter("Unrecognized event source.".to_owned()))?;
    if source.service() != "sqs" {
        let service = source.service();
        return Err(Error::InvalidParameter(format!(
            "lampejo does not poll {service} sources yet."
        )));
    }
    refuse_stream_settings(&[
        ("StartingPosition", input.starting_position.is_some()),
        ("ParallelizationFactor", input.parallelization_factor.is_some()),
        ("TumblingWindowInSeconds", input.tumbling_window_in_seconds.is_some()),
        ("BisectBatchOnFunctionError", input.bisect_batch_on_function_error.is_some()),
        ("MaximumRecordAgeInSeconds", input.maximum_record_age_in_seconds.is_some()),
        ("MaximumRetryAttempts", input.maximum_retry_attempts.is_some()),
        ("DestinationConfig", input.destination_config.is_some()),
    ])?;
    let runnable = lambda.functions.named(&caller, &input.function_name, None)?;
    runnable.check_no_tenants("An event source mapping")?;
    let _turn = lambda.sources.turn.lock().await;
    refuse_twin(&lambda, &source, &runnable.invoked_arn)?;
    let mapping = Mapping {
        id: ids::uuid(),
        account: caller.account,
        region: caller.region.clone(),
        function: runnable.function.name.clone(),
        qualifier: runnable.qualifier.clone(),
        function_arn: runnable.invoked_arn.parse().map_err(|_| Error::NoSuchMapping)?,
        source,
        batch_size: input.batch_size.map_or(10, |it| it as u32),
        window_seconds: input.maximum_batching_window_in_seconds.unwrap_or(0) as u32,
        enabled: input.enabled.unwrap_or(true),
        filters: filters(input.filter_criteria)?,
        report_item_failures: !input.function_response_types.unwrap_or_default().is_empty(),
        maximum_concurrency: concurrency(input.scaling_config),
        modified: caller.now,
        tags: input.tags.unwrap_or_default(),
    };
    check_source(&lambda, &mapping).await?;
    lambda.save_mapping(&mapping).await?;
    let mapping = lambda.sources.put(&lambda, mapping);
    Ok(describe(&mapping, State::Creating))
}

/// A queue fires one version of a function through one mapping only.
fn refuse_twin(lambda: &Lambda, source: &Arn, function_arn: &str) -> Result<(), Error> {
    let twin = lambda.sources.list(None).into_iter().find(|seen| {
        seen.state != State::Deleting
            && seen.mapping.source == *source
            && seen.mapping.function_arn.as_str() == function_arn
    });
    match twin {
        Some(twin) => Err(Error::MappingExists {
            source_arn: source.to_string(),
            function: twin.mapping.function.clone(),
            id: twin.mapping.id.clone(),
        }),
        None => Ok(()),
    }
}
