//! The root that an instance sees: a small tmpfs with read-only pieces of the host in it.
//!
//! All here happens before the clone and makes lists; `mounts` carries them out.

use std::{
    collections::BTreeSet,
    ffi::CString,
    io,
    os::{
        fd::{AsRawFd, OwnedFd, RawFd},
        unix::ffi::OsStrExt,
    },
    path::{Path, PathBuf},
    sync::Arc,
};

use network::Mode;
use rustix::mount::MountAttrFlags;

use super::{
    StartError,
    child::{GID, UID},
    mounts,
    plan::c_path,
    spec::Spec,
};

/// Whose rights make the mounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rights {
    /// The server is root and may lend any user: it takes hold of mounts beforehand, because the
    /// instance's user may not be able to walk to them (homes are closed to others).
    Root,
    /// The server is an ordinary user: the child finds the paths, with the same rights.
    Rootless,
}

impl Rights {
    pub(super) fn of_this_process() -> Rights {
        use rustix::thread::CapabilitySet;
        let needed = CapabilitySet::SYS_ADMIN | CapabilitySet::SETUID | CapabilitySet::SETGID;
        match rustix::thread::capabilities(None) {
            Ok(sets) if sets.effective.contains(needed) => Rights::Root,
            _ => Rights::Rootless,
        }
    }
}

/// The whole root of one instance.
pub(super) struct Root {
    /// An image's tree that all else is mounted on; none: an empty folder.
    pub(super) ground: Option<Source>,
    pub(super) base: Arc<[Entry]>,
    pub(super) own: Vec<Entry>,
    /// Options of `/tmp`'s tmpfs.
    pub(super) tmp: CString,
}

/// One thing in the new root. Paths are relative to it.
pub(super) enum Entry {
    Folder(CString),
    Link { path: CString, target: CString },
    File { path: CString, content: Vec<u8> },
    Mount { path: CString, on: Target, source: Source },
}

/// What a mount covers, made beforehand.
#[derive(Clone, Copy)]
pub(super) enum Target {
    File,
    Folder,
    /// It is there already: in an image.
    There,
}

/// What is mounted.
pub(super) enum Source {
    /// Taken hold of by a root server.
    Held(OwnedFd),
    /// A host path and what its mount may not do.
    Path(CString, MountAttrFlags),
    /// Several folders over each other: the options of an overlayfs.
    Overlay(CString),
    /// An empty folder of our own.
    Empty,
}

/// Host files and folders are there to be read and executed.
const READ_ONLY: MountAttrFlags = MountAttrFlags::MOUNT_ATTR_RDONLY
    .union(MountAttrFlags::MOUNT_ATTR_NOSUID)
    .union(MountAttrFlags::MOUNT_ATTR_NODEV);

/// A device node works on a read-only mount, but not on a `nodev` one.
const DEVICE: MountAttrFlags = MountAttrFlags::MOUNT_ATTR_RDONLY
    .union(MountAttrFlags::MOUNT_ATTR_NOSUID)
    .union(MountAttrFlags::MOUNT_ATTR_NOEXEC);

/// Top-level folders that a distribution may have merged into `/usr`.
const MERGED: [&str; 6] = ["bin", "sbin", "lib", "lib32", "lib64", "libx32"];

/// What interpreters and TLS libraries read of `/etc`; nothing secret among it.
const ETC: [&str; 14] = [
    "ld.so.cache",
    "alternatives",
    "ssl/certs",
    "ssl/openssl.cnf",
    "pki/tls/certs",
    "pki/tls/cert.pem",
    "pki/ca-trust/extracted",
    "pki/java",
    "ca-certificates/extracted",
    "crypto-policies",
    "mime.types",
    "protocols",
    "services",
    "os-release",
];

const DEVICES: [&str; 5] = ["null", "zero", "full", "random", "urandom"];

/// Links that shells and libraries expect in `/dev`.
const DEVICE_LINKS: [(&str, &str); 4] = [
    ("dev/fd", "/proc/self/fd"),
    ("dev/stdin", "/proc/self/fd/0"),
    ("dev/stdout", "/proc/self/fd/1"),
    ("dev/stderr", "/proc/self/fd/2"),
];

