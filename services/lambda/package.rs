//! Unpacking a deployment package. A package is input of strangers: nothing in it may lead outside
//! its folder, become special, or cost more than the limits.
//!
//! Files are 0755 if anybody may execute them and 0644 otherwise, folders are 0755: functions run
//! as other users. Symbolic links are kept if they are relative and stay inside. Since links come
//! last, and nothing may lie behind one, no byte is ever written through a link.

use std::{
    collections::BTreeSet,
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, symlink},
    path::{Component, Path, PathBuf},
};

use bytes::Bytes;
use zip::{ZipArchive, ZipWriter, read::ZipFile, result::ZipError, write::SimpleFileOptions};

use crate::{Error, limits};

/// The longest target of a symbolic link, in bytes (Linux's PATH_MAX).
const LINK_BYTES: u64 = 4096;
/// The longest name of an entry, in bytes: what is longer no file system takes, and its folders
/// would nest too deeply to be made one inside the other.
const NAME_BYTES: usize = 4096;
const FILE_TYPE: u32 = 0o170_000;
const SYMBOLIC_LINK: u32 = 0o120_000;
const REGULAR_FILE: u32 = 0o100_000;
const FOLDER: u32 = 0o040_000;

/// Unpacks a zip into a new folder and makes all of it durable. On failure something may be left.
pub(crate) fn unpack(zip: &[u8], folder: &Path) -> Result<(), Error> {
    let mut archive = ZipArchive::new(io::Cursor::new(zip)).map_err(refused)?;
    if archive.is_empty() {
        return Err(Error::EmptyPackage);
    }
    if archive.len() > limits::PACKAGE_ENTRIES {
        return Err(Error::NotAPackage);
    }
    make_folder(folder)?;
    let mut links = Vec::new();
    let mut left = limits::UNZIPPED_BYTES;
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(refused)?;
        let path = inner_path(entry.name())?;
        match entry.unix_mode().map_or(0, |mode| mode & FILE_TYPE) {
            _ if entry.is_dir() => make_folder(&folder.join(path))?,
            // Archivers of systems without modes write 0.
            REGULAR_FILE | 0 => left -= write_file(&mut entry, &folder.join(path), left)?,
            SYMBOLIC_LINK => links.push((path, link_target(&mut entry)?)),
            FOLDER => make_folder(&folder.join(path))?,
            _ => return Err(Error::NotAPackage),
        }
    }
    make_links(folder, links)?;
    sync(folder)
}

/// A package of one file. The same content makes the same package.
pub(crate) fn of_one_file(name: &str, content: &str) -> Result<Bytes, ZipError> {
    let mut writer = ZipWriter::new(io::Cursor::new(Vec::new()));
    writer.start_file(name, SimpleFileOptions::default())?;
    writer.write_all(content.as_bytes())?;
    Ok(writer.finish()?.into_inner().into())
}

/// A name in the archive as a path below the package's folder.
fn inner_path(name: &str) -> Result<PathBuf, Error> {
    if name.len() > NAME_BYTES {
        return Err(Error::NotAPackage);
    }
    let mut path = PathBuf::new();
    for component in Path::new(name).components() {
        match component {
            Component::Normal(part) if !name.contains('\0') => path.push(part),
            Component::CurDir => {}
            _ => return Err(Error::NotAPackage),
        }
    }
    Ok(path)
}

/// Makes a folder and those above it; one that is there is left as it is.
fn make_folder(path: &Path) -> Result<(), Error> {
    DirBuilder::new().recursive(true).mode(0o755).create(path).map_err(failed)?;
    // Whatever this process's umask is.
    fs::set_permissions(path, Permissions::from_mode(0o755)).map_err(failed)
}

fn make_folders_above(path: &Path) -> Result<(), Error> {
    match path.parent() {
        Some(parent) if !parent.is_dir() => {
            make_folders_above(parent)?;
            make_folder(parent)
        }
        _ => Ok(()),
    }
}

/// Writes one file and answers with its length. An entry of an earlier entry's name is refused.
fn write_file<R: Read>(entry: &mut ZipFile<'_, R>, path: &Path, left: u64) -> Result<u64, Error> {
    make_folders_above(path)?;
    let executable = entry.unix_mode().is_some_and(|mode| mode & 0o111 != 0);
    let mode = if executable { 0o755 } else { 0o644 };
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(mode).open(path).map_err(failed)?;
    // One byte more than is left tells a package that is too large; headers may lie.
    let length = io::copy(&mut entry.take(left + 1), &mut file).map_err(failed)?;
    if length > left {
        return Err(Error::UnzippedTooLarge);
    }
    file.set_permissions(Permissions::from_mode(mode)).map_err(failed)?;
    Ok(length)
}

fn link_target<R: Read>(entry: &mut ZipFile<'_, R>) -> Result<PathBuf, Error> {
    let mut target = String::new();
    entry.take(LINK_BYTES).read_to_string(&mut target).map_err(failed)?;
    if target.is_empty() || target.contains('\0') {
        return Err(Error::NotAPackage);
    }
    Ok(target.into())
}

fn make_links(folder: &Path, links: Vec<(PathBuf, PathBuf)>) -> Result<(), Error> {
    let names: BTreeSet<&Path> = links.iter().map(|(path, _)| path.as_path()).collect();
    for (path, target) in &links {
        let behind_a_link = path.ancestors().skip(1).any(|above| names.contains(above));
        if behind_a_link || !stays_inside(path, target) {
            return Err(Error::NotAPackage);
        }
        let place = folder.join(path);
        make_folders_above(&place)?;
        symlink(target, place).map_err(failed)?;
    }
    Ok(())
}

/// Whether a link leads to something inside the package: some steps up, no more than there are
/// folders, and then only down. A step up behind a step down is refused: the step down may be
/// another link, and then it is not known where the step up leads.
fn stays_inside(path: &Path, target: &Path) -> bool {
    // The package's folder itself is no link.
    let Some(depth) = path.components().count().checked_sub(1) else { return false };
    let mut up = 0;
    let mut down = false;
    for component in target.components() {
        match component {
            Component::ParentDir if !down => up += 1,
            Component::Normal(_) => down = true,
            Component::CurDir => {}
            _ => return false,
        }
    }
    up <= depth
}

/// One sync of the file system: syncing thousands of small files one by one takes seconds.
fn sync(folder: &Path) -> Result<(), Error> {
    let folder = File::open(folder).map_err(failed)?;
    rustix::fs::syncfs(&folder).map_err(|error| failed(error.into()))
}

fn refused(error: ZipError) -> Error {
    match error {
        ZipError::Io(error) => failed(error),
        _ => Error::NotAPackage,
    }
}

/// Most failures are the package's: damaged data, names that are too long, files that are folders.
fn failed(error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Error::DiskFull,
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            Error::at("unpacking")(error)
        }
        _ => Error::NotAPackage,
    }
}

#[cfg(test)]
mod tests;
