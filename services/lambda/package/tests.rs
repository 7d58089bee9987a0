//! Packages as strangers might send them.

use std::io::{Cursor, Write};

use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

use super::*;

/// An entry: name, mode, content. Links have their target as content, folders end in a slash.
type Entry<'a> = (&'a str, u32, &'a [u8]);

fn zip(entries: &[Entry<'_>]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, mode, content) in entries {
        let options = SimpleFileOptions::default().unix_permissions(*mode);
        if mode & FILE_TYPE == SYMBOLIC_LINK {
            let target = std::str::from_utf8(content).unwrap();
            writer.add_symlink(*name, target, options).unwrap();
        } else {
            writer.start_file(*name, options).unwrap();
            writer.write_all(content).unwrap();
        }
    }
    writer.finish().unwrap().into_inner()
}

fn unpacked(entries: &[Entry<'_>]) -> Result<tempfile::TempDir, Error> {
    let folder = tempfile::tempdir().unwrap();
    unpack(&zip(entries), &folder.path().join("inside")).map(|()| folder)
}

fn is_refused(entries: &[Entry<'_>]) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let result = unpack(&zip(entries), &folder.path().join("inside"));
    let outside: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|it| it.unwrap()).collect();
    assert!(outside.iter().all(|it| it.file_name() == "inside"), "{outside:?}");
    matches!(result, Err(Error::NotAPackage))
}

const LINK: u32 = SYMBOLIC_LINK | 0o777;

#[test]
fn files_are_readable_by_all_and_executable_if_they_were() {
    let folder = unpacked(&[
        ("handler.py", 0o600, b"code"),
        ("bin/tool", 0o700, b"#!"),
        ("set", 0o4755, b""),
        ("./dot//name", 0o644, b"x"),
    ])
    .unwrap();
    let mode = |name: &str| {
        let file = fs::metadata(folder.path().join("inside").join(name)).unwrap();
        file.permissions().mode() & 0o7777
    };
    assert_eq!((mode("handler.py"), mode("bin/tool")), (0o644, 0o755));
    assert_eq!((mode("set"), mode("bin"), mode("")), (0o755, 0o755, 0o755));
    assert_eq!(mode("dot/name"), 0o644);
    assert_eq!(fs::read(folder.path().join("inside/handler.py")).unwrap(), b"code");
}

#[test]
fn names_that_lead_outside_are_refused() {
    for name in ["../evil", "a/../../evil", "/evil", "..", "a/..", "nul\0"] {
        assert!(is_refused(&[(name, 0o644, b"x")]), "{name}");
    }
}

#[test]
fn two_entries_of_one_path_are_refused() {
    assert!(is_refused(&[("a", 0o644, b"1"), ("./a", 0o644, b"2")]));
    assert!(is_refused(&[("a", 0o644, b"1"), ("a/b", 0o644, b"2")]));
    assert!(is_refused(&[("a", 0o644, b"1"), ("./a", LINK, b"b")]));
}

#[test]
fn links_inside_are_kept() {
    let folder = unpacked(&[
        ("node_modules/.bin/tool", LINK, b"../tool/cli.js"),
        ("node_modules/tool/cli.js", 0o755, b"js"),
        ("lib64", LINK, b"lib"),
        ("lib/a", 0o644, b"a"),
    ])
    .unwrap();
    let inside = folder.path().join("inside");
    assert_eq!(fs::read(inside.join("node_modules/.bin/tool")).unwrap(), b"js");
    assert_eq!(fs::read(inside.join("lib64/a")).unwrap(), b"a");
}

#[test]
fn links_that_lead_outside_are_refused() {
    for target in ["/etc", "..", "../x", "sub/../../x", "x/.."] {
        assert!(is_refused(&[("link", LINK, target.as_bytes())]), "{target}");
    }
    assert!(is_refused(&[("a/link", LINK, b"../../x")]));
}

#[test]
fn nothing_is_written_through_a_link() {
    assert!(is_refused(&[("d", LINK, b"e"), ("d/file", 0o644, b"x")]));
    // The second link would lie in the root, where three steps up are too many.
    assert!(is_refused(&[("p/q/d", LINK, b"../.."), ("p/q/d/l", LINK, b"../../../x")]));
}

#[test]
fn devices_and_pipes_are_refused() {
    for kind in [0o010_000, 0o020_000, 0o060_000, 0o140_000] {
        let mut bytes = zip(&[("a", 0o644, b"")]);
        // The mode is in the upper half of the external attributes of the central directory.
        let directory = bytes.windows(4).rposition(|it| it == b"PK\x01\x02").unwrap();
        let mode = (kind | 0o644_u32) << 16;
        bytes[directory + 38..directory + 42].copy_from_slice(&mode.to_le_bytes());
        let folder = tempfile::tempdir().unwrap();
        let result = unpack(&bytes, &folder.path().join("inside"));
        assert!(matches!(result, Err(Error::NotAPackage)), "{kind:o}");
    }
}

#[test]
fn a_bomb_is_stopped_at_the_limit_whatever_its_header_says() {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    writer.start_file("zeros", options).unwrap();
    let zeros = vec![0; 1 << 20];
    (0..=limits::UNZIPPED_BYTES >> 20).for_each(|_| writer.write_all(&zeros).unwrap());
    let mut bytes = writer.finish().unwrap().into_inner();
    let directory = bytes.windows(4).rposition(|it| it == b"PK\x01\x02").unwrap();
    bytes[directory + 24..directory + 28].copy_from_slice(&7_u32.to_le_bytes());
    let folder = tempfile::tempdir().unwrap();
    let result = unpack(&bytes, &folder.path().join("inside"));
    assert!(matches!(result, Err(Error::UnzippedTooLarge | Error::NotAPackage)), "{result:?}");
    let written = fs::metadata(folder.path().join("inside/zeros")).map_or(0, |it| it.len());
    assert!(written <= limits::UNZIPPED_BYTES + 1);
}

#[test]
fn what_is_no_zip_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let unpack = |bytes: &[u8]| unpack(bytes, &folder.path().join("inside"));
    assert!(matches!(unpack(b"not a zip"), Err(Error::NotAPackage)));
    assert!(matches!(unpack(b""), Err(Error::NotAPackage)));
    assert!(matches!(unpack(&zip(&[])), Err(Error::EmptyPackage)));
    let whole = zip(&[("a", 0o644, b"some content")]);
    assert!(unpack(&whole[..whole.len() - 30]).is_err());
}

proptest::proptest! {
    #[test]
    fn damage_never_breaks_the_reader(at in 0..200_usize, byte: u8) {
        let mut bytes = zip(&[("a/b", 0o644, b"some content"), ("l", LINK, b"a")]);
        let at = at % bytes.len();
        bytes[at] = byte;
        let folder = tempfile::tempdir().unwrap();
        let _ = unpack(&bytes, &folder.path().join("inside"));
        let outside = fs::read_dir(folder.path()).unwrap().count();
        proptest::prop_assert!(outside <= 1);
    }
}

#[test]
fn a_name_with_more_folders_than_a_stack_has_room_for_is_refused() {
    let name = "a/".repeat(32_000) + "f";
    assert!(is_refused(&[(name.as_str(), 0o644, b"x")]));
}

#[test]
fn the_folder_itself_is_no_link() {
    assert!(is_refused(&[("./.", LINK, b"..")]));
}
