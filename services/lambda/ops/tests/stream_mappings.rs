//! Mappings of streams as the operations show them: states, defaults, what is refused.

use super::{
    chain::{Chain, input},
    stream::STREAM,
    *,
};
use crate::{
    ops::mapping::{delete, update},
    sources::mapping::State,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_mapping_passes_through_its_states() {
    let mut chain = Chain::new("pass").await;
    let stream = chain.stream.clone();
    // Until the poller knows where it begins, the mapping is being created.
    let gate = stream.gate.write().await;
    assert_eq!(chain.map(input()).await.state.as_deref(), Some("Creating"));
    let refused = set_enabled(&chain, true).await.unwrap_err();
    assert_eq!(refused.to_string(), "Cannot update the event source mapping because it is in use.");
    drop(gate);
    chain.until("it is enabled", |chain| chain.state() == Some(State::Enabled)).await;
    let disabling = set_enabled(&chain, false).await.unwrap();
    assert_eq!(disabling.state.as_deref(), Some("Disabling"));
    chain.until("it is disabled", |chain| chain.state() == Some(State::Disabled)).await;
    assert_eq!(set_enabled(&chain, true).await.unwrap().state.as_deref(), Some("Enabling"));
    chain.until("it is enabled", |chain| chain.state() == Some(State::Enabled)).await;
    assert!(chain.place("0").await.is_some());
    let input = api::DeleteEventSourceMappingInput { uuid: chain.id.clone() };
    let deleted = delete::run(chain.world.lambda.clone(), chain.world.caller.clone(), input).await;
    assert_eq!(deleted.unwrap().state.as_deref(), Some("Deleting"));
    chain.until("it is gone", |chain| chain.state().is_none()).await;
    assert_eq!(chain.place("0").await, None, "its places are forgotten");
    chain.end().await;
}

async fn set_enabled(
    chain: &Chain,
    enabled: bool,
) -> Result<api::EventSourceMappingConfiguration, Error> {
    let input = api::UpdateEventSourceMappingInput {
        uuid: chain.id.clone(),
        enabled: Some(enabled),
        ..api::UpdateEventSourceMappingInput::default()
    };
    update::run(chain.world.lambda.clone(), chain.world.caller.clone(), input).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_mapping_is_what_aws_answers() {
    let mut chain = Chain::new("pass").await;
    let made = chain.map(api::CreateEventSourceMappingInput { enabled: Some(false), ..input() });
    let made = made.await;
    let random = made.clone();
    let expected = api::EventSourceMappingConfiguration {
        batch_size: Some(100),
        bisect_batch_on_function_error: Some(false),
        destination_config: Some(api::DestinationConfig {
            on_failure: Some(api::OnFailure::default()),
            on_success: None,
        }),
        event_source_arn: Some(STREAM.to_owned()),
        function_arn: Some(ARN.to_owned()),
        function_response_types: Some(Vec::new()),
        last_processing_result: Some("No records processed".to_owned()),
        maximum_batching_window_in_seconds: Some(0),
        maximum_record_age_in_seconds: Some(-1),
        maximum_retry_attempts: Some(-1),
        parallelization_factor: Some(1),
        starting_position: Some(api::EventSourcePosition::TrimHorizon),
        state: Some("Creating".to_owned()),
        state_transition_reason: Some("User action".to_owned()),
        tumbling_window_in_seconds: Some(0),
        uuid: random.uuid,
        last_modified: random.last_modified,
        event_source_mapping_arn: random.event_source_mapping_arn,
        ..api::EventSourceMappingConfiguration::default()
    };
    assert_eq!(made, expected);
    assert_eq!(chain.get().await.state.as_deref(), Some("Disabled"));
    chain.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_do_not_fit_a_stream_are_refused() {
    use api::EventSourcePosition::{AtTimestamp, Latest};
    let chain = Chain::new("pass").await;
    let scaling = Some(api::ScalingConfig { maximum_concurrency: Some(2) });
    let on_success = Some(api::OnSuccess { destination: Some(STREAM.to_owned()) });
    let success = Some(api::DestinationConfig { on_success, on_failure: None });
    let other = Some(format!("{STREAM}-other"));
    let cases = [
        (
            api::CreateEventSourceMappingInput { starting_position: None, ..input() },
            "1 validation error detected: Value null at 'startingPosition' failed to satisfy \
             constraint: Member must not be null.",
        ),
        (
            api::CreateEventSourceMappingInput {
                starting_position: Some(Latest),
                starting_position_timestamp: Some(kit::Millis(1)),
                ..input()
            },
            "Timestamp only valid with StartingPosition AT_TIMESTAMP",
        ),
        (
            api::CreateEventSourceMappingInput { starting_position: Some(AtTimestamp), ..input() },
            "Timestamp must be specified with StartingPosition AT_TIMESTAMP",
        ),
        (
            api::CreateEventSourceMappingInput { scaling_config: scaling, ..input() },
            "Unsupported ScalingConfig parameter for given event source mapping type.",
        ),
        (
            api::CreateEventSourceMappingInput { destination_config: success, ..input() },
            "Unsupported DestinationConfig parameter for given event source mapping type.",
        ),
        (
            api::CreateEventSourceMappingInput {
                maximum_record_age_in_seconds: Some(59),
                ..input()
            },
            "MaximumRecordAgeInSeconds must be -1 or at least 60.",
        ),
        (
            api::CreateEventSourceMappingInput { event_source_arn: other, ..input() },
            "Stream not found: arn:aws:kinesis:us-east-1:000000000000:stream/s-other",
        ),
    ];
    for (input, text) in cases {
        assert_eq!(chain.try_map(input).await.unwrap_err().to_string(), text);
    }
    chain.end().await;
}
