//! One invocation on one instance: event, answer or fault, log lines, report.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use kit::Clock;

use crate::{
    api,
    desk::{Answer, Reported},
    faults::Fault,
    function::{Function, FunctionError, Invocation, Outcome, Report},
    instance::{Beginning, Instance},
    lines,
    log::Log,
    stream::{Carried, Destination, Stream},
};

/// A connection that is lost with its runtime is lost at most this long before the runtime's end is
/// seen.
const END_IS_SEEN: Duration = Duration::from_secs(1);

/// What came of an event.
enum Ended {
    Response(Bytes),
    HandlerError(Reported),
    /// The runtime was told, and goes on.
    Refused(Fault),
    Fault(Fault),
}

/// Runs one invocation; `left` is what remains of the function's timeout. The instance may serve
/// another afterwards unless the second value is false.
pub(crate) async fn run(
    instance: &Instance,
    clock: &Clock,
    invocation: &Invocation,
    left: Duration,
    destination: Destination,
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
    let ended = clock.within(left, async {
        let answer = instance.desk.hand(request_id, &head, &invocation.payload).await;
        Some(ended(instance, clock, answer.await.ok()?, destination).await)
    });
    let timeout = || Ended::Fault(Fault::Timeout(function.timeout.as_millis() as u64));
    let ended = ended.await.flatten().unwrap_or_else(timeout);
    let measured = began.elapsed().as_secs_f64() * 1000.0;
    instance.drain();
    log.finish_lines();

    let (fault, reusable) = match &ended {
        Ended::Response(_) | Ended::HandlerError(_) => (None, true),
        Ended::Refused(fault) => (Some(fault), true),
        Ended::Fault(fault) => (Some(fault), false),
    };
    if !reusable {
        instance.kill();
    }
    let duration_ms = match fault {
        Some(Fault::Timeout(millis)) => *millis as f64,
        _ => measured,
    };
    let beginning =
        instance.beginning.lock().expect("nothing panics while it holds this lock").take();
    let (init_ms, restore) = match beginning {
        Some(Beginning::Init(millis)) => (Some(millis), None),
        Some(Beginning::Restore(restored)) => (None, Some(restored)),
        None => (None, None),
    };
    let max_memory_mib = instance.peak_memory_mib();
    let before_ms = init_ms.or(restore.map(|restored| restored.billed_ms as f64));
    let billed_ms = billed(duration_ms, before_ms);
    let report = Report { duration_ms, billed_ms, init_ms, restore, max_memory_mib, started };
    write_end(function, log, clock, request_id, &report, fault);
    let (payload, error) = match ended {
        Ended::Response(payload) => (payload, None),
        Ended::HandlerError(Reported { error_type, body }) => {
            (body, Some((FunctionError::Handled, error_type)))
        }
        Ended::Refused(fault) | Ended::Fault(fault) => {
            (fault.payload(request_id), Some((FunctionError::Unhandled, Some(fault.error_type()))))
        }
    };
    (outcome(log, payload, error, report), reusable)
}

async fn ended(
    instance: &Instance,
    clock: &Clock,
    answer: Answer,
    mut destination: Destination,
) -> Ended {
    match answer {
        Answer::Response(payload) => Ended::Response(destination.put_whole(payload).await),
        Answer::Streaming(stream) => streamed(instance, clock, stream, destination).await,
        Answer::Error(reported) => Ended::HandlerError(reported),
        Answer::TooLarge => Ended::Refused(Fault::ResponseTooLarge(api::MAX_RESPONSE_BYTES)),
        Answer::InvalidResponseMode => Ended::Refused(Fault::InvalidResponseMode),
        Answer::Exited(exit) => Ended::Fault(Fault::Exit(exit)),
    }
}

async fn streamed(
    instance: &Instance,
    clock: &Clock,
    mut stream: Stream,
    mut destination: Destination,
) -> Ended {
    let desk = &instance.desk;
    let carried = tokio::select! {
        biased;
        carried = destination.carry(&mut stream, clock) => carried,
        // A reader who takes nothing does not hold up the end of an instance.
        _ = desk.exit(), if matches!(destination, Destination::Reader(_)) => Carried::Lost,
    };
    match carried {
        Carried::Complete(trailers) => match Reported::in_trailers(trailers) {
            Some(reported) => Ended::HandlerError(reported),
            None => Ended::Response(destination.collected()),
        },
        Carried::TooLarge(limit_bytes) => Ended::Fault(Fault::ResponseTooLarge(limit_bytes)),
        Carried::Lost => match clock.within(END_IS_SEEN, desk.exit()).await {
            Some(exit) => Ended::Fault(Fault::Exit(exit)),
            None => Ended::Fault(Fault::TruncatedResponse),
        },
    }
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
    let report = Report { duration_ms, billed_ms, started, ..Report::default() };
    write_end(function, log, clock, request_id, &report, Some(fault));
    let payload = fault.payload(request_id);
    log.flush();
    outcome(log, payload, Some((FunctionError::Unhandled, Some(fault.error_type()))), report)
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

/// Since August 2025 init is billed too; so are hooks after a restore.
fn billed(duration_ms: f64, before_ms: Option<f64>) -> u64 {
    (duration_ms + before_ms.unwrap_or(0.0)).ceil() as u64
}

fn outcome(
    log: &Log,
    payload: Bytes,
    error: Option<(FunctionError, Option<String>)>,
    report: Report,
) -> Outcome {
    let (error, error_type) = error.unzip();
    Outcome {
        payload,
        error,
        error_type: error_type.flatten(),
        log_tail: log.tail(),
        log_stream: log.stream().to_owned(),
        report,
    }
}
