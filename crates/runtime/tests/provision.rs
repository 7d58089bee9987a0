//! Provisioned concurrency: instances that are ready before there is a request.

mod support;

use std::{sync::Arc, time::Duration};

use runtime::{Function, Pool, ProvisionFailure};
use serde_json::json;
use support::{Trial, invocation, until};

const FAMILY: &str = "arn:aws:lambda:us-east-1:000000000000:function:f";
/// Answers how it was initialised and by which process; ends it when asked to.
const SOURCE: &str = "import os, time\nprint('init')\ndef handler(event, context):\n    \
    if event == 'die':\n        os._exit(1)\n    if isinstance(event, float):\n        time.sleep(event)\n    \
    return [os.environ['AWS_LAMBDA_INITIALIZATION_TYPE'], context.log_stream_name]\n";
const FAILING: &str = "print('tried')\nraise ValueError('no')\n";

fn ready(pool: &Pool, function: &Function) -> usize {
    pool.provisioned(FAMILY, &function.key).map_or(0, |it| it.ready)
}

fn idle(pool: &Pool, function: &Function) -> usize {
    pool.status().functions.get(&function.key).map_or(0, |it| it.idle)
}

async fn provisioned(trial: &Trial, count: usize) -> Arc<Function> {
    let function = trial.python(SOURCE);
    trial.pool.provision(FAMILY, vec![(function.clone(), count)]);
    until("they idle", || idle(&trial.pool, &function) == count).await;
    function
}

#[tokio::test(flavor = "multi_thread")]
async fn instances_are_ready_before_the_first_request_and_never_idle_out() {
    let trial = Trial::new().await;
    let function = provisioned(&trial, 2).await;
    let state = trial.pool.provisioned(FAMILY, &function.key).unwrap();
    assert_eq!((state.ready, state.reached, state.failure), (2, true, None));
    trial.clock.advance(Duration::from_secs(3600));
    let outcome = trial.invoke(&function, "1").await;
    let report = support::text(&outcome.log_tail);
    assert_eq!(outcome.report.init_ms, None, "{report}");
    assert!(!report.contains("Init Duration"), "{report}");
    assert_eq!(support::json(&outcome.payload)[0], "provisioned-concurrency");
    assert_eq!((trial.pool.status().starts, ready(&trial.pool, &function)), (2, 2));
    trial.pool.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn instances_are_replaced_before_their_credentials_end() {
    let trial = Trial::new().await;
    let function = provisioned(&trial, 1).await;
    let before = trial.answer(&function, "1").await;
    trial.clock.advance(Duration::from_secs(11 * 3600));
    until("another to be ready", || {
        trial.pool.status().starts == 2 && idle(&trial.pool, &function) == 1
    })
    .await;
    assert_ne!(trial.answer(&function, "1").await, before);
    trial.pool.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_beyond_them_are_served_on_demand() {
    let trial = Trial::new().await;
    let function = provisioned(&trial, 1).await;
    let requests: Vec<_> = (0..2).map(|_| trial.answer(&function, "0.5")).collect();
    let mut answers = futures::future::join_all(requests).await;
    answers.sort_by_key(|answer| answer[0].to_string());
    assert_eq!(answers[0][0], "on-demand");
    assert_eq!(answers[1][0], "provisioned-concurrency");
    until("both idle", || idle(&trial.pool, &function) == 2).await;
    assert_eq!(
        trial.answer(&function, "1").await,
        answers[1],
        "the one that is always ready first"
    );
    trial.clock.advance(Duration::from_secs(3600));
    until("the other to stop", || idle(&trial.pool, &function) == 1).await;
    assert_eq!(ready(&trial.pool, &function), 1);
    trial.pool.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_ends_is_replaced() {
    let trial = Trial::new().await;
    let function = provisioned(&trial, 1).await;
    trial.failure(&function, "\"die\"").await;
    until("another to be ready", || {
        trial.pool.status().starts == 2 && idle(&trial.pool, &function) == 1
    })
    .await;
    assert_eq!(trial.answer(&function, "1").await[0], "provisioned-concurrency");
    trial.pool.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fewer_and_none_stop_the_rest() {
    let trial = Trial::new().await;
    let function = provisioned(&trial, 3).await;
    trial.pool.provision(FAMILY, vec![(function.clone(), 1)]);
    until("one", || idle(&trial.pool, &function) == 1).await;
    let busy = tokio::spawn({
        let (pool, function) = (trial.pool.clone(), function.clone());
        async move { pool.invoke(&function, invocation(&function, "0.3")).await }
    });
    until("it to be busy", || trial.pool.status().functions[&function.key].busy == 1).await;
    trial.pool.provision(FAMILY, Vec::new());
    assert_eq!(trial.pool.provisioned(FAMILY, &function.key), None);
    assert_eq!(busy.await.unwrap().unwrap().error, None, "a request may finish");
    until("nothing is left", || trial.pool.status().functions.is_empty()).await;
    trial.pool.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_version_is_ready_before_the_old_one_goes() {
    let trial = Trial::new().await;
    let old = provisioned(&trial, 1).await;
    let gate = "import os, time\nwhile not os.path.exists(os.environ['LAMBDA_TASK_ROOT'] + '/go'):\n    \
                time.sleep(0.01)\ndef handler(event, context):\n    return 1\n";
    let new = trial.python(gate);
    trial.pool.provision(FAMILY, vec![(new.clone(), 1)]);
    // It cannot be ready yet, so the old one must still be there.
    assert_eq!((idle(&trial.pool, &old), ready(&trial.pool, &new)), (1, 0));
    support::write(&new.code, &[("go", "")]);
    until("the new one to be ready", || idle(&trial.pool, &new) == 1).await;
    until("the old one to stop", || idle(&trial.pool, &old) == 0).await;
    trial.pool.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_init_is_told_and_tried_again_after_longer_and_longer() {
    let trial = Trial::new().await;
    let function = trial.python(FAILING);
    trial.pool.provision(FAMILY, vec![(function.clone(), 1)]);
    let failure = || trial.pool.provisioned(FAMILY, &function.key).unwrap().failure;
    until("the failure", || failure() == Some(ProvisionFailure::Init)).await;
    trial.clock.advance(Duration::from_secs(60));
    until("it is tried again", || trial.logs.count("tried") >= 2).await;
    let tries = trial.logs.count("tried");
    assert!(tries < 20, "{tries} tries are a hot loop");
    trial.pool.provision(FAMILY, Vec::new());
    until("nothing is left", || trial.pool.status().functions.is_empty()).await;
    trial.pool.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pools_limit_holds_and_is_named() {
    let trial = Trial::with(|config| config.max_instances = 2).await;
    let function = trial.python(SOURCE);
    trial.pool.provision(FAMILY, vec![(function.clone(), 3)]);
    let failure = || trial.pool.provisioned(FAMILY, &function.key).unwrap().failure;
    let full = ProvisionFailure::Machine("all 2 instances are busy".to_owned());
    until("the failure", || failure() == Some(full.clone())).await;
    until("what there is place for", || idle(&trial.pool, &function) == 2).await;
    let other = trial.python(SOURCE);
    let refused = trial.pool.invoke(&other, invocation(&other, "1")).await;
    assert!(refused.is_err(), "those that are always ready are not evicted");
    assert_eq!(trial.answer(&function, "1").await[0], json!("provisioned-concurrency"));
    trial.pool.shutdown().await;
}
