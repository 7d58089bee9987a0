//! From exec to ready, and the memory of a server that does nothing.

use std::{
    ffi::OsString,
    fs,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::Instant,
};

use anyhow::Context;

use super::{
    bench::{middle, millis},
    http::Connection,
    table::{Line, Number, Table},
};
use crate::server::Server;

/// Who gets an answer to this finds the server ready.
const HEALTH: &[u8] = b"GET /_lampejo/health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
/// Starts measured.
const STARTS: usize = 11;

/// Adds its lines to the table.
pub(super) async fn measure(
    binary: &Path,
    flags: &[OsString],
    table: &mut Table,
) -> anyhow::Result<()> {
    let (mut starts, mut memory) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let began = Instant::now();
        let server = Server::start(binary, flags, Stdio::null()).await?;
        Connection::open(server.address).await?.done(HEALTH).await?;
        starts.push(millis(began));
        memory.push(resident_megabytes(server.pid()?.as_raw_nonzero().get())?);
        server.stop().await?;
    }
    table.add(Line {
        workload: "start to first answer, p50",
        reached: Number::Millis(middle(starts)?),
        aim: Number::Millis(100.0),
        floor: Number::Millis(exec(binary, &["--version"])?),
        floor_is: "exec of the same binary, --version",
    });
    table.add(Line {
        workload: "idle memory",
        reached: Number::Megabytes(middle(memory)?),
        aim: Number::Megabytes(30.0),
        floor: Number::Megabytes(bare_process()?),
        floor_is: "a process that sleeps",
    });
    Ok(())
}

/// The median time of a program from exec to its end, in milliseconds.
pub(super) fn exec(program: &Path, arguments: &[&str]) -> anyhow::Result<f64> {
    let mut times = Vec::new();
    for _ in 0..STARTS {
        let began = Instant::now();
        Command::new(program).args(arguments).output()?;
        times.push(millis(began));
    }
    middle(times)
}

fn bare_process() -> anyhow::Result<f64> {
    let mut sleeper = Command::new("sleep").arg("5").spawn()?;
    let status = format!("/proc/{}/status", sleeper.id());
    // Until it sleeps it is being loaded.
    while !fs::read_to_string(&status)?.contains("State:\tS") {
        thread::yield_now();
    }
    let memory = resident_megabytes(sleeper.id().try_into()?);
    sleeper.kill()?;
    sleeper.wait()?;
    memory
}

fn resident_megabytes(pid: i32) -> anyhow::Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|it| it.trim().strip_suffix(" kB")).context("no VmRSS")?;
    Ok(kilobytes.parse::<f64>()? / 1024.0)
}
