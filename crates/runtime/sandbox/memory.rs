//! What an instance holds of memory. Its cgroup counts `/tmp`, which is a tmpfs, as one with its
//! processes; Lambda's limit and report are of the processes alone.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
};

use super::cgroup::Cgroup;

/// A `/tmp` that holds less is not worth a look at the rest.
const NOTABLE_TMP_BYTES: u64 = 1 << 20;

/// How an instance stands with its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holds {
    /// Less than its limit, all in all.
    Little,
    /// More, but not in its processes: they may have so many bytes more.
    Much(u64),
    /// More than its limit.
    TooMuch,
}

/// What is remembered of one instance.
#[derive(Default)]
pub(super) struct Account {
    /// The most seen in `/tmp`, in bytes.
    tmp_peak: AtomicU64,
    starved: AtomicBool,
}

impl Account {
    /// Looks at it now; `pid` is its first process.
    pub(super) fn look(&self, cgroup: &Cgroup, pid: u32) -> Holds {
        let limit = cgroup.memory_limit();
        let Some(all) = cgroup.memory_now().filter(|all| *all > limit) else {
            return Holds::Little;
        };
        // None: it has just ended.
        let Some(tmp) = self.tmp(pid) else { return Holds::Little };
        let processes = all.saturating_sub(tmp);
        // Files that the host has read are the kernel's to let go of.
        let cache = if processes > limit { cgroup.cache_bytes() } else { None };
        match limit.checked_sub(processes.saturating_sub(cache.unwrap_or(0))) {
            Some(room) => Holds::Much(room),
            None => Holds::TooMuch,
        }
    }

    /// Whether it is past its limit now. Costs next to nothing if it never was, `/tmp` included.
    pub(super) fn exceeds(&self, cgroup: &Cgroup, pid: u32) -> bool {
        cgroup.peak_bytes().is_some_and(|peak| peak > cgroup.memory_limit())
            && self.look(cgroup, pid) == Holds::TooMuch
    }

    /// The most that its processes have held, in bytes. What they wrote to `/tmp` and deleted unseen
    /// is among it.
    pub(super) fn peak(&self, cgroup: &Cgroup, pid: u32) -> Option<u64> {
        let peak = cgroup.peak_bytes()?;
        let tmp = self.tmp(pid);
        let tmp_peak = self.tmp_peak.load(Ordering::Relaxed);
        if tmp_peak < NOTABLE_TMP_BYTES {
            return Some(peak);
        }
        let now = tmp.and_then(|tmp| Some(cgroup.memory_now()?.saturating_sub(tmp)));
        Some(peak.saturating_sub(tmp_peak).max(now.unwrap_or(0)))
    }

    /// What lies in its `/tmp`, in bytes; nothing tells once it has ended.
    fn tmp(&self, pid: u32) -> Option<u64> {
        let its_root = PathBuf::from(format!("/proc/{pid}/root"));
        let tmp = rustix::fs::statfs(its_root.join("tmp")).ok()?;
        let bytes = (tmp.f_blocks - tmp.f_bfree) * tmp.f_bsize as u64;
        self.tmp_peak.fetch_max(bytes, Ordering::Relaxed);
        Some(bytes)
    }

    pub(super) fn starve(&self) {
        self.starved.store(true, Ordering::Relaxed);
    }

    pub(super) fn starved(&self) -> bool {
        self.starved.load(Ordering::Relaxed)
    }
}
