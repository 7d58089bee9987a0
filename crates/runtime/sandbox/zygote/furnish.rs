//! What is done in a forked process's name before it runs: namespaces of its own, its private
//! places in them, its sockets, and the end of every right to change them.
//!
//! Mirrors `child`, which does the same for a process that executes a program. The root stays what
//! the zygote sees, whose mounts are read-only; nobody who has no right to mount can uncover what
//! the new ones cover.

use std::{
    ffi::CString,
    io,
    os::fd::{AsFd, OwnedFd},
};

use rustix::process::{Pid, PidfdFlags};

use super::{
    super::{
        StartError,
        child::{GID, UID},
        landlock,
        limits::{INOTIFY_INSTANCES, PENDING_SIGNALS},
        mounts::{SHM_OPTIONS, TMP_FLAGS},
        root::Rights,
        start::{OwnNetwork, Sockets},
        wiring::Wiring,
    },
    tracee::Tracee,
};

const PAGE_BYTES: u64 = 4096;

const NAMESPACES: i32 = libc::CLONE_NEWUSER
    | libc::CLONE_NEWNS
    | libc::CLONE_NEWNET
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWPID;

/// What one forked process gets.
pub(super) struct Furnishing<'a> {
    /// Options of `/tmp`'s tmpfs.
    pub(super) tmp: &'a CString,
    /// Where it works.
    pub(super) folder: &'a CString,
    /// Version of Landlock; 0: none.
    pub(super) landlock_abi: u32,
    /// The server's.
    pub(super) rights: Rights,
    /// Processes and threads that it may have.
    pub(super) pids: u32,
    /// What it gets of a network.
    pub(super) wiring: Wiring,
    /// Its own socket, and the host's end of it.
    pub(super) socket: u32,
    pub(super) channel: &'a OwnedFd,
    /// The highest that it has open, of which all are known.
    pub(super) last_descriptor: u32,
}

/// A process in namespaces of its own, still held, and the host's ends of its sockets.
pub(super) struct Furnished {
    pub(super) process: Tracee,
    pub(super) pidfd: OwnedFd,
    pub(super) sockets: Sockets,
    pub(super) network: OwnNetwork,
}

/// A traced process with a page of its memory for the arguments of its calls. The page is new:
/// nobody else has it.
pub(super) struct Hand<'a> {
    pub(super) process: &'a Tracee,
    pub(super) page: u64,
}

/// Forks the process into namespaces of its own; the process itself ends.
pub(super) fn furnish(first: Tracee, with: &Furnishing<'_>) -> Result<Furnished, StartError> {
    let at = StartError::at;
    let page = new_page(&first).map_err(at("take a page"))?;
    let hand = Hand { process: &first, page };
    hand.process
        .call(libc::SYS_unshare, &[NAMESPACES as u64])
        .map_err(at("unshare into new namespaces"))?;
    hand.map_users().map_err(at("write the user map"))?;
    let tid_address = hand.tid_address().map_err(at("find the thread's id"))?;
    // The process namespace is for children only, the first of which is its init.
    let process = first.fork(tid_address).map_err(at("fork"))?;
    drop(first);
    let pid = Pid::from_raw(process.pid() as i32).ok_or_else(|| no_pid("fork"))?;
    let pidfd = rustix::process::pidfd_open(pid, PidfdFlags::empty());
    let pidfd = pidfd.map_err(|errno| at("open the process")(errno.into()))?;
    let hand = Hand { process: &process, page };
    hand.mount(c"tmpfs", c"/tmp", TMP_FLAGS.bits().into(), with.tmp).map_err(at("mount /tmp"))?;
    hand.mount(c"tmpfs", c"/dev/shm", TMP_FLAGS.bits().into(), SHM_OPTIONS)
        .map_err(at("mount /dev/shm"))?;
    let flags = libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC;
    hand.mount(c"proc", c"/proc", flags, c"").map_err(at("mount /proc"))?;
    // As `limits` does it: a second lock, if this kernel has it.
    let _ = hand.put(c"/proc/sys/user/max_user_namespaces", b"0");
    let _ = hand.put(c"/proc/sys/user/max_inotify_instances", INOTIFY_INSTANCES);
    // Its share of what the zygote and all its forks may have.
    for (what, most) in
        [(libc::RLIMIT_SIGPENDING, PENDING_SIGNALS), (libc::RLIMIT_NPROC, u64::from(with.pids))]
    {
        hand.limit(what, most).map_err(at("limits"))?;
    }
    let (sockets, network) = hand.wire(with, &pidfd)?;
    hand.call(libc::SYS_setsid, &[]).map_err(at("begin a session"))?;
    hand.enter(with.folder).map_err(at("enter the working folder"))?;
    hand.drop_capabilities().map_err(at("drop capabilities"))?;
    if let Some(rules) =
        landlock::rules_of(process.pid(), with.landlock_abi).map_err(at("landlock"))?
    {
        hand.landlock(with.socket, with.channel, rules).map_err(at("landlock"))?;
    }
    // What was opened here, all above what it had.
    let first = u64::from(with.last_descriptor) + 1;
    let all = u64::from(u32::MAX);
    hand.call(libc::SYS_close_range, &[first, all, 0]).map_err(at("close"))?;
    hand.call(libc::SYS_munmap, &[page, PAGE_BYTES]).map_err(at("give back a page"))?;
    Ok(Furnished { process, pidfd, sockets, network })
}

