//! The child's half of a start, between clone and exec: into the program, or into the sandbox's
//! init.
//!
//! The child shares the server's memory (`CLONE_VM`), while the thread that made it stands still:
//! it must not allocate, lock, panic or use anything of libc that does. Only system calls (rustix
//! makes them directly) on what `Plan` holds.

use std::{
    convert::Infallible,
    ffi::{c_char, c_int, c_void},
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd},
};

use rustix::{
    io::Errno,
    net::{RecvFlags, SendFlags},
    process::Signal,
    thread::{CapabilitiesSecureBits, CapabilitySet, CapabilitySets},
};

use super::{
    failure::{At, Failure, Step},
    landlock,
    plan::{Cage, Plain, Plan, Work},
    protocol::{CONTROL, HELLO},
};

/// User and group of Lambda's instances.
pub(super) const UID: u32 = 993;
pub(super) const GID: u32 = 990;

/// Entry point of the clone.
pub(super) extern "C" fn main(plan: *mut c_void) -> c_int {
    // SAFETY: the spawner passes a `Plan` that outlives the child's use of the shared memory.
    let plan = unsafe { &*plan.cast::<Plan>() };
    let Err(failure) = run(plan);
    // If the server is gone too, nobody wants to know.
    let _ = rustix::net::send(&plan.control, &failure.encode(), SendFlags::NOSIGNAL);
    127
}

fn run(plan: &Plan) -> Result<Infallible, Failure> {
    close_others(&plan.kept).at(Step::Descriptors)?;
    match &plan.work {
        Work::Program(program) => {
            tie_to_server()?;
            if rustix::process::getppid() != Some(plan.server) {
                // It died just before; in a process namespace the handshake tells.
                return Err(Failure { step: Step::DeathSignal, entry: 0, errno: Errno::SRCH });
            }
            become_program(program, &plan.null)
        }
        Work::Cage(cage) => {
            let control = plan.control.as_fd();
            rustix::net::send(control, &[HELLO], SendFlags::NOSIGNAL).at(Step::Handshake)?;
            await_go(control).at(Step::Handshake)?;
            let tun = cage.wiring.open_tun()?;
            take_identity(cage).at(Step::Identity)?;
            // After the change of user, which clears it.
            tie_to_server()?;
            enter(cage, tun, control)?;
            await_go(control).at(Step::Handshake)?;
            bind_hands(cage)?;
            become_init(plan, cage).at(Step::Init)
        }
    }
}

/// Dies with the thread that made it.
fn tie_to_server() -> Result<(), Failure> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).at(Step::DeathSignal)?;
    rustix::process::setsid().at(Step::DeathSignal).map(drop)
}

/// Namespaces furnished: sockets, root, names, limits.
fn enter(cage: &Cage, tun: Option<OwnedFd>, control: BorrowedFd<'_>) -> Result<(), Failure> {
    cage.wiring.furnish(tun, control)?;
    cage.root.build().map_err(|(entry, errno)| Failure { step: Step::Root, entry, errno })?;
    cage.root.mount_tmp().at(Step::Tmp)?;
    cage.root.mount_proc().at(Step::Proc)?;
    cage.root.enter().at(Step::PivotRoot)?;
    rustix::system::sethostname(&cage.hostname).at(Step::Hostname)?;
    cage.limits.apply().at(Step::Limits)
}

/// From here on the child can do less and less.
fn bind_hands(cage: &Cage) -> Result<(), Failure> {
    drop_capabilities().at(Step::Capabilities)?;
    rustix::thread::set_no_new_privs(true).at(Step::Capabilities)?;
    if let Some(abi) = cage.landlock_abi {
        landlock::restrict(abi).at(Step::Landlock)?;
    }
    cage.filters.install().at(Step::Seccomp)
}

/// Nothing of the server's stays open, whoever opened it and however; at exec what is kept closes
/// too. At once, not at exec: a copy of the parent's end of a control socket, its own or another
/// child's, would hide the server's death from whoever waits at the other end.
fn close_others(kept: &[RawFd]) -> Result<(), Errno> {
    let mut first = 3;
    for &fd in kept {
        close_range(first, fd as u32 - 1)?;
        first = fd as u32 + 1;
    }
    close_range(first, u32::MAX)
}

fn close_range(first: u32, last: u32) -> Result<(), Errno> {
    if first > last {
        return Ok(());
    }
    // SAFETY: closes only in this process's own copy of the table, and only what is never used.
    let done = unsafe { libc::syscall(libc::SYS_close_range, first, last, 0u32) };
    if done < 0 { Err(last_errno()) } else { Ok(()) }
}

/// Waits for the parent: the first time for the user map, the second for the cgroup.
fn await_go(control: BorrowedFd<'_>) -> Result<(), Errno> {
    let mut byte = [0u8];
    match rustix::net::recv(control, &mut byte, RecvFlags::empty())? {
        (1, _) => Ok(()),
        _ => Err(Errno::CONNRESET),
    }
}

