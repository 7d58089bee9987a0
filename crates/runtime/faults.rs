//! What Lambda says when it is not the handler that answers: timeouts, exits, want of memory,
//! failed inits. Texts as AWS returns them. Pure.

use bytes::Bytes;
use serde_json::json;

use crate::{desk::Reported, sandbox::Exit};

/// Why an invocation (or an init) came to nothing.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// Longer than the function's timeout, in milliseconds.
    Timeout(u64),
    /// The runtime ended.
    Exit(Exit),
    /// The runtime could not even be started.
    Entrypoint(String),
    /// The folder that the runtime is to start in could not be entered.
    WorkingDir(String),
    /// The runtime reported that its init failed.
    Init(Reported),
    /// The response was longer than this many bytes.
    ResponseTooLarge(usize),
    /// The connection of a response that streams was lost before its end.
    TruncatedResponse,
    /// The runtime named a mode of response that there is not.
    InvalidResponseMode,
    /// An extension failed.
    Extension(Crash),
}

/// How an extension brought an instance down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Crash {
    /// `Extension.Crash`, or what it or Lambda said before.
    pub(crate) error_type: &'static str,
    /// Why, in the words of Go's runtime.
    pub(crate) reason: String,
}

impl Crash {
    /// Its process ended.
    pub(crate) fn of_extension(error_type: &'static str, exit: &Exit) -> Crash {
        let reason = match (exit.code, exit.signal) {
            (_, Some(signal)) => format!("signal: {}", signal_name(signal)),
            (Some(code), None) if code != 0 => format!("exit status {code}"),
            _ => "exit code 0".to_owned(),
        };
        Crash { error_type, reason }
    }

    /// The runtime's did, after an extension within had said that it fails.
    pub(crate) fn of_runtime(error_type: &'static str, exit: &Exit) -> Crash {
        Crash { error_type, reason: exit_reason(exit) }
    }
}

impl Fault {
    /// The error document that the caller gets.
    pub(crate) fn payload(&self, request_id: &str) -> Bytes {
        match self {
            Fault::Init(reported) => reported.body.clone(),
            Fault::ResponseTooLarge(limit_bytes) => json!({
                "errorType": "Function.ResponseSizeTooLarge",
                "errorMessage": format!(
                    "Response payload size exceeded maximum allowed payload size \
                     ({limit_bytes} bytes)."
                ),
            })
            .to_string()
            .into(),
            _ => json!({
                "errorType": self.error_type(),
                "errorMessage": format!("RequestId: {request_id} Error: {}", self.reason()),
            })
            .to_string()
            .into(),
        }
    }

    /// Lambda's name of it.
    pub(crate) fn error_type(&self) -> String {
        match self {
            Fault::Timeout(_) => "Sandbox.Timedout".to_owned(),
            Fault::Exit(Exit { oom_killed: true, .. }) => "Runtime.OutOfMemory".to_owned(),
            Fault::Exit(_) => "Runtime.ExitError".to_owned(),
            Fault::Entrypoint(_) => "Runtime.InvalidEntrypoint".to_owned(),
            Fault::WorkingDir(_) => "Runtime.InvalidWorkingDir".to_owned(),
            Fault::ResponseTooLarge(_) => "Function.ResponseSizeTooLarge".to_owned(),
            Fault::TruncatedResponse => "Runtime.TruncatedResponse".to_owned(),
            Fault::InvalidResponseMode => "Runtime.InvalidResponseModeHeader".to_owned(),
            Fault::Extension(crash) => crash.error_type.to_owned(),
            Fault::Init(reported) => {
                // Users' own types are not shown: Lambda lets only its own families through.
                let known = |t: &&String| t.starts_with("Runtime.") || t.starts_with("Function.");
                reported
                    .error_type
                    .as_ref()
                    .filter(known)
                    .cloned()
                    .unwrap_or("Runtime.Unknown".into())
            }
        }
    }

    /// How REPORT and INIT_REPORT lines end.
    pub(crate) fn status(&self) -> String {
        match self {
            Fault::Timeout(_) => "Status: timeout".to_owned(),
            _ => format!("Status: error\tError Type: {}", self.error_type()),
        }
    }

    /// The line in the function's log, if it has one: `at` is the time as Lambda prints it.
    pub(crate) fn log_text(&self, request_id: &str, at: &str) -> Option<String> {
        match self {
            Fault::Timeout(_) => Some(format!("{at} {request_id} {}\n\n", self.reason())),
            Fault::Exit(_)
            | Fault::Entrypoint(_)
            | Fault::WorkingDir(_)
            | Fault::TruncatedResponse
            | Fault::InvalidResponseMode
            | Fault::Extension(_) => {
                let named = if request_id.is_empty() {
                    String::new()
                } else {
                    format!("RequestId: {request_id} Error: ")
                };
                Some(format!("{named}{}\n{}\n", self.reason(), self.error_type()))
            }
            // The runtime has logged it.
            Fault::Init(_) => None,
            Fault::ResponseTooLarge(_) => Some(format!(
                "RequestId: {request_id} Error: {}\n",
                "Response payload size exceeded maximum allowed payload size."
            )),
        }
    }

