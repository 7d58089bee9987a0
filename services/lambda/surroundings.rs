//! What function instances are given from the rest of the server: credentials of their role, a way
//! to the AWS API, and places for their logs and for what they trace.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use async_trait::async_trait;
use bus::{Directory, LogEvent};
use kit::{Arn, Clock, ids};
use runtime::{Credentials, Function, LogLine, LogSink, Place, Surroundings};
use tokio::{net::TcpStream, sync::mpsc};

use crate::logging::LogPermits;

/// How long an instance's credentials last.
const CREDENTIALS_LIFETIME: Duration = Duration::from_secs(12 * 60 * 60);
/// Batches of lines on their way to the log service; beyond it lines are dropped and counted.
const MAX_LOG_BATCHES: usize = 4096;

/// Serves one connection from inside an instance, whose place is kept until it has ended.
pub type ServeConnection = Box<dyn Fn(TcpStream, Place) + Send + Sync>;

/// The server as instances see it.
pub struct InstanceSurroundings {
    directory: Arc<Directory>,
    serve: OnceLock<ServeConnection>,
}

impl InstanceSurroundings {
    /// Finds roles through the directory.
    pub fn new(directory: Arc<Directory>) -> Arc<InstanceSurroundings> {
        Arc::new(InstanceSurroundings { directory, serve: OnceLock::new() })
    }

    /// Names who serves AWS API connections, once there is a front.
    pub fn serve_with(&self, serve: ServeConnection) {
        let _ = self.serve.set(serve);
    }
}

#[async_trait]
impl Surroundings for InstanceSurroundings {
    async fn credentials(&self, function: &Function) -> Credentials {
        if let (Some(roles), Ok(role)) = (self.directory.roles(), function.role.parse()) {
            let lifetime = CREDENTIALS_LIFETIME;
            let given = roles.assume(&role, &function.name, &arn(function), lifetime).await;
            return Credentials {
                access_key_id: given.access_key_id,
                secret_access_key: given.secret_access_key,
                session_token: given.session_token,
            };
        }
        // Without a role service the account's own digits sign, as `open` mode takes them.
        Credentials {
            access_key_id: function.account.to_string(),
            secret_access_key: ids::base64(40),
            session_token: String::new(),
        }
    }

    fn serve(&self, connection: TcpStream, place: Place) {
        if let Some(serve) = self.serve.get() {
            serve(connection, place);
        }
    }

    fn keep_segments(&self, function: &Arc<Function>, documents: Vec<String>, dropped: u64) {
        if let Some(traces) = self.directory.traces() {
            traces.keep(function.account, &function.region, documents, dropped);
        }
    }
}

/// The function's own ARN.
fn arn(function: &Function) -> Arn {
    let resource = format!("function:{}", function.name);
    Arn::new("lambda", function.region.as_str(), function.account.as_str(), resource)
}

/// Carries instances' lines to the log service in the background.
pub struct InstanceLogs {
    lines: mpsc::Sender<Lines>,
}

struct Lines {
    function: Arc<Function>,
    stream: String,
    events: Vec<LogEvent>,
}

impl InstanceLogs {
    /// Starts the task that carries; it ends when the last clone of the sink is gone.
    pub fn start(directory: Arc<Directory>, clock: Clock) -> Arc<InstanceLogs> {
        let (lines, mut arrivals) = mpsc::channel::<Lines>(MAX_LOG_BATCHES);
        let mut permits = LogPermits::new(directory.clone(), clock);
        tokio::spawn(async move {
            while let Some(Lines { function, stream, events }) = arrivals.recv().await {
                let Some(logs) = directory.logs() else { continue };
                let (account, region) = (function.account, &function.region);
                let group = &function.log_group;
                let lacking = logs.lacks(account, region, group, &stream);
                if permits.allow(&function, &stream, lacking) {
                    logs.append(account, region, group, &stream, events).await;
                }
            }
        });
        Arc::new(InstanceLogs { lines })
    }
}

impl LogSink for InstanceLogs {
    fn append(&self, function: &Arc<Function>, stream: &str, lines: Vec<LogLine>) {
        let events = lines
            .into_iter()
            .map(|line| LogEvent { at: line.at, message: line.text })
            .collect::<Vec<_>>();
        let count = events.len();
        let sent = self.lines.try_send(Lines {
            function: function.clone(),
            stream: stream.to_owned(),
            events,
        });
        if sent.is_err() {
            tracing::warn!(
                group = function.log_group,
                count,
                "the log service is behind; lines dropped"
            );
        }
    }
}
