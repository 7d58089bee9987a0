//! The memory that all instances together may hold, and what each of them holds.
//!
//! Always true: an instance is started only if what it will hold fits beside what the others hold:
//! until it is ready that is the most that one of its function has held, or all that the function may
//! hold if that is not known. Then it is what the machine says. What runs may grow up to its own limit;
//! if that is too much for all together, idle instances make room.

use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use tokio::sync::{Notify, futures::Notified};

const MIB: u64 = 1 << 20;
/// Unless the configuration says so, instances may hold this share of the machine's memory.
const PERCENT: u64 = 60;
/// Of a machine that does not say how much memory it has.
const UNKNOWN_BYTES: u64 = 2 << 30;

/// What all instances may hold together.
#[derive(Debug)]
pub(crate) struct Memory {
    limit_bytes: u64,
    held_bytes: AtomicU64,
    /// Shares that are not weighed yet: they will most likely become smaller.
    unweighed: AtomicU64,
    /// Shares ever given.
    given: AtomicU64,
    /// Rung when memory has become free.
    freed: Notify,
}

/// What the pool may hold and holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct MemoryStatus {
    /// All instances may hold so much together, in MiB.
    pub budget_mib: u64,
    /// They hold, or have reserved, so much.
    pub held_mib: u64,
}

impl Memory {
    /// With so many MiB, or a share of the machine's.
    pub(crate) fn new(limit_mib: Option<u64>) -> Arc<Memory> {
        let share = || machine_bytes().map_or(UNKNOWN_BYTES, |bytes| bytes / 100 * PERCENT);
        Arc::new(Memory {
            limit_bytes: limit_mib.map_or_else(share, |mib| mib * MIB),
            held_bytes: AtomicU64::new(0),
            unweighed: AtomicU64::new(0),
            given: AtomicU64::new(0),
            freed: Notify::new(),
        })
    }

    /// Room for one more instance, if there is. What needs more than all may hold needs all.
    pub(crate) fn reserve(self: &Arc<Self>, bytes: u64) -> Option<Share> {
        let bytes = bytes.min(self.limit_bytes);
        let fits = |held: u64| held.checked_add(bytes).filter(|held| *held <= self.limit_bytes);
        self.held_bytes.fetch_update(Ordering::AcqRel, Ordering::Acquire, fits).ok()?;
        self.unweighed.fetch_add(1, Ordering::AcqRel);
        self.given.fetch_add(1, Ordering::AcqRel);
        let (bytes, weighed) = (AtomicU64::new(bytes), AtomicBool::new(false));
        Some(Share { memory: self.clone(), bytes, weighed })
    }

    /// How much must become free for `bytes` more.
    pub(crate) fn lacking(&self, bytes: u64) -> u64 {
        let wanted = self.held_bytes.load(Ordering::Acquire) + bytes.min(self.limit_bytes);
        wanted.saturating_sub(self.limit_bytes)
    }

    /// Whether some instance is on its way to ready: then there may be room soon.
    pub(crate) fn may_become_free(&self) -> bool {
        self.unweighed.load(Ordering::Acquire) > 0
    }

    /// How many shares were ever given: whether somebody else came in between.
    pub(crate) fn given(&self) -> u64 {
        self.given.load(Ordering::Acquire)
    }

    /// Resolves when memory has become free since this call.
    pub(crate) fn freed(&self) -> Notified<'_> {
        self.freed.notified()
    }

    pub(crate) fn budget_mib(&self) -> u64 {
        self.limit_bytes / MIB
    }

    pub(crate) fn status(&self) -> MemoryStatus {
        let held_mib = self.held_bytes.load(Ordering::Acquire).div_ceil(MIB);
        MemoryStatus { budget_mib: self.budget_mib(), held_mib }
    }
}

/// What one instance holds. Dropping it frees it.
#[derive(Debug)]
pub(crate) struct Share {
    memory: Arc<Memory>,
    bytes: AtomicU64,
    weighed: AtomicBool,
}

impl Share {
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Acquire)
    }

    /// The instance was weighed.
    pub(crate) fn set(&self, bytes: u64) {
        let before = self.bytes.swap(bytes, Ordering::AcqRel);
        if before == bytes && self.weighed.load(Ordering::Acquire) {
            return;
        }
        self.memory.held_bytes.fetch_add(bytes.wrapping_sub(before), Ordering::AcqRel);
        if !self.weighed.swap(true, Ordering::AcqRel) {
            self.memory.unweighed.fetch_sub(1, Ordering::AcqRel);
        }
        if bytes < before {
            self.memory.freed.notify_waiters();
        }
    }

    /// The instance holds at least so much.
    pub(crate) fn grow(&self, bytes: u64) {
        if bytes > self.bytes() {
            self.set(bytes);
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.set(0);
        // Even if it was weighed before, or nothing.
        self.memory.freed.notify_waiters();
    }
}

/// The memory of the machine, or what the server's control group leaves it.
fn machine_bytes() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let total = line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()? << 10;
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    Some(groups.lines().filter_map(group_bytes).fold(total, u64::min))
}

/// The limit of a line of `/proc/self/cgroup`, or of a group above.
fn group_bytes(line: &str) -> Option<u64> {
    let (_, rest) = line.split_once(':')?;
    let (root, file, group) = match rest.split_once(':')? {
        ("", group) => ("/sys/fs/cgroup", "memory.max", group),
        ("memory", group) => ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", group),
        _ => return None,
    };
    let limit = |group: &Path| {
        let below = group.strip_prefix("/").ok()?;
        let text = fs::read_to_string(Path::new(root).join(below).join(file)).ok()?;
        text.trim().parse::<u64>().ok()
    };
    Path::new(group).ancestors().filter_map(limit).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_beside_the_others_gets_no_room() {
        let memory = Memory::new(Some(100));
        let one = memory.reserve(60 * MIB).unwrap();
        assert!(memory.reserve(41 * MIB).is_none());
        assert_eq!(memory.lacking(41 * MIB), MIB);
        assert!(memory.may_become_free());
        one.set(10 * MIB);
        assert!(!memory.may_become_free());
        let two = memory.reserve(41 * MIB).unwrap();
        assert_eq!(memory.status(), MemoryStatus { budget_mib: 100, held_mib: 51 });
        one.grow(5 * MIB);
        one.grow(90 * MIB);
        assert_eq!(memory.lacking(0), 31 * MIB);
        drop((one, two));
        assert_eq!(memory.status().held_mib, 0);
        assert!(!memory.may_become_free());
    }

    #[test]
    fn what_is_greater_than_the_budget_gets_all_of_it() {
        let memory = Memory::new(Some(100));
        let all = memory.reserve(10_000 * MIB).unwrap();
        assert!(memory.reserve(MIB).is_none());
        drop(all);
        assert!(memory.reserve(MIB).is_some());
    }

    #[test]
    fn the_budget_is_a_share_of_what_the_machine_has() {
        let budget = Memory::new(None).limit_bytes;
        assert!(budget > 0 && budget < machine_bytes().unwrap());
    }

    #[tokio::test]
    async fn whoever_waits_for_memory_is_told() {
        let memory = Memory::new(Some(100));
        let share = memory.reserve(100 * MIB).unwrap();
        let freed = memory.freed();
        share.set(MIB);
        freed.await;
    }
}
