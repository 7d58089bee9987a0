//! A started instance: its sockets and pipes, its end.

use std::{
    fs, io,
    os::fd::{AsFd, AsRawFd, OwnedFd, RawFd},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock,
        atomic::{AtomicU32, Ordering},
        mpsc::{SyncSender, TrySendError, sync_channel},
    },
    thread,
};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};
use tokio::{
    io::unix::AsyncFd,
    net::{TcpListener, unix::pipe},
};

use super::{Machine, cgroup::Cgroup, start::Started};

/// A running instance. Dropping it kills it and everything it started.
pub(crate) struct Sandboxed {
    /// Process id on the host.
    pub(crate) pid: u32,
    /// Where the instance looks for the Runtime API; served by the host.
    pub(crate) runtime_api: TcpListener,
    /// Where the instance looks for AWS; served by the host.
    pub(crate) aws_endpoint: TcpListener,
    /// What it prints.
    pub(crate) stdout: pipe::Receiver,
    /// What it prints as errors.
    pub(crate) stderr: pipe::Receiver,
    body: AsyncFd<Body>,
    exit: OnceLock<Exit>,
}

/// How an instance ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exit {
    /// Exit status, if it exited.
    pub(crate) code: Option<i32>,
    /// The signal that ended it, if one did.
    pub(crate) signal: Option<i32>,
    /// Whether the kernel killed something in it for want of memory.
    pub(crate) oom_killed: bool,
}

impl Sandboxed {
    /// Inside the tokio runtime.
    pub(super) fn new(started: Started) -> io::Result<Sandboxed> {
        let Started { body, listeners: [api, aws], stdout, stderr } = started;
        let pid = body.pid;
        // SAFETY: a `Body` has its pidfd open until it is dropped, and the `AsyncFd` owns it.
        let body = unsafe { AsyncFd::register(body) }?;
        Ok(Sandboxed {
            pid,
            body,
            runtime_api: TcpListener::from_std(api)?,
            aws_endpoint: TcpListener::from_std(aws)?,
            stdout: pipe::Receiver::from_owned_fd(stdout)?,
            stderr: pipe::Receiver::from_owned_fd(stderr)?,
            exit: OnceLock::new(),
        })
    }

    /// Waits for the end; then nothing of the instance is left. May be called again: it answers
    /// the same. May be dropped and called anew. One task waits; others may kill and look at the
    /// memory meanwhile.
    pub(crate) async fn wait(&self) -> io::Result<Exit> {
        if let Some(exit) = self.exit.get() {
            return Ok(*exit);
        }
        let _ended = self.body.readable().await?;
        let exit = self.body.get_ref().bury()?;
        Ok(*self.exit.get_or_init(|| exit))
    }

    /// Kills it and everything it started. Does not wait.
    pub(crate) fn kill(&self) {
        self.body.get_ref().kill();
    }

    /// Ends the full speed of the init phase: from now on its processor time is its share.
    pub(crate) fn begin_throttle(&self) -> io::Result<()> {
        self.body.get_ref().held().cgroup.as_ref().map_or(Ok(()), Cgroup::throttle)
    }

    /// Most memory it has held, in MiB, at most its limit.
    pub(crate) fn peak_memory_mib(&self) -> u32 {
        self.body.get_ref().peak_memory_mib()
    }
}

/// The process and what must go with it. Dropping it kills and removes all, in the background.
pub(super) struct Body {
    pid: u32,
    /// None when it was left to the reaper, in drop.
    pidfd: Option<OwnedFd>,
    memory_mib: u32,
    /// The highest seen so far.
    peak_mib: AtomicU32,
    held: Mutex<Held>,
    /// Its threads must outlive the instance: it dies with the one that made it.
    machine: Arc<Machine>,
}

/// What an instance has until its end.
struct Held {
    /// The process id is no other process's.
    pid: bool,
    /// None for a plain process.
    cgroup: Option<Cgroup>,
}

impl Body {
    pub(super) fn new(
        pid: u32,
        pidfd: OwnedFd,
        cgroup: Option<Cgroup>,
        memory_mib: u32,
        machine: Arc<Machine>,
    ) -> Body {
        let (held, peak_mib) = (Mutex::new(Held { pid: true, cgroup }), AtomicU32::new(0));
        Body { pid, pidfd: Some(pidfd), memory_mib, peak_mib, held, machine }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().expect("nothing panics while it holds this lock")
    }

