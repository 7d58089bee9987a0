//! Everything the child needs between clone and exec, made beforehand: it may not allocate.

use std::{
    env,
    ffi::{CString, OsString, c_char},
    io,
    os::{
        fd::{OwnedFd, RawFd},
        unix::ffi::{OsStrExt, OsStringExt},
    },
    path::Path,
    sync::Arc,
};

use rustix::process::Pid;

use super::{limits::Limits, root::Root, seccomp::Filters, spec::Program};

/// What one child is to do.
pub(super) struct Plan {
    /// Where the program may be, likeliest first; never empty.
    pub(super) candidates: Vec<CString>,
    pub(super) arguments: CStrings,
    pub(super) environment: CStrings,
    /// Where the program starts, as it sees paths.
    pub(super) folder: CString,
    pub(super) stdin: OwnedFd,
    pub(super) stdout: OwnedFd,
    pub(super) stderr: OwnedFd,
    /// Whose child it is.
    pub(super) server: Pid,
    /// The child's end of the control socket.
    pub(super) control: OwnedFd,
    /// What the child keeps of the server's descriptors, in rising order, all above 2.
    pub(super) kept: Vec<RawFd>,
    /// None: a plain process.
    pub(super) cage: Option<Cage>,
}

/// What makes a child a sandbox.
pub(super) struct Cage {
    /// Supplementary groups can be dropped; a rootless server's cannot.
    pub(super) drop_groups: bool,
    /// Shared with the parent, which names its entries in errors.
    pub(super) root: Arc<Root>,
    pub(super) hostname: Vec<u8>,
    pub(super) limits: Limits,
    /// Version of Landlock; 0: none.
    pub(super) landlock_abi: u32,
    pub(super) filters: Arc<Filters>,
}

/// An array of C strings, ended by a null pointer, as `execve` takes it.
pub(super) struct CStrings {
    strings: Vec<CString>,
    pointers: Vec<*const c_char>,
}

// SAFETY: the pointers point into `strings`, which moves along and is never changed.
unsafe impl Send for CStrings {}
// SAFETY: nothing is ever written through the pointers.
unsafe impl Sync for CStrings {}

impl CStrings {
    pub(super) fn arguments(program: &Program) -> io::Result<CStrings> {
        if program.argv.is_empty() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "no program"));
        }
        CStrings::new(program.argv.iter().cloned())
    }

    pub(super) fn environment(program: &Program) -> io::Result<CStrings> {
        CStrings::new(program.environment.iter().map(|(name, value)| {
            let mut pair = name.clone();
            pair.push("=");
            pair.push(value);
            pair
        }))
    }

    fn new(strings: impl Iterator<Item = OsString>) -> io::Result<CStrings> {
        let strings: Vec<CString> =
            strings.map(|s| CString::new(s.into_vec())).collect::<Result<_, _>>()?;
        let ended = [std::ptr::null()];
        let pointers = strings.iter().map(|s| s.as_ptr()).chain(ended).collect();
        Ok(CStrings { strings, pointers })
    }

    /// The array, for `execve`.
    pub(super) fn as_ptr(&self) -> *const *const c_char {
        self.pointers.as_ptr()
    }

    /// The first string as text, for messages.
    pub(super) fn first_text(&self) -> String {
        self.strings.first().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default()
    }
}

impl Program {
    /// The paths at which the program is looked for.
    pub(super) fn candidates(&self) -> io::Result<Vec<CString>> {
        let name = self.argv.first().map(Path::new).unwrap_or(Path::new(""));
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
