//! Free space on the disk. Writers stop while there is still room for what must not fail: the
//! engine's flushes and compactions of what it has already acknowledged.

use std::{fs::File, io, path::Path};

/// Bytes that stay free: the engine's memtables in memory, plus what one compaction writes before
/// it removes its inputs.
const RESERVE_BYTES: u64 = 256 << 20;

/// A file system, asked for its free space.
pub(crate) struct Room(File);

impl Room {
    /// The file system that holds `folder`.
    pub(crate) fn of(folder: &Path) -> io::Result<Room> {
        Ok(Room(File::open(folder)?))
    }

    /// Whether only the reserve is left. Costs about a microsecond.
    pub(crate) fn is_used_up(&self) -> bool {
        // A file system that does not say how full it is will say so by ENOSPC.
        rustix::fs::fstatvfs(&self.0)
            .is_ok_and(|space| space.f_bavail.saturating_mul(space.f_frsize) < RESERVE_BYTES)
    }
}
