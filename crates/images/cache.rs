//! Where images lie: `layers/SHA-256` and `roots/SHA-256`, each under its name once it is whole and
//! synced; what is being made has a name of its own, which the next start removes.

use std::{
    collections::{BTreeSet, HashMap},
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, Weak},
};

use kit::ids;

use crate::Error;

/// The folder and who is making what in it.
pub(crate) struct Cache {
    folder: PathBuf,
    turns: Mutex<HashMap<String, Weak<tokio::sync::Mutex<()>>>>,
}

/// A folder for what is being made, removed with all that is left in it.
pub(crate) struct Scratch {
    pub(crate) path: PathBuf,
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What this leaves behind, the next start removes.
        let _ = fs::remove_dir_all(&self.path);
    }
}

impl Cache {
    pub(crate) fn open(folder: PathBuf) -> io::Result<Cache> {
        let unfinished = folder.join("unfinished");
        if unfinished.is_dir() {
            fs::remove_dir_all(&unfinished)?;
        }
        for folder in [&folder, &folder.join("layers"), &folder.join("roots"), &unfinished] {
            fs::create_dir_all(folder)?;
            // Instances run as other users.
            fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
        }
        Ok(Cache { folder, turns: Mutex::default() })
    }

    pub(crate) fn layer(&self, digest: &str) -> PathBuf {
        self.folder.join("layers").join(digest)
    }

    pub(crate) fn root(&self, digest: &str) -> PathBuf {
        self.folder.join("roots").join(digest)
    }

    pub(crate) fn scratch(&self) -> Result<Scratch, Error> {
        let path = self.folder.join("unfinished").join(ids::hex::<16>());
        fs::create_dir(&path).map_err(Error::at("making a folder"))?;
        Ok(Scratch { path })
    }

    /// Waits until nobody else makes the thing of this digest.
    pub(crate) async fn turn(&self, digest: &str) -> tokio::sync::OwnedMutexGuard<()> {
        let turn = {
            let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
            turns.retain(|_, turn| turn.strong_count() > 0);
            let known = turns.get(digest).and_then(Weak::upgrade);
            let turn = known.unwrap_or_default();
            turns.insert(digest.to_owned(), Arc::downgrade(&turn));
            turn
        };
        turn.lock_owned().await
    }

    pub(crate) fn collect(
        &self,
        roots: &BTreeSet<String>,
        layers: &BTreeSet<String>,
    ) -> io::Result<()> {
        remove_others(&self.folder.join("roots"), roots)?;
        remove_others(&self.folder.join("layers"), layers)
    }
}

/// Gives a finished folder its name, durably. Somebody who gave up waiting may have been first.
pub(crate) fn publish(unfinished: &Path, path: &Path) -> Result<(), Error> {
    let failed = Error::at("naming a finished folder");
    let folder = fs::File::open(path.parent().unwrap_or(path)).map_err(&failed)?;
    // One sync of the file system: syncing thousands of small files one by one takes seconds.
    rustix::fs::syncfs(&folder).map_err(|errno| failed(errno.into()))?;
    match fs::rename(unfinished, path) {
        Err(_) if path.is_dir() => Ok(()),
        Err(error) => Err(failed(error)),
        Ok(()) => folder.sync_all().map_err(failed),
    }
}

fn remove_others(folder: &Path, live: &BTreeSet<String>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if !entry.file_name().to_str().is_some_and(|name| live.contains(name)) {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}
