//! A started instance: its sockets and pipes, its end.

use std::{io, os::fd::OwnedFd};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};
use tokio::{io::unix::AsyncFd, net::TcpListener, net::unix::pipe};

/// A running instance. Dropping it kills it and everything it started.
pub(crate) struct Sandboxed {
    /// Process id on the host.
    pub(crate) pid: u32,
    /// Where the instance looks for the Runtime API; served by the host.
    pub(crate) runtime_api: TcpListener,
    /// Where the instance looks for AWS; served by the host.
    pub(crate) aws_endpoint: TcpListener,
    /// What it prints.
    pub(crate) stdout: pipe::Receiver,
    /// What it prints as errors.
    pub(crate) stderr: pipe::Receiver,
    pub(super) pidfd: AsyncFd<OwnedFd>,
    pub(super) group: Option<Pid>,
    pub(super) exit: Option<Exit>,
}

/// How an instance ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exit {
    /// Exit status, if it exited.
    pub(crate) code: Option<i32>,
    /// The signal that ended it, if one did.
    pub(crate) signal: Option<i32>,
    /// Whether the kernel killed something in it for want of memory.
    pub(crate) oom_killed: bool,
}

impl Sandboxed {
    /// Waits for the end. May be called again: it answers the same.
    pub(crate) async fn wait(&mut self) -> io::Result<Exit> {
        if let Some(exit) = self.exit {
            return Ok(exit);
        }
        let _ended = self.pidfd.readable().await?;
        let exit = reap(&self.pidfd)?;
        self.exit = Some(exit);
        Ok(exit)
    }

    /// Kills it and everything it started. Does not wait.
    pub(crate) fn kill(&self) {
        if self.exit.is_some() {
            return;
        }
        // It may have ended already; then there is nothing to do.
        if let Some(group) = self.group {
            let _ = rustix::process::kill_process_group(group, Signal::KILL);
        }
        let _ = rustix::process::pidfd_send_signal(&self.pidfd, Signal::KILL);
    }

    /// Ends the full speed of the init phase: from now on its processor time is its share.
    pub(crate) fn begin_throttle(&self) {}

    /// Most memory it has held so far, in MiB.
    pub(crate) fn peak_memory_mib(&self) -> u32 {
        0
    }
}

fn reap(pidfd: &AsyncFd<OwnedFd>) -> io::Result<Exit> {
    let pidfd = std::os::fd::AsFd::as_fd(pidfd.get_ref());
    let status = rustix::process::waitid(WaitId::PidFd(pidfd), WaitIdOptions::EXITED)?;
    Ok(Exit {
        code: status.as_ref().and_then(|s| s.exit_status()),
        signal: status.as_ref().and_then(|s| s.terminating_signal()),
        oom_killed: false,
    })
}

impl Drop for Sandboxed {
    fn drop(&mut self) {
        self.kill();
        if self.exit.is_none() {
            let _ = reap(&self.pidfd);
        }
    }
}
