//! Landlock: the kernel's second opinion on what the mounts already say.

use std::{
    ffi::{CStr, CString},
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
};

use rustix::{
    fs::{Mode, OFlags},
    io::Errno,
};

use super::child::last_errno;

const EXECUTE: u64 = 1 << 0;
const WRITE_FILE: u64 = 1 << 1;
const READ_FILE: u64 = 1 << 2;
const READ_DIR: u64 = 1 << 3;
/// The thirteen rights of the first version.
const FIRST: u64 = (1 << 13) - 1;
const REFER: u64 = 1 << 13;
const TRUNCATE: u64 = 1 << 14;
const IOCTL_DEV: u64 = 1 << 15;

const CREATE_RULESET_VERSION: u32 = 1;
const RULE_PATH_BENEATH: u32 = 1;

/// The first version in which a file may be renamed into another folder.
const USABLE: u32 = 2;

/// The abstract sockets of others, which a function with the host's network would reach.
const SCOPE_ABSTRACT_SOCKETS: u64 = 1 << 0;
/// The first version that knows scopes.
const SCOPED: u32 = 6;

/// `struct landlock_ruleset_attr`, of which the first version knows only the first.
#[repr(C)]
struct Ruleset {
    handled_access_fs: u64,
    handled_access_net: u64,
    scoped: u64,
}

/// `struct landlock_path_beneath_attr`.
#[repr(C, packed)]
struct PathBeneath {
    allowed_access: u64,
    parent_fd: i32,
}

/// The kernel's version of Landlock, 0 if it has none that is of use.
pub(super) fn abi() -> u32 {
    // SAFETY: asks for the version; takes no pointer.
    let version = unsafe {
        libc::syscall(libc::SYS_landlock_create_ruleset, 0usize, 0usize, CREATE_RULESET_VERSION)
    };
    u32::try_from(version).ok().filter(|v| *v >= USABLE).unwrap_or(0)
}

/// Reads and executes everywhere, writes to `/tmp` and `/dev/shm`, devices and its own `/proc`.
fn allowed(abi: u32) -> [(&'static CStr, u64); 5] {
    let all = rights(abi);
    [
        (c"/", EXECUTE | READ_FILE | READ_DIR),
        (c"/tmp", all),
        (c"/dev/shm", all),
        (c"/dev", all & (READ_FILE | WRITE_FILE | TRUNCATE | IOCTL_DEV)),
        (c"/proc", all & (READ_FILE | READ_DIR | WRITE_FILE | TRUNCATE)),
    ]
}

/// Allows that, and nothing else, for good. Runs in the child.
pub(super) fn restrict(abi: u32) -> Result<(), Errno> {
    if abi == 0 {
        return Ok(());
    }
    let rules = ruleset(abi)?;
    for (path, rights) in allowed(abi) {
        allow(rules.as_fd(), path, rights)?;
    }
    // SAFETY: takes no pointer.
    let done = unsafe { libc::syscall(libc::SYS_landlock_restrict_self, rules.as_raw_fd(), 0u32) };
    if done < 0 { Err(last_errno()) } else { Ok(()) }
}

/// The same rules for another process, which has not put them on yet: of its own root.
pub(super) fn rules_of(pid: u32, abi: u32) -> io::Result<Option<OwnedFd>> {
    if abi == 0 {
        return Ok(None);
    }
    let rules = ruleset(abi)?;
    for (path, rights) in allowed(abi) {
        let path = CString::new(format!("/proc/{pid}/root{}", path.to_string_lossy()))?;
        allow(rules.as_fd(), &path, rights)?;
    }
    Ok(Some(rules))
}

fn ruleset(abi: u32) -> Result<OwnedFd, Errno> {
    let scoped = SCOPE_ABSTRACT_SOCKETS;
    let ruleset = Ruleset { handled_access_fs: rights(abi), handled_access_net: 0, scoped };
    let known = if abi >= SCOPED { size_of::<Ruleset>() } else { size_of::<u64>() };
    // SAFETY: the structure is as long as said and outlives the call; the descriptor is new, and
    // closed by exec.
    unsafe {
        let fd = libc::syscall(libc::SYS_landlock_create_ruleset, &raw const ruleset, known, 0u32);
        if fd < 0 { Err(last_errno()) } else { Ok(OwnedFd::from_raw_fd(fd as i32)) }
    }
}

fn allow(ruleset: BorrowedFd<'_>, path: &CStr, allowed_access: u64) -> Result<(), Errno> {
    let folder = rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    let rule = PathBeneath { allowed_access, parent_fd: folder.as_raw_fd() };
    // SAFETY: the structure is the kernel's and outlives the call.
    let done = unsafe {
        libc::syscall(
            libc::SYS_landlock_add_rule,
            ruleset.as_raw_fd(),
            RULE_PATH_BENEATH,
            &raw const rule,
            0u32,
        )
    };
    if done < 0 { Err(last_errno()) } else { Ok(()) }
}

/// The rights that this version knows; a kernel refuses one it does not.
fn rights(abi: u32) -> u64 {
    let mut rights = FIRST | REFER;
    if abi >= 3 {
        rights |= TRUNCATE;
    }
    if abi >= 5 {
        rights |= IOCTL_DEV;
    }
    rights
}
