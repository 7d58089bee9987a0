//! The instructions and numbers of AArch64.

use core::arch::{asm, global_asm};

pub(crate) const DUP3: usize = 24;
pub(crate) const CHDIR: usize = 49;
pub(crate) const CLOSE: usize = 57;
pub(crate) const READ: usize = 63;
pub(crate) const PPOLL: usize = 73;
pub(crate) const SIGNALFD4: usize = 74;
pub(crate) const EXIT_GROUP: usize = 94;
pub(crate) const KILL: usize = 129;
pub(crate) const RT_SIGPROCMASK: usize = 135;
pub(crate) const SETSID: usize = 157;
pub(crate) const PRCTL: usize = 167;
pub(crate) const SENDTO: usize = 206;
pub(crate) const RECVMSG: usize = 212;
pub(crate) const MUNMAP: usize = 215;
pub(crate) const CLONE: usize = 220;
pub(crate) const EXECVE: usize = 221;
pub(crate) const MMAP: usize = 222;
pub(crate) const WAIT4: usize = 260;

global_asm!(".global _start", "_start:", "mov x29, xzr", "bl {init}", "brk #1", init = sym crate::init);

/// A system call.
///
/// # Safety
/// What the call's own manual asks for.
pub(crate) unsafe fn call(number: usize, arguments: [usize; 6]) -> isize {
    let answer: isize;
    // SAFETY: the kernel's convention; the rest is the caller's promise.
    unsafe {
        asm!(
            "svc #0",
            in("x8") number,
            inlateout("x0") arguments[0] => answer,
            in("x1") arguments[1],
            in("x2") arguments[2],
            in("x3") arguments[3],
            in("x4") arguments[4],
            in("x5") arguments[5],
            options(nostack),
        );
    }
    answer
}

/// `clone` of a process that runs `entry(argument)` on a stack of its own.
///
/// # Safety
/// `top` is the aligned upper end of memory that nobody else uses; if the flags share memory they
/// must also stop the caller until the child has left it.
pub(crate) unsafe fn clone(
    flags: usize,
    top: usize,
    entry: extern "C" fn(usize) -> !,
    argument: usize,
) -> isize {
    let answer: isize;
    // SAFETY: the kernel's convention; the child never comes back from `entry`.
    unsafe {
        asm!(
            "svc #0",
            "cbnz x0, 2f",
            "mov x29, xzr",
            "mov x0, x9",
            "blr x10",
            "brk #1",
            "2:",
            in("x8") CLONE,
            inlateout("x0") flags => answer,
            in("x1") top,
            in("x2") 0,
            in("x3") 0,
            in("x4") 0,
            in("x9") argument,
            in("x10") entry,
            // `blr` writes it, in the child only.
            lateout("x30") _,
        );
    }
    answer
}
