//! Control groups version 2: one hierarchy, in which a group holds processes or groups, not both.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{Files, Folders, MemoryValue, Mount, PERIOD_MICROS, write};

pub(super) static FILES: Files = Files {
    name: "cgroup v2",
    memory_max: "memory.max",
    memory_peak: "memory.peak",
    memory_now: "memory.current",
    memory_events: "memory.events",
    memory_also: &[
        ("memory.swap.max", MemoryValue::Text("0")),
        ("memory.oom.group", MemoryValue::Text("1")),
    ],
    cpu_quota: |micros| vec![("cpu.max", format!("{micros} {PERIOD_MICROS}"))],
};

/// What instances' groups need.
const CONTROLLERS: [&str; 3] = ["memory", "cpu", "pids"];

/// Where the server itself moves to: the groups beside it may then have controllers.
const SERVER: &str = "lampejo-server";

/// The server's own group, with controllers switched on for the groups below it.
pub(super) fn find(own: &str, mounts: &str) -> Result<(&'static Files, Folders), String> {
    let group = own.lines().find_map(|line| line.strip_prefix("0::")).ok_or("not mounted")?;
    let folder = mounts
        .lines()
        .filter_map(Mount::parse)
        .filter(|mount| mount.kind == "cgroup2")
        .find_map(|mount| mount.folder(group))
        .ok_or("not mounted")?;
    // A server started again by a supervisor that kept its group.
    let folder = match folder.file_name() {
        Some(name) if name == SERVER => folder.parent().map_or(folder.clone(), PathBuf::from),
        _ => folder,
    };
    let offered = words(&folder.join("cgroup.controllers"));
    let wanted: Vec<_> = CONTROLLERS.into_iter().filter(|c| has(&offered, c)).collect();
    if wanted.is_empty() {
        return Err(format!("{} has none of memory, cpu, pids", folder.display()));
    }
    switch_on(&folder, &wanted)?;
    let enabled = words(&folder.join("cgroup.subtree_control"));
    let place = |name: &str| has(&enabled, name).then(|| folder.clone());
    Ok((&FILES, Folders { memory: place("memory"), cpu: place("cpu"), pids: place("pids") }))
}

fn switch_on(folder: &Path, wanted: &[&str]) -> Result<(), String> {
    let enabled = words(&folder.join("cgroup.subtree_control"));
    if wanted.iter().all(|c| has(&enabled, c)) {
        return Ok(());
    }
    let line = wanted.iter().map(|c| format!("+{c}")).collect::<Vec<_>>().join(" ");
    let control = |value: &str| write(folder, "cgroup.subtree_control", value);
    if control(&line).is_ok() {
        return Ok(());
    }
    // A group with processes in it has no controllers for others: step aside, as a delegated
    // service is meant to.
    let aside = folder.join(SERVER);
    let _ = fs::create_dir(&aside);
    write(&aside, "cgroup.procs", &std::process::id().to_string()).map_err(|e| e.to_string())?;
    control(&line).map_err(|e| e.to_string())
}

fn words(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.split_whitespace().map(str::to_owned).collect()
}

fn has(words: &[String], word: &str) -> bool {
    words.iter().any(|w| w == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(controllers: &str, enabled: &str) -> (tempfile::TempDir, String) {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("unit")).unwrap();
        fs::write(root.path().join("unit/cgroup.controllers"), controllers).unwrap();
        fs::write(root.path().join("unit/cgroup.subtree_control"), enabled).unwrap();
        let mount = format!("1 0 0:1 / {} rw - cgroup2 cgroup2 rw", root.path().display());
        (root, mount)
    }

    #[test]
    fn controllers_are_switched_on_below_the_servers_group() {
        let (root, mount) = tree("cpu io memory pids", "");
        let _ = find("0::/unit\n", &mount).unwrap();
        let written = fs::read_to_string(root.path().join("unit/cgroup.subtree_control")).unwrap();
        assert_eq!(written, "+memory +cpu +pids");
    }

    #[test]
    fn what_is_delegated_is_used() {
        let (root, mount) = tree("memory pids", "memory pids");
        let (_, folders) = find("0::/unit/lampejo-server\n", &mount).unwrap();
        assert_eq!(folders.memory, Some(root.path().join("unit")));
        assert_eq!(folders.cpu, None);
    }

    #[test]
    fn a_hierarchy_without_our_controllers_is_refused() {
        let (_root, mount) = tree("hugetlb", "");
        assert!(find("0::/unit\n", &mount).is_err());
    }
}
