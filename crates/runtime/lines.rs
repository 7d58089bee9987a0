//! Lambda's own lines in a function's log, as text or as JSON records. Pure.

use kit::Millis;
use serde_json::{Value, json};

use crate::{
    faults::Fault,
    function::{Function, Report, Restored},
    start::Initialization,
};

/// `INIT_START …`; `version` as in `python:3.13.v7`.
pub(crate) fn init_start(
    function: &Function,
    at: Millis,
    version: &str,
    arn: &str,
    initialization: Initialization,
) -> Option<String> {
    if !function.logging.json {
        return Some(format!(
            "INIT_START Runtime Version: {version}\tRuntime Version ARN: {arn}\n"
        ));
    }
    let record = json!({
        "initializationType": initialization.as_str(),
        "phase": "init",
        "runtimeVersion": version,
        "runtimeVersionArn": arn,
        "functionName": function.name,
        "functionVersion": function.version,
    });
    platform(function, at, "platform.initStart", Level::Info, record)
}

/// `INIT_REPORT …`, written only when an init failed. `phase` is `init` or `invoke`.
pub(crate) fn init_report(
    function: &Function,
    at: Millis,
    init_ms: f64,
    phase: &str,
    initialization: Initialization,
    fault: &Fault,
) -> Option<String> {
    if !function.logging.json {
        let status = fault.status();
        return Some(format!(
            "INIT_REPORT Init Duration: {init_ms:.2} ms\tPhase: {phase}\t{status}\n"
        ));
    }
    let record = json!({
        "initializationType": initialization.as_str(),
        "phase": phase,
        "status": json_status(Some(fault)),
        "errorType": json_error_type(Some(fault)),
        "metrics": { "durationMs": round(init_ms) },
    });
    platform(function, at, "platform.initReport", Level::Warn, record)
}

/// `INIT_REPORT …` of an init that has succeeded, as only snapshots have it.
pub(crate) fn init_done(
    function: &Function,
    at: Millis,
    init_ms: f64,
    initialization: Initialization,
) -> Option<String> {
    if !function.logging.json {
        return Some(format!("INIT_REPORT Init Duration: {init_ms:.2} ms\tPhase: init\n"));
    }
    let record = json!({
        "initializationType": initialization.as_str(),
        "phase": "init",
        "status": "success",
        "metrics": { "durationMs": round(init_ms) },
    });
    platform(function, at, "platform.initReport", Level::Info, record)
}

/// `RESTORE_START …`.
pub(crate) fn restore_start(
    function: &Function,
    at: Millis,
    version: &str,
    arn: &str,
) -> Option<String> {
    if !function.logging.json {
        return Some(format!(
            "RESTORE_START Runtime Version: {version}\tRuntime Version ARN: {arn}\n"
        ));
    }
    let record = json!({
        "runtimeVersion": version,
        "runtimeVersionArn": arn,
        "functionName": function.name,
        "functionVersion": function.version,
    });
    platform(function, at, "platform.restoreStart", Level::Info, record)
}

/// `RESTORE_REPORT …`.
pub(crate) fn restore_report(
    function: &Function,
    at: Millis,
    restore_ms: f64,
    fault: Option<&Fault>,
) -> Option<String> {
    if !function.logging.json {
        let status = fault.map(|fault| format!("\t{}", fault.status())).unwrap_or_default();
        return Some(format!("RESTORE_REPORT Restore Duration: {restore_ms:.2} ms{status}\n"));
    }
    let mut record = json!({
        "status": json_status(fault),
        "metrics": { "durationMs": round(restore_ms) },
    });
    if let Some(error_type) = json_error_type(fault) {
        record["errorType"] = json!(error_type);
    }
    let level = if fault.is_some() { Level::Warn } else { Level::Info };
    platform(function, at, "platform.restoreReport", level, record)
}

/// `START …`.
pub(crate) fn start(function: &Function, at: Millis, request_id: &str) -> Option<String> {
    let version = &function.version;
    if !function.logging.json {
        return Some(format!("START RequestId: {request_id} Version: {version}\n"));
    }
    let record = json!({ "requestId": request_id, "version": version });
    platform(function, at, "platform.start", Level::Info, record)
}

/// `END …`; JSON logs have none.
pub(crate) fn end(function: &Function, request_id: &str) -> Option<String> {
    (!function.logging.json).then(|| format!("END RequestId: {request_id}\n"))
}

/// `REPORT …`.
pub(crate) fn report(
    function: &Function,
    at: Millis,
    request_id: &str,
    report: &Report,
    fault: Option<&Fault>,
) -> Option<String> {
    if function.logging.json {
        let level = if fault.is_some() { Level::Warn } else { Level::Info };
        let record = json_report(function, request_id, report, fault);
        return platform(function, at, "platform.report", level, record);
    }
    let Report { duration_ms, billed_ms, max_memory_mib, .. } = report;
    let init = report.init_ms.map(|ms| format!("Init Duration: {ms:.2} ms\t")).unwrap_or_default();
    let restore = report.restore.map(|Restored { duration_ms, billed_ms }| {
        let billed = format!("Billed Restore Duration: {billed_ms} ms\t");
        format!("Restore Duration: {duration_ms:.2} ms\t{billed}")
    });
    let restore = restore.unwrap_or_default();
    let status = fault.map(Fault::status).unwrap_or_default();
    Some(format!(
        "REPORT RequestId: {request_id}\tDuration: {duration_ms:.2} ms\t\
         Billed Duration: {billed_ms} ms\tMemory Size: {} MB\t\
         Max Memory Used: {max_memory_mib} MB\t{init}{restore}{status}\n",
        function.memory_mib
    ))
}

fn json_report(
    function: &Function,
    request_id: &str,
    report: &Report,
    fault: Option<&Fault>,
) -> Value {
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
    let mut record =
        json!({ "requestId": request_id, "metrics": metrics, "status": json_status(fault) });
    if let Some(error_type) = json_error_type(fault) {
        record["errorType"] = json!(error_type);
    }
    record
}

fn json_status(fault: Option<&Fault>) -> &'static str {
    match fault {
        None => "success",
        Some(Fault::Timeout(_)) => "timeout",
        Some(_) => "error",
    }
}

fn json_error_type(fault: Option<&Fault>) -> Option<String> {
    fault.filter(|fault| !matches!(fault, Fault::Timeout(_))).map(Fault::error_type)
}

/// Levels of system logs, least first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Debug,
    Info,
    Warn,
}

fn platform(
    function: &Function,
    at: Millis,
    kind: &str,
    level: Level,
    record: Value,
) -> Option<String> {
    let wanted = match function.logging.system_level.as_str() {
        "DEBUG" => Level::Debug,
        "WARN" => Level::Warn,
        _ => Level::Info,
    };
    let line = json!({ "time": at.iso8601(), "type": kind, "record": record });
    (level >= wanted).then(|| format!("{line}\n"))
}

fn round(millis: f64) -> f64 {
    (millis * 1000.0).round() / 1000.0
}
