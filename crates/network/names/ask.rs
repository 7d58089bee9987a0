//! Asks the host's name servers, in the function's place.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use kit::Clock;
use tokio::net::{TcpStream, UdpSocket};

use super::{read_message, write_message};

/// Where the host keeps its name servers' addresses.
const RESOLV_CONF: &str = "/etc/resolv.conf";
const PORT: u16 = 53;
/// As many as libraries ask.
const MAX_SERVERS: usize = 3;
/// How long each has; the C library waits 5 s for all of them.
const PATIENCE: Duration = Duration::from_millis(2500);
/// The greatest answer that a datagram can bring.
const ANSWER_BYTES: usize = 65_535;

/// The first answer to a question that came in a datagram.
pub(super) async fn datagram(question: &[u8], clock: &Clock) -> Option<Vec<u8>> {
    for server in servers() {
        if let Some(Ok(answer)) = clock.within(PATIENCE, by_datagram(question, server)).await {
            return Some(answer);
        }
    }
    None
}

/// The first answer to a question that came on a connection.
pub(super) async fn connection(question: &[u8], clock: &Clock) -> Option<Vec<u8>> {
    for server in servers() {
        if let Some(Ok(answer)) = clock.within(PATIENCE, by_connection(question, server)).await {
            return Some(answer);
        }
    }
    None
}

/// From a port and with an id that the function does not know: nobody can answer for the server.
async fn by_datagram(question: &[u8], server: SocketAddr) -> io::Result<Vec<u8>> {
    let any: SocketAddr = match server {
        SocketAddr::V4(_) => ([0; 4], 0).into(),
        SocketAddr::V6(_) => ([0; 8], 0).into(),
    };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(server).await?;
    let mut id = [0; 2];
    getrandom::fill(&mut id).map_err(|error| io::Error::other(error.to_string()))?;
    let mut asked = question.to_vec();
    let theirs = [asked[0], asked[1]];
    asked[..2].copy_from_slice(&id);
    socket.send(&asked).await?;
    let mut answer = vec![0; ANSWER_BYTES];
    loop {
        let length = socket.recv(&mut answer).await?;
        if length > 2 && answer[..2] == id {
            answer.truncate(length);
            answer[..2].copy_from_slice(&theirs);
            return Ok(answer);
        }
    }
}

async fn by_connection(question: &[u8], server: SocketAddr) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(server).await?;
    write_message(&mut stream, question).await?;
    read_message(&mut stream).await
}

/// Read for every question: a machine changes its servers as it moves from network to network.
fn servers() -> Vec<SocketAddr> {
    let text = std::fs::read_to_string(RESOLV_CONF).unwrap_or_default();
    let servers = named(&text);
    if servers.is_empty() { vec![(Ipv4Addr::LOCALHOST, PORT).into()] } else { servers }
}

/// The `nameserver` lines.
fn named(text: &str) -> Vec<SocketAddr> {
    let lines = text.lines().filter_map(|line| line.trim().strip_prefix("nameserver"));
    let addresses = lines.filter_map(|rest| rest.trim().parse::<IpAddr>().ok());
    addresses.map(|address| (address, PORT).into()).take(MAX_SERVERS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_those_of_the_host() {
        let text = "# nameserver 9.9.9.9\nsearch lan\nnameserver 127.0.0.53\n nameserver\t::1\n\
                    nameserver fe80::1%eth0\nnameserver 1.1.1.1\nnameserver 2.2.2.2\n";
        let servers: Vec<String> = named(text).iter().map(ToString::to_string).collect();
        assert_eq!(servers, ["127.0.0.53:53", "[::1]:53", "1.1.1.1:53"]);
        assert_eq!(named(""), []);
    }

    #[tokio::test]
    async fn an_answer_with_another_id_is_not_believed() {
        let server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = server.local_addr().unwrap();
        let answering = async {
            let mut buffer = [0; 64];
            let (length, asker) = server.recv_from(&mut buffer).await.unwrap();
            let mut forged = buffer[..length].to_vec();
            forged[0] ^= 1;
            server.send_to(&forged, asker).await.unwrap();
            let mut answer = buffer[..length].to_vec();
            answer.push(9);
            server.send_to(&answer, asker).await.unwrap();
        };
        let (answer, ()) = tokio::join!(by_datagram(&[1, 2, 3, 4], address), answering);
        assert_eq!(answer.unwrap(), [1, 2, 3, 4, 9]);
    }
}
