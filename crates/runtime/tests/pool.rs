//! The pool: scale, reuse, limits, ends; functions that bring their own bootstrap.

mod support;

use std::{path::Path, sync::Arc, time::Duration};

use runtime::{Isolation, Outcome, Pool, RuntimeError};
use serde_json::json;
use support::{Trial, invocation, text, until};

const SLEEPER: &str = "import time, os\ndef handler(event, context):\n    time.sleep(event)\n    \
                       return context.log_stream_name\n";

fn idle(pool: &Pool, key: &str) -> usize {
    pool.status().functions.get(key).map_or(0, |function| function.idle)
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_at_once_have_an_instance_each() {
    let trial = Trial::new().await;
    let function = trial.python(SLEEPER);
    let requests: Vec<_> = (0..4).map(|_| trial.invoke(&function, "2")).collect();
    let outcomes: Vec<Outcome> = futures::future::join_all(requests).await;
    let streams: std::collections::BTreeSet<_> = outcomes.iter().map(|o| &o.log_stream).collect();
    assert_eq!(streams.len(), 4);
    until("all to idle", || idle(&trial.pool, &function.key) == 4).await;
    trial.invoke(&function, "0").await;
    assert_eq!((trial.pool.status().starts, trial.pool.status().invokes), (4, 5));
    trial.pool.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_instances_stop_after_their_time() {
    let trial = Trial::new().await;
    let function = trial.python(SLEEPER);
    trial.invoke(&function, "0").await;
    until("it to idle", || idle(&trial.pool, &function.key) == 1).await;
    trial.clock.advance(Duration::from_secs(590));
    trial.invoke(&function, "0").await;
    assert_eq!(trial.pool.status().starts, 1, "not yet");
    until("it to idle", || idle(&trial.pool, &function.key) == 1).await;
    trial.clock.advance(Duration::from_secs(601));
    until("the instance to stop", || trial.pool.status().functions.is_empty()).await;
    trial.invoke(&function, "0").await;
    assert_eq!(trial.pool.status().starts, 2);
    trial.pool.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn retired_instances_serve_no_further_request() {
    let trial = Trial::new().await;
    let function = trial.python(SLEEPER);
    let busy = tokio::spawn({
        let (pool, function) = (trial.pool.clone(), function.clone());
        async move { pool.invoke(&function, invocation(&function, "0.5")).await }
    });
    until("it to be busy", || {
        trial.pool.status().functions.get(&function.key).is_some_and(|f| f.busy == 1)
    })
    .await;
    trial.pool.retire(&function.key);
    assert_eq!(busy.await.unwrap().unwrap().error, None, "it may finish");
    trial.invoke(&function, "0").await;
    assert_eq!(trial.pool.status().starts, 2);
    trial.pool.retire(&function.key);
    trial.invoke(&function, "0").await;
    assert_eq!(trial.pool.status().starts, 3);
    trial.pool.shutdown().await;
}

/// Ends its first init when the test says so, and never comes to the end of a later one.
const STUCK: &str = "import os, time\ngo = os.environ['LAMBDA_TASK_ROOT'] + '/go'\n\
    first = not os.path.exists(go)\nprint('first', flush=True)\nwhile not os.path.exists(go):\n    time.sleep(0.01)\n\
    if first:\n    os._exit(1)\nprint('stuck', flush=True)\ntime.sleep(600)\n";

/// Ends its init when the test says so.
const GATED: &str = "import os, time\ngo = os.environ['LAMBDA_TASK_ROOT'] + '/go'\n\
    while not os.path.exists(go):\n    time.sleep(0.01)\ndef handler(event, context):\n    return event\n";

fn starting(pool: &Pool, key: &str) -> usize {
    pool.status().functions.get(key).map_or(0, |function| function.starting)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_served_though_its_function_is_retired_while_it_starts() {
    let trial = Trial::new().await;
    let function = trial.python(GATED);
    let waiting = tokio::spawn({
        let (pool, function) = (trial.pool.clone(), function.clone());
        async move { pool.invoke(&function, invocation(&function, "7")).await }
    });
    until("it to start", || starting(&trial.pool, &function.key) == 1).await;
    trial.pool.retire(&function.key);
    support::write(&function.code, &[("go", "")]);
    let served = tokio::time::timeout(support::PATIENCE, waiting).await.expect("it is served");
    assert_eq!(text(&served.unwrap().unwrap().payload), "7");
    until("it to be stopped", || trial.pool.status().functions.is_empty()).await;
    trial.pool.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_request_leaves_no_instance_that_inits_again() {
    let trial = Trial::with(|config| config.max_instances = 1).await;
    let function = trial.python(STUCK);
    let dropped = tokio::spawn({
        let (pool, function) = (trial.pool.clone(), function.clone());
        async move { pool.invoke(&function, invocation(&function, "{}")).await }
    });
    until("its first init", || trial.logs.contains("first")).await;
    support::write(&function.code, &[("go", "")]);
    until("its second init", || trial.logs.contains("stuck")).await;
    dropped.abort();
    let other = trial.python(SLEEPER);
    let deadline = std::time::Instant::now() + support::PATIENCE;
    while let Err(error) = trial.pool.invoke(&other, invocation(&other, "0")).await {
        assert!(std::time::Instant::now() < deadline, "its place is never free: {error}");
        tokio::task::yield_now().await;
    }
    trial.pool.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_pool_evicts_idle_instances_and_then_refuses() {
    let trial = Trial::with(|config| config.max_instances = 1).await;
    let (one, two) = (trial.python(SLEEPER), trial.python(SLEEPER));
    trial.invoke(&one, "0").await;
    until("it to idle", || idle(&trial.pool, &one.key) == 1).await;
    trial.invoke(&two, "0").await;
    until("it to idle", || idle(&trial.pool, &two.key) == 1).await;
    assert_eq!((idle(&trial.pool, &one.key), idle(&trial.pool, &two.key)), (0, 1));
    let busy = tokio::spawn({
        let (pool, two) = (trial.pool.clone(), two.clone());
        async move { pool.invoke(&two, invocation(&two, "0.7")).await }
    });
    until("it to be busy", || trial.pool.status().functions[&two.key].busy == 1).await;
    let refused = trial.pool.invoke(&one, invocation(&one, "0")).await;
    assert!(matches!(refused, Err(RuntimeError::Saturated { limit: 1 })), "{refused:?}");
    assert_eq!(busy.await.unwrap().unwrap().error, None);
    trial.pool.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn shutdown_leaves_no_process() {
    let trial = Trial::of(Isolation::Process, &|_| {});
    let function =
        trial.python("import os\ndef handler(event, context):\n    return os.getpid()\n");
    let pid = trial.answer(&function, "{}").await.to_string();
    assert!(Path::new("/proc").join(&pid).exists());
    let sleeper = trial.python(SLEEPER);
    let busy = tokio::spawn({
        let (pool, sleeper) = (trial.pool.clone(), sleeper.clone());
        async move { pool.invoke(&sleeper, invocation(&sleeper, "100")).await }
    });
    until("it to be busy", || {
        trial.pool.status().functions.get(&sleeper.key).is_some_and(|f| f.busy == 1)
    })
    .await;
    trial.pool.shutdown().await;
    assert!(!Path::new("/proc").join(&pid).exists());
    let ended = busy.await.unwrap().unwrap();
    assert!(text(&ended.payload).contains("Runtime.ExitError"));
    let refused = trial.pool.invoke(&function, invocation(&function, "{}")).await;
    assert!(matches!(refused, Err(RuntimeError::Stopping)), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_request_leaves_no_busy_instance() {
    let trial = Trial::new().await;
    let function = trial.python(SLEEPER);
    trial.invoke(&function, "0").await;
    let dropped = trial.pool.invoke(&function, invocation(&function, "100"));
    assert!(tokio::time::timeout(Duration::from_millis(200), dropped).await.is_err());
    until("it to be stopped", || trial.pool.status().functions.is_empty()).await;
    trial.invoke(&function, "0").await;
    trial.pool.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_may_bring_their_own_runtime() {
    let trial = Trial::new().await;
    let bootstrap = "#!/bin/sh\n\
        while true; do\n\
          event=$(curl -sS -D /tmp/h$$ http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation/next)\n\
          id=$(grep -i lambda-runtime-aws-request-id /tmp/h$$ | tr -d '\\r' | cut -d' ' -f2)\n\
          echo \"shell got $event\"\n\
          curl -sS -o /dev/null -d \"{\\\"shell\\\":$event}\" \
            http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation/$id/response\n\
        done\n";
    let function = Arc::new(trial.function("provided.al2023", "any", &[("bootstrap", bootstrap)]));
    for event in ["1", "2"] {
        let outcome = trial.invoke(&function, event).await;
        let answer = text(&outcome.payload);
        assert_eq!(answer, format!("{{\"shell\":{event}}}"), "{}", text(&outcome.log_tail));
        assert!(text(&outcome.log_tail).contains(&format!("shell got {event}\n")));
        until("it to idle", || idle(&trial.pool, &function.key) == 1).await;
    }
    assert_eq!(trial.pool.status().starts, 1);
    trial.pool.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_or_broken_bootstrap_is_the_functions_failure() {
    let trial = Trial::new().await;
    let none = Arc::new(trial.function("provided.al2023", "any", &[("other", "")]));
    let document = trial.failure(&none, "{}").await;
    assert_eq!(document["errorType"], "Runtime.InvalidEntrypoint");
    let reason = "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]";
    assert!(document["errorMessage"].as_str().unwrap().ends_with(reason), "{document}");

    let broken = Arc::new(trial.function("provided.al2023", "any", &[("bootstrap", "\u{1}\u{2}")]));
    let document = trial.failure(&broken, "{}").await;
    assert_eq!(document["errorType"], "Runtime.InvalidEntrypoint", "{document}");
    assert!(document["errorMessage"].as_str().unwrap().contains("fork/exec /var/task/bootstrap: "));

    let ends =
        Arc::new(trial.function("provided", "any", &[("bootstrap", "#!/bin/sh\nexit 127\n")]));
    let document = trial.failure(&ends, "{}").await;
    assert!(document["errorMessage"].as_str().unwrap().ends_with("exit status 127"), "{document}");
    trial.pool.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn runtimes_that_are_missing_are_refused_or_replaced_loudly() {
    let trial = Trial::new().await;
    let refused = trial.pool.check("nodejs16.x").unwrap_err();
    assert!(
        matches!(&refused, RuntimeError::NoInterpreter(text) if text.contains("nvm install 16"))
    );
    trial.pool.check("python3.11").unwrap();
    trial.pool.shutdown().await;

    let trial = Trial::with(|config| config.nearest_runtime = true).await;
    let files = [("index.js", "exports.handler = async () => 'fine';")];
    let function = Arc::new(trial.function("nodejs16.x", "index.handler", &files));
    assert_eq!(trial.answer(&function, "{}").await, json!("fine"));
    let log = trial.log().await;
    assert!(log.contains("[lampejo] WARNING: there is no nodejs16.x on this machine"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn want_of_memory_is_named() {
    let trial = Trial::new().await;
    let mut function = trial.function(
        "python3.11",
        "app.handler",
        &[("app.py", "def handler(event, context):\n    return len(b'x' * (event << 20))\n")],
    );
    function.memory_mib = 128;
    let function = Arc::new(function);
    let outcome = trial.invoke(&function, "400").await;
    if outcome.error.is_none() {
        println!("skipped: limits of memory, which this machine does not grant");
        return trial.pool.shutdown().await;
    }
    let (document, tail) = (support::json(&outcome.payload), text(&outcome.log_tail));
    assert_eq!(document["errorType"], "Runtime.OutOfMemory");
    assert!(document["errorMessage"].as_str().unwrap().ends_with("signal: killed"), "{document}");
    assert!(tail.contains("Max Memory Used: 128 MB\t"), "{tail}");
    trial.pool.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_of_python_that_are_here_run() {
    let trial = Trial::new().await;
    for minor in 8..=15 {
        let runtime = format!("python3.{minor}");
        if trial.pool.check(&runtime).is_err() {
            println!("skipped: {runtime}, which is not on this machine");
            continue;
        }
        let text = "import sys, logging\ndef handler(event, context):\n    logging.error('x')\n    \
                    return sys.version_info[1]\n";
        let function = Arc::new(trial.function(&runtime, "app.handler", &[("app.py", text)]));
        assert_eq!(trial.answer(&function, "{}").await, json!(minor));
        let broken = [("app.py", "def handler(event, context):\n    return 1 / 0\n")];
        let broken = Arc::new(trial.function(&runtime, "app.handler", &broken));
        assert_eq!(trial.failure(&broken, "{}").await["errorType"], "ZeroDivisionError");
    }
    trial.pool.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_sandbox_functions_run_as_plain_processes() {
    let trial = Trial::of(Isolation::Process, &|_| {});
    let layer = trial.folder.path().join("layer");
    support::write(&layer, &[("python/layered.py", "NAME = 'layer'\n")]);
    let text = "import layered, os\ndef handler(event, context):\n    \
                return [layered.NAME, os.getcwd() == os.environ['LAMBDA_TASK_ROOT']]\n";
    let mut function = trial.function("python3.11", "app.handler", &[("app.py", text)]);
    function.layers = vec![layer];
    assert_eq!(trial.answer(&Arc::new(function), "{}").await, json!(["layer", true]));
    let (lower, upper) = (trial.folder.path().join("lower"), trial.folder.path().join("upper"));
    support::write(&lower, &[("nodejs/node_modules/m/index.js", "module.exports = 'lower';")]);
    support::write(&upper, &[("nodejs/node_modules/m/index.js", "module.exports = 'upper';")]);
    let text = "exports.handler = async () => [require('m'), process.env.PATH];";
    let mut node = trial.function("nodejs20.x", "index.handler", &[("index.js", text)]);
    node.layers = vec![lower.clone(), upper.clone()];
    let answer = trial.answer(&Arc::new(node), "{}").await;
    assert_eq!(answer[0], "upper");
    let programs = format!(":{}/bin:{}/bin", upper.display(), lower.display());
    assert!(answer[1].as_str().unwrap().ends_with(&programs), "{answer}");
    trial.pool.shutdown().await;
}
