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

use network::Ends;
use rustix::{
    event::{PollFd, PollFlags},
    process::{Pid, Signal, WaitId, WaitIdOptions},
};
use tokio::{
    io::unix::AsyncFd,
    net::{TcpListener, TcpStream, UdpSocket, unix::pipe},
    task::spawn_blocking,
};

use super::{
    Isolation, Machine,
    cgroup::{Alarm, Armed, Cgroup},
    init::Output,
    memory::{Account, Holds},
    peer,
    running::{Channel, Status},
    start::{OwnNetwork, Sockets, Started},
    zygote::Zygote,
};
use crate::timeline::Furnished;

/// A running instance. Dropping it kills it and everything it started.
pub(crate) struct Sandboxed {
    /// Process id of its program, on the host.
    pub(crate) pid: u32,
    /// Where the instance looks for the Runtime API; served by the host.
    pub(crate) runtime_api: TcpListener,
    /// Where the instance looks for AWS; served by the host.
    pub(crate) aws_endpoint: TcpListener,
    /// Where it asks the X-Ray daemon; served by the host.
    pub(crate) xray: TcpListener,
    /// Where it sends the X-Ray daemon its segments.
    pub(crate) segments: UdpSocket,
    /// The rest of its own network, until somebody serves it.
    network: Mutex<Option<Ends>>,
    /// Whether it shares the host's network, where others reach its addresses too.
    pub(super) shares_network: bool,
    /// What it prints.
    pub(crate) stdout: pipe::Receiver,
    /// What it prints as errors.
    pub(crate) stderr: pipe::Receiver,
    /// The first process: a sandbox's init, or the program itself.
    pub(super) body: AsyncFd<Body>,
    /// Where the init reports on the program.
    pub(super) control: Option<Channel>,
    exit: OnceLock<Exit>,
    /// When its parts were there; none of a plain process.
    pub(crate) furnished: Option<Furnished>,
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
        let Started { pid, body, control, sockets, network, output, furnished } = started;
        let Sockets { listeners: [api, aws, xray], segments } = sockets;
        let Output { stdout, stderr } = output;
        // SAFETY: a `Body` has its pidfd open until it is dropped, and the `AsyncFd` owns it.
        let body = unsafe { AsyncFd::register(body) }?;
        Ok(Sandboxed {
            pid,
            body,
            control: control.map(Channel::new).transpose()?,
            shares_network: network.is_none(),
            network: Mutex::new(network.map(ends).transpose()?),
            runtime_api: TcpListener::from_std(api)?,
            aws_endpoint: TcpListener::from_std(aws)?,
            xray: TcpListener::from_std(xray)?,
            segments: UdpSocket::from_std(segments)?,
            stdout: pipe::Receiver::from_owned_fd(stdout)?,
            stderr: pipe::Receiver::from_owned_fd(stderr)?,
            exit: OnceLock::new(),
            furnished,
        })
    }

    /// What is to be served in its own network besides the two addresses. None the second time, and if
    /// it has none.
    pub(crate) fn take_network(&self) -> Option<Ends> {
        self.network.lock().expect("nothing panics while it holds this lock").take()
    }

    /// Whether a connection to the Runtime API comes from one of its processes.
    pub(crate) async fn admits(&self, connection: &TcpStream) -> bool {
        let body = self.body.get_ref();
        // Nobody else is in its network; and a plain process is told from nobody.
        if !self.shares_network || body.machine.isolation == Isolation::Process {
            return true;
        }
        let (Ok(peer), Ok(ours)) = (connection.peer_addr(), connection.local_addr()) else {
            return false;
        };
        let first = body.pid;
        let found = spawn_blocking(move || peer::is_of(first, peer, ours)).await;
        matches!(found, Ok(Ok(true)))
    }

    /// Waits for the program's end and ends the rest with it; then nothing of the instance is left.
    /// May be called again: it answers the same. May be dropped and called anew. One task waits;
    /// others may kill and look at the memory meanwhile.
    pub(crate) async fn wait(&self) -> io::Result<Exit> {
        if let Some(exit) = self.exit.get() {
            return Ok(*exit);
        }
        // None: the init has ended without a word, and its own end tells why.
        let told = match &self.control {
            Some(control) => control.ended().await?,
            None => None,
        };
        if told.is_some() {
            self.kill();
        }
        let _ended = self.body.readable().await?;
        let End { status, oom_killed } = self.body.get_ref().bury()?;
        let Status { code, signal } = told.unwrap_or(status);
        Ok(*self.exit.get_or_init(|| Exit { code, signal, oom_killed }))
    }

    /// Kills it and everything it started. Does not wait.
    pub(crate) fn kill(&self) {
        self.body.get_ref().kill();
    }

    /// Ends the full speed of the init phase: from now on its processor time is its share.
    pub(crate) fn begin_throttle(&self) -> io::Result<()> {
        self.body.get_ref().held().cgroup.as_ref().map_or(Ok(()), Cgroup::throttle)
    }

    /// Whether it can be frozen.
    pub(crate) fn freezes(&self) -> bool {
        self.body.get_ref().held().cgroup.as_ref().is_some_and(Cgroup::freezes)
    }

    /// Stops its processes where they are, or lets them go on.
    pub(crate) fn freeze(&self, frozen: bool) -> io::Result<()> {
        self.body.get_ref().held().cgroup.as_ref().map_or(Ok(()), |cgroup| cgroup.freeze(frozen))
    }

    /// What tells that it may hold too much memory; none where nothing counts it.
    pub(crate) async fn memory_alarm(&self) -> Option<Armed> {
        let bound = self.body.get_ref().held().cgroup.as_ref().and_then(Cgroup::bound)?;
        let set = spawn_blocking(move || bound.set()).await.map_err(io::Error::other);
        match set.flatten().and_then(Alarm::arm) {
            Ok(armed) => Some(armed),
            Err(error) => {
                // Unless it has ended meanwhile.
                let counted = self.body.get_ref().held().cgroup.as_ref().map(Cgroup::count_tmp);
                if counted.is_some_and(|counted| counted.is_ok()) {
                    tracing::warn!(%error, "/tmp counts as memory");
                }
                None
            }
        }
    }

    /// How much memory its processes hold.
    pub(crate) fn memory(&self) -> Holds {
        let body = self.body.get_ref();
        let held = body.held();
        let cgroup = held.cgroup.as_ref().filter(|_| held.end.is_none());
        cgroup.map_or(Holds::Little, |cgroup| body.account.look(cgroup, body.pid))
    }

    /// Whether its processes hold more memory than they may.
    pub(crate) fn exceeds_memory(&self) -> bool {
        let body = self.body.get_ref();
        let held = body.held();
        let cgroup = held.cgroup.as_ref().filter(|_| held.end.is_none());
        cgroup.is_some_and(|cgroup| body.account.exceeds(cgroup, body.pid))
    }

    /// Ends it for want of memory.
    pub(crate) fn starve(&self) {
        self.body.get_ref().account.starve();
        self.kill();
    }

    /// Most memory it has held, in MiB, at most its limit.
    pub(crate) fn peak_memory_mib(&self) -> u32 {
        self.body.get_ref().peak_memory_mib()
    }

    /// The memory that it holds, in bytes; none once it has ended.
    pub(crate) fn memory_bytes(&self) -> Option<u64> {
        self.body.get_ref().memory_bytes()
    }
}

