//! How long starts and invocations take: `cargo bench -p lampejo-runtime`. Prints, asserts nothing.
//! Bounded: some thousand invocations a row.

#![allow(clippy::unwrap_used)] // A measurement that fails has nothing to say.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

#[path = "../tests/support/mod.rs"]
mod support;

use runtime::Function;
use support::{Trial, invocation};

const PYTHON: &str = "def handler(event, context):\n    return event\n";
const NODE: &str = "exports.handler = async (event) => event;\n";
const EVENT: &str = r#"{"name":"world"}"#;

#[tokio::main]
async fn main() {
    let trial = Trial::new().await;
    // With a processor's full share, so that what is measured is not the throttling.
    let full =
        |function: Arc<Function>| Arc::new(Function { memory_mib: 1769, ..(*function).clone() });
    let rows = [("python", full(trial.python(PYTHON))), ("node", full(trial.node(NODE)))];
    for (name, function) in &rows {
        warm(&trial, name, function).await;
        together(&trial, name, function).await;
        cold(&trial, name, function).await;
    }
    burst(&trial).await;
    trial.pool.shutdown().await;
}

async fn warm(trial: &Trial, name: &str, function: &Arc<Function>) {
    let mut times = Vec::new();
    for _ in 0..5_200 {
        times.push(timed(trial, function).await);
    }
    print(&format!("{name} warm, one after the other"), times.split_off(200));
}

async fn together(trial: &Trial, name: &str, function: &Arc<Function>) {
    const CLIENTS: usize = 8;
    const EACH: usize = 2_000;
    let round = async |each: usize| {
        let clients = (0..CLIENTS).map(async |_| {
            for _ in 0..each {
                trial.invoke(function, EVENT).await;
            }
        });
        futures::future::join_all(clients).await;
    };
    round(20).await;
    let began = Instant::now();
    round(EACH).await;
    let rate = (CLIENTS * EACH) as f64 / began.elapsed().as_secs_f64();
    println!("{name} warm, {CLIENTS} clients: {rate:.0}/s");
}

async fn cold(trial: &Trial, name: &str, function: &Arc<Function>) {
    let mut times = Vec::new();
    for _ in 0..30 {
        trial.pool.retire(&function.key);
        times.push(timed(trial, function).await);
    }
    print(&format!("{name} cold"), times);
}

async fn burst(trial: &Trial) {
    const REQUESTS: usize = 50;
    let text = "import time\ndef handler(event, context):\n    time.sleep(0.2)\n    return event\n";
    let function = trial.python(text);
    let began = Instant::now();
    let requests = (0..REQUESTS).map(|_| trial.invoke(&function, EVENT));
    futures::future::join_all(requests).await;
    let status = trial.pool.status();
    println!(
        "{REQUESTS} first requests at once of a 200 ms function: {:.0} ms, {} starts",
        began.elapsed().as_secs_f64() * 1000.0,
        status.functions[&function.key].idle
    );
}

async fn timed(trial: &Trial, function: &Arc<Function>) -> Duration {
    let invocation = invocation(function, EVENT);
    let began = Instant::now();
    let outcome = trial.pool.invoke(function, invocation).await.unwrap();
    assert_eq!(outcome.error, None);
    began.elapsed()
}

fn print(what: &str, mut times: Vec<Duration>) {
    times.sort();
    let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize].as_secs_f64() * 1000.0;
    println!("{what}: p50 {:.3} ms, p99 {:.3} ms, min {:.3} ms", at(0.5), at(0.99), at(0.0));
}
