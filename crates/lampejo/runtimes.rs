//! `lampejo runtime`: what functions import without packaging it.

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Subcommand};

/// What to do about runtimes.
#[derive(Args)]
pub(crate) struct Flags {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Install the AWS SDKs for Python and Node.js functions into the data folder
    Sdk {
        /// python, nodejs; none: both
        languages: Vec<String>,
        /// The server's data folder
        #[arg(long, env = "LAMPEJO_DATA", default_value = ".lampejo")]
        data: PathBuf,
    },
    /// List the runtimes that this machine can run
    List,
}

pub(crate) fn run(flags: Flags) -> anyhow::Result<ExitCode> {
    match flags.action {
        Action::Sdk { languages, data } => install(&languages, &data),
        Action::List => {
            for line in runtime::available() {
                println!("{line}");
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn install(languages: &[String], data: &std::path::Path) -> anyhow::Result<ExitCode> {
    let all = ["python".to_owned(), "nodejs".to_owned()];
    let chosen = if languages.is_empty() { &all[..] } else { languages };
    for language in chosen {
        runtime::install_sdk(&data.join("runtime"), language.parse()?, &mut |line| {
            println!("{language}: {line}");
        })?;
    }
    Ok(ExitCode::SUCCESS)
}
