//! An HTTP/1.1 client that does next to nothing: requests are bytes that are ready, a connection
//! is kept, and of an answer only the status and the body are looked at.

use std::net::SocketAddr;

use anyhow::{Context, bail};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Larger heads are no answers of ours.
const HEAD_LIMIT_BYTES: usize = 64 << 10;

/// One kept connection.
pub(super) struct Connection {
    stream: TcpStream,
    /// What was received, from the beginning of the answer on.
    received: Vec<u8>,
}

/// An answer: its body lies in the connection until the next request.
pub(super) struct Answer<'a> {
    /// The HTTP status.
    pub(super) status: u16,
    /// The body; chunks are taken apart.
    pub(super) body: &'a [u8],
}

impl Connection {
    /// Connects.
    pub(super) async fn open(address: SocketAddr) -> anyhow::Result<Connection> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Connection { stream, received: Vec::with_capacity(64 << 10) })
    }

    /// Sends a HEAD request; its answer is a status and has no body, whatever its headers say.
    pub(super) async fn head(&mut self, request: &[u8]) -> anyhow::Result<u16> {
        self.ask(request).await.map(|(status, _)| status)
    }

    /// Sends a request and reads its answer.
    pub(super) async fn send(&mut self, request: &[u8]) -> anyhow::Result<Answer<'_>> {
        let (status, head) = self.ask(request).await?;
        let text = std::str::from_utf8(&self.received[..head])?;
        let length = header(text, "content-length").map(str::parse::<usize>).transpose()?;
        let chunked = header(text, "transfer-encoding").is_some();
        let body = match length {
            Some(length) => {
                self.read_to(head + length).await?;
                head..head + length
            }
            None if chunked => head..self.chunks(head).await?,
            None => head..head,
        };
        Ok(Answer { status, body: &self.received[body] })
    }

    /// Like `send`, but an answer that is not 2xx is an error.
    pub(super) async fn done(&mut self, request: &[u8]) -> anyhow::Result<&[u8]> {
        let answer = self.send(request).await?;
        if !(200..300).contains(&answer.status) {
            bail!("answered {}: {}", answer.status, String::from_utf8_lossy(answer.body));
        }
        Ok(answer.body)
    }

    /// Sends a request and reads the head of its answer: the status, and the head's length.
    async fn ask(&mut self, request: &[u8]) -> anyhow::Result<(u16, usize)> {
        self.received.clear();
        self.stream.write_all(request).await?;
        let head = self.read_head().await?;
        let text = std::str::from_utf8(&self.received[..head])?;
        Ok((text.get(9..12).context("no status")?.parse()?, head))
    }

    async fn read_head(&mut self) -> anyhow::Result<usize> {
        let mut looked_at: usize = 0;
        loop {
            let from = looked_at.saturating_sub(3);
            if let Some(at) = self.received[from..].windows(4).position(|it| it == b"\r\n\r\n") {
                return Ok(from + at + 4);
            }
            looked_at = self.received.len();
            if looked_at > HEAD_LIMIT_BYTES {
                bail!("the head of the answer is too long");
            }
            self.more().await?;
        }
    }

    /// Takes the chunks from `from` on apart, in place; answers with where the body ends.
    async fn chunks(&mut self, from: usize) -> anyhow::Result<usize> {
        let (mut read, mut written) = (from, from);
        loop {
            let line = loop {
                if let Some(at) = self.received[read..].windows(2).position(|it| it == b"\r\n") {
                    break at;
                }
                self.more().await?;
            };
            let size = std::str::from_utf8(&self.received[read..read + line])?;
            let size = usize::from_str_radix(size.trim(), 16)?;
            read += line + 2;
            self.read_to(read + size + 2).await?;
            self.received.copy_within(read..read + size, written);
            written += size;
            read += size + 2;
            if size == 0 {
                return Ok(written);
            }
        }
    }

    async fn read_to(&mut self, length: usize) -> anyhow::Result<()> {
        self.received.reserve(length.saturating_sub(self.received.len()));
        while self.received.len() < length {
            self.more().await?;
        }
        Ok(())
    }

    async fn more(&mut self) -> anyhow::Result<()> {
        if self.stream.read_buf(&mut self.received).await? == 0 {
            bail!("the server closed the connection");
        }
        Ok(())
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    async fn answered_with(bytes: &'static [u8]) -> (u16, Vec<u8>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 16];
            let _ = stream.read(&mut request).await.unwrap();
            stream.write_all(bytes).await.unwrap();
        });
        let mut connection = Connection::open(address).await.unwrap();
        let answer = connection.send(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        let (status, body) = (answer.status, answer.body.to_vec());
        server.await.unwrap();
        (status, body)
    }

    #[tokio::test]
    async fn a_body_of_known_length_is_read() {
        let answer = answered_with(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi").await;
        assert_eq!(answer, (200, b"hi".to_vec()));
    }

    #[tokio::test]
    async fn chunks_are_taken_apart() {
        let answer = answered_with(
            b"HTTP/1.1 404 No\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
        )
        .await;
        assert_eq!(answer, (404, b"abcde".to_vec()));
    }
}
