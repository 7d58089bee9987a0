//! `/_lampejo/api/starts?function=NAME&limit=…`, and `lampejo starts`: what the last starts of a
//! function spent their time on, the newest one first.
//!
//! It is about functions of the caller's account and region. In enforce mode the caller must be
//! allowed `lambda:GetFunctionConfiguration` for the function.

use std::process::ExitCode;

use clap::Args;
use http::{Method, Request, Response, StatusCode};
use iam::Audit;
use kit::{Arn, Attempt, Authority, Caller, PrincipalKind};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use runtime::{Pool, Reason, Step};
use serde::Deserialize;
use serde_json::json;
use wire::Body;

use crate::{client::Server, decisions::Query, inner::answer};

/// Where this is.
pub(crate) const PATH: &str = "/_lampejo/api/starts";
/// Starts of an answer when the request does not say.
const DEFAULT_LIMIT: usize = 10;
/// What one must be allowed: the times of a start tell about as much as a configuration.
const READING: &str = "lambda:GetFunctionConfiguration";

/// Answers one request. `audit` is there unless the mode is open.
pub(crate) fn serve<B>(
    pool: &Pool,
    audit: Option<&Audit>,
    caller: &Caller,
    request: &Request<B>,
) -> Response<Body> {
    let refuse = |status, message: &str| answer(status, &json!({ "message": message }));
    if caller.principal.kind == PrincipalKind::Anonymous {
        return refuse(StatusCode::FORBIDDEN, "Sign the request.");
    }
    let query = Query(request.uri().query().unwrap_or_default());
    let Some(function) = query.get("function") else {
        return refuse(StatusCode::BAD_REQUEST, "function=NAME is needed.");
    };
    let Ok(limit) = query.get("limit").map_or(Ok(DEFAULT_LIMIT), |it| it.parse()) else {
        return refuse(StatusCode::BAD_REQUEST, "limit is a number.");
    };
    let (region, account) = (caller.region.as_str(), caller.account.to_string());
    let arn = Arn::new("lambda", region, &account, format!("function:{function}"));
    let attempt = Attempt { caller, service: None, action: READING, resources: &[arn], keys: &[] };
    if let Some(Err(denied)) = audit.map(|audit| audit.permit(&attempt)) {
        return refuse(StatusCode::FORBIDDEN, &denied.to_string());
    }
    let starts = pool.starts(caller.account, &caller.region, &function, limit);
    answer(StatusCode::OK, &json!({ "function": function, "starts": starts }))
}

/// Which starts to show.
#[derive(Args)]
pub(crate) struct Flags {
    /// The function's name
    function: String,
    /// So many starts, the newest ones
    #[arg(long, default_value_t = DEFAULT_LIMIT)]
    last: usize,
    /// Print them as JSON, one per line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: Server,
}

#[derive(Deserialize)]
struct Listed {
    starts: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    started_at: String,
    version: String,
    runtime: String,
    kind: String,
    initialization_type: String,
    reason: Reason,
    memory_mib: u32,
    max_memory_mib: Option<u32>,
    total_ms: f64,
    error: Option<String>,
    steps: Vec<ShownStep>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ShownStep {
    step: Step,
    began_ms: f64,
    ms: f64,
}

/// Asks the server and prints what it says, the newest start last as in a log.
pub(crate) async fn run(flags: Flags) -> anyhow::Result<ExitCode> {
    let Flags { function, last, json, server } = flags;
    let name = utf8_percent_encode(&function, NON_ALPHANUMERIC);
    let path = format!("{PATH}?function={name}&limit={last}");
    let text = server.send("lampejo", Method::GET, &path, &[], "").await?.text()?;
    let Listed { starts } = serde_json::from_str(&text)?;
    if starts.is_empty() {
        eprintln!("lampejo: {function} has not been started since the server was");
    }
    for start in starts.into_iter().rev() {
        if json {
            println!("{start}");
        } else {
            print!("{}", waterfall(&serde_json::from_value(start)?));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Columns of the widest bar.
const WIDTH: f64 = 48.0;

fn waterfall(start: &Shown) -> String {
    let Shown { started_at, version, runtime, kind, initialization_type, .. } = start;
    let runtime = if runtime.is_empty() { "image" } else { runtime };
    let reason = match start.reason {
        Reason::Request => "for a request",
        Reason::Retry => "for a request, after an init that failed",
        Reason::Provisioned => "to be always ready",
        Reason::Replacement => "to replace one that has ended",
        Reason::Prediction => "before a request that is to be expected",
    };
    let outcome = match &start.error {
        None => format!("ready after {:.1} ms", start.total_ms),
        Some(error) => format!("FAILED after {:.1} ms: {error}", start.total_ms),
    };
    let memory = match start.max_memory_mib {
        Some(used) => format!("{used} of {} MiB", start.memory_mib),
        None => format!("{} MiB", start.memory_mib),
    };
    let mut text = format!(
        "{started_at} {version} {runtime} {kind} {initialization_type} {reason}, {memory}, {outcome}\n"
    );
    // An instance that was started ahead may wait long for its first invocation: that is not to
    // scale.
    let (mut shown_ms, mut end_ms) = (0.0, 0.0);
    let steps = start.steps.iter().map(|step| {
        let gap_ms = (step.began_ms - end_ms).max(0.0);
        let began_ms = if step.step == Step::Handler { shown_ms } else { step.began_ms };
        (shown_ms, end_ms) = (began_ms + step.ms, step.began_ms + step.ms);
        (step, began_ms, gap_ms)
    });
    let steps: Vec<_> = steps.collect();
    let scale = WIDTH / shown_ms.max(0.001);
    for (step, began_ms, gap_ms) in steps {
        let name = format!("{:?}", step.step).to_lowercase();
        let indent = (began_ms * scale).round() as usize;
        let bar = (((began_ms + step.ms) * scale).round() as usize).saturating_sub(indent);
        let line =
            format!("  {name:<10}{:>9.2} ms  {}{}", step.ms, " ".repeat(indent), "#".repeat(bar));
        text.push_str(line.trim_end());
        if step.step == Step::Handler && gap_ms >= 1.0 {
            text.push_str(&format!("  ({gap_ms:.0} ms later)"));
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_waterfall_is_drawn_to_scale() {
        let start = serde_json::from_value(json!({
            "startedAt": "2026-11-24T02:00:00.000Z", "version": "$LATEST", "runtime": "python3.11",
            "kind": "exec", "initializationType": "on-demand", "reason": "request",
            "memoryMib": 128, "maxMemoryMib": 12, "totalMs": 12.0, "error": null,
            "steps": [
                { "step": "wait", "beganMs": 0.0, "ms": 0.0 },
                { "step": "boot", "beganMs": 0.0, "ms": 9.0 },
                { "step": "imports", "beganMs": 9.0, "ms": 3.0 },
                { "step": "handler", "beganMs": 500.0, "ms": 4.0 },
            ],
        }));
        let lines = [
            "2026-11-24T02:00:00.000Z $LATEST python3.11 exec on-demand for a request, \
             12 of 128 MiB, ready after 12.0 ms"
                .to_owned(),
            "  wait           0.00 ms".to_owned(),
            format!("  boot           9.00 ms  {}", "#".repeat(27)),
            format!("  imports        3.00 ms  {}{}", " ".repeat(27), "#".repeat(9)),
            format!(
                "  handler        4.00 ms  {}{}  (488 ms later)",
                " ".repeat(36),
                "#".repeat(12)
            ),
        ];
        assert_eq!(waterfall(&start.unwrap()), lines.join("\n") + "\n");
    }
}
