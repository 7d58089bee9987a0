//! The parent's half of a start. Blocks for a few milliseconds: not for tokio's own threads.

use std::{
    fs,
    io::{self, IoSliceMut},
    mem::MaybeUninit,
    net::{SocketAddr, TcpListener},
    os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd},
    sync::Arc,
    time::Duration,
};

use rustix::{
    io::Errno,
    net::{
        AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendFlags, Shutdown,
        SocketFlags, SocketType, sockopt,
    },
    pipe::PipeFlags,
    process::Signal,
};

use super::{
    Isolation, Machine, StartError,
    cgroup::Cgroup,
    child,
    failure::{Failure, HELLO, Step},
    instance::{Body, kill_and_reap},
    limits::{Limits, MemoryBy},
    plan::{CStrings, Cage, Plan, c_path},
    root::{Rights, Root},
    spawner::PidfdSlot,
    spec::{Program, Spec, View},
};

/// Where Lambda's own runtime listens.
pub(super) const RUNTIME_API_PORT: u16 = 9001;
/// Lampejo's port outside, and inside too.
pub(super) const AWS_ENDPOINT_PORT: u16 = 4566;

/// A start takes milliseconds; one that takes this long hangs in the kernel.
const PATIENCE: Duration = Duration::from_secs(10);

/// The instance's two addresses, before it exists.
pub(super) struct Place {
    pub(super) view: View,
    /// A plain process shares the host's network: we listen. A sandbox's child listens itself.
    listeners: Option<[TcpListener; 2]>,
}

/// A running program and our ends of what it holds.
pub(super) struct Started {
    pub(super) body: Body,
    /// Runtime API and AWS endpoint, nonblocking.
    pub(super) listeners: [TcpListener; 2],
    pub(super) stdout: OwnedFd,
    pub(super) stderr: OwnedFd,
}

impl Place {
    pub(super) fn new(isolation: Isolation, spec: &Spec) -> Result<Place, StartError> {
        let local = |port| SocketAddr::from(([127, 0, 0, 1], port));
        if isolation == Isolation::Sandbox {
            let (api, aws) = (local(RUNTIME_API_PORT), local(AWS_ENDPOINT_PORT));
            return Ok(Place { view: View::new(isolation, spec, api, aws), listeners: None });
        }
        let listen = || {
            let listener = TcpListener::bind(local(0))?;
            listener.set_nonblocking(true)?;
            Ok((listener.local_addr()?, listener))
        };
        let failed = StartError::at("listen on loopback");
        let (api_address, api) = listen().map_err(&failed)?;
        let (aws_address, aws) = listen().map_err(&failed)?;
        let view = View::new(isolation, spec, api_address, aws_address);
        Ok(Place { view, listeners: Some([api, aws]) })
    }
}

/// What went wrong, and whose words tell it.
enum Trouble {
    Child(Failure),
    Parent(StartError),
}

impl From<StartError> for Trouble {
    fn from(error: StartError) -> Trouble {
        Trouble::Parent(error)
    }
}

/// Starts one instance; its program runs when this returns.
pub(super) fn start(
    machine: &Arc<Machine>,
    spec: &Spec,
    place: Place,
    program: &Program,
) -> Result<Started, StartError> {
    let (cage, cgroup) = match machine.isolation {
        Isolation::Sandbox => cage(machine, spec).map(|(cage, group)| (Some(cage), group))?,
        Isolation::Process => (None, None),
    };
    let root = cage.as_ref().map(|cage| cage.root.clone());
    let Made { plan, control, stdout, stderr } =
        prepare(spec, program, cage).map_err(StartError::at("prepare"))?;
    let executable = plan.arguments.first_text();
    let spawning = machine.spawner.spawn(plan).map_err(StartError::at("spawn"))?;
    let met = match place.listeners {
        Some(listeners) => Ok(listeners),
        None => accompany(&control, &spawning.pidfd, cgroup.as_ref(), |pid| {
            write_maps(pid, machine.rights, spec)
        }),
    };
    // If the child gave up meanwhile, its reason is the better one.
    let met = met.or_else(|trouble| last_words(&control).and(Err(trouble)));
    if met.is_err() {
        // Whatever it is doing, it must end: `finish` waits for it.
        let _ = rustix::net::shutdown(&control, Shutdown::Write);
        kill_early(&spawning.pidfd);
    }
    let pidfd = spawning.finish().map_err(StartError::at("clone into new namespaces"))?;
    let running = met.and_then(|listeners| {
        last_words(&control)?;
        let pid = pid_of(pidfd.as_raw_fd()).map_err(StartError::at("read the process id"))?;
        Ok((listeners, pid))
    });
    match running {
        Ok((listeners, pid)) => {
            let body = Body::new(pid, pidfd, cgroup, spec.memory_mib, machine.clone());
            Ok(Started { body, listeners, stdout, stderr })
        }
        Err(trouble) => {
            kill_and_reap(&pidfd);
            Err(explain(trouble, root.as_deref(), &executable))
        }
    }
}

