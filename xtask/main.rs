//! The project's own commands: `cargo xtask NAME`. One file per command.

mod access;
mod clients;
mod codegen;
mod demo;
mod model;
mod models;
mod program;
mod selection;
mod server;
mod speed;
mod test;
mod tidy;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "The project's own commands")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Starts a server and shows a chain of a bucket, two functions and a queue at work.
    Demo(demo::Flags),
    /// Runs every check: what continuous integration runs.
    Test(test::Flags),
    /// Measures the server, each number beside what the machine allows.
    Speed(speed::Flags),
    /// Checks what no compiler does: paths in the manual, who depends on whom, first lines.
    Tidy,
    /// Writes crates/model from models/.
    Codegen {
        /// Changes nothing; fails if a file would change.
        #[arg(long)]
        check: bool,
    },
    /// Takes the AWS models of the pinned botocore release into models/.
    Models,
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    let root = root();
    match command {
        Command::Demo(flags) => demo::run(&root, flags)?,
        Command::Test(flags) => return test::run(&root, &flags),
        Command::Speed(flags) => speed::run(&root, &flags)?,
        Command::Tidy => tidy::check(&root)?,
        Command::Codegen { check: false } => codegen::write(&root)?,
        Command::Codegen { check: true } => codegen::check(&root)?,
        Command::Models => models::run(&root)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The workspace's folder.
fn root() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().expect("xtask is a folder of the workspace").to_path_buf()
}
