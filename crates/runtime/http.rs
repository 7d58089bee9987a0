//! Just enough HTTP/1.1 for the Runtime API: requests with bounded heads and bodies, bodies by
//! length or in chunks, whole or piece by piece, kept-alive connections. Written by hand because a
//! warm invocation passes through here twice, and most of its time would otherwise go into a general
//! server.

use std::io;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::{Buf, Bytes, BytesMut};
use tokio::net::TcpStream;

use crate::timeline::Loaded;

/// Longest request line and headers together.
const MAX_HEAD_BYTES: usize = 16 * 1024;
/// Longest trailers together: they may carry an error with its stack trace.
const MAX_TRAILER_BYTES: usize = 64 * 1024;
/// More than any response may have: a chunk that claims it is never read.
const MAX_CHUNK_BYTES: usize = 1 << 30;
/// A body longer than allowed is read to its end up to this length, so that the client gets to
/// read the refusal; beyond, the connection is closed.
const MAX_DISCARDED_BYTES: usize = 64 * 1024 * 1024;
const READ_BYTES: usize = 16 * 1024;

/// One request.
#[derive(Debug)]
pub(crate) struct Request {
    head: Bytes,
    method: (usize, usize),
    path: (usize, usize),
    /// `Lambda-Runtime-Function-Error-Type`.
    pub(crate) error_type: Option<String>,
    /// `Content-Type`.
    pub(crate) content_type: Option<String>,
    /// `Lambda-Runtime-Function-Response-Mode`.
    pub(crate) response_mode: Option<ResponseMode>,
    /// What our own bootstraps tell of their times, with the first request.
    pub(crate) loaded: Option<Loaded>,
    /// The body.
    pub(crate) body: Body,
}

/// How a runtime says that it will answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ResponseMode {
    /// Piece by piece.
    Streaming,
    /// A word that Lambda does not know.
    Unknown,
}

/// A request's body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Body {
    /// All of it.
    Whole(Bytes),
    /// It was longer than allowed, and thrown away.
    TooLarge,
    /// A response that streams: [`Reader::piece`] reads it.
    Streaming,
}

/// A part of a body that streams.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// At least one byte.
    Data(Bytes),
    /// There is no more.
    End(Trailers),
}

/// What a runtime says of its response once it has ended.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Trailers {
    /// `Lambda-Runtime-Function-Error-Type`.
    pub(crate) error_type: Option<String>,
    /// `Lambda-Runtime-Function-Error-Body`, decoded; `None` also if that cannot be done.
    pub(crate) error_body: Option<Bytes>,
}

impl Request {
    /// `GET`, `POST`.
    pub(crate) fn method(&self) -> &[u8] {
        &self.head[self.method.0..self.method.1]
    }

    /// The path; anything that is not UTF-8 is no path of ours.
    pub(crate) fn path(&self) -> &str {
        std::str::from_utf8(&self.head[self.path.0..self.path.1]).unwrap_or("")
    }

