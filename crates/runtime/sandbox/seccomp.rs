//! The system calls that a function may not make.
//!
//! A list of what is forbidden, not of what is allowed: functions bring any runtime. What is on it
//! is what reaches beyond the sandbox, or has often been the way out of one. The filters are
//! compiled once; the kernel remembers which calls they never stop and lets those pass unfiltered.

use std::{collections::BTreeMap, io};

use rustix::io::Errno;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, sock_filter,
};

use super::child::last_errno;

/// Rules by number of the call; an empty list matches every use of it.
type Rules = BTreeMap<i64, Vec<SeccompRule>>;
type Built<T> = Result<T, seccompiler::BackendError>;

#[cfg(target_arch = "x86_64")]
const ARCH: TargetArch = TargetArch::x86_64;
#[cfg(target_arch = "aarch64")]
const ARCH: TargetArch = TargetArch::aarch64;

/// Refused as a kernel refuses somebody without the right.
const FORBIDDEN: &[i64] = &[
    // Other roots, mounts and namespaces.
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_setns,
    libc::SYS_unshare,
    libc::SYS_open_tree,
    libc::SYS_move_mount,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    OPEN_TREE_ATTR,
    libc::SYS_open_by_handle_at,
    libc::SYS_name_to_handle_at,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    libc::SYS_acct,
    // Parts of the kernel with a long record of holes.
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_userfaultfd,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_fanotify_init,
    libc::SYS_lookup_dcookie,
    libc::SYS_nfsservctl,
    // Its contexts are few and the machine's.
    libc::SYS_io_setup,
    // Other processes' insides.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    libc::SYS_move_pages,
    libc::SYS_migrate_pages,
    libc::SYS_mbind,
    libc::SYS_set_mempolicy,
    libc::SYS_set_mempolicy_home_node,
    libc::SYS_personality,
    // The machine itself.
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_reboot,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_syslog,
    libc::SYS_vhangup,
];

/// What the server does in the name of forks while they stand still. Nobody else can: without a
/// tracer the kernel knows no such calls, and functions cannot trace.
const FOR_FORKS: [i64; 2] = [libc::SYS_unshare, libc::SYS_mount];

/// The same, where only the older architecture has them.
#[cfg(target_arch = "x86_64")]
const FORBIDDEN_HERE: &[i64] = &[
    libc::SYS_iopl,
    libc::SYS_ioperm,
    libc::SYS_modify_ldt,
    libc::SYS_uselib,
    libc::SYS_ustat,
    libc::SYS_sysfs,
    libc::SYS__sysctl,
];
#[cfg(not(target_arch = "x86_64"))]
const FORBIDDEN_HERE: &[i64] = &[];

/// Newer than the table of libc.
const OPEN_TREE_ATTR: i64 = 467;

/// `clone` may make threads and processes, not namespaces.
const NAMESPACES: [i32; 7] = [
    libc::CLONE_NEWNS,
    libc::CLONE_NEWCGROUP,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
];

/// `ioctl`s that type into the terminal of whoever looks on.
const TERMINAL_INJECTION: [u64; 2] = [TIOCSTI, TIOCLINUX];
const TIOCSTI: u64 = 0x5412;
const TIOCLINUX: u64 = 0x541C;

/// The filters of a sandbox. The kernel asks them all and takes the strictest answer.
pub(super) struct Filters(Vec<BpfProgram>);

impl Filters {
    pub(super) fn compile() -> io::Result<Filters> {
        Filters::build(&[]).map_err(io::Error::other)
    }

    /// For what instances are forked from, and for the forks.
    pub(super) fn compile_for_zygotes() -> io::Result<Filters> {
        Filters::build(&FOR_FORKS).map_err(io::Error::other)
    }

    fn build(traced: &[i64]) -> Built<Filters> {
        let forbidden = FORBIDDEN.iter().chain(FORBIDDEN_HERE).map(|call| (*call, Vec::new()));
        let mut forbidden: Rules = forbidden.filter(|(call, _)| !traced.contains(call)).collect();
        forbidden.insert(libc::SYS_clone, new_namespaces()?);
        forbidden.insert(libc::SYS_ioctl, terminal_injection()?);
        let families = Rules::from([
            (libc::SYS_socket, vec![other_families()?, other_netlink()?]),
            (libc::SYS_socketpair, vec![rule(&[family_is_not(libc::AF_UNIX)?])?]),
        ]);
        let mut first = by_number(traced);
        first.extend(filter(forbidden, libc::EPERM)?);
        Ok(Filters(vec![first, filter(families, libc::EAFNOSUPPORT)?]))
    }