/// What every sandbox has, as far as this host has it.
pub(super) fn base() -> Vec<Entry> {
    let mut list = List::default();
    for folder in ["proc", "tmp", "opt", "var/task", "var/runtime", "dev/shm"] {
        list.folder(Path::new(folder));
    }
    list.bind(Path::new("/usr"), Path::new("/usr"), READ_ONLY);
    for name in MERGED {
        let host = Path::new("/").join(name);
        match std::fs::read_link(&host) {
            Ok(target) => list.link(name, &target),
            Err(_) if host.is_dir() => list.bind(&host, &host, READ_ONLY),
            Err(_) => {}
        }
    }
    let java = std::fs::read_dir("/etc").into_iter().flatten().flatten();
    let java = java.map(|e| e.path()).filter(|p| {
        p.file_name().and_then(|n| n.to_str()).is_some_and(|name| name.starts_with("java-"))
    });
    for path in ETC.iter().map(|name| Path::new("/etc").join(name)).chain(java) {
        if path.exists() {
            list.bind(&path, &path, READ_ONLY);
        }
    }
    list.devices();
    list.link("etc/localtime", Path::new("/usr/share/zoneinfo/UTC"));
    let passwd = format!(
        "root:x:0:0:root:/root:/sbin/nologin\n\
         sbx_user1051:x:{UID}:{GID}::/home/sbx_user1051:/sbin/nologin\n"
    );
    list.file("etc/passwd", passwd);
    list.file("etc/group", format!("root:x:0:\nsbx_user1051:x:{GID}:\n"));
    list.file("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n".into());
    list.entries
}

/// What every sandbox has that has an image for its root.
pub(super) fn image_base() -> Vec<Entry> {
    let mut list = List::default();
    list.mount(Path::new("/dev"), Target::Folder, Source::Empty);
    list.folder(Path::new("dev/shm"));
    list.devices();
    list.entries
}

/// Small files per MiB of `/tmp`: enough for unpacked packages, and a bound on what their inodes
/// take of the kernel's memory.
const TMP_FILES_PER_MIB: u32 = 128;

impl Root {
    /// The root of one instance: the base, its binds, code and layers.
    pub(super) fn new(base: Arc<[Entry]>, spec: &Spec, rights: Rights) -> Result<Root, StartError> {
        let failed = StartError::at("open what is to be bound");
        let tmp = tmp_options(spec).map_err(&failed)?;
        let mut list = List::default();
        let mut binds: Vec<_> = spec.binds.iter().collect();
        // What lies above others is mounted before them.
        binds.sort_by_key(|bind| bind.inside.components().count());
        for bind in binds {
            // `/usr` is there already.
            if bind.host != bind.inside || !bind.inside.starts_with("/usr") {
                list.hold(&bind.host, &bind.inside, rights).map_err(&failed)?;
            }
        }
        list.code(spec, rights)?;
        list.file("etc/hosts", hosts(spec));
        list.file("etc/resolv.conf", name_servers(spec.network));
        Ok(Root { ground: None, base, own: list.entries, tmp })
    }

    /// The root of one instance that is an image's tree, with code and layers if there are any.
    pub(super) fn of_image(
        base: Arc<[Entry]>,
        tree: &Path,
        spec: &Spec,
        rights: Rights,
    ) -> Result<Root, StartError> {
        let failed = StartError::at("open the image");
        let tmp = tmp_options(spec).map_err(&failed)?;
        let ground = Some(held(tree, rights).map_err(failed)?);
        let mut list = List::default();
        if !spec.code.as_os_str().is_empty() {
            list.code(spec, rights)?;
        }
        list.cover(tree, "hosts", hosts(spec));
        list.cover(tree, "resolv.conf", name_servers(spec.network));
        Ok(Root { ground, base, own: list.entries, tmp })
    }

