//! Python functions, end to end.

mod support;

use std::{sync::Arc, time::Duration};

use runtime::{FunctionError, Logging};
use serde_json::json;
use support::{Trial, invocation, text, write};

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_answers_and_its_instance_is_reused() {
    let trial = Trial::new().await;
    let function = trial.python(
        "count = 0\ndef handler(event, context):\n    global count\n    count += 1\n    \
         return [event['name'], count]\n",
    );
    let first = trial.invoke(&function, r#"{"name":"ü"}"#).await;
    assert_eq!(support::json(&first.payload), json!(["ü", 1]), "{}", text(&first.log_tail));
    let second = trial.invoke(&function, r#"{"name":2}"#).await;
    assert_eq!(support::json(&second.payload), json!([2, 2]));
    assert_eq!(first.log_stream, second.log_stream);
    assert!(first.report.init_ms.is_some() && second.report.init_ms.is_none());
    assert!(first.report.max_memory_mib > 0);
    trial.pool.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_reads_as_lambdas() {
    let trial = Trial::new().await;
    let function = trial.python(
        "print('in init')\nimport logging\nlogger = logging.getLogger()\nlogger.setLevel('INFO')\n\
         def handler(event, context):\n    print('printed')\n    logger.info('two\\nlines')\n    \
         print('unfinished', end='')\n",
    );
    let invocation = invocation(&function, "{}");
    let id = invocation.request_id.clone();
    let outcome = trial.pool.invoke(&function, invocation).await.unwrap();
    let tail = text(&outcome.log_tail);
    let log = trial.log().await;
    assert!(log.starts_with("INIT_START Runtime Version: python:3.11.v"), "{log}");
    assert!(log.contains("in init\nSTART RequestId"), "{log}");
    assert!(
        tail.starts_with(&format!("START RequestId: {id} Version: $LATEST\nprinted\n[INFO]\t"))
    );
    assert!(
        tail.contains(&format!("Z\t{id}\ttwo\nlines\nunfinishedEND RequestId: {id}\n")),
        "{tail}"
    );
    assert!(tail.contains(&format!("REPORT RequestId: {id}\tDuration: ")), "{tail}");
    assert!(tail.contains(" MB\tInit Duration: ") && tail.ends_with(" ms\t\n"), "{tail}");
}

#[tokio::test(flavor = "multi_thread")]
async fn json_logs_are_objects() {
    let trial = Trial::new().await;
    let mut function = trial.function(
        "python3.11",
        "app.handler",
        &[(
            "app.py",
            "import logging\ndef handler(event, context):\n    \
             logging.getLogger('mine').warning('look %s', 1, extra={'order': 7})\n    \
             logging.debug('hidden')\n    raise ValueError('oops')\n",
        )],
    );
    function.logging = Logging { json: true, ..Logging::default() };
    let outcome = trial.invoke(&Arc::new(function), "{}").await;
    let tail = text(&outcome.log_tail);
    let lines: Vec<serde_json::Value> =
        tail.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["type"], "platform.start");
    let (level, message, order) = (&lines[1]["level"], &lines[1]["message"], &lines[1]["order"]);
    assert_eq!((level, message, order), (&json!("WARNING"), &json!("look 1"), &json!(7)));
    assert_eq!(lines[2]["errorType"], "ValueError");
    assert_eq!(lines[3]["type"], "platform.report");
    assert_eq!(lines.len(), 4, "{tail}");
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_of_the_handler_are_documents() {
    let trial = Trial::new().await;
    let function = trial.python(
        "import decimal\ndef handler(event, context):\n    \
         if event == 1: raise KeyError('gone')\n    \
         if event == 2: return object()\n    \
         return {'price': decimal.Decimal('1.10'), 'text': 'a\"1'}\n",
    );
    let document = trial.failure(&function, "1").await;
    assert_eq!(
        (&document["errorType"], &document["errorMessage"]),
        (&json!("KeyError"), &json!("'gone'"))
    );
    let frame = document["stackTrace"][0].as_str().unwrap();
    assert!(frame.contains("app.py\", line 3, in handler\n    if event == 1: raise"), "{frame}");
    let outcome = trial.invoke(&function, "1").await;
    assert_eq!(outcome.error, Some(FunctionError::Handled));
    let tail = text(&outcome.log_tail);
    assert!(
        tail.contains(
            "[ERROR] KeyError: 'gone'\nTraceback (most recent call last):\n\u{a0}\u{a0}File"
        ),
        "{tail}"
    );

    let document = trial.failure(&function, "2").await;
    let message = "Unable to marshal response: Object of type object is not JSON serializable";
    assert_eq!(document["errorType"], "Runtime.MarshalError");
    assert_eq!(document["errorMessage"], message);

    let outcome = trial.invoke(&function, "3").await;
    assert_eq!(text(&outcome.payload), r#"{"price": 1.10, "text": "a\"1"}"#);
    let document = trial.failure(&function, "{").await;
    assert_eq!(document["errorType"], "Runtime.UnmarshalError");
    trial.pool.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_of_init_are_reported_in_lambdas_words() {
    let trial = Trial::new().await;
    let cases = [
        (
            "app.handler",
            "import absent",
            "Runtime.ImportModuleError",
            "Unable to import module 'app': No module named 'absent'",
        ),
        (
            "none.handler",
            "",
            "Runtime.ImportModuleError",
            "Unable to import module 'none': No module named 'none'",
        ),
        ("app.missing", "", "Runtime.HandlerNotFound", "Handler 'missing' missing on module 'app'"),
        (
            "handler",
            "",
            "Runtime.MalformedHandlerName",
            "Bad handler 'handler': not enough values to unpack (expected 2, got 1)",
        ),
        (
            "app.handler",
            "def (",
            "Runtime.UserCodeSyntaxError",
            "Syntax error in module 'app': invalid syntax (app.py, line 1)",
        ),
        ("app.handler", "raise ValueError('no')", "ValueError", "no"),
    ];
    for (handler, code, error_type, message) in cases {
        let function = Arc::new(trial.function("python3.11", handler, &[("app.py", code)]));
        let outcome = trial.invoke(&function, "{}").await;
        let document = support::json(&outcome.payload);
        assert_eq!(
            (&document["errorType"], &document["errorMessage"]),
            (&json!(error_type), &json!(message))
        );
        assert_eq!(document["requestId"], "");
        assert_eq!(outcome.error, Some(FunctionError::Unhandled));
        assert!(text(&outcome.log_tail).contains("\tStatus: error\tError Type: "));
    }
    let log = trial.log().await;
    let first = "\tPhase: init\tStatus: error\tError Type: Runtime.ImportModuleError\n";
    assert!(log.contains(first) && log.contains(&first.replace("init", "invoke")), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn modules_are_found_as_on_lambda() {
    let trial = Trial::new().await;
    let layer = trial.folder.path().join("layer");
    write(&layer, &[("python/layered.py", "NAME = 'layer'\n")]);
    let files = [
        ("pkg/__init__.py", ""),
        (
            "pkg/mod.py",
            "import layered, json as j\nfrom . import other\n\
          def handler(event, context):\n    return [layered.NAME, other.NAME]\n",
        ),
        ("pkg/other.py", "NAME = 'other'\n"),
    ];
    for handler in ["pkg.mod.handler", "pkg/mod.handler"] {
        let mut function = trial.function("python3.11", handler, &files);
        function.layers = vec![layer.clone()];
        assert_eq!(trial.answer(&Arc::new(function), "{}").await, json!(["layer", "other"]));
    }
    trial.pool.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_environment_and_the_context_are_lambdas() {
    let trial = Trial::new().await;
    let mut function = trial.function("python3.11", "app.handler", &[(
        "app.py",
        "import os, urllib.request\ndef handler(event, context):\n    \
         url = os.environ['AWS_ENDPOINT_URL']\n    \
         return {'env': dict(os.environ), 'aws': urllib.request.urlopen(url).read().decode(),\n      \
         'left': context.get_remaining_time_in_millis(), 'context': {n: getattr(context, n) for n in\n      \
         ['aws_request_id', 'function_name', 'function_version', 'invoked_function_arn',\n       \
         'memory_limit_in_mb', 'log_group_name', 'log_stream_name']},\n      \
         'client': context.client_context.custom, 'identity': context.identity.cognito_identity_id}\n",
    )]);
    function.environment.insert("MINE".into(), "yes".into());
    function.environment.insert("AWS_REGION".into(), "elsewhere".into());
    function.environment.insert("LANG".into(), "C.UTF-8".into());
    let function = Arc::new(function);
    let mut invocation = invocation(&function, "{}");
    invocation.client_context = Some(r#"{"custom":{"a":"ü"}}"#.into());
    invocation.cognito_identity = Some(r#"{"cognitoIdentityId":"me"}"#.into());
    let (id, arn) = (invocation.request_id.clone(), invocation.invoked_arn.clone());
    let outcome = trial.pool.invoke(&function, invocation).await.unwrap();
    let answer = support::json(&outcome.payload);
    let env = &answer["env"];
    for (name, value) in [
        ("MINE", "yes"),
        ("AWS_REGION", "us-east-1"),
        ("LANG", "C.UTF-8"),
        ("TZ", ":UTC"),
        ("_HANDLER", "app.handler"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
        ("AWS_EXECUTION_ENV", "AWS_Lambda_python3.11"),
        ("AWS_ACCESS_KEY_ID", "ASIAEXAMPLE"),
        ("AWS_SESSION_TOKEN", "token"),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
        ("_X_AMZN_TRACE_ID", "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=0"),
        ("AWS_LAMBDA_LOG_STREAM_NAME", &outcome.log_stream),
    ] {
        assert_eq!(env[name], value, "{name}");
    }
    assert_eq!(env["PATH"], "/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin");
    assert!(env.get("HOME").is_none(), "nothing of the server's: {env}");
    assert_eq!(answer["aws"], "from here");
    let left = answer["left"].as_u64().unwrap();
    assert!((1..=10_000).contains(&left), "{left}");
    assert_eq!(answer["context"]["aws_request_id"], id.as_str());
    assert_eq!(answer["context"]["invoked_function_arn"], arn.as_str());
    assert_eq!(answer["context"]["memory_limit_in_mb"], "256");
    assert_eq!(answer["context"]["log_stream_name"], outcome.log_stream.as_str());
    assert_eq!((&answer["client"]["a"], &answer["identity"]), (&json!("ü"), &json!("me")));
    trial.pool.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn exits_end_the_invocation_and_not_the_next() {
    let trial = Trial::new().await;
    let function = trial.python(
        "import os, sys\ndef handler(event, context):\n    \
         if event == 0: sys.exit()\n    if event == 3: sys.exit(3)\n    \
         if event > 100: os.kill(os.getpid(), event - 100)\n    if event == 9: os.abort()\n    \
         if event == 7: os._exit(7)\n    return 'fine'\n",
    );
    for (event, reason) in [
        ("0", "Runtime exited without providing a reason"),
        ("3", "Runtime exited with error: exit status 3"),
        ("7", "Runtime exited with error: exit status 7"),
        ("9", "Runtime exited with error: signal: aborted"),
        ("109", "Runtime exited with error: signal: killed"),
        ("111", "Runtime exited with error: signal: segmentation fault"),
        ("115", "Runtime exited with error: signal: terminated"),
    ] {
        let outcome = trial.invoke(&function, event).await;
        let (document, tail) = (support::json(&outcome.payload), text(&outcome.log_tail));
        assert_eq!(document["errorType"], "Runtime.ExitError");
        assert!(document["errorMessage"].as_str().unwrap().ends_with(reason), "{document}");
        assert!(tail.contains(&format!("Error: {reason}\nRuntime.ExitError\nEND ")), "{tail}");
        assert!(tail.contains("\tStatus: error\tError Type: Runtime.ExitError\n"), "{tail}");
        assert_eq!(trial.answer(&function, "1").await, "fine");
    }
    trial.pool.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timeout_ends_the_instance() {
    let trial = Trial::new().await;
    let mut function = trial.function(
        "python3.11",
        "app.handler",
        &[(
            "app.py",
            "import time\ndef handler(event, context):\n    print('begun', flush=True)\n    \
         time.sleep(event)\n    return 'fine'\n",
        )],
    );
    function.timeout = Duration::from_secs(1);
    let function = Arc::new(function);
    assert_eq!(trial.answer(&function, "0").await, "fine");
    let outcome = trial.invoke(&function, "100").await;
    let (document, tail) = (support::json(&outcome.payload), text(&outcome.log_tail));
    assert_eq!(document["errorType"], "Sandbox.Timedout");
    assert!(
        document["errorMessage"]
            .as_str()
            .unwrap()
            .ends_with(" Error: Task timed out after 1.00 seconds")
    );
    assert_eq!((outcome.report.duration_ms, outcome.report.billed_ms), (1000.0, 1000));
    assert!(
        tail.contains("begun\n") && tail.contains(" Task timed out after 1.00 seconds\n\nEND "),
        "{tail}"
    );
    assert!(tail.ends_with("\tStatus: timeout\n"), "{tail}");
    let again = trial.invoke(&function, "0").await;
    assert_eq!(text(&again.payload), "\"fine\"");
    assert_ne!(again.log_stream, outcome.log_stream);
    trial.pool.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn large_payloads_pass_up_to_the_limit() {
    let trial = Trial::new().await;
    let function = trial.python("def handler(event, context):\n    return 'x' * event\n");
    let most = 6 * 1024 * 1024 + 100 - 2; // The quotes.
    let outcome = trial.invoke(&function, &most.to_string()).await;
    assert_eq!(outcome.payload.len(), most + 2);
    let document = trial.failure(&function, &(most + 1).to_string()).await;
    assert_eq!(
        document,
        json!({
            "errorType": "Function.ResponseSizeTooLarge",
            "errorMessage": "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
        })
    );
    assert_eq!(trial.answer(&function, "1").await, "x", "the instance goes on");
    assert_eq!(trial.pool.status().starts, 1);
    let echo = trial.python("def handler(event, context):\n    return len(event)\n");
    let event = format!("\"{}\"", "y".repeat(6 * 1024 * 1024 - 2));
    assert_eq!(trial.answer(&echo, &event).await, 6 * 1024 * 1024 - 2);
    trial.pool.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_output_holds_nothing_up() {
    let trial = Trial::new().await;
    let function = trial.python(
        "def handler(event, context):\n    line = 'x' * 99\n    for i in range(200000): print(line)\n    \
         print('last')\n",
    );
    let outcome = trial.invoke(&function, "{}").await;
    let tail = text(&outcome.log_tail);
    assert_eq!(outcome.error, None, "{tail}");
    assert!(tail.len() <= 4096 && tail.contains("xxx\nlast\nEND "), "{tail}");
    let log = trial.log().await;
    assert_eq!(log.lines().filter(|line| line.len() == 99).count(), 200_000);
}
