//! Node.js functions, end to end.

mod support;

use std::sync::Arc;

use runtime::{Function, FunctionError, Outcome};
use serde_json::json;
use support::{Trial, invocation, text};

#[tokio::test(flavor = "multi_thread")]
async fn handlers_answer_by_promise_callback_and_context() {
    let trial = Trial::new().await;
    let cases = [
        "exports.handler = async (event) => ({ got: event.n });",
        "exports.handler = (event, context, callback) => callback(null, { got: event.n });",
        "exports.handler = (event, context, callback) => {\n  context.callbackWaitsForEmptyEventLoop = false;\n  \
         setInterval(() => {}, 1000);\n  callback(null, { got: event.n });\n};",
        "exports.handler = (event, context) => { setTimeout(() => context.succeed({ got: event.n }), 5); };",
    ];
    for code in cases {
        let function = trial.node(code);
        assert_eq!(trial.answer(&function, r#"{"n":1}"#).await, json!({"got": 1}), "{code}");
        assert_eq!(trial.answer(&function, r#"{"n":2}"#).await, json!({"got": 2}), "{code}");
    }
    let silent = trial.node("exports.handler = () => {};");
    assert_eq!(trial.answer(&silent, "{}").await, json!(null));
    trial.pool.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callback_waits_for_what_is_left_to_do() {
    let trial = Trial::new().await;
    let function = trial.node(
        "exports.handler = (event, context, callback) => {\n  \
         setTimeout(() => console.log('later'), 50);\n  callback(null, 1);\n};",
    );
    let outcome = trial.invoke(&function, "{}").await;
    assert_eq!(text(&outcome.payload), "1");
    assert!(text(&outcome.log_tail).contains("\tINFO\tlater\n"));
    trial.pool.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn modules_of_all_kinds_are_loaded() {
    let trial = Trial::new().await;
    let esm = "export const handler = async () => import.meta.url.slice(-3);";
    let waits = "const found = await import('./late.mjs');
        export const handler = (event, context, done) => done(null, found.default);";
    let cases: [(&str, &[(&str, &str)]); 5] = [
        ("index.handler", &[("index.mjs", esm)]),
        ("index.handler", &[("index.js", esm), ("package.json", r#"{"type":"module"}"#)]),
        (
            "lib/deep/index.inner.handler",
            &[
                ("lib/deep/index.js", "exports.inner = { handler: async () => require('dep') };"),
                ("node_modules/dep/index.js", "module.exports = 'dep';"),
            ],
        ),
        ("index.handler", &[("index.cjs", "exports.handler = async () => 'cjs';")]),
        // It is awaited, and its handler answers by callback.
        ("index.handler", &[("index.mjs", waits), ("late.mjs", "export default 'late';")]),
    ];
    let wanted = ["mjs", ".js", "dep", "cjs", "late"];
    for ((handler, files), wanted) in cases.into_iter().zip(wanted) {
        let function = Arc::new(trial.function("nodejs20.x", handler, files));
        assert_eq!(trial.answer(&function, "{}").await, wanted);
    }
    trial.pool.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_console_and_the_context_are_lambdas() {
    let trial = Trial::new().await;
    let function = trial.node(
        "exports.handler = async (event, context) => {\n  console.log('one %d', 1, { a: 2 });\n  \
         console.error('two\\nlines');\n  return [context.awsRequestId, context.memoryLimitInMB,\n  \
         context.getRemainingTimeInMillis() > 0, process.env._X_AMZN_TRACE_ID, process.cwd()];\n};",
    );
    let invocation = support::invocation(&function, "{}");
    let id = invocation.request_id.clone();
    let outcome = trial.pool.invoke(&function, invocation).await.unwrap();
    let (answer, tail) = (support::json(&outcome.payload), text(&outcome.log_tail));
    let trace = "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=0";
    assert_eq!((&answer[0], &answer[1], &answer[2]), (&json!(id), &json!("256"), &json!(true)));
    assert_eq!(answer[3], trace);
    assert!(tail.contains(&format!("Z\t{id}\tINFO\tone 1 {{ a: 2 }}\n")), "{tail}");
    assert!(tail.contains(&format!("Z\t{id}\tERROR\ttwo\nlines\nEND ")), "{tail}");
    trial.pool.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_are_documents() {
    let trial = Trial::new().await;
    let function = trial.node(
        "exports.handler = async (event) => {\n  if (event === 1) throw new TypeError('no');\n  \
         if (event === 2) throw 'plain';\n  if (event === 3) return BigInt(1);\n  return 'fine';\n};",
    );
    let document = trial.failure(&function, "1").await;
    assert_eq!(
        (&document["errorType"], &document["errorMessage"]),
        (&json!("TypeError"), &json!("no"))
    );
    assert!(document["trace"][1].as_str().unwrap().contains("index.js:2"), "{document}");
    let document = trial.failure(&function, "2").await;
    assert_eq!(document, json!({"errorType": "string", "errorMessage": "plain", "trace": []}));
    let outcome = trial.invoke(&function, "3").await;
    assert_eq!(outcome.error, Some(FunctionError::Handled));
    assert!(text(&outcome.log_tail).contains("\tERROR\tInvoke Error \t"));
    assert_eq!(trial.answer(&function, "4").await, "fine");
    assert_eq!(trial.pool.status().starts, 1);
    trial.pool.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_catches_ends_the_instance() {
    let trial = Trial::new().await;
    let function = trial.node(
        "exports.handler = (event, context, callback) => {\n  \
         if (event === 1) setTimeout(() => { throw new RangeError('late'); }, 1);\n  \
         else if (event === 2) Promise.reject(new Error('lost'));\n  \
         else if (event === 3) process.exit(5);\n  else if (event === 5) process.abort();\n  \
         else callback(null, 'fine');\n};",
    );
    let cases = [
        ("1", "RangeError"),
        ("2", "Runtime.UnhandledPromiseRejection"),
        ("3", "Runtime.ExitError"),
    ];
    for (event, error_type) in cases {
        assert_eq!(trial.failure(&function, event).await["errorType"], error_type);
        assert_eq!(trial.answer(&function, "4").await, "fine");
    }
    let aborted = trial.failure(&function, "5").await;
    let reason = "Runtime exited with error: signal: aborted";
    assert!(aborted["errorMessage"].as_str().unwrap().ends_with(reason), "{aborted}");
    trial.pool.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_of_init_are_reported_in_lambdas_words() {
    let trial = Trial::new().await;
    let cases = [
        ("index.handler", "require('absent')", "Runtime.ImportModuleError"),
        ("none.handler", "", "Runtime.ImportModuleError"),
        ("index.missing", "", "Runtime.HandlerNotFound"),
        ("index", "", "Runtime.MalformedHandlerName"),
        ("index.handler", "exports.handler = (", "Runtime.UserCodeSyntaxError"),
        ("index.handler", "throw new Error('no')", "Error"),
    ];
    for (handler, code, error_type) in cases {
        let function = Arc::new(trial.function("nodejs20.x", handler, &[("index.js", code)]));
        let document = trial.failure(&function, "{}").await;
        assert_eq!(document["errorType"], error_type, "{document}");
    }
    let text = "index.missing is undefined or not exported";
    let function = Arc::new(trial.function("nodejs20.x", "index.missing", &[("index.js", "")]));
    assert_eq!(trial.failure(&function, "{}").await["errorMessage"], text);
    trial.pool.shutdown().await;
}

/// A function that streams: `response` and `event` are its body's.
fn streaming(trial: &Trial, body: &str) -> Arc<Function> {
    trial.node(&format!(
        "const {{ pipeline }} = require('stream/promises');\nconst {{ Readable }} = require('stream');\n\
         exports.handler = awslambda.streamifyResponse(async (event, response, context) => {{\n{body}\n}});"
    ))
}

/// Content type, response and outcome.
async fn streamed(
    trial: &Trial,
    function: &Arc<Function>,
    event: &str,
) -> (Option<String>, Vec<u8>, Outcome) {
    let invoked = trial.pool.invoke_streaming(function, invocation(function, event)).await;
    let mut streamed = invoked.expect("it runs");
    let mut whole = Vec::new();
    while let Some(chunk) = streamed.chunks.recv().await {
        whole.extend_from_slice(&chunk);
    }
    (streamed.content_type, whole, streamed.outcome.await.expect("it is told"))
}

#[tokio::test(flavor = "multi_thread")]
async fn handlers_stream_by_writes_and_by_pipelines() {
    let trial = Trial::new().await;
    let plain = streaming(
        &trial,
        "response.setContentType('text/plain');\nresponse.write('one ');\nresponse.write({ two: 2 });\n\
         await new Promise((resolve) => setTimeout(resolve, 5));\nresponse.write(Buffer.from(' three '));\n\
         response.end(`${context.awsRequestId.length + event}`);",
    );
    for event in ["1", "2"] {
        let (content_type, whole, outcome) = streamed(&trial, &plain, event).await;
        assert_eq!(outcome.error, None, "{}", text(&outcome.log_tail));
        assert_eq!(content_type.as_deref(), Some("text/plain"));
        assert_eq!(
            text(&whole),
            format!("one {{\"two\":2}} three {}", 36 + event.parse::<u8>().unwrap())
        );
    }
    assert_eq!(text(&trial.invoke(&plain, "3").await.payload), "one {\"two\":2} three 39");
    let big = "await pipeline(Readable.from((function* () { for (let i = 0; i < 64; i++) yield \
               Buffer.alloc(65536, i); })()), response);";
    let (content_type, whole, _) = streamed(&trial, &streaming(&trial, big), "{}").await;
    assert_eq!(content_type.as_deref(), Some("application/octet-stream"));
    assert!(whole.len() == 64 * 65536 && whole.is_sorted());
    let slow = "setTimeout(() => response.end('later'), 5);";
    assert_eq!(streamed(&trial, &streaming(&trial, slow), "{}").await.1, b"later");
    trial.pool.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn http_responses_begin_with_a_prelude() {
    let trial = Trial::new().await;
    let body = "response = awslambda.HttpResponseStream.from(response, { statusCode: 201, \
                headers: { a: 'b' }, cookies: ['c=d'] });\nif (event) response.write('body');\nresponse.end();";
    let function = streaming(&trial, body);
    for (event, body) in [("1", "body"), ("0", "")] {
        let (content_type, whole, _) = streamed(&trial, &function, event).await;
        let wanted = "application/vnd.awslambda.http-integration-response";
        assert_eq!(content_type.as_deref(), Some(wanted));
        let prelude = r#"{"statusCode":201,"headers":{"a":"b"},"cookies":["c=d"]}"#;
        assert_eq!(text(&whole), format!("{prelude}\0\0\0\0\0\0\0\0{body}"));
    }
    trial.pool.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_of_streaming_handlers_are_told_before_and_after_the_first_byte() {
    let trial = Trial::new().await;
    let function = streaming(
        &trial,
        "if (event === 'before') throw new TypeError('no');\n\
         if (event === 'empty') { response.destroy(new RangeError('gone')); return; }\n\
         if (event === 'idle') return;\n\
         response.write('a');\n\
         if (event === 'late') response.setContentType('text/html');\n\
         if (event === 'long') throw new Error('x'.repeat(200000));\n\
         if (event === 'unfinished') return;\n\
         if (event === 'crash') { setTimeout(() => { throw new RangeError('late'); }, 1); return; }\n\
         if (event === 'broken') await pipeline(Readable.from((function* () { yield 'b'; throw new EvalError('no'); })()), response);\n\
         response.end('b');\nif (event === 'ended') throw new Error('too late to tell');",
    );
    let cases = [
        ("before", "", "TypeError"),
        ("empty", "", "RangeError"),
        ("idle", "", "Error"),
        ("late", "a", "Runtime.InvalidStreamingOperation"),
        ("long", "a", "Error"),
        ("unfinished", "a", "Error"),
        ("broken", "ab", "EvalError"),
        ("crash", "a", "RangeError"),
    ];
    for (event, whole, error_type) in cases {
        let found = streamed(&trial, &function, &json!(event).to_string()).await;
        let (_, response, outcome) = found;
        assert_eq!(text(&response), whole, "{event}");
        assert_eq!(outcome.error, Some(FunctionError::Handled), "{event}");
        assert_eq!(outcome.error_type.as_deref(), Some(error_type), "{event}");
        assert_eq!(support::json(&outcome.payload)["errorType"], error_type, "{event}");
    }
    for event in ["ended", "fine"] {
        let (_, whole, outcome) = streamed(&trial, &function, &json!(event).to_string()).await;
        assert_eq!((text(&whole).as_str(), outcome.error), ("ab", None), "{event}");
    }
    assert_eq!(trial.pool.status().starts, 2, "only a crash ends an instance");
    trial.pool.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn handlers_that_cannot_stream_are_refused() {
    let trial = Trial::new().await;
    let plain =
        trial.node("exports.handler = awslambda.streamifyResponse((event, response) => {});");
    let (_, _, outcome) = streamed(&trial, &plain, "{}").await;
    let reason = "Streaming does not support non-async handlers.";
    assert_eq!(support::json(&outcome.payload)["errorMessage"], reason);
    let code = "exports.handler = async () => {};\n\
                exports.handler[Symbol.for('aws.lambda.runtime.handler.streaming')] = 'request';";
    let document = trial.failure(&trial.node(code), "{}").await;
    assert_eq!(document["errorType"], "Runtime.MalformedStreamingHandler");
    trial.pool.shutdown().await;
}
