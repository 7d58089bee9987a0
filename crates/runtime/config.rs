//! The pool's settings, and what it says of the machine. Plain values.

use std::{ops::Range, path::PathBuf, sync::Arc, time::Duration};

use crate::{
    languages::Provider,
    sandbox::{Finding, Isolation},
};

/// The pool's settings.
#[derive(Clone, Debug)]
pub struct Config {
    /// The runtime's own folder in the data folder.
    pub data: PathBuf,
    /// How instances are kept apart.
    pub isolation: Isolation,
    /// Most instances at once, idle ones included.
    pub max_instances: usize,
    /// Memory of all instances together, in MiB; `None`: a share of the machine's.
    pub memory_budget_mib: Option<u64>,
    /// How long an instance may idle, unless its function says otherwise.
    pub idle: Duration,
    /// Whether a missing runtime is served by the nearest version there is.
    pub nearest_runtime: bool,
    /// Host user ids that functions run as when the server is root; each has its own.
    pub host_ids: Range<u32>,
}

impl Config {
    /// The defaults: sandboxed, 1,000 instances, a share of the memory, 10 minutes.
    pub fn new(data: impl Into<PathBuf>) -> Config {
        Config {
            data: data.into(),
            isolation: Isolation::Sandbox,
            max_instances: 1000,
            memory_budget_mib: None,
            idle: Duration::from_secs(600),
            nearest_runtime: false,
            host_ids: 1_000_000..1_065_536,
        }
    }
}

/// What the machine offers functions.
#[derive(Clone, Debug)]
pub struct Doctor {
    /// The sandbox.
    pub sandbox: Vec<Finding>,
    /// Runtimes that can be run, and by what.
    pub runtimes: Vec<(&'static str, Arc<Provider>)>,
}
