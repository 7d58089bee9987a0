//! The system calls that init makes: the few of libc that it needs, without libc.

use crate::arch;

/// The number of an error.
pub(crate) type Errno = i32;

pub(crate) const ENOENT: Errno = 2;
pub(crate) const E2BIG: Errno = 7;
pub(crate) const EAGAIN: Errno = 11;
pub(crate) const EBUSY: Errno = 16;
pub(crate) const ENOTDIR: Errno = 20;
pub(crate) const EINVAL: Errno = 22;
pub(crate) const EMFILE: Errno = 24;

pub(crate) const SIGKILL: usize = 9;
const SIGCHLD: usize = 17;

const CLOEXEC: usize = 0o2_000_000;
const NONBLOCK: usize = 0o4_000;
const SOL_SOCKET: i32 = 1;
const SCM_RIGHTS: i32 = 1;
const MSG_DONTWAIT: usize = 0x40;
const MSG_NOSIGNAL: usize = 0x4000;
const MSG_CMSG_CLOEXEC: usize = 0x4000_0000;
/// The bytes of a kernel's set of signals.
const SIGSET_BYTES: usize = 8;

/// Most descriptors that a message brings.
const MAX_DESCRIPTORS: usize = 3;

/// `struct pollfd`; a negative descriptor is passed over.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Poll {
    fd: i32,
    events: i16,
    revents: i16,
}

impl Poll {
    /// Waits for something to read, or for the end.
    pub(crate) fn read(fd: i32) -> Poll {
        const POLLIN: i16 = 1;
        Poll { fd, events: POLLIN, revents: 0 }
    }

    pub(crate) fn is_ready(self) -> bool {
        self.revents != 0
    }
}

/// A message and the descriptors that came with it.
pub(crate) struct Received {
    pub(crate) length: usize,
    pub(crate) descriptors: [i32; MAX_DESCRIPTORS],
    pub(crate) count: usize,
}

#[repr(C)]
struct Vector {
    base: *mut u8,
    length: usize,
}

/// `struct msghdr`.
#[repr(C)]
struct Header {
    name: usize,
    name_length: usize,
    vectors: *mut Vector,
    vector_count: usize,
    control: *mut Rights,
    control_length: usize,
    flags: usize,
}

/// `struct cmsghdr` and its descriptors.
#[repr(C)]
struct Rights {
    length: usize,
    level: i32,
    kind: i32,
    descriptors: [i32; MAX_DESCRIPTORS],
}

fn call(number: usize, arguments: [usize; 6]) -> Result<usize, Errno> {
    // SAFETY: all calls of this file pass live memory of the right size; those that take none
    // cannot harm it.
    match unsafe { arch::call(number, arguments) } {
        failed if failed < 0 => Err(-failed as Errno),
        done => Ok(done as usize),
    }
}

/// Ends init, and with it the sandbox; or a child that did not become a program.
pub(crate) fn exit(code: usize) -> ! {
    loop {
        let _ = call(arch::EXIT_GROUP, [code, 0, 0, 0, 0, 0]);
    }
}

/// Nobody of the same user may look into this process or at what it holds.
pub(crate) fn hide() {
    const PR_SET_DUMPABLE: usize = 4;
    if call(arch::PRCTL, [PR_SET_DUMPABLE, 0, 0, 0, 0, 0]).is_err() {
        exit(1);
    }
}

/// What `ps` shows.
pub(crate) fn name(name: &core::ffi::CStr) {
    const PR_SET_NAME: usize = 15;
    let _ = call(arch::PRCTL, [PR_SET_NAME, name.as_ptr() as usize, 0, 0, 0, 0]);
}

/// A descriptor that is readable when a child has ended.
pub(crate) fn ends_of_children() -> Result<i32, Errno> {
    let children = 1u64 << (SIGCHLD - 1);
    mask(children)?;
    let set = (&raw const children) as usize;
    call(arch::SIGNALFD4, [usize::MAX, set, SIGSET_BYTES, CLOEXEC | NONBLOCK, 0, 0])
        .map(|fd| fd as i32)
}

/// Blocks these signals and no others.
pub(crate) fn mask(signals: u64) -> Result<(), Errno> {
    const SIG_SETMASK: usize = 2;
    let set = (&raw const signals) as usize;
    call(arch::RT_SIGPROCMASK, [SIG_SETMASK, set, 0, SIGSET_BYTES, 0, 0]).map(drop)
}

/// Takes what is to be read of signals, which say no more than that there are some.
pub(crate) fn drain(signals: i32) {
    // `struct signalfd_siginfo` has 128 bytes.
    let mut some = [0u64; 64];
    let place = some.as_mut_ptr() as usize;
    while call(arch::READ, [signals as usize, place, size_of_val(&some), 0, 0, 0]).is_ok() {}
}

