//! Responses that stream, from a runtime that writes its requests byte by byte.

mod support;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use runtime::{Function, FunctionError, Outcome, Streamed};
use serde_json::{Value, json};
use support::{PATIENCE, Trial, invocation, text, until};

/// Takes each event as a list of steps.
const RUNTIME: &str = r#"#!/usr/bin/python3
import json, os, socket, time
host, port = os.environ['AWS_LAMBDA_RUNTIME_API'].split(':')
go = os.environ['LAMBDA_TASK_ROOT'] + '/go'

def connect():
    return socket.create_connection((host, int(port)))

def receive(connection):
    data = b''
    while b'\r\n\r\n' not in data:
        data += connection.recv(65536)
    head, body = data.split(b'\r\n\r\n', 1)
    headers = dict(line.split(': ', 1) for line in head.decode().split('\r\n')[1:])
    while len(body) < int(headers['Content-Length']):
        body += connection.recv(65536)
    return head.decode(), headers, body

connection, other = connect(), connect()
while True:
    connection.sendall(b'GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\n\r\n')
    _, headers, event = receive(connection)
    path = '/2018-06-01/runtime/invocation/' + headers['Lambda-Runtime-Aws-Request-Id']
    for step, argument in json.loads(event):
        if step in ('send', 'send on another'):
            used = connection if step == 'send' else other
            used.sendall(argument.replace('PATH', path).encode())
        elif step in ('reply', 'reply on another'):
            used = connection if step == 'reply' else other
            head, _, body = receive(used)
            print(head.split()[1], body.decode(), flush=True)
        elif step == 'wait':
            while not os.path.exists(go):
                time.sleep(0.005)
        elif step == 'print':
            print(argument, flush=True)
        elif step == 'flood':
            while True:
                connection.sendall(b'10000\r\n' + b'x' * 65536 + b'\r\n')
        elif step == 'hang up':
            connection.close()
            connection = connect()
        elif step == 'exit':
            os._exit(argument)
"#;

const HEAD: &str = "POST PATH/response HTTP/1.1\r\nContent-Type: text/plain\r\n\
    Lambda-Runtime-Function-Response-Mode: streaming\r\nTransfer-Encoding: chunked\r\n\r\n";

fn function(trial: &Trial) -> Arc<Function> {
    Arc::new(trial.function("provided.al2023", "any", &[("bootstrap", RUNTIME)]))
}

async fn stream(trial: &Trial, function: &Arc<Function>, steps: &Value) -> Streamed {
    let invoked = trial.pool.invoke_streaming(function, invocation(function, &steps.to_string()));
    tokio::time::timeout(PATIENCE, invoked).await.expect("it begins").expect("it runs")
}

async fn next(streamed: &mut Streamed) -> Option<Bytes> {
    tokio::time::timeout(PATIENCE, streamed.chunks.recv()).await.expect("it goes on")
}

/// The rest of a stream, and what it came to.
async fn rest(mut streamed: Streamed) -> (String, Outcome) {
    let mut whole = Vec::new();
    while let Some(chunk) = next(&mut streamed).await {
        whole.extend_from_slice(&chunk);
    }
    let outcome = tokio::time::timeout(PATIENCE, streamed.outcome).await.expect("it ends");
    (text(&whole), outcome.expect("it is told"))
}

