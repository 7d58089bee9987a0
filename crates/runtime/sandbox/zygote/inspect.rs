//! What the kernel says of a process: whether it can be forked, and what a fork holds. The process
//! itself is not asked.

use std::{
    collections::HashSet,
    fs, io,
    os::fd::{AsRawFd, BorrowedFd},
};

/// Files that forks may share: what is read from them is nobody's own.
const HARMLESS: [&str; 4] = ["/dev/null", "/dev/zero", "/dev/random", "/dev/urandom"];

/// What was found of a process that can be forked.
pub(super) struct Found {
    /// What its forks may hold: its standard streams, and files that are harmless.
    pub(super) descriptors: HashSet<String>,
    pub(super) resident_mib: u32,
}

/// Looks at a process that has said that its init is over. Of a second thread there would be
/// nothing in a fork; a file, a socket or memory that is shared would be shared by all forks.
/// `channel` is the one socket that it has of ours.
pub(super) fn inspect(pid: u32, channel: &str) -> io::Result<Result<Found, String>> {
    let threads = threads(pid)?;
    if threads != 1 {
        return Ok(Err(format!("{threads} threads run after init")));
    }
    // With those whose parents have ended, which are its init's.
    let children = children(pid)?.len() + children(parent(pid)?)?.len() - 1;
    if children > 0 {
        return Ok(Err(format!("{children} child processes run after init")));
    }
    let mut descriptors = HashSet::new();
    for (number, link) in descriptors_of(pid)? {
        if number <= 2 || HARMLESS.contains(&link.as_str()) {
            descriptors.insert(link);
        } else if link != channel {
            return Ok(Err(format!("{} is open after init", named(&link))));
        }
    }
    if has_shared_memory(pid)? {
        return Ok(Err("memory is shared with others after init".to_owned()));
    }
    Ok(Ok(Found { descriptors, resident_mib: resident_mib(pid)? }))
}

/// How many threads a process has.
pub(super) fn threads(pid: u32) -> io::Result<usize> {
    Ok(fs::read_dir(format!("/proc/{pid}/task"))?.count())
}

/// The children of a process that has one thread.
pub(super) fn children(pid: u32) -> io::Result<Vec<u32>> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?;
    Ok(text.split_whitespace().filter_map(|child| child.parse().ok()).collect())
}

/// Whether a process has ended and only waits for its parent to take notice.
pub(super) fn is_dead(pid: u32) -> bool {
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { return true };
    // The name, in parentheses, may hold anything.
    stat.rsplit_once(") ").is_some_and(|(_, after)| after.starts_with(['Z', 'X']))
}

/// A process's id in the namespace above its own.
pub(super) fn inner_pid(pid: u32) -> io::Result<u32> {
    let ids = status_field(pid, "NSpid:")?;
    let above = ids.split_whitespace().rev().nth(1).and_then(|id| id.parse().ok());
    above.ok_or_else(|| io::ErrorKind::NotFound.into())
}

/// Whether a process has no capability, and no way to one.
pub(super) fn check_powerless(pid: u32) -> io::Result<()> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let has = |name: &str, value: &str| {
        let found = status.lines().find_map(|line| line.strip_prefix(name));
        found.is_some_and(|found| found.trim() == value)
    };
    let none = "0000000000000000";
    let sets = ["CapInh:", "CapPrm:", "CapEff:", "CapAmb:"];
    let powerless = sets.iter().all(|set| has(set, none));
    // Seccomp 2: a filter.
    if powerless && has("NoNewPrivs:", "1") && has("Seccomp:", "2") {
        return Ok(());
    }
    Err(io::Error::other("the fork has rights"))
}

/// What a fork has open.
pub(super) struct Open {
    /// Its socket.
    pub(super) socket: u32,
    /// The highest number.
    pub(super) last: u32,
}

/// Whether a fork holds nothing open but these, and its socket.
pub(super) fn check_descriptors(
    pid: u32,
    known: &HashSet<String>,
    socket: &str,
) -> io::Result<Open> {
    let mut open = Open { socket: 0, last: 0 };
    for (number, link) in descriptors_of(pid)? {
        open.last = open.last.max(number);
        if link == socket {
            open.socket = number;
        } else if !known.contains(&link) {
            return Err(io::Error::other(format!("the fork holds {} open", named(&link))));
        }
    }
    Ok(open)
}

/// A process's parent.
pub(super) fn parent(pid: u32) -> io::Result<u32> {
    status_field(pid, "PPid:")?.parse().map_err(io::Error::other)
}

/// How the kernel shows a descriptor of a process.
pub(super) fn link_in(pid: u32, descriptor: i32) -> io::Result<String> {
    link(&format!("/proc/{pid}/fd/{descriptor}"))
}

/// How the kernel shows a descriptor.
pub(super) fn link_of(descriptor: BorrowedFd<'_>) -> io::Result<String> {
    link(&format!("/proc/self/fd/{}", descriptor.as_raw_fd()))
}

fn link(path: &str) -> io::Result<String> {
    Ok(fs::read_link(path)?.to_string_lossy().into_owned())
}

fn descriptors_of(pid: u32) -> io::Result<Vec<(u32, String)>> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd"))?;
    let numbers = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    numbers.map(|number: u32| Ok((number, link(&format!("/proc/{pid}/fd/{number}"))?))).collect()
}

/// A descriptor's kind, for a function's log.
fn named(link: &str) -> String {
    match link.split_once(':') {
        Some(("socket", _)) => "a socket".to_owned(),
        Some(("pipe", _)) => "a pipe".to_owned(),
        Some(("anon_inode", kind)) => format!("a descriptor of {kind}"),
        _ => format!("the file {link}"),
    }
}

fn has_shared_memory(pid: u32) -> io::Result<bool> {
    let maps = fs::read_to_string(format!("/proc/{pid}/smaps"))?;
    let mut flags = maps.lines().filter_map(|line| line.strip_prefix("VmFlags:"));
    // `sh`: writes are seen by others. Shared mappings of files that are open for reading only
    // have no such flag.
    Ok(flags.any(|flags| flags.split_whitespace().any(|flag| flag == "sh")))
}

fn resident_mib(pid: u32) -> io::Result<u32> {
    let kib = status_field(pid, "VmRSS:")?;
    let kib = kib.trim_end_matches("kB").trim().parse::<u64>();
    Ok(kib.unwrap_or(0).div_ceil(1024) as u32)
}

fn status_field(pid: u32, name: &str) -> io::Result<String> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let field = status.lines().find_map(|line| line.strip_prefix(name));
    field.map(|field| field.trim().to_owned()).ok_or_else(|| io::ErrorKind::NotFound.into())
}
