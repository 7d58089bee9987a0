//! Groups, streams, tags, retention, paging.

use super::*;

async fn describe(
    server: &Server,
    input: api::DescribeLogGroupsInput,
) -> api::DescribeLogGroupsOutput {
    ops::describe_log_groups::run(server.logs.clone(), server.caller(), input).await.unwrap()
}

fn names(output: &api::DescribeLogGroupsOutput) -> Vec<&str> {
    output.log_groups.iter().flatten().filter_map(|it| it.log_group_name.as_deref()).collect()
}

#[tokio::test]
async fn names_are_taken_once_and_missing_ones_are_told() {
    let server = Server::start().await;
    server.create_group("g").await.unwrap();
    server.create_stream("g", "s").await.unwrap();
    let code = |code: &str, text: &str| (code.to_owned(), text.to_owned());
    let exists = "ResourceAlreadyExistsException";
    let missing = "ResourceNotFoundException";
    let group = "The specified log group does not exist.";
    assert_eq!(
        fault(server.create_group("g").await),
        code(exists, "The specified log group already exists")
    );
    assert_eq!(
        fault(server.create_stream("g", "s").await),
        code(exists, "The specified log stream already exists")
    );
    assert_eq!(fault(server.create_stream("h", "s").await), code(missing, group));
    assert_eq!(fault(server.put("h", "s", &[(0, "x")]).await), code(missing, group));
    assert_eq!(
        fault(server.put("g", "t", &[(0, "x")]).await),
        code(missing, "The specified log stream does not exist.")
    );
    assert_eq!(
        fault(server.create_group("AWS/spans").await),
        code("InvalidParameterException", "Log groups starting with AWS/ are reserved for AWS.")
    );
}

#[tokio::test]
async fn groups_are_described_by_pages_prefix_and_pattern() {
    let server = Server::start().await;
    for name in ["/aws/lambda/a", "/aws/lambda/b", "/aws/lambda/c", "other"] {
        server.create_group(name).await.unwrap();
    }
    let mut input = api::DescribeLogGroupsInput {
        log_group_name_prefix: Some("/aws/".to_owned()),
        limit: Some(2),
        ..Default::default()
    };
    let first = describe(&server, input.clone()).await;
    assert_eq!(names(&first), ["/aws/lambda/a", "/aws/lambda/b"]);
    input.next_token = first.next_token;
    let second = describe(&server, input).await;
    assert_eq!(names(&second), ["/aws/lambda/c"]);
    assert_eq!(second.next_token, None);
    let pattern = Some("the".to_owned());
    let input =
        api::DescribeLogGroupsInput { log_group_name_pattern: pattern, ..Default::default() };
    assert_eq!(names(&describe(&server, input).await), ["other"]);
    let group = &describe(&server, Default::default()).await.log_groups.unwrap()[3];
    let arn = "arn:aws:logs:us-east-1:000000000000:log-group:other";
    assert_eq!(group.log_group_arn.as_deref(), Some(arn));
    assert_eq!(group.arn, Some(format!("{arn}:*")));
    assert_eq!((group.stored_bytes, group.retention_in_days), (Some(0), None));
}

#[tokio::test]
async fn streams_are_described_by_name_and_by_last_event() {
    let server = Server::start().await;
    server.create_group("g").await.unwrap();
    for name in ["a", "b", "c"] {
        server.create_stream("g", name).await.unwrap();
    }
    server.put("g", "a", &[(-5, "x"), (-1, "y")]).await.unwrap();
    server.put("g", "b", &[(-3, "z")]).await.unwrap();
    let describe = async |input: api::DescribeLogStreamsInput| {
        let input = api::DescribeLogStreamsInput { log_group_name: Some("g".to_owned()), ..input };
        ops::describe_log_streams::run(server.logs.clone(), server.caller(), input).await.unwrap()
    };
    let names = |output: &api::DescribeLogStreamsOutput| -> Vec<String> {
        output.log_streams.iter().flatten().filter_map(|it| it.log_stream_name.clone()).collect()
    };
    assert_eq!(names(&describe(Default::default()).await), ["a", "b", "c"]);
    let mut input = api::DescribeLogStreamsInput {
        order_by: Some(api::OrderBy::LastEventTime),
        descending: Some(true),
        limit: Some(2),
        ..Default::default()
    };
    let first = describe(input.clone()).await;
    assert_eq!(names(&first), ["a", "b"]);
    let stream = &first.log_streams.as_ref().unwrap()[0];
    let span = stream.last_event_timestamp.unwrap() - stream.first_event_timestamp.unwrap();
    assert_eq!((span, stream.stored_bytes), (4, Some(0)));
    assert!(stream.last_ingestion_time >= stream.last_event_timestamp);
    input.next_token = first.next_token;
    let second = describe(input).await;
    assert_eq!(names(&second), ["c"]);
    assert_eq!(second.log_streams.unwrap()[0].last_ingestion_time, None);
}

