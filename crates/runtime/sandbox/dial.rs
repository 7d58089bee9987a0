//! Connecting to a port inside a sandbox. The socket is made by a child that enters the sandbox's
//! network for this alone; from then on it is an ordinary one, but leads nowhere else.
//!
//! The child shares our memory and our descriptors and runs none of the function's code; it is in
//! none of the sandbox's other namespaces, so nobody in there can see or touch it.

use std::{
    ffi::{c_int, c_void},
    io,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd},
    sync::Arc,
};

use rustix::process::dumpable_behavior;
use tokio::{
    net::{TcpSocket, TcpStream},
    task::spawn_blocking,
};

use super::spawner::restore_dumpable;

/// Room for three system calls.
const STACK_BYTES: usize = 64 << 10;

/// A way into one instance's network.
#[derive(Clone)]
pub(crate) struct Dialer {
    /// The instance's first process; none if it shares the host's network.
    first: Option<Arc<OwnedFd>>,
}

impl Dialer {
    pub(super) fn new(first: Option<OwnedFd>) -> Dialer {
        Dialer { first: first.map(Arc::new) }
    }

    /// Connects to a port of the instance's loopback.
    pub(crate) async fn dial(&self, port: u16) -> io::Result<TcpStream> {
        let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
        let Some(first) = self.first.clone() else {
            return TcpStream::connect(address).await;
        };
        let socket = spawn_blocking(move || socket_inside(&first)).await??;
        let stream = std::net::TcpStream::from(socket);
        TcpSocket::from_std_stream(stream).connect(SocketAddr::V4(address)).await
    }
}

/// What the child is given, and what it answers.
struct Errand {
    first: RawFd,
    /// A descriptor, or the negative of an error's number.
    answer: c_int,
}

fn socket_inside(first: &OwnedFd) -> io::Result<OwnedFd> {
    let before = dumpable_behavior().ok();
    let mut stack = vec![0u8; STACK_BYTES];
    let mut errand = Errand { first: first.as_raw_fd(), answer: -libc::EIO };
    let sent = send(&mut errand, &mut stack);
    restore_dumpable(before);
    sent?;
    match errand.answer {
        failed if failed < 0 => Err(io::Error::from_raw_os_error(-failed)),
        // SAFETY: the child has just opened it in the table that it shares with us, for us.
        fd => Ok(unsafe { OwnedFd::from_raw_fd(fd) }),
    }
}

/// Has a child run the errand, and waits for its end.
fn send(errand: &mut Errand, stack: &mut [u8]) -> io::Result<()> {
    // SAFETY: the stack is ours, grows down from its aligned end, and is not used again before the
    // child has left it, for which CLONE_VFORK waits; so it is with the errand. The child only makes
    // system calls, and no signal's handler runs in it, for all are blocked here meanwhile.
    unsafe {
        let (mut all, mut before) = (std::mem::zeroed(), std::mem::zeroed());
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before);
        let top = stack.as_mut_ptr_range().end as usize & !15;
        let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_FILES;
        let argument = std::ptr::from_mut(errand).cast::<c_void>();
        let pid = libc::clone(run, top as *mut c_void, flags, argument);
        let failed = (pid < 0).then(io::Error::last_os_error);
        if pid > 0 {
            libc::waitpid(pid, std::ptr::null_mut(), libc::__WCLONE);
        }
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before, std::ptr::null_mut());
        failed.map_or(Ok(()), Err)
    }
}

extern "C" fn run(errand: *mut c_void) -> c_int {
    // SAFETY: `socket_inside` passes an `Errand` that outlives us and that nobody else uses now.
    let errand = unsafe { &mut *errand.cast::<Errand>() };
    let kind = libc::SOCK_STREAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: raw system calls on numbers; `errno` is the place of the thread that stands still.
    unsafe {
        let namespaces = libc::CLONE_NEWUSER | libc::CLONE_NEWNET;
        errand.answer = match libc::syscall(libc::SYS_setns, errand.first, namespaces) {
            0 => libc::syscall(libc::SYS_socket, libc::AF_INET, kind, 0) as c_int,
            _ => -1,
        };
        if errand.answer < 0 {
            errand.answer = -*libc::__errno_location();
        }
    }
    0
}
