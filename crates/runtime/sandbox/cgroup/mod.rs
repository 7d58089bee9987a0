//! Control groups: limits of memory, processor time and processes of a whole instance.
//!
//! Groups lie below the server's own and carry its process id and start time, so that the next
//! server knows what a killed one left. `v2` and `v1` find out where; from then on they differ
//! only in names, and in how they tell that memory has grown (`alarm`).

mod alarm;
mod v1;
mod v2;

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use rustix::process::{Pid, Signal};

use super::limits::Limits;

pub(crate) use alarm::Armed;
pub(super) use alarm::{Alarm, Bound};

/// Microseconds in which a quota of processor time is counted. Short, as Lambda's is: with 128 MiB
/// an instance runs 1.4 ms in 20 rather than 7 in 100, and answers sooner.
const PERIOD_MICROS: u64 = 20_000;

const PREFIX: &str = "lampejo-";

/// Where instances' groups are made.
pub(super) struct Cgroups {
    files: &'static Files,
    folders: Folders,
    /// `lampejo-<pid>-<start time>-`: this server's groups.
    prefix: String,
}

/// The folder of each controller; with v2 they are one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Folders {
    memory: Option<PathBuf>,
    cpu: Option<PathBuf>,
    pids: Option<PathBuf>,
    /// Of version 2 always: what version 1 has frozen cannot be killed.
    freezer: Option<PathBuf>,
}

/// What a version calls things.
struct Files {
    name: &'static str,
    memory_max: &'static str,
    memory_now: &'static str,
    memory_peak: &'static str,
    /// The line of `memory.stat` that counts pages of files, those of tmpfs included.
    memory_files: &'static str,
    /// Holds a line `oom_kill N`.
    memory_events: &'static str,
    /// Written if they are there: no swap, all of a group dies together.
    memory_also: &'static [(&'static str, MemoryValue)],
    alarm: alarm::Kind,
    /// How a quota of so many microseconds per period is written, in this order.
    cpu_quota: fn(u64) -> Vec<(&'static str, String)>,
}

enum MemoryValue {
    Text(&'static str),
    /// The limit once more.
    Limit,
}

/// One instance's group. Dropping it removes it; whoever is still in it is killed.
pub(super) struct Cgroup {
    files: &'static Files,
    folders: Folders,
    quota_micros: u64,
    memory_bytes: u64,
    /// Read after every invocation: kept open, that takes a tenth of the time.
    peak: Option<File>,
}

impl Cgroups {
    /// Where this server may make groups, or why it may not.
    pub(super) fn find() -> Result<Cgroups, String> {
        let read = |path| fs::read_to_string(path).map_err(|e| format!("{path}: {e}"));
        let own = read("/proc/self/cgroup")?;
        let mounts = read("/proc/self/mountinfo")?;
        let (files, folders) = v2::find(&own, &mounts)
            .or_else(|v2| v1::find(&own, &mounts).map_err(|v1| format!("v2: {v2}; v1: {v1}")))?;
        let start = start_time(std::process::id()).ok_or("/proc/self/stat is not readable")?;
        let prefix = format!("{PREFIX}{}-{start}-", std::process::id());
        Ok(Cgroups { files, folders, prefix })
    }

    /// Which version and which controllers, for people.
    pub(super) fn describe(&self) -> String {
        let Folders { memory, cpu, pids, freezer } = &self.folders;
        let has = |name: &str, folder: &Option<PathBuf>| match folder {
            Some(_) => format!(" {name}"),
            None => format!(" (no {name})"),
        };
        let (memory, cpu, pids) = (has("memory", memory), has("cpu", cpu), has("pids", pids));
        format!("{}:{memory}{cpu}{pids}{}", self.files.name, has("freezer", freezer))
    }

    /// Whether all that is limited can be limited.
    pub(super) fn complete(&self) -> bool {
        let Folders { memory, cpu, pids, .. } = &self.folders;
        memory.is_some() && cpu.is_some() && pids.is_some()
    }

    /// Whether memory is bounded.
    pub(super) fn bounds_memory(&self) -> bool {
        self.folders.memory.is_some()
    }

    /// Whether processes are counted.
    pub(super) fn counts_processes(&self) -> bool {
        self.folders.pids.is_some()
    }

    /// A new group with its limits; processor time is unlimited until `Cgroup::throttle`.
    pub(super) fn create(&self, id: &str, limits: &Limits) -> io::Result<Cgroup> {
        let name = format!("{}{id}", self.prefix);
        let mut group = Cgroup {
            files: self.files,
            folders: self.folders.map(|folder| folder.join(&name)),
            quota_micros: limits.processor_micros(PERIOD_MICROS),
            memory_bytes: limits.memory_bytes(),
            peak: None,
        };
        for folder in group.folders.distinct() {
            fs::create_dir(folder).map_err(|e| about(folder, &e))?;
        }
        if let Some(folder) = &group.folders.memory {
            group.bound_memory(folder, limits.memory_and_tmp_bytes())?;
            // Version 2 has it since Linux 5.19.
            group.peak = File::open(folder.join(self.files.memory_peak)).ok();
        }
        if let Some(folder) = &group.folders.pids {
            write(folder, "pids.max", &limits.pids.to_string())?;
        }
        Ok(group)
    }

