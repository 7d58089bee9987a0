//! The ledger over a real store: what is counted, where it is found, what a restart finds and what
//! time removes.

use std::sync::Arc;

use ::store::{DataFolder, Store};
use bytes::Bytes;
use kit::{AccountId, Clock, Millis, Region};
use runtime::{Outcome, Report};

use super::*;

/// 2023-11-14T22:13:20Z.
const NOW: Millis = Millis(1_700_000_000_000);
const MINUTE: u64 = NOW.0 / 60_000;
const DAY: u64 = MINUTE / (24 * 60);

fn subject(function: &str) -> Subject {
    Subject {
        account: AccountId::DEFAULT,
        region: Region::default(),
        function: function.to_owned(),
        version: LATEST.to_owned(),
        qualifier: String::new(),
        architecture: Architecture::X86,
    }
}

fn charge(billed_ms: u64) -> Charge {
    Charge { requests: 1, billed_ms, mib_ms: 128 * billed_ms, storage_mib_ms: 0 }
}

fn outcome(duration_ms: f64) -> Outcome {
    let report = Report { duration_ms, init_ms: Some(10.0), ..Report::default() };
    let (payload, log_tail, log_stream) = (Bytes::new(), Bytes::new(), String::new());
    Outcome { payload, error: None, error_type: None, log_tail, log_stream, report, ending: None }
}

fn run_once(usage: &Usage, function: &str, now: Millis) {
    let (charge, outcome) = (charge(3), outcome(2.5));
    usage.note(&subject(function), now, |tally| tally.ran(&charge, &outcome, 2));
}

fn store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&DataFolder::open(folder.path()).unwrap()).unwrap();
    (folder, store)
}

async fn requests(usage: &Usage, store: &Store, span: Span, now: Millis) -> Vec<(u64, u64)> {
    let rows = usage.read(store, span, now).await.unwrap();
    rows.into_iter().map(|(day, row)| (day, row.tally.charge.requests)).collect()
}

/// This minute, and the whole day.
const THIS_MINUTE: Span = Span { from: MINUTE, to: MINUTE + 1 };
const TODAY: Span = Span { from: DAY * 1440, to: (DAY + 1) * 1440 };

#[tokio::test]
async fn usage_is_found_by_minute_and_by_day_and_over_a_restart() {
    let (_folder, store) = store();
    let usage = Usage::load(&store).await.unwrap();
    run_once(&usage, "a", NOW);
    run_once(&usage, "a", NOW);
    run_once(&usage, "b", NOW);
    run_once(&usage, "a", NOW.plus_seconds(60));
    assert_eq!(requests(&usage, &store, THIS_MINUTE, NOW).await, [(DAY, 2), (DAY, 1)]);
    assert_eq!(requests(&usage, &store, TODAY, NOW).await, [(DAY, 3), (DAY, 1)]);
    usage.shutdown(&store, NOW).await;
    let usage = Usage::load(&store).await.unwrap();
    run_once(&usage, "b", NOW);
    let rows = usage.read(&store, TODAY, NOW).await.unwrap();
    let (_, b) = &rows[1];
    assert_eq!((b.tally.charge.requests, b.tally.cold_starts, b.tally.concurrent), (2, 2, 2));
    assert_eq!(b.tally.duration.sum_us, 5000);
}

#[tokio::test]
async fn what_is_counted_is_written_by_itself() {
    let (_folder, store) = store();
    let usage = Usage::load(&store).await.unwrap();
    let clock = Clock::default();
    usage.start(store.clone(), clock.clone());
    let began = clock.now();
    run_once(&usage, "a", began);
    let minute = began.seconds() / 60;
    let span = Span { from: minute, to: minute + 1 };
    for _ in 0..10_000 {
        clock.advance(std::time::Duration::from_millis(100));
        tokio::task::yield_now().await;
        if !store::read(&store, span).await.unwrap().is_empty() {
            return usage.shutdown(&store, clock.now()).await;
        }
    }
    panic!("it was never written");
}