/// Before any mount, so that what is mounted is the user's. The calls are per thread: libc's would
/// change all of the server's.
fn take_identity(cage: &Cage) -> Result<(), Errno> {
    use rustix::process::{Gid, Uid};
    let (uid, gid) = (Uid::from_raw(UID), Gid::from_raw(GID));
    if cage.drop_groups {
        rustix::thread::set_thread_groups(&[])?;
    }
    rustix::thread::set_thread_res_gid(gid, gid, gid)?;
    rustix::thread::set_thread_res_uid(uid, uid, uid)?;
    // A session keyring of its own: the server's keys are not for the function.
    // SAFETY: joins a new keyring; a kernel without keyrings has nothing to hide.
    unsafe { libc::syscall(libc::SYS_keyctl, libc::KEYCTL_JOIN_SESSION_KEYRING, 0) };
    Ok(())
}

/// The sandbox's first process wears what its programs will: it starts them without any right
/// that they do not have, and they inherit the rest.
fn become_init(plan: &Plan, cage: &Cage) -> Result<Infallible, Errno> {
    const _: () = assert!(CONTROL == 1, "the control socket takes the place of standard output");
    standard_streams(&plan.null, &plan.control, &plan.null)?;
    default_signals();
    let arguments = [c"init".as_ptr(), std::ptr::null()];
    let environment = [std::ptr::null::<c_char>()];
    // SAFETY: arrays of C strings that end with a null pointer and outlive the call.
    unsafe {
        libc::syscall(
            libc::SYS_execveat,
            cage.init.as_raw_fd(),
            c"".as_ptr(),
            arguments.as_ptr(),
            environment.as_ptr(),
            libc::AT_EMPTY_PATH,
        )
    };
    Err(last_errno())
}

fn become_program(program: &Plain, null: &OwnedFd) -> Result<Infallible, Failure> {
    standard_streams(null, &program.stdout, &program.stderr).at(Step::Standard)?;
    rustix::process::chdir(program.folder.as_c_str()).at(Step::Folder)?;
    default_signals();
    Err(Failure { step: Step::Exec, entry: 0, errno: exec(program) })
}

fn standard_streams(stdin: &OwnedFd, stdout: &OwnedFd, stderr: &OwnedFd) -> Result<(), Errno> {
    rustix::stdio::dup2_stdin(stdin)?;
    rustix::stdio::dup2_stdout(stdout)?;
    rustix::stdio::dup2_stderr(stderr)?;
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    Ok(())
}

fn drop_capabilities() -> Result<(), Errno> {
    rustix::thread::clear_ambient_capability_set()?;
    // Root's ways with capabilities, should anybody become root: off, for good.
    let root_is_nobody = CapabilitiesSecureBits::NO_ROOT
        | CapabilitiesSecureBits::NO_ROOT_LOCKED
        | CapabilitiesSecureBits::NO_SETUID_FIXUP
        | CapabilitiesSecureBits::NO_SETUID_FIXUP_LOCKED
        | CapabilitiesSecureBits::KEEP_CAPS_LOCKED
        | CapabilitiesSecureBits::NO_CAP_AMBIENT_RAISE
        | CapabilitiesSecureBits::NO_CAP_AMBIENT_RAISE_LOCKED;
    rustix::thread::set_capabilities_secure_bits(root_is_nobody)?;
    for capability in CapabilitySet::all().iter() {
        match rustix::thread::remove_capability_from_bounding_set(capability) {
            // The kernel is older than the capability.
            Ok(()) | Err(Errno::INVAL) => {}
            Err(errno) => return Err(errno),
        }
    }
    let none = CapabilitySet::empty();
    let sets = CapabilitySets { effective: none, permitted: none, inheritable: none };
    rustix::thread::set_capabilities(None, sets)
}

/// Exec keeps ignored signals ignored (Rust ignores SIGPIPE) and the spawner's mask.
fn default_signals() {
    // The kernel's `struct sigaction` with everything zero is the default action.
    let default = [0u64; 4];
    let none = 0u64;
    for signal in 1..=64 {
        // SAFETY: changes this process's own table; SIGKILL and SIGSTOP are refused, rightly.
        unsafe {
            libc::syscall(libc::SYS_rt_sigaction, signal, &raw const default, 0usize, 8usize)
        };
    }
    // SAFETY: 8 bytes is the size of the kernel's signal set.
    unsafe {
        libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, &raw const none, 0usize, 8usize)
    };
}

/// Runs the first candidate that is there; answers with what the last one met.
fn exec(plain: &Plain) -> Errno {
    let (arguments, environment) = (plain.arguments.as_ptr(), plain.environment.as_ptr());
    let mut met = Errno::NOENT;
    for program in &plain.candidates {
        // SAFETY: arrays of C strings that end with a null pointer and live as long as the plan.
        unsafe { libc::execve(program.as_ptr(), arguments, environment) };
        met = last_errno();
        if !matches!(met, Errno::NOENT | Errno::NOTDIR) {
            break;
        }
    }
    met
}

/// The last raw call's error. The child uses the place of the thread that made it, which stands
/// still.
pub(super) fn last_errno() -> Errno {
    // SAFETY: the address is always valid.
    Errno::from_raw_os_error(unsafe { *libc::__errno_location() })
}
