//! Instances that are forked from a process that has run the function's init.

mod support;

use std::sync::Arc;

use runtime::{Function, RuntimeError, SnapshotFailure, Snapshotted};
use support::{Trial, invocation, json, text, until};

fn function(trial: &Trial, code: &str) -> Arc<Function> {
    let mut function = trial.function("python3.11", "app.handler", &[("app.py", code)]);
    function.snap_start = true;
    function.version = "1".into();
    Arc::new(function)
}

const SLOW: &str = "
import os, random, tempfile, time, uuid
time.sleep(0.3)
loaded = time.time()
open('/tmp/made', 'w').write('in init')
os.mkdir('/tmp/folder')
state = {'count': 0}
random.random(); tempfile.mktemp()
def handler(event, context):
    state['count'] += 1
    time.sleep(event.get('sleep', 0))
    return [loaded, state['count'], random.random(), str(uuid.uuid4()), str(uuid.uuid1()),
            tempfile.mktemp(), open('/tmp/made').read(), sorted(os.listdir('/tmp')),
            os.environ['AWS_LAMBDA_INITIALIZATION_TYPE'], 'AWS_LAMBDA_LOG_STREAM_NAME' in os.environ]
";

#[tokio::test(flavor = "multi_thread")]
async fn many_instances_come_from_one_init_and_differ() {
    let trial = Trial::new().await;
    let function = function(&trial, SLOW);
    assert_eq!(trial.pool.snapshot(&function).await, Ok(Snapshotted::On));
    let event = r#"{"sleep": 0.3}"#;
    let invokes = (0..8).map(|_| trial.pool.invoke(&function, invocation(&function, event)));
    let outcomes: Vec<_> = all(invokes).await.into_iter().map(Result::unwrap).collect();
    let answers: Vec<_> = outcomes.iter().map(|outcome| json(&outcome.payload)).collect();
    for answer in &answers {
        assert_eq!(answer[0], answers[0][0], "one init: {answers:?}");
        // On a busy machine one may be free again before another has started.
        assert!(answer[1].as_u64() < Some(4), "each is new: {answers:?}");
        assert_eq!(answer[6], "in init");
        assert_eq!(answer[7], serde_json::json!(["folder", "made"]));
        assert_eq!((&answer[8], &answer[9]), (&"snap-start".into(), &false.into()));
    }
    for column in 2..=5 {
        let mut values: Vec<_> = answers.iter().map(|answer| answer[column].to_string()).collect();
        values.sort();
        values.dedup();
        assert_eq!(values.len(), 8, "column {column}: {values:?}");
    }
    let report = &outcomes[0].report;
    assert!(report.init_ms.is_none() && report.restore.is_some(), "{report:?}");
    let again = trial.invoke(&function, "{}").await;
    assert!(json(&again.payload)[1].as_u64() > Some(1), "and serves again");
    assert!(again.report.restore.is_none());
    let log = trial.log().await;
    assert_eq!(log.matches("INIT_START").count(), 1, "{log}");
    let restored = log.matches("RESTORE_START Runtime Version: python:3.11").count();
    assert!((2..=8).contains(&restored), "{log}");
    assert_eq!(log.matches("RESTORE_REPORT Restore Duration: ").count(), restored, "{log}");
    assert!(log.contains(" ms\tBilled Restore Duration: "), "{log}");
    assert!(log.contains("\tPhase: init\n"), "{log}");
}

/// Drives them all at once.
async fn all<T>(invokes: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut outcomes = Vec::new();
    let mut waiting: Vec<_> = invokes.map(Box::pin).collect();
    std::future::poll_fn(|context| {
        waiting.retain_mut(|invoke| match invoke.as_mut().poll(context) {
            std::task::Poll::Ready(outcome) => {
                outcomes.push(outcome);
                false
            }
            std::task::Poll::Pending => true,
        });
        match waiting.is_empty() {
            true => std::task::Poll::Ready(()),
            false => std::task::Poll::Pending,
        }
    })
    .await;
    outcomes
}