#[tokio::test]
async fn minutes_go_after_fifteen_days_and_days_after_four_hundred() {
    let (_folder, store) = store();
    let usage = Usage::load(&store).await.unwrap();
    run_once(&usage, "a", NOW);
    let day = 24 * 60 * 60;
    for (days, minutes_left, days_left) in [(14, 1, 1), (16, 0, 1), (399, 0, 1), (401, 0, 0)] {
        let now = NOW.plus_seconds(days * day);
        run_once(&usage, "b", now);
        assert_eq!(requests(&usage, &store, THIS_MINUTE, now).await.len(), minutes_left, "{days}");
        assert_eq!(requests(&usage, &store, TODAY, now).await.len(), days_left, "{days}");
    }
}

#[tokio::test]
async fn a_chain_of_several_survives_a_restart() {
    let (_folder, store) = store();
    let usage = Usage::load(&store).await.unwrap();
    let function = function();
    for (name, root) in [("a", "several"), ("b", "several"), ("c", "single")] {
        let counting = usage.count_from(subject(name), function.clone(), Some(root), NOW);
        counting.ended(Ok(&outcome(2.5)));
    }
    assert_eq!(usage.chains().len(), 2);
    usage.shutdown(&store, NOW).await;
    let usage = Usage::load(&store).await.unwrap();
    let [chain] = &usage.chains()[..] else { panic!("one chain") };
    assert_eq!((chain.root.as_str(), chain.requests()), ("several", 2));
}

fn function() -> Arc<runtime::Function> {
    Arc::new(runtime::Function {
        key: "k".to_owned(),
        name: "f".to_owned(),
        version: LATEST.to_owned(),
        account: AccountId::DEFAULT,
        role: String::new(),
        region: Region::default(),
        runtime: "provided.al2023".to_owned(),
        handler: "h".to_owned(),
        memory_mib: 128,
        timeout: std::time::Duration::from_secs(3),
        ephemeral_mib: 1024,
        environment: Default::default(),
        code: "/".into(),
        image: None,
        layers: vec![],
        log_group: "/aws/lambda/f".to_owned(),
        tracing: runtime::Tracing::PassThrough,
        logging: runtime::Logging::default(),
        snap_start: false,
        idle: None,
        network: None,
    })
}

#[tokio::test]
async fn invocations_at_once_are_those_under_way() {
    let (_folder, store) = store();
    let usage = Usage::load(&store).await.unwrap();
    let begin = || usage.count_from(subject("a"), function(), None, NOW);
    let (first, second) = (begin(), begin());
    drop(first);
    let third = begin();
    third.ended(Ok(&outcome(1.0)));
    let full = runtime::RuntimeError::Saturated { limit: 1 };
    second.ended(Err(&full));
    let rows = usage.read(&store, THIS_MINUTE, NOW).await.unwrap();
    let (_, row) = &rows[0];
    assert_eq!((row.tally.concurrent, row.tally.throttles, row.tally.charge.requests), (2, 1, 1));
    begin().ended(Ok(&outcome(1.0)));
    let rows = usage.read(&store, THIS_MINUTE, NOW).await.unwrap();
    assert_eq!(rows[0].1.tally.concurrent, 2);
}

/// What counting costs an invocation. Run it by hand, in release mode:
/// `cargo test --release -p lampejo-lambda counting_is_cheap -- --nocapture`.
#[tokio::test]
async fn counting_is_cheap() {
    let (_folder, store) = store();
    let usage = Usage::load(&store).await.unwrap();
    let (function, outcome) = (function(), Ok(outcome(2.5)));
    let began = std::time::Instant::now();
    const RUNS: u32 = 20_000;
    for number in 0..RUNS {
        let root = format!("1-5759e988-{number:024}");
        usage.count_from(subject("f"), function.clone(), Some(&root), NOW).ended(outcome.as_ref());
    }
    let each = began.elapsed() / RUNS;
    println!("{each:?} an invocation");
    // Even unoptimized and on a busy machine.
    assert!(each < std::time::Duration::from_micros(500), "{each:?}");
}