    /// Puts them on the calling process for good. Runs in the child.
    pub(super) fn install(&self) -> Result<(), Errno> {
        for program in &self.0 {
            let program = libc::sock_fprog {
                len: program.len() as u16,
                filter: program.as_ptr().cast::<libc::sock_filter>().cast_mut(),
            };
            // SAFETY: the program lives as long as `self`; both crates' `sock_filter` are the
            // kernel's structure, which the kernel only reads.
            let done = unsafe {
                libc::syscall(
                    libc::SYS_seccomp,
                    libc::SECCOMP_SET_MODE_FILTER,
                    0u32,
                    &raw const program,
                )
            };
            if done < 0 {
                return Err(last_errno());
            }
        }
        Ok(())
    }
}

/// A program that answers `errno` to what matches, and kills callers of another architecture.
fn filter(rules: Rules, errno: i32) -> Built<BpfProgram> {
    let refuse = SeccompAction::Errno(errno as u32);
    SeccompFilter::new(rules, SeccompAction::Allow, refuse, ARCH)?.try_into()
}

fn new_namespaces() -> Built<Vec<SeccompRule>> {
    let flag = |flag: i32| {
        let flag = u64::from(flag as u32);
        condition(0, SeccompCmpArgLen::Qword, SeccompCmpOp::MaskedEq(flag), flag)
    };
    NAMESPACES.into_iter().map(|f| rule(&[flag(f)?])).collect()
}

fn terminal_injection() -> Built<Vec<SeccompRule>> {
    // The kernel looks at the lower half only.
    let is = |number| condition(1, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, number);
    TERMINAL_INJECTION.into_iter().map(|number| rule(&[is(number)?])).collect()
}

/// Sockets other than those of ordinary programs: packets, the kernel's crypto, virtual machines…
fn other_families() -> Built<SeccompRule> {
    rule(&[
        family_is_not(libc::AF_UNIX)?,
        family_is_not(libc::AF_INET)?,
        family_is_not(libc::AF_INET6)?,
        family_is_not(libc::AF_NETLINK)?,
    ])
}

/// Of netlink only routes, which name resolution asks for.
fn other_netlink() -> Built<SeccompRule> {
    let family = libc::AF_NETLINK as u64;
    rule(&[
        condition(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, family)?,
        condition(2, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, libc::NETLINK_ROUTE as u64)?,
    ])
}

fn family_is_not(family: i32) -> Built<SeccompCondition> {
    condition(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, family as u64)
}

fn condition(
    argument: u8,
    length: SeccompCmpArgLen,
    compare: SeccompCmpOp,
    value: u64,
) -> Built<SeccompCondition> {
    SeccompCondition::new(argument, length, compare, value)
}

fn rule(conditions: &[SeccompCondition]) -> Built<SeccompRule> {
    SeccompRule::new(conditions.to_vec())
}

/// What is decided by the call's number alone and neither refused nor allowed, in the kernel's own
/// instructions; to be put before a whole program (one more filter would cost 0.1 ms per start).
///
/// `clone3` is unknown: its flags lie in memory, out of a filter's sight, and libraries then fall
/// back to `clone`. x32 calls kill: their architecture is that of 64-bit ones but their numbers
/// are on no list; nothing else has numbers so high.
/// `traced` calls are the tracer's to allow.
fn by_number(traced: &[i64]) -> BpfProgram {
    const LOAD_WORD: u16 = 0x20;
    const JUMP_IF_NOT_LESS: u16 = 0x35;
    const JUMP_IF_EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    const X32: u32 = 0x4000_0000;
    let step = |code, jt, jf, k| sock_filter { code, jt, jf, k };
    let mut program = vec![
        // The number is the first word of the kernel's `seccomp_data`.
        step(LOAD_WORD, 0, 0, 0),
        step(JUMP_IF_NOT_LESS, 0, 1, X32),
        step(RETURN, 0, 0, libc::SECCOMP_RET_KILL_PROCESS),
        step(JUMP_IF_EQUAL, 0, 1, libc::SYS_clone3 as u32),
        step(RETURN, 0, 0, libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32),
    ];
    for call in traced {
        program.push(step(JUMP_IF_EQUAL, 0, 1, *call as u32));
        program.push(step(RETURN, 0, 0, libc::SECCOMP_RET_TRACE));
    }
    program
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filters_compile() {
        let filters = Filters::build(&FOR_FORKS).unwrap();
        assert!(filters.0.iter().all(|program| program.len() < 4096));
    }
}