#[tokio::test(flavor = "multi_thread")]
async fn hooks_run_before_in_reverse_and_after_in_order() {
    let trial = Trial::new().await;
    let function = function(
        &trial,
        "
from snapshot_restore_py import register_after_restore, register_before_snapshot
order = []
register_before_snapshot(order.append, 'before 1')
@register_before_snapshot
def second(): order.append('before 2')
register_after_restore(lambda name, more: order.append(name + more), 'after 1', more='!')
@register_after_restore
def third(): order.append('after 2')
def handler(event, context): return order
",
    );
    let answer = trial.answer(&function, "{}").await;
    assert_eq!(answer, serde_json::json!(["before 2", "before 1", "after 1!", "after 2"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_forked_is_started_anew_and_says_so() {
    let trial = Trial::new().await;
    let cases = [
        (
            "import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()",
            "2 threads run after init",
        ),
        ("import socket\nkept = socket.socketpair()", "a socket is open after init"),
        ("import os\nkept = os.pipe()", "a pipe is open after init"),
        ("import mmap\nkept = mmap.mmap(-1, 4096)", "memory is shared with others after init"),
        ("kept = open('/var/task/app.py')", "the file /var/task/app.py is open after init"),
        (
            "import subprocess\nkept = subprocess.Popen(['sleep', '60'])",
            "1 child processes run after init",
        ),
        ("import os\nos.mkfifo('/tmp/fifo')", "/tmp/fifo is neither file nor folder"),
    ];
    for (before, reason) in cases {
        let hooks = "from snapshot_restore_py import register_after_restore as after\n\
                     restored = []\nafter(restored.append, 1)\n\
                     def handler(event, context): return restored";
        let function = function(&trial, &format!("{before}\n{hooks}"));
        assert_eq!(trial.pool.snapshot(&function).await, Ok(Snapshotted::Off), "{reason}");
        let outcome = trial.invoke(&function, "{}").await;
        assert_eq!(text(&outcome.payload), "[1]", "{reason}");
        assert!(outcome.report.init_ms.is_some());
        let lines = trial.logs.lines.lock().unwrap();
        let log: String = lines.iter().map(|(_, text)| text.as_str()).collect();
        let line = format!(
            "[lampejo] SnapStart: no snapshot, instances run the init themselves: {reason}\n"
        );
        assert!(log.contains(&line), "{reason}: {log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_init_and_failing_hooks_are_told_apart() {
    let trial = Trial::new().await;
    let broken = function(&trial, "raise ValueError('not today')");
    assert_eq!(trial.pool.snapshot(&broken).await, Err(SnapshotFailure::Init));
    let before = function(
        &trial,
        "import snapshot_restore_py as s\ns.register_before_snapshot(lambda: 1/0)\ndef handler(e, c): pass",
    );
    assert_eq!(trial.pool.snapshot(&before).await, Err(SnapshotFailure::Init));
    let after = function(
        &trial,
        "import snapshot_restore_py as s\ns.register_after_restore(lambda: 1/0)\ndef handler(e, c): pass",
    );
    assert_eq!(trial.pool.snapshot(&after).await, Ok(Snapshotted::On));
    let refused = trial.pool.invoke(&after, invocation(&after, "{}")).await;
    assert!(matches!(refused, Err(RuntimeError::RestoreFailed(_))), "{refused:?}");
    let log = trial.log().await;
    assert!(log.contains("Status: error\tError Type: Runtime.BeforeSnapshotError"), "{log}");
    assert!(log.contains("RESTORE_REPORT Restore Duration: "), "{log}");
    assert!(log.contains(" ms\tStatus: error\tError Type: Runtime.AfterRestoreError"), "{log}");
    assert!(log.contains("[ERROR] ZeroDivisionError"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn forks_end_and_are_told_like_others() {
    let trial = Trial::new().await;
    let function = function(
        &trial,
        "import os, time\ndef handler(event, context):\n  if event == 'exit': os._exit(3)\n  \
         if event == 'kill': os.kill(os.getpid(), 9) or time.sleep(9)\n  return os.getpid()",
    );
    assert_eq!(trial.answer(&function, "1").await, 1, "the first of its namespace");
    let exited = trial.failure(&function, "\"exit\"").await;
    assert_eq!(exited["errorType"], "Runtime.ExitError");
    assert!(exited["errorMessage"].as_str().unwrap().ends_with("exit status 3"), "{exited}");
    assert_eq!(trial.answer(&function, "1").await, 1, "another fork serves");
    let key = function.key.clone();
    trial.pool.retire(&key);
    until("its instances end", || !trial.pool.status().functions.contains_key(&key)).await;
    assert_eq!(trial.answer(&function, "1").await, 1, "the snapshot is made anew");
}
