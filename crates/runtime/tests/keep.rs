//! How many instances the pool keeps, and within which memory.

mod support;

use std::{sync::Arc, time::Duration};

use runtime::{Function, Pool, Reason, RuntimeError};
use support::{Trial, invocation, until};

const SLEEPER: &str = "import time\ndef handler(event, context):\n    time.sleep(event)\n";
/// Holds so many MiB from its first invocation on.
const HOLDER: &str =
    "held = []\ndef handler(event, context):\n    held.append(b'x' * (event << 20))\n";
const MINUTE: Duration = Duration::from_secs(60);

fn idle(pool: &Pool, key: &str) -> usize {
    pool.status().functions.get(key).map_or(0, |function| function.idle)
}

async fn until_idle(trial: &Trial, function: &Function, count: usize) {
    until("instances to idle", || idle(&trial.pool, &function.key) == count).await;
}

/// With so much memory for each instance.
fn sized(trial: &Trial, text: &str, memory_mib: u32) -> Arc<Function> {
    let mut function = trial.function("python3.11", "app.handler", &[("app.py", text)]);
    function.memory_mib = memory_mib;
    Arc::new(function)
}

async fn budget(budget_mib: u64) -> Trial {
    Trial::with(|config| config.memory_budget_mib = Some(budget_mib)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_burst_has_needed_goes_when_it_was_long_ago() {
    let trial = Trial::new().await;
    let function = trial.python(SLEEPER);
    futures::future::join_all((0..4).map(|_| trial.invoke(&function, "1.5"))).await;
    until_idle(&trial, &function, 4).await;
    trial.clock.advance(4 * MINUTE);
    trial.invoke(&function, "0").await;
    until_idle(&trial, &function, 4).await;
    assert_eq!(trial.pool.status().functions[&function.key].keep, 4);
    trial.clock.advance(3 * MINUTE);
    until_idle(&trial, &function, 1).await;
    assert_eq!(trial.pool.status().functions[&function.key].keep, 1);
    trial.clock.advance(8 * MINUTE);
    until("the last one to stop", || trial.pool.status().functions.is_empty()).await;
    trial.pool.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_is_there_before_a_request_that_is_to_be_expected() {
    let trial = Trial::new().await;
    let function = trial.python(SLEEPER);
    for _ in 0..7 {
        trial.clock.advance(30 * MINUTE);
        trial.invoke(&function, "0").await;
        until_idle(&trial, &function, 1).await;
    }
    trial.clock.advance(8 * MINUTE);
    until("it to stop", || trial.pool.status().functions.is_empty()).await;
    let before = trial.pool.status().starts;
    trial.clock.advance(20 * MINUTE);
    until_idle(&trial, &function, 1).await;
    assert_eq!(trial.pool.status().starts, before + 1);
    let starts = trial.pool.starts(function.account, &function.region, &function.name, 1);
    assert_eq!(starts[0].reason, Reason::Prediction);
    trial.invoke(&function, "0").await;
    assert_eq!(trial.pool.status().starts, before + 1, "it was there");
    until_idle(&trial, &function, 1).await;
    // Nobody comes: it goes, and is not started again.
    trial.clock.advance(8 * MINUTE);
    until("it to stop", || trial.pool.status().functions.is_empty()).await;
    trial.clock.advance(20 * MINUTE);
    until_idle(&trial, &function, 1).await;
    trial.clock.advance(10 * MINUTE);
    until("it to stop", || trial.pool.status().functions.is_empty()).await;
    assert_eq!(trial.pool.status().starts, before + 2);
    trial.pool.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_least_valuable_instances_make_room_for_others() {
    let trial = budget(64).await;
    let functions: Vec<_> = (0..10).map(|_| sized(&trial, SLEEPER, 40)).collect();
    for function in &functions {
        trial.invoke(function, "0").await;
        until_idle(&trial, function, 1).await;
        let memory = trial.pool.status().memory;
        assert!(memory.held_mib > 0 && memory.held_mib <= 64, "{memory:?}");
        assert_eq!(memory.budget_mib, 64);
    }
    assert_eq!(trial.pool.status().starts, 10);
    let (first, last) = (&functions[0], &functions[9]);
    assert_eq!((idle(&trial.pool, &first.key), idle(&trial.pool, &last.key)), (0, 1));
    trial.pool.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_room_beside_busy_instances_a_request_is_refused() {
    let trial = budget(64).await;
    let (one, two) = (sized(&trial, SLEEPER, 64), sized(&trial, SLEEPER, 64));
    let busy = tokio::spawn({
        let (pool, one) = (trial.pool.clone(), one.clone());
        async move { pool.invoke(&one, invocation(&one, "3")).await }
    });
    until("it to be busy", || {
        trial.pool.status().functions.get(&one.key).is_some_and(|function| function.busy == 1)
    })
    .await;
    let refused = trial.pool.invoke(&two, invocation(&two, "0")).await;
    assert!(matches!(refused, Err(RuntimeError::NoMemory { budget_mib: 64 })), "{refused:?}");
    assert_eq!(busy.await.unwrap().unwrap().error, None);
    trial.invoke(&two, "0").await;
    trial.pool.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_waits_for_what_others_have_reserved_in_vain() {
    let trial = budget(100).await;
    let functions: Vec<_> = (0..3).map(|_| sized(&trial, SLEEPER, 64)).collect();
    let requests = functions.iter().map(|function| trial.invoke(function, "0"));
    for outcome in futures::future::join_all(requests).await {
        assert_eq!(outcome.error, None);
    }
    assert_eq!(trial.pool.status().starts, 3);
    trial.pool.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_instances_go_when_a_running_one_has_grown() {
    let trial = budget(100).await;
    let idler = sized(&trial, SLEEPER, 40);
    trial.invoke(&idler, "0").await;
    until_idle(&trial, &idler, 1).await;
    let holder = sized(&trial, HOLDER, 200);
    trial.invoke(&holder, "0").await;
    until_idle(&trial, &holder, 1).await;
    trial.invoke(&idler, "0").await;
    until_idle(&trial, &idler, 1).await;
    trial.invoke(&holder, "92").await;
    until("the other to go", || idle(&trial.pool, &idler.key) == 0).await;
    trial.pool.shutdown().await;
}
