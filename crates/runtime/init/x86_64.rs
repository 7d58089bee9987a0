//! The instructions and numbers of x86-64.

use core::arch::{asm, global_asm};

pub(crate) const READ: usize = 0;
pub(crate) const CLOSE: usize = 3;
pub(crate) const MMAP: usize = 9;
pub(crate) const MUNMAP: usize = 11;
pub(crate) const RT_SIGPROCMASK: usize = 14;
pub(crate) const SENDTO: usize = 44;
pub(crate) const RECVMSG: usize = 47;
pub(crate) const CLONE: usize = 56;
pub(crate) const EXECVE: usize = 59;
pub(crate) const WAIT4: usize = 61;
pub(crate) const KILL: usize = 62;
pub(crate) const CHDIR: usize = 80;
pub(crate) const SETSID: usize = 112;
pub(crate) const PRCTL: usize = 157;
pub(crate) const EXIT_GROUP: usize = 231;
pub(crate) const PPOLL: usize = 271;
pub(crate) const SIGNALFD4: usize = 289;
pub(crate) const DUP3: usize = 292;

// The kernel enters with an aligned stack; a function expects one that a call has moved.
global_asm!(".global _start", "_start:", "xor ebp, ebp", "call {init}", "ud2", init = sym crate::init);

/// A system call.
///
/// # Safety
/// What the call's own manual asks for.
pub(crate) unsafe fn call(number: usize, arguments: [usize; 6]) -> isize {
    let answer: isize;
    // SAFETY: the kernel's convention; the rest is the caller's promise.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number as isize => answer,
            in("rdi") arguments[0],
            in("rsi") arguments[1],
            in("rdx") arguments[2],
            in("r10") arguments[3],
            in("r8") arguments[4],
            in("r9") arguments[5],
            lateout("rcx") _,
            lateout("r11") _,
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
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "xor ebp, ebp",
            "mov rdi, r12",
            "call r13",
            "ud2",
            "2:",
            inlateout("rax") CLONE as isize => answer,
            in("rdi") flags,
            in("rsi") top,
            in("rdx") 0,
            in("r10") 0,
            in("r8") 0,
            in("r12") argument,
            in("r13") entry,
            lateout("rcx") _,
            lateout("r11") _,
        );
    }
    answer
}
