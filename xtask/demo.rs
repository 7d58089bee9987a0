//! `cargo xtask demo`: a server with a durable data folder, and the chain of `examples/chain`
//! through the real AWS client: a file goes up, a function reads it and tells a queue, a second
//! function writes the result back.

use std::{
    ffi::OsString,
    io,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, bail};
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    clients::Python,
    program::{Profile, build, quiet},
    server::Server,
};

/// Where the demo runs.
#[derive(Args)]
pub(crate) struct Flags {
    /// Address and port of the server
    #[arg(long, default_value = "127.0.0.1:4566")]
    listen: SocketAddr,
    /// Folder for everything that survives
    #[arg(long, default_value = ".lampejo")]
    data: PathBuf,
    /// sandbox, or process where the system has no namespaces
    #[arg(long, default_value = "sandbox")]
    isolation: String,
    /// Stop after the chain instead of waiting for Ctrl-C
    #[arg(long)]
    once: bool,
}

pub(crate) fn run(root: &Path, flags: Flags) -> anyhow::Result<()> {
    check_port(flags.listen)?;
    let data = root.join(&flags.data);
    let python = Python::open(root)?;
    println!("building lampejo (release; the first time takes some minutes)");
    let binary = build(root, Profile::Release)?;
    doctor(&binary, &flags, &data)?;
    // Python functions import boto3 without packaging it, as on AWS.
    let mut sdk = Command::new(&binary);
    sdk.args(["runtime", "sdk", "python", "--data"]).arg(&data);
    // Debian's python3 has no pip; that of the environment has.
    quiet(sdk.env("PATH", python.path()?))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(serve(root, &binary, &python, &data, &flags))
}

async fn serve(
    root: &Path,
    binary: &Path,
    python: &Python,
    data: &Path,
    flags: &Flags,
) -> anyhow::Result<()> {
    let server = Server::start(binary, &server_flags(flags, data), Stdio::inherit()).await?;
    let endpoint = format!("http://{}", server.address);
    println!("lampejo listens on {endpoint}, ready after {} ms", server.start.as_millis());
    println!("its data lies in {}\n", data.display());
    let chain = tokio::process::Command::new(python.program("python"))
        .arg(root.join("examples/chain/run.py"))
        .args(["--endpoint", &endpoint, "--aws"])
        .arg(python.program("aws"))
        .kill_on_drop(true)
        .status();
    let finished = tokio::select! {
        status = chain => Some(status.context("cannot start the chain")?),
        done = interrupted() => { done?; None }
    };
    match finished {
        Some(status) if !status.success() => {
            server.stop().await?;
            bail!("the chain did not come through: {status}");
        }
        Some(_) if !flags.once => {
            println!("\nThe server runs on. Ctrl-C stops it; the data stays.");
            interrupted().await?;
        }
        _ => {}
    }
    println!("\nstopping");
    server.stop().await
}

fn server_flags(flags: &Flags, data: &Path) -> Vec<OsString> {
    let listen = flags.listen.to_string();
    let named = ["--listen", &listen, "--isolation", &flags.isolation, "--data"];
    named.into_iter().map(OsString::from).chain([data.as_os_str().to_owned()]).collect()
}

/// Says so before the build, not after it.
fn check_port(listen: SocketAddr) -> anyhow::Result<()> {
    match TcpListener::bind(listen) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => bail!(
            "port {} is in use, perhaps by another lampejo. Choose another:\n  \
             cargo xtask demo --listen {}:{}",
            listen.port(),
            listen.ip(),
            listen.port().wrapping_add(1).max(1024)
        ),
        Err(error) => bail!("cannot listen on {listen}: {error}"),
        Ok(_) => Ok(()),
    }
}

/// Fails with what to mend if functions could not be isolated here.
fn doctor(binary: &Path, flags: &Flags, data: &Path) -> anyhow::Result<()> {
    let mut doctor = Command::new(binary);
    doctor.args(["doctor", "--isolation", &flags.isolation, "--data"]).arg(data);
    quiet(&mut doctor).map(drop).context(
        "functions cannot be isolated on this machine. Mend what is marked LACK, or run them \
         without isolation: cargo xtask demo --isolation process",
    )
}

/// Ctrl-C, or being told to end.
async fn interrupted() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        done = tokio::signal::ctrl_c() => done?,
        _ = terminate.recv() => {}
    }
    Ok(())
}