    /// Groups as a killed server leaves them; answers how many.
    #[cfg(test)]
    pub(super) fn leave_behind(&self, id: &str) -> io::Result<usize> {
        let folders = self.folders.distinct();
        let names = folders.iter().map(|folder| folder.join(format!("{PREFIX}1-1-{id}")));
        names.map(fs::create_dir).collect::<io::Result<Vec<()>>>().map(|made| made.len())
    }

    /// Removes the groups of servers that are gone, with whoever is still in them.
    pub(super) fn sweep(&self) {
        for folder in self.folders.distinct() {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                if entry.file_name().to_str().is_some_and(is_left_over) {
                    remove(&entry.path());
                }
            }
        }
    }
}

impl Cgroup {
    /// Puts a process into it.
    pub(super) fn attach(&self, pid: u32) -> io::Result<()> {
        self.folders
            .distinct()
            .into_iter()
            .try_for_each(|f| write(f, "cgroup.procs", &pid.to_string()))
    }

    /// Limits processor time to the instance's share.
    pub(super) fn throttle(&self) -> io::Result<()> {
        let Some(folder) = &self.folders.cpu else { return Ok(()) };
        (self.files.cpu_quota)(self.quota_micros)
            .into_iter()
            .try_for_each(|(file, value)| write(folder, file, &value))
    }

    /// Stops its processes where they are, or lets them go on. They can be killed meanwhile.
    pub(super) fn freeze(&self, frozen: bool) -> io::Result<()> {
        let Some(folder) = &self.folders.freezer else { return Ok(()) };
        write(folder, "cgroup.freeze", if frozen { "1" } else { "0" })
    }

    /// Whether it can be frozen.
    pub(super) fn freezes(&self) -> bool {
        self.folders.freezer.is_some()
    }

    /// Where it can be told that the group holds more than its processes may.
    pub(super) fn bound(&self) -> Option<Bound> {
        let folder = self.folders.memory.clone()?;
        Some(Bound { kind: self.files.alarm, folder, bytes: self.memory_bytes })
    }

    /// Nobody looks at what is `/tmp`'s and what the processes': together they get no more than
    /// these alone may have.
    pub(super) fn count_tmp(&self) -> io::Result<()> {
        let Some(folder) = &self.folders.memory else { return Ok(()) };
        self.bound_memory(folder, self.memory_bytes)
    }

    fn bound_memory(&self, folder: &Path, bytes: u64) -> io::Result<()> {
        let bytes = bytes.to_string();
        write(folder, self.files.memory_max, &bytes)?;
        for (file, value) in self.files.memory_also {
            let value = match value {
                MemoryValue::Text(text) => text,
                MemoryValue::Limit => bytes.as_str(),
            };
            if folder.join(file).exists() {
                write(folder, file, value)?;
            }
        }
        Ok(())
    }

    /// What its processes may hold, in bytes.
    pub(super) fn memory_limit(&self) -> u64 {
        self.memory_bytes
    }

    /// All memory that is counted of it, in bytes.
    pub(super) fn memory_now(&self) -> Option<u64> {
        let folder = self.folders.memory.as_ref()?;
        fs::read_to_string(folder.join(self.files.memory_now)).ok()?.trim().parse().ok()
    }

    /// The pages that the kernel lets go of when it needs room, in bytes.
    pub(super) fn cache_bytes(&self) -> Option<u64> {
        let folder = self.folders.memory.as_ref()?;
        let stat = fs::read_to_string(folder.join("memory.stat")).ok()?;
        let shared = line(&stat, "shmem")?;
        Some(line(&stat, self.files.memory_files)?.saturating_sub(shared))
    }

    /// Most memory it has held, in bytes.
    pub(super) fn peak_bytes(&self) -> Option<u64> {
        let mut text = [0; 32];
        let length = self.peak.as_ref()?.read_at(&mut text, 0).ok()?;
        std::str::from_utf8(&text[..length]).ok()?.trim().parse().ok()
    }

    /// Whether the kernel killed something in it for want of memory.
    pub(super) fn oom_killed(&self) -> bool {
        let Some(folder) = &self.folders.memory else { return false };
        let events = fs::read_to_string(folder.join(self.files.memory_events));
        events.is_ok_and(|text| line(&text, "oom_kill").is_some_and(|kills| kills > 0))
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        self.folders.distinct().into_iter().for_each(remove);
    }
}

