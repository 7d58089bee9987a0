//! Programs of an instance, each with its output and its end. The instance's first one is part of
//! `Sandboxed`; further ones, such as external extensions, are each a [`Running`].

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    path::Path,
    sync::{Arc, OnceLock},
};

use rustix::{io::Errno, net::RecvFlags, process::Signal};
use tokio::{io::unix::AsyncFd, net::unix::pipe, task::spawn_blocking};

use super::{
    Machine, StartError,
    dial::Dialer,
    init::{self, Launch, Message, Output, Report},
    instance::{Body, Sandboxed},
    spec::Program,
    start::start_plain,
};

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Status {
    /// Exit status, if it exited.
    pub(crate) code: Option<i32>,
    /// The signal that ended it, if one did.
    pub(crate) signal: Option<i32>,
}

impl Status {
    /// From what `wait` tells.
    pub(super) fn of_wait(status: i32) -> Status {
        let (exited, signalled) = (libc::WIFEXITED(status), libc::WIFSIGNALED(status));
        Status {
            code: exited.then(|| libc::WEXITSTATUS(status)),
            signal: signalled.then(|| libc::WTERMSIG(status)),
        }
    }
}

impl Sandboxed {
    /// Starts one more program in the instance, with output of its own: an external extension.
    /// `folder` is where it starts, and like the program's own path it is as the instance sees it;
    /// `program` must name its whole environment. A sandbox's program sees, may and shares what
    /// the first one does, its limits too; at most 15 further ones run at once. Isolation `process`
    /// runs a plain process.
    ///
    /// As slow as the instance may make it: the caller bounds it. Dropping the future kills what
    /// was started. Errors name their step, as those of a start do: `exec` for one that is not
    /// there or cannot be run.
    pub(crate) async fn spawn(
        &self,
        program: Program,
        folder: &Path,
    ) -> Result<Running, StartError> {
        match &self.control {
            Some(control) => Running::by_init(control, &program, folder).await,
            None => Running::by_us(&self.body.get_ref().machine, program, folder).await,
        }
    }

    /// Waits for the program's end and leaves the rest of the instance as it is: further programs
    /// run on until [`Sandboxed::wait`] or [`Sandboxed::kill`]. An instance without an init ends
    /// with its program. May be called again, and be dropped.
    /// Answers how; nothing if the instance itself has ended.
    pub(crate) async fn program_ended(&self) -> io::Result<Option<Status>> {
        match &self.control {
            Some(control) => control.ended().await,
            None => {
                let _ended = self.body.readable().await?;
                Ok(Some(self.body.get_ref().bury()?.status))
            }
        }
    }

    /// Whether the kernel has killed something in the instance for want of memory.
    pub(crate) fn oom_killed(&self) -> bool {
        self.body.get_ref().oom_killed()
    }

    /// A way into its network.
    pub(crate) fn dialer(&self) -> io::Result<Dialer> {
        let first = (!self.shares_network).then(|| self.body.get_ref().first());
        Ok(Dialer::new(first.transpose()?))
    }

    /// Sends a signal to the program and its process group. Does not wait.
    pub(crate) fn signal(&self, signal: Signal) -> io::Result<()> {
        match &self.control {
            Some(control) => control.signal(signal),
            None => {
                self.body.get_ref().signal(signal);
                Ok(())
            }
        }
    }
}

/// One more program in an instance: it sees, may and shares what the first one does. Dropping it
/// kills it and its process group; so does the end of the instance.
pub(crate) struct Running {
    /// Process id on the host.
    #[cfg_attr(not(test), expect(dead_code, reason = "tests find the process by it"))]
    pub(crate) pid: u32,
    /// What it prints.
    pub(crate) stdout: pipe::Receiver,
    /// What it prints as errors.
    pub(crate) stderr: pipe::Receiver,
    kept: Kept,
}

/// Who knows of its end.
enum Kept {
    /// The instance's init.
    ByInit(Channel),
    /// We do: it is a plain process.
    ByUs(AsyncFd<Body>),
}

impl Running {
    /// Waits for its end. May be called again: it answers the same. May be dropped and called anew.
    /// An error says that the instance ended first.
    pub(crate) async fn wait(&self) -> io::Result<Status> {
        match &self.kept {
            Kept::ByInit(channel) => {
                channel.ended().await?.ok_or_else(|| io::ErrorKind::BrokenPipe.into())
            }
            Kept::ByUs(body) => {
                let _ended = body.readable().await?;
                Ok(body.get_ref().bury()?.status)
            }
        }
    }

