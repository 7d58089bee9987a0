//! Putting and getting events, and functions' lines.

use ::bus::{LogEvent, Logs as _};

use super::*;

#[tokio::test]
async fn pages_go_forward_and_backward_and_end_with_the_same_token() {
    let server = Server::start().await;
    server.create_group("g").await.unwrap();
    server.create_stream("g", "s").await.unwrap();
    let events: Vec<(i64, String)> = (0..5).map(|n| (n - 10, format!("m{n}"))).collect();
    let events: Vec<(i64, &str)> = events.iter().map(|(at, text)| (*at, text.as_str())).collect();
    server.put("g", "s", &events).await.unwrap();
    let page = |token: Option<String>, head| api::GetLogEventsInput {
        next_token: token,
        limit: Some(2),
        start_from_head: Some(head),
        ..get_input("g", "s")
    };
    let first = server.get(page(None, true)).await.unwrap();
    assert_eq!(messages(&first), ["m0", "m1"]);
    let second = server.get(page(first.next_forward_token, true)).await.unwrap();
    assert_eq!(messages(&second), ["m2", "m3"]);
    let third = server.get(page(second.next_forward_token, true)).await.unwrap();
    assert_eq!(messages(&third), ["m4"]);
    let end = server.get(page(third.next_forward_token.clone(), true)).await.unwrap();
    assert!(messages(&end).is_empty());
    assert_eq!(end.next_forward_token, third.next_forward_token);
    let back = server.get(page(third.next_backward_token, true)).await.unwrap();
    assert_eq!(messages(&back), ["m2", "m3"]);

    let tail = server.get(page(None, false)).await.unwrap();
    assert_eq!(messages(&tail), ["m3", "m4"]);
    let token = tail.next_forward_token.unwrap();
    assert_eq!((token.len(), &token[..2], &token[58..]), (60, "f/", "/s"));
    server.put("g", "s", &[(0, "m5")]).await.unwrap();
    assert_eq!(messages(&server.get(page(Some(token), true)).await.unwrap()), ["m5"]);

    for token in ["f/12", "x/", "not-existing-token"] {
        let refused = server.get(page(Some(token.to_owned()), true)).await;
        assert_eq!(fault(refused).1, "The specified nextToken is invalid.");
    }
}

#[tokio::test]
async fn a_tail_of_an_empty_stream_sees_the_first_event() {
    let server = Server::start().await;
    server.create_group("g").await.unwrap();
    server.create_stream("g", "s").await.unwrap();
    let empty = server.get(get_input("g", "s")).await.unwrap();
    server.put("g", "s", &[(0, "first")]).await.unwrap();
    let input =
        api::GetLogEventsInput { next_token: empty.next_forward_token, ..get_input("g", "s") };
    assert_eq!(messages(&server.get(input).await.unwrap()), ["first"]);
}

#[tokio::test]
async fn events_come_in_the_order_of_time_whatever_the_order_of_their_batches() {
    let server = Server::start().await;
    server.create_group("g").await.unwrap();
    server.create_stream("g", "s").await.unwrap();
    server.put("g", "s", &[(-100, "c"), (-50, "e")]).await.unwrap();
    server.put("g", "s", &[(-5000, "a"), (-75, "d")]).await.unwrap();
    server.put("g", "s", &[(-4000, "b")]).await.unwrap();
    let mut input = api::GetLogEventsInput {
        limit: Some(2),
        start_from_head: Some(true),
        ..get_input("g", "s")
    };
    let first = server.get(input.clone()).await.unwrap();
    input.next_token = first.next_forward_token.clone();
    let second = server.get(input).await.unwrap();
    assert_eq!([messages(&first), messages(&second)].concat(), ["a", "b", "c", "d"]);
}

#[tokio::test]
async fn rejected_events_are_told_and_the_others_taken() {
    let server = Server::start().await;
    server.create_group("g").await.unwrap();
    server.create_stream("g", "s").await.unwrap();
    let day = 24 * 3_600_000;
    let events = [(-15 * day, "old"), (0, "now"), (3 * 3_600_000, "new")];
    let output = server.put("g", "s", &events).await.unwrap();
    let rejected = output.rejected_log_events_info.unwrap();
    assert_eq!(rejected.too_old_log_event_end_index, Some(1));
    assert_eq!(rejected.too_new_log_event_start_index, Some(2));
    assert_eq!(output.next_sequence_token.unwrap().len(), 56);
    assert_eq!(messages(&server.get(get_input("g", "s")).await.unwrap()), ["now"]);
}

#[tokio::test]
async fn lines_of_functions_are_seen_at_once_and_after_a_restart() {
    let server = Server::start().await;
    let (group, stream) = ("/aws/lambda/f", "2026/11/23/[$LATEST]0123456789abcdef");
    let at = server.clock.now();
    for line in ["START", "END"] {
        let events = vec![LogEvent { at, message: line.to_owned() }];
        server.logs.append(AccountId::DEFAULT, &Region::default(), group, stream, events).await;
    }
    assert_eq!(messages(&server.get(get_input(group, stream)).await.unwrap()), ["START", "END"]);
    let server = server.restart().await;
    assert_eq!(messages(&server.get(get_input(group, stream)).await.unwrap()), ["START", "END"]);
    let mut caller = server.caller();
    caller.region = "eu-west-1".parse().unwrap();
    let elsewhere =
        ops::get_log_events::run(server.logs.clone(), caller, get_input(group, stream)).await;
    assert_eq!(fault(elsewhere).0, "ResourceNotFoundException");
}

#[tokio::test]
async fn a_flood_of_empty_lines_is_taken_in() {
    let server = Server::start().await;
    let (group, stream, count) = ("/aws/lambda/f", "s", 600_000);
    let line = LogEvent { at: server.clock.now(), message: "\n".to_owned() };
    let events = vec![line; count];
    server.logs.append(AccountId::DEFAULT, &Region::default(), group, stream, events).await;
    let input = api::GetLogEventsInput { limit: Some(3), ..get_input(group, stream) };
    assert_eq!(messages(&server.get(input).await.unwrap()).len(), 3);
}

#[tokio::test]
async fn a_page_holds_no_more_than_a_mebibyte() {
    let server = Server::start().await;
    server.create_group("g").await.unwrap();
    server.create_stream("g", "s").await.unwrap();
    let message = "x".repeat(400_000);
    for at in [-3, -2, -1] {
        server.put("g", "s", &[(at, &message)]).await.unwrap();
    }
    let input = api::GetLogEventsInput { start_from_head: Some(true), ..get_input("g", "s") };
    assert_eq!(messages(&server.get(input).await.unwrap()).len(), 2);
}
