//! A layer as a folder.
//!
//! Every path is walked by the kernel from the layer's folder, without leaving it and without
//! following a link. Nothing lies behind a link: builders write paths as they are, so a path that
//! does is an attempt to lead a write astray. Device nodes and pipes are left out; an instance has
//! its own `/dev`. Bits like setuid are dropped.
//!
//! An image's files belong to root, and a function is somebody else: it may do with a file what
//! everybody may. So that this is also true where a server without root shares its user with its
//! functions, the owner's and the group's rights are those of everybody. Folders keep the owner's:
//! the server must be able to remove them.
//!
//! What a layer hides of those below (`.wh.NAME`, and `.wh..wh..opq` for all) stays as it is
//! written: as empty files, for `merge`.

use std::{
    ffi::OsStr,
    fs::{self, File},
    io::{self, BufReader, Read, Seek},
    os::{
        fd::{AsFd, OwnedFd},
        unix::{ffi::OsStrExt, fs::PermissionsExt},
    },
    path::{Component, Path, PathBuf},
};

use rustix::{
    fs::{
        AtFlags, Mode, OFlags, ResolveFlags, Timespec, Timestamps, chmodat, fchmod, futimens,
        linkat, mkdirat, openat, openat2, symlinkat, unlinkat,
    },
    io::Errno,
};
use tar::EntryType;

use crate::{
    Error, IMAGE_BYTES,
    header::{self, Header, damaged},
};

/// How a file begins that hides another of a lower layer.
pub(crate) const WHITEOUT: &[u8] = b".wh.";
/// The file that hides all that lower layers have in its folder.
pub(crate) const OPAQUE: &[u8] = b".wh..wh..opq";
/// Folders above a file. No system has nearly as many.
pub(crate) const DEPTH: usize = 128;

const GZIP: [u8; 4] = [0x1f, 0x8b, 0x08, 0];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// Frames of zstd that hold no data have magic numbers of which the first byte varies.
const ZSTD_SKIPPABLE: [u8; 3] = [0x2a, 0x4d, 0x18];

/// Unpacks a layer into a new folder. On failure something may be left.
pub(crate) fn layer(blob: &Path, folder: &Path) -> Result<(), Error> {
    let archive = File::open(blob).and_then(decompressed).map_err(Error::at("opening a layer"))?;
    let mut tree = Tree::make(folder)?;
    let mut left = IMAGE_BYTES;
    header::each(archive, |header, content| tree.add(header, content, &mut left))
}

/// By how it begins: registries' own words for it are not always right.
fn decompressed(mut blob: File) -> io::Result<Box<dyn Read>> {
    let mut begin = Vec::new();
    (&mut blob).take(4).read_to_end(&mut begin)?;
    blob.rewind()?;
    let blob = BufReader::with_capacity(1 << 17, blob);
    match begin.as_slice() {
        begin if begin.starts_with(&GZIP[..3]) => {
            Ok(Box::new(flate2::bufread::MultiGzDecoder::new(blob)))
        }
        begin if begin == ZSTD || begin.ends_with(&ZSTD_SKIPPABLE) && begin[0] >> 4 == 5 => {
            Ok(Box::new(zstd::stream::read::Decoder::with_buffer(blob)?))
        }
        _ => Ok(Box::new(blob)),
    }
}

/// The folder that a layer is unpacked into.
struct Tree {
    root: OwnedFd,
    /// The folder that was written to last, which most often is the next one too.
    last: Option<(PathBuf, OwnedFd)>,
}

impl Tree {
    fn make(folder: &Path) -> Result<Tree, Error> {
        let made = fs::create_dir(folder)
            .and_then(|()| fs::set_permissions(folder, fs::Permissions::from_mode(0o755)))
            .and_then(|()| File::open(folder));
        let root = made.map_err(Error::at("making a layer's folder"))?.into();
        Ok(Tree { root, last: None })
    }

    fn add(
        &mut self,
        header: &Header,
        content: &mut dyn Read,
        left: &mut u64,
    ) -> Result<(), Error> {
        let Some(path) = inner(&header.path)? else { return Ok(()) };
        let failed = |errno| failed(&path, errno);
        match header.kind {
            EntryType::Directory => self.folder(&path, header.mode).map_err(failed),
            EntryType::Regular | EntryType::Continuous => {
                let file = self.file(&path).map_err(failed)?;
                write(file, header, content, left)
            }
            EntryType::Symlink => self.symlink(&path, &header.link).map_err(failed),
            EntryType::Link => {
                let target =
                    inner(&header.link)?.ok_or_else(|| refused(&path, "links a folder"))?;
                self.link(&path, &target).map_err(failed)
            }
            EntryType::Char | EntryType::Block | EntryType::Fifo => Ok(()),
            _ => Err(Error::Unsupported(format!("the kind of {}", path.display()))),
        }
    }

    fn folder(&mut self, path: &Path, mode: u32) -> Result<(), Errno> {
        let (above, name) = self.place(path)?;
        let made = mkdirat(above, name, Mode::from_raw_mode(0o700));
        if made == Err(Errno::EXIST) {
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            if openat(above, name, flags, Mode::empty()).is_err() {
                unlinkat(above, name, AtFlags::empty())?;
                mkdirat(above, name, Mode::from_raw_mode(0o700))?;
            }
        } else {
            made?;
        }
        let everybody = mode & 0o7;
        chmodat(
            above,
            name,
            Mode::from_raw_mode(0o700 | everybody << 3 | everybody),
            AtFlags::empty(),
        )
    }

    fn file(&mut self, path: &Path) -> Result<OwnedFd, Errno> {
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        self.new_entry(path, |above, name| openat(above, name, flags, Mode::from_raw_mode(0o600)))
    }

