//! Lambda's own lines in a function's log that is text. Those of one that is JSON are `platform`'s
//! records. Pure.

use crate::{
    extensions::{roster::Extension, telemetry::Source},
    faults::Fault,
    function::{Function, Report, Restored},
    platform::Event,
    start::Initialization,
};

/// The line of an event, if it has one.
pub(crate) fn text(event: &Event<'_>, function: &Function) -> Option<String> {
    Some(match event {
        Event::InitStart { runtime: Some((version, arn)), .. } => {
            format!("INIT_START Runtime Version: {version}\tRuntime Version ARN: {arn}\n")
        }
        // Written only when an init failed, or is that of a snapshot.
        Event::InitReport { phase, millis, fault: None }
            if phase.initialization == Initialization::SnapStart =>
        {
            format!("INIT_REPORT Init Duration: {millis:.2} ms\tPhase: {}\n", phase.name)
        }
        Event::InitReport { phase, millis, fault: Some(fault) } => {
            let (phase, status) = (phase.name, fault.status());
            format!("INIT_REPORT Init Duration: {millis:.2} ms\tPhase: {phase}\t{status}\n")
        }
        Event::RestoreStart { runtime: (version, arn) } => {
            format!("RESTORE_START Runtime Version: {version}\tRuntime Version ARN: {arn}\n")
        }
        Event::RestoreReport { millis, fault } => {
            let status = fault.map(|fault| format!("\t{}", fault.status())).unwrap_or_default();
            format!("RESTORE_REPORT Restore Duration: {millis:.2} ms{status}\n")
        }
        Event::Start { request_id, .. } => {
            format!("START RequestId: {request_id} Version: {}\n", function.version)
        }
        Event::Fault(text) => text.clone(),
        Event::End { request_id } => format!("END RequestId: {request_id}\n"),
        Event::Report { request_id, trace, report, fault, .. } => {
            report_line(function, request_id, report, *fault) + &xray_line(trace)
        }
        Event::Extension(extension) => extension_line(extension),
        Event::Subscription { source, name, types } => {
            let heading = match source {
                Source::Telemetry => "TELEMETRY",
                Source::Logs => "LOGS",
            };
            let types: Vec<String> = types.iter().map(|it| capitalized(it)).collect();
            format!("{heading}\tName: {name}\tState: Subscribed\tTypes: [{}]\n", types.join(", "))
        }
        Event::InitStart { .. }
        | Event::InitRuntimeDone { .. }
        | Event::InitReport { .. }
        | Event::RestoreRuntimeDone { .. }
        | Event::RuntimeDone { .. } => return None,
    })
}

fn report_line(
    function: &Function,
    request_id: &str,
    report: &Report,
    fault: Option<&Fault>,
) -> String {
    let Report { duration_ms, billed_ms, max_memory_mib, .. } = report;
    let init = report.init_ms.map(|ms| format!("Init Duration: {ms:.2} ms\t")).unwrap_or_default();
    let restore = report.restore.map(|Restored { duration_ms, billed_ms }| {
        let billed = format!("Billed Restore Duration: {billed_ms} ms\t");
        format!("Restore Duration: {duration_ms:.2} ms\t{billed}")
    });
    let restore = restore.unwrap_or_default();
    let status = fault.map(Fault::status).unwrap_or_default();
    format!(
        "REPORT RequestId: {request_id}\tDuration: {duration_ms:.2} ms\t\
         Billed Duration: {billed_ms} ms\tMemory Size: {} MB\t\
         Max Memory Used: {max_memory_mib} MB\t{init}{restore}{status}\n",
        function.memory_mib
    )
}

/// What a report says of a trace that is sampled.
fn xray_line(trace: &str) -> String {
    let part = |name: &str| trace.split(';').find_map(|part| part.trim().strip_prefix(name));
    match (part("Root="), part("Parent="), part("Sampled=")) {
        (Some(root), Some(parent), Some("1")) => {
            format!("XRAY TraceId: {root}\tSegmentId: {parent}\tSampled: true\t\n")
        }
        _ => String::new(),
    }
}

fn extension_line(extension: &Extension) -> String {
    let events: Vec<&str> = extension.events.iter().map(|event| event.as_str()).collect();
    let error = extension.error_type.as_ref();
    let error = error.map(|it| format!("\tError Type: {it}")).unwrap_or_default();
    format!(
        "EXTENSION\tName: {}\tState: {}\tEvents: [{}]{error}\n",
        extension.name,
        extension.state.as_str(),
        events.join(", ")
    )
}

fn capitalized(word: &str) -> String {
    let (first, rest) = word.split_at(1.min(word.len()));
    first.to_uppercase() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sampled_traces_are_told() {
        let (root, parent) = ("1-5759e988-bd862e3fe1be46a994272793", "53995c3f42cd8ad8");
        let line = |sampled| xray_line(&format!("Root={root};Parent={parent};Sampled={sampled}"));
        let told = format!("XRAY TraceId: {root}\tSegmentId: {parent}\tSampled: true\t\n");
        assert_eq!(line("1"), told);
        assert_eq!(line("0"), "");
        assert_eq!(xray_line(""), "");
    }
}
