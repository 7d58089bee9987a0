//! One instance's cage: what it may see, use and call, and how it is started and ended.
//!
//! Always true: an instance sees only what its `Spec` names, dies with the server, and leaves
//! nothing behind. Read in this order: `spec` (what the caller says), `instance` (what the caller
//! gets), `start` (the parent's half of a start), `child` (the other half, between clone and exec).

mod instance;
mod process;
mod spec;

pub(crate) use instance::{Exit, Sandboxed};
pub use spec::Isolation;
pub(crate) use spec::{Bind, HostId, Program, Spec, View};

/// Starts instances. Made once per server; cheap to clone.
#[derive(Clone)]
pub(crate) struct Sandboxer {
    isolation: Isolation,
}

/// A step of a start failed. Nothing of the instance is left.
#[derive(Debug, thiserror::Error)]
#[error("{step}: {source}")]
pub(crate) struct StartError {
    /// The step's name, fit for a message: `mount /proc`.
    pub(crate) step: &'static str,
    /// What the system said, with the path it said it about.
    pub(crate) source: std::io::Error,
}

/// One thing the machine was asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at: `cgroups`.
    pub what: &'static str,
    /// Whether the sandbox has it.
    pub ok: bool,
    /// What was found, and if not `ok`, how to mend it.
    pub detail: String,
}

impl Sandboxer {
    /// Probes what the machine has. Call it inside the tokio runtime.
    pub(crate) fn new(isolation: Isolation) -> Result<Sandboxer, StartError> {
        Ok(Sandboxer { isolation })
    }

    /// Starts one instance: its program runs when this returns. `program` is told where the
    /// instance will find things and answers with arguments and environment.
    pub(crate) async fn start(
        &self,
        spec: Spec,
        program: impl FnOnce(&View) -> Program,
    ) -> Result<Sandboxed, StartError> {
        match self.isolation {
            Isolation::Process => process::start(spec, program).await,
            Isolation::Sandbox => Err(StartError {
                step: "sandbox",
                source: std::io::ErrorKind::Unsupported.into(),
            }),
        }
    }

    /// What the machine has and lacks for sandboxes, with ways to mend it.
    pub(crate) fn doctor(&self) -> Vec<Finding> {
        Vec::new()
    }
}