    /// Entries in the order of their making; `Failure::entry` counts them.
    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.base.iter().chain(&self.own)
    }

    /// Descriptors that the child needs.
    pub(super) fn held(&self) -> impl Iterator<Item = RawFd> {
        let mounts = self.own.iter().filter_map(|entry| match entry {
            Entry::Mount { source, .. } => Some(source),
            _ => None,
        });
        self.ground.iter().chain(mounts).filter_map(|source| match source {
            Source::Held(tree) => Some(tree.as_raw_fd()),
            _ => None,
        })
    }

    /// Where an entry lies, for messages.
    pub(super) fn path(&self, entry: u16) -> String {
        let path = self.entries().nth(usize::from(entry)).map(|entry| match entry {
            Entry::Folder(path)
            | Entry::Link { path, .. }
            | Entry::File { path, .. }
            | Entry::Mount { path, .. } => path.to_string_lossy(),
        });
        format!("/{}", path.unwrap_or_default())
    }
}

/// What `/etc/hosts` says. The second name is the one by which extensions listen for telemetry.
fn hosts(spec: &Spec) -> String {
    format!("127.0.0.1 localhost sandbox.localdomain sandbox {}\n", spec.hostname)
}

/// What `/etc/resolv.conf` says.
fn name_servers(network: Mode) -> String {
    match network {
        // Ours answers within no time, and asks others itself.
        Mode::None | Mode::Egress => "nameserver 127.0.0.1\n".to_owned(),
        Mode::Host => std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default(),
    }
}

/// Options of `/tmp`'s tmpfs.
pub(super) fn tmp_options(spec: &Spec) -> io::Result<CString> {
    let (mib, files) = (spec.tmp_mib, spec.tmp_mib.saturating_mul(TMP_FILES_PER_MIB));
    Ok(CString::new(format!("size={mib}m,nr_inodes={files},mode=1777"))?)
}

/// What a function names: held beforehand where the server's rights are needed.
fn held(host: &Path, rights: Rights) -> io::Result<Source> {
    let path = c_path(host)?;
    if rights == Rights::Rootless {
        return Ok(Source::Path(path, READ_ONLY));
    }
    mounts::detach(&path, READ_ONLY).map(Source::Held).map_err(|errno| about(host, errno.into()))
}

