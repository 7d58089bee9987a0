//! The data folder: one process at a time, one schema.
//!
//! ```text
//! lock      held by flock while a process uses the folder; its text is the process id
//! schema    the layout's version, a decimal number
//! rows/     the engine
//! blobs/    object bytes
//! …/        what a service keeps in segments
//! ```

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use rustix::fs::{FlockOperation, flock};

/// The layout that this program writes, and the newest that it reads.
const SCHEMA: u32 = 1;

/// Why a data folder or something in it did not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process uses the folder.
    #[error("another lampejo (pid {pid}) uses the folder {}", path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
        /// Its process id, or `unknown`.
        pid: String,
    },
    /// A newer program wrote the folder.
    #[error(
        "the folder {} has schema {found}, written by a newer lampejo; this one reads up to {SCHEMA}",
        path.display()
    )]
    NewerSchema {
        /// The folder.
        path: PathBuf,
        /// Its schema.
        found: u32,
    },
    /// The schema file holds no number.
    #[error("{} does not hold a schema number: {text:?}", path.display())]
    DamagedSchema {
        /// The file.
        path: PathBuf,
        /// What it holds.
        text: String,
    },
    /// A file or folder could not be made, read or synced.
    #[error("opening {} failed", path.display())]
    Io {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The engine could not open its files.
    #[error("opening the rows in {} failed: {reason}", path.display())]
    Engine {
        /// The engine's folder.
        path: PathBuf,
        /// What the engine said.
        reason: String,
    },
}

impl OpenError {
    /// Names the path that an input/output error is about.
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> OpenError {
        let path = path.to_owned();
        move |source| OpenError::Io { path, source }
    }
}

/// A data folder that this process alone uses, as long as a clone of this value lives.
#[derive(Clone, Debug)]
pub struct DataFolder {
    path: Arc<Path>,
    _lock: Arc<File>,
}

impl DataFolder {
    /// Opens the folder; makes it (mode 0700) if it is missing.
    ///
    /// # Errors
    /// Another process holds it, a newer program wrote it, or the file system refuses.
    pub fn open(path: impl AsRef<Path>) -> Result<DataFolder, OpenError> {
        let path = path.as_ref();
        create_folder(path).map_err(OpenError::io(path))?;
        let path = fs::canonicalize(path).map_err(OpenError::io(path))?;
        let lock = lock(&path)?;
        check_schema(&path)?;
        sync_folder(&path).map_err(OpenError::io(&path))?;
        Ok(DataFolder { path: path.into(), _lock: Arc::new(lock) })
    }

    /// Where the folder is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A path inside the folder.
    pub fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

/// Makes a folder (mode 0700) and those above it, durably; one that is there is left as it is.
pub(crate) fn create_folder(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let parent = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    create_folder(parent)?;
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => sync_folder(parent),
    }
}

/// Makes new names, renames and removals in a folder durable.
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

fn lock(folder: &Path) -> Result<File, OpenError> {
    let path = folder.join("lock");
    let failed = OpenError::io(&path);
    let open = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path);
    let mut file = match open {
        Ok(file) => file,
        Err(error) => return Err(failed(error)),
    };
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(rustix::io::Errno::WOULDBLOCK) => {
            return Err(OpenError::InUse { path: folder.to_owned(), pid: read_pid(&mut file) });
        }
        Err(error) => return Err(failed(error.into())),
    }
    file.set_len(0)
        .and_then(|()| write!(file, "{}", std::process::id()))
        .map(|()| file)
        .map_err(failed)
}

fn read_pid(lock: &mut File) -> String {
    let mut text = String::new();
    match lock.read_to_string(&mut text) {
        Ok(_) if !text.is_empty() => text,
        // Its owner has locked the file but has not written its id yet.
        _ => "unknown".to_owned(),
    }
}

fn check_schema(folder: &Path) -> Result<(), OpenError> {
    let path = folder.join("schema");
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return write_schema(folder, &path).map_err(OpenError::io(&path));
        }
        Err(error) => return Err(OpenError::Io { path, source: error }),
    };
    match text.trim().parse() {
        Ok(SCHEMA) => Ok(()),
        Ok(found) if found > SCHEMA => {
            Err(OpenError::NewerSchema { path: folder.to_owned(), found })
        }
        _ => Err(OpenError::DamagedSchema { path, text }),
    }
}

/// By rename: a crash leaves either no schema or a whole one.
fn write_schema(folder: &Path, path: &Path) -> io::Result<()> {
    let unfinished = folder.join("schema.new");
    let mut file = File::create(&unfinished)?;
    writeln!(file, "{SCHEMA}")?;
    file.sync_all()?;
    fs::rename(&unfinished, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_user_is_told_who_holds_the_folder() {
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path().join("data");
        let first = DataFolder::open(&path).unwrap();
        let error = DataFolder::open(&path).unwrap_err().to_string();
        let pid = std::process::id();
        assert!(error.starts_with(&format!("another lampejo (pid {pid}) uses")), "{error}");
        drop(first);
        DataFolder::open(&path).unwrap();
    }

    #[test]
    fn only_the_owner_may_enter() {
        use std::os::unix::fs::PermissionsExt;
        let temporary = tempfile::tempdir().unwrap();
        let folder = DataFolder::open(temporary.path().join("a/data")).unwrap();
        let mode = fs::metadata(folder.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }

    #[test]
    fn a_newer_schema_is_refused() {
        let temporary = tempfile::tempdir().unwrap();
        drop(DataFolder::open(temporary.path()).unwrap());
        assert_eq!(fs::read_to_string(temporary.path().join("schema")).unwrap(), "1\n");
        fs::write(temporary.path().join("schema"), "2\n").unwrap();
        let error = DataFolder::open(temporary.path()).unwrap_err();
        assert!(matches!(error, OpenError::NewerSchema { found: 2, .. }), "{error}");
        fs::write(temporary.path().join("schema"), "").unwrap();
        let error = DataFolder::open(temporary.path()).unwrap_err();
        assert!(matches!(error, OpenError::DamagedSchema { .. }), "{error}");
    }
}
