//! The project's own commands: `cargo xtask NAME`. One file per command.

mod codegen;
mod model;
mod models;
mod selection;

use std::path::{Path, PathBuf};

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "The project's own commands")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Writes crates/model from models/.
    Codegen {
        /// Changes nothing; fails if a file would change.
        #[arg(long)]
        check: bool,
    },
    /// Takes the AWS models of the pinned botocore release into models/.
    Models,
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().command {
        Command::Codegen { check: false } => codegen::write(&root()),
        Command::Codegen { check: true } => codegen::check(&root()),
        Command::Models => models::run(&root()),
    }
}

/// The workspace's folder.
fn root() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().expect("xtask is a folder of the workspace").to_path_buf()
}
