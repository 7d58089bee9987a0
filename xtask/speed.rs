//! `cargo xtask speed`: one table; each line beside its floor, which is what the machine allows
//! without lampejo, measured in the same run.
//!
//! The load comes from this process over loopback, by a client that does next to nothing (`http`),
//! because it shares the processors with the server. Every workload ends by itself within seconds.
//! Read next: `bench` (clients and clocks), then one file per workload.

mod aws;
mod bench;
mod chain;
mod floors;
mod functions;
mod http;
mod many;
mod memory;
mod objects;
mod packages;
mod permission;
mod queues;
mod start;
mod table;

use std::{
    ffi::OsString,
    fs::{self, File},
    path::{Path, PathBuf},
};

use clap::Args;

use crate::{
    program::{Profile, build},
    server::Server,
};
use bench::Bench;
use table::Table;

/// Room for the instances of every workload.
const MAX_INSTANCES: usize = many::FUNCTIONS + 400;

/// What to measure where.
#[derive(Args)]
pub(crate) struct Flags {
    /// Only these: start, functions, packages, queues, objects, chain, many, permission
    only: Vec<String>,
    /// Where the data folder is made: it decides which disk is measured
    #[arg(long)]
    disk: Option<PathBuf>,
    /// Measure this binary, of an earlier version perhaps, instead of building one
    #[arg(long)]
    binary: Option<PathBuf>,
    /// sandbox, or process where the system has no namespaces
    #[arg(long, default_value = "sandbox")]
    isolation: String,
}

pub(crate) fn run(root: &Path, flags: &Flags) -> anyhow::Result<()> {
    let binary = match &flags.binary {
        Some(binary) => binary.clone(),
        None => build(root, Profile::Release)?,
    };
    // One thread: the server needs the other processors.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(measure(&binary, flags))
}

async fn measure(binary: &Path, flags: &Flags) -> anyhow::Result<()> {
    let disk = flags.disk.clone().unwrap_or_else(std::env::temp_dir);
    let folder = tempfile::tempdir_in(disk)?;
    let mut table = Table::default();
    let wanted = |name: &str| flags.only.is_empty() || flags.only.iter().any(|it| it == name);
    if wanted("start") {
        start::measure(binary, &server_flags(flags, &folder.path().join("start")), &mut table)
            .await?;
    }
    let mut data = server_flags(flags, &folder.path().join("data"));
    data.extend(["--max-instances".into(), MAX_INSTANCES.to_string().into()]);
    let log = folder.path().join("server.log");
    let server = Server::start(binary, &data, File::create(&log)?.into()).await?;
    let bench = Bench::of(&server, folder.path())?;
    if let Err(error) = workloads(&bench, &wanted, &mut table).await {
        table.print();
        let log = fs::read_to_string(&log)?;
        return Err(error.context(format!("measuring failed; the server said: {log}")));
    }
    server.stop().await?;
    if wanted("permission") {
        let flags = |data: &Path| server_flags(flags, data);
        permission::measure(binary, folder.path(), flags, &mut table).await?;
    }
    table.print();
    Ok(())
}

async fn workloads(
    bench: &Bench,
    wanted: &impl Fn(&str) -> bool,
    table: &mut Table,
) -> anyhow::Result<()> {
    if wanted("functions") {
        functions::measure(bench, table).await?;
    }
    if wanted("packages") {
        packages::measure(bench, table).await?;
    }
    if wanted("queues") {
        queues::measure(bench, table).await?;
    }
    if wanted("objects") {
        objects::measure(bench, table).await?;
    }
    if wanted("chain") {
        chain::measure(bench, table).await?;
    }
    // Last: its instances take memory and time from whatever runs beside them.
    if wanted("many") {
        many::measure(bench, table).await?;
    }
    Ok(())
}

fn server_flags(flags: &Flags, data: &Path) -> Vec<OsString> {
    let named = ["--listen", "127.0.0.1:0", "--isolation", &flags.isolation, "--data"];
    named.into_iter().map(OsString::from).chain([data.as_os_str().to_owned()]).collect()
}
