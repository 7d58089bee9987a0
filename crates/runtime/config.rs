//! The pool's settings, and what it says of the machine. Plain values.

use std::{ops::Range, path::PathBuf, sync::Arc, time::Duration};

use network::{Mode, Names, Reach};

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
    /// Whether installed runtimes go before interpreters of the machine.
    pub prefer_installed: bool,
    /// Host user ids that functions run as when the server is root; each has its own.
    pub host_ids: Range<u32>,
    /// What functions reach.
    pub network: Networking,
}

/// What functions reach.
#[derive(Clone, Debug)]
pub struct Networking {
    /// What functions have that do not ask for any; none: a way out, if the machine can make one.
    pub mode: Option<Mode>,
    /// The most that a function may ask for, besides what all have.
    pub most: Mode,
    /// Where the way out leads.
    pub reach: Reach,
    /// What instances find at their own loopback.
    pub names: Names,
}

impl Default for Networking {
    fn default() -> Networking {
        let names = Names::new(&[]);
        Networking { mode: None, most: Mode::Egress, reach: Reach::default(), names }
    }
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
            prefer_installed: false,
            host_ids: 1_000_000..1_065_536,
            network: Networking::default(),
        }
    }
}

/// What the machine offers functions.
#[derive(Clone, Debug)]
pub struct Doctor {
    /// The sandbox.
    pub sandbox: Vec<Finding>,
    /// Every runtime.
    pub runtimes: Vec<RuntimeFinding>,
}

/// One runtime, and what of this machine serves it.
#[derive(Clone, Debug)]
pub struct RuntimeFinding {
    /// `python3.13`.
    pub runtime: &'static str,
    /// What serves it, or how to get it.
    pub served: Result<Arc<Provider>, String>,
}
