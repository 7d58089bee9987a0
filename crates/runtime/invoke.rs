//! One invocation on one instance: event, answer or fault, log lines, report. With extensions the
//! response comes first, and the rest when they are done too.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use kit::{Clock, Millis};
use serde_json::json;
use tokio::sync::watch;

use crate::{
    api,
    desk::{Answer, Reported},
    extensions::{roster, shutdown::Reason},
    faults::Fault,
    function::{Ending, Final, Function, FunctionError, Invocation, Outcome, Report},
    instance::{Beginning, Instance},
    log::Log,
    platform::{Done, Event, Span},
    sandbox::Exit,
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

/// What becomes of the instance.
pub(crate) enum Then {
    /// It may serve another invocation.
    Reuse,
    /// So it may when this is over.
    Await(Box<Remainder>),
    /// It ends.
    End,
}

/// An invocation whose response is there, and whose extensions are at work.
pub(crate) struct Remainder {
    invocation: Invocation,
    run: Run,
    fault: Option<Fault>,
    known: watch::Sender<Option<Final>>,
}

/// What is known of an invocation when its response is there.
#[derive(Clone, Copy)]
struct Run {
    started: Millis,
    began: Instant,
    /// What was left of the function's timeout when it began.
    left: Duration,
    timed: Timed,
    produced_bytes: Option<usize>,
    /// Of the instance, if it is its first.
    beginning: Option<Beginning>,
}

/// When things happened, in milliseconds after the event was handed out.
#[derive(Clone, Copy, Default)]
struct Timed {
    answered: f64,
    carried: f64,
}

impl Ended {
    fn fault(&self) -> Option<&Fault> {
        match self {
            Ended::Response(_) | Ended::HandlerError(_) => None,
            Ended::Refused(fault) | Ended::Fault(fault) => Some(fault),
        }
    }
}

/// Runs one invocation; `left` is what remains of the function's timeout.
pub(crate) async fn run(
    instance: &Instance,
    clock: &Clock,
    invocation: &Invocation,
    left: Duration,
    destination: Destination,
) -> (Outcome, Then) {
    let (function, log) = (&instance.function, &instance.log);
    let (request_id, trace) = (&*invocation.request_id, &*invocation.trace_id);
    let started = clock.now();
    instance.wake();
    // What was printed since the last invocation, or in init, comes before START.
    instance.drain();
    log.begin_tail(&Event::Start { request_id, trace });
    let began = Instant::now();
    let deadline_ms = started.0 + left.as_millis() as u64;
    let head = api::event_head(invocation, deadline_ms);
    let has_extensions = instance.desk.has_extensions();
    let mut timed = Timed::default();
    let ended = clock.within(left, async {
        let desk = &instance.desk;
        if has_extensions {
            let event = invoke_event(invocation, deadline_ms);
            desk.tell(roster::Event::Invoke, &event).await;
        }
        let answer = desk.hand(request_id, destination.takes(), &head, &invocation.payload).await;
        let answer = answer.await.ok()?;
        timed.answered = millis(began);
        Some(ended(instance, clock, answer, destination).await)
    });
    let timeout = || Ended::Fault(Fault::Timeout(function.timeout.as_millis() as u64));
    let ended = within_memory(instance, ended.await.flatten().unwrap_or_else(timeout));
    timed.carried = millis(began);
    instance.drain();
    log.finish_lines();

    let beginning =
        instance.beginning.lock().expect("nothing panics while it holds this lock").take();
    let produced_bytes = match &ended {
        Ended::Response(payload) => Some(payload.len()),
        _ => None,
    };
    let run = Run { started, began, left, timed, produced_bytes, beginning };
    match ended {
        Ended::Fault(_) => (conclude(instance, clock, invocation, ended, run), Then::End),
        _ if has_extensions => answer_first(instance, invocation, ended, run),
        _ => (conclude(instance, clock, invocation, ended, run), Then::Reuse),
    }
}

/// The outcome of an invocation that is over.
fn conclude(
    instance: &Instance,
    clock: &Clock,
    invocation: &Invocation,
    ended: Ended,
    run: Run,
) -> Outcome {
    let log = &instance.log;
    let (request_id, trace) = (&*invocation.request_id, &*invocation.trace_id);
    let fault = ended.fault();
    let duration_ms = match fault {
        Some(Fault::Timeout(millis)) => *millis as f64,
        _ => run.timed.carried,
    };
    if log.wants_details() {
        let done = done(duration_ms, &run);
        log.tell(&Event::RuntimeDone { request_id, trace, done: &done, fault });
    }
    if let Ended::Fault(fault) = &ended {
        instance.stop(Reason::of(fault));
    }
    let report = report(instance, (duration_ms, 0.0), &run);
    write_end(log, clock, invocation, &report, (fault, None));
    outcome(log, answer(ended, request_id), report)
}

/// The outcome of an invocation whose extensions are at work.
fn answer_first(
    instance: &Instance,
    invocation: &Invocation,
    ended: Ended,
    run: Run,
) -> (Outcome, Then) {
    let (known, ending) = watch::channel(None);
    let (invocation, fault) = (invocation.clone(), ended.fault().cloned());
    let report = report(instance, (run.timed.carried, 0.0), &run);
    let outcome = outcome(&instance.log, answer(ended, &invocation.request_id), report);
    let remainder = Remainder { invocation, run, fault, known };
    let outcome = Outcome { ending: Some(Ending(ending)), ..outcome };
    (outcome, Then::Await(Box::new(remainder)))
}

/// Waits until the runtime and all extensions are done, and tells what it took. Whether the instance
/// may serve another invocation.
pub(crate) async fn finish(instance: &Instance, clock: &Clock, remainder: Box<Remainder>) -> bool {
    let Remainder { invocation, run, fault, known } = *remainder;
    let (desk, log) = (&instance.desk, &instance.log);
    let (request_id, trace) = (&*invocation.request_id, &*invocation.trace_id);
    let mut runtime_ms = None;
    let settled = clock.within(run.left.saturating_sub(run.began.elapsed()), async {
        desk.runtime_done().await;
        let duration_ms = *runtime_ms.insert(millis(run.began));
        instance.drain();
        if desk.ended().is_none() {
            let (done, fault) = (done(duration_ms, &run), fault.as_ref());
            log.tell(&Event::RuntimeDone { request_id, trace, done: &done, fault });
        }
        desk.settled().await
    });
    let settled = settled.await;
    let duration_ms = millis(run.began);
    instance.drain();
    log.finish_lines();
    let late = match settled {
        Some(true) => None,
        Some(false) => Some(match desk.ended() {
            Some(Answer::Crashed(crash)) => Fault::Extension(crash),
            Some(Answer::Exited(exit)) => Fault::Exit(exit),
            _ => return false,
        }),
        None => Some(Fault::Timeout(instance.function.timeout.as_millis() as u64)),
    };
    if let Some(fault) = &late {
        instance.stop(Reason::of(fault));
    }
    let reusable = late.is_none();
    let runtime_ms = runtime_ms.unwrap_or(duration_ms);
    let overhead = Span {
        name: "extensionOverhead",
        start: run.started.plus(runtime_ms as u64),
        duration_ms: duration_ms - runtime_ms,
    };
    let fault = late.or(fault);
    let report = report(instance, (duration_ms, overhead.duration_ms), &run);
    write_end(log, clock, &invocation, &report, (fault.as_ref(), Some(&overhead)));
    known.send_replace(Some(Final { report, log_tail: log.tail() }));
    reusable
}

/// Whoever holds too much memory at the end of an invocation has no other to come, even if it was
/// faster than those who watch it.
fn within_memory(instance: &Instance, ended: Ended) -> Ended {
    if matches!(ended, Ended::Fault(_)) || !instance.sandboxed.exceeds_memory() {
        return ended;
    }
    instance.sandboxed.starve();
    let killed = Exit { code: None, signal: Some(libc::SIGKILL), oom_killed: true };
    Ended::Fault(Fault::Exit(killed))
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
        Answer::Crashed(crash) => Ended::Fault(Fault::Extension(crash)),
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
    let (request_id, trace) = (&*invocation.request_id, &*invocation.trace_id);
    let started = clock.now();
    log.begin_tail(&Event::Start { request_id, trace });
    let duration_ms = match fault {
        Fault::Timeout(limit) => *limit as f64,
        _ => millis,
    };
    let billed_ms = billed(duration_ms, None);
    let report = Report { duration_ms, billed_ms, started, ..Report::default() };
    write_end(log, clock, invocation, &report, (Some(fault), None));
    tracing::debug!(function = function.name, "not run");
    log.flush();
    let error = (FunctionError::Unhandled, Some(fault.error_type()));
    outcome(log, (fault.payload(request_id), Some(error)), report)
}

/// What an extension is told of an invocation.
fn invoke_event(invocation: &Invocation, deadline_ms: u64) -> String {
    json!({
        "eventType": "INVOKE",
        "deadlineMs": deadline_ms,
        "requestId": invocation.request_id,
        "invokedFunctionArn": invocation.invoked_arn,
        "tracing": { "type": "X-Amzn-Trace-Id", "value": invocation.trace_id },
    })
    .to_string()
}

fn done(duration_ms: f64, run: &Run) -> Done {
    let span = |name, from: f64, to: f64| Span {
        name,
        start: run.started.plus(from as u64),
        duration_ms: to - from,
    };
    let Timed { answered, carried } = run.timed;
    let spans = match answered {
        // There was no answer.
        0.0 => Vec::new(),
        answered => vec![
            span("responseLatency", 0.0, answered),
            span("responseDuration", answered, carried),
            span("runtimeOverhead", carried, duration_ms.max(carried)),
        ],
    };
    Done { duration_ms, produced_bytes: run.produced_bytes, spans }
}

fn report(instance: &Instance, (duration_ms, extensions_ms): (f64, f64), run: &Run) -> Report {
    let Run { started, beginning, .. } = *run;
    let (init_ms, restore) = match beginning {
        Some(Beginning::Init(millis)) => (Some(millis), None),
        Some(Beginning::Restore(restored)) => (None, Some(restored)),
        None => (None, None),
    };
    let before_ms = init_ms.or(restore.map(|restored| restored.billed_ms as f64));
    let (max_memory_mib, billed_ms) = (instance.peak_memory_mib(), billed(duration_ms, before_ms));
    Report { duration_ms, extensions_ms, billed_ms, init_ms, restore, max_memory_mib, started }
}

fn write_end(
    log: &Log,
    clock: &Clock,
    invocation: &Invocation,
    report: &Report,
    (fault, overhead): (Option<&Fault>, Option<&Span>),
) {
    let (request_id, trace) = (&*invocation.request_id, &*invocation.trace_id);
    let now = clock.now().iso8601();
    if let Some(text) = fault.and_then(|fault| fault.log_text(request_id, &now)) {
        log.tell(&Event::Fault(text));
    }
    log.tell(&Event::End { request_id });
    log.tell(&Event::Report { request_id, trace, report, overhead, fault });
}

/// Since August 2025 init is billed too; so are hooks after a restore.
fn billed(duration_ms: f64, before_ms: Option<f64>) -> u64 {
    (duration_ms + before_ms.unwrap_or(0.0)).ceil() as u64
}

fn millis(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}

type Error = (FunctionError, Option<String>);

/// What the caller gets.
fn answer(ended: Ended, request_id: &str) -> (Bytes, Option<Error>) {
    match ended {
        Ended::Response(payload) => (payload, None),
        Ended::HandlerError(Reported { error_type, body }) => {
            (body, Some((FunctionError::Handled, error_type)))
        }
        Ended::Refused(fault) | Ended::Fault(fault) => {
            (fault.payload(request_id), Some((FunctionError::Unhandled, Some(fault.error_type()))))
        }
    }
}

fn outcome(log: &Log, (payload, error): (Bytes, Option<Error>), report: Report) -> Outcome {
    let (error, error_type) = error.unzip();
    Outcome {
        payload,
        error,
        error_type: error_type.flatten(),
        log_tail: log.tail(),
        log_stream: log.stream().to_owned(),
        report,
        ending: None,
    }
}
