//! The memory of processes, as the kernel shares it out among those that map the same pages.

use std::{collections::HashMap, fs};

use anyhow::Context;

/// What processes hold together, in MiB: each page counts once, in parts.
pub(super) fn held_mib(processes: impl IntoIterator<Item = u32>) -> anyhow::Result<f64> {
    let mut kib = 0.0;
    for process in processes {
        let text = fs::read_to_string(format!("/proc/{process}/smaps_rollup"))
            .with_context(|| format!("cannot look at the memory of process {process}"))?;
        let line = text.lines().find_map(|line| line.strip_prefix("Pss:"));
        let number = line.and_then(|it| it.trim().strip_suffix(" kB")).context("no Pss")?;
        kib += number.trim().parse::<f64>()?;
    }
    Ok(kib / 1024.0)
}

/// The processes that a process has started, and those that these have.
pub(super) fn descendants(of: u32) -> anyhow::Result<Vec<u32>> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for entry in fs::read_dir("/proc")? {
        let Some(process) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        // It may have ended meanwhile.
        if let Some(parent) = parent(process) {
            children.entry(parent).or_default().push(process);
        }
    }
    let mut found = children.remove(&of).unwrap_or_default();
    let mut next = 0;
    while let Some(process) = found.get(next) {
        found.extend(children.remove(process).unwrap_or_default());
        next += 1;
    }
    Ok(found)
}

fn parent(process: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name, in parentheses, may hold anything; behind it come the state and the parent.
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}
