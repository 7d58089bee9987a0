//! A process that has run a function's init, and from which instances of the function are forked.
//!
//! It has run the user's code, so it is taken as hostile, and so is each of its forks until it is
//! caged. None of them ever runs with a capability: the server, which traces a fork from its first
//! moment, makes the calls that need one in its name while it stands still (`furnish`, by means of
//! `tracee`). While that happens the zygote stands still as well and nobody else is there who could
//! reach into the fork's memory.
//!
//! A fork has user, process, mount, network, IPC and host name namespaces of its own, its own
//! `/tmp`, `/dev/shm` and `/proc`, its own sockets, pipes and cgroup. What it shares with the
//! zygote is memory that neither has written to since, and what both see of the host, read-only.
//! Read next: `inspect` (which processes can be forked).

mod furnish;
mod inspect;
#[cfg_attr(not(target_arch = "x86_64"), path = "untraced.rs")]
mod tracee;
mod wires;

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    io::{self, IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec},
    io::Errno,
    net::{
        AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
        SendAncillaryMessage, SendFlags, SocketFlags, SocketType, sockopt,
    },
    pipe::PipeFlags,
    process::{Pid, PidfdFlags, PidfdGetfdFlags},
};
use tokio::io::unix::AsyncFd;

use super::{
    Machine, StartError,
    cgroup::Cgroup,
    init::Output,
    instance::{Body, Origin},
    plan::c_path,
    root,
    running::Status,
    spec::Spec,
    start::{Started, limits},
    wiring::Wiring,
};
use crate::timeline;
use furnish::{Furnished, Furnishing};
use tracee::{Held, Tracee};

/// A fork answers in milliseconds; with much memory in tens of them.
const PATIENCE: Duration = Duration::from_secs(2);
/// The zygote hears of a fork's end when the server does, as a rule.
const STATUS_COMES: Duration = Duration::from_millis(50);
/// Messages of the channel are short.
const MESSAGE_BYTES: usize = 512;

/// Messages, by their first byte.
const TAKEN: u8 = b'T';
const READY: u8 = b'R';
const REFUSES: u8 = b'N';
const FORK: u8 = b'F';
const HELLO: u8 = b'H';
const RESTORE: u8 = b'E';
const ENDED: u8 = b'X';

/// The channel between the server and a process that is to be a zygote.
pub(crate) struct Channel {
    ours: AsyncFd<OwnedFd>,
    /// How the kernel shows the other end.
    link: String,
}

impl Channel {
    /// Of a process that offers two ends of a socket of its own: the one that it keeps, and the one
    /// that is to be ours. Inside the tokio runtime.
    pub(crate) fn take(pid: u32, [theirs, ours]: [i32; 2]) -> io::Result<Channel> {
        let raw = Pid::from_raw(pid as i32).ok_or(io::ErrorKind::NotFound)?;
        let pidfd = rustix::process::pidfd_open(raw, PidfdFlags::empty())?;
        let ours = rustix::process::pidfd_getfd(&pidfd, ours, PidfdGetfdFlags::empty())?;
        let (family, kind) = (sockopt::socket_domain(&ours)?, sockopt::socket_type(&ours)?);
        if (family, kind) != (AddressFamily::UNIX, SocketType::SEQPACKET) {
            return Err(io::Error::other("what is offered is no channel"));
        }
        let link = inspect::link_in(pid, theirs)?;
        send(&ours, &[TAKEN], &[])?;
        // SAFETY: an `OwnedFd` is open until it is dropped, and the `AsyncFd` owns it.
        let ours = unsafe { AsyncFd::register(ours) }?;
        Ok(Channel { ours, link })
    }

