//! Layers of friends and of strangers.

use std::{io::Write, os::unix::fs::MetadataExt};

use tar::{Builder, Header as Tar};

use super::*;

/// An archive of (path, kind, content or target, mode).
fn archive(entries: &[(&str, EntryType, &str, u32)]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for (path, kind, content, mode) in entries {
        let mut header = Tar::new_gnu();
        // Written by hand: the builder would refuse what these tests are about.
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_entry_type(*kind);
        header.set_mode(*mode);
        header.set_mtime(1_000_000);
        let is_file = *kind == EntryType::Regular;
        header.set_size(if is_file { content.len() as u64 } else { 0 });
        if !is_file {
            header.as_old_mut().linkname[..content.len()].copy_from_slice(content.as_bytes());
        }
        header.set_cksum();
        builder.append(&header, if is_file { content.as_bytes() } else { b"" }).unwrap();
    }
    builder.into_inner().unwrap()
}

fn unpacked(blob: &[u8]) -> Result<tempfile::TempDir, Error> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("blob"), blob).unwrap();
    layer(&folder.path().join("blob"), &folder.path().join("tree")).map(|()| folder)
}

fn refusal(entries: &[(&str, EntryType, &str, u32)]) -> String {
    unpacked(&archive(entries)).unwrap_err().to_string()
}

use EntryType::{Directory as D, Link as H, Regular as F, Symlink as S};

#[test]
fn files_links_and_folders_become_what_they_were() {
    let folder = unpacked(&archive(&[
        ("./", D, "", 0o755),
        ("./bin/", D, "", 0o755),
        ("/bin/a", F, "text", 0o4755),
        ("bin/private", F, "x", 0o600),
        ("bin/b", H, "./bin/a", 0o755),
        ("lib", S, "/usr/lib", 0o777),
        ("implied/by/file", F, "", 0o644),
        ("closed", D, "", 0o700),
    ]))
    .unwrap();
    let tree = folder.path().join("tree");
    let stat = |path: &str| fs::symlink_metadata(tree.join(path)).unwrap();
    assert_eq!(fs::read_to_string(tree.join("bin/b")).unwrap(), "text");
    assert_eq!((stat("bin/a").ino(), stat("bin/a").mtime()), (stat("bin/b").ino(), 1_000_000));
    assert_eq!(stat("bin/a").mode() & 0o7777, 0o555);
    assert_eq!(stat("bin/private").mode() & 0o777, 0);
    assert_eq!(stat("implied/by").mode() & 0o777, 0o755);
    assert_eq!(stat("closed").mode() & 0o777, 0o700);
    assert_eq!(fs::read_link(tree.join("lib")).unwrap(), Path::new("/usr/lib"));
}

#[test]
fn compressed_layers_are_known_by_how_they_begin() {
    let plain = archive(&[("a", F, "text", 0o644)]);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&plain).unwrap();
    for blob in [gzip.finish().unwrap(), zstd::encode_all(&plain[..], 1).unwrap(), plain] {
        let folder = unpacked(&blob).unwrap();
        assert_eq!(fs::read_to_string(folder.path().join("tree/a")).unwrap(), "text");
    }
}

#[test]
fn nothing_leads_outside() {
    assert!(refusal(&[("../a", F, "", 0o644)]).ends_with("leads outside"));
    assert!(refusal(&[("a/../../b", F, "", 0o644)]).ends_with("leads outside"));
    assert!(refusal(&[("a", H, "../../etc/passwd", 0o644)]).ends_with("leads outside"));
    let behind = "lies behind a link or a file";
    assert!(refusal(&[("l", S, "/tmp", 0o777), ("l/a", F, "", 0o644)]).ends_with(behind));
    assert!(refusal(&[("l", S, "..", 0o777), ("l/a", F, "", 0o644)]).ends_with(behind));
    assert!(refusal(&[("l", S, "/etc", 0o777), ("a", H, "l/passwd", 0o644)]).ends_with(behind));
    assert!(refusal(&[("f", F, "", 0o644), ("f/a", F, "", 0o644)]).ends_with(behind));
    assert!(refusal(&[(".wh...", F, "", 0o644)]).ends_with("is no whiteout"));
    assert!(refusal(&[("a", H, "missing", 0o644)]).contains("\"a\" "));
}

#[test]
fn a_link_is_replaced_and_not_written_through() {
    let outside = tempfile::NamedTempFile::new().unwrap();
    let target = outside.path().to_str().unwrap();
    let folder = unpacked(&archive(&[
        ("a", S, target, 0o777),
        ("a", F, "new", 0o644),
        ("d", S, target, 0o777),
        ("d", D, "", 0o755),
    ]))
    .unwrap();
    assert_eq!(fs::read_to_string(folder.path().join("tree/a")).unwrap(), "new");
    assert!(folder.path().join("tree/d").is_dir());
    assert_eq!(fs::read(outside.path()).unwrap(), b"");
}

#[test]
fn devices_and_pipes_are_left_out() {
    let kinds = [EntryType::Char, EntryType::Block, EntryType::Fifo];
    let entries = kinds.map(|kind| ("dev/x", kind, "", 0o666));
    let folder = unpacked(&archive(&entries)).unwrap();
    assert_eq!(fs::read_dir(folder.path().join("tree")).unwrap().count(), 0);
}

#[test]
fn names_longer_than_a_header_are_read_and_have_a_bound() {
    let named = |length: usize| {
        let path = ["d".repeat(200), "e".repeat(length)].join("/");
        let mut builder = Builder::new(Vec::new());
        let mut header = Tar::new_gnu();
        header.set_size(1);
        header.set_mode(0o644);
        builder.append_data(&mut header, path, &b"x"[..]).unwrap();
        unpacked(&builder.into_inner().unwrap())
    };
    let tree = named(100).unwrap();
    assert!(tree.path().join("tree").join("d".repeat(200)).join("e".repeat(100)).is_file());
    assert!(named(300).unwrap_err().to_string().contains("name too long"));
    assert!(named(5000).unwrap_err().to_string().ends_with("description is too long"));
}

#[test]
fn an_image_has_a_size() {
    let mut header = Tar::new_gnu();
    header.set_path("big").unwrap();
    header.set_mode(0o644);
    header.set_size(IMAGE_BYTES + 1);
    header.set_cksum();
    assert!(matches!(unpacked(header.as_bytes()), Err(Error::TooLarge)));
}

#[test]
fn a_damaged_layer_is_refused() {
    let whole = archive(&[("a", F, "text", 0o644)]);
    assert!(unpacked(&whole[..514]).is_err());
    assert!(unpacked(&[7; 2048]).is_err());
    assert!(unpacked(&[0x1f, 0x8b, 8, 0, 0, 0]).is_err());
}
