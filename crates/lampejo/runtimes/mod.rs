//! `lampejo runtime`: installs runtimes (`install`), and what functions import without packaging it.

mod install;
mod name;

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Subcommand, ValueEnum};

use crate::config;

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
    /// Install a runtime: AWS's base image of it, without Docker
    Install {
        /// Its name, such as python3.13 or provided.al2023
        name: name::Runtime,
        /// Another image than AWS's
        #[arg(long)]
        from: Option<String>,
        #[command(flatten)]
        settings: Settings,
    },
    /// Say which runtimes are installed
    List {
        #[command(flatten)]
        settings: Settings,
    },
    /// Remove an installed runtime; while no server uses the data folder
    Remove {
        /// Its name
        name: name::Runtime,
        #[command(flatten)]
        settings: Settings,
    },
}

/// Where the data folder is, and how registries are spoken to.
#[derive(Args)]
struct Settings {
    /// The server's data folder [default: ./.lampejo]
    #[arg(long, env = "LAMPEJO_DATA")]
    data: Option<PathBuf>,
    /// Settings file [default: lampejo.toml, if it is there]
    #[arg(long, env = "LAMPEJO_CONFIG")]
    config: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Language {
    /// boto3, by pip
    Python,
    /// @aws-sdk/*, by npm
    Nodejs,
}

pub(crate) async fn run(flags: Flags) -> anyhow::Result<ExitCode> {
    match flags.action {
        Action::Sdk { languages, data } => install_sdks(&languages, &data.join("runtime"))?,
        Action::Install { name, from, settings } => {
            install::install(&settings.load()?, &name, from.as_deref()).await?;
        }
        Action::List { settings } => install::list(&settings.load()?)?,
        Action::Remove { name, settings } => install::remove(&settings.load()?, &name)?,
    }
    Ok(ExitCode::SUCCESS)
}

impl Settings {
    fn load(self) -> anyhow::Result<config::Config> {
        config::Config::load(config::Flags::of(self.data, self.config))
    }
}

fn install_sdks(languages: &[Language], folder: &std::path::Path) -> anyhow::Result<()> {
    let all = [Language::Python, Language::Nodejs];
    let chosen = if languages.is_empty() { &all[..] } else { languages };
    for language in chosen {
        let language = match language {
            Language::Python => runtime::Language::Python,
            Language::Nodejs => runtime::Language::Node,
        };
        runtime::install_sdk(folder, language, &mut |line| println!("{line}"))?;
    }
    Ok(())
}
