//! `lampejo doctor`: what the machine has for functions, what it lacks, and how to mend it.

use std::{process::ExitCode, sync::Arc};

use bus::Directory;
use kit::Clock;
use lambda::{InstanceLogs, InstanceSurroundings};
use runtime::{Doctor, Pool};

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
    for (runtime, provider) in &doctor.runtimes {
        println!("ok    {runtime:<14} {} {}", provider.version, provider.executable.display());
    }
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
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
