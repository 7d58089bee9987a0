//! Carries out what `root` listed. Runs in the child (see there what it must not do), relative to
//! the new root, which is the current folder; a root server calls `detach` and `overlay` itself.

use std::{
    ffi::{CStr, CString},
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    path::PathBuf,
};

use rustix::{
    fs::{CWD, Mode, OFlags},
    io::Errno,
    mount::{
        FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags, MountPropagationFlags,
        MoveMountFlags, OpenTreeFlags, UnmountFlags,
    },
};

use super::{
    child::last_errno,
    root::{Entry, Root, Source, Target},
};

/// Where the new root is mounted while it is built. Every Linux has it, and nothing that is bound
/// lies below it.
const SITE: &CStr = c"/proc";

/// Names and small files only; the bound is on what a long list could take of kernel memory.
const ROOT_OPTIONS: &CStr = c"size=1m,nr_inodes=4096,mode=755";

/// Of the places that an instance may write to.
pub(super) const TMP_FLAGS: MountFlags = MountFlags::NOSUID.union(MountFlags::NODEV);

/// POSIX shared memory counts as the instance's memory; this bounds it once more.
pub(super) const SHM_OPTIONS: &CStr = c"size=64m,nr_inodes=4096,mode=1777";

impl Root {
    /// Makes every entry, or tells which could not be made and why.
    pub(super) fn build(&self) -> Result<(), (u16, Errno)> {
        found(self.ground.as_ref()).map_err(|errno| (0, errno))?;
        for (index, entry) in self.entries().enumerate() {
            make(entry).map_err(|errno| (index as u16, errno))?;
        }
        Ok(())
    }

    /// The writable places, `/tmp` and `/dev/shm`.
    pub(super) fn mount_tmp(&self) -> Result<(), Errno> {
        tmpfs(c"tmp", &self.tmp)?;
        tmpfs(c"dev/shm", SHM_OPTIONS)
    }

    /// `/proc` of the instance's own process namespace.
    pub(super) fn mount_proc(&self) -> Result<(), Errno> {
        let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
        rustix::mount::mount(c"proc", c"proc", c"proc", flags, None)
    }

    /// Makes it the root, lets go of the host's, and closes it for writing.
    pub(super) fn enter(&self) -> Result<(), Errno> {
        // The old root lies over the new one now, and is what is unmounted.
        rustix::process::pivot_root(c".", c".")?;
        rustix::mount::unmount(c".", UnmountFlags::DETACH)?;
        rustix::process::chdir(c"/")?;
        let flags = MountFlags::BIND | MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV;
        rustix::mount::mount_remount(c"/", flags, c"")
    }
}

/// A root, as the current folder, that the host does not see: an image's, or an empty one.
fn found(ground: Option<&Source>) -> Result<(), Errno> {
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    rustix::mount::mount_change(c"/", private)?;
    mount(ground.unwrap_or(&Source::Empty), SITE)?;
    rustix::process::chdir(SITE)
}

fn tmpfs(target: &CStr, options: &CStr) -> Result<(), Errno> {
    rustix::mount::mount(c"tmpfs", target, c"tmpfs", TMP_FLAGS, options)
}

fn make(entry: &Entry) -> Result<(), Errno> {
    match entry {
        Entry::Folder(path) => folder(path),
        Entry::Link { path, target } => rustix::fs::symlink(target.as_c_str(), path.as_c_str()),
        Entry::File { path, content } => {
            let file = file(path)?;
            rustix::io::write(&file, content).map(|_| ())
        }
        Entry::Mount { path, on, source } => {
            match on {
                Target::Folder => folder(path)?,
                Target::File => drop(file(path)?),
                Target::There => {}
            }
            mount(source, path)
        }
    }
}

fn folder(path: &CStr) -> Result<(), Errno> {
    match rustix::fs::mkdir(path, Mode::from_raw_mode(0o755)) {
        // Two entries may lie in it, or a mount brought it.
        Err(Errno::EXIST) => Ok(()),
        made => made,
    }
}

fn file(path: &CStr) -> Result<OwnedFd, Errno> {
    let flags = OFlags::CREATE | OFlags::WRONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    rustix::fs::open(path, flags, Mode::from_raw_mode(0o644))
}

fn mount(source: &Source, path: &CStr) -> Result<(), Errno> {
    match source {
        Source::Held(tree) => attach(tree.as_fd(), path),
        Source::Path(host, attributes) => attach(detach(host, *attributes)?.as_fd(), path),
        Source::Overlay(options) => {
            let flags = MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV;
            rustix::mount::mount(c"overlay", path, c"overlay", flags, options.as_c_str())
        }
        Source::Empty => tmpfs(path, ROOT_OPTIONS),
    }
}

fn attach(tree: BorrowedFd<'_>, path: &CStr) -> Result<(), Errno> {
    rustix::mount::move_mount(tree, c"", CWD, path, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
}

/// A copy of the mounts at a host path, attached nowhere, with more restrictions.
pub(super) fn detach(host: &CStr, attributes: MountAttrFlags) -> Result<OwnedFd, Errno> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_RECURSIVE;
    let tree = rustix::mount::open_tree(CWD, host, flags)?;
    restrict(tree.as_fd(), attributes)?;
    Ok(tree)
}

/// Several folders over each other, read-only; a later one covers an earlier one. `fsconfig` takes
/// 255 bytes, fewer than the paths of five layers may have: they are named by descriptors.
pub(super) fn overlay(layers: &[PathBuf]) -> io::Result<OwnedFd> {
    let open = |layer: &PathBuf| {
        let about = |e: Errno| io::Error::new(e.kind(), format!("{}: {e}", layer.display()));
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        rustix::fs::open(layer, flags, Mode::empty()).map_err(about)
    };
    let held = layers.iter().map(open).collect::<io::Result<Vec<OwnedFd>>>()?;
    let short = |layer: &OwnedFd| format!("/proc/self/fd/{}", layer.as_raw_fd());
    // Overlayfs's list begins with the uppermost.
    let lower: Vec<String> = held.iter().rev().map(short).collect();
    let lower = CString::new(lower.join(":"))?;
    let context = rustix::mount::fsopen(c"overlay", FsOpenFlags::FSOPEN_CLOEXEC)?;
    rustix::mount::fsconfig_set_string(context.as_fd(), c"lowerdir", lower.as_c_str())?;
    rustix::mount::fsconfig_create(context.as_fd())?;
    let attributes = MountAttrFlags::MOUNT_ATTR_RDONLY
        | MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NODEV;
    Ok(rustix::mount::fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes)?)
}

/// `mount_setattr` on the whole tree; also takes it out of the host's propagation.
fn restrict(tree: BorrowedFd<'_>, attributes: MountAttrFlags) -> Result<(), Errno> {
    let attributes = libc::mount_attr {
        attr_set: u64::from(attributes.bits()),
        attr_clr: 0,
        propagation: libc::MS_PRIVATE,
        userns_fd: 0,
    };
    // SAFETY: the structure is as long as said and outlives the call; no safe wrapper exists.
    let done = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            tree.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH | libc::AT_RECURSIVE,
            &raw const attributes,
            size_of::<libc::mount_attr>(),
        )
    };
    if done < 0 { Err(last_errno()) } else { Ok(()) }
}