fn cage(machine: &Machine, spec: &Spec) -> Result<(Cage, Option<Cgroup>), StartError> {
    let cgroups = machine.cgroups.as_ref().ok();
    let memory = match cgroups {
        Some(cgroups) if cgroups.bounds_memory() => MemoryBy::Cgroup,
        _ => MemoryBy::Process,
    };
    let limits = Limits::new(spec, memory);
    let cgroup = cgroups
        .map(|cgroups| cgroups.create(&spec.id, &limits))
        .transpose()
        .map_err(StartError::at("create the cgroup"))?;
    let cage = Cage {
        drop_groups: machine.rights == Rights::Root,
        root: Arc::new(match &spec.image {
            None => Root::new(machine.base.clone(), spec, machine.rights)?,
            Some(image) => {
                Root::of_image(machine.image_base.clone(), &image.tree, spec, machine.rights)?
            }
        }),
        hostname: spec.hostname.as_bytes().to_vec(),
        limits,
        landlock_abi: machine.landlock_abi,
        filters: machine.filters.clone(),
    };
    Ok((cage, cgroup))
}

/// The child's plan, and our ends of what it is given.
struct Made {
    plan: Plan,
    control: OwnedFd,
    stdout: OwnedFd,
    stderr: OwnedFd,
}

fn prepare(spec: &Spec, program: &Program, cage: Option<Cage>) -> io::Result<Made> {
    let flags = SocketFlags::CLOEXEC;
    let kind = SocketType::SEQPACKET;
    let (control, theirs) = rustix::net::socketpair(AddressFamily::UNIX, kind, flags, None)?;
    sockopt::set_socket_timeout(&control, sockopt::Timeout::Recv, Some(PATIENCE))?;
    let (stdout, their_stdout) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
    let (stderr, their_stderr) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
    let folder = match (&cage, &spec.image) {
        (Some(_), Some(image)) => c_path(&image.folder)?,
        (Some(_), None) => c"/var/task".to_owned(),
        (None, _) => c_path(&spec.code)?,
    };
    let stdin = OwnedFd::from(fs::File::open("/dev/null")?);
    let given = [&stdin, &their_stdout, &their_stderr, &theirs].map(AsRawFd::as_raw_fd);
    let held = cage.iter().flat_map(|cage| cage.root.held());
    let mut kept: Vec<RawFd> = held.chain(given).collect();
    kept.sort_unstable();
    let plan = Plan {
        candidates: program.candidates()?,
        arguments: CStrings::arguments(program)?,
        environment: CStrings::environment(program)?,
        folder,
        stdin,
        stdout: their_stdout,
        stderr: their_stderr,
        server: rustix::process::getpid(),
        control: theirs,
        kept,
        cage,
    };
    Ok(Made { plan, control, stdout, stderr })
}

/// Does for the child what it may not do itself, and takes its sockets.
fn accompany(
    control: &OwnedFd,
    pidfd: &PidfdSlot,
    cgroup: Option<&Cgroup>,
    write_maps: impl FnOnce(u32) -> io::Result<()>,
) -> Result<[TcpListener; 2], Trouble> {
    let (message, _) = receive(control)?;
    if message != [HELLO] {
        return Err(unexpected(&message));
    }
    let pid = pid_of(pidfd.get()).map_err(StartError::at("read the process id"))?;
    write_maps(pid).map_err(StartError::at("write the user map"))?;
    go(control)?;
    // While the child furnishes its namespaces: entering takes the kernel as long as that.
    if let Some(cgroup) = cgroup {
        cgroup.attach(pid).map_err(StartError::at("enter the cgroup"))?;
    }
    let (message, sockets) = receive(control)?;
    let Ok(sockets) = <[OwnedFd; 2]>::try_from(sockets) else {
        return Err(unexpected(&message));
    };
    go(control)?;
    Ok(sockets.map(TcpListener::from))
}

