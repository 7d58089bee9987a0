//! What a sandbox's first process and the server say to each other, over a `SEQPACKET` socket.
//!
//! Compiled twice: into `init`, which has no standard library, and into the server. Both are of one
//! build, so nothing here has to stay as it is.

/// What the child, or the init that it becomes, was doing; for errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Step {
    Descriptors,
    Handshake,
    Identity,
    DeathSignal,
    Tun,
    Loopback,
    Listen,
    Root,
    Tmp,
    Proc,
    PivotRoot,
    Hostname,
    Limits,
    Capabilities,
    Landlock,
    Seccomp,
    Standard,
    Init,
    Room,
    Message,
    Fork,
    Folder,
    Exec,
}

/// The server's socket is here when init begins; `/dev/null` is at the other two of 0 to 2.
pub(crate) const CONTROL: i32 = 1;

/// Programs that may run at once: the runtime, and Lambda's ten extensions with room to spare.
pub(crate) const PROGRAMS: usize = 16;

/// First bytes of messages to the server. A message of `FAILED` has eight: a `Step`, two of its
/// own, and the number of the error.
pub(crate) const HELLO: u8 = 0;
pub(crate) const LISTENERS: u8 = 1;
pub(crate) const FAILED: u8 = 2;
/// Sent by a program's process before it becomes the program: the kernel tells the server its id.
pub(crate) const BORN: u8 = 3;
/// The program runs.
pub(crate) const STARTED: u8 = 4;
/// The program has ended: three bytes of nothing, then its status as `wait` has it.
pub(crate) const ENDED: u8 = 5;

/// First words of messages to init.
///
/// With three more words: how many candidates, arguments and variables follow, after the folder,
/// as strings that end with a null byte. Brings descriptors: standard output, standard error and,
/// unless it is the first program, the socket on which it is reported and signalled.
pub(crate) const RUN: u32 = 0;
/// With one more word: the signal for the program of this socket and its process group.
pub(crate) const SIGNAL: u32 = 1;

/// Bytes of words before the strings of `RUN`.
pub(crate) const HEADER_BYTES: usize = 16;
/// Longest `RUN`. Lambda's own environment may have 4 KiB.
pub(crate) const RUN_BYTES: usize = 128 << 10;
/// Most strings of `RUN`, with the null pointers that end its four lists.
pub(crate) const STRINGS: usize = 16 << 10;
