//! The layers of an image as one tree of hard links: each layer's entries over those of the layers
//! below it, without what it hides of them.
//!
//! A folder of an upper layer covers whatever is not a folder below it, links included.

use std::{
    ffi::{CStr, CString},
    fs::{self, File},
    io::{self, Write},
    os::{fd::OwnedFd, unix::fs::PermissionsExt},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{
        AtFlags, Dir, FileType, Mode, OFlags, chmodat, linkat, mkdirat, openat, statat, unlinkat,
    },
    io::Errno,
};

use crate::{
    Error, IMAGE_BYTES,
    unpack::{DEPTH, OPAQUE, WHITEOUT},
};

/// Where the sandbox mounts what it brings.
const MOUNT_POINTS: [&CStr; 3] = [c"dev", c"proc", c"tmp"];
/// What container engines write for their containers: images have these files empty or not at all.
const FILES: [(&CStr, &[u8]); 2] = [(c"hosts", b"127.0.0.1 localhost\n"), (c"resolv.conf", b"")];

/// Merges layers, the lowest first, into a new folder. On failure something may be left.
pub(crate) fn layers(layers: &[PathBuf], folder: &Path) -> Result<(), Error> {
    let failed = Error::at("merging layers");
    let made = fs::create_dir(folder)
        .and_then(|()| fs::set_permissions(folder, fs::Permissions::from_mode(0o755)))
        .and_then(|()| File::open(folder));
    let root = OwnedFd::from(made.map_err(&failed)?);
    let mut merge = Merge { bytes: 0 };
    for layer in layers {
        let layer = OwnedFd::from(File::open(layer).map_err(&failed)?);
        merge.folder(&layer, &root, 0).map_err(|errno| failed(errno.into()))?;
        if merge.bytes > IMAGE_BYTES {
            return Err(Error::TooLarge);
        }
    }
    furnish(&root).map_err(&failed)
}

struct Merge {
    /// Of all files of all layers, as Lambda counts.
    bytes: u64,
}

impl Merge {
    fn folder(&mut self, from: &OwnedFd, to: &OwnedFd, depth: usize) -> Result<(), Errno> {
        if depth > DEPTH {
            return Err(Errno::NAMETOOLONG);
        }
        let (hiding, entries): (Vec<CString>, _) =
            names(from)?.into_iter().partition(|name| name.to_bytes().starts_with(WHITEOUT));
        // First: they are about the layers below, not about this one.
        if hiding.iter().any(|name| name.to_bytes() == OPAQUE) {
            clear(to, depth)?;
        }
        for name in &hiding {
            // The other names of this form are a file system's own.
            let hidden = &name.as_c_str().to_bytes_with_nul()[WHITEOUT.len()..];
            if !hidden.starts_with(WHITEOUT) {
                let hidden = CStr::from_bytes_with_nul(hidden).map_err(|_| Errno::INVAL)?;
                remove(to, hidden, depth)?;
            }
        }
        entries.iter().try_for_each(|name| self.entry(from, to, name, depth))
    }

    fn entry(
        &mut self,
        from: &OwnedFd,
        to: &OwnedFd,
        name: &CStr,
        depth: usize,
    ) -> Result<(), Errno> {
        let found = statat(from, name, AtFlags::SYMLINK_NOFOLLOW)?;
        if FileType::from_raw_mode(found.st_mode) != FileType::Directory {
            self.bytes += found.st_size as u64;
            return link(from, to, name, depth);
        }
        if !is_folder(to, name) {
            remove(to, name, depth)?;
            mkdirat(to, name, Mode::from_raw_mode(0o700))?;
        }
        chmodat(to, name, Mode::from_raw_mode(found.st_mode & 0o777), AtFlags::empty())?;
        self.folder(&open(from, name)?, &open(to, name)?, depth + 1)
    }
}

/// One more name for a file of a layer, in place of what a lower layer has there.
fn link(from: &OwnedFd, to: &OwnedFd, name: &CStr, depth: usize) -> Result<(), Errno> {
    let link = || linkat(from, name, to, name, AtFlags::empty());
    let linked = link().or_else(|errno| match errno {
        Errno::EXIST => remove(to, name, depth).and_then(|()| link()),
        errno => Err(errno),
    });
    match linked {
        // A file system bounds the names of a file: a copy has names of its own.
        Err(Errno::MLINK) => {
            copy(from, to, name).map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))
        }
        linked => linked,
    }
}

fn copy(from: &OwnedFd, to: &OwnedFd, name: &CStr) -> io::Result<()> {
    let read = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut source = File::from(openat(from, name, read, Mode::empty())?);
    let mut target = File::from(create(to, name, Mode::from_raw_mode(0o600))?);
    io::copy(&mut source, &mut target)?;
    target.set_permissions(source.metadata()?.permissions())?;
    target.set_modified(source.metadata()?.modified()?)
}

fn create(folder: &OwnedFd, name: &CStr, mode: Mode) -> Result<OwnedFd, Errno> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(folder, name, flags, mode)
}

fn open(above: &OwnedFd, name: &CStr) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(above, name, flags, Mode::empty())
}

fn is_folder(above: &OwnedFd, name: &CStr) -> bool {
    let found = statat(above, name, AtFlags::SYMLINK_NOFOLLOW);
    found.is_ok_and(|it| FileType::from_raw_mode(it.st_mode) == FileType::Directory)
}

/// What a folder holds.
fn names(folder: &OwnedFd) -> Result<Vec<CString>, Errno> {
    let mut names = Vec::new();
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            names.push(entry.file_name().to_owned());
        }
    }
    Ok(names)
}

/// Removes a file, a link or a folder with all in it, if it is there.
fn remove(above: &OwnedFd, name: &CStr, depth: usize) -> Result<(), Errno> {
    if is_folder(above, name) {
        clear(&open(above, name)?, depth + 1)?;
        return unlinkat(above, name, AtFlags::REMOVEDIR);
    }
    match unlinkat(above, name, AtFlags::empty()) {
        Err(Errno::NOENT) => Ok(()),
        removed => removed,
    }
}

fn clear(folder: &OwnedFd, depth: usize) -> Result<(), Errno> {
    names(folder)?.iter().try_for_each(|name| remove(folder, name, depth))
}

/// The places and files that every root has. None is written through a name that a layer shares.
fn furnish(root: &OwnedFd) -> io::Result<()> {
    let folder = |above: &OwnedFd, name: &CStr| -> Result<(), Errno> {
        if is_folder(above, name) {
            return Ok(());
        }
        remove(above, name, 0)?;
        mkdirat(above, name, Mode::from_raw_mode(0o755))?;
        chmodat(above, name, Mode::from_raw_mode(0o755), AtFlags::empty())
    };
    for name in MOUNT_POINTS {
        folder(root, name)?;
    }
    folder(root, c"etc")?;
    let etc = open(root, c"etc")?;
    for (name, content) in FILES {
        remove(&etc, name, 0)?;
        let mut file = File::from(create(&etc, name, Mode::from_raw_mode(0o644))?);
        file.write_all(content)?;
        file.set_permissions(fs::Permissions::from_mode(0o644))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
