//! Control groups version 1: each controller has a hierarchy of its own.

use std::path::{Path, PathBuf};

use super::{Files, Folders, MemoryValue, Mount, PERIOD_MICROS};

pub(super) static FILES: Files = Files {
    name: "cgroup v1",
    memory_max: "memory.limit_in_bytes",
    memory_peak: "memory.max_usage_in_bytes",
    memory_now: "memory.usage_in_bytes",
    memory_events: "memory.oom_control",
    memory_also: &[("memory.memsw.limit_in_bytes", MemoryValue::Limit)],
    cpu_quota: |micros| {
        vec![
            ("cpu.cfs_period_us", PERIOD_MICROS.to_string()),
            ("cpu.cfs_quota_us", micros.to_string()),
        ]
    },
};

/// The server's own group of each controller, as far as it may make groups there.
pub(super) fn find(own: &str, mounts: &str) -> Result<(&'static Files, Folders), String> {
    let folder = |name| folder(name, own, mounts).filter(|folder| may_create(folder));
    let folders = Folders { memory: folder("memory"), cpu: folder("cpu"), pids: folder("pids") };
    if folders.distinct().is_empty() {
        return Err("no controller that this user may make groups in".into());
    }
    Ok((&FILES, folders))
}

fn folder(controller: &str, own: &str, mounts: &str) -> Option<PathBuf> {
    let names = |list: &str| list.split(',').any(|name| name == controller);
    // `4:memory:/group`
    let group = own.lines().find_map(|line| {
        let (names_of_line, group) = line.split_once(':')?.1.split_once(':')?;
        names(names_of_line).then_some(group)
    })?;
    mounts
        .lines()
        .filter_map(Mount::parse)
        .filter(|mount| mount.kind == "cgroup" && names(mount.options))
        .find_map(|mount| mount.folder(group))
}

fn may_create(folder: &Path) -> bool {
    rustix::fs::access(folder, rustix::fs::Access::WRITE_OK).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_controller_is_found_in_its_own_hierarchy() {
        let own = "5:cpu,cpuacct:/a\n4:memory:/b/c\n0::/\n";
        let mounts = "1 0 0:1 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
                      2 0 0:2 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n";
        assert_eq!(folder("memory", own, mounts), Some("/sys/fs/cgroup/memory/b/c".into()));
        assert_eq!(folder("cpu", own, mounts), Some("/sys/fs/cgroup/cpu/a".into()));
        assert_eq!(folder("pids", own, mounts), None);
    }
}
