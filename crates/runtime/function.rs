//! What the pool is asked to run, and what comes back. Pure values.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use bytes::Bytes;
use kit::{AccountId, Millis, Region};
use network::Mode;
use tokio::{
    net::TcpStream,
    sync::{OwnedSemaphorePermit, Semaphore, watch},
};

/// One version of one function, ready to start: everything an instance needs to know.
/// Two specs with the same `key` are the same code and configuration.
#[derive(Clone, Debug)]
pub struct Function {
    /// Identity of this code and configuration: instances are reused only under the same key.
    /// The lambda service changes it on every update (ARN with version and revision id).
    pub key: String,
    /// The function's name.
    pub name: String,
    /// `$LATEST` or a number.
    pub version: String,
    /// The owner.
    pub account: AccountId,
    /// Where it lives.
    pub region: Region,
    /// ARN of the execution role, whose credentials instances get.
    pub role: String,
    /// The runtime's identifier: `python3.13`, `nodejs20.x`, `provided.al2023`.
    pub runtime: String,
    /// `module.function`, or whatever the runtime takes.
    pub handler: String,
    /// Limit of the instance's memory in MiB; cpu share follows it.
    pub memory_mib: u32,
    /// Limit of one invocation.
    pub timeout: Duration,
    /// Size of `/tmp` in MiB.
    pub ephemeral_mib: u32,
    /// The user's environment variables.
    pub environment: BTreeMap<String, String>,
    /// Unpacked code, bound at `/var/task`.
    pub code: PathBuf,
    /// A container image, in place of `runtime`, `handler`, `code` and `layers`.
    pub image: Option<Image>,
    /// Unpacked layers in order, merged into `/opt`.
    pub layers: Vec<PathBuf>,
    /// CloudWatch log group and stream prefix go by it.
    pub log_group: String,
    /// Whether `X-Ray` is `Active` (sampled) or passes through.
    pub tracing: Tracing,
    /// Text or JSON logs and their levels.
    pub logging: Logging,
    /// SnapStart: the init runs once, and instances are restored from what it has left.
    pub snap_start: bool,
    /// How long an instance may sit idle before it is stopped; `None`: the pool's default.
    pub idle: Option<Duration>,
    /// What network it asks for; `None`: the server's default.
    pub network: Option<Mode>,
}

impl Function {
    /// `_HANDLER`.
    pub(crate) fn handler_name(&self) -> &str {
        match &self.image {
            Some(image) => image.command.first().map_or("", String::as_str),
            None => &self.handler,
        }
    }
}

/// A container image, ready to be an instance's root. Its settings are the function's own where it
/// has any, else the image's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Image {
    /// The unpacked tree, with folders at `/dev`, `/proc` and `/tmp`.
    pub root: PathBuf,
    /// The program and its first arguments.
    pub entrypoint: Vec<String>,
    /// The arguments after them; the first is `_HANDLER`.
    pub command: Vec<String>,
    /// Where the program starts; empty: `/`.
    pub working_directory: String,
    /// The image's variables; Lambda's and the function's go before them.
    pub environment: BTreeMap<String, String>,
}

/// X-Ray mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tracing {
    /// The service samples.
    Active,
    /// Only what arrives sampled is traced.
    PassThrough,
}

/// `LoggingConfig` of a function.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Logging {
    /// JSON instead of text.
    pub json: bool,
    /// `TRACE` … `FATAL` for JSON; empty: `INFO`.
    pub application_level: String,
    /// `DEBUG`, `INFO`, `WARN` for JSON; empty: `INFO`.
    pub system_level: String,
}

/// One request to a function.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// The id in logs and headers.
    pub request_id: String,
    /// The event, JSON.
    pub payload: Bytes,
    /// ARN as the caller named it (with alias or version): `invoked_function_arn`.
    pub invoked_arn: String,
    /// `X-Amzn-Trace-Id` value: `Root=…;Parent=…;Sampled=…`.
    pub trace_id: String,
    /// Decoded client context JSON, if the caller gave one.
    pub client_context: Option<String>,
    /// Cognito identity JSON, if any.
    pub cognito_identity: Option<String>,
    /// Whom a function with tenant isolation serves.
    pub tenant_id: Option<String>,
}

/// What an invocation came to. A function's own failure is an outcome, not an error.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The response, or the error document.
    pub payload: Bytes,
    /// `None`: success. AWS reports both kinds as `Unhandled` in `X-Amz-Function-Error`.
    pub error: Option<FunctionError>,
    /// What the error is called: by the runtime, or by Lambda.
    pub error_type: Option<String>,
    /// The last 4 KiB of the log of this invocation, REPORT included.
    pub log_tail: Bytes,
    /// The instance's log stream.
    pub log_stream: String,
    /// What was measured.
    pub report: Report,
    /// Set while extensions are still at work: log and measurements are not complete.
    pub ending: Option<Ending>,
}

