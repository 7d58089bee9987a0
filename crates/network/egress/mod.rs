//! One instance's way out: what it sends is read here as packets, and becomes the server's own
//! connections (`connection`) and datagrams (`datagrams`).
//!
//! The instance's end is a TUN interface of its own network namespace: packets go to whoever holds
//! the other end, and to no network of the host. Connections are ended by `stack`, a TCP/IP of the
//! user's space; nothing of it exists before the first connection, so that an instance that stays
//! by itself costs a descriptor.

mod connection;
mod datagrams;
pub mod link;
mod pace;
mod packet;
mod stack;

use std::{
    collections::HashSet,
    io,
    os::fd::OwnedFd,
    sync::{Arc, Mutex, MutexGuard, OnceLock},
    time::Duration,
};

use kit::Clock;
use tokio::{io::unix::AsyncFd, sync::Notify, task::JoinSet};

use crate::{
    reach::{Protocol, Reach},
    route,
};
use datagrams::Datagrams;
use pace::Pace;
use packet::{Flow, Packet, Reason};
use stack::Stack;

/// Connections of one instance; the first packets of more are dropped, and sent again later.
const MAX_CONNECTIONS: usize = 128;
/// Packets that are taken at once, before others have their turn.
const BURST: usize = 64;
/// What it costs to ask for a route and open a socket, in packets.
const OPENING: usize = 20;

/// What one instance's tasks share.
struct Egress {
    tun: AsyncFd<OwnedFd>,
    reach: Arc<Reach>,
    clock: Clock,
    stack: OnceLock<Mutex<Stack>>,
    /// The stack has to do something sooner than whoever waits for it knows.
    sooner: Notify,
}

/// What ends by itself.
enum Ended {
    Connection(Flow),
    Datagrams(Flow),
}

/// Carries what the instance sends and is sent, until this is dropped.
pub(crate) async fn serve(
    tun: AsyncFd<OwnedFd>,
    reach: Arc<Reach>,
    clock: Clock,
) -> io::Result<()> {
    let (stack, sooner) = (OnceLock::new(), Notify::new());
    let egress = Arc::new(Egress { tun, reach, clock, stack, sooner });
    let mut pump = Pump {
        pace: Pace::new(egress.clock.now()),
        opened: 0,
        connections: HashSet::new(),
        datagrams: Datagrams::default(),
        tasks: JoinSet::new(),
        egress,
    };
    pump.run().await
}

/// Reads packets and says what becomes of each.
struct Pump {
    egress: Arc<Egress>,
    pace: Pace,
    /// Connections and pairs of ends that the last packets asked for.
    opened: usize,
    connections: HashSet<Flow>,
    datagrams: Datagrams,
    tasks: JoinSet<Ended>,
}

impl Pump {
    async fn run(&mut self) -> io::Result<()> {
        let egress = self.egress.clone();
        loop {
            let due = egress.stack.get().and_then(|_| egress.stack().due());
            tokio::select! {
                readable = egress.tun.readable() => {
                    let mut readable = readable?;
                    let taken = self.take_burst()?;
                    if taken < BURST {
                        readable.clear_ready();
                    }
                    let cost = taken + std::mem::take(&mut self.opened) * OPENING;
                    let until = self.pace.take(cost, egress.clock.now());
                    egress.clock.sleep_until(until).await;
                    tokio::task::yield_now().await;
                }
                Some(ended) = self.tasks.join_next() => match ended {
                    Ok(Ended::Connection(flow)) => drop(self.connections.remove(&flow)),
                    Ok(Ended::Datagrams(flow)) => self.datagrams.remove(&flow),
                    // Nobody aborts one: it has panicked, and its place stays taken.
                    Err(error) => tracing::error!(%error, "a connection of a function was lost"),
                },
                () = egress.sooner.notified() => {}
                () = until_due(&egress.clock, due) => egress.stack().progress(&egress.tun),
            }
        }
    }

    /// How many packets there were.
    fn take_burst(&mut self) -> io::Result<usize> {
        let mut buffer = [0; link::MTU];
        for taken in 0..BURST {
            match rustix::io::read(self.egress.tun.get_ref(), &mut buffer) {
                Ok(length) => self.take(&buffer[..length]),
                Err(rustix::io::Errno::AGAIN) => return Ok(taken),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(BURST)
    }

    fn take(&mut self, bytes: &[u8]) {
        match packet::parse(bytes) {
            // Asked again, while the first is not answered yet: it will be.
            Some(Packet::Open(flow)) if self.connections.contains(&flow) => {}
            Some(Packet::Open(flow)) => self.open(flow, bytes),
            Some(Packet::Segment) if self.egress.stack.get().is_some() => {
                self.egress.stack().take(bytes, &self.egress.tun);
            }
            Some(Packet::Datagram(flow, payload)) => self.send(flow, payload, bytes),
            _ => {}
        }
    }

    /// The first packet of a connection.
    fn open(&mut self, flow: Flow, bytes: &[u8]) {
        self.opened += 1;
        if !self.egress.may_reach(Protocol::Tcp, &flow) {
            self.egress.refuse(bytes, Reason::Network);
            return;
        }
        if self.connections.len() >= MAX_CONNECTIONS {
            return;
        }
        self.connections.insert(flow);
        let (egress, first) = (self.egress.clone(), bytes.to_vec());
        self.tasks.spawn(async move {
            connection::carry(&egress, flow, &first).await;
            Ended::Connection(flow)
        });
    }

    fn send(&mut self, flow: Flow, payload: &[u8], bytes: &[u8]) {
        let now = self.egress.clock.now();
        if self.datagrams.send(&flow, payload, now) {
            return;
        }
        self.opened += 1;
        if !self.egress.may_reach(Protocol::Udp, &flow) {
            self.egress.refuse(bytes, Reason::Network);
            return;
        }
        // Without descriptors or a way: as lost as datagrams may be.
        let Ok(receiver) = self.datagrams.open(&flow, payload, now) else { return };
        let (egress, header) = (self.egress.clone(), packet::header(bytes).to_vec());
        self.tasks.spawn(async move {
            receiver.carry(&egress, flow, &header).await;
            Ended::Datagrams(flow)
        });
    }
}

impl Egress {
    /// Made by the first connection.
    fn stack(&self) -> MutexGuard<'_, Stack> {
        let stack = self.stack.get_or_init(|| Mutex::new(Stack::new()));
        stack.lock().expect("nothing panics while it holds this lock")
    }

    fn may_reach(&self, protocol: Protocol, flow: &Flow) -> bool {
        let to = flow.outside;
        let route = route::of(to.ip()).unwrap_or(route::Route::Nowhere);
        self.reach.may_reach(protocol, to, route)
    }

    /// Tells the sender of a packet that it went nowhere.
    fn refuse(&self, bytes: &[u8], reason: Reason) {
        if let Some(answer) = packet::unreachable(bytes, reason) {
            write(&self.tun, &answer);
        }
    }
}

/// To the instance. It takes every packet, or drops it as networks do.
fn write(tun: &AsyncFd<OwnedFd>, packet: &[u8]) {
    let _ = rustix::io::write(tun.get_ref(), packet);
}

async fn until_due(clock: &Clock, due: Option<Duration>) {
    match due {
        Some(due) => clock.sleep(due.max(Duration::from_millis(1))).await,
        None => std::future::pending().await,
    }
}