    /// Waits until the process says that it can be forked, or why it cannot.
    pub(crate) async fn ready(&self) -> io::Result<Result<(), String>> {
        let read = |ours: &AsyncFd<OwnedFd>| {
            let mut bytes = [0; MESSAGE_BYTES];
            let (length, _) = rustix::net::recv(ours.get_ref(), &mut bytes, RecvFlags::DONTWAIT)?;
            Ok(bytes[..length].to_vec())
        };
        let message = loop {
            let mut readable = self.ours.readable().await?;
            if let Ok(message) = readable.try_io(read) {
                break message?;
            }
        };
        match message.split_first() {
            Some((&READY, _)) => Ok(Ok(())),
            Some((&REFUSES, reason)) => Ok(Err(String::from_utf8_lossy(reason).into_owned())),
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let (family, kind) = (AddressFamily::UNIX, SocketType::SEQPACKET);
    Ok(rustix::net::socketpair(family, kind, SocketFlags::CLOEXEC, None)?)
}

/// A zygote that is ready to be forked.
pub(crate) struct Zygote {
    pid: u32,
    channel: OwnedFd,
    /// What its descriptors are, and those of a fork that has not been given its own yet.
    descriptors: HashSet<String>,
    /// Memory that its forks begin with.
    resident_mib: u32,
    /// One fork at a time: the zygote stands still meanwhile.
    turn: Mutex<()>,
    forks: Mutex<HashMap<u32, Fork>>,
}

/// A fork that lives, or whose end is still to be told.
struct Fork {
    /// Its id as the zygote sees it.
    inner: u32,
    /// `wait`'s word for its end.
    status: Option<i32>,
}

impl Zygote {
    /// Of a sandbox whose program has said that it is ready: looks whether it can be forked, or
    /// says why not. Blocks for a moment.
    pub(crate) fn inspect(pid: u32, channel: Channel) -> io::Result<Result<Zygote, String>> {
        let found = inspect::inspect(pid, &channel.link)?;
        Ok(found.map(|found| Zygote {
            pid,
            channel: channel.ours.into_inner(),
            descriptors: found.descriptors,
            resident_mib: found.resident_mib,
            turn: Mutex::default(),
            forks: Mutex::default(),
        }))
    }

    /// Memory that its forks begin with.
    pub(crate) fn resident_mib(&self) -> u32 {
        self.resident_mib
    }

    fn forks(&self) -> MutexGuard<'_, HashMap<u32, Fork>> {
        self.forks.lock().expect("nothing panics while it holds this lock")
    }

    /// How a fork ended, as far as the zygote tells.
    pub(super) fn bury(&self, pid: u32) -> Status {
        let deadline = Instant::now() + STATUS_COMES;
        loop {
            let told = self.forks().get(&pid).and_then(|fork| fork.status);
            if let Some(status) = told {
                self.forks().remove(&pid);
                return Status::of_wait(status);
            }
            if !readable(&self.channel, deadline) || self.hear().is_err() {
                self.forks().remove(&pid);
                return Status { code: None, signal: None };
            }
        }
    }

    /// Takes one message that tells of a fork's end. The zygote may say what it likes: it is
    /// believed about the ends of its own forks, which nobody but its function's log hears of.
    fn hear(&self) -> io::Result<()> {
        let mut bytes = [0; MESSAGE_BYTES];
        let received = rustix::net::recv(&self.channel, &mut bytes, RecvFlags::DONTWAIT);
        let length = match received {
            Ok((0, _)) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok((length, _)) => length,
            Err(Errno::AGAIN) => return Ok(()),
            Err(errno) => return Err(errno.into()),
        };
        let Some((&ENDED, text)) = bytes[..length].split_first() else { return Ok(()) };
        let text = String::from_utf8_lossy(text);
        let Some((inner, status)) = text.split_once(' ') else { return Ok(()) };
        if let (Ok(inner), Ok(status)) = (inner.parse::<u32>(), status.parse()) {
            let mut forks = self.forks();
            if let Some(fork) = forks.values_mut().find(|fork| fork.inner == inner) {
                fork.status = Some(status);
            }
        }
        Ok(())
    }

    /// Whether nobody is in the zygote's namespaces but itself, its forks, which see nothing of
    /// them, and the newest; the dead do not count.
    fn check_family(&self, newest: u32) -> io::Result<()> {
        if inspect::threads(self.pid)? != 1 {
            return Err(io::Error::other("the zygote has several threads"));
        }
        let mut children = inspect::children(self.pid)?;
        // Orphans are its init's.
        let orphans = inspect::children(inspect::parent(self.pid)?)?;
        children.extend(orphans.into_iter().filter(|orphan| *orphan != self.pid));
        let forks = self.forks();
        let known = |pid: &u32| *pid == newest || forks.contains_key(pid) || inspect::is_dead(*pid);
        if !children.contains(&newest) || !children.iter().all(known) {
            return Err(io::Error::other("the zygote has children of its own"));
        }
        Ok(())
    }
}

/// Forks an instance. Blocks for milliseconds.
pub(super) fn fork(
    machine: &Arc<Machine>,
    zygote: &Arc<Zygote>,
    spec: &Spec,
    message: &[u8],
) -> Result<Started, StartError> {
    let at = StartError::at;
    let cgroups = machine.cgroups.as_ref().ok();
    let cgroup = cgroups.map(|it| it.create(&spec.id, &limits(machine, spec))).transpose();
    let cgroup = cgroup.map_err(at("create the cgroup"))?;
    let (stdout, their_stdout) =
        rustix::pipe::pipe_with(PipeFlags::CLOEXEC).map_err(|e| at("pipe")(e.into()))?;
    let (stderr, their_stderr) =
        rustix::pipe::pipe_with(PipeFlags::CLOEXEC).map_err(|e| at("pipe")(e.into()))?;
    let (ours, Furnished { process, pidfd, sockets, network }) = {
        let _turn = zygote.turn.lock().expect("nothing panics while it holds this lock");
        caged(machine, zygote, spec, cgroup.as_ref())?
    };
    let now = Instant::now();
    let furnished = Some(timeline::Furnished { namespaces: now, mounts: now });
    let pid = process.pid();
    process.release().map_err(at("let the fork go"))?;
    let streams = [their_stdout.as_fd(), their_stderr.as_fd()];
    let body = Body::new(
        [pid, pid],
        pidfd,
        cgroup,
        spec.memory_mib,
        machine.clone(),
        Origin::Fork(zygote.clone()),
    );
    // Dropped, the body ends it.
    send(&ours, message, &streams).map_err(at("restore"))?;
    let output = Output { stdout, stderr };
    Ok(Started { pid, body, control: None, sockets, network: Some(network), output, furnished })
}

/// A fork in a cage, held still, and the host's end of its own channel.
fn caged(
    machine: &Machine,
    zygote: &Zygote,
    spec: &Spec,
    cgroup: Option<&Cgroup>,
) -> Result<(OwnedFd, Furnished), StartError> {
    let at = StartError::at;
    let (ours, theirs) = pair().map_err(at("channel"))?;
    let socket = inspect::link_of(theirs.as_fd()).map_err(at("channel"))?;
    let newest = ask(zygote, &ours, &theirs).map_err(at("ask for a fork"))?;
    drop(theirs);
    let _still = Held::hold(zygote.pid).map_err(at("hold the zygote"))?;
    zygote.check_family(newest).map_err(at("look at the zygote"))?;
    let first = Tracee::seize(newest).map_err(at("hold the fork"))?;
    let open = inspect::check_descriptors(newest, &zygote.descriptors, &socket);
    let open = open.map_err(at("look at the fork"))?;
    if let Some(cgroup) = cgroup {
        cgroup.attach(newest).map_err(at("enter the cgroup"))?;
    }
    let with = Furnishing {
        tmp: &root::tmp_options(spec).map_err(at("mount /tmp"))?,
        folder: &c_path("/var/task".as_ref()).map_err(at("prepare"))?,
        landlock_abi: machine.landlock_abi,
        rights: machine.rights,
        pids: spec.pids,
        wiring: Wiring { mode: spec.network, ipv6: machine.ipv6 },
        socket: open.socket,
        channel: &ours,
        last_descriptor: open.last,
    };
    let furnished = furnish::furnish(first, &with)?;
    let pid = furnished.process.pid();
    inspect::check_powerless(pid).map_err(at("look at the fork"))?;
    let inner = inspect::inner_pid(pid).map_err(at("look at the fork"))?;
    zygote.forks().insert(pid, Fork { inner, status: None });
    Ok((ours, furnished))
}

/// Has the zygote fork; the kernel tells who answers.
fn ask(zygote: &Zygote, ours: &OwnedFd, theirs: &OwnedFd) -> io::Result<u32> {
    sockopt::set_socket_passcred(ours, true)?;
    sockopt::set_socket_timeout(ours, sockopt::Timeout::Recv, Some(PATIENCE))?;
    send(&zygote.channel, &[FORK], &[theirs.as_fd()])?;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmCredentials(1), ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut bytes = [0u8; 16];
    let parts = &mut [IoSliceMut::new(&mut bytes)];
    let received =
        rustix::net::recvmsg(ours, parts, &mut ancillary, RecvFlags::CMSG_CLOEXEC)?.bytes;
    let who = ancillary.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmCredentials(who) => Some(who.pid),
        _ => None,
    });
    match who {
        Some(pid) if bytes[..received] == [HELLO] => Ok(pid.as_raw_nonzero().get() as u32),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

fn send(channel: &OwnedFd, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    ancillary.push(SendAncillaryMessage::ScmRights(descriptors));
    let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
    rustix::net::sendmsg(channel, &[IoSlice::new(bytes)], &mut ancillary, flags)?;
    Ok(())
}

/// What a fork is told when it is caged: what of the environment is different.
pub(super) fn restore_message(variables: &BTreeMap<String, String>) -> Vec<u8> {
    let variables = serde_json::json!(variables).to_string();
    [&[RESTORE], variables.as_bytes()].concat()
}

fn readable(channel: &OwnedFd, deadline: Instant) -> bool {
    let left = deadline.saturating_duration_since(Instant::now());
    let timeout = Timespec { tv_sec: 0, tv_nsec: i64::from(left.subsec_nanos()) };
    let mut polled = [PollFd::new(channel, PollFlags::IN)];
    matches!(rustix::event::poll(&mut polled, Some(&timeout)), Ok(1..))
}
