//! One invocation on one instance: event, answer or fault, log lines, report.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use kit::Clock;

use crate::{
    api,
    desk::Answer,
    faults::Fault,
    function::{Function, FunctionError, Invocation, Outcome, Report},
    instance::Instance,
    lines,
    log::Log,
};

/// What came of an event.
enum Ended {
    Response(Bytes),
    HandlerError(Bytes),
    Fault(Fault),
}

/// Runs one invocation; `left` is what remains of the function's timeout. The instance may serve
/// another afterwards unless the second value is false.
pub(crate) async fn run(
    instance: &Instance,
    clock: &Clock,
    invocation: &Invocation,
    left: Duration,
) -> (Outcome, bool) {
    let (function, log) = (&instance.function, &instance.log);
    let request_id = &invocation.request_id;
    let started = clock.now();
    // What was printed since the last invocation, or in init, comes before START.
    instance.drain();
    if let Some(line) = lines::start(function, started, request_id) {
        log.begin_tail(line);
    }
    let began = Instant::now();
    let head = api::event_head(invocation, started.0 + left.as_millis() as u64);
    let answer = clock.within(left, async {
        let answer = instance.desk.hand(request_id, &head, &invocation.payload).await;
        answer.await.ok()
    });
    let answer = answer.await.flatten();
    let ended = match answer {
        Some(Answer::Response(payload)) => Ended::Response(payload),
        Some(Answer::Error(reported)) => Ended::HandlerError(reported.body),
        Some(Answer::TooLarge) => Ended::Fault(Fault::ResponseTooLarge),
        Some(Answer::Exited(exit)) => Ended::Fault(Fault::Exit(exit)),
        None => Ended::Fault(Fault::Timeout(function.timeout.as_millis() as u64)),
    };
    let measured = began.elapsed().as_secs_f64() * 1000.0;
    instance.drain();
    log.finish_lines();

    let (fault, reusable) = match &ended {
        Ended::Fault(fault) => (Some(fault), matches!(fault, Fault::ResponseTooLarge)),
        _ => (None, true),
    };
    if !reusable {
        instance.kill();
    }
    let duration_ms = match fault {
        Some(Fault::Timeout(millis)) => *millis as f64,
        _ => measured,
    };
    let init_ms = instance.init_ms.lock().expect("nothing panics while it holds this lock").take();
    let max_memory_mib = instance.peak_memory_mib();
    let billed_ms = billed(duration_ms, init_ms);
    let report = Report { duration_ms, billed_ms, init_ms, max_memory_mib, started };
    write_end(function, log, clock, request_id, &report, fault);
    let (payload, error) = match ended {
        Ended::Response(payload) => (payload, None),
        Ended::HandlerError(payload) => (payload, Some(FunctionError::Handled)),
        Ended::Fault(fault) => (fault.payload(request_id), Some(FunctionError::Unhandled)),
    };
    (outcome(log, payload, error, report), reusable)
}

/// The outcome of an invocation for which no instance could be brought to ready: it took
/// `millis` to find out.
pub(crate) fn not_run(
    function: &Arc<Function>,
    log: &Log,
    clock: &Clock,
    invocation: &Invocation,
    fault: &Fault,
    millis: f64,
) -> Outcome {
    let request_id = &invocation.request_id;
    let started = clock.now();
    if let Some(line) = lines::start(function, started, request_id) {
        log.begin_tail(line);
    }
    let duration_ms = match fault {
        Fault::Timeout(limit) => *limit as f64,
        _ => millis,
    };
    let billed_ms = billed(duration_ms, None);
    let report = Report { duration_ms, billed_ms, init_ms: None, max_memory_mib: 0, started };
    write_end(function, log, clock, request_id, &report, Some(fault));
    let payload = fault.payload(request_id);
    log.flush();
    outcome(log, payload, Some(FunctionError::Unhandled), report)
}

fn write_end(
    function: &Arc<Function>,
    log: &Log,
    clock: &Clock,
    request_id: &str,
    report: &Report,
    fault: Option<&Fault>,
) {
    let now = clock.now();
    let end = [
        fault.and_then(|fault| fault.log_text(request_id, &now.iso8601())),
        lines::end(function, request_id),
        lines::report(function, now, request_id, report, fault),
    ];
    end.into_iter().flatten().for_each(|line| log.write(line));
}

/// Since August 2025 init is billed too.
fn billed(duration_ms: f64, init_ms: Option<f64>) -> u64 {
    (duration_ms + init_ms.unwrap_or(0.0)).ceil() as u64
}

fn outcome(log: &Log, payload: Bytes, error: Option<FunctionError>, report: Report) -> Outcome {
    Outcome { payload, error, log_tail: log.tail(), log_stream: log.stream().to_owned(), report }
}