#[tokio::test]
async fn groups_streams_and_tags_survive_a_restart_and_deleted_ones_stay_gone() {
    let server = Server::start().await;
    let arn = "arn:aws:logs:us-east-1:000000000000:log-group:kept:*".to_owned();
    server.create_group("kept").await.unwrap();
    server.create_group("gone").await.unwrap();
    server.create_stream("kept", "s").await.unwrap();
    server.create_stream("gone", "s").await.unwrap();
    let tags = [("team".to_owned(), "blue".to_owned())].into();
    let input = api::TagResourceInput { resource_arn: arn.clone(), tags };
    ops::tags::tag_resource(server.logs.clone(), server.caller(), input).await.unwrap();
    let input = api::DeleteLogGroupInput { log_group_name: "gone".to_owned() };
    ops::groups::delete(server.logs.clone(), server.caller(), input).await.unwrap();
    let last_stream = server.logs.catalog().last_stream;

    let server = server.restart().await;
    assert_eq!(names(&describe(&server, Default::default()).await), ["kept"]);
    let input = api::ListTagsForResourceInput { resource_arn: arn };
    let tags = ops::tags::list_tags_for_resource(server.logs.clone(), server.caller(), input).await;
    assert_eq!(tags.unwrap().tags.unwrap()["team"], "blue");
    let input = api::UntagLogGroupInput {
        log_group_name: "kept".to_owned(),
        tags: vec!["team".to_owned()],
    };
    ops::tags::untag_log_group(server.logs.clone(), server.caller(), input).await.unwrap();
    let input = api::ListTagsLogGroupInput { log_group_name: "kept".to_owned() };
    let tags = ops::tags::list_tags_log_group(server.logs.clone(), server.caller(), input).await;
    assert!(tags.unwrap().tags.unwrap().is_empty());
    server.create_stream("kept", "t").await.unwrap();
    assert!(server.logs.catalog().last_stream > last_stream, "numbers do not come back");
}

#[tokio::test]
async fn retention_hides_what_has_expired() {
    let server = Server::start().await;
    server.create_group("g").await.unwrap();
    server.create_stream("g", "s").await.unwrap();
    server.put("g", "s", &[(0, "old")]).await.unwrap();
    let days = |days| api::PutRetentionPolicyInput {
        log_group_name: "g".to_owned(),
        retention_in_days: days,
    };
    let (code, text) =
        fault(ops::retention::put(server.logs.clone(), server.caller(), days(2)).await);
    assert_eq!(code, "InvalidParameterException");
    assert!(text.starts_with("1 validation error detected: Value '2' at 'retentionInDays' failed"));
    ops::retention::put(server.logs.clone(), server.caller(), days(1)).await.unwrap();
    server.clock.advance(std::time::Duration::from_secs(25 * 3600));
    server.put("g", "s", &[(25 * 3_600_000, "new")]).await.unwrap();
    assert_eq!(found(&server.filter(filter_input("g")).await.unwrap()), ["new"]);
}

#[tokio::test]
async fn a_protected_group_is_not_deleted() {
    let server = Server::start().await;
    let input = api::CreateLogGroupInput {
        log_group_name: "g".to_owned(),
        deletion_protection_enabled: Some(true),
        ..Default::default()
    };
    ops::groups::create(server.logs.clone(), server.caller(), input).await.unwrap();
    let delete = api::DeleteLogGroupInput { log_group_name: "g".to_owned() };
    let refused = ops::groups::delete(server.logs.clone(), server.caller(), delete.clone()).await;
    assert_eq!(fault(refused).0, "ValidationException");
    let input = api::PutLogGroupDeletionProtectionInput {
        log_group_identifier: "arn:aws:logs:us-east-1:000000000000:log-group:g".to_owned(),
        deletion_protection_enabled: false,
    };
    ops::groups::protect(server.logs.clone(), server.caller(), input).await.unwrap();
    ops::groups::delete(server.logs.clone(), server.caller(), delete).await.unwrap();
}

#[tokio::test]
async fn the_worker_gives_back_what_expired_and_what_deleted_streams_left() {
    let server = Server::start().await;
    server.create_group("g").await.unwrap();
    for name in ["expires", "deleted", "kept"] {
        server.create_stream("g", name).await.unwrap();
        let at = if name == "kept" { 3_600_000 } else { 0 };
        server.put("g", name, &[(at, name)]).await.unwrap();
    }
    let input =
        api::PutRetentionPolicyInput { log_group_name: "g".to_owned(), retention_in_days: 1 };
    ops::retention::put(server.logs.clone(), server.caller(), input).await.unwrap();
    let input = api::DeleteLogStreamInput {
        log_group_name: "g".to_owned(),
        log_stream_name: "deleted".to_owned(),
    };
    ops::streams::delete(server.logs.clone(), server.caller(), input).await.unwrap();
    server.clock.advance(std::time::Duration::from_secs(24 * 3600 + 1));
    let deadline = server.clock.now().plus_seconds(10);
    let bytes = || [1, 2, 3].map(|stream| server.logs.events.stream_bytes(stream));
    while bytes() != [0, 0, 4] {
        assert!(server.clock.now() < deadline, "{:?} bytes are left", bytes());
        tokio::task::yield_now().await;
    }
    server.logs.shutdown().await;
}