fn go(control: &OwnedFd) -> Result<(), StartError> {
    rustix::net::send(control, &[0], SendFlags::NOSIGNAL)
        .map(drop)
        .map_err(|errno| StartError { step: "handshake", source: errno.into() })
}

/// A rootless server can lend only its own user, and only if groups stay as they are.
fn write_maps(pid: u32, rights: Rights, spec: &Spec) -> io::Result<()> {
    let (uid, gid) = match rights {
        Rights::Root => (spec.host_id.uid, spec.host_id.gid),
        Rights::Rootless => {
            fs::write(format!("/proc/{pid}/setgroups"), "deny")?;
            (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw())
        }
    };
    fs::write(format!("/proc/{pid}/uid_map"), format!("{} {uid} 1", child::UID))?;
    fs::write(format!("/proc/{pid}/gid_map"), format!("{} {gid} 1", child::GID))
}

/// The child's next message, with the sockets it carries.
fn receive(control: &OwnedFd) -> Result<(Vec<u8>, Vec<OwnedFd>), StartError> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut bytes = [0u8; 16];
    let received = rustix::net::recvmsg(
        control,
        &mut [IoSliceMut::new(&mut bytes)],
        &mut ancillary,
        RecvFlags::CMSG_CLOEXEC,
    )
    .map_err(|errno| StartError { step: "handshake", source: errno.into() })?;
    let sockets = ancillary
        .drain()
        .filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(sockets) => Some(sockets),
            _ => None,
        })
        .flatten()
        .collect();
    Ok((bytes[..received.bytes].to_vec(), sockets))
}

/// What the child said before it gave up; nothing if its program runs.
fn last_words(control: &OwnedFd) -> Result<(), Trouble> {
    let mut bytes = [0u8; 16];
    let mut read = || rustix::net::recv(control, &mut bytes, RecvFlags::DONTWAIT);
    // A child that ends without having taken our last message resets the socket: that is told
    // once, before what it said.
    let said = match read() {
        Err(Errno::CONNRESET) => read(),
        said => said,
    };
    match said {
        Ok((length, _)) if length > 0 => Err(unexpected(&bytes[..length])),
        _ => Ok(()),
    }
}

/// A message other than the awaited one: the child's failure, or its sudden end.
fn unexpected(message: &[u8]) -> Trouble {
    Failure::decode(message).map_or_else(
        || {
            let source = io::Error::new(io::ErrorKind::UnexpectedEof, "the child ended");
            Trouble::Parent(StartError { step: "handshake", source })
        },
        Trouble::Child,
    )
}

fn explain(trouble: Trouble, root: Option<&Root>, executable: &str) -> StartError {
    let failure = match trouble {
        Trouble::Parent(error) => return error,
        Trouble::Child(failure) => failure,
    };
    let about = match (failure.step, root) {
        (Step::Root, Some(root)) => root.path(failure.entry),
        (Step::Exec, _) => executable.to_owned(),
        _ => String::new(),
    };
    let cause = io::Error::from(failure.errno);
    let source = match about.is_empty() {
        true => cause,
        false => io::Error::new(cause.kind(), format!("{about}: {cause}")),
    };
    StartError { step: failure.step.name(), source }
}

/// Ends a child whose start is not answered yet.
fn kill_early(slot: &PidfdSlot) {
    let fd = slot.get();
    if fd >= 0 {
        // SAFETY: the kernel opened it for this child, and it is closed by nobody before the
        // answer, which is still to be taken.
        let pidfd = unsafe { BorrowedFd::borrow_raw(fd) };
        let _ = rustix::process::pidfd_send_signal(pidfd, Signal::KILL);
    }
}

/// The process id that a pidfd stands for.
fn pid_of(pidfd: RawFd) -> io::Result<u32> {
    let text = fs::read_to_string(format!("/proc/self/fdinfo/{pidfd}"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pid:"));
    line.and_then(|pid| pid.trim().parse().ok()).ok_or_else(|| io::ErrorKind::NotFound.into())
}
