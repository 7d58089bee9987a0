//! Where functions' code lies: the zip as a blob, unpacked once for each content in
//! `code/<SHA-256>/`.
//!
//! Always true: a folder under its hash is whole and synced. A hash whose folder is missing is
//! unpacked again from its blob at the next start. Folders that no function uses are removed after
//! the change that left them, or at the next start.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use futures::StreamExt;
use images::Images;
use kit::ids;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use store::{BlobError, BlobId, Blobs};
use tokio::sync::{RwLock, RwLockReadGuard};

use crate::{Error, download::Zip, image::Content, package};

/// One package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Code {
    /// SHA-256 of the zip, lower-case hexadecimal.
    pub(crate) sha256: String,
    /// Of the zip.
    pub(crate) bytes: u64,
    /// The zip.
    pub(crate) blob: BlobId,
    /// Where the code lies instead, if it is a developer's folder; the zip only names it then.
    #[serde(default)]
    pub(crate) folder: Option<PathBuf>,
}

impl Code {
    /// `CodeSha256`.
    pub(crate) fn base64(&self) -> String {
        STANDARD.encode(hex::decode(&self.sha256).unwrap_or_default())
    }
}

/// All packages.
pub(crate) struct CodeStore {
    folder: PathBuf,
    blobs: Blobs,
    pub(crate) images: Arc<Images>,
    /// Held for reading from the unpacking of a package until a function names it, for writing
    /// while folders are removed: no folder vanishes in between.
    pub(crate) naming: RwLock<()>,
}

/// A package, as an operation brings it.
pub(crate) enum Brought {
    Zip(Bytes),
    /// A developer's folder.
    Folder(PathBuf),
}

/// Code that no function names yet.
pub(crate) struct Taken<'a, T = Code> {
    pub(crate) code: T,
    pub(crate) _naming: RwLockReadGuard<'a, ()>,
}

impl<'a> Taken<'a> {
    /// As a version keeps it.
    pub(crate) fn into_content(self) -> Taken<'a, Content> {
        Taken { code: self.code.into(), _naming: self._naming }
    }
}

impl CodeStore {
    /// Opens the folder; makes it if it is missing.
    pub(crate) fn open(folder: PathBuf, blobs: Blobs, images: Images) -> Result<CodeStore, Error> {
        fs::create_dir_all(&folder).map_err(Error::at("making the code folder"))?;
        Ok(CodeStore { folder, blobs, images: Arc::new(images), naming: RwLock::new(()) })
    }

    /// Where code lies, ready to run.
    pub(crate) fn folder_of(&self, code: &Code) -> PathBuf {
        code.folder.clone().unwrap_or_else(|| self.path(&code.sha256))
    }

    /// Where a package is unpacked.
    pub(crate) fn path(&self, sha256: &str) -> PathBuf {
        self.folder.join(sha256)
    }

    /// Makes what was brought durable.
    pub(crate) async fn take_from(&self, brought: Brought) -> Result<Taken<'_>, Error> {
        match brought {
            Brought::Zip(zip) => self.take(zip).await,
            Brought::Folder(folder) => self.take_folder(folder).await,
        }
    }

    /// Makes a package durable, packed and unpacked.
    pub(crate) async fn take(&self, zip: Bytes) -> Result<Taken<'_>, Error> {
        let naming = self.naming.read().await;
        let bytes = zip.len() as u64;
        // Side by side: both take the package from memory, and each waits for the disk.
        let (unpacked, kept) = tokio::join!(self.unpacked(zip.clone()), self.kept(zip));
        let sha256 = match unpacked {
            Ok(sha256) => sha256,
            Err(error) => {
                self.forget(kept).await;
                return Err(error);
            }
        };
        let code = Code { sha256, bytes, blob: kept?, folder: None };
        Ok(Taken { code, _naming: naming })
    }

    /// Takes a developer's folder in place of a package. What is kept is a package that names it,
    /// so that all that holds of code holds of this too.
    async fn take_folder(&self, folder: PathBuf) -> Result<Taken<'_>, Error> {
        let named = package::of_one_file("hot-reload.txt", &format!("{}\n", folder.display()));
        let mut taken = self.take(named.map_err(Error::at("packing"))?).await?;
        taken.code.folder = Some(folder);
        Ok(taken)
    }

    /// Unpacks a package unless it is there; answers with its hash.
    async fn unpacked(&self, zip: Bytes) -> Result<String, Error> {
        let hashed = zip.clone();
        let sha256 = blocking("hashing", move || Ok(hex::encode(Sha256::digest(&hashed)))).await?;
        self.unpack(&sha256, zip).await?;
        Ok(sha256)
    }

    async fn kept(&self, zip: Bytes) -> Result<BlobId, BlobError> {
        let mut writer = self.blobs.writer().await?;
        writer.write(zip).await?;
        writer.finish().await
    }

    /// Unpacks a package unless it is there.
    async fn unpack(&self, sha256: &str, zip: Bytes) -> Result<(), Error> {
        let path = self.path(sha256);
        let unfinished = self.folder.join(format!("unfinished-{}", ids::hex::<16>()));
        blocking("unpacking", move || {
            if path.is_dir() {
                return Ok(());
            }
            let done =
                package::unpack(&zip, &unfinished).and_then(|()| publish(&unfinished, &path));
            if done.is_err() {
                // What this leaves behind, the next start removes.
                let _ = fs::remove_dir_all(&unfinished);
            }
            done
        })
        .await
    }

    /// The zip of a package.
    pub(crate) async fn zip(&self, blob: BlobId) -> io::Result<Bytes> {
        let path = self.blobs.path(blob);
        tokio::task::spawn_blocking(|| fs::read(path)).await?.map(Bytes::from)
    }

    /// The zip of a package piece by piece, and its length.
    pub(crate) async fn download(&self, blob: BlobId) -> io::Result<(u64, Zip)> {
        let path = self.blobs.path(blob);
        let length = tokio::task::spawn_blocking(|| fs::metadata(path)).await??.len();
        Ok((length, self.blobs.read(blob, 0..length).await?.boxed()))
    }

    /// Unpacks what is missing of these packages; a start calls it.
    pub(crate) async fn complete(
        &self,
        packages: impl Iterator<Item = &Code>,
    ) -> Result<(), Error> {
        for code in packages.filter(|code| !self.path(&code.sha256).is_dir()) {
            let zip = self.zip(code.blob).await.map_err(Error::at("reading a package"))?;
            self.unpack(&code.sha256, zip).await?;
        }
        Ok(())
    }

    /// Removes zips that no function names any more. A failure leaves orphans, which cost room only.
    pub(crate) async fn forget(&self, blobs: impl IntoIterator<Item = BlobId>) {
        let blobs: Vec<BlobId> = blobs.into_iter().collect();
        if blobs.is_empty() {
            return;
        }
        if let Err(error) = self.blobs.delete(blobs).await {
            tracing::warn!(%error, "removing code packages failed");
        }
    }

    /// Removes the folders of packages outside `live`, which is asked for when no package is on
    /// its way to a function. Does nothing while one is: a later change cleans up.
    pub(crate) async fn collect(&self, live: impl FnOnce() -> BTreeSet<String>) {
        let Ok(_alone) = self.naming.try_write() else { return };
        let (folder, live) = (self.folder.clone(), live());
        let collected = blocking("removing code", move || {
            remove_others(&folder, &live).map_err(Error::at("removing code"))
        });
        if let Err(error) = collected.await {
            tracing::warn!(%error, "removing unpacked code failed");
        }
    }
}