    /// Sends a signal to it and its process group; none if it has ended. Does not wait.
    pub(crate) fn signal(&self, signal: Signal) -> io::Result<()> {
        match &self.kept {
            Kept::ByInit(channel) => channel.signal(signal),
            Kept::ByUs(body) => {
                body.get_ref().signal(signal);
                Ok(())
            }
        }
    }

    /// In the instance of an init.
    pub(super) async fn by_init(
        control: &Channel,
        program: &Program,
        folder: &Path,
    ) -> Result<Running, StartError> {
        let failed = StartError::at("prepare");
        let (launch, output) = Launch::new(program, folder).map_err(&failed)?;
        let (ours, theirs) = init::socket().map_err(&failed)?;
        let channel = Channel::new(ours).map_err(&failed)?;
        let failed = StartError::at("handshake");
        launch.send(control.socket.get_ref(), Some(&theirs)).map_err(&failed)?;
        // Init's own end is to be seen.
        drop(theirs);
        let mut born = None;
        loop {
            let message = channel.receive().await.map_err(|errno| failed(errno.into()))?;
            match message.report() {
                Report::Born => born = message.sender,
                Report::Started => break,
                Report::Failed(failure) => return Err(failure.explain(None, program)),
                _ => return Err(failed(io::ErrorKind::UnexpectedEof.into())),
            }
        }
        let pid = born.ok_or_else(|| failed(io::ErrorKind::InvalidData.into()))?;
        Running::new(pid, output, Kept::ByInit(channel))
    }

    /// A plain process.
    pub(super) async fn by_us(
        machine: &Arc<Machine>,
        program: Program,
        folder: &Path,
    ) -> Result<Running, StartError> {
        let (machine, folder) = (machine.clone(), folder.to_owned());
        let start = move || start_plain(&machine, &program, &folder, u32::MAX);
        let started = spawn_blocking(start).await;
        let (pid, body, output) =
            started.map_err(|e| StartError { step: "start", source: e.into() })??;
        // SAFETY: a `Body` has its pidfd open until it is dropped, and the `AsyncFd` owns it.
        let body = unsafe { AsyncFd::register(body) }
            .map_err(|e| StartError { step: "register with the runtime", source: e.into() })?;
        Running::new(pid, output, Kept::ByUs(body))
    }

    fn new(pid: u32, output: Output, kept: Kept) -> Result<Running, StartError> {
        let receive = |pipe| {
            pipe::Receiver::from_owned_fd(pipe).map_err(StartError::at("register with the runtime"))
        };
        let (stdout, stderr) = (receive(output.stdout)?, receive(output.stderr)?);
        Ok(Running { pid, stdout, stderr, kept })
    }
}

/// Where init reports on one program. Closing it kills the program; closing the first program's
/// ends the instance.
pub(super) struct Channel {
    socket: AsyncFd<OwnedFd>,
    ended: OnceLock<Status>,
}

impl Channel {
    /// Inside the tokio runtime.
    pub(super) fn new(socket: OwnedFd) -> io::Result<Channel> {
        // SAFETY: an `OwnedFd` is open until it is dropped, and the `AsyncFd` owns it.
        let socket = unsafe { AsyncFd::register(socket) }?;
        Ok(Channel { socket, ended: OnceLock::new() })
    }

    /// Waits until init says how the program ended; nothing if it did not say.
    pub(super) async fn ended(&self) -> io::Result<Option<Status>> {
        loop {
            if let Some(status) = self.ended.get() {
                return Ok(Some(*status));
            }
            match self.receive().await.map(|message| message.report()) {
                Ok(Report::Ended(status)) => {
                    self.ended.get_or_init(|| status);
                }
                Ok(Report::Nothing) | Err(Errno::CONNRESET) => return Ok(None),
                Ok(_) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    pub(super) fn signal(&self, signal: Signal) -> io::Result<()> {
        match self.ended.get() {
            Some(_) => Ok(()),
            None => init::signal(self.socket.get_ref(), signal),
        }
    }

    async fn receive(&self) -> Result<Message, Errno> {
        let failed = |error: io::Error| Errno::from_io_error(&error).unwrap_or(Errno::IO);
        let read = |socket: &AsyncFd<OwnedFd>| {
            Ok(Message::receive(socket.get_ref().as_fd(), RecvFlags::DONTWAIT)?)
        };
        loop {
            let mut ready = self.socket.readable().await.map_err(failed)?;
            if let Ok(message) = ready.try_io(read) {
                return message.map_err(failed);
            }
        }
    }
}
