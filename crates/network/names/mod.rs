//! The name server that an instance finds at port 53 of its loopback.
//!
//! It knows the server's own names (`answer`) and asks the host's name servers about all others
//! (`ask`), unless the instance has no way out: then there are no others. What arrives is hostile:
//! it is parsed by a crate that is made for it, and at most [`MAX_QUESTIONS`] are under way.

mod answer;
mod ask;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use kit::Clock;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, UdpSocket},
    task::JoinSet,
};

use answer::Answer;

/// Questions of one instance that are under way; more are dropped, and asked again by the asker.
const MAX_QUESTIONS: usize = 64;
/// Connections of one instance; more are closed at once.
const MAX_CONNECTIONS: usize = 4;
/// A connection that asks nothing for so long is closed.
const IDLE: Duration = Duration::from_secs(10);
/// Greatest question: what fits a packet anywhere.
const QUESTION_BYTES: usize = 1500;
/// How long to wait when the system gives no connection: it says so at once, every time.
const AFTER_ERROR: Duration = Duration::from_millis(100);

/// The names that are ours: the server's domains and all below them. Bucket hosts and function
/// URLs are among those.
#[derive(Clone, Debug, Default)]
pub struct Names {
    domains: Vec<String>,
}

/// Whether names other than ours are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outside {
    /// The host's name servers are asked.
    Asked,
    /// There are none.
    Unknown,
}

impl Names {
    /// `localhost`, these domains, and all below.
    pub fn new(domains: &[String]) -> Names {
        let localhost = ["localhost".to_owned()];
        let all = domains.iter().chain(&localhost).map(|domain| domain.to_ascii_lowercase());
        Names { domains: all.collect() }
    }

    fn are_ours(&self, name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        let below = |domain: &String| {
            name.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        self.domains.iter().any(below)
    }
}

/// Answers one instance's questions until this is dropped.
pub(crate) async fn serve(
    names: &Arc<Names>,
    outside: Outside,
    questions: &UdpSocket,
    long_questions: &TcpListener,
    clock: &Clock,
) {
    tokio::join!(
        serve_datagrams(names, outside, questions, clock),
        serve_connections(names, outside, long_questions, clock)
    );
}

async fn serve_datagrams(names: &Names, outside: Outside, socket: &UdpSocket, clock: &Clock) {
    let mut asked: JoinSet<Option<(Vec<u8>, SocketAddr)>> = JoinSet::new();
    let mut buffer = [0; QUESTION_BYTES];
    loop {
        let arrived = tokio::select! {
            arrived = socket.recv_from(&mut buffer) => arrived,
            Some(answered) = asked.join_next() => {
                if let Ok(Some((answer, asker))) = answered {
                    send(socket, &answer, asker).await;
                }
                continue;
            }
        };
        // Such as an asker that has gone before its answer came.
        let Ok((length, asker)) = arrived else {
            clock.sleep(AFTER_ERROR).await;
            continue;
        };
        match answer::to(&buffer[..length], names, outside) {
            Some(Answer::Known(answer)) => send(socket, &answer, asker).await,
            Some(Answer::Elsewhere) if asked.len() < MAX_QUESTIONS => {
                let (question, clock) = (buffer[..length].to_vec(), clock.clone());
                asked.spawn(async move { Some((ask::datagram(&question, &clock).await?, asker)) });
            }
            _ => {}
        }
    }
}

/// Nothing but the asker suffers if it does not take its answer.
async fn send(socket: &UdpSocket, answer: &[u8], asker: SocketAddr) {
    let _ = socket.send_to(answer, asker).await;
}

async fn serve_connections(
    names: &Arc<Names>,
    outside: Outside,
    listener: &TcpListener,
    clock: &Clock,
) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = listener.accept().await;
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok((stream, _)) if connections.len() < MAX_CONNECTIONS => {
                let (names, clock) = (names.clone(), clock.clone());
                connections.spawn(async move { converse(stream, &names, outside, &clock).await });
            }
            Ok(_) => {}
            Err(_) => clock.sleep(AFTER_ERROR).await,
        }
    }
}

/// Ends with the connection, or with the first thing in it that is no question.
async fn converse(mut stream: TcpStream, names: &Names, outside: Outside, clock: &Clock) {
    while let Some(Ok(question)) = clock.within(IDLE, read_message(&mut stream)).await {
        let answer = match answer::to(&question, names, outside) {
            Some(Answer::Known(answer)) => Some(answer),
            Some(Answer::Elsewhere) => ask::connection(&question, clock).await,
            None => None,
        };
        let Some(answer) = answer else { return };
        if !matches!(clock.within(IDLE, write_message(&mut stream, &answer)).await, Some(Ok(()))) {
            return;
        }
    }
}

/// A message on a connection, after its length.
async fn read_message(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let length = stream.read_u16().await?;
    let mut message = vec![0; usize::from(length)];
    stream.read_exact(&mut message).await?;
    Ok(message)
}

async fn write_message(stream: &mut TcpStream, message: &[u8]) -> io::Result<()> {
    let length = u16::try_from(message.len()).map_err(io::Error::other)?;
    let whole = [&length.to_be_bytes(), message].concat();
    stream.write_all(&whole).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ours_are_the_domains_and_all_below() {
        let names = Names::new(&["lampejo.internal".into()]);
        for name in [
            "localhost",
            "LOCALHOST",
            "bucket.s3.localhost",
            "abc.lambda-url.eu-west-1.lampejo.internal",
        ] {
            assert!(names.are_ours(name), "{name}");
        }
        for name in ["notlocalhost", "localhost.example", "internal", "", "lampejo.internal.com"] {
            assert!(!names.are_ours(name), "{name}");
        }
    }
}
