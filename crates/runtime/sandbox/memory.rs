//! What an instance holds of memory. Its cgroup counts `/tmp`, which is a tmpfs, as one with its
//! processes; Lambda's limit and report are of the processes alone.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

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
        let processes = all.saturating_sub(self.tmp(pid));
        // Files that the host has read are the kernel's to let go of.
        let cache = if processes > limit { cgroup.cache_bytes() } else { None };
        match limit.checked_sub(processes.saturating_sub(cache.unwrap_or(0))) {
            Some(room) => Holds::Much(room),
            None => Holds::TooMuch,
        }
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
        let now = cgroup.memory_now().unwrap_or(0).saturating_sub(tmp);
        Some(peak.saturating_sub(tmp_peak).max(now))
    }

    /// What lies in its `/tmp`, in bytes.
    fn tmp(&self, pid: u32) -> u64 {
        let bytes = match rustix::fs::statfs(format!("/proc/{pid}/root/tmp")) {
            Ok(it) => (it.f_blocks - it.f_bfree) * it.f_bsize as u64,
            // It has just ended.
            Err(_) => 0,
        };
        self.tmp_peak.fetch_max(bytes, Ordering::Relaxed);
        bytes
    }

    pub(super) fn starve(&self) {
        self.starved.store(true, Ordering::Relaxed);
    }

    pub(super) fn starved(&self) -> bool {
        self.starved.load(Ordering::Relaxed)
    }
}
