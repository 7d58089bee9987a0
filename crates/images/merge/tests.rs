//! Layers over layers.

use std::os::unix::fs::{MetadataExt, symlink};

use super::*;

/// Layers as lists of paths: a folder ends with `/`, a link is `NAME>TARGET`, a file holds the
/// number of its layer.
fn merged(contents: &[&[&str]]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut all = Vec::new();
    for (number, paths) in contents.iter().enumerate() {
        let layer = folder.path().join(number.to_string());
        fs::create_dir(&layer).unwrap();
        for path in *paths {
            let place = layer.join(path.split('>').next().unwrap());
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            match path.split_once('>') {
                Some((_, target)) => symlink(target, place).unwrap(),
                None if path.ends_with('/') => fs::create_dir(place).unwrap(),
                None => fs::write(place, number.to_string()).unwrap(),
            }
        }
        all.push(layer);
    }
    layers(&all, &folder.path().join("root")).unwrap();
    folder
}

/// What is in the tree, besides what every root has: `path=content`.
fn listed(folder: &tempfile::TempDir) -> Vec<String> {
    fn walk(folder: &Path, above: &str, found: &mut Vec<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let path = format!("{above}{}", entry.file_name().to_str().unwrap());
            match entry.file_type().unwrap() {
                kind if kind.is_dir() => {
                    found.push(format!("{path}/"));
                    walk(&entry.path(), &format!("{path}/"), found);
                }
                kind if kind.is_symlink() => found.push(format!("{path}>")),
                _ => found.push(format!("{path}={}", fs::read_to_string(entry.path()).unwrap())),
            }
        }
    }
    let mut found = Vec::new();
    walk(&folder.path().join("root"), "", &mut found);
    found.retain(|path| !["dev", "proc", "tmp", "etc"].iter().any(|own| path.starts_with(own)));
    found.sort();
    found
}

#[test]
fn an_upper_layer_covers_a_lower_one() {
    let folder = merged(&[&["a", "d/x", "d/y"], &["a", "d/y", "e"]]);
    assert_eq!(listed(&folder), ["a=1", "d/", "d/x=0", "d/y=1", "e=1"]);
    let inode = |path: &str| fs::metadata(folder.path().join(path)).unwrap().ino();
    assert_eq!(inode("root/d/x"), inode("0/d/x"), "files are shared");
}

#[test]
fn an_upper_layer_hides_files_and_whole_folders() {
    let lower: &[&str] = &["a", "d/x", "d/s/t", "o/x", "o/y/z", "l>a"];
    let upper: &[&str] = &[".wh.a", "d/.wh.s", "o/.wh..wh..opq", "o/new", ".wh.l", ".wh.never"];
    assert_eq!(listed(&merged(&[lower, upper])), ["d/", "d/x=0", "o/", "o/new=1"]);
    // What comes back after it was hidden is there, and an own entry is not hidden by its own layer.
    let again: &[&str] = &["a", "d/.wh.x", "d/x/deep"];
    let listing = listed(&merged(&[lower, upper, again]));
    assert_eq!(listing, ["a=2", "d/", "d/x/", "d/x/deep=2", "o/", "o/new=1"]);
}

#[test]
fn kinds_change_from_layer_to_layer() {
    let folder = merged(&[&["f", "d/x", "l>d", "m>/etc"], &["f/x", "d>f", "l", "m/passwd"]]);
    assert_eq!(listed(&folder), ["d>", "f/", "f/x=1", "l=1", "m/", "m/passwd=1"]);
}

#[test]
fn every_root_has_what_the_sandbox_needs_and_layers_stay_as_they_are() {
    let folder = merged(&[&["dev>/x", "proc", "etc/hosts", "etc/resolv.conf>/run/y"]]);
    let root = folder.path().join("root");
    for name in ["dev", "proc", "tmp"] {
        assert!(fs::symlink_metadata(root.join(name)).unwrap().is_dir(), "{name}");
    }
    assert_eq!(fs::read_to_string(root.join("etc/hosts")).unwrap(), "127.0.0.1 localhost\n");
    assert_eq!(fs::read_to_string(root.join("etc/resolv.conf")).unwrap(), "");
    assert_eq!(fs::read_to_string(folder.path().join("0/etc/hosts")).unwrap(), "0");
    assert!(merged(&[]).path().join("root/etc/hosts").is_file());
}
