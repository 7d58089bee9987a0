//! How a group tells that it holds more memory than its processes may: a threshold's event (v1), or
//! the count of how often it was above `memory.high` (v2), where the kernel also slows it down until
//! somebody has looked.

use std::{
    fs::File,
    io,
    os::fd::{AsRawFd, OwnedFd, RawFd},
    path::{Path, PathBuf},
};

use rustix::event::{EventfdFlags, eventfd};
use tokio::io::{Interest, unix::AsyncFd};

use super::write;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Threshold,
    High,
}

/// Where an alarm is to be set.
pub(in crate::sandbox) struct Bound {
    pub(super) kind: Kind,
    pub(super) folder: PathBuf,
    pub(super) bytes: u64,
}

/// Rings when memory has grown past its bound, and now and then without reason.
pub(in crate::sandbox) struct Alarm {
    bound: Bound,
    fd: OwnedFd,
}

/// An alarm that is listened to.
pub(crate) struct Armed {
    alarm: AsyncFd<Alarm>,
}

impl Bound {
    /// Takes the kernel milliseconds.
    pub(in crate::sandbox) fn set(self) -> io::Result<Alarm> {
        let fd = match self.kind {
            Kind::Threshold => threshold(&self.folder, self.bytes)?,
            Kind::High => {
                write(&self.folder, "memory.high", &self.bytes.to_string())?;
                File::open(self.folder.join("memory.events"))?.into()
            }
        };
        Ok(Alarm { bound: self, fd })
    }
}

impl Kind {
    fn interest(self) -> Interest {
        match self {
            Kind::Threshold => Interest::READABLE,
            Kind::High => Interest::PRIORITY,
        }
    }
}

impl Alarm {
    /// Inside the tokio runtime.
    pub(in crate::sandbox) fn arm(self) -> io::Result<Armed> {
        let interest = self.bound.kind.interest();
        // SAFETY: the alarm owns its descriptor, and the `AsyncFd` owns the alarm.
        Ok(Armed { alarm: unsafe { AsyncFd::register_with_interest(self, interest) }? })
    }
}

impl AsRawFd for Alarm {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

impl Armed {
    /// Waits until it rings.
    pub(crate) async fn rings(&self) -> io::Result<()> {
        let alarm = self.alarm.get_ref();
        let mut ready = self.alarm.ready(alarm.bound.kind.interest()).await?;
        ready.clear_ready();
        // What is read tells nothing new, but having read it makes room for the next event.
        let mut text = [0; 512];
        let _ = match alarm.bound.kind {
            Kind::Threshold => rustix::io::read(&alarm.fd, &mut text),
            Kind::High => rustix::io::pread(&alarm.fd, &mut text, 0),
        };
        Ok(())
    }

    /// Whether the kernel is to slow the group down when it is past the bound: not for what lies in
    /// `/tmp`, while somebody looks.
    pub(crate) fn hold_back(&self, held: bool) {
        let Bound { kind: Kind::High, folder, bytes } = &self.alarm.get_ref().bound else { return };
        let high = if held { bytes.to_string() } else { "max".to_owned() };
        if let Err(error) = write(folder, "memory.high", &high) {
            tracing::debug!(%error, "a group has gone");
        }
    }
}

fn threshold(folder: &Path, bytes: u64) -> io::Result<OwnedFd> {
    let event = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
    let usage = File::open(folder.join("memory.usage_in_bytes"))?;
    let what = format!("{} {} {bytes}", event.as_raw_fd(), usage.as_raw_fd());
    write(folder, "cgroup.event_control", &what)?;
    Ok(event)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Version 2 tells of changes in its files of events all alike: here by freezing, which needs no
    /// controller.
    #[tokio::test]
    async fn a_file_of_events_rings_when_it_changes() {
        let own = std::fs::read_to_string("/proc/self/cgroup").unwrap();
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        let place = super::super::v1::unified(&own, &mounts);
        let folder = place.map(|it| it.join(format!("lampejo-alarm-{}", std::process::id())));
        let Some(folder) = folder.filter(|it| std::fs::create_dir(it).is_ok()) else {
            println!("skipped: no hierarchy of version 2 that this user may make groups in");
            return;
        };
        let fd = File::open(folder.join("cgroup.events")).unwrap().into();
        let bound = Bound { kind: Kind::High, folder: folder.clone(), bytes: 0 };
        let armed = Alarm { bound, fd }.arm().unwrap();
        let patience = Duration::from_secs(10);
        for frozen in ["1", "0", "1"] {
            // The first looks at once: nothing was read before.
            let rung = tokio::time::timeout(patience, armed.rings()).await;
            rung.expect("it rings").unwrap();
            let quiet = tokio::time::timeout(Duration::from_millis(50), armed.rings()).await;
            assert!(quiet.is_err(), "it rings once");
            write(&folder, "cgroup.freeze", frozen).unwrap();
        }
        std::fs::remove_dir(folder).unwrap();
    }
}
