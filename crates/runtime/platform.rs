//! What Lambda tells of an instance: one value, four readers. Logs show it as a line of text or as a
//! JSON record, as the function's `LoggingConfig` has it; extensions get it over the Telemetry API or
//! the older Logs API. Shapes as in "Lambda Telemetry API Event schema reference". Pure.

use kit::Millis;
use serde_json::{Value, json};

use crate::{
    extensions::roster::{Extension, State},
    extensions::telemetry::Source,
    faults::Fault,
    function::{Function, Report, Restored},
    lines,
    start::Initialization,
};

/// What happened.
pub(crate) enum Event<'a> {
    /// An init began; the runtime's version and its ARN, where there is one.
    InitStart { phase: Phase, runtime: Option<(&'a str, &'a str)> },
    /// The runtime has asked for its first event, or failed to.
    InitRuntimeDone { phase: Phase, fault: Option<&'a Fault> },
    /// An init is over.
    InitReport { phase: Phase, millis: f64, fault: Option<&'a Fault> },
    /// A restore began, of a runtime of this version and its ARN.
    RestoreStart { runtime: (&'a str, &'a str) },
    /// The runtime's hooks after the restore have run, and it has asked for its first event, or
    /// failed to.
    RestoreRuntimeDone { fault: Option<&'a Fault> },
    /// A restore is over.
    RestoreReport { millis: f64, fault: Option<&'a Fault> },
    /// The runtime was given an event.
    Start { request_id: &'a str, trace: &'a str },
    /// The runtime is done with an event.
    RuntimeDone { request_id: &'a str, trace: &'a str, done: &'a Done, fault: Option<&'a Fault> },
    /// Something went wrong; the text is the log's.
    Fault(String),
    /// An invocation is over.
    End { request_id: &'a str },
    /// What it took.
    Report {
        request_id: &'a str,
        trace: &'a str,
        report: &'a Report,
        /// What extensions took after the runtime.
        overhead: Option<&'a Span>,
        fault: Option<&'a Fault>,
    },
    /// What has become of an extension's init.
    Extension(&'a Extension),
    /// An extension has subscribed.
    Subscription { source: Source, name: &'a str, types: &'a [&'static str] },
}

/// In which of its phases an init is, and what for.
#[derive(Clone, Copy)]
pub(crate) struct Phase {
    /// `init` or `invoke`, as logs say.
    pub(crate) name: &'static str,
    pub(crate) initialization: Initialization,
}

impl Phase {
    const ON_DEMAND: Phase = Phase { name: "init", initialization: Initialization::OnDemand };
    pub(crate) const SNAP_START: Phase =
        Phase { name: "init", initialization: Initialization::SnapStart };
    pub(crate) const PROVISIONED: Phase =
        Phase { name: "init", initialization: Initialization::Provisioned };

    /// The init of an instance that a request waits for.
    pub(crate) fn init(function: &Function) -> Phase {
        if function.snap_start { Phase::SNAP_START } else { Phase::ON_DEMAND }
    }

    /// The one that is tried once more, within the invocation.
    pub(crate) fn invoke(function: &Function) -> Phase {
        Phase { name: "invoke", ..Phase::init(function) }
    }
}

/// What was measured until the runtime asked for its next event.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Done {
    pub(crate) duration_ms: f64,
    /// Of a response that did not stream.
    pub(crate) produced_bytes: Option<usize>,
    /// None before the response began.
    pub(crate) spans: Vec<Span>,
}

/// A part of an invocation.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Span {
    pub(crate) name: &'static str,
    pub(crate) start: Millis,
    pub(crate) duration_ms: f64,
}

/// Levels of system logs, least first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    Debug,
    Info,
    Warn,
}

impl Event<'_> {
    /// The line in the function's log, if it has one there.
    pub(crate) fn line(&self, function: &Function, at: Millis) -> Option<String> {
        if !function.logging.json {
            return lines::text(self, function);
        }
        let (kind, level) = match self {
            // JSON logs have the one in the report, and the other as plain text.
            Event::End { .. } => return None,
            Event::Fault(text) => return Some(text.clone()),
            other => (other.kind(), other.level()),
        };
        let wanted = match function.logging.system_level.as_str() {
            "DEBUG" => Level::Debug,
            "WARN" => Level::Warn,
            _ => Level::Info,
        };
        (level >= wanted).then(|| {
            let record = self.record(function);
            format!("{}\n", json!({ "time": at.iso8601(), "type": kind, "record": record }))
        })
    }

    /// Its type.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Event::InitStart { .. } => "platform.initStart",
            Event::InitRuntimeDone { .. } => "platform.initRuntimeDone",
            Event::InitReport { .. } => "platform.initReport",
            Event::RestoreStart { .. } => "platform.restoreStart",
            Event::RestoreRuntimeDone { .. } => "platform.restoreRuntimeDone",
            Event::RestoreReport { .. } => "platform.restoreReport",
            Event::Start { .. } => "platform.start",
            Event::RuntimeDone { .. } => "platform.runtimeDone",
            Event::Fault(_) => "platform.fault",
            Event::End { .. } => "platform.end",
            Event::Report { .. } => "platform.report",
            Event::Extension(_) => "platform.extension",
            Event::Subscription { source: Source::Telemetry, .. } => {
                "platform.telemetrySubscription"
            }
            Event::Subscription { source: Source::Logs, .. } => "platform.logsSubscription",
        }
    }

    /// "System log level event mapping" of the developer guide.
    fn level(&self) -> Level {
        match self {
            Event::InitStart { runtime: None, .. } => Level::Debug,
            Event::InitRuntimeDone { fault: None, .. }
            | Event::RestoreRuntimeDone { fault: None }
            | Event::RuntimeDone { fault: None, .. } => Level::Debug,
            Event::InitReport { phase, fault: None, .. } => match phase.initialization {
                Initialization::OnDemand => Level::Debug,
                Initialization::Provisioned | Initialization::SnapStart => Level::Info,
            },
            Event::InitRuntimeDone { .. }
            | Event::InitReport { .. }
            | Event::RestoreRuntimeDone { .. }
            | Event::RestoreReport { fault: Some(_), .. }
            | Event::RuntimeDone { .. }
            | Event::Fault(_)
            | Event::Report { fault: Some(_), .. } => Level::Warn,
            Event::Extension(extension) if extension.state != State::Ready => Level::Warn,
            _ => Level::Info,
        }
    }

    /// What the Telemetry API and JSON logs say of it.
    pub(crate) fn record(&self, function: &Function) -> Value {
        match self {
            Event::InitStart { phase, runtime } => init_start(function, *phase, *runtime),
            Event::InitRuntimeDone { phase, fault } => init(*phase, None, *fault),
            Event::InitReport { phase, millis, fault } => init(*phase, Some(*millis), *fault),
            Event::RestoreStart { runtime: (version, arn) } => json!({
                "runtimeVersion": version,
                "runtimeVersionArn": arn,
                "functionName": function.name,
                "functionVersion": function.version,
                "instanceMaxMemory": u64::from(function.memory_mib) << 20,
            }),
            Event::RestoreRuntimeDone { fault } => judged(json!({}), *fault),
            Event::RestoreReport { millis, fault } => {
                judged(json!({ "metrics": { "durationMs": round(*millis) } }), *fault)
            }
            Event::Start { request_id, trace } => {
                let record = json!({ "requestId": request_id, "version": function.version });
                traced(record, trace)
            }
            Event::RuntimeDone { request_id, trace, done, fault } => {
                let mut metrics = json!({ "durationMs": round(done.duration_ms) });
                if let Some(bytes) = done.produced_bytes {
                    metrics["producedBytes"] = json!(bytes);
                }
                let mut record = json!({ "requestId": request_id, "metrics": metrics });
                record["spans"] = done.spans.iter().map(Span::json).collect();
                traced(judged(record, *fault), trace)
            }
            Event::Fault(text) => json!(text.trim_end()),
            Event::End { request_id } => json!({ "requestId": request_id }),
            Event::Report { request_id, trace, report, overhead, fault } => {
                let metrics = metrics(function, report);
                let mut record = json!({ "requestId": request_id, "metrics": metrics });
                if let Some(overhead) = overhead {
                    record["spans"] = json!([overhead.json()]);
                }
                traced(judged(record, *fault), trace)
            }
            Event::Extension(extension) => {
                let events: Vec<_> = extension.events.iter().map(|it| it.as_str()).collect();
                let state = extension.state.as_str();
                let mut record =
                    json!({ "name": extension.name, "state": state, "events": events });
                if let Some(error_type) = &extension.error_type {
                    record["errorType"] = json!(error_type);
                }
                record
            }
            Event::Subscription { name, types, .. } => {
                json!({ "name": name, "state": "Subscribed", "types": types })
            }
        }
    }
}

impl Span {
    fn json(&self) -> Value {
        let (start, millis) = (self.start.iso8601(), round(self.duration_ms));
        json!({ "name": self.name, "start": start, "durationMs": millis })
    }
}

fn init_start(function: &Function, phase: Phase, runtime: Option<(&str, &str)>) -> Value {
    let mut record = json!({
        "initializationType": phase.initialization.as_str(),
        "phase": phase.name,
        "functionName": function.name,
        "functionVersion": function.version,
        "instanceMaxMemory": u64::from(function.memory_mib) << 20,
    });
    if let Some((version, arn)) = runtime {
        record["runtimeVersion"] = json!(version);
        record["runtimeVersionArn"] = json!(arn);
    }
    record
}

fn init(phase: Phase, millis: Option<f64>, fault: Option<&Fault>) -> Value {
    let mut record = json!({
        "initializationType": phase.initialization.as_str(),
        "phase": phase.name,
    });
    if let Some(millis) = millis {
        record["metrics"] = json!({ "durationMs": round(millis) });
    }
    judged(record, fault)
}

fn metrics(function: &Function, report: &Report) -> Value {
    let mut metrics = json!({
        "durationMs": round(report.duration_ms),
        "billedDurationMs": report.billed_ms,
        "memorySizeMB": function.memory_mib,
        "maxMemoryUsedMB": report.max_memory_mib,
    });
    if let Some(init_ms) = report.init_ms {
        metrics["initDurationMs"] = json!(round(init_ms));
    }
    if let Some(Restored { duration_ms, billed_ms }) = report.restore {
        metrics["restoreDurationMs"] = json!(round(duration_ms));
        metrics["billedRestoreDurationMs"] = json!(billed_ms);
    }
    metrics
}

fn judged(mut record: Value, fault: Option<&Fault>) -> Value {
    record["status"] = json!(match fault {
        None => "success",
        Some(Fault::Timeout(_)) => "timeout",
        Some(_) => "error",
    });
    if let Some(fault) = fault.filter(|fault| !matches!(fault, Fault::Timeout(_))) {
        record["errorType"] = json!(fault.error_type());
    }
    record
}

/// Only what is sampled is traced.
fn traced(mut record: Value, trace: &str) -> Value {
    if trace.contains("Sampled=1") {
        record["tracing"] = json!({ "type": "X-Amzn-Trace-Id", "value": trace });
    }
    record
}

fn round(millis: f64) -> f64 {
    (millis * 1000.0).round() / 1000.0
}
