//! A process that stands still while the server makes system calls in its name.
//!
//! The process may be hostile: it is asked nothing and told nothing. Every call is looked at when
//! the kernel is about to make it: if it is not the one that was meant, the process is killed.
//! Tracing belongs to a thread, so a `Tracee` never leaves the one that made it.

use std::{
    fs::{self, File},
    io,
    marker::PhantomData,
    os::unix::fs::FileExt,
    time::{Duration, Instant},
};

use libc::{c_int, c_void, pid_t, user_regs_struct};

/// A stop takes microseconds; a process that is not stopped by then does not want to be.
const PATIENCE: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_micros(50);

/// `syscall`.
const INSTRUCTION: [u8; 2] = [0x0f, 0x05];

/// What the kernel has in `rax` of a call that it would begin again.
const RESTARTED: std::ops::RangeInclusive<i64> = -516..=-512;

const OPTIONS: c_int = libc::PTRACE_O_EXITKILL
    | libc::PTRACE_O_TRACESYSGOOD
    | libc::PTRACE_O_TRACEFORK
    | libc::PTRACE_O_TRACESECCOMP;

/// How a stop shows in `si_status`.
const AT_CALL: c_int = libc::SIGTRAP | 0x80;
const AT_FILTER: c_int = libc::SIGTRAP | libc::PTRACE_EVENT_SECCOMP << 8;
const AT_FORK: c_int = libc::SIGTRAP | libc::PTRACE_EVENT_FORK << 8;
const AT_STOP: c_int = libc::SIGTRAP | libc::PTRACE_EVENT_STOP << 8;

/// A process that is held still. Dropping it lets it go on.
pub(super) struct Held {
    pid: pid_t,
    /// A signal that it was about to take.
    signal: c_int,
    _of_this_thread: PhantomData<*const ()>,
}

impl Held {
    pub(super) fn hold(pid: u32) -> io::Result<Held> {
        let pid = pid as pid_t;
        seize(pid)?;
        let held = |signal| Held { pid, signal, _of_this_thread: PhantomData };
        match stop(pid) {
            Ok(AT_STOP) => Ok(held(0)),
            Ok(signal) => Ok(held(signal)),
            Err(error) => {
                drop(held(0));
                Err(error)
            }
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // It may have been killed meanwhile.
        let _ = request(libc::PTRACE_DETACH, self.pid, 0, self.signal as usize);
    }
}

/// A process that waits in a system call, and makes others meanwhile. Dropped without having been
/// let go, it is killed.
pub(super) struct Tracee {
    pid: pid_t,
    /// As it was in its own call, which it makes anew when it is let go.
    own: user_regs_struct,
    memory: File,
    gone: bool,
    _of_this_thread: PhantomData<*const ()>,
}

impl Tracee {
    /// Stops a process that is in a system call, or about to make one.
    pub(super) fn seize(pid: u32) -> io::Result<Tracee> {
        let pid = pid as pid_t;
        seize(pid)?;
        let memory = fs::OpenOptions::new().read(true).write(true).open(format!("/proc/{pid}/mem"));
        let memory = memory.inspect_err(|_| kill(pid))?;
        // SAFETY: plain numbers; all zero is a value of it.
        let own = unsafe { std::mem::zeroed() };
        let mut tracee = Tracee { pid, own, memory, gone: false, _of_this_thread: PhantomData };
        tracee.expect(stop(pid)?, AT_STOP)?;
        tracee.own = tracee.registers()?;
        if !RESTARTED.contains(&(tracee.own.rax as i64)) {
            tracee.go_to_call()?;
        }
        let mut instruction = INSTRUCTION;
        tracee.memory.read_exact_at(&mut instruction, tracee.call_site())?;
        if instruction != INSTRUCTION {
            return Err(io::Error::other("it is not in a system call"));
        }
        Ok(tracee)
    }