    fn symlink(&mut self, path: &Path, target: &Path) -> Result<(), Errno> {
        self.new_entry(path, |above, name| symlinkat(target, above, name))
    }

    fn link(&mut self, path: &Path, target: &Path) -> Result<(), Errno> {
        let from = self.open(parent(target))?;
        let file = target.file_name().ok_or(Errno::INVAL)?;
        self.new_entry(path, |above, name| linkat(&from, file, above, name, AtFlags::empty()))
    }

    /// Makes an entry, in place of an earlier one of that name.
    fn new_entry<T>(
        &mut self,
        path: &Path,
        make: impl Fn(&OwnedFd, &OsStr) -> Result<T, Errno>,
    ) -> Result<T, Errno> {
        let (above, name) = self.place(path)?;
        match make(above, name) {
            Err(Errno::EXIST) => {}
            made => return made,
        }
        // A folder with something in it stays, and the layer is refused.
        unlinkat(above, name, AtFlags::empty()).or_else(|errno| match errno {
            Errno::ISDIR => unlinkat(above, name, AtFlags::REMOVEDIR),
            errno => Err(errno),
        })?;
        make(above, name)
    }

    /// The folder of a path, made if it is missing, and the path's name in it.
    fn place<'a>(&mut self, path: &'a Path) -> Result<(&OwnedFd, &'a OsStr), Errno> {
        let name = path.file_name().ok_or(Errno::INVAL)?;
        let folder = parent(path);
        if self.last.as_ref().is_none_or(|(last, _)| last != folder) {
            let opened = self.open_or_make(folder)?;
            self.last = Some((folder.to_owned(), opened));
        }
        let (_, above) = self.last.as_ref().ok_or(Errno::INVAL)?;
        Ok((above, name))
    }

    fn open(&self, folder: &Path) -> Result<OwnedFd, Errno> {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let within = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        openat2(self.root.as_fd(), folder, flags, Mode::empty(), within)
    }

    fn open_or_make(&self, folder: &Path) -> Result<OwnedFd, Errno> {
        match self.open(folder) {
            Err(Errno::NOENT) => {}
            opened => return opened,
        }
        let above = self.open_or_make(parent(folder))?;
        let name = folder.file_name().ok_or(Errno::INVAL)?;
        mkdirat(&above, name, Mode::from_raw_mode(0o755))?;
        // Whatever this process's umask is.
        chmodat(&above, name, Mode::from_raw_mode(0o755), AtFlags::empty())?;
        self.open(folder)
    }
}

fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new(""))
}

fn write(
    file: OwnedFd,
    header: &Header,
    content: &mut dyn Read,
    left: &mut u64,
) -> Result<(), Error> {
    *left = left.checked_sub(header.size).ok_or(Error::TooLarge)?;
    let mut file = File::from(file);
    let length = copy(content, &mut file)?;
    if length != header.size {
        return Err(Error::Invalid("a layer ends within a file".into()));
    }
    let everybody = header.mode & 0o7;
    // Python goes by the time of a module to tell whether its compiled form is current.
    let modified = Timespec { tv_sec: header.modified.min(i64::MAX as u64) as i64, tv_nsec: 0 };
    let times = Timestamps { last_access: modified, last_modification: modified };
    fchmod(&file, Mode::from_raw_mode(everybody * 0o111))
        .and_then(|()| futimens(&file, &times))
        .map_err(|errno| Error::at("writing a layer")(errno.into()))
}

/// A reader's failure is the image's, a writer's ours.
fn copy(content: &mut dyn Read, file: &mut File) -> Result<u64, Error> {
    let mut buffer = vec![0; 1 << 16];
    let mut length = 0;
    loop {
        let count = content.read(&mut buffer).map_err(damaged)?;
        if count == 0 {
            return Ok(length);
        }
        io::Write::write_all(file, &buffer[..count]).map_err(Error::at("writing a layer"))?;
        length += count as u64;
    }
}

/// A path of the archive as one below the layer's folder; `None` for that folder itself.
fn inner(path: &Path) -> Result<Option<PathBuf>, Error> {
    let mut inner = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(name) if hides_nothing_below(name) => {
                return Err(refused(path, "is no whiteout"));
            }
            Component::Normal(name) => inner.push(name),
            Component::RootDir | Component::CurDir => {}
            _ => return Err(refused(path, "leads outside")),
        }
    }
    if inner.components().count() > DEPTH {
        return Err(refused(path, "lies too deep"));
    }
    Ok(Some(inner).filter(|inner| !inner.as_os_str().is_empty()))
}

/// Whether a name begins as a whiteout but names nothing that could be removed.
fn hides_nothing_below(name: &OsStr) -> bool {
    name.as_bytes().strip_prefix(WHITEOUT).is_some_and(|name| matches!(name, b"" | b"." | b".."))
}

fn refused(path: &Path, why: &str) -> Error {
    Error::Invalid(format!("a layer's entry {:?} {why}", path.display().to_string()))
}

/// Most failures are the layer's: paths that are too long, or that lead over a file or a link.
pub(crate) fn failed(path: &Path, errno: Errno) -> Error {
    match errno {
        Errno::NOSPC
        | Errno::DQUOT
        | Errno::ROFS
        | Errno::ACCESS
        | Errno::IO
        | Errno::MFILE
        | Errno::NFILE
        | Errno::NOSYS => Error::at("writing a layer")(errno.into()),
        Errno::LOOP | Errno::NOTDIR => refused(path, "lies behind a link or a file"),
        errno => refused(path, &errno.to_string()),
    }
}

#[cfg(test)]
mod tests;
