//! Node.js functions, end to end.

mod support;

use std::sync::Arc;

use runtime::FunctionError;
use serde_json::json;
use support::{Trial, text};

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
    let cases: [(&str, &[(&str, &str)]); 4] = [
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
    ];
    let wanted = ["mjs", ".js", "dep", "cjs"];
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
         else if (event === 3) process.exit(5);\n  else callback(null, 'fine');\n};",
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