/// Gives a finished folder its name. Another upload of the same package may have been first.
fn publish(unfinished: &Path, path: &Path) -> Result<(), Error> {
    match fs::rename(unfinished, path) {
        Err(_) if path.is_dir() => {
            fs::remove_dir_all(unfinished).map_err(Error::at("removing a twin"))
        }
        Err(error) => Err(Error::at("naming a package")(error)),
        Ok(()) => fs::File::open(path.parent().unwrap_or(path))
            .and_then(|folder| folder.sync_all())
            .map_err(Error::at("syncing the code folder")),
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

/// Runs file operations where they may block.
async fn blocking<T: Send + 'static>(
    step: &'static str,
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(Error::at(step)(error)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::{DataFolder, Store};

    fn images(folder: &tempfile::TempDir) -> Images {
        Images::open(folder.path().join("images"), images::Settings::default()).unwrap()
    }

    fn package(content: &[u8]) -> Bytes {
        use std::io::Write;
        let mut writer = zip::ZipWriter::new(io::Cursor::new(Vec::new()));
        writer.start_file("a", zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(content).unwrap();
        writer.finish().unwrap().into_inner().into()
    }

    #[tokio::test]
    async fn packages_are_unpacked_once_kept_while_used_and_restored() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&DataFolder::open(folder.path()).unwrap()).unwrap();
        let path = folder.path().join("code");
        let packages =
            CodeStore::open(path.clone(), store.blobs().clone(), images(&folder)).unwrap();
        let first = packages.take(package(b"1")).await.unwrap();
        let twin = packages.take(package(b"1")).await.unwrap();
        assert_eq!(first.code.sha256, twin.code.sha256);
        assert_ne!(first.code.blob, twin.code.blob);
        assert_eq!(fs::read(packages.path(&first.code.sha256).join("a")).unwrap(), b"1");
        assert_eq!(fs::read_dir(&path).unwrap().count(), 1);

        packages.collect(BTreeSet::new).await;
        assert!(packages.path(&first.code.sha256).is_dir(), "it is on its way to a function");
        let code = first.code.clone();
        drop((first, twin));
        packages.collect(|| BTreeSet::from([code.sha256.clone()])).await;
        assert!(packages.path(&code.sha256).is_dir());
        packages.collect(BTreeSet::new).await;
        assert_eq!(fs::read_dir(&path).unwrap().count(), 0);

        packages.complete([code.clone()].iter()).await.unwrap();
        assert_eq!(fs::read(packages.path(&code.sha256).join("a")).unwrap(), b"1");
    }

    #[tokio::test]
    async fn a_refused_package_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&DataFolder::open(folder.path()).unwrap()).unwrap();
        let path = folder.path().join("code");
        let packages =
            CodeStore::open(path.clone(), store.blobs().clone(), images(&folder)).unwrap();
        assert!(packages.take(Bytes::from_static(b"no zip")).await.is_err());
        assert_eq!(fs::read_dir(&path).unwrap().count(), 0);
    }
}
