//! Clients and clocks: who sends, for how long, and what comes out of it.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use futures::future::try_join_all;
use kit::Clock;

use super::http::Connection;
use crate::server::Server;

/// How long clients send in a row.
pub(super) const ROUND: Duration = Duration::from_secs(3);
/// Before the clock runs: connections, instances and files get warm.
const WARM_UP: Duration = Duration::from_millis(500);
/// Clients at once, where there are several.
pub(super) const CLIENTS: usize = 8;
/// A function becomes active within this time.
const ACTIVE_WITHIN: Duration = Duration::from_secs(10);

/// The server under test, and a folder on the same disk as its data.
pub(super) struct Bench {
    pub(super) address: SocketAddr,
    /// Its process id.
    pub(super) server: u32,
    pub(super) folder: PathBuf,
}

impl Bench {
    /// Of a server that runs.
    pub(super) fn of(server: &Server, folder: &Path) -> anyhow::Result<Bench> {
        let pid = server.pid()?.as_raw_nonzero().get();
        Ok(Bench { address: server.address, server: pid.try_into()?, folder: folder.to_owned() })
    }

    /// A connection to the server.
    pub(super) async fn connect(&self) -> anyhow::Result<Connection> {
        Connection::open(self.address).await
    }

    /// One request on a connection of its own.
    pub(super) async fn once(&self, request: &[u8]) -> anyhow::Result<Vec<u8>> {
        Ok(self.connect().await?.done(request).await?.to_vec())
    }

    /// Creates a function and waits until it can be invoked.
    pub(super) async fn function(&self, name: &str, create: &[u8]) -> anyhow::Result<()> {
        self.once(create).await.with_context(|| format!("cannot create {name}"))?;
        let path = format!("GET /2015-03-31/functions/{name}/configuration");
        let look = super::aws::request("lambda", &path, &[], b"");
        let deadline = Instant::now() + ACTIVE_WITHIN;
        let clock = Clock::default();
        while Instant::now() < deadline {
            let found: serde_json::Value = serde_json::from_slice(&self.once(&look).await?)?;
            if found["State"] == "Active" {
                return Ok(());
            }
            clock.sleep(Duration::from_millis(5)).await;
        }
        bail!("{name} did not become active")
    }
}

/// What a client does again and again.
pub(super) trait Work {
    /// Once.
    async fn step(&mut self) -> anyhow::Result<()>;
}

/// A client that sends the same request.
pub(super) struct Same {
    pub(super) connection: Connection,
    pub(super) request: Vec<u8>,
}

impl Work for Same {
    async fn step(&mut self) -> anyhow::Result<()> {
        self.connection.done(&self.request).await.map(drop)
    }
}

/// Steps per second of all clients together.
pub(super) async fn rate<W: Work>(mut clients: Vec<W>) -> anyhow::Result<f64> {
    count(&mut clients, WARM_UP).await?;
    let began = Instant::now();
    let steps = count(&mut clients, ROUND).await?;
    Ok(steps as f64 / began.elapsed().as_secs_f64())
}

async fn count<W: Work>(clients: &mut [W], time: Duration) -> anyhow::Result<usize> {
    let end = Instant::now() + time;
    let counts = clients.iter_mut().map(|client| async move {
        let mut steps = 0;
        while Instant::now() < end {
            client.step().await?;
            steps += 1;
        }
        anyhow::Ok(steps)
    });
    Ok(try_join_all(counts).await?.into_iter().sum())
}

/// The median time of one client's steps, in milliseconds.
pub(super) async fn median<W: Work>(client: W) -> anyhow::Result<f64> {
    let mut clients = [client];
    count(&mut clients, WARM_UP).await?;
    let [mut client] = clients;
    let (mut times, end) = (Vec::new(), Instant::now() + ROUND);
    while Instant::now() < end {
        let began = Instant::now();
        client.step().await?;
        times.push(millis(began));
    }
    middle(times)
}

/// The median.
pub(super) fn middle(mut times: Vec<f64>) -> anyhow::Result<f64> {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().context("nothing was measured")
}

/// Milliseconds since then.
pub(super) fn millis(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}