impl Folders {
    fn all(&self) -> impl Iterator<Item = &PathBuf> {
        [&self.memory, &self.cpu, &self.pids, &self.freezer].into_iter().flatten()
    }

    fn distinct(&self) -> BTreeSet<&Path> {
        self.all().map(PathBuf::as_path).collect()
    }

    fn map(&self, change: impl Fn(&Path) -> PathBuf) -> Folders {
        let change = |folder: &Option<PathBuf>| folder.as_deref().map(&change);
        Folders {
            memory: change(&self.memory),
            cpu: change(&self.cpu),
            pids: change(&self.pids),
            freezer: change(&self.freezer),
        }
    }
}

fn write(folder: &Path, file: &str, value: &str) -> io::Result<()> {
    let path = folder.join(file);
    let mut file = fs::OpenOptions::new().write(true).open(&path).map_err(|e| about(&path, &e))?;
    io::Write::write_all(&mut file, value.as_bytes()).map_err(|e| about(&path, &e))
}

fn about(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// Removes a group. An ended process may still be leaving it: a few tries, then the next server's
/// sweep has it.
fn remove(folder: &Path) {
    const TRIES: u32 = 50;
    for _ in 0..TRIES {
        match fs::remove_dir(folder) {
            Err(e) if e.kind() == io::ErrorKind::ResourceBusy => {}
            _ => return,
        }
        let members = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
        for pid in members.lines().filter_map(|l| Pid::from_raw(l.parse().ok()?)) {
            let _ = rustix::process::kill_process(pid, Signal::KILL);
        }
        std::thread::park_timeout(std::time::Duration::from_millis(1));
    }
}

/// Whether a group's name says that the server that made it is gone.
fn is_left_over(name: &str) -> bool {
    let Some(rest) = name.strip_prefix(PREFIX) else { return false };
    let mut parts = rest.splitn(3, '-');
    let (Some(pid), Some(start), Some(_)) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    let (Ok(pid), Ok(start)) = (pid.parse(), start.parse::<u64>()) else { return false };
    start_time(pid) != Some(start)
}

/// When a process started, in the kernel's ticks: with the id, an identity.
fn start_time(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may hold anything; the state after it is the third field.
    let (_, after) = stat.rsplit_once(')')?;
    after.split_whitespace().nth(22 - 3)?.parse().ok()
}

/// The number that stands behind a name.
fn line(text: &str, name: &str) -> Option<u64> {
    let of = |line: &str| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok();
    text.lines().find_map(of)
}

/// One mounted hierarchy, from a line of `/proc/self/mountinfo`.
struct Mount<'a> {
    /// Which group of the hierarchy lies at `point`.
    root: &'a str,
    point: &'a str,
    kind: &'a str,
    options: &'a str,
}

impl Mount<'_> {
    fn parse(line: &str) -> Option<Mount<'_>> {
        let (left, right) = line.split_once(" - ")?;
        let mut left = left.split(' ').skip(3);
        let (root, point) = (left.next()?, left.next()?);
        let mut right = right.split(' ');
        let kind = right.next()?;
        Some(Mount { root, point, kind, options: right.nth(1)? })
    }

    /// The folder of a group of this hierarchy.
    fn folder(&self, group: &str) -> Option<PathBuf> {
        let below = Path::new(group).strip_prefix(self.root).ok()?;
        Some(Path::new(self.point).join(below))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_of_this_very_process_is_not_left_over() {
        let (pid, start) = (std::process::id(), start_time(std::process::id()).unwrap());
        assert!(!is_left_over(&format!("lampejo-{pid}-{start}-a-1")));
        assert!(is_left_over(&format!("lampejo-{pid}-{}-a-1", start + 1)));
        assert!(is_left_over(&format!("lampejo-{}-{start}-a", u32::MAX)));
        assert!(!is_left_over("lampejo-server"));
        assert!(!is_left_over("user.slice"));
    }

    #[test]
    fn both_versions_count_kills_alike() {
        let kills = |text| line(text, "oom_kill");
        assert_eq!(kills("low 0\nhigh 0\nmax 3\noom 1\noom_kill 2\noom_group_kill 1\n"), Some(2));
        assert_eq!(kills("oom_kill_disable 0\nunder_oom 0\noom_kill 1\n"), Some(1));
        assert_eq!(kills(""), None);
    }

    #[test]
    fn a_mount_knows_where_a_group_lies() {
        let line = "33 24 0:30 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory";
        let mount = Mount::parse(line).unwrap();
        assert_eq!((mount.kind, mount.options), ("cgroup", "rw,memory"));
        let folder = mount.folder("/docker/abc/x").unwrap();
        assert_eq!(folder, Path::new("/sys/fs/cgroup/memory/x"));
        assert_eq!(mount.folder("/elsewhere"), None);
    }
}