#[tokio::test(flavor = "multi_thread")]
async fn chunks_arrive_while_the_function_still_runs() {
    let trial = Trial::new().await;
    let function = function(&trial);
    let steps = json!([
        ["send", format!("{HEAD}5\r\nfirst\r\n")],
        ["wait", null],
        ["send", "6\r\nsecond\r\n0\r\n\r\n"],
        ["reply", null],
    ]);
    let mut streamed = stream(&trial, &function, &steps).await;
    assert_eq!(streamed.content_type.as_deref(), Some("text/plain"));
    assert_eq!(next(&mut streamed).await.unwrap(), "first");
    support::write(&function.code, &[("go", "")]);
    let (whole, outcome) = rest(streamed).await;
    assert_eq!((whole.as_str(), outcome.error), ("second", None));
    assert!(outcome.payload.is_empty());
    let tail = text(&outcome.log_tail);
    assert!(tail.starts_with("START ") && tail.contains("\nREPORT "), "{tail}");

    // The same function, asked for all at once, by the same instance.
    let idle = || trial.pool.status().functions.get(&function.key).is_some_and(|it| it.idle == 1);
    support::until("the instance idles", idle).await;
    let outcome = trial.invoke(&function, &steps.to_string()).await;
    assert_eq!((text(&outcome.payload).as_str(), outcome.error), ("firstsecond", None));
    assert_eq!(trial.pool.status().starts, 1);
    trial.pool.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn handlers_that_do_not_stream_give_one_chunk_or_none() {
    let trial = Trial::new().await;
    let function = trial.python("def handler(event, context):\n    return {'got': event[1]}\n");
    let (whole, outcome) = rest(stream(&trial, &function, &json!([0, 7])).await).await;
    assert_eq!((whole.as_str(), outcome.error), (r#"{"got": 7}"#, None));
    let streamed = stream(&trial, &function, &json!(null)).await;
    assert_eq!(streamed.content_type, None);
    let (whole, outcome) = rest(streamed).await;
    assert_eq!((whole.as_str(), outcome.error), ("", Some(FunctionError::Handled)));
    assert_eq!(outcome.error_type.as_deref(), Some("TypeError"));
    assert_eq!(support::json(&outcome.payload)["errorType"], "TypeError");

    let broken = trial.python("raise ValueError('no')\n");
    let (whole, outcome) = rest(stream(&trial, &broken, &json!(null)).await).await;
    assert_eq!((whole.as_str(), outcome.error), ("", Some(FunctionError::Unhandled)));
    trial.pool.shutdown().await;
}

/// As aws-lambda-go does: it sends chunks and trailers, and does not say that it streams.
#[tokio::test(flavor = "multi_thread")]
async fn chunks_stream_to_who_takes_a_stream_whatever_the_runtime_calls_them() {
    let trial = Trial::new().await;
    let function = function(&trial);
    let head = HEAD.replace("Lambda-Runtime-Function-Response-Mode: streaming\r\n", "");
    let steps = json!([
        ["send", format!("{head}5\r\nfirst\r\n")],
        ["wait", null],
        ["send", "1\r\na\r\n0\r\nLambda-Runtime-Function-Error-Type: My.Error\r\n\r\n"],
        ["reply", null],
    ]);
    let mut streamed = stream(&trial, &function, &steps).await;
    assert_eq!(next(&mut streamed).await.unwrap(), "first");
    support::write(&function.code, &[("go", "")]);
    let (whole, outcome) = rest(streamed).await;
    assert_eq!((whole.as_str(), outcome.error), ("a", Some(FunctionError::Handled)));
    assert_eq!(outcome.error_type.as_deref(), Some("My.Error"));
    // Who wants it whole gets what is there: trailers belong to streams.
    let outcome = trial.invoke(&function, &steps.to_string()).await;
    assert_eq!((text(&outcome.payload).as_str(), outcome.error), ("firsta", None));
    trial.pool.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_in_midstream_come_in_trailers() {
    let trial = Trial::new().await;
    let function = function(&trial);
    // {"errorMessage":"no"}
    let named = "eyJlcnJvck1lc3NhZ2UiOiJubyJ9";
    let cases = [
        (format!("Lambda-Runtime-Function-Error-Body: {named}\r\n"), r#"{"errorMessage":"no"}"#),
        ("Lambda-Runtime-Function-Error-Body: \u{1}garbage\r\nOther: \r\n".to_owned(), "{}"),
        (String::new(), "{}"),
    ];
    for (trailers, document) in cases {
        let end = format!("0\r\nlambda-runtime-function-error-type: My.Error\r\n{trailers}\r\n");
        let steps = json!([["send", format!("{HEAD}1\r\na\r\n{end}")], ["reply", null]]);
        let (whole, outcome) = rest(stream(&trial, &function, &steps).await).await;
        assert_eq!((whole.as_str(), outcome.error), ("a", Some(FunctionError::Handled)));
        assert_eq!(outcome.error_type.as_deref(), Some("My.Error"));
        assert_eq!(text(&outcome.payload), document);
        let outcome = trial.invoke(&function, &steps.to_string()).await;
        assert_eq!(text(&outcome.payload), document);
    }
    until("its reply", || trial.logs.contains("202 {\"status\":\"OK\"}")).await;
    assert_eq!(trial.pool.status().starts, 1);
    trial.pool.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_that_break_off_are_faults() {
    let trial = Trial::new().await;
    let function = function(&trial);
    let begun = format!("{HEAD}5\r\nbegun\r\n");
    let garbage = format!("{begun}0\r\nno colon\r\n\r\n");
    let endless = format!("{begun}0\r\nA: {}\r\n", "x".repeat(100_000));
    let cases = [
        (json!([["send", begun], ["hang up", null], ["wait", null]]), "Runtime.TruncatedResponse"),
        (json!([["send", format!("{begun}zz\r\n")], ["wait", null]]), "Runtime.TruncatedResponse"),
        (json!([["send", garbage], ["wait", null]]), "Runtime.TruncatedResponse"),
        (json!([["send", endless], ["wait", null]]), "Runtime.TruncatedResponse"),
        (json!([["send", begun], ["exit", 3]]), "Runtime.ExitError"),
    ];
    for (steps, error_type) in cases {
        let mut streamed = stream(&trial, &function, &steps).await;
        assert_eq!(next(&mut streamed).await.unwrap(), "begun");
        let (_, outcome) = rest(streamed).await;
        assert_eq!(outcome.error, Some(FunctionError::Unhandled));
        assert_eq!(support::json(&outcome.payload)["errorType"], error_type, "{steps}");
        assert!(text(&outcome.log_tail).contains(&format!("Error Type: {error_type}\n")));
    }
    trial.pool.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn untimely_and_unknown_answers_are_refused() {
    let trial = Trial::new().await;
    let function = function(&trial);
    let whole = format!("{HEAD}1\r\na\r\n0\r\n\r\n");
    let steps = json!([
        ["send", format!("{HEAD}1\r\na\r\n")],
        ["wait", null],
        ["send on another", whole],
        ["reply on another", null],
        ["send on another", "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\n\r\n"],
        ["reply on another", null],
        ["send", "0\r\n\r\n"],
        ["reply", null],
        ["send", whole],
        ["reply", null],
    ]);
    let mut streamed = stream(&trial, &function, &steps).await;
    assert_eq!(next(&mut streamed).await.unwrap(), "a");
    support::write(&function.code, &[("go", "")]);
    assert_eq!(rest(streamed).await.1.error, None);

    let unknown = "POST PATH/response HTTP/1.1\r\nContent-Length: 1\r\n\
        Lambda-Runtime-Function-Response-Mode: backwards\r\n\r\n1";
    let steps = json!([["send", unknown], ["reply", null]]);
    let (answer, outcome) = rest(stream(&trial, &function, &steps).await).await;
    assert_eq!((answer.as_str(), outcome.error), ("", Some(FunctionError::Unhandled)));
    assert_eq!(outcome.error_type.as_deref(), Some("Runtime.InvalidResponseModeHeader"));
    assert_eq!(trial.pool.status().starts, 1, "the runtime goes on");
    until("its reply", || trial.logs.contains("400 {")).await;
    let log = trial.log().await;
    let replies: Vec<&str> =
        log.lines().filter_map(|line| line.split_once(" {").map(|(status, _)| status)).collect();
    assert_eq!(replies, ["403", "403", "202", "403", "400"], "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_makes_the_function_wait_until_its_timeout() {
    let trial = Trial::new().await;
    let function = function(&trial);
    let steps = json!([["send", HEAD], ["flood", null]]);
    let mut streamed = stream(&trial, &function, &steps).await;
    assert!(next(&mut streamed).await.is_some());
    until("what waits to be full", || streamed.chunks.capacity() == 0).await;
    trial.clock.advance(Duration::from_secs(10));
    let (_, outcome) = rest(streamed).await;
    assert_eq!(outcome.error_type.as_deref(), Some("Sandbox.Timedout"));
    until("the instance to stop", || trial.pool.status().functions.is_empty()).await;

    // The end of the server does not wait for a reader either.
    let streamed = stream(&trial, &function, &steps).await;
    tokio::time::timeout(PATIENCE, trial.pool.shutdown()).await.expect("it stops");
    let (_, outcome) = rest(streamed).await;
    assert_eq!(outcome.error_type.as_deref(), Some("Runtime.ExitError"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_who_is_gone_leaves_the_function_running_to_its_end() {
    let trial = Trial::new().await;
    let function = function(&trial);
    let steps = json!([
        ["send", format!("{HEAD}5\r\nfirst\r\n")],
        ["wait", null],
        ["send", "6\r\nsecond\r\n0\r\n\r\n"],
        ["reply", null],
        ["print", "to the end"],
    ]);
    let mut streamed = stream(&trial, &function, &steps).await;
    assert_eq!(next(&mut streamed).await.unwrap(), "first");
    drop(streamed);
    support::write(&function.code, &[("go", "")]);
    until("its end", || trial.logs.contains("to the end") && trial.logs.contains("REPORT")).await;
    let idle = || trial.pool.status().functions[&function.key].idle == 1;
    until("it to idle", idle).await;
    trial.pool.shutdown().await;
}