    /// It was between two calls: the next one is put off, for one that does nothing. No call at all
    /// would be one whose number is on no list, and the filters kill for that.
    fn go_to_call(&mut self) -> io::Result<()> {
        self.expect(self.resume()?, AT_CALL)?;
        self.own = self.registers()?;
        let mut skipped = self.own;
        skipped.orig_rax = libc::SYS_getpid as u64;
        self.set_registers(&skipped)?;
        self.expect(self.resume()?, AT_CALL)
    }

    /// Makes a system call.
    pub(super) fn call(&self, number: i64, arguments: &[u64]) -> io::Result<u64> {
        self.make(number, arguments).map(|(result, _)| result)
    }

    /// Makes a copy of the process, stopped where it stands itself. It is the child of whoever made
    /// the process, as its siblings are.
    pub(super) fn fork(&self, tid_address: u64) -> io::Result<Tracee> {
        let flags = libc::CLONE_PARENT
            | libc::CLONE_CHILD_SETTID
            | libc::CLONE_CHILD_CLEARTID
            | libc::SIGCHLD;
        let (_, child) = self.make(libc::SYS_clone, &[flags as u64, 0, 0, tid_address, 0])?;
        let pid = child.ok_or_else(|| io::Error::other("no child was reported"))?;
        let memory = fs::OpenOptions::new().read(true).write(true).open(format!("/proc/{pid}/mem"));
        let memory = memory.inspect_err(|_| kill(pid))?;
        let own = self.own;
        let tracee = Tracee { pid, own, memory, gone: false, _of_this_thread: PhantomData };
        tracee.expect(await_stop(pid)?, AT_STOP)?;
        Ok(tracee)
    }

    /// Puts bytes into its memory.
    pub(super) fn write(&self, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.memory.write_all_at(bytes, at)
    }

    /// Reads a word of its memory.
    pub(super) fn read_word(&self, at: u64) -> io::Result<u64> {
        let mut word = [0; 8];
        self.memory.read_exact_at(&mut word, at)?;
        Ok(u64::from_ne_bytes(word))
    }

    /// Its id on the host.
    pub(super) fn pid(&self) -> u32 {
        self.pid as u32
    }

    /// Lets it go on, with the call that it was in.
    pub(super) fn release(mut self) -> io::Result<()> {
        let mut own = self.own;
        own.rip = self.call_site();
        own.rax = own.orig_rax;
        own.orig_rax = u64::MAX;
        self.set_registers(&own)?;
        request(libc::PTRACE_DETACH, self.pid, 0, 0)?;
        self.gone = true;
        Ok(())
    }

    fn make(&self, number: i64, arguments: &[u64]) -> io::Result<(u64, Option<pid_t>)> {
        let mut wanted = self.own;
        wanted.rip = self.call_site();
        wanted.rax = number as u64;
        wanted.orig_rax = u64::MAX;
        let places = [
            &mut wanted.rdi,
            &mut wanted.rsi,
            &mut wanted.rdx,
            &mut wanted.r10,
            &mut wanted.r8,
            &mut wanted.r9,
        ];
        places.into_iter().zip(arguments).for_each(|(place, argument)| *place = *argument);
        self.set_registers(&wanted)?;
        self.expect(self.resume()?, AT_CALL)?;
        self.check_call(number, &wanted)?;
        let mut child = None;
        loop {
            match self.resume()? {
                AT_FILTER => self.check_call(number, &wanted)?,
                AT_FORK => child = Some(self.event()? as pid_t),
                stop => {
                    self.expect(stop, AT_CALL)?;
                    let result = self.registers()?.rax;
                    return match result as i64 {
                        error @ -4095..=-1 => Err(io::Error::from_raw_os_error(-error as i32)),
                        _ => Ok((result, child)),
                    };
                }
            }
        }
    }

    /// Whether the kernel is about to make the call that was meant, and no other.
    fn check_call(&self, number: i64, wanted: &user_regs_struct) -> io::Result<()> {
        let about = self.registers()?;
        let arguments = |of: &user_regs_struct| [of.rdi, of.rsi, of.rdx, of.r10, of.r8, of.r9];
        let meant = about.orig_rax == number as u64
            && about.rip == self.own.rip
            && arguments(&about) == arguments(wanted);
        if meant { Ok(()) } else { Err(io::Error::other("it makes calls of its own")) }
    }

