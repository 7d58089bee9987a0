//! A pool with functions in temporary folders, and a log that is kept.

// Each test file uses its part, and none of this runs outside tests.
#![allow(dead_code, clippy::unwrap_used)]

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use kit::{AccountId, Clock, Region, ids};
use runtime::{
    Config, Credentials, Function, Invocation, Isolation, LogLine, LogSink, Logging, Outcome, Pool,
    Surroundings, Tracing,
};
use serde_json::Value;
use tempfile::TempDir;

/// How long anything may take before a test gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Keeps what functions log: (stream, message).
#[derive(Default)]
pub(crate) struct Kept {
    pub(crate) lines: Mutex<Vec<(String, String)>>,
}

impl Kept {
    /// Whether a message so far has this in it.
    pub(crate) fn contains(&self, text: &str) -> bool {
        self.count(text) > 0
    }

    /// How many messages so far have this in them.
    pub(crate) fn count(&self, text: &str) -> usize {
        self.lines.lock().unwrap().iter().filter(|(_, line)| line.contains(text)).count()
    }
}

impl LogSink for Kept {
    fn append(&self, _: &Arc<Function>, stream: &str, lines: Vec<LogLine>) {
        let lines = lines.into_iter().map(|line| (stream.to_owned(), line.text));
        self.lines.lock().unwrap().extend(lines);
    }
}

/// Answers AWS calls of functions with a fixed text.
struct Around;

#[async_trait::async_trait]
impl Surroundings for Around {
    async fn credentials(&self, _: &Function) -> Credentials {
        Credentials {
            access_key_id: "ASIAEXAMPLE".into(),
            secret_access_key: "secret".into(),
            session_token: "token".into(),
        }
    }

    fn serve(&self, connection: tokio::net::TcpStream, place: runtime::Place) {
        tokio::spawn(async move {
            let _place = place;
            connection.readable().await.unwrap();
            let reply =
                b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\nfrom here";
            connection.try_write(reply).unwrap();
        });
    }
}

/// A pool to try.
pub(crate) struct Trial {
    pub(crate) pool: Arc<Pool>,
    pub(crate) clock: Clock,
    pub(crate) logs: Arc<Kept>,
    pub(crate) folder: TempDir,
}

impl Trial {
    /// Sandboxed where the machine can.
    pub(crate) async fn new() -> Trial {
        Trial::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl Fn(&mut Config)) -> Trial {
        let trial = Trial::of(Isolation::Sandbox, &change);
        let finding = trial.pool.doctor().await.sandbox;
        if finding.iter().any(|finding| finding.what == "sandbox" && finding.ok) {
            return trial;
        }
        let detail = finding.iter().find(|finding| finding.what == "sandbox").map(|it| &it.detail);
        println!("skipped: sandbox; the test runs with isolation process: {detail:?}");
        trial.pool.shutdown().await;
        Trial::of(Isolation::Process, &change)
    }

    pub(crate) fn of(isolation: Isolation, change: &impl Fn(&mut Config)) -> Trial {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let mut config = Config::new(folder.path().join("runtime"));
        config.isolation = isolation;
        change(&mut config);
        let (clock, logs) = (Clock::default(), Arc::new(Kept::default()));
        let pool = Pool::open(config, clock.clone(), logs.clone(), Arc::new(Around)).unwrap();
        Trial { pool, clock, logs, folder }
    }

    /// A function with these files: (path, text).
    pub(crate) fn function(
        &self,
        runtime: &str,
        handler: &str,
        files: &[(&str, &str)],
    ) -> Function {
        let name = format!("f-{}", ids::hex::<4>());
        let code = self.folder.path().join(&name);
        write(&code, files);
        Function {
            key: ids::uuid(),
            log_group: format!("/aws/lambda/{name}"),
            name,
            version: "$LATEST".into(),
            account: AccountId::DEFAULT,
            role: "arn:aws:iam::000000000000:role/r".into(),
            region: Region::default(),
            runtime: runtime.into(),
            handler: handler.into(),
            memory_mib: 256,
            timeout: Duration::from_secs(10),
            ephemeral_mib: 512,
            environment: Default::default(),
            code,
            image: None,
            layers: vec![],
            tracing: Tracing::PassThrough,
            logging: Logging::default(),
            snap_start: false,
            idle: None,
            network: None,
        }
    }

    pub(crate) fn python(&self, text: &str) -> Arc<Function> {
        Arc::new(self.function("python3.11", "app.handler", &[("app.py", text)]))
    }

    pub(crate) fn node(&self, text: &str) -> Arc<Function> {
        Arc::new(self.function("nodejs20.x", "index.handler", &[("index.js", text)]))
    }

    pub(crate) async fn invoke(&self, function: &Arc<Function>, event: &str) -> Outcome {
        let invoked = self.pool.invoke(function, invocation(function, event));
        tokio::time::timeout(PATIENCE, invoked).await.expect("it ends").unwrap()
    }

    /// The payload of a success.
    pub(crate) async fn answer(&self, function: &Arc<Function>, event: &str) -> Value {
        let outcome = self.invoke(function, event).await;
        assert_eq!(outcome.error, None, "{} {}", text(&outcome.payload), text(&outcome.log_tail));
        json(&outcome.payload)
    }

    /// The error document of a failure.
    pub(crate) async fn failure(&self, function: &Arc<Function>, event: &str) -> Value {
        let outcome = self.invoke(function, event).await;
        assert!(outcome.error.is_some(), "{}", text(&outcome.payload));
        json(&outcome.payload)
    }

    /// All messages, once the instances that wrote them have ended.
    pub(crate) async fn log(&self) -> String {
        self.pool.shutdown().await;
        let lines = self.logs.lines.lock().unwrap();
        lines.iter().map(|(_, text)| text.as_str()).collect()
    }
}

/// Writes files that everybody may read; a `bootstrap` everybody may run.
pub(crate) fn write(folder: &Path, files: &[(&str, &str)]) {
    fs::create_dir_all(folder).unwrap();
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
    for (name, text) in files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        let mode = if *name == "bootstrap" { 0o755 } else { 0o644 };
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }
}

pub(crate) fn invocation(function: &Function, event: &str) -> Invocation {
    Invocation {
        request_id: ids::uuid(),
        payload: Bytes::copy_from_slice(event.as_bytes()),
        invoked_arn: format!("arn:aws:lambda:us-east-1:000000000000:function:{}", function.name),
        trace_id: "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=0".into(),
        client_context: None,
        cognito_identity: None,
        tenant_id: None,
    }
}

pub(crate) fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap_or_else(|e| panic!("{e}: {}", text(bytes)))
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Polls until `done`, for as long as patience lasts.
pub(crate) async fn until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = std::time::Instant::now() + PATIENCE;
    while !done() {
        assert!(std::time::Instant::now() < deadline, "waited in vain: {what}");
        Clock::default().sleep(Duration::from_millis(5)).await;
    }
}
