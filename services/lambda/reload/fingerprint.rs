//! What tells that something in a folder has changed: names, kinds, sizes and times, no content.

use std::{
    fmt, fs,
    hash::{DefaultHasher, Hash, Hasher},
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use crate::limits;

/// The state of some folders at one moment. Zero: one of them cannot be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Fingerprint(u64);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl Fingerprint {
    /// Looks at as many entries as a package may have; what lies beyond is not watched. Blocks.
    pub(super) fn of(folders: &[PathBuf]) -> Fingerprint {
        let mut walk = Walk { sum: 0, left: limits::PACKAGE_ENTRIES };
        let walked = folders.iter().try_for_each(|folder| walk.root(folder));
        walked.map_or_else(|_| Fingerprint::default(), |()| Fingerprint(walk.sum))
    }
}

struct Walk {
    /// A sum, because folders list their entries in no order.
    sum: u64,
    left: usize,
}

impl Walk {
    fn root(&mut self, folder: &Path) -> io::Result<()> {
        // The folder itself may be another one by now, or behind another link.
        self.add(folder, &fs::metadata(folder)?);
        self.folder(folder)
    }

    fn folder(&mut self, folder: &Path) -> io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            // It changes with every glance of git, and no function runs it.
            if entry.file_name() == ".git" {
                continue;
            }
            let Some(left) = self.left.checked_sub(1) else { return Ok(()) };
            self.left = left;
            match entry.metadata() {
                Ok(metadata) => {
                    let path = entry.path();
                    self.add(&path, &metadata);
                    if metadata.is_dir() {
                        self.folder(&path)?;
                    }
                }
                // Removed meanwhile: the next look sees it gone.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn add(&mut self, path: &Path, of: &fs::Metadata) {
        let mut hasher = DefaultHasher::new();
        let times = (of.mtime(), of.mtime_nsec(), of.ctime(), of.ctime_nsec());
        (path, of.ino(), of.mode(), of.size(), times).hash(&mut hasher);
        self.sum = self.sum.wrapping_add(hasher.finish());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_change_shows_and_looking_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let look = || Fingerprint::of(&[folder.path().to_owned()]);
        fs::create_dir_all(path("a/b")).unwrap();
        fs::write(path("a/b/file"), "1").unwrap();
        let mut seen = vec![look()];
        assert_eq!(seen, [look()]);
        let mut now_differs = |what: &str| {
            let now = look();
            assert!(!seen.contains(&now), "{what}");
            seen.push(now);
        };
        fs::write(path("a/b/file"), "22").unwrap();
        now_differs("content");
        fs::rename(path("a/b/file"), path("a/file")).unwrap();
        now_differs("name");
        fs::create_dir(path("empty")).unwrap();
        now_differs("folder");
        std::os::unix::fs::symlink("a/file", path("link")).unwrap();
        now_differs("link");
        fs::remove_file(path("a/file")).unwrap();
        now_differs("removal");
    }

    #[test]
    fn what_git_does_is_no_change_and_a_folder_that_is_not_there_is_one() {
        let folder = tempfile::tempdir().unwrap();
        let code = folder.path().join("code");
        let look = || Fingerprint::of(std::slice::from_ref(&code));
        fs::create_dir_all(code.join(".git")).unwrap();
        let before = look();
        fs::write(code.join(".git/index"), "1").unwrap();
        assert_eq!(look(), before);
        fs::remove_dir_all(&code).unwrap();
        assert_eq!(look(), Fingerprint::default());
    }
}