/// An error with the path that it is about.
fn about(path: &Path, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// Collects entries, with the folders above each.
#[derive(Default)]
struct List {
    entries: Vec<Entry>,
    folders: BTreeSet<PathBuf>,
}

impl List {
    fn folder(&mut self, path: &Path) {
        for folder in path.ancestors().collect::<Vec<_>>().into_iter().rev() {
            if !folder.as_os_str().is_empty() && self.folders.insert(folder.to_owned()) {
                self.entries.extend(c_path(folder).map(Entry::Folder));
            }
        }
    }

    fn above(&mut self, path: &Path) {
        if let Some(folder) = path.parent() {
            self.folder(folder);
        }
    }

    fn link(&mut self, path: &str, target: &Path) {
        self.above(Path::new(path));
        if let (Ok(path), Ok(target)) = (c_path(Path::new(path)), c_path(target)) {
            self.entries.push(Entry::Link { path, target });
        }
    }

    fn file(&mut self, path: &str, content: String) {
        self.above(Path::new(path));
        let content = content.into_bytes();
        self.entries.extend(c_path(Path::new(path)).map(|path| Entry::File { path, content }));
    }

    /// A file of ours over one that an image has in `/etc`. Libraries do without those that it lacks:
    /// then they ask our name server too.
    fn cover(&mut self, tree: &Path, name: &str, content: String) {
        let covered = Path::new("etc").join(name);
        let kind = |path: &Path| std::fs::symlink_metadata(tree.join(path));
        // Not through links, which could lead to a file of the host.
        let folder_is_own = kind(Path::new("etc")).is_ok_and(|it| it.is_dir());
        if !folder_is_own || !kind(&covered).is_ok_and(|it| it.is_file()) {
            return;
        }
        // `/dev` is ours, and can be written until the root is closed.
        let kept = format!("dev/.{name}");
        self.file(&kept, content);
        if let (Ok(path), Ok(kept)) = (c_path(&covered), c_path(Path::new(&kept))) {
            let source = Source::Path(kept, READ_ONLY);
            self.entries.push(Entry::Mount { path, on: Target::There, source });
        }
    }

    fn devices(&mut self) {
        for name in DEVICES {
            let path = Path::new("/dev").join(name);
            self.bind(&path, &path, DEVICE);
        }
        for (path, target) in DEVICE_LINKS {
            self.link(path, Path::new(target));
        }
    }

    fn bind(&mut self, host: &Path, inside: &Path, attributes: MountAttrFlags) {
        let on = if host.is_dir() { Target::Folder } else { Target::File };
        if let Ok(source) = c_path(host) {
            self.mount(inside, on, Source::Path(source, attributes));
        }
    }

    /// A bind of what a function names.
    fn hold(&mut self, host: &Path, inside: &Path, rights: Rights) -> io::Result<()> {
        let on = match std::fs::metadata(host).map_err(|e| about(host, e))?.is_dir() {
            true => Target::Folder,
            false => Target::File,
        };
        self.mount(inside, on, held(host, rights)?);
        Ok(())
    }

    fn code(&mut self, spec: &Spec, rights: Rights) -> Result<(), StartError> {
        let failed = StartError::at("open what is to be bound");
        self.hold(&spec.code, Path::new("/var/task"), rights).map_err(&failed)?;
        match spec.opt.as_slice() {
            [] => Ok(()),
            [layer] => self.hold(layer, Path::new("/opt"), rights).map_err(failed),
            layers => self.overlay(layers, rights).map_err(StartError::at("merge layers")),
        }
    }

    fn overlay(&mut self, layers: &[PathBuf], rights: Rights) -> io::Result<()> {
        let source = match rights {
            Rights::Root => Source::Held(mounts::overlay(layers)?),
            Rights::Rootless => Source::Overlay(overlay_options(layers)?),
        };
        self.mount(Path::new("/opt"), Target::Folder, source);
        Ok(())
    }

    fn mount(&mut self, inside: &Path, on: Target, source: Source) {
        let path = inside.strip_prefix("/").unwrap_or(inside);
        self.above(path);
        self.entries.extend(c_path(path).map(|path| Entry::Mount { path, on, source }));
    }
}

/// What `mount` takes of options: a page, with its end.
const MOUNT_OPTIONS_BYTES: usize = 4095;

/// Overlayfs's list of folders, the uppermost first: a later layer covers an earlier one.
fn overlay_options(layers: &[PathBuf]) -> io::Result<CString> {
    let mut options = b"lowerdir=".to_vec();
    for (index, layer) in layers.iter().rev().enumerate() {
        if index > 0 {
            options.push(b':');
        }
        for &byte in layer.as_os_str().as_bytes() {
            if matches!(byte, b':' | b',' | b'\\') {
                options.push(b'\\');
            }
            options.push(byte);
        }
    }
    if options.len() > MOUNT_OPTIONS_BYTES {
        let text = format!("the paths of the layers have more than {MOUNT_OPTIONS_BYTES} bytes");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    Ok(CString::new(options)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_layer_lies_above_an_earlier_one() {
        let layers = ["/l/one".into(), "/l/t:wo".into()];
        let options = overlay_options(&layers).unwrap();
        assert_eq!(options.to_str(), Ok("lowerdir=/l/t\\:wo:/l/one"));
        let long = PathBuf::from("x".repeat(MOUNT_OPTIONS_BYTES));
        assert!(overlay_options(&[long]).is_err());
    }

    #[test]
    fn folders_above_an_entry_are_made_once_and_first() {
        let mut list = List::default();
        list.file("etc/a/one", String::new());
        list.file("etc/a/two", String::new());
        let folders: Vec<_> = list
            .entries
            .iter()
            .filter_map(|e| match e {
                Entry::Folder(path) => path.to_str().ok(),
                _ => None,
            })
            .collect();
        assert_eq!(folders, ["etc", "etc/a"]);
    }
}
