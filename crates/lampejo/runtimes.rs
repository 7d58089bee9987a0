//! `lampejo runtime`: installs what functions import without packaging it.

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Subcommand, ValueEnum};

/// What to do about runtimes.
#[derive(Args)]
pub(crate) struct Flags {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Install the AWS SDK that functions import without packaging it
    Sdk {
        /// Whose SDK; none: all of them
        languages: Vec<Language>,
        /// The server's data folder
        #[arg(long, env = "LAMPEJO_DATA", default_value = ".lampejo")]
        data: PathBuf,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum Language {
    /// boto3, by pip
    Python,
    /// @aws-sdk/*, by npm
    Nodejs,
}

pub(crate) fn run(flags: Flags) -> anyhow::Result<ExitCode> {
    let Action::Sdk { languages, data } = flags.action;
    let all = [Language::Python, Language::Nodejs];
    let chosen = if languages.is_empty() { &all[..] } else { &languages };
    for language in chosen {
        let language = match language {
            Language::Python => runtime::Language::Python,
            Language::Nodejs => runtime::Language::Node,
        };
        runtime::install_sdk(&data.join("runtime"), language, &mut |line| println!("{line}"))?;
    }
    Ok(ExitCode::SUCCESS)
}