/// Inside the tokio runtime.
fn ends(network: OwnNetwork) -> io::Result<Ends> {
    let (questions, long_questions) = network.names;
    // SAFETY: an `OwnedFd` has its descriptor open until it is dropped, and the `AsyncFd` owns it.
    let registered = |link: OwnedFd| unsafe { AsyncFd::register(link) };
    Ok(Ends {
        questions: UdpSocket::from_std(questions)?,
        long_questions: TcpListener::from_std(long_questions)?,
        link: network.link.map(registered).transpose()?,
    })
}

/// Whose child a first process is.
pub(super) enum Origin {
    /// The server's own.
    Child,
    /// A zygote's, which is told of its end.
    Fork(Arc<Zygote>),
}

/// An instance's first process and what must go with it. Dropping it kills and removes all, in the
/// background.
pub(super) struct Body {
    pid: u32,
    /// The program's process id: the same, or that of the init's child.
    program: u32,
    /// None when it was left to the reaper, in drop.
    pidfd: Option<OwnedFd>,
    memory_mib: u32,
    /// The highest seen so far.
    peak_mib: AtomicU32,
    account: Account,
    held: Mutex<Held>,
    /// Its threads must outlive the instance: it dies with the one that made it.
    pub(super) machine: Arc<Machine>,
    origin: Origin,
}

/// What an instance has until its end, and how that was.
struct Held {
    /// None: the process id is no other process's.
    end: Option<End>,
    /// None for a plain process.
    cgroup: Option<Cgroup>,
}

/// How a first process ended.
#[derive(Clone, Copy)]
pub(super) struct End {
    pub(super) status: Status,
    /// Whether the kernel killed something in the instance for want of memory.
    pub(super) oom_killed: bool,
}

impl Body {
    /// Of a first process that runs a program, which may be itself.
    pub(super) fn new(
        [pid, program]: [u32; 2],
        pidfd: OwnedFd,
        cgroup: Option<Cgroup>,
        memory_mib: u32,
        machine: Arc<Machine>,
        origin: Origin,
    ) -> Body {
        let (held, peak_mib) = (Mutex::new(Held { end: None, cgroup }), AtomicU32::new(0));
        let account = Account::default();
        let pidfd = Some(pidfd);
        Body { pid, program, pidfd, memory_mib, peak_mib, account, held, machine, origin }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().expect("nothing panics while it holds this lock")
    }