    fn reason(&self) -> String {
        match self {
            Fault::Timeout(millis) => {
                format!("Task timed out after {:.2} seconds", *millis as f64 / 1000.0)
            }
            Fault::Exit(exit) => exit_reason(exit),
            Fault::Entrypoint(reason) | Fault::WorkingDir(reason) => reason.clone(),
            Fault::TruncatedResponse => "HTTP request detected as truncated".to_owned(),
            Fault::InvalidResponseMode => "Invalid function response mode".to_owned(),
            Fault::Extension(crash) => crash.reason.clone(),
            Fault::Init(_) | Fault::ResponseTooLarge(_) => self.error_type(),
        }
    }
}

fn exit_reason(exit: &Exit) -> String {
    match (exit.code, exit.signal) {
        (_, Some(signal)) => format!("Runtime exited with error: signal: {}", signal_name(signal)),
        // The kernel killed a child of the runtime, and the runtime gave up.
        (_, None) if exit.oom_killed => "Runtime exited with error: signal: killed".to_owned(),
        (Some(code), None) if code != 0 => format!("Runtime exited with error: exit status {code}"),
        _ => "Runtime exited without providing a reason".to_owned(),
    }
}

/// Signals as Go's runtime, in which Lambda's is written, names them.
fn signal_name(signal: i32) -> String {
    let name = match signal {
        libc::SIGHUP => "hangup",
        libc::SIGINT => "interrupt",
        libc::SIGQUIT => "quit",
        libc::SIGILL => "illegal instruction",
        libc::SIGTRAP => "trace/breakpoint trap",
        libc::SIGABRT => "aborted",
        libc::SIGBUS => "bus error",
        libc::SIGFPE => "floating point exception",
        libc::SIGKILL => "killed",
        libc::SIGSEGV => "segmentation fault",
        libc::SIGPIPE => "broken pipe",
        libc::SIGALRM => "alarm clock",
        libc::SIGTERM => "terminated",
        libc::SIGSYS => "bad system call",
        other => return format!("signal {other}"),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exit(code: Option<i32>, signal: Option<i32>, oom_killed: bool) -> Fault {
        Fault::Exit(Exit { code, signal, oom_killed })
    }

    #[test]
    fn faults_read_as_awss_do() {
        let payload = |fault: &Fault| String::from_utf8(fault.payload("r").to_vec()).unwrap();
        assert_eq!(
            payload(&Fault::Timeout(3000)),
            r#"{"errorMessage":"RequestId: r Error: Task timed out after 3.00 seconds","errorType":"Sandbox.Timedout"}"#
        );
        assert_eq!(
            payload(&exit(Some(1), None, false)),
            r#"{"errorMessage":"RequestId: r Error: Runtime exited with error: exit status 1","errorType":"Runtime.ExitError"}"#
        );
        assert_eq!(
            payload(&exit(Some(0), None, false)),
            r#"{"errorMessage":"RequestId: r Error: Runtime exited without providing a reason","errorType":"Runtime.ExitError"}"#
        );
        assert_eq!(
            payload(&exit(None, Some(9), true)),
            r#"{"errorMessage":"RequestId: r Error: Runtime exited with error: signal: killed","errorType":"Runtime.OutOfMemory"}"#
        );
        assert_eq!(
            payload(&Fault::ResponseTooLarge(6_291_556)),
            r#"{"errorMessage":"Response payload size exceeded maximum allowed payload size (6291556 bytes).","errorType":"Function.ResponseSizeTooLarge"}"#
        );
    }

    #[test]
    fn extensions_end_as_awss_do() {
        let exit = |code, signal| Exit { code, signal, oom_killed: false };
        for (exit, reason) in [
            (exit(Some(0), None), "exit code 0"),
            (exit(Some(1), None), "exit status 1"),
            (exit(None, Some(9)), "signal: killed"),
        ] {
            let fault = Fault::Extension(Crash::of_extension("Extension.Crash", &exit));
            let text = fault.log_text("r", "").unwrap();
            assert_eq!(text, format!("RequestId: r Error: {reason}\nExtension.Crash\n"));
            assert_eq!(fault.status(), "Status: error\tError Type: Extension.Crash");
        }
    }

    #[test]
    fn users_error_types_do_not_reach_the_report() {
        let fault = |name: &str| {
            Fault::Init(Reported { error_type: Some(name.into()), body: Bytes::new() }).status()
        };
        assert_eq!(
            fault("Runtime.ImportModuleError"),
            "Status: error\tError Type: Runtime.ImportModuleError"
        );
        assert_eq!(fault("ValueError"), "Status: error\tError Type: Runtime.Unknown");
    }
}
