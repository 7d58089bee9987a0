//! The entries of a layer's archive. Like the `tar` crate's own walk, but what describes an entry
//! (long names, extended headers) has bounds: it is held in memory, and an archive may claim
//! gigabytes of it.

use std::{
    ffi::OsString,
    io::{self, Read},
    os::unix::ffi::OsStringExt,
    path::PathBuf,
};

use tar::{Archive, Entry, EntryType, PaxExtensions};

use crate::Error;

/// The longest path or link target, in bytes (Linux's PATH_MAX).
const PATH_BYTES: u64 = 4096;
/// The longest extended header, in bytes: paths and file attributes.
const EXTENSION_BYTES: u64 = 1 << 20;
/// Entries of one layer. Images of whole distributions have a tenth of it.
const ENTRIES: usize = 2_000_000;

/// What an archive says of one entry.
pub(crate) struct Header {
    pub(crate) path: PathBuf,
    /// What a link leads to.
    pub(crate) link: PathBuf,
    pub(crate) kind: EntryType,
    pub(crate) mode: u32,
    /// Bytes that follow.
    pub(crate) size: u64,
    /// When it was changed, in seconds.
    pub(crate) modified: u64,
}

/// What entries before an entry say of it.
#[derive(Default)]
struct Extended {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
}

/// Visits all entries in order, each with its content.
pub(crate) fn each(
    archive: impl Read,
    mut visit: impl FnMut(&Header, &mut dyn Read) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut archive = Archive::new(archive);
    let mut extended = Extended::default();
    for (count, entry) in archive.entries().map_err(damaged)?.raw(true).enumerate() {
        if count == ENTRIES {
            return Err(Error::Invalid(format!("a layer has more than {ENTRIES} entries")));
        }
        let mut entry = entry.map_err(damaged)?;
        match entry.header().entry_type() {
            EntryType::GNULongName => extended.path = Some(name(&mut entry)?),
            EntryType::GNULongLink => extended.link = Some(name(&mut entry)?),
            EntryType::XHeader => extended.read(&bounded(&mut entry, EXTENSION_BYTES)?)?,
            EntryType::XGlobalHeader => {}
            _ => {
                let header = std::mem::take(&mut extended).complete(&entry)?;
                visit(&header, &mut entry)?;
            }
        }
    }
    Ok(())
}

impl Extended {
    fn read(&mut self, extensions: &[u8]) -> Result<(), Error> {
        for extension in PaxExtensions::new(extensions) {
            let extension = extension.map_err(damaged)?;
            let value = extension.value_bytes();
            match extension.key_bytes() {
                b"path" => self.path = Some(short(value)?),
                b"linkpath" => self.link = Some(short(value)?),
                b"size" => self.size = extension.value().ok().and_then(|size| size.parse().ok()),
                _ => {}
            }
        }
        Ok(())
    }

    fn complete(self, entry: &Entry<'_, impl Read>) -> Result<Header, Error> {
        let header = entry.header();
        let size = header.entry_size().map_err(damaged)?;
        if self.size.is_some_and(|extended| extended != size) {
            // Only files of 8 GiB and more need it.
            return Err(Error::Unsupported("a file whose size is in an extended header".into()));
        }
        let path = self.path.unwrap_or_else(|| header.path_bytes().into_owned());
        let link = self.link.or_else(|| Some(header.link_name_bytes()?.into_owned()));
        // The oldest archives tell folders by their names.
        let kind = match header.entry_type() {
            EntryType::Regular if path.ends_with(b"/") => EntryType::Directory,
            kind => kind,
        };
        Ok(Header {
            path: OsString::from_vec(path).into(),
            link: OsString::from_vec(link.unwrap_or_default()).into(),
            kind,
            mode: header.mode().map_err(damaged)?,
            size,
            modified: header.mtime().unwrap_or_default(),
        })
    }
}

/// The content of an entry that is a path, ended by a zero byte.
fn name(entry: &mut impl Read) -> Result<Vec<u8>, Error> {
    let mut path = bounded(entry, PATH_BYTES + 1)?;
    if path.last() == Some(&0) {
        path.pop();
    }
    Ok(path)
}

fn short(value: &[u8]) -> Result<Vec<u8>, Error> {
    match value.len() as u64 > PATH_BYTES {
        true => Err(too_long()),
        false => Ok(value.to_owned()),
    }
}

fn bounded(entry: &mut impl Read, limit: u64) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    entry.take(limit + 1).read_to_end(&mut bytes).map_err(damaged)?;
    match bytes.len() as u64 > limit {
        true => Err(too_long()),
        false => Ok(bytes),
    }
}

fn too_long() -> Error {
    Error::Invalid("a layer has an entry whose description is too long".into())
}

/// What is read was verified by its digest: whatever is wrong with it is the image's.
pub(crate) fn damaged(error: io::Error) -> Error {
    Error::Invalid(format!("a layer is damaged: {error}"))
}
