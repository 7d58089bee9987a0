//! Packing a folder. The same files make the same package, byte for byte: times are left out and
//! names are in order.

use std::{
    fs,
    io::{Cursor, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use anyhow::Context;
use zip::{ZipWriter, write::SimpleFileOptions};

/// The zip of all that lies in a folder, but for git's own.
pub(super) fn pack(folder: &Path) -> anyhow::Result<Vec<u8>> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    add_folder(&mut writer, folder, folder)?;
    Ok(writer.finish()?.into_inner())
}

type Writer = ZipWriter<Cursor<Vec<u8>>>;

fn add_folder(writer: &mut Writer, root: &Path, folder: &Path) -> anyhow::Result<()> {
    for path in entries(folder)? {
        let unreadable = || format!("cannot read {}", path.display());
        let inside = path.strip_prefix(root).unwrap_or(&path);
        let name = inside.to_str().with_context(|| format!("{inside:?} is not UTF-8"))?;
        let metadata = fs::symlink_metadata(&path).with_context(unreadable)?;
        let options = SimpleFileOptions::default().unix_permissions(metadata.permissions().mode());
        if metadata.is_dir() {
            writer.add_directory(name, options)?;
            add_folder(writer, root, &path)?;
        } else if metadata.is_symlink() {
            let target = fs::read_link(&path).with_context(unreadable)?;
            writer.add_symlink(name, target.to_string_lossy(), options)?;
        } else if metadata.is_file() {
            writer.start_file(name, options)?;
            writer.write_all(&fs::read(&path).with_context(unreadable)?)?;
        }
    }
    Ok(())
}

fn entries(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let listed =
        fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut paths = listed.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()?;
    paths.retain(|path| path.file_name().is_none_or(|name| name != ".git"));
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn the_same_files_make_the_same_package() {
        let make = || {
            let folder = tempfile::tempdir().unwrap();
            let path = |name: &str| folder.path().join(name);
            fs::create_dir_all(path("b/empty")).unwrap();
            fs::create_dir(path(".git")).unwrap();
            fs::write(path(".git/index"), "x").unwrap();
            fs::write(path("b/run"), "code").unwrap();
            fs::set_permissions(path("b/run"), fs::Permissions::from_mode(0o755)).unwrap();
            symlink("b/run", path("a")).unwrap();
            pack(folder.path()).unwrap()
        };
        let zip = make();
        assert_eq!(zip, make());
        let mut archive = zip::ZipArchive::new(Cursor::new(zip)).unwrap();
        let names: Vec<String> = archive.file_names().map(str::to_owned).collect();
        assert_eq!(names, ["a", "b/", "b/empty/", "b/run"]);
        assert_eq!(archive.by_name("b/run").unwrap().unix_mode().unwrap() & 0o777, 0o755);
        assert!(archive.by_name("a").unwrap().is_symlink());
    }
}