fn no_pid(step: &'static str) -> StartError {
    StartError { step, source: io::ErrorKind::NotFound.into() }
}

fn new_page(process: &Tracee) -> io::Result<u64> {
    let (protection, flags) =
        (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    let nowhere = u64::MAX;
    process.call(libc::SYS_mmap, &[0, PAGE_BYTES, protection as u64, flags as u64, nowhere, 0])
}

impl Hand<'_> {
    pub(super) fn call(&self, number: i64, arguments: &[u64]) -> io::Result<u64> {
        self.process.call(number, arguments)
    }

    /// Lays texts (with their ends) or structures one behind the other into the page.
    pub(super) fn lay<const N: usize>(&self, parts: [&[u8]; N]) -> io::Result<[u64; N]> {
        let mut bytes = Vec::new();
        let places = parts.map(|part| {
            // As structures of the kernel want to lie.
            bytes.resize(bytes.len().next_multiple_of(8), 0);
            let place = self.page + bytes.len() as u64;
            bytes.extend_from_slice(part);
            place
        });
        if bytes.len() as u64 > PAGE_BYTES {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        self.process.write(self.page, &bytes)?;
        Ok(places)
    }

    /// The only user and group that there are, as themselves.
    fn map_users(&self) -> io::Result<()> {
        self.put(c"/proc/self/setgroups", b"deny")?;
        self.put(c"/proc/self/uid_map", format!("{UID} {UID} 1").as_bytes())?;
        self.put(c"/proc/self/gid_map", format!("{GID} {GID} 1").as_bytes())
    }

    /// Writes a file of the kernel's.
    fn put(&self, path: &std::ffi::CStr, content: &[u8]) -> io::Result<()> {
        let file = self.open(path, libc::O_WRONLY | libc::O_CLOEXEC)?;
        let [bytes] = self.lay([content])?;
        self.call(libc::SYS_write, &[file, bytes, content.len() as u64]).map(drop)
    }

    pub(super) fn open(&self, path: &std::ffi::CStr, flags: i32) -> io::Result<u64> {
        let [path] = self.lay([path.to_bytes_with_nul()])?;
        self.call(libc::SYS_openat, &[libc::AT_FDCWD as u64, path, flags as u64])
    }

    fn limit(&self, what: libc::__rlimit_resource_t, most: u64) -> io::Result<()> {
        let mut limits = [0u8; 16];
        limits[..8].copy_from_slice(&most.to_ne_bytes());
        limits[8..].copy_from_slice(&most.to_ne_bytes());
        let [limits] = self.lay([&limits])?;
        self.call(libc::SYS_prlimit64, &[0, u64::from(what), limits, 0]).map(drop)
    }

    /// Where the C library keeps the thread's id, for the kernel to write the new one.
    fn tid_address(&self) -> io::Result<u64> {
        let [place] = self.lay([&[0; 8]])?;
        self.call(libc::SYS_prctl, &[libc::PR_GET_TID_ADDRESS as u64, place])?;
        self.process.read_word(place)
    }

    fn mount(
        &self,
        kind: &std::ffi::CStr,
        target: &std::ffi::CStr,
        flags: libc::c_ulong,
        options: &std::ffi::CStr,
    ) -> io::Result<()> {
        let texts = [kind, target, options].map(|text| text.to_bytes_with_nul());
        let [kind, target, options] = self.lay(texts)?;
        self.call(libc::SYS_mount, &[kind, target, kind, flags, options]).map(drop)
    }

    fn enter(&self, folder: &CString) -> io::Result<()> {
        let [folder] = self.lay([folder.to_bytes_with_nul()])?;
        self.call(libc::SYS_chdir, &[folder]).map(drop)
    }

    /// What entering a user namespace gave, and what could give it back.
    fn drop_capabilities(&self) -> io::Result<()> {
        let prctl =
            |what: i32, value: u64| self.call(libc::SYS_prctl, &[what as u64, value, 0, 0, 0]);
        // Root's ways with capabilities, should anybody become root: off, for good.
        // The bounding set stays: who has no privileges to gain, as forks inherit it, gains none of it,
        // and taking it away is as many calls as all the rest.
        prctl(libc::PR_SET_SECUREBITS, ROOT_IS_NOBODY)?;
        // `_LINUX_CAPABILITY_VERSION_3`, of the caller.
        let mut header = [0u8; 8];
        header[..4].copy_from_slice(&0x2008_0522u32.to_ne_bytes());
        let [header, none] = self.lay([&header, &[0; 24]])?;
        self.call(libc::SYS_capset, &[header, none]).map(drop)
    }

    /// Puts rules on it that the server has made: it is handed them through its own socket.
    fn landlock(&self, socket: u32, channel: &OwnedFd, rules: OwnedFd) -> io::Result<()> {
        let rules = self.receive(socket, channel, rules)?;
        self.call(libc::SYS_landlock_restrict_self, &[rules, 0]).map(drop)
    }

    /// Hands it a descriptor through its own socket; answers with its number there.
    pub(super) fn receive(
        &self,
        socket: u32,
        channel: &OwnedFd,
        descriptor: OwnedFd,
    ) -> io::Result<u64> {
        super::send(channel, &[0], &[descriptor.as_fd()])?;
        // `struct msghdr` and what it points to, in the order in which they are laid.
        const CONTROL_BYTES: u64 = 64;
        let (byte, control, vector) = (self.page, self.page + 8, self.page + 8 + CONTROL_BYTES);
        let words = |words: &[u64]| words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        let parts: [Vec<u8>; 4] = [
            words(&[0]),
            words(&[0; CONTROL_BYTES as usize / 8]),
            words(&[byte, 1]),
            words(&[0, 0, vector, 1, control, CONTROL_BYTES, 0]),
        ];
        let [_, _, _, header] = self.lay(parts.each_ref().map(Vec::as_slice))?;
        self.call(libc::SYS_recvmsg, &[u64::from(socket), header, libc::MSG_CMSG_CLOEXEC as u64])?;
        // After `struct cmsghdr`.
        Ok(u64::from(self.process.read_word(control + 16)? as u32))
    }
}

/// `SECBIT_NOROOT`, `NO_SETUID_FIXUP`, `NO_CAP_AMBIENT_RAISE`, all locked, and `KEEP_CAPS_LOCKED`.
const ROOT_IS_NOBODY: u64 = 0b1110_1111;
