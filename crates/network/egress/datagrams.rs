//! The datagrams of one instance: a socket of the server for each pair of ends, for as long as it is
//! used.

use std::{
    collections::HashMap,
    io,
    net::{SocketAddr, UdpSocket as Socket},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use kit::Millis;
use rustix::net::SendFlags;
use tokio::{io::Interest, net::UdpSocket, sync::Notify};

use super::{
    Egress,
    packet::{self, Flow, Reason},
};

/// Pairs of ends of one instance; the one that has been silent longest makes room for a new one.
const MAX_FLOWS: usize = 64;
/// A pair that has been silent this long is forgotten; what translators should wait at least for
/// (RFC 4787).
const SILENCE: Duration = Duration::from_secs(120);
/// The greatest datagram there is.
const DATAGRAM_BYTES: usize = 65_507;

/// The pairs that are in use.
#[derive(Default)]
pub(super) struct Datagrams {
    flows: HashMap<Flow, Arc<Conversation>>,
}

/// One pair of ends.
struct Conversation {
    socket: UdpSocket,
    /// When something was last sent or received.
    used_ms: AtomicU64,
    /// It has to make room.
    over: Notify,
}

/// What carries the answers.
pub(super) struct Receiver(Arc<Conversation>);

impl Datagrams {
    /// Sends on; false if these ends have not spoken.
    pub(super) fn send(&self, flow: &Flow, payload: &[u8], now: Millis) -> bool {
        let Some(conversation) = self.flows.get(flow) else { return false };
        conversation.send(payload, now);
        true
    }

    /// Begins to speak. Somebody must carry the answers.
    pub(super) fn open(
        &mut self,
        flow: &Flow,
        payload: &[u8],
        now: Millis,
    ) -> io::Result<Receiver> {
        if self.flows.len() >= MAX_FLOWS {
            let used = |(_, it): &(&Flow, &Arc<Conversation>)| it.used_ms.load(Ordering::Relaxed);
            let oldest = self.flows.iter().min_by_key(used).map(|(flow, _)| *flow);
            oldest.iter().for_each(|flow| self.remove(flow));
        }
        let any: SocketAddr = match flow.outside {
            SocketAddr::V4(_) => ([0; 4], 0).into(),
            SocketAddr::V6(_) => ([0; 8], 0).into(),
        };
        let socket = Socket::bind(any)?;
        socket.connect(flow.outside)?;
        socket.set_nonblocking(true)?;
        let socket = UdpSocket::from_std(socket)?;
        let conversation = Conversation { socket, used_ms: AtomicU64::new(0), over: Notify::new() };
        let conversation = Arc::new(conversation);
        conversation.send(payload, now);
        self.flows.insert(*flow, conversation.clone());
        Ok(Receiver(conversation))
    }

    /// Forgets a pair of ends.
    pub(super) fn remove(&mut self, flow: &Flow) {
        if let Some(conversation) = self.flows.remove(flow) {
            conversation.over.notify_one();
        }
    }
}

impl Conversation {
    /// What the host's network has no room for is lost, as datagrams may be.
    fn send(&self, payload: &[u8], now: Millis) {
        self.used_ms.store(now.0, Ordering::Relaxed);
        // Not tokio's: it does not know yet that a new socket takes something.
        let _ = rustix::net::send(&self.socket, payload, SendFlags::DONTWAIT);
    }
}

impl Receiver {
    /// Gives the instance what comes, until nothing does. `header` is that of its first packet.
    pub(super) async fn carry(&self, egress: &Egress, flow: Flow, header: &[u8]) {
        let Receiver(conversation) = self;
        loop {
            let used = Millis(conversation.used_ms.load(Ordering::Relaxed));
            let end = used.plus(SILENCE.as_millis() as u64);
            tokio::select! {
                ready = conversation.socket.ready(Interest::READABLE | Interest::ERROR) => {
                    let Ok(ready) = ready else { return };
                    conversation.used_ms.store(egress.clock.now().0, Ordering::Relaxed);
                    if ready.is_error() {
                        refused(&conversation.socket, egress, header);
                    }
                    take(&conversation.socket, egress, &flow);
                }
                () = conversation.over.notified() => return,
                () = egress.clock.sleep_until(end) => {
                    if conversation.used_ms.load(Ordering::Relaxed) == used.0 {
                        return;
                    }
                }
            }
        }
    }
}

/// Passes on what the outside said of a datagram.
fn refused(socket: &UdpSocket, egress: &Egress, header: &[u8]) {
    if let Ok(Some(error)) = socket.take_error()
        && error.kind() == io::ErrorKind::ConnectionRefused
    {
        egress.refuse(header, Reason::Port);
    }
    // It has been taken note of: else tokio would say so for ever.
    let _ = socket.try_io(Interest::ERROR, || Err::<(), _>(io::ErrorKind::WouldBlock.into()));
}

fn take(socket: &UdpSocket, egress: &Egress, flow: &Flow) {
    let mut buffer = vec![0; DATAGRAM_BYTES];
    while let Ok(length) = socket.try_recv(&mut buffer) {
        if let Some(datagram) = packet::datagram(flow, &buffer[..length]) {
            super::write(&egress.tun, &datagram);
        }
    }
}
