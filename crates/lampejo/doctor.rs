//! `lampejo doctor`: what the machine lacks, and how to mend it.

use std::process::ExitCode;

use crate::config::{Config, Isolation};

/// Prints each finding; fails if functions cannot run.
pub(crate) async fn run(config: &Config) -> anyhow::Result<ExitCode> {
    let isolation = match config.isolation {
        Isolation::Sandbox => runtime::Isolation::Sandbox,
        Isolation::Process => runtime::Isolation::Process,
    };
    let findings = runtime::doctor(isolation, &config.data.join("runtime")).await?;
    let mut sound = true;
    for finding in findings {
        let mark = if finding.ok { "ok  " } else { "LACK" };
        println!("{mark}  {:<14} {}", finding.what, finding.detail);
        sound &= finding.ok || finding.what != "sandbox";
    }
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