/// A child that has ended, and its status.
pub(crate) fn reap() -> Option<(i32, i32)> {
    const WNOHANG: usize = 1;
    let mut status = 0i32;
    let place = (&raw mut status) as usize;
    match call(arch::WAIT4, [usize::MAX, place, WNOHANG, 0, 0, 0]) {
        Ok(pid) if pid > 0 => Some((pid as i32, status)),
        _ => None,
    }
}

pub(crate) fn poll(polls: &mut [Poll]) {
    let _ = call(arch::PPOLL, [polls.as_mut_ptr() as usize, polls.len(), 0, 0, SIGSET_BYTES, 0]);
}

pub(crate) fn send(socket: i32, message: &[u8]) {
    let (place, length) = (message.as_ptr() as usize, message.len());
    // If the server is gone, nobody wants to know.
    let _ = call(arch::SENDTO, [socket as usize, place, length, MSG_NOSIGNAL, 0, 0]);
}

/// The next message; one of no bytes is the end.
pub(crate) fn receive(socket: i32, space: &mut [u8]) -> Result<Received, Errno> {
    let mut vector = Vector { base: space.as_mut_ptr(), length: space.len() };
    let mut rights = Rights { length: 0, level: 0, kind: 0, descriptors: [-1; MAX_DESCRIPTORS] };
    let mut header = Header {
        name: 0,
        name_length: 0,
        vectors: &raw mut vector,
        vector_count: 1,
        control: &raw mut rights,
        control_length: size_of::<Rights>(),
        flags: 0,
    };
    let flags = MSG_DONTWAIT | MSG_CMSG_CLOEXEC;
    let length =
        call(arch::RECVMSG, [socket as usize, (&raw mut header) as usize, flags, 0, 0, 0])?;
    let head = core::mem::offset_of!(Rights, descriptors);
    let brought =
        header.control_length > head && (rights.level, rights.kind) == (SOL_SOCKET, SCM_RIGHTS);
    let count = if brought { rights.length.saturating_sub(head) / size_of::<i32>() } else { 0 };
    Ok(Received { length, descriptors: rights.descriptors, count: count.min(MAX_DESCRIPTORS) })
}

pub(crate) fn close(fd: i32) {
    let _ = call(arch::CLOSE, [fd as usize, 0, 0, 0, 0, 0]);
}

/// To a process group, whose leader has not been reaped.
pub(crate) fn kill(group: i32, signal: usize) {
    let _ = call(arch::KILL, [group.wrapping_neg() as usize, signal, 0, 0, 0, 0]);
}

/// Empty memory of our own. Takes none before it is used.
pub(crate) fn map(bytes: usize) -> Result<*mut u8, Errno> {
    const READ_WRITE: usize = 3;
    const PRIVATE_ANONYMOUS: usize = 0x22;
    call(arch::MMAP, [0, bytes, READ_WRITE, PRIVATE_ANONYMOUS, usize::MAX, 0])
        .map(|place| place as *mut u8)
}

/// Gives memory back.
///
/// # Safety
/// `place` is of `map`, of so many bytes, and is used no more.
pub(crate) unsafe fn unmap(place: *mut u8, bytes: usize) {
    let _ = call(arch::MUNMAP, [place as usize, bytes, 0, 0, 0, 0]);
}

/// A child that shares our memory until it has become a program or has ended; we stand still as
/// long.
///
/// # Safety
/// `top` is the upper end of memory for the child's stack; `argument` is what `entry` expects.
pub(crate) unsafe fn fork(
    top: *mut u8,
    entry: extern "C" fn(usize) -> !,
    argument: usize,
) -> Result<i32, Errno> {
    const VM: usize = 0x100;
    const VFORK: usize = 0x4000;
    // SAFETY: the caller's promise; `VFORK` is what stops us.
    match unsafe { arch::clone(VM | VFORK | SIGCHLD, top as usize & !15, entry, argument) } {
        failed if failed < 0 => Err(-failed as Errno),
        pid => Ok(pid as i32),
    }
}

pub(crate) fn lead_session() -> Result<(), Errno> {
    call(arch::SETSID, [0; 6]).map(drop)
}

/// Puts a descriptor in the place of another, to be kept by the program.
pub(crate) fn place(fd: i32, at: i32) -> Result<(), Errno> {
    call(arch::DUP3, [fd as usize, at as usize, 0, 0, 0, 0]).map(drop)
}

/// # Safety
/// A string that ends with a null byte.
pub(crate) unsafe fn enter(folder: *const u8) -> Result<(), Errno> {
    call(arch::CHDIR, [folder as usize, 0, 0, 0, 0, 0]).map(drop)
}

/// Comes back only with an error.
///
/// # Safety
/// A string, and lists of strings that end with a null pointer.
pub(crate) unsafe fn execute(
    program: *const u8,
    arguments: *const *const u8,
    environment: *const *const u8,
) -> Errno {
    let given = [program as usize, arguments as usize, environment as usize, 0, 0, 0];
    call(arch::EXECVE, given).err().unwrap_or(EINVAL)
}