/// The end of an invocation whose response was there before it.
#[derive(Clone, Debug)]
pub struct Ending(pub(crate) watch::Receiver<Option<Final>>);

/// What is known at the end only.
#[derive(Clone, Debug)]
pub(crate) struct Final {
    pub(crate) report: Report,
    pub(crate) log_tail: Bytes,
}

impl Outcome {
    /// Waits until extensions are done too; then log and measurements are complete. At most for what
    /// is left of the function's timeout.
    pub async fn complete(&mut self) {
        let Some(mut ending) = self.ending.take() else { return };
        // Without a word: the server stops.
        if let Ok(known) = ending.0.wait_for(Option::is_some).await
            && let Some(last) = &*known
        {
            (self.report, self.log_tail) = (last.report, last.log_tail.clone());
        }
    }
}

/// Why an invocation did not succeed, in the words of metrics and retries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FunctionError {
    /// The handler answered with an error.
    Handled,
    /// Timeout, exit, memory, init.
    Unhandled,
}

/// The numbers of the REPORT line.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Report {
    /// Milliseconds in the handler, and in extensions after it.
    pub duration_ms: f64,
    /// Milliseconds of them in extensions, after the handler.
    pub extensions_ms: f64,
    /// Whole milliseconds billed, init included where there was one.
    pub billed_ms: u64,
    /// Milliseconds of init when this invocation started the instance.
    pub init_ms: Option<f64>,
    /// Set when this invocation restored the instance.
    pub restore: Option<Restored>,
    /// Peak memory in MiB.
    pub max_memory_mib: u32,
    /// When the handler was given the event.
    pub started: Millis,
}

/// How an instance was restored from a snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Restored {
    /// Milliseconds until it was ready.
    pub duration_ms: f64,
    /// Whole milliseconds of them in the function's hooks and its runtime.
    pub billed_ms: u64,
}

/// Why the pool could not run it at all; the handler was not called.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// This machine has no interpreter for the runtime. The text says how to get one.
    #[error("{0}")]
    NoInterpreter(String),
    /// The pool's limit of instances is reached.
    #[error("all {limit} instances are busy")]
    Saturated {
        /// The limit.
        limit: usize,
    },
    /// What busy instances hold leaves no room for another.
    #[error("busy instances leave no room in {budget_mib} MiB of memory")]
    NoMemory {
        /// The budget.
        budget_mib: u64,
    },
    /// A step of the start failed.
    #[error("starting an instance failed at {step}: {source}")]
    Start {
        /// The step's name.
        step: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// It asks for a network that it may not have, or that the machine cannot make.
    #[error("{0}")]
    Network(String),
    /// A hook that runs after the restore failed.
    #[error("{0}")]
    RestoreFailed(String),
    /// The restore took longer than Lambda allows.
    #[error("the restore timed out")]
    RestoreTimedOut,
    /// The server is stopping.
    #[error("the server is shutting down")]
    Stopping,
}

/// Where instances' log lines go. Called from the pool's tasks; must not block.
pub trait LogSink: Send + Sync {
    /// Appends lines of one stream, each with its time.
    fn append(&self, function: &Arc<Function>, stream: &str, lines: Vec<LogLine>);

    /// Whether it takes lines now. While it does not, lines are dropped and counted.
    fn is_ready(&self) -> bool {
        true
    }
}

/// One line of a function's log.
#[derive(Clone, Debug)]
pub struct LogLine {
    /// When it was written.
    pub at: Millis,
    /// The message, with its newline at the end, as Lambda keeps it.
    pub text: String,
}

/// Credentials handed to an instance's environment.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// `ASIA…`.
    pub access_key_id: String,
    /// Secret.
    pub secret_access_key: String,
    /// Session token.
    pub session_token: String,
}

/// What the pool asks of the rest of the server when it starts an instance.
#[async_trait::async_trait]
pub trait Surroundings: Send + Sync {
    /// Credentials of the function's role, for a new instance.
    async fn credentials(&self, function: &Function) -> Credentials;

    /// Serves one AWS API connection that came from inside an instance (its `AWS_ENDPOINT_URL`).
    /// Its place among the instance's connections is kept until it has ended.
    fn serve(&self, connection: TcpStream, place: Place);

    /// Keeps X-Ray segments that a function has sent, JSON documents, and counts what was none. Must
    /// not block. Without a place for them they go.
    fn keep_segments(&self, _function: &Arc<Function>, _documents: Vec<String>, _dropped: u64) {}
}

/// What a connection from inside an instance has of that instance's share of the server.
pub struct Place {
    /// One of its connections, until this is dropped.
    pub connection: OwnedSemaphorePermit,
    /// Bytes that the bodies of all its requests may have at once.
    pub room: Arc<Semaphore>,
}
