//! A `lampejo` process, from start to stop.

use std::{
    ffi::OsString,
    net::SocketAddr,
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use kit::Clock;
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
};

/// A start takes a tenth of a second; a folder with much to recover takes longer.
const STARTS_WITHIN: Duration = Duration::from_secs(30);
/// Functions under way may end.
const STOPS_WITHIN: Duration = Duration::from_secs(30);

/// A running server. Dropping it kills it.
pub(crate) struct Server {
    child: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// From exec to the line that says it is ready.
    pub(crate) start: Duration,
    // Open as long as the server: it may print.
    output: Lines<BufReader<ChildStdout>>,
}

impl Server {
    /// Starts `binary up` with these flags and waits until it is ready. `log` takes what it says
    /// of itself.
    pub(crate) async fn start(
        binary: &Path,
        flags: &[OsString],
        log: Stdio,
    ) -> anyhow::Result<Server> {
        let began = Instant::now();
        let mut child = Command::new(binary)
            .arg("up")
            .args(flags)
            // What is measured is how fast it is, not where AWS's limit of requests a second lies.
            .env("LAMPEJO_ACCOUNT_CONCURRENCY", "10000")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            // Ctrl-C is for us: the server is asked to stop when its turn has come.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", binary.display()))?;
        let output = child.stdout.take().context("the server's output is piped")?;
        let mut output = BufReader::new(output).lines();
        let ready = Clock::default().within(STARTS_WITHIN, address(&mut output)).await;
        match ready {
            Some(Ok(address)) => {
                let start = began.elapsed();
                Ok(Server { child, address, start, output })
            }
            Some(Err(_)) => bail!("the server ended at once: {}", child.wait().await?),
            None => bail!("the server was not ready within {} s", STARTS_WITHIN.as_secs()),
        }
    }

    /// The root key that a first start in `enforce` mode prints: its id and its secret.
    pub(crate) async fn root_key(&mut self) -> anyhow::Result<(String, String)> {
        let mut id = None;
        while let Some(line) = self.output.next_line().await? {
            if let Some(found) = line.trim().strip_prefix("AWS_ACCESS_KEY_ID=") {
                id = Some(found.to_owned());
            }
            if let Some(secret) = line.trim().strip_prefix("AWS_SECRET_ACCESS_KEY=") {
                return Ok((id.context("the id comes first")?, secret.to_owned()));
            }
        }
        bail!("no root key was printed")
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> anyhow::Result<Pid> {
        let id = self.child.id().context("the server has ended")?;
        Pid::from_raw(id.try_into()?).context("a process id is not zero")
    }

    /// Asks it to stop and waits until it has.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        kill_process(self.pid()?, Signal::TERM)?;
        match Clock::default().within(STOPS_WITHIN, self.child.wait()).await {
            Some(status) => {
                let status = status?;
                if !status.success() {
                    bail!("the server ended with {status}");
                }
                Ok(())
            }
            None => bail!("the server did not stop within {} s", STOPS_WITHIN.as_secs()),
        }
    }
}

/// The address that the server prints when it is ready.
async fn address(output: &mut Lines<BufReader<ChildStdout>>) -> anyhow::Result<SocketAddr> {
    while let Some(line) = output.next_line().await? {
        if let Some(endpoint) = line.trim().strip_prefix("endpoint") {
            return Ok(endpoint.trim().trim_start_matches("http://").parse()?);
        }
    }
    bail!("no address was printed")
}
