//! `lampejo doctor`: what the machine has for functions, what it lacks, and how to mend it.

use std::{process::ExitCode, sync::Arc};

use bus::Directory;
use kit::Clock;
use lambda::{InstanceLogs, InstanceSurroundings};
use runtime::{Doctor, Pool, Provider, RuntimeFinding};

use crate::{config::Config, up::pool_config};

/// Prints each finding; fails if functions cannot run isolated.
pub(crate) async fn run(config: &Config) -> anyhow::Result<ExitCode> {
    let doctor = examine(config).await?;
    let mut sound = true;
    for finding in &doctor.sandbox {
        let mark = if finding.ok { "ok  " } else { "LACK" };
        println!("{mark}  {:<14} {}", finding.what, finding.detail);
        sound &= finding.ok || finding.what != "sandbox";
    }
    doctor.runtimes.iter().for_each(show);
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn show(finding: &RuntimeFinding) {
    let runtime = finding.runtime;
    match &finding.served {
        Err(advice) => println!("none  {runtime:<14} {advice}"),
        Ok(provider) => {
            let mark = if provider.warning.is_none() { "ok  " } else { "near" };
            println!("{mark}  {runtime:<14} {}", served_by(provider));
        }
    }
}

fn served_by(provider: &Provider) -> String {
    match &provider.installed {
        Some((installed, _)) => format!("installed, {}", installed.resolved),
        None if provider.executable.as_os_str().is_empty() => "functions bring a program".into(),
        None => format!("{} {}", provider.version, provider.executable.display()),
    }
}

/// Asks a pool of its own that serves nobody.
async fn examine(config: &Config) -> anyhow::Result<Doctor> {
    let directory = Arc::new(Directory::default());
    let logs = InstanceLogs::start(directory.clone(), Clock::default());
    let surroundings = InstanceSurroundings::new(directory);
    let pool = Pool::open(pool_config(config), Clock::default(), logs, surroundings)?;
    let doctor = pool.doctor().await;
    pool.shutdown().await;
    Ok(doctor)
}
