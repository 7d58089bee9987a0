//! Object bytes as files: `blobs/ab/cdef…` for the blob whose id is `abcdef…`.
//!
//! Always true: a file under its id is whole and synced, its name included. Unfinished files are in
//! `blobs/unfinished` and vanish at the next open. A blob that no row names is an orphan; orphans of
//! earlier runs are removed by [`Blobs::collect_orphans`].
//!
//! Read next: `writer`, `reader`.

mod reader;
#[cfg(test)]
mod tests;
mod writer;

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use serde::{Deserialize, Serialize};

pub use writer::BlobWriter;

use crate::{
    OpenError,
    folder::{create_folder, sync_folder},
    room::Room,
};

/// The name of a blob: 128 random bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BlobId(u128);

impl BlobId {
    fn random() -> BlobId {
        BlobId(u128::from_be_bytes(kit::ids::random()))
    }
}

impl fmt::Display for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<BlobId> for String {
    fn from(id: BlobId) -> String {
        id.to_string()
    }
}

impl TryFrom<String> for BlobId {
    type Error = String;

    fn try_from(text: String) -> Result<BlobId, String> {
        let lower_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        match u128::from_str_radix(&text, 16) {
            Ok(id) if text.len() == 32 && text.bytes().all(lower_hex) => Ok(BlobId(id)),
            _ => Err(format!("{text:?} is not a blob's id")),
        }
    }
}

/// Why bytes could not be written.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// The disk is full. Retrying may succeed when there is room.
    #[error("the disk is full")]
    DiskFull,
    /// The file system refused.
    #[error("{step} a blob failed")]
    Io {
        /// What was being done.
        step: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

impl BlobError {
    fn at(step: &'static str) -> impl FnOnce(io::Error) -> BlobError {
        move |source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => BlobError::DiskFull,
            _ => BlobError::Io { step, source },
        }
    }
}

/// All blobs of a data folder. Clones share it.
#[derive(Clone)]
pub struct Blobs(Arc<Files>);

struct Files {
    folder: PathBuf,
    room: Room,
    /// When this run began, by the file system's clock.
    opened: SystemTime,
}

impl Blobs {
    /// Opens the blobs in `folder`, makes it if it is missing, and removes unfinished files.
    ///
    /// # Errors
    /// The file system refuses.
    pub fn open(folder: &Path) -> Result<Blobs, OpenError> {
        let open = || {
            create_folder(folder)?;
            let unfinished = folder.join("unfinished");
            match fs::remove_dir_all(&unfinished) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => fs::create_dir(&unfinished)?,
            }
            // All of them now, so that finishing a blob never has a second folder to sync.
            for first in 0..=u8::MAX {
                match fs::create_dir(folder.join(format!("{first:02x}"))) {
                    Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                        return Err(error);
                    }
                    _ => {}
                }
            }
            sync_folder(folder)?;
            let opened = fs::metadata(&unfinished)?.modified()?;
            Ok(Files { folder: folder.to_owned(), room: Room::of(folder)?, opened })
        };
        Ok(Blobs(Arc::new(open().map_err(OpenError::io(folder))?)))
    }

    /// Begins a blob.
    ///
    /// # Errors
    /// The file system refuses.
    pub async fn writer(&self) -> Result<BlobWriter, BlobError> {
        BlobWriter::begin(self.clone(), BlobId::random()).await
    }

    /// Where a blob's file is.
    pub fn path(&self, id: BlobId) -> PathBuf {
        let name = id.to_string();
        self.0.folder.join(&name[..2]).join(&name[2..])
    }

    /// Removes blobs; those that are already gone count as removed. Not synced: what a crash
    /// brings back is an orphan.
    ///
    /// # Errors
    /// The file system refuses; the others are removed all the same.
    pub async fn delete(&self, ids: Vec<BlobId>) -> Result<(), BlobError> {
        let blobs = self.clone();
        blocking("removing", move || {
            let remove = |id| match fs::remove_file(blobs.path(id)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            };
            // All are tried, whatever one of them says.
            let results: Vec<io::Result<()>> = ids.into_iter().map(remove).collect();
            results.into_iter().collect()
        })
        .await
    }

    /// Removes the blobs of earlier runs for which `is_live` is false, and tells how many.
    ///
    /// # Errors
    /// The file system refuses.
    pub async fn collect_orphans(
        &self,
        is_live: impl Fn(BlobId) -> bool + Send + 'static,
    ) -> Result<usize, BlobError> {
        let blobs = self.clone();
        blocking("collecting orphans of", move || {
            let mut removed = 0;
            for first in 0..=u8::MAX {
                let mut orphans = blobs.old_files(first)?;
                orphans.retain(|id| !is_live(*id));
                removed += orphans.len();
                orphans.into_iter().try_for_each(|id| fs::remove_file(blobs.path(id)))?;
            }
            Ok(removed)
        })
        .await
    }

    /// The blobs of earlier runs whose ids begin with a byte. A blob of this run may be whole
    /// before the row that names it is committed.
    fn old_files(&self, first: u8) -> io::Result<Vec<BlobId>> {
        let first = format!("{first:02x}");
        let mut ids = Vec::new();
        for file in fs::read_dir(self.0.folder.join(&first))? {
            let file = file?;
            let rest = file.file_name();
            let id = rest.to_str().and_then(|rest| BlobId::try_from(format!("{first}{rest}")).ok());
            if file.metadata()?.modified()? < self.0.opened {
                ids.extend(id);
            }
        }
        Ok(ids)
    }

    fn unfinished_path(&self, id: BlobId) -> PathBuf {
        self.0.folder.join("unfinished").join(id.to_string())
    }
}

/// Runs file operations where they may block.
async fn blocking<T: Send + 'static>(
    step: &'static str,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, BlobError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(io::Error::other(error))).map_err(BlobError::at(step))
}