    /// The value of a header of this name, in lower case; for those that few requests have.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let head = std::str::from_utf8(&self.head).ok()?;
        head.split("\r\n").skip(1).find_map(|line| {
            let (given, value) = line.split_once(':')?;
            given.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

/// One end of a connection: reads requests one after the other.
pub(crate) struct Reader<'a> {
    stream: &'a TcpStream,
    received: BytesMut,
    max_body_bytes: usize,
    /// Of a body that is read in pieces.
    unread: Unread,
}

/// What comes next of a body that is read in pieces.
#[derive(Clone, Copy, Debug)]
enum Unread {
    Nothing,
    /// So many bytes of a body of known length.
    Known(usize),
    /// A chunk's size.
    ChunkSize,
    /// So many bytes of a chunk.
    Chunk(usize),
    /// The end of a chunk's line.
    ChunkEnd,
}

impl<'a> Reader<'a> {
    /// Bodies longer than `max_body_bytes` become [`Body::TooLarge`].
    pub(crate) fn new(stream: &'a TcpStream, max_body_bytes: usize) -> Reader<'a> {
        let received = BytesMut::with_capacity(READ_BYTES);
        Reader { stream, received, max_body_bytes, unread: Unread::Nothing }
    }

    /// Whether the client has already sent (part of) the next request.
    pub(crate) fn has_more(&self) -> bool {
        !self.received.is_empty()
    }

    /// The next request; `None` when the client has closed the connection between two.
    pub(crate) async fn next(&mut self) -> io::Result<Option<Request>> {
        let head = loop {
            if let Some(end) =
                find(&self.received, b"\r\n\r\n").filter(|end| *end <= MAX_HEAD_BYTES)
            {
                break self.received.split_to(end + 4).freeze();
            }
            if self.received.len() > MAX_HEAD_BYTES {
                return Err(malformed("head too long"));
            }
            if self.more().await? == 0 {
                return if self.received.is_empty() { Ok(None) } else { Err(ended()) };
            }
        };
        let parsed = parse(&head)?;
        if parsed.expects_continue {
            write_all(self.stream, &[b"HTTP/1.1 100 Continue\r\n\r\n"]).await?;
        }
        let body = match parsed.length {
            length if parsed.streams(&head) => {
                self.unread = match length {
                    None => Unread::Nothing,
                    Some(Length::Known(length)) => Unread::Known(length),
                    Some(Length::Chunked) => Unread::ChunkSize,
                };
                Body::Streaming
            }
            None => Body::Whole(Bytes::new()),
            Some(Length::Known(length)) => self.known(length).await?,
            Some(Length::Chunked) => {
                self.unread = Unread::ChunkSize;
                self.whole().await?
            }
        };
        let Head { method, path, error_type, content_type, response_mode, loaded, .. } = parsed;
        Ok(Some(Request {
            head,
            method,
            path,
            error_type,
            content_type,
            response_mode,
            loaded,
            body,
        }))
    }

    /// The next piece of a body that streams, as soon as there is one.
    pub(crate) async fn piece(&mut self) -> io::Result<Piece> {
        loop {
            match self.unread {
                Unread::Nothing | Unread::Known(0) => return Ok(Piece::End(Trailers::default())),
                Unread::Known(left) => {
                    let data = self.some(left).await?;
                    self.unread = Unread::Known(left - data.len());
                    return Ok(Piece::Data(data));
                }
                Unread::ChunkSize => match self.chunk_size().await? {
                    0 => {
                        self.unread = Unread::Nothing;
                        return Ok(Piece::End(self.trailers().await?));
                    }
                    size => self.unread = Unread::Chunk(size),
                },
                Unread::Chunk(left) => {
                    let data = self.some(left).await?;
                    self.unread = match left - data.len() {
                        0 => Unread::ChunkEnd,
                        left => Unread::Chunk(left),
                    };
                    return Ok(Piece::Data(data));
                }
                Unread::ChunkEnd => {
                    if !self.line(MAX_HEAD_BYTES).await?.is_empty() {
                        return Err(malformed("chunk end"));
                    }
                    self.unread = Unread::ChunkSize;
                }
            }
        }
    }

    /// Reads a body that streams to its end, and throws it away.
    pub(crate) async fn skip(&mut self) -> io::Result<()> {
        let mut length = 0;
        while let Piece::Data(data) = self.piece().await? {
            length += data.len();
            if length > MAX_DISCARDED_BYTES {
                return Err(malformed("body too long"));
            }
        }
        Ok(())
    }

    async fn known(&mut self, length: usize) -> io::Result<Body> {
        if length > self.max_body_bytes {
            self.discard(length).await?;
            return Ok(Body::TooLarge);
        }
        self.fill(length).await?;
        Ok(Body::Whole(self.received.split_to(length).freeze()))
    }

    /// The whole of a body that streams.
    pub(crate) async fn whole(&mut self) -> io::Result<Body> {
        let mut body = BytesMut::new();
        let mut length = 0;
        while let Piece::Data(data) = self.piece().await? {
            length += data.len();
            if length > MAX_DISCARDED_BYTES {
                return Err(malformed("body too long"));
            }
            if length > self.max_body_bytes {
                body.clear();
            } else {
                body.extend_from_slice(&data);
            }
        }
        Ok(if length > self.max_body_bytes { Body::TooLarge } else { Body::Whole(body.freeze()) })
    }

    async fn chunk_size(&mut self) -> io::Result<usize> {
        let line = self.line(MAX_HEAD_BYTES).await?;
        let digits = line.split(|&byte| byte == b';').next().unwrap_or(&[]).trim_ascii();
        let digits = std::str::from_utf8(digits).ok().filter(|digits| !digits.starts_with('+'));
        let size = digits.and_then(|digits| usize::from_str_radix(digits, 16).ok());
        let size = size.filter(|size| *size <= MAX_CHUNK_BYTES);
        size.ok_or_else(|| malformed("chunk size"))
    }

    /// Lines up to an empty one.
    async fn trailers(&mut self) -> io::Result<Trailers> {
        let mut trailers = Trailers::default();
        let mut left = MAX_TRAILER_BYTES;
        loop {
            let line = self.line(left).await?;
            if line.is_empty() {
                return Ok(trailers);
            }
            left = left.checked_sub(line.len()).ok_or_else(|| malformed("trailers too long"))?;
            let (name, value) = field(&line)?;
            if name.eq_ignore_ascii_case(b"lambda-runtime-function-error-type") {
                trailers.error_type = Some(String::from_utf8_lossy(value).into_owned());
            } else if name.eq_ignore_ascii_case(b"lambda-runtime-function-error-body") {
                trailers.error_body = STANDARD.decode(value).ok().map(Bytes::from);
            }
        }
    }

    async fn line(&mut self, max_bytes: usize) -> io::Result<Bytes> {
        loop {
            if let Some(end) = find(&self.received, b"\r\n") {
                let line = self.received.split_to(end).freeze();
                self.received.advance(2);
                return Ok(line);
            }
            if self.received.len() > max_bytes {
                return Err(malformed("line too long"));
            }
            if self.more().await? == 0 {
                return Err(ended());
            }
        }
    }

    /// At least one byte and at most so many, as soon as they are there.
    async fn some(&mut self, most: usize) -> io::Result<Bytes> {
        if self.received.is_empty() && self.more().await? == 0 {
            return Err(ended());
        }
        Ok(self.received.split_to(most.min(self.received.len())).freeze())
    }

    async fn fill(&mut self, length: usize) -> io::Result<()> {
        while self.received.len() < length {
            self.received.reserve(length - self.received.len());
            if self.more().await? == 0 {
                return Err(ended());
            }
        }
        Ok(())
    }

    async fn discard(&mut self, length: usize) -> io::Result<()> {
        if length > MAX_DISCARDED_BYTES {
            return Err(malformed("body too long"));
        }
        let mut left = length;
        loop {
            let taken = left.min(self.received.len());
            self.received.advance(taken);
            left -= taken;
            if left == 0 {
                return Ok(());
            }
            if self.more().await? == 0 {
                return Err(ended());
            }
        }
    }

    async fn more(&mut self) -> io::Result<usize> {
        if self.received.capacity() - self.received.len() < READ_BYTES / 4 {
            self.received.reserve(READ_BYTES);
        }
        loop {
            match self.stream.try_read_buf(&mut self.received) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => self.stream.readable().await?,
                read => return read,
            }
        }
    }
}

struct Head {
    method: (usize, usize),
    path: (usize, usize),
    /// None: no body.
    length: Option<Length>,
    expects_continue: bool,
    error_type: Option<String>,
    content_type: Option<String>,
    response_mode: Option<ResponseMode>,
    loaded: Option<Loaded>,
}

enum Length {
    Known(usize),
    Chunked,
}

impl Head {
    /// Only responses stream, whatever the header of another request says. Those that come in chunks
    /// may, if who invoked takes a stream.
    fn streams(&self, head: &[u8]) -> bool {
        let path = &head[self.path.0..self.path.1];
        let chunked = matches!(self.length, Some(Length::Chunked));
        let says_so = self.response_mode == Some(ResponseMode::Streaming);
        (says_so || chunked) && path.ends_with(b"/response")
    }

    /// A request that says twice how long it is may mean something else to others.
    fn set(&mut self, length: Length) -> io::Result<()> {
        match self.length.replace(length) {
            None => Ok(()),
            Some(_) => Err(malformed("two lengths")),
        }
    }
}

fn parse(head: &[u8]) -> io::Result<Head> {
    let line_end = find(head, b"\r\n").ok_or_else(|| malformed("request line"))?;
    let mut spaces = (0..line_end).filter(|&at| head[at] == b' ');
    let (Some(first), Some(second), None) = (spaces.next(), spaces.next(), spaces.next()) else {
        return Err(malformed("request line"));
    };
    let mut parsed = Head {
        method: (0, first),
        path: (first + 1, second),
        length: None,
        expects_continue: false,
        error_type: None,
        content_type: None,
        response_mode: None,
        loaded: None,
    };
    let mut rest = &head[line_end + 2..];
    while let Some(end) = find(rest, b"\r\n").filter(|&end| end > 0) {
        header(&mut parsed, &rest[..end])?;
        rest = &rest[end + 2..];
    }
    Ok(parsed)
}

fn header(parsed: &mut Head, line: &[u8]) -> io::Result<()> {
    let (name, value) = field(line)?;
    if name.eq_ignore_ascii_case(b"content-length") {
        let digits = std::str::from_utf8(value).ok().filter(|d| !d.starts_with('+'));
        let length = digits.and_then(|digits| digits.parse().ok());
        parsed.set(Length::Known(length.ok_or_else(|| malformed("content length"))?))?;
    } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
        if !value.eq_ignore_ascii_case(b"chunked") {
            return Err(malformed("transfer encoding"));
        }
        parsed.set(Length::Chunked)?;
    } else if name.eq_ignore_ascii_case(b"expect") {
        parsed.expects_continue = value.eq_ignore_ascii_case(b"100-continue");
    } else if name.eq_ignore_ascii_case(b"lambda-runtime-function-error-type") {
        parsed.error_type = Some(String::from_utf8_lossy(value).into_owned());
    } else if name.eq_ignore_ascii_case(b"content-type") {
        parsed.content_type = Some(String::from_utf8_lossy(value).into_owned());
    } else if name.eq_ignore_ascii_case(b"lambda-runtime-function-response-mode") {
        parsed.response_mode = match value {
            b"" => None,
            b"streaming" => Some(ResponseMode::Streaming),
            _ => Some(ResponseMode::Unknown),
        };
    } else if name.eq_ignore_ascii_case(b"lampejo-loaded") {
        parsed.loaded = Loaded::parse(value);
    }
    Ok(())
}

/// A header's or trailer's name and value.
fn field(line: &[u8]) -> io::Result<(&[u8], &[u8])> {
    let colon = line.iter().position(|&byte| byte == b':').ok_or_else(|| malformed("header"))?;
    Ok((&line[..colon], line[colon + 1..].trim_ascii()))
}

/// Writes the parts, as one packet where the kernel takes them at once.
pub(crate) async fn write_all(stream: &TcpStream, parts: &[&[u8]]) -> io::Result<()> {
    let mut slices: Vec<io::IoSlice<'_>> =
        parts.iter().map(|part| io::IoSlice::new(part)).collect();
    let mut left = slices.as_mut_slice();
    io::IoSlice::advance_slices(&mut left, 0);
    while !left.is_empty() {
        match stream.try_write_vectored(left) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => io::IoSlice::advance_slices(&mut left, written),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => stream.writable().await?,
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

fn malformed(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

fn ended() -> io::Error {
    io::ErrorKind::UnexpectedEof.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::{io::AsyncWriteExt, net::TcpListener};

    async fn requests(bytes: &[u8]) -> (Vec<Request>, io::Result<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        let bytes = bytes.to_vec();
        let sender = tokio::spawn(async move {
            let _ = client.write_all(&bytes).await;
        });
        let mut reader = Reader::new(&server, 8);
        let mut found = Vec::new();
        let end = loop {
            match reader.next().await {
                Ok(Some(request)) => found.push(request),
                Ok(None) => break Ok(()),
                Err(e) => break Err(e),
            }
        };
        sender.await.unwrap();
        (found, end)
    }

    #[tokio::test]
    async fn requests_come_apart_when_sent_together() {
        let (found, end) = requests(
            b"POST /a HTTP/1.1\r\nContent-Length: 2\r\nLambda-Runtime-Function-Error-Type: E\r\n\r\n{}\
              GET /b HTTP/1.1\r\nHost: x\r\n\r\n",
        )
        .await;
        end.unwrap();
        assert_eq!((found[0].method(), found[0].path()), (&b"POST"[..], "/a"));
        assert_eq!(found[0].body, Body::Whole(Bytes::from_static(b"{}")));
        assert_eq!(found[0].error_type.as_deref(), Some("E"));
        assert_eq!((found[1].method(), found[1].path()), (&b"GET"[..], "/b"));
    }

    #[tokio::test]
    async fn chunks_and_trailers_are_read() {
        let (found, end) = requests(
            b"POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n\
              3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nTrailer: t\r\n\r\nGET /b HTTP/1.1\r\n\r\n",
        )
        .await;
        end.unwrap();
        assert_eq!(found[0].body, Body::Whole(Bytes::from_static(b"abcde")));
        assert_eq!(found[1].path(), "/b");
    }

    #[tokio::test]
    async fn a_response_that_streams_comes_in_pieces_and_ends_with_its_trailers() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        let mut reader = Reader::new(&server, 8);
        let head = b"POST /response HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\
            Content-Type: text/plain\r\nLambda-Runtime-Function-Response-Mode: streaming\r\n\r\n\
            c\r\nlonger than ";
        client.write_all(head).await.unwrap();
        let request = reader.next().await.unwrap().unwrap();
        assert_eq!(
            (request.body, request.content_type.as_deref()),
            (Body::Streaming, Some("text/plain"))
        );
        assert_eq!(reader.piece().await.unwrap(), Piece::Data("longer than ".into()));
        let rest = b"\r\n5\r\neight\r\n0\r\nlambda-runtime-function-error-type: E\r\n\
            Lambda-Runtime-Function-Error-Body: e30=\r\n\r\nGET /b HTTP/1.1\r\n\r\n";
        client.write_all(rest).await.unwrap();
        assert_eq!(reader.piece().await.unwrap(), Piece::Data("eight".into()));
        let trailers = Trailers { error_type: Some("E".into()), error_body: Some("{}".into()) };
        assert_eq!(reader.piece().await.unwrap(), Piece::End(trailers));
        assert_eq!(reader.next().await.unwrap().unwrap().path(), "/b");
    }

    #[tokio::test]
    async fn long_bodies_are_refused_and_the_connection_goes_on() {
        let (found, end) = requests(
            b"POST /a HTTP/1.1\r\nContent-Length: 9\r\n\r\n123456789\
              POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n123456789\r\n0\r\n\r\n\
              GET /b HTTP/1.1\r\n\r\n",
        )
        .await;
        end.unwrap();
        assert_eq!(found[0].body, Body::TooLarge);
        assert_eq!(found[1].body, Body::TooLarge);
        assert_eq!(found[2].path(), "/b");
    }

    #[tokio::test]
    async fn nonsense_ends_the_connection() {
        let long = [b"GET /a HTTP/1.1\r\nX: ".as_slice(), &[b'x'; 20_000], b"\r\n\r\n"].concat();
        let nonsense: [&[u8]; 8] = [
            b"hello\r\n\r\n",
            b"GET /a HTTP/1.1\r\nno colon\r\n\r\n",
            b"POST /a HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
            b"POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            b"POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\nffffffffffffffff\r\n",
            b"POST /a HTTP/1.1\r\nContent-Length: 5\r\n\r\nabc",
            b"POST /a HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            &long,
        ];
        for bytes in nonsense {
            assert!(
                requests(bytes).await.1.is_err(),
                "{}",
                String::from_utf8_lossy(&bytes[..20.min(bytes.len())])
            );
        }
    }
}
