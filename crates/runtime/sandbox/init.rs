//! A sandbox's first process, as the server sees it: the file it is run from, what it is told and
//! what it says. The program itself is in `../init`.

use std::{
    fs::File,
    io::{self, IoSlice, IoSliceMut, Write},
    mem::MaybeUninit,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::Path,
};

use rustix::{
    fs::{MemfdFlags, SealFlags},
    io::Errno,
    net::{
        AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
        SendAncillaryMessage, SendFlags, SocketFlags, SocketType, sockopt,
    },
    pipe::PipeFlags,
    process::Signal,
};

use super::{
    failure::Failure,
    plan::c_path,
    protocol::{BORN, ENDED, HEADER_BYTES, RUN, RUN_BYTES, SIGNAL, STARTED, STRINGS},
    running::Status,
    spec::Program,
    wiring::MOST_SOCKETS,
};

/// The program, as `build.rs` has made it.
static INIT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/init"));

/// A file of the program that lies in no folder and that nobody can change: all sandboxes run it
/// and share its pages.
pub(super) fn file() -> io::Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let made = match rustix::fs::memfd_create(c"init", flags | MemfdFlags::EXEC) {
        // Linux before 6.3: there is no other kind.
        Err(Errno::INVAL) => rustix::fs::memfd_create(c"init", flags),
        made => made,
    };
    let mut file = File::from(made?);
    file.write_all(INIT)?;
    let seals = SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL;
    rustix::fs::fcntl_add_seals(&file, seals)?;
    Ok(file.into())
}

/// A socket between the server and init: ours, and the other end. Ours is told who sent what.
pub(super) fn socket() -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = SocketFlags::CLOEXEC;
    let kind = SocketType::SEQPACKET;
    let (ours, theirs) = rustix::net::socketpair(AddressFamily::UNIX, kind, flags, None)?;
    // Before anything is sent: what was sent before comes from nobody.
    sockopt::set_socket_passcred(&ours, true)?;
    Ok((ours, theirs))
}

/// A program for init, and our ends of its output.
pub(super) struct Launch {
    message: Vec<u8>,
    streams: [OwnedFd; 2],
}

/// Our ends of a program's output.
pub(super) struct Output {
    pub(super) stdout: OwnedFd,
    pub(super) stderr: OwnedFd,
}

impl Launch {
    /// `folder` is where it starts, as it sees paths.
    pub(super) fn new(program: &Program, folder: &Path) -> io::Result<(Launch, Output)> {
        let (stdout, their_stdout) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
        let (stderr, their_stderr) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
        let launch =
            Launch { message: message(program, folder)?, streams: [their_stdout, their_stderr] };
        Ok((launch, Output { stdout, stderr }))
    }

    /// Tells init to run it, and to report on `channel` if it is not the first program.
    pub(super) fn send(self, control: &OwnedFd, channel: Option<&OwnedFd>) -> io::Result<()> {
        let given: Vec<BorrowedFd<'_>> =
            self.streams.iter().chain(channel).map(AsFd::as_fd).collect();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        assert!(ancillary.push(SendAncillaryMessage::ScmRights(&given)), "there is room for three");
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        let message = [IoSlice::new(&self.message)];
        rustix::net::sendmsg(control, &message, &mut ancillary, flags)?;
        Ok(())
    }
}

fn message(program: &Program, folder: &Path) -> io::Result<Vec<u8>> {
    let candidates = program.candidates()?;
    let counts = [candidates.len(), program.argv.len(), program.environment.len()];
    let mut message = Vec::new();
    message.extend(RUN.to_ne_bytes());
    message.extend(counts.iter().flat_map(|count| (*count as u32).to_ne_bytes()));
    debug_assert_eq!(message.len(), HEADER_BYTES);
    message.extend(c_path(folder)?.as_bytes_with_nul());
    candidates.iter().for_each(|candidate| message.extend(candidate.as_bytes_with_nul()));
    for text in program.argv.iter().cloned().chain(program.pairs()) {
        message.extend(c_path(Path::new(&text))?.as_bytes_with_nul());
    }
    // The folder, and the four ends of lists.
    let strings = counts.iter().sum::<usize>() + 1 + 4;
    if message.len() > RUN_BYTES || strings >= STRINGS {
        let text = format!("arguments and environment have more than {RUN_BYTES} bytes");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    Ok(message)
}

/// Signals the program of a channel and its process group.
pub(super) fn signal(channel: &OwnedFd, signal: Signal) -> io::Result<()> {
    let words = [SIGNAL.to_ne_bytes(), (signal.as_raw() as u32).to_ne_bytes()];
    let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
    rustix::net::send(channel, words.as_flattened(), flags)?;
    Ok(())
}

/// A message of a child or an init.
pub(super) struct Message {
    pub(super) bytes: Vec<u8>,
    pub(super) descriptors: Vec<OwnedFd>,
    /// Process id of whoever sent it, on the host.
    pub(super) sender: Option<u32>,
}

/// What init says of a program.
pub(super) enum Report {
    /// It will run in the process that says so.
    Born,
    Started,
    Failed(Failure),
    Ended(Status),
    /// No message of init: its own end.
    Nothing,
}

impl Message {
    pub(super) fn receive(socket: impl AsFd, flags: RecvFlags) -> Result<Message, Errno> {
        let mut space = [MaybeUninit::uninit();
            rustix::cmsg_space!(ScmRights(MOST_SOCKETS), ScmCredentials(1))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let mut bytes = [0u8; 16];
        let received = rustix::net::recvmsg(
            socket,
            &mut [IoSliceMut::new(&mut bytes)],
            &mut ancillary,
            flags | RecvFlags::CMSG_CLOEXEC,
        )?;
        let bytes = bytes[..received.bytes].to_vec();
        let mut message = Message { bytes, descriptors: Vec::new(), sender: None };
        for part in ancillary.drain() {
            match part {
                RecvAncillaryMessage::ScmRights(sockets) => message.descriptors.extend(sockets),
                RecvAncillaryMessage::ScmCredentials(sender) => {
                    message.sender = Some(sender.pid.as_raw_pid() as u32);
                }
                _ => {}
            }
        }
        Ok(message)
    }

    pub(super) fn report(&self) -> Report {
        match self.bytes[..] {
            [BORN] => Report::Born,
            [STARTED] => Report::Started,
            [ENDED, 0, 0, 0, a, b, c, d] => {
                Report::Ended(Status::of_wait(i32::from_le_bytes([a, b, c, d])))
            }
            _ => Failure::decode(&self.bytes).map_or(Report::Nothing, Report::Failed),
        }
    }
}
