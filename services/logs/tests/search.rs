//! Filtering events of many streams, and patterns of metrics.

use super::*;

#[tokio::test]
async fn streams_are_interleaved_by_time_over_pages() {
    let server = Server::start().await;
    server.create_group("g").await.unwrap();
    for stream in ["a1", "a2", "b"] {
        server.create_stream("g", stream).await.unwrap();
    }
    server.put("g", "a1", &[(-9, "1"), (-6, "4 ERROR"), (-3, "7")]).await.unwrap();
    server.put("g", "a2", &[(-8, "2 ERROR"), (-5, "5"), (-2, "8")]).await.unwrap();
    server.put("g", "b", &[(-7, "3"), (-4, "6 ERROR"), (-1, "9")]).await.unwrap();
    let mut seen: Vec<String> = Vec::new();
    let mut input = api::FilterLogEventsInput { limit: Some(2), ..filter_input("g") };
    for page in 0.. {
        assert!(page < 5, "paging ends");
        let output = server.filter(input.clone()).await.unwrap();
        seen.extend(found(&output).into_iter().map(str::to_owned));
        let events = output.events.unwrap();
        assert!(events.iter().all(|event| event.event_id.as_ref().unwrap().len() == 56));
        input.next_token = output.next_token;
        if input.next_token.is_none() {
            break;
        }
    }
    assert_eq!(seen, ["1", "2 ERROR", "3", "4 ERROR", "5", "6 ERROR", "7", "8", "9"]);

    let only = |change: &dyn Fn(&mut api::FilterLogEventsInput)| {
        let mut input = filter_input("g");
        change(&mut input);
        input
    };
    let errors = only(&|input| input.filter_pattern = Some("ERROR".to_owned()));
    assert_eq!(found(&server.filter(errors).await.unwrap()), ["2 ERROR", "4 ERROR", "6 ERROR"]);
    let prefix = only(&|input| input.log_stream_name_prefix = Some("a".to_owned()));
    assert_eq!(found(&server.filter(prefix).await.unwrap()).len(), 6);
    let named = only(&|input| input.log_stream_names = Some(vec!["b".to_owned()]));
    assert_eq!(found(&server.filter(named).await.unwrap()), ["3", "6 ERROR", "9"]);
    let missing = only(&|input| input.log_stream_names = Some(vec!["x".to_owned()]));
    assert_eq!(fault(server.filter(missing).await).1, "The specified log stream does not exist.");
    let newest = only(&|input| {
        input.start_from_head = Some(false);
        input.start_time = Some(1_704_067_200_000);
        input.limit = Some(2);
    });
    let newest = server.filter(newest).await.unwrap();
    assert_eq!(found(&newest), ["9", "8"]);
    let next = only(&|input| {
        input.next_token = newest.next_token.clone();
        input.limit = Some(2);
    });
    assert_eq!(found(&server.filter(next).await.unwrap()), ["7", "6 ERROR"]);
    let backward = only(&|input| input.start_from_head = Some(false));
    assert_eq!(fault(server.filter(backward).await).0, "InvalidParameterException");
}

#[tokio::test]
async fn the_end_of_the_time_range_belongs_to_filters_but_not_to_gets() {
    let server = Server::start().await;
    server.create_group("g").await.unwrap();
    server.create_stream("g", "s").await.unwrap();
    server.put("g", "s", &[(-30, "a"), (-20, "b"), (-10, "c")]).await.unwrap();
    let all = server.filter(filter_input("g")).await.unwrap().events.unwrap();
    let (first, last) = (all[0].timestamp, all[2].timestamp);
    let filter =
        api::FilterLogEventsInput { start_time: first, end_time: last, ..filter_input("g") };
    assert_eq!(found(&server.filter(filter).await.unwrap()), ["a", "b", "c"]);
    let get = api::GetLogEventsInput { start_time: first, end_time: last, ..get_input("g", "s") };
    assert_eq!(messages(&server.get(get).await.unwrap()), ["a", "b"]);
}

#[tokio::test]
async fn a_long_search_answers_in_parts_without_a_gap() {
    let server = Server::start().await;
    server.create_group("g").await.unwrap();
    server.create_stream("g", "s").await.unwrap();
    let filler = "x".repeat(900_000);
    for number in 0..40 {
        let at = number - 100;
        let needle = format!("needle {number}");
        server.put("g", "s", &[(at, &filler), (at, &needle)]).await.unwrap();
    }
    let mut input = api::FilterLogEventsInput {
        filter_pattern: Some("needle".to_owned()),
        ..filter_input("g")
    };
    let first = server.filter(input.clone()).await.unwrap();
    let count = found(&first).len();
    assert!((30..40).contains(&count), "{count} found in the first part");
    input.next_token = first.next_token.clone();
    let second = server.filter(input).await.unwrap();
    assert_eq!(second.next_token, None);
    let all = [found(&first), found(&second)].concat();
    let expected: Vec<String> = (0..40).map(|number| format!("needle {number}")).collect();
    assert_eq!(all, expected);
}

#[tokio::test]
async fn patterns_of_metrics_are_tried_on_messages() {
    let server = Server::start().await;
    let input = |pattern: &str| api::TestMetricFilterInput {
        filter_pattern: pattern.to_owned(),
        log_event_messages: vec!["a 1".to_owned(), "b 2".to_owned(), "a 3".to_owned()],
    };
    let test = async |pattern: &str| {
        ops::test_metric_filter::run(server.logs.clone(), server.caller(), input(pattern)).await
    };
    let matches = test("[w=a, n > 1]").await.unwrap().matches.unwrap();
    assert_eq!(matches.len(), 1);
    assert_eq!(matches[0].event_number, Some(2));
    assert_eq!(matches[0].extracted_values.as_ref().unwrap()["$n"], "3");
    let text = async |pattern: &str| fault(test(pattern).await).1;
    assert_eq!(text("[n > 1 && w = a]").await, "Invalid metric filter pattern");
    assert_eq!(text("(x)").await, "Invalid character(s) in term '('");
    let input =
        api::FilterLogEventsInput { filter_pattern: Some("\"".to_owned()), ..filter_input("g") };
    assert_eq!(fault(server.filter(input).await).1, "Invalid filter pattern");
}
