//! The parent's half of a start. Blocks for a few milliseconds: not for tokio's own threads.

use std::{
    fs, io,
    net::{SocketAddr, TcpListener, UdpSocket},
    os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd},
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use network::Mode;
use rustix::{
    io::Errno,
    net::{RecvFlags, SendFlags, Shutdown, sockopt},
    pipe::PipeFlags,
    process::Signal,
};

use super::{
    INIT_FILE, Isolation, Machine, StartError,
    cgroup::Cgroup,
    child,
    failure::Failure,
    init::{self, Launch, Message, Output, Report},
    instance::{Body, Origin, kill_and_reap},
    limits::{Limits, MemoryBy},
    plan::{CStrings, Cage, Plain, Plan, Work, c_path},
    protocol::{HELLO, LISTENERS},
    root::{Rights, Root},
    spawner::PidfdSlot,
    spec::{Program, Spec, View},
    wiring::Wiring,
};
use crate::timeline::Furnished;

/// Where Lambda's own runtime listens.
pub(super) const RUNTIME_API_PORT: u16 = 9001;
/// Lampejo's port outside, and inside too.
pub(super) const AWS_ENDPOINT_PORT: u16 = 4566;
/// The X-Ray daemon's, over UDP and over TCP.
pub(super) const XRAY_PORT: u16 = 2000;

/// A start takes milliseconds; one that takes this long hangs in the kernel.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the server serves an instance on, nonblocking.
pub(super) struct Sockets {
    /// Runtime API, AWS endpoint and X-Ray daemon.
    pub(super) listeners: [TcpListener; 3],
    /// The X-Ray daemon's other one.
    pub(super) segments: UdpSocket,
}

/// The instance's addresses, before it exists.
pub(super) struct Place {
    pub(super) view: View,
    /// Who shares the host's network: we listen. A sandbox's child listens itself.
    sockets: Option<Sockets>,
}

/// A running program and our ends of what it holds.
pub(super) struct Started {
    /// The program's process id on the host.
    pub(super) pid: u32,
    pub(super) body: Body,
    /// Where a sandbox's init reports and listens.
    pub(super) control: Option<OwnedFd>,
    pub(super) sockets: Sockets,
    /// None: it has the host's network.
    pub(super) network: Option<OwnNetwork>,
    pub(super) output: Output,
    /// When the parts of a sandbox were there.
    pub(super) furnished: Option<Furnished>,
}

/// The host's ends of an instance's own network.
pub(super) struct OwnNetwork {
    /// Names, by datagram and by connection.
    pub(super) names: (UdpSocket, TcpListener),
    /// The way out, if it has one.
    pub(super) link: Option<OwnedFd>,
}

impl Place {
    pub(super) fn new(isolation: Isolation, spec: &Spec) -> Result<Place, StartError> {
        let local = |port| SocketAddr::from(([127, 0, 0, 1], port));
        if isolation == Isolation::Sandbox && spec.network != Mode::Host {
            let addresses = [RUNTIME_API_PORT, AWS_ENDPOINT_PORT, XRAY_PORT].map(local);
            return Ok(Place { view: View::new(isolation, spec, addresses), sockets: None });
        }
        let (sockets, addresses) =
            Sockets::listen().map_err(StartError::at("listen on loopback"))?;
        Ok(Place { view: View::new(isolation, spec, addresses), sockets: Some(sockets) })
    }
}

/// The X-Ray daemon's two sockets have one number: how many are tried until one is free in both.
const TRIES: usize = 16;

impl Sockets {
    /// On the host's loopback, with their addresses.
    fn listen() -> io::Result<(Sockets, [SocketAddr; 3])> {
        let listen = || {
            let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
            listener.set_nonblocking(true)?;
            io::Result::Ok((listener.local_addr()?, listener))
        };
        let ((api_address, api), (aws_address, aws)) = (listen()?, listen()?);
        let mut tries = 0;
        let (xray_address, xray, segments) = loop {
            let (address, listener) = listen()?;
            tries += 1;
            match UdpSocket::bind(address) {
                Ok(segments) => break (address, listener, segments),
                Err(error) if tries == TRIES => return Err(error),
                Err(_) => {}
            }
        };
        segments.set_nonblocking(true)?;
        let sockets = Sockets { listeners: [api, aws, xray], segments };
        Ok((sockets, [api_address, aws_address, xray_address]))
    }

