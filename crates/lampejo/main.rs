//! The binary: `lampejo up` serves; the other commands talk to a running server or look at the
//! machine.
//!
//! Read in this order: `config` (settings and defaults), `up` (start order and shutdown), `inner`
//! (`/_lampejo/…`) with `decisions` and `starts`, then one file per command.

mod client;
mod config;
mod cost;
mod decisions;
mod deploy;
mod doctor;
mod iam;
mod inner;
mod invoke;
mod logs;
mod runtimes;
mod starts;
mod status;
mod traces;
mod up;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// A serverless platform on your own machine: AWS Lambda and its event sources, for real.
#[derive(Parser)]
#[command(name = "lampejo", version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve until interrupted.
    Up(config::Flags),
    /// Say what this machine lacks, and how to mend it.
    Doctor(config::Flags),
    /// Create or update a function from a folder.
    Deploy(deploy::Flags),
    /// Run a function and print what it returns.
    Invoke(invoke::Flags),
    /// Print a function's log.
    Logs(logs::Flags),
    /// Say what functions used and what AWS would take for it.
    Cost(cost::Flags),
    /// Say why calls were allowed or denied, and what policies should say.
    Iam(iam::Flags),
    /// Say what the last starts of a function spent their time on.
    Starts(starts::Flags),
    /// Say what a running server is doing.
    Status(client::Server),
    /// Install runtimes, and the AWS SDKs that functions import without packaging them.
    Runtime(runtimes::Flags),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(anyhow::Error::from)
        .and_then(|runtime| runtime.block_on(run(arguments.command)));
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("lampejo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Up(flags) => up::run(config::Config::load(flags)?).await,
        Command::Doctor(flags) => doctor::run(&config::Config::load(flags)?).await,
        Command::Deploy(flags) => deploy::run(flags).await,
        Command::Invoke(flags) => invoke::run(flags).await,
        Command::Logs(flags) => logs::run(flags).await,
        Command::Cost(flags) => cost::run(flags).await,
        Command::Iam(flags) => iam::run(flags).await,
        Command::Starts(flags) => starts::run(flags).await,
        Command::Status(flags) => status::run(flags).await,
        Command::Runtime(flags) => runtimes::run(flags).await,
    }
}
