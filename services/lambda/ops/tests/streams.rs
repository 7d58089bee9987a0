//! The engine over a stream's double: order, checkpoints, retries, windows, lanes, shards.

use std::time::Duration;

use serde_json::json;

use super::{
    chain::{Chain, input, telling},
    *,
};
use crate::sources::mapping::State;

const FAILS_ON_BAD: &str = "if 'bad' in data:\n    raise ValueError('bad')";

#[tokio::test(flavor = "multi_thread")]
async fn records_come_in_order_and_once_across_a_restart() {
    let mut chain = Chain::new("pass").await;
    chain.stream.put("0", "k", &["a", "b", "c"]);
    chain.map(api::CreateEventSourceMappingInput { batch_size: Some(2), ..input() }).await;
    chain.until_place("0", ("10", false)).await;
    assert_eq!(chain.batches(), [vec!["a", "b"], vec!["c"]]);
    let record = &chain.events()[0]["Records"][0];
    assert_eq!(record["invokeIdentityArn"], "arn:aws:iam::000000000000:role/r");
    assert_eq!(chain.get().await.last_processing_result.as_deref(), Some("OK"));
    let chain = chain.restarted().await;
    chain.stream.put("0", "k", &["d"]);
    chain.until_place("0", ("11", false)).await;
    assert_eq!(chain.batches(), [vec!["a", "b"], vec!["c"], vec!["d"]]);
    chain.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_done_before_a_stop_is_tried_again_after_it() {
    let mut chain = Chain::new(FAILS_ON_BAD).await;
    chain.stream.put("0", "k", &["a", "bad", "b"]);
    chain.map(api::CreateEventSourceMappingInput { batch_size: Some(1), ..input() }).await;
    chain.until("two failures", |chain| chain.batches().len() >= 3).await;
    assert_eq!(chain.place("0").await, Some(("8".to_owned(), false)));
    let result = chain.get().await.last_processing_result;
    assert_eq!(result.as_deref(), Some("PROBLEM: Function call failed"));
    let before = chain.batches().len();
    let chain = chain.restarted().await;
    chain.until("another failure", |chain| chain.batches().len() > before).await;
    assert!(chain.batches()[1..].iter().all(|batch| batch == &["bad"]), "{:?}", chain.batches());
    chain.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bisection_finds_the_bad_record_and_the_destination_is_told() {
    let mut chain = Chain::new(FAILS_ON_BAD).await;
    chain.stream.put("0", "k", &["a", "b", "c", "bad"]);
    chain
        .map(api::CreateEventSourceMappingInput {
            bisect_batch_on_function_error: Some(true),
            maximum_retry_attempts: Some(1),
            destination_config: telling("dead"),
            ..input()
        })
        .await;
    chain.until_place("0", ("11", false)).await;
    let all = [vec!["a", "b", "c", "bad"], vec!["a", "b"], vec!["c", "bad"]];
    assert_eq!(chain.batches()[..3], all);
    assert_eq!(chain.batches()[3..], [vec!["c"], vec!["bad"], vec!["bad"]]);
    chain.until("the letter", |chain| chain.letters.all().len() == 1).await;
    let letter = &chain.letters.all()[0];
    assert_eq!(letter["requestContext"]["condition"], "RetryAttemptsExhausted");
    assert_eq!(letter["responseContext"]["functionError"], "Unhandled");
    assert_eq!(letter["KinesisBatchInfo"]["startSequenceNumber"], "11");
    assert_eq!(letter["KinesisBatchInfo"]["batchSize"], 1);
    assert!(letter.get("payload").is_none());
    chain.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_is_told_with_the_event_itself() {
    let mut chain = Chain::new(FAILS_ON_BAD).await;
    chain.stream.put("0", "k", &["bad"]);
    let destination = Some("arn:aws:s3:::dead".to_owned());
    let on_failure = Some(api::OnFailure { destination });
    chain
        .map(api::CreateEventSourceMappingInput {
            maximum_retry_attempts: Some(0),
            destination_config: Some(api::DestinationConfig { on_success: None, on_failure }),
            ..input()
        })
        .await;
    chain.until_place("0", ("8", false)).await;
    let [(bucket, key, notice)] = chain.bucket.all().try_into().unwrap();
    assert_eq!(bucket, "dead");
    assert!(key.starts_with(&format!("aws/lambda/{}/0/", chain.id)), "{key}");
    assert_eq!(notice["KinesisBatchInfo"]["startSequenceNumber"], "8");
    let payload = notice["payload"].as_str().unwrap();
    assert_eq!(serde_json::from_str::<serde_json::Value>(payload).unwrap(), chain.events()[0]);
    chain.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reported_items_are_tried_again_from_the_lowest_on() {
    let run = "if len(event['Records']) == 4:\n    \
               ids = [it['kinesis']['sequenceNumber'] for it in event['Records']]\n    \
               return {'batchItemFailures': [{'itemIdentifier': it} for it in (ids[3], ids[1])]}";
    let mut chain = Chain::new(run).await;
    chain.stream.put("0", "k", &["a", "b", "c", "d"]);
    let types = Some(vec![api::FunctionResponseType::ReportBatchItemFailures]);
    let reporting =
        api::CreateEventSourceMappingInput { function_response_types: types, ..input() };
    chain.map(reporting).await;
    chain.until_place("0", ("11", false)).await;
    assert_eq!(chain.batches(), [vec!["a", "b", "c", "d"], vec!["b", "c", "d"]]);
    chain.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_are_too_old_are_given_up() {
    let mut chain = Chain::new(FAILS_ON_BAD).await;
    chain.stream.put("0", "k", &["bad"]);
    chain
        .map(api::CreateEventSourceMappingInput {
            maximum_record_age_in_seconds: Some(60),
            destination_config: telling("dead"),
            ..input()
        })
        .await;
    chain.until("a failure", |chain| !chain.batches().is_empty()).await;
    chain.world.lambda.clock.advance(Duration::from_secs(200));
    chain.until("the letter", |chain| chain.letters.all().len() == 1).await;
    let context = &chain.letters.all()[0]["requestContext"];
    assert_eq!(context["condition"], "RecordAgeExceeded");
    assert_eq!(chain.place("0").await, Some(("8".to_owned(), false)));
    chain.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_gathers_a_state_and_ends_with_a_last_call() {
    let run = "return {'state': {'seen': event['state'].get('seen', []) + data}}";
    let mut chain = Chain::new(run).await;
    let windows = Some(30);
    chain
        .map(api::CreateEventSourceMappingInput { tumbling_window_in_seconds: windows, ..input() })
        .await;
    // The window begins now and not in the middle of one.
    let clock = chain.world.lambda.clock.clone();
    clock.advance(Duration::from_millis(30_000 - clock.now().0 % 30_000));
    chain.stream.put("0", "k", &["a"]);
    chain.until_place("0", ("8", false)).await;
    chain.stream.put("0", "k", &["b"]);
    chain.until_place("0", ("9", false)).await;
    let chain = chain.restarted().await;
    // The state survives the restart, whose clock is the system's again: it may be before the end.
    let last = |chain: &Chain| chain.events().last().cloned().unwrap_or_default();
    chain.world.lambda.clock.advance(Duration::from_secs(120));
    chain.until("the last call", |chain| last(chain)["isFinalInvokeForWindow"] == true).await;
    let events = chain.events();
    assert_eq!(events[0]["state"], json!({}));
    assert_eq!(events[1]["state"], json!({"seen": ["a"]}));
    assert_eq!(events.len(), 3);
    let last = last(&chain);
    assert_eq!(last["Records"], json!([]));
    assert_eq!(last["state"], json!({"seen": ["a", "b"]}));
    assert_eq!(last["shardId"], "0");
    assert_eq!(last["isWindowTerminatedEarly"], false);
    assert_eq!(last["window"], events[0]["window"]);
    chain.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lanes_keep_the_order_of_keys_and_do_not_wait_for_each_other() {
    // Of ten lanes none of these shares the one of `stuck`.
    const KEYS: [&str; 6] = ["a", "b", "c", "d", "e", "g"];
    let mut chain = Chain::new(FAILS_ON_BAD).await;
    chain.stream.put("0", "stuck", &["bad"]);
    for turn in 0..10 {
        for key in KEYS {
            chain.stream.put("0", key, &[&format!("{key}{turn}")]);
        }
    }
    let lanes = api::CreateEventSourceMappingInput {
        parallelization_factor: Some(10),
        batch_size: Some(2),
        ..input()
    };
    chain.map(lanes).await;
    let free = |chain: &Chain| {
        let mut all = chain.batches().concat();
        all.retain(|it| it != "bad");
        all
    };
    chain.until("the free lanes are done", |chain| free(chain).len() == 60).await;
    for key in KEYS {
        let mut of_key = free(&chain);
        of_key.retain(|it| it.starts_with(key));
        let expected: Vec<String> = (0..10).map(|turn| format!("{key}{turn}")).collect();
        assert_eq!(of_key, expected);
    }
    assert_eq!(chain.place("0").await, Some(("0".to_owned(), false)), "the first is not done");
    chain.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn children_are_read_when_their_parents_are_done() {
    let mut chain = Chain::new("pass").await;
    chain.map(input()).await;
    chain.stream.open("1", &["0"]);
    chain.stream.open("2", &["0"]);
    chain.stream.put("1", "k", &["child"]);
    chain.stream.put("0", "k", &["parent"]);
    chain.until("the parent's record", |chain| chain.batches() == [vec!["parent"]]).await;
    chain.stream.close("0");
    chain.until("the child's record", |chain| chain.batches().len() == 2).await;
    assert_eq!(chain.batches(), [vec!["parent"], vec!["child"]]);
    chain.until_place("0", ("9", true)).await;
    chain.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn filtered_records_move_the_place_and_reach_nobody() {
    let mut chain = Chain::new("pass").await;
    chain.stream.put("0", "k", &["{\"n\":1}", "plain", "{\"n\":2}", "{\"n\":3}"]);
    let pattern = Some(json!({"data": {"n": [2]}}).to_string());
    let filters = Some(api::FilterCriteria { filters: Some(vec![api::Filter { pattern }]) });
    chain.map(api::CreateEventSourceMappingInput { filter_criteria: filters, ..input() }).await;
    chain.until_place("0", ("11", false)).await;
    assert_eq!(chain.batches(), [vec!["{\"n\":2}"]]);
    chain.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mapping_from_the_latest_on_sees_what_comes_after_it_is_enabled() {
    let mut chain = Chain::new("pass").await;
    chain.stream.put("0", "k", &["before"]);
    let latest = Some(api::EventSourcePosition::Latest);
    chain.map(api::CreateEventSourceMappingInput { starting_position: latest, ..input() }).await;
    chain.until("it is enabled", |chain| chain.state() == Some(State::Enabled)).await;
    chain.stream.put("0", "k", &["after"]);
    chain.until("the record", |chain| chain.batches() == [vec!["after"]]).await;
    chain.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_batch_goes_at_once_and_the_rest_when_its_window_is_over() {
    let mut chain = Chain::new("pass").await;
    chain.stream.put("0", "k", &["a", "b", "c"]);
    chain
        .map(api::CreateEventSourceMappingInput {
            batch_size: Some(2),
            maximum_batching_window_in_seconds: Some(300),
            ..input()
        })
        .await;
    chain.until_place("0", ("9", false)).await;
    chain.world.lambda.clock.advance(Duration::from_secs(290));
    assert_eq!(chain.batches(), [vec!["a", "b"]]);
    chain.world.lambda.clock.advance(Duration::from_secs(20));
    chain.until_place("0", ("10", false)).await;
    assert_eq!(chain.batches(), [vec!["a", "b"], vec!["c"]]);
    chain.end().await;
}