    /// As a sandbox's child hands them over.
    fn of_child(handed: &mut impl Iterator<Item = OwnedFd>) -> Option<Sockets> {
        let mut listener = || Some(TcpListener::from(handed.next()?));
        let listeners = [listener()?, listener()?, listener()?];
        Some(Sockets { listeners, segments: handed.next()?.into() })
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
    let sockets = match (machine.isolation, place.sockets) {
        (Isolation::Process, Some(sockets)) => sockets,
        (_, sockets) => return start_sandbox(machine, spec, sockets, program),
    };
    let (pid, body, output) = start_plain(machine, program, &spec.code, spec.memory_mib)?;
    Ok(Started { pid, body, control: None, sockets, network: None, output, furnished: None })
}

/// A program without a sandbox.
pub(super) fn start_plain(
    machine: &Arc<Machine>,
    program: &Program,
    folder: &Path,
    memory_mib: u32,
) -> Result<(u32, Body, Output), StartError> {
    let (control, plan, output) = plain(program, folder).map_err(StartError::at("prepare"))?;
    let spawning = machine.spawner.spawn(plan).map_err(StartError::at("spawn"))?;
    let pidfd = spawning.finish().map_err(StartError::at("clone"))?;
    let running = last_words(&control).and_then(|()| {
        Ok(pid_of(pidfd.as_raw_fd()).map_err(StartError::at("read the process id"))?)
    });
    match running {
        Ok(pid) => Ok((
            pid,
            Body::new([pid, pid], pidfd, None, memory_mib, machine.clone(), Origin::Child),
            output,
        )),
        Err(trouble) => {
            kill_and_reap(&pidfd);
            Err(explain(trouble, None, program))
        }
    }
}

fn plain(program: &Program, folder: &Path) -> io::Result<(OwnedFd, Plan, Output)> {
    let (control, theirs) = init::socket()?;
    let (stdout, their_stdout) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
    let (stderr, their_stderr) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
    let work = Work::Program(Plain {
        candidates: program.candidates()?,
        arguments: CStrings::arguments(program)?,
        environment: CStrings::environment(program)?,
        folder: c_path(folder)?,
        stdout: their_stdout,
        stderr: their_stderr,
    });
    Ok((control, Plan::new(theirs, work)?, Output { stdout, stderr }))
}

/// With our own `sockets` if it has the host's network.
fn start_sandbox(
    machine: &Arc<Machine>,
    spec: &Spec,
    sockets: Option<Sockets>,
    program: &Program,
) -> Result<Started, StartError> {
    let (cage, cgroup) = cage(machine, spec)?;
    let root = cage.root.clone();
    let folder = spec.image.as_ref().map_or(Path::new("/var/task"), |image| &image.folder);
    let (launch, output) = Launch::new(program, folder).map_err(StartError::at("prepare"))?;
    let (control, plan) = caged(cage).map_err(StartError::at("prepare"))?;
    let spawning = machine.spawner.spawn(plan).map_err(StartError::at("spawn"))?;
    let write_maps = |pid| write_maps(pid, machine.rights, spec);
    let met = accompany(&control, cgroup.as_ref(), write_maps, launch, sockets);
    // If the child gave up meanwhile, its reason is the better one.
    let met = met.or_else(|trouble| last_words(&control).and(Err(trouble)));
    if met.is_err() {
        // Whatever it is doing, it must end: `finish` waits for it.
        let _ = rustix::net::shutdown(&control, Shutdown::Write);
        kill_early(&spawning.pidfd);
    }
    let pidfd = spawning.finish().map_err(StartError::at("clone into new namespaces"))?;
    match met {
        Ok(Met { first, pid, sockets, network, furnished }) => {
            let body = Body::new(
                [first, pid],
                pidfd,
                cgroup,
                spec.memory_mib,
                machine.clone(),
                Origin::Child,
            );
            let (control, furnished) = (Some(control), Some(furnished));
            Ok(Started { pid, body, control, sockets, network, output, furnished })
        }
        Err(trouble) => {
            kill_and_reap(&pidfd);
            Err(explain(trouble, Some(&root), program))
        }
    }
}

fn caged(cage: Cage) -> io::Result<(OwnedFd, Plan)> {
    let (control, theirs) = init::socket()?;
    sockopt::set_socket_timeout(&control, sockopt::Timeout::Recv, Some(PATIENCE))?;
    Ok((control, Plan::new(theirs, Work::Cage(cage))?))
}

fn cage(machine: &Machine, spec: &Spec) -> Result<(Cage, Option<Cgroup>), StartError> {
    let cgroups = machine.cgroups.as_ref().ok();
    let limits = limits(machine, spec);
    let cgroup = cgroups
        .map(|cgroups| cgroups.create(&spec.id, &limits))
        .transpose()
        .map_err(StartError::at("create the cgroup"))?;
    let no_init = |why| StartError { step: INIT_FILE, source: io::Error::other(why) };
    let init = machine.init.clone().map_err(no_init)?;
    let cage = Cage {
        owner: (machine.rights == Rights::Root).then_some(spec.host_id.uid),
        drop_groups: machine.rights == Rights::Root,
        root: Arc::new(match &spec.image {
            None => Root::new(machine.base.clone(), spec, machine.rights)?,
            Some(image) => {
                Root::of_image(machine.image_base.clone(), &image.tree, spec, machine.rights)?
            }
        }),
        hostname: spec.hostname.as_bytes().to_vec(),
        wiring: Wiring { mode: spec.network, ipv6: machine.ipv6 },
        limits,
        landlock_abi: (!spec.zygote).then_some(machine.landlock_abi),
        filters: match spec.zygote {
            false => machine.filters.clone(),
            true => machine.zygote_filters.clone(),
        },
        init,
    };
    Ok((cage, cgroup))
}

/// The limits of one instance.
pub(super) fn limits(machine: &Machine, spec: &Spec) -> Limits {
    let memory = match &machine.cgroups {
        Ok(cgroups) if cgroups.bounds_memory() => MemoryBy::Cgroup,
        _ => MemoryBy::Process,
    };
    let limits = Limits::new(spec, memory);
    match &machine.cgroups {
        Ok(cgroups) if cgroups.counts_processes() => limits.counted(),
        _ => limits,
    }
}

/// What a sandbox's start has found out.
struct Met {
    /// Process id of its first process, on the host.
    first: u32,
    /// And of its program.
    pid: u32,
    sockets: Sockets,
    network: Option<OwnNetwork>,
    furnished: Furnished,
}

/// Does for the child what it may not do itself, takes its sockets, and has the program run by the
/// init that it becomes.
fn accompany(
    control: &OwnedFd,
    cgroup: Option<&Cgroup>,
    write_maps: impl FnOnce(u32) -> io::Result<()>,
    launch: Launch,
    sockets: Option<Sockets>,
) -> Result<Met, Trouble> {
    let hello = receive(control)?;
    let (&[HELLO], Some(first)) = (&hello.bytes[..], hello.sender) else {
        return Err(unexpected(&hello));
    };
    write_maps(first).map_err(StartError::at("write the user map"))?;
    go(control)?;
    // While the child furnishes its namespaces: entering takes the kernel as long as that.
    if let Some(cgroup) = cgroup {
        cgroup.attach(first).map_err(StartError::at("enter the cgroup"))?;
    }
    let mut message = receive(control)?;
    if message.bytes != [LISTENERS] {
        return Err(unexpected(&message));
    }
    let handed = std::mem::take(&mut message.descriptors);
    let Some((sockets, network)) = served(sockets, handed) else {
        return Err(unexpected(&message));
    };
    let namespaces = Instant::now();
    go(control)?;
    // The init finds it when it begins.
    launch.send(control, None).map_err(StartError::at("handshake"))?;
    let born = receive(control)?;
    let (Report::Born, Some(pid)) = (born.report(), born.sender) else {
        return Err(unexpected(&born));
    };
    let furnished = Furnished { namespaces, mounts: Instant::now() };
    let started = receive(control)?;
    match started.report() {
        Report::Started => Ok(Met { first, pid, sockets, network, furnished }),
        _ => Err(unexpected(&started)),
    }
}

/// What the host serves: its own sockets, or all that a child with a network of its own has handed
/// over, in the order of `Wiring::furnish`.
fn served(own: Option<Sockets>, handed: Vec<OwnedFd>) -> Option<(Sockets, Option<OwnNetwork>)> {
    if let Some(sockets) = own {
        return Some((sockets, None));
    }
    let mut handed = handed.into_iter();
    let sockets = Sockets::of_child(&mut handed)?;
    let names = (handed.next()?.into(), handed.next()?.into());
    Some((sockets, Some(OwnNetwork { names, link: handed.next() })))
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

/// The child's next message.
fn receive(control: &OwnedFd) -> Result<Message, StartError> {
    Message::receive(control, RecvFlags::empty())
        .map_err(|errno| StartError { step: "handshake", source: errno.into() })
}

/// What the child said before it gave up; nothing if its program runs.
fn last_words(control: &OwnedFd) -> Result<(), Trouble> {
    let read = || Message::receive(control, RecvFlags::DONTWAIT);
    // A child that ends without having taken our last message resets the socket: that is told
    // once, before what it said.
    let said = match read() {
        Err(Errno::CONNRESET) => read(),
        said => said,
    };
    match said {
        Ok(message) if !message.bytes.is_empty() => Err(unexpected(&message)),
        _ => Ok(()),
    }
}

/// A message other than the awaited one: the child's failure, or its sudden end.
fn unexpected(message: &Message) -> Trouble {
    match message.report() {
        Report::Failed(failure) => Trouble::Child(failure),
        _ => {
            let source = io::Error::new(io::ErrorKind::UnexpectedEof, "the child ended");
            Trouble::Parent(StartError { step: "handshake", source })
        }
    }
}

fn explain(trouble: Trouble, root: Option<&Root>, program: &Program) -> StartError {
    match trouble {
        Trouble::Parent(error) => error,
        Trouble::Child(failure) => failure.explain(root, program),
    }
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
