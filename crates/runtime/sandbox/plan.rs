//! Everything the child needs between clone and exec, made beforehand: it may not allocate.

use std::{
    env,
    ffi::{CString, OsString, c_char},
    fs, io,
    os::{
        fd::{AsRawFd, OwnedFd, RawFd},
        unix::ffi::{OsStrExt, OsStringExt},
    },
    path::Path,
    sync::Arc,
};

use rustix::process::Pid;

use super::{limits::Limits, root::Root, seccomp::Filters, spec::Program, wiring::Wiring};

/// What one child is to do.
pub(super) struct Plan {
    /// `/dev/null`: standard input of every program.
    pub(super) null: OwnedFd,
    /// Whose child it is.
    pub(super) server: Pid,
    /// The child's end of the control socket.
    pub(super) control: OwnedFd,
    /// What the child keeps of the server's descriptors, in rising order, all above 2.
    pub(super) kept: Vec<RawFd>,
    pub(super) work: Work,
}

/// What becomes of a child.
pub(super) enum Work {
    /// A plain process.
    Program(Plain),
    /// The first process of a sandbox, which is told later what to run.
    Cage(Cage),
}

/// A program that the child becomes.
pub(super) struct Plain {
    /// Where the program may be, likeliest first; never empty.
    pub(super) candidates: Vec<CString>,
    pub(super) arguments: CStrings,
    pub(super) environment: CStrings,
    /// Where the program starts.
    pub(super) folder: CString,
    pub(super) stdout: OwnedFd,
    pub(super) stderr: OwnedFd,
}

impl Plan {
    /// Of a child of this process, which is given `control` and what its work needs.
    pub(super) fn new(control: OwnedFd, work: Work) -> io::Result<Plan> {
        let null = OwnedFd::from(fs::File::open("/dev/null")?);
        let mut kept = vec![null.as_raw_fd(), control.as_raw_fd()];
        match &work {
            Work::Program(plain) => {
                kept.extend([plain.stdout.as_raw_fd(), plain.stderr.as_raw_fd()]);
            }
            Work::Cage(cage) => kept.extend(cage.root.held().chain([cage.init.as_raw_fd()])),
        }
        kept.sort_unstable();
        Ok(Plan { null, server: rustix::process::getpid(), control, kept, work })
    }
}

/// What makes a child a sandbox.
pub(super) struct Cage {
    /// Whose account the kernel charges with what has a limit per user, if the server can lend it.
    pub(super) owner: Option<u32>,
    /// Supplementary groups can be dropped; a rootless server's cannot.
    pub(super) drop_groups: bool,
    /// Shared with the parent, which names its entries in errors.
    pub(super) root: Arc<Root>,
    pub(super) hostname: Vec<u8>,
    pub(super) wiring: Wiring,
    pub(super) limits: Limits,
    /// Version of Landlock; 0: the kernel has none. None: a zygote, which it would keep from
    /// making the mounts of its forks; they have it.
    pub(super) landlock_abi: Option<u32>,
    pub(super) filters: Arc<Filters>,
    /// The file of the program that it becomes.
    pub(super) init: Arc<OwnedFd>,
}

/// An array of C strings, ended by a null pointer, as `execve` takes it.
pub(super) struct CStrings {
    /// What the pointers point into.
    _strings: Vec<CString>,
    pointers: Vec<*const c_char>,
}

// SAFETY: the pointers point into `_strings`, which moves along and is never changed.
unsafe impl Send for CStrings {}
// SAFETY: nothing is ever written through the pointers.
unsafe impl Sync for CStrings {}

impl CStrings {
    pub(super) fn arguments(program: &Program) -> io::Result<CStrings> {
        CStrings::new(program.argv.iter().cloned())
    }

    pub(super) fn environment(program: &Program) -> io::Result<CStrings> {
        CStrings::new(program.pairs())
    }

    fn new(strings: impl Iterator<Item = OsString>) -> io::Result<CStrings> {
        let strings: Vec<CString> =
            strings.map(|s| CString::new(s.into_vec())).collect::<Result<_, _>>()?;
        let ended = [std::ptr::null()];
        let pointers = strings.iter().map(|s| s.as_ptr()).chain(ended).collect();
        Ok(CStrings { _strings: strings, pointers })
    }

    /// The array, for `execve`.
    pub(super) fn as_ptr(&self) -> *const *const c_char {
        self.pointers.as_ptr()
    }
}

impl Program {
    /// The environment as a program gets it.
    pub(super) fn pairs(&self) -> impl Iterator<Item = OsString> {
        self.environment.iter().map(|(name, value)| {
            let mut pair = name.clone();
            pair.push("=");
            pair.push(value);
            pair
        })
    }

    /// The program's name, for messages.
    pub(super) fn name(&self) -> String {
        self.argv.first().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }

    /// The paths at which the program is looked for.
    pub(super) fn candidates(&self) -> io::Result<Vec<CString>> {
        let Some(name) = self.argv.first().map(Path::new) else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "no program"));
        };
        if name.as_os_str().as_bytes().contains(&b'/') {
            return Ok(vec![c_path(name)?]);
        }
        let search = self.environment.iter().find(|(variable, _)| variable == "PATH");
        let folders = search.map(|(_, folders)| env::split_paths(folders));
        let mut candidates: Vec<CString> = folders
            .into_iter()
            .flatten()
            .map(|folder| c_path(&folder.join(name)))
            .collect::<io::Result<_>>()?;
        if candidates.is_empty() {
            candidates.push(c_path(name)?);
        }
        Ok(candidates)
    }
}

/// A path for a system call.
pub(super) fn c_path(path: &Path) -> io::Result<CString> {
    Ok(CString::new(path.as_os_str().as_bytes())?)
}