    fn kill(&self) {
        self.signal(Signal::KILL);
    }

    /// Another handle of the first process.
    pub(super) fn first(&self) -> io::Result<OwnedFd> {
        self.pidfd.as_ref().ok_or(io::ErrorKind::NotFound)?.try_clone()
    }

    /// Whether the kernel has killed something in here for want of memory.
    pub(super) fn oom_killed(&self) -> bool {
        self.held().cgroup.as_ref().is_some_and(Cgroup::oom_killed)
    }

    /// Signals it and its process group, if it has not ended. An init heeds no signal but this one.
    pub(super) fn signal(&self, signal: Signal) {
        let held = self.held();
        if held.end.is_none() {
            self.send(signal);
        }
    }

    /// To be called while the process id is held.
    fn send(&self, signal: Signal) {
        // A plain process leads a group of its own; a sandbox's others die with its first. It may
        // have ended already: then there is nothing to do.
        if let Some(group) = i32::try_from(self.pid).ok().and_then(Pid::from_raw) {
            let _ = rustix::process::kill_process_group(group, signal);
        }
        if let Some(pidfd) = &self.pidfd {
            let _ = rustix::process::pidfd_send_signal(pidfd, signal);
        }
    }

    /// Takes the status of an ended process and removes what is left of it.
    pub(super) fn bury(&self) -> io::Result<End> {
        self.peak_memory_mib();
        let mut held = self.held();
        if let Some(end) = held.end {
            return Ok(end);
        }
        // Before the process id is free for others: the rest of a plain process's group.
        self.send(Signal::KILL);
        let pidfd = self.pidfd.as_ref().ok_or(io::ErrorKind::NotFound)?;
        let status = match &self.origin {
            Origin::Fork(zygote) => zygote.bury(self.pid),
            Origin::Child => {
                let options = WaitIdOptions::EXITED;
                let status = rustix::process::waitid(WaitId::PidFd(pidfd.as_fd()), options)?;
                let status = status.as_ref();
                let code = status.and_then(|s| s.exit_status());
                Status { code, signal: status.and_then(|s| s.terminating_signal()) }
            }
        };
        let killed = held.cgroup.take().is_some_and(|cgroup| cgroup.oom_killed());
        let oom_killed = killed || self.account.starved();
        Ok(*held.end.insert(End { status, oom_killed }))
    }

    fn peak_memory_mib(&self) -> u32 {
        let bytes = match &*self.held() {
            Held { end: Some(_), .. } => None,
            Held { cgroup: Some(cgroup), .. } => self.account.peak(cgroup, self.pid),
            Held { cgroup: None, .. } => self.resident_bytes("VmHWM:"),
        };
        // A cgroup does not count what a fork still shares with its zygote.
        let shared_mib = match &self.origin {
            Origin::Fork(zygote) if bytes.is_some() => u64::from(zygote.resident_mib()),
            _ => 0,
        };
        let mib = bytes.unwrap_or(0).div_ceil(1 << 20) + shared_mib;
        let mib = mib.min(u64::from(self.memory_mib)) as u32;
        self.peak_mib.fetch_max(mib, Ordering::Relaxed).max(mib)
    }

    fn memory_bytes(&self) -> Option<u64> {
        match &*self.held() {
            Held { end: Some(_), .. } => None,
            Held { cgroup: Some(cgroup), .. } => cgroup.memory_now(),
            Held { cgroup: None, .. } => self.resident_bytes("VmRSS:"),
        }
    }

    /// What the kernel says of the program; without a cgroup nothing counts all processes.
    fn resident_bytes(&self, name: &str) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.program)).ok()?;
        let field = |name| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        // An init has reaped the program by now, perhaps: the number may be another's.
        if self.program != self.pid && field("PPid:")?.parse() != Ok(self.pid) {
            return None;
        }
        field(name)?.strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kib| kib << 10)
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
        let alive = self.held().end.is_none();
        let cgroup = self.held().cgroup.take();
        if let (true, Some(pidfd)) = (alive, self.pidfd.take()) {
            self.machine.reaper.bury(Corpse { pidfd, _cgroup: cgroup });
        }
    }
}

/// Kills a child or a fork and waits for its end.
pub(super) fn kill_and_reap(pidfd: &OwnedFd) {
    let _ = rustix::process::pidfd_send_signal(pidfd, Signal::KILL);
    // Of a fork only this tells: it is not our child.
    let _ = rustix::event::poll(&mut [PollFd::new(pidfd, PollFlags::IN)], None);
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