    fn kill(&self) {
        let held = self.held();
        if held.pid {
            self.signal();
        }
    }

    /// To be called while the process id is held.
    fn signal(&self) {
        // A plain process leads a group of its own; a sandbox's others die with its first. It may
        // have ended already: then there is nothing to do.
        if let Some(group) = i32::try_from(self.pid).ok().and_then(Pid::from_raw) {
            let _ = rustix::process::kill_process_group(group, Signal::KILL);
        }
        if let Some(pidfd) = &self.pidfd {
            let _ = rustix::process::pidfd_send_signal(pidfd, Signal::KILL);
        }
    }

    /// Takes the status of an ended process and removes what is left of it.
    fn bury(&self) -> io::Result<Exit> {
        self.peak_memory_mib();
        let mut held = self.held();
        // Before the process id is free for others: the rest of a plain process's group.
        self.signal();
        let pidfd = self.pidfd.as_ref().ok_or(io::ErrorKind::NotFound)?;
        let options = WaitIdOptions::EXITED;
        let status = rustix::process::waitid(WaitId::PidFd(pidfd.as_fd()), options)?;
        held.pid = false;
        let oom_killed = held.cgroup.take().is_some_and(|cgroup| cgroup.oom_killed());
        let status = status.as_ref();
        Ok(Exit {
            code: status.and_then(|s| s.exit_status()),
            signal: status.and_then(|s| s.terminating_signal()),
            oom_killed,
        })
    }

    fn peak_memory_mib(&self) -> u32 {
        let bytes = match &*self.held() {
            Held { pid: false, .. } => None,
            Held { cgroup: Some(cgroup), .. } => cgroup.peak_bytes(),
            Held { cgroup: None, .. } => resident_peak_bytes(self.pid),
        };
        let mib = bytes.unwrap_or(0).div_ceil(1 << 20).min(u64::from(self.memory_mib)) as u32;
        self.peak_mib.fetch_max(mib, Ordering::Relaxed).max(mib)
    }
}

impl AsRawFd for Body {
    fn as_raw_fd(&self) -> RawFd {
        self.pidfd.as_ref().map_or(-1, AsRawFd::as_raw_fd)
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        self.kill();
        let alive = self.held().pid;
        let cgroup = self.held().cgroup.take();
        if let (true, Some(pidfd)) = (alive, self.pidfd.take()) {
            self.machine.reaper.bury(Corpse { pidfd, _cgroup: cgroup });
        }
    }
}

/// The kernel's high-water mark of the first process; without a cgroup nothing counts them all.
fn resident_peak_bytes(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let kib = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    kib.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kib| kib << 10)
}

/// Kills a child and waits for its end.
pub(super) fn kill_and_reap(pidfd: &OwnedFd) {
    let _ = rustix::process::pidfd_send_signal(pidfd, Signal::KILL);
    let _ = rustix::process::waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED);
}

/// A thread that waits for what was killed, so that nobody else need: the end of a process
/// namespace takes milliseconds.
pub(super) struct Reaper {
    corpses: SyncSender<Corpse>,
}

struct Corpse {
    pidfd: OwnedFd,
    /// Removed after the process.
    _cgroup: Option<Cgroup>,
}

/// More dead instances than this at once are waited for by whoever dropped them.
const CORPSES: usize = 1024;

impl Reaper {
    pub(super) fn new() -> io::Result<Reaper> {
        let (corpses, queue) = sync_channel::<Corpse>(CORPSES);
        let work = move || queue.iter().for_each(Corpse::bury);
        thread::Builder::new().name("reaper".into()).spawn(work)?;
        Ok(Reaper { corpses })
    }

    fn bury(&self, corpse: Corpse) {
        match self.corpses.try_send(corpse) {
            Ok(()) => {}
            Err(TrySendError::Full(corpse) | TrySendError::Disconnected(corpse)) => corpse.bury(),
        }
    }
}

impl Corpse {
    fn bury(self) {
        kill_and_reap(&self.pidfd);
    }
}