    fn call_site(&self) -> u64 {
        self.own.rip.wrapping_sub(INSTRUCTION.len() as u64)
    }

    /// Goes on to the next stop.
    fn resume(&self) -> io::Result<c_int> {
        request(libc::PTRACE_SYSCALL, self.pid, 0, 0)?;
        await_stop(self.pid)
    }

    fn expect(&self, stop: c_int, expected: c_int) -> io::Result<()> {
        if stop == expected {
            return Ok(());
        }
        Err(io::Error::other(format!("it stopped at {stop:#x} rather than {expected:#x}")))
    }

    fn registers(&self) -> io::Result<user_regs_struct> {
        // SAFETY: plain numbers; all zero is a value of it.
        let mut registers: user_regs_struct = unsafe { std::mem::zeroed() };
        request(libc::PTRACE_GETREGS, self.pid, 0, (&raw mut registers) as usize)?;
        Ok(registers)
    }

    fn set_registers(&self, registers: &user_regs_struct) -> io::Result<()> {
        request(libc::PTRACE_SETREGS, self.pid, 0, std::ptr::from_ref(registers) as usize)
    }

    fn event(&self) -> io::Result<u64> {
        let mut message = 0u64;
        request(libc::PTRACE_GETEVENTMSG, self.pid, 0, (&raw mut message) as usize)?;
        Ok(message)
    }
}

impl Drop for Tracee {
    fn drop(&mut self) {
        if !self.gone {
            kill(self.pid);
        }
    }
}

fn seize(pid: pid_t) -> io::Result<()> {
    request(libc::PTRACE_SEIZE, pid, 0, OPTIONS as usize)
}

fn request(what: libc::c_uint, pid: pid_t, address: usize, data: usize) -> io::Result<()> {
    // SAFETY: none of the requests used here writes to our memory but for those that read registers
    // and messages, which are given a place of the kernel's own size.
    let done = unsafe { libc::ptrace(what, pid, address as *mut c_void, data as *mut c_void) };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Asks for a stop. Whoever does not want to be stopped may put it off.
fn stop(pid: pid_t) -> io::Result<c_int> {
    request(libc::PTRACE_INTERRUPT, pid, 0, 0)?;
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if let Some(stop) = change(pid, libc::WNOHANG)? {
            return Ok(stop);
        }
        std::thread::park_timeout(PAUSE);
    }
    Err(io::ErrorKind::TimedOut.into())
}

/// Waits for the stop of a process that makes one system call, none of which waits.
fn await_stop(pid: pid_t) -> io::Result<c_int> {
    change(pid, 0)?.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

/// The next stop. None of these processes is our child: an end that is seen here is its parent's to
/// see as well.
fn change(pid: pid_t, options: c_int) -> io::Result<Option<c_int>> {
    // SAFETY: the kernel fills in the structure that it is given.
    let (done, info) = unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        let options = libc::WSTOPPED | libc::WEXITED | libc::__WALL | options;
        (libc::waitid(libc::P_PID, pid as libc::id_t, &raw mut info, options), info)
    };
    if done < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: `waitid` leaves zeroes, or the fields of a child's change.
    let (who, status) = unsafe { (info.si_pid(), info.si_status()) };
    match info.si_code {
        _ if who == 0 => Ok(None),
        libc::CLD_TRAPPED | libc::CLD_STOPPED => Ok(Some(status)),
        _ => Err(io::Error::other("the process has ended")),
    }
}

/// Ends a process that this thread traces; its parent hears of it only when the tracer has.
fn kill(pid: pid_t) {
    // SAFETY: the process is traced by this thread, which has not taken its end: the id is its own.
    unsafe { libc::kill(pid, libc::SIGKILL) };
    while matches!(change(pid, 0), Ok(Some(_))) {
        // It was about to stop; it ends all the same.
    }
}
