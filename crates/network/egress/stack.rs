//! The TCP/IP that ends an instance's connections here: smoltcp, which takes any address for its own.
//!
//! A connection is known here from the moment at which the server has one of its own to where it
//! leads.

use std::{
    os::fd::OwnedFd,
    task::{Context, Poll},
    time::Duration,
};

use smoltcp::{
    iface::{Config, Interface, SocketHandle, SocketSet},
    phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken},
    socket::tcp,
    time::Instant,
    wire::{HardwareAddress, IpAddress},
};
use tokio::io::unix::AsyncFd;

use super::{link, packet::Flow};

/// What waits to be carried in each direction of one connection.
const BUFFER_BYTES: usize = 64 * 1024;
/// An instance that takes nothing of what it is sent, and does not even say so, has lost the
/// connection after this long.
const SILENCE: smoltcp::time::Duration = smoltcp::time::Duration::from_secs(120);

/// One instance's connections, as far as they are here.
pub(super) struct Stack {
    interface: Interface,
    sockets: SocketSet<'static>,
    /// The packet that the instance has sent, and room for the one it is sent.
    incoming: Vec<u8>,
    outgoing: Vec<u8>,
    began: std::time::Instant,
    /// When whoever waits will look again.
    armed: Option<Instant>,
}

impl Stack {
    pub(super) fn new() -> Stack {
        let mut seed = [0; 8];
        // Zeros, should the kernel have none: it guards against others on the line, and there are none.
        let _ = getrandom::fill(&mut seed);
        let mut config = Config::new(HardwareAddress::Ip);
        config.random_seed = u64::from_ne_bytes(seed);
        let (mut incoming, mut outgoing) = (Vec::new(), Vec::new());
        let mut line = Line { tun: None, incoming: &mut incoming, outgoing: &mut outgoing };
        let mut interface = Interface::new(config, &mut line, Instant::ZERO);
        interface.set_any_ip(true);
        let sockets = SocketSet::new(Vec::new());
        Stack {
            interface,
            sockets,
            incoming,
            outgoing,
            began: std::time::Instant::now(),
            armed: None,
        }
    }

    /// Accepts a connection, of which the first packet is here. None: it cannot be.
    pub(super) fn open(
        &mut self,
        flow: &Flow,
        first: &[u8],
        tun: &AsyncFd<OwnedFd>,
    ) -> Option<SocketHandle> {
        let buffer = || tcp::SocketBuffer::new(vec![0; BUFFER_BYTES]);
        let mut socket = tcp::Socket::new(buffer(), buffer());
        socket.set_nagle_enabled(false);
        socket.set_ack_delay(None);
        socket.set_timeout(Some(SILENCE));
        socket.listen((IpAddress::from(flow.outside.ip()), flow.outside.port())).ok()?;
        let handle = self.sockets.add(socket);
        self.take(first, tun);
        Some(handle)
    }

    /// A packet of a connection.
    pub(super) fn take(&mut self, packet: &[u8], tun: &AsyncFd<OwnedFd>) {
        self.incoming.clear();
        self.incoming.extend_from_slice(packet);
        self.progress(tun);
    }

    /// Sends what is to be sent by now.
    pub(super) fn progress(&mut self, tun: &AsyncFd<OwnedFd>) {
        let now = self.now();
        let (incoming, outgoing) = (&mut self.incoming, &mut self.outgoing);
        let mut line = Line { tun: Some(tun), incoming, outgoing };
        self.interface.poll(now, &mut line, &mut self.sockets);
    }

    /// How long until there is something to do; whoever asks looks again by then.
    pub(super) fn due(&mut self) -> Option<Duration> {
        let now = self.now();
        self.armed = self.interface.poll_at(now, &self.sockets);
        let left = self.armed?.total_micros().saturating_sub(now.total_micros()).max(0);
        Some(Duration::from_micros(left.cast_unsigned()))
    }

    /// Whether there is something to do before whoever waits looks again.
    fn is_sooner(&mut self) -> bool {
        let now = self.now();
        match (self.interface.poll_at(now, &self.sockets), self.armed) {
            (Some(due), Some(armed)) => due < armed,
            (due, None) => due.is_some(),
            (None, Some(_)) => false,
        }
    }

    /// Works on one connection and sends what comes of it. The flag says whether whoever waits for
    /// the stack must look sooner.
    pub(super) fn work(
        &mut self,
        handle: SocketHandle,
        tun: &AsyncFd<OwnedFd>,
        context: &mut Context<'_>,
        work: impl FnOnce(&mut tcp::Socket<'_>, &mut Context<'_>) -> Poll<()>,
    ) -> (Poll<()>, bool) {
        let done = work(self.sockets.get_mut(handle), context);
        self.progress(tun);
        (done, self.is_sooner())
    }

    /// Forgets a connection; the instance learns of it unless it knows.
    pub(super) fn close(&mut self, handle: SocketHandle, tun: &AsyncFd<OwnedFd>) {
        let socket = self.sockets.get_mut::<tcp::Socket<'_>>(handle);
        if socket.state() != tcp::State::TimeWait {
            socket.abort();
            self.progress(tun);
        }
        self.sockets.remove(handle);
    }

    fn now(&self) -> Instant {
        Instant::from_micros(i64::try_from(self.began.elapsed().as_micros()).unwrap_or(i64::MAX))
    }
}

/// The instance's end of the line, as smoltcp sees it.
struct Line<'a> {
    /// None while there is nothing to be sent.
    tun: Option<&'a AsyncFd<OwnedFd>>,
    /// Empty: no packet.
    incoming: &'a mut Vec<u8>,
    outgoing: &'a mut Vec<u8>,
}

/// The packet that has come. Taken once.
struct Taken<'a>(&'a mut Vec<u8>);

/// A place for a packet to be sent.
struct Sent<'a> {
    tun: Option<&'a AsyncFd<OwnedFd>>,
    room: &'a mut Vec<u8>,
}

impl Device for Line<'_> {
    type RxToken<'b>
        = Taken<'b>
    where
        Self: 'b;
    type TxToken<'b>
        = Sent<'b>
    where
        Self: 'b;

    fn receive(&mut self, _now: Instant) -> Option<(Taken<'_>, Sent<'_>)> {
        if self.incoming.is_empty() {
            return None;
        }
        Some((Taken(self.incoming), Sent { tun: self.tun, room: self.outgoing }))
    }

    fn transmit(&mut self, _now: Instant) -> Option<Sent<'_>> {
        Some(Sent { tun: self.tun, room: self.outgoing })
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ip;
        capabilities.max_transmission_unit = link::MTU;
        capabilities
    }
}

impl RxToken for Taken<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, read: F) -> R {
        let result = read(self.0);
        self.0.clear();
        result
    }
}

impl TxToken for Sent<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, fill: F) -> R {
        self.room.clear();
        self.room.resize(length, 0);
        let result = fill(self.room);
        if let Some(tun) = self.tun {
            super::write(tun, self.room);
        }
        result
    }
}
