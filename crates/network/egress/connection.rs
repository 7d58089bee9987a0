//! One connection of an instance: the server's own connection in its place, and what is carried
//! between the two.

use std::{
    io,
    task::{Context, Poll},
    time::Duration,
};

use rustix::net::{Shutdown, sockopt};
use smoltcp::socket::tcp::{Socket, State};
use tokio::net::TcpStream;

use super::{
    Egress,
    packet::{Flow, Reason},
};

/// How long the outside may take to answer; the instance's kernel gives up by itself before that, as
/// a rule.
const PATIENCE: Duration = Duration::from_secs(120);

/// Carries until both directions have ended, or the connection has broken. The instance's is accepted
/// when there is one to the outside: it sees a refusal as a refusal. `first` is its first packet.
pub(super) async fn carry(egress: &Egress, flow: Flow, first: &[u8]) {
    let dialled = egress.clock.within(PATIENCE, TcpStream::connect(flow.outside)).await;
    let stream = match dialled {
        Some(Ok(stream)) => stream,
        Some(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
            // To a packet of no connection the stack's answer is a refusal.
            return egress.stack().take(first, &egress.tun);
        }
        Some(Err(_)) => return egress.refuse(first, Reason::Network),
        None => return,
    };
    // The instance has decided how its bytes are put into packets.
    let _ = stream.set_nodelay(true);
    let Some(handle) = egress.stack().open(&flow, first, &egress.tun) else { return };
    let mut carrier = Carrier { stream, sent_all: false, read_all: false };
    std::future::poll_fn(|context| {
        let work =
            |socket: &mut Socket<'_>, context: &mut Context<'_>| carrier.poll(socket, context);
        let (done, sooner) = egress.stack().work(handle, &egress.tun, context, work);
        if sooner {
            egress.sooner.notify_one();
        }
        done
    })
    .await;
    egress.stack().close(handle, &egress.tun);
}

/// The server's connection, and which directions have ended.
struct Carrier {
    stream: TcpStream,
    /// All that the instance sends has been sent on.
    sent_all: bool,
    /// All that the outside sends has been read.
    read_all: bool,
}

impl Carrier {
    fn poll(&mut self, socket: &mut Socket<'_>, context: &mut Context<'_>) -> Poll<()> {
        let ended = |it: &Carrier| it.sent_all && it.read_all;
        if socket.state() == State::Closed && !ended(self) {
            // The outside learns that the instance has broken it off.
            let _ = sockopt::set_socket_linger(&self.stream, Some(Duration::ZERO));
            return Poll::Ready(());
        }
        let carried = self.carry_out(socket, context).and_then(|()| self.carry_in(socket, context));
        let over = matches!(socket.state(), State::Closed | State::TimeWait) && ended(self);
        if carried.is_err() || over { Poll::Ready(()) } else { Poll::Pending }
    }

    /// From the instance to the outside.
    fn carry_out(&mut self, socket: &mut Socket<'_>, context: &mut Context<'_>) -> io::Result<()> {
        while !self.sent_all {
            if !socket.can_recv() {
                socket.register_recv_waker(context.waker());
                if !socket.may_recv() && has_begun(socket.state()) {
                    rustix::net::shutdown(&self.stream, Shutdown::Write)?;
                    self.sent_all = true;
                }
                return Ok(());
            }
            let Poll::Ready(ready) = self.stream.poll_write_ready(context) else { return Ok(()) };
            ready?;
            let send = |bytes: &mut [u8]| counted(self.stream.try_write(bytes));
            // The buffer is a ring: what was at its end goes first.
            socket.recv(send).unwrap_or(Ok(()))?;
        }
        Ok(())
    }

    /// From the outside to the instance.
    fn carry_in(&mut self, socket: &mut Socket<'_>, context: &mut Context<'_>) -> io::Result<()> {
        // A change of the connection's state wakes whoever waits to send.
        socket.register_send_waker(context.waker());
        while !self.read_all && socket.can_send() {
            let Poll::Ready(ready) = self.stream.poll_read_ready(context) else { return Ok(()) };
            ready?;
            let mut ended = false;
            let read = |room: &mut [u8]| {
                let read = self.stream.try_read(room);
                ended = !room.is_empty() && matches!(read, Ok(0));
                counted(read)
            };
            socket.send(read).unwrap_or(Ok(()))?;
            if ended {
                self.read_all = true;
                socket.close();
            }
        }
        Ok(())
    }
}

/// Whether the instance has ever had the connection.
fn has_begun(state: State) -> bool {
    !matches!(state, State::Listen | State::SynReceived)
}

/// How much of a buffer was used; not being ready is using none.
fn counted(done: io::Result<usize>) -> (usize, io::Result<()>) {
    match done {
        Ok(count) => (count, Ok(())),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => (0, Ok(())),
        Err(error) => (0, Err(error)),
    }
}
