//! One instance's cage: what it may see, use and call, and how it is started and ended.
//!
//! Always true: an instance sees only what its `Spec` names, dies with the server, and leaves
//! nothing behind. Read in this order: `spec` (what the caller says), `instance` (what the caller
//! gets), `start` (the parent's half of a start), `child` (the other half, between clone and exec),
//! then what the child puts on: `wiring`, `root`, `mounts`, `limits`, `landlock`, `seccomp`; `cgroup` for
//! resources, `memory` for the one that needs counting.
//! The child becomes the sandbox's `init` (the program is in `../init`), which runs programs for us
//! as long as the sandbox lives: `running` is one of them. `zygote` is what instances are forked from.

mod cgroup;
mod child;
mod dial;
mod doctor;
mod failure;
mod init;
mod instance;
mod landlock;
mod limits;
mod memory;
mod mounts;
mod peer;
mod plan;
#[allow(dead_code, reason = "init's half of it")]
#[path = "../init/protocol.rs"]
mod protocol;
mod root;
mod running;
mod seccomp;
mod spawner;
mod spec;
mod start;
#[cfg(test)]
mod tests;
mod wiring;
mod zygote;

use std::{collections::BTreeMap, io, os::fd::OwnedFd, sync::Arc};

use tokio::task::spawn_blocking;

pub(crate) use cgroup::Armed;
pub(crate) use dial::Dialer;
pub use doctor::Finding;
pub(crate) use failure::ENTER_FOLDER;
pub(crate) use instance::{Exit, Sandboxed};
pub(crate) use memory::Holds;
pub(crate) use running::{Running, Status};
pub use spec::Isolation;
pub(crate) use spec::{Bind, HostId, ImageRoot, Program, Spec, View};
pub(crate) use wiring::lacks_tun;
pub(crate) use zygote::{Channel, Zygote};

use cgroup::Cgroups;
use instance::Reaper;
use root::Rights;
use spawner::Spawner;

/// Starts instances. Made once per server; cheap to clone.
#[derive(Clone)]
pub(crate) struct Sandboxer {
    machine: Arc<Machine>,
}

/// What is found out or built once.
struct Machine {
    isolation: Isolation,
    rights: Rights,
    /// None: the text says why there are none.
    cgroups: Result<Cgroups, String>,
    /// What every sandbox sees of the host.
    base: Arc<[root::Entry]>,
    /// What it sees of it with an image as its root.
    image_base: Arc<[root::Entry]>,
    filters: Arc<seccomp::Filters>,
    zygote_filters: Arc<seccomp::Filters>,
    landlock_abi: u32,
    /// There is IPv6 outside.
    ipv6: bool,
    /// The file of the program that is every sandbox's first; none: the text says why.
    init: Result<Arc<OwnedFd>, String>,
    spawner: Spawner,
    reaper: Reaper,
}

/// The step of a start that wants the file of the first program.
const INIT_FILE: &str = "make init's file";

/// A step of a start failed. Nothing of the instance is left.
#[derive(Debug, thiserror::Error)]
#[error("{step}: {source}")]
pub(crate) struct StartError {
    /// The step's name, fit for a message: `mount /proc`.
    pub(crate) step: &'static str,
    /// What the system said, with the path it said it about.
    pub(crate) source: io::Error,
}

impl StartError {
    /// Names the step that an input/output error happened in.
    fn at(step: &'static str) -> impl Fn(io::Error) -> StartError {
        move |source| StartError { step, source }
    }
}

impl Sandboxer {
    /// Looks at the machine, removes what a killed server left, and starts the threads that start
    /// instances.
    pub(crate) fn new(isolation: Isolation) -> Result<Sandboxer, StartError> {
        let rights = Rights::of_this_process();
        let cgroups = match isolation {
            Isolation::Sandbox => Cgroups::find(),
            Isolation::Process => Err("isolation is process".into()),
        };
        if let Ok(cgroups) = &cgroups {
            cgroups.sweep();
        }
        let machine = Machine {
            isolation,
            rights,
            cgroups,
            base: root::base().into(),
            image_base: root::image_base().into(),
            filters: Arc::new(seccomp::Filters::compile().map_err(StartError::at("seccomp"))?),
            zygote_filters: Arc::new(
                seccomp::Filters::compile_for_zygotes().map_err(StartError::at("seccomp"))?,
            ),
            landlock_abi: landlock::abi(),
            ipv6: network::host_has_ipv6(),
            init: init::file().map(Arc::new).map_err(|error| error.to_string()),
            spawner: Spawner::new().map_err(StartError::at("spawner thread"))?,
            reaper: Reaper::new().map_err(StartError::at("reaper thread"))?,
        };
        Ok(Sandboxer { machine: Arc::new(machine) })
    }

    /// Whether instances see something else than the host.
    pub(crate) fn isolates(&self) -> bool {
        self.machine.isolation == Isolation::Sandbox
    }

    /// Starts one instance: its program runs when this returns. `program` is told where the
    /// instance will find things and answers with arguments and environment.
    pub(crate) async fn start(
        &self,
        spec: Spec,
        program: impl FnOnce(&View) -> Program,
    ) -> Result<Sandboxed, StartError> {
        let place = start::Place::new(self.machine.isolation, &spec)?;
        let program = program(&place.view);
        let machine = self.machine.clone();
        let started = spawn_blocking(move || start::start(&machine, &spec, place, &program)).await;
        let started = started.map_err(|e| StartError { step: "start", source: e.into() })??;
        Sandboxed::new(started).map_err(StartError::at("register with the runtime"))
    }

    /// Whether instances can be forked here. Registers are the processor's own.
    pub(crate) fn forks(&self) -> bool {
        self.isolates() && cfg!(target_arch = "x86_64")
    }

    /// Forks one instance from a zygote, with what of its environment is different.
    pub(crate) async fn fork(
        &self,
        zygote: Arc<Zygote>,
        spec: Spec,
        variables: &BTreeMap<String, String>,
    ) -> Result<Sandboxed, StartError> {
        let message = zygote::restore_message(variables);
        let machine = self.machine.clone();
        let forked = spawn_blocking(move || zygote::fork(&machine, &zygote, &spec, &message));
        let forked = forked.await.map_err(|e| StartError { step: "start", source: e.into() })??;
        Sandboxed::new(forked).map_err(StartError::at("register with the runtime"))
    }

    /// What the machine has and lacks for sandboxes, with ways to mend it. Starts one.
    pub(crate) async fn doctor(&self) -> Vec<Finding> {
        doctor::examine(self).await
    }
}
