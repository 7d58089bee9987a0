//! The threads that clone.
//!
//! They live as long as the server: a child's death signal comes when the *thread* that made it
//! ends, and tokio's blocking threads end when idle. The clone shares the server's memory and
//! stops its thread until exec (as `vfork` does): copying the page tables of a server of 100 MiB
//! would cost more than all the rest of a start.

use std::{
    ffi::{c_int, c_void},
    io,
    os::fd::{FromRawFd, OwnedFd, RawFd},
    sync::{
        Arc, Mutex,
        atomic::{AtomicI32, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
};

use network::Mode;
use rustix::{process::DumpableBehavior, thread::CapabilitiesSecureBits};

use super::{
    child,
    plan::{Plan, Work},
};

/// More do not help: starts take turns at the kernel's locks of mounts and networks.
const MAX_THREADS: usize = 4;

/// Starts that may wait for a thread; a further one waits to be put here.
const QUEUE: usize = 64;

/// Room for the child's calls, which are shallow. Debug builds take the most.
const STACK_BYTES: usize = 256 << 10;

/// A way to the threads. They end when it is dropped.
pub(super) struct Spawner {
    jobs: SyncSender<Job>,
}

struct Job {
    plan: Plan,
    pidfd: Arc<PidfdSlot>,
    answer: SyncSender<io::Result<OwnedFd>>,
}

/// Where the kernel writes the child's pidfd before the child runs.
pub(super) struct PidfdSlot(AtomicI32);

impl PidfdSlot {
    /// The number, once the child was heard of; it stays open until the start is answered.
    pub(super) fn get(&self) -> RawFd {
        self.0.load(Ordering::Acquire)
    }
}

/// A child on its way.
pub(super) struct Spawning {
    pub(super) pidfd: Arc<PidfdSlot>,
    answer: Receiver<io::Result<OwnedFd>>,
}

impl Spawning {
    /// Waits until the child runs its program or has ended.
    pub(super) fn finish(self) -> io::Result<OwnedFd> {
        self.answer.recv().map_err(io::Error::other)?
    }
}

impl Spawner {
    pub(super) fn new() -> io::Result<Spawner> {
        let (jobs, queue) = sync_channel(QUEUE);
        let queue = Arc::new(Mutex::new(queue));
        let threads = thread::available_parallelism().map_or(1, |n| n.get()).min(MAX_THREADS);
        for _ in 0..threads {
            let queue = queue.clone();
            thread::Builder::new().name("spawner".into()).spawn(move || work(&queue))?;
        }
        Ok(Spawner { jobs })
    }

    pub(super) fn spawn(&self, plan: Plan) -> io::Result<Spawning> {
        let (sender, answer) = sync_channel(1);
        let pidfd = Arc::new(PidfdSlot(AtomicI32::new(-1)));
        let job = Job { plan, pidfd: pidfd.clone(), answer: sender };
        self.jobs.send(job).map_err(|_| io::Error::other("the spawner has ended"))?;
        Ok(Spawning { pidfd, answer })
    }
}

fn work(queue: &Mutex<Receiver<Job>>) {
    block_signals();
    keep_capabilities();
    let dumpable = rustix::process::dumpable_behavior().ok();
    let mut stack = vec![0u8; STACK_BYTES];
    loop {
        let next = queue.lock().map(|queue| queue.recv());
        let Ok(Ok(job)) = next else { return };
        let owner = match &job.plan.work {
            Work::Cage(cage) => cage.owner,
            Work::Program(_) => None,
        };
        let started = as_user(owner, || clone(&job, &mut stack));
        restore_dumpable(dumpable);
        // Closes our copies of the child's descriptors before the answer: a reader of its output
        // must see the end when the child ends.
        drop(job.plan);
        // Nobody waits any more: dropping the pidfd is wrong, the child must be ended.
        if let Err(unwanted) = job.answer.send(started) {
            end(unwanted.0);
        }
    }
}

/// A signal's handler must never run in a child that shares our memory.
fn block_signals() {
    // SAFETY: fills and sets a set of signals of this thread.
    unsafe {
        let mut all = std::mem::zeroed();
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, std::ptr::null_mut());
    }
}

fn clone(job: &Job, stack: &mut [u8]) -> io::Result<OwnedFd> {
    let namespaces = match &job.plan.work {
        Work::Cage(cage) => {
            let network = match cage.wiring.mode {
                Mode::Host => 0,
                Mode::None | Mode::Egress => libc::CLONE_NEWNET,
            };
            libc::CLONE_NEWUSER
                | libc::CLONE_NEWPID
                | libc::CLONE_NEWNS
                | libc::CLONE_NEWIPC
                | libc::CLONE_NEWUTS
                | network
        }
        Work::Program(_) => 0,
    };
    let sharing = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD | libc::SIGCHLD;
    // SAFETY: the stack is this thread's own, grows down from its aligned end, and is not used
    // again before the child has left it, for which CLONE_VFORK waits; `main` keeps to what its
    // module says; the plan and the slot outlive the wait.
    let pid = unsafe {
        let top = stack.as_mut_ptr_range().end as usize & !15;
        libc::clone(
            child::main,
            top as *mut c_void,
            namespaces | sharing as c_int,
            (&raw const job.plan).cast_mut().cast(),
            job.pidfd.0.as_ptr(),
        )
    };
    if pid < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just opened it for us, and only this owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(job.pidfd.get()) })
}

/// A change of this thread's effective user is to change nothing else: the death of the server must
/// reach all instances, whoever they are.
fn keep_capabilities() {
    let bits = CapabilitiesSecureBits::NO_SETUID_FIXUP;
    // Only a root server may and need.
    let _ = rustix::thread::set_capabilities_secure_bits(bits);
}

/// Clones as another effective user. Whoever makes a user namespace is its owner, and pays for what
/// is used in it of everything that has a limit per user: inotify instances, pending signals and
/// timers, message queues. A function's owner must be nobody else's. The child still opens files as
/// the server does, until it becomes nobody.
fn as_user<T>(owner: Option<u32>, clone: impl FnOnce() -> T) -> T {
    let own = rustix::process::geteuid().as_raw();
    let secure = rustix::thread::capabilities_secure_bits();
    let keeps = secure.is_ok_and(|bits| bits.contains(CapabilitiesSecureBits::NO_SETUID_FIXUP));
    let Some(owner) = owner.filter(|_| keeps) else { return clone() };
    set_effective_user(owner);
    // SAFETY: changes this thread alone; the next change of its effective user undoes it.
    unsafe { libc::syscall(libc::SYS_setfsuid, own) };
    let cloned = clone();
    set_effective_user(own);
    cloned
}

fn set_effective_user(user: u32) {
    // SAFETY: changes this thread alone, which does nothing but clone meanwhile; libc's call would
    // change all threads.
    let done = unsafe { libc::syscall(libc::SYS_setresuid, u32::MAX, user, u32::MAX) };
    assert!(done == 0, "a thread with CAP_SETUID may become anybody, and itself again");
}

/// The child's change of user made the memory that it shared with us undumpable, which kept others
/// of that user from looking into it. Now it has its own.
pub(super) fn restore_dumpable(before: Option<DumpableBehavior>) {
    if let Some(behavior @ (DumpableBehavior::Dumpable | DumpableBehavior::NotDumpable)) = before {
        let _ = rustix::process::set_dumpable_behavior(behavior);
    }
}

fn end(child: io::Result<OwnedFd>) {
    if let Ok(pidfd) = child {
        super::instance::kill_and_reap(&pidfd);
    }
}
