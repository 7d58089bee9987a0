//! What one instance may use, whichever way the machine enforces it.

use std::ffi::CStr;

use rustix::{
    fs::{Mode, OFlags},
    io::Errno,
    process::{Resource, Rlimit, getrlimit, setrlimit},
};

use super::spec::Spec;

/// Lambda's limit of open files.
const OPEN_FILES: u64 = 1024;

/// Signals that wait, and with them timers. A rootless server's functions share its user's limit:
/// one may not take it all.
pub(super) const PENDING_SIGNALS: u64 = 256;
/// Those of a zygote and all its forks together.
const FORKS_PENDING_SIGNALS: u64 = 2048;
const FORKS_PROCESSES: u64 = 1 << 16;

/// What one instance may watch files with, out of the 128 that a user has of a rootless server.
pub(super) const INOTIFY_INSTANCES: &[u8] = b"8";
const FORKS_INOTIFY_INSTANCES: &[u8] = b"64";

/// Lambda gives one processor's time per 1,769 MiB of memory.
const MIB_PER_PROCESSOR: f64 = 1769.0;

/// The kernel's own for an instance (stacks, page tables, mounts), which a cgroup counts as well
/// but which is not the function's.
const KERNEL_MIB: u32 = 4;

/// The sandbox's init, which is not the function's either.
const INIT_PIDS: u32 = 1;

/// Without a cgroup, memory can only be bounded per process and by address space, of which
/// interpreters map more than they use: a backstop, not Lambda's limit.
const LOOSE_MEMORY_FACTOR: u64 = 2;
const LOOSE_MEMORY_MIB: u64 = 512;

/// Limits of one instance.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    memory_mib: u32,
    tmp_mib: u32,
    pub(super) pids: u32,
    /// What the kernel lets its user have, in the namespaces below too.
    processes: u64,
    open_files: u64,
    /// Set when no cgroup bounds memory.
    data_bytes: Option<u64>,
    /// Whether user namespaces may be made below this one: by the server, for forks.
    namespaces: bool,
}

/// Who enforces the limit of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MemoryBy {
    Cgroup,
    Process,
}

impl Limits {
    pub(super) fn new(spec: &Spec, memory: MemoryBy) -> Limits {
        // Raising the hard limit is not a function's right, nor a rootless server's.
        let hard = getrlimit(Resource::Nofile).maximum.unwrap_or(OPEN_FILES);
        let loose = u64::from(spec.memory_mib) * LOOSE_MEMORY_FACTOR + LOOSE_MEMORY_MIB;
        Limits {
            memory_mib: spec.memory_mib,
            tmp_mib: spec.tmp_mib,
            pids: spec.pids + INIT_PIDS,
            processes: u64::from(spec.pids + INIT_PIDS),
            open_files: hard.min(OPEN_FILES),
            data_bytes: (memory == MemoryBy::Process).then_some(loose << 20),
            namespaces: spec.zygote,
        }
    }

    /// A cgroup counts the processes: a zygote's other limit, which counts those of its forks as well,
    /// may be loose.
    pub(super) fn counted(self) -> Limits {
        match self.namespaces {
            true => Limits { processes: possible(Resource::Nproc, FORKS_PROCESSES), ..self },
            false => self,
        }
    }

    /// What the processes may hold.
    pub(super) fn memory_bytes(&self) -> u64 {
        u64::from(self.memory_mib + KERNEL_MIB) << 20
    }

    /// What they and `/tmp` may hold together, which a cgroup counts as one.
    pub(super) fn memory_and_tmp_bytes(&self) -> u64 {
        self.memory_bytes() + (u64::from(self.tmp_mib) << 20)
    }

    /// Microseconds of processor time in `period`.
    pub(super) fn processor_micros(&self, period: u64) -> u64 {
        let share = f64::from(self.memory_mib) / MIB_PER_PROCESSOR;
        // The kernel takes no quota under a millisecond.
        ((share * period as f64) as u64).max(1000)
    }

    /// Sets what a process can be limited by. Runs in the child.
    pub(super) fn apply(&self) -> Result<(), Errno> {
        let (watchers, signals) = match self.namespaces {
            // What forks have counts as the zygote's too.
            true => (FORKS_INOTIFY_INSTANCES, FORKS_PENDING_SIGNALS),
            false => {
                // A second lock besides seccomp: this user namespace shall have none below it.
                of_namespace(c"/proc/sys/user/max_user_namespaces", b"0");
                (INOTIFY_INSTANCES, PENDING_SIGNALS)
            }
        };
        of_namespace(c"/proc/sys/user/max_inotify_instances", watchers);
        limit(Resource::Sigpending, possible(Resource::Sigpending, signals))?;
        limit(Resource::Nofile, self.open_files)?;
        limit(Resource::Nproc, self.processes)?;
        limit(Resource::Core, 0)?;
        self.data_bytes.map_or(Ok(()), |bytes| limit(Resource::Data, bytes))
    }
}

/// A limit of the user namespace, as far as the kernel knows it.
fn of_namespace(path: &CStr, value: &[u8]) {
    if let Ok(file) = rustix::fs::open(path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty()) {
        let _ = rustix::io::write(&file, value);
    }
}

/// At most what this process may have itself.
fn possible(resource: Resource, wanted: u64) -> u64 {
    getrlimit(resource).maximum.map_or(wanted, |most| most.min(wanted))
}

fn limit(resource: Resource, value: u64) -> Result<(), Errno> {
    setrlimit(resource, Rlimit { current: Some(value), maximum: Some(value) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(memory_mib: u32) -> Limits {
        let (memory_mib, tmp_mib, namespaces) = (memory_mib, 512, false);
        let (pids, processes, open_files, data_bytes) = (1024, 1024, 1024, None);
        Limits { memory_mib, tmp_mib, pids, processes, open_files, data_bytes, namespaces }
    }

    #[test]
    fn processor_time_follows_memory() {
        assert_eq!(limits(1769).processor_micros(20_000), 20_000);
        assert_eq!(limits(3538).processor_micros(20_000), 40_000);
        assert_eq!(limits(128).processor_micros(20_000), 1447);
        assert_eq!(limits(64).processor_micros(20_000), 1000);
        // 5.8 processors: "up to 6 vCPUs".
        assert_eq!(limits(10_240).processor_micros(20_000), 115_771);
    }

    #[test]
    fn the_kernels_own_is_not_taken_from_the_function() {
        assert_eq!(limits(128).memory_bytes(), 132 << 20);
        assert_eq!(limits(128).memory_and_tmp_bytes(), (132 + 512) << 20);
    }
}
