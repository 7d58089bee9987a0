//! Request bodies as S3's clients send them: plain, with a hash that was signed, or in chunks with
//! signatures and trailers (`aws-chunked`).
//!
//! Always true: what does not verify ends the stream with an [`Error`], so that nothing is stored.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Buf, Bytes};
use futures::{Stream, StreamExt, stream};
use http::HeaderMap;
use s3s::StdError;
use sha2::{Digest, Sha256};

use super::signing::{ChunkSigner, Secrets};
use crate::{Error, checksum::Algorithm};

/// Bytes of a chunk's head or a trailer line.
const LINE_BYTES: usize = 4096;
/// Lines of trailers.
const TRAILERS: usize = 16;

/// The checksum that comes behind a body.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trailer {
    /// Which one `x-amz-trailer` announces.
    pub(crate) algorithm: Option<Algorithm>,
    /// Filled when the body has been read.
    pub(crate) values: TrailerValues,
}

/// Checksums out of trailers.
#[derive(Clone, Debug, Default)]
pub(crate) struct TrailerValues(Arc<Mutex<Vec<(Algorithm, String)>>>);

impl TrailerValues {
    /// The value for an algorithm.
    pub(crate) fn get(&self, algorithm: Algorithm) -> Option<String> {
        let values = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        values.iter().find(|value| value.0 == algorithm).map(|value| value.1.clone())
    }

    fn add(&self, algorithm: Algorithm, value: &str) {
        let mut values = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        values.push((algorithm, value.to_owned()));
    }
}

/// How a body is written.
pub(super) enum Encoding {
    /// As it is.
    Plain,
    /// As it is; its SHA-256 was signed.
    Hashed(String),
    /// In chunks.
    Chunked { signer: Option<Box<ChunkSigner>>, trailer: Trailer },
}

impl Encoding {
    /// What the headers say. Chunk signatures are verified where there are secrets.
    pub(super) fn of(
        headers: &HeaderMap,
        secrets: Option<&dyn Secrets>,
    ) -> Result<Encoding, Error> {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let Some(kind) = header("x-amz-content-sha256") else { return Ok(Encoding::Plain) };
        if kind.len() == 64 && kind.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(Encoding::Hashed(kind.to_ascii_lowercase()));
        }
        if !kind.starts_with("STREAMING-") {
            return Ok(Encoding::Plain);
        }
        if kind.contains("ECDSA") {
            return Err(Error::NotImplemented {
                message: "lampejo does not implement signatures of version 4A.".to_owned(),
            });
        }
        let signed = kind.starts_with("STREAMING-AWS4-HMAC-SHA256");
        let signer = match secrets.filter(|_| signed) {
            Some(secrets) => Some(Box::new(ChunkSigner::new(headers, secrets)?)),
            None => None,
        };
        let algorithm = header("x-amz-trailer").and_then(Algorithm::of_header);
        let trailer = Trailer { algorithm, values: TrailerValues::default() };
        Ok(Encoding::Chunked { signer, trailer })
    }
}

/// The bytes that a client means.
pub(super) fn decode<S>(
    source: S,
    encoding: Encoding,
) -> stream::BoxStream<'static, Result<Bytes, StdError>>
where
    S: Stream<Item = Result<Bytes, StdError>> + Send + Unpin + 'static,
{
    match encoding {
        Encoding::Plain => source.boxed(),
        Encoding::Hashed(expected) => {
            let state = (source, Some((Sha256::new(), expected)));
            stream::try_unfold(state, |(mut source, hash)| async move {
                let Some((mut hash, expected)) = hash else { return Ok(None) };
                match source.next().await.transpose()? {
                    Some(bytes) => {
                        hash.update(&bytes);
                        Ok(Some((bytes, (source, Some((hash, expected))))))
                    }
                    None => check_hash(hash, expected).map(|()| None),
                }
            })
            .boxed()
        }
        Encoding::Chunked { signer, trailer } => {
            let chunks =
                Chunks { source, current: Bytes::new(), signer, trailer, state: State::Head };
            stream::try_unfold(chunks, |mut chunks| async move {
                let bytes = chunks.next().await?;
                Ok(bytes.map(|bytes| (bytes, chunks)))
            })
            .boxed()
        }
    }
}

fn check_hash(hash: Sha256, expected: String) -> Result<(), StdError> {
    let computed = hex::encode(hash.finalize());
    if computed == expected {
        return Ok(());
    }
    Err(Box::new(Error::XAmzContentSHA256Mismatch { client: expected, computed }))
}

/// Takes chunks apart: `size[;chunk-signature=…]\r\n bytes \r\n … 0[;…]\r\n trailers \r\n`.
struct Chunks<S> {
    source: S,
    current: Bytes,
    signer: Option<Box<ChunkSigner>>,
    trailer: Trailer,
    state: State,
}

enum State {
    Head,
    Data { left: u64, signature: String },
    End,
}

impl<S: Stream<Item = Result<Bytes, StdError>> + Unpin> Chunks<S> {
    async fn next(&mut self) -> Result<Option<Bytes>, StdError> {
        loop {
            match std::mem::replace(&mut self.state, State::End) {
                State::End => return Ok(None),
                State::Head => {
                    let line = self.line().await?;
                    let (size, signature) = parse_head(&line)?;
                    if size == 0 {
                        self.check_chunk(&signature)?;
                        self.trailers().await?;
                        return Ok(None);
                    }
                    self.state = State::Data { left: size, signature };
                }
                State::Data { left: 0, signature } => {
                    self.check_chunk(&signature)?;
                    if !self.line().await?.is_empty() {
                        return Err(malformed());
                    }
                    self.state = State::Head;
                }
                State::Data { left, signature } => {
                    self.fill().await?;
                    let take = left.min(self.current.len() as u64);
                    let bytes = self.current.split_to(take as usize);
                    if let Some(signer) = &mut self.signer {
                        signer.update(&bytes);
                    }
                    self.state = State::Data { left: left - take, signature };
                    return Ok(Some(bytes));
                }
            }
        }
    }

    fn check_chunk(&mut self, signature: &str) -> Result<(), StdError> {
        match &mut self.signer {
            Some(signer) => Ok(signer.check_chunk(signature)?),
            None => Ok(()),
        }
    }

    /// Reads trailers up to the empty line, or to the end: some clients leave the line out.
    async fn trailers(&mut self) -> Result<(), StdError> {
        let mut signed = String::new();
        let mut signature = String::new();
        for _ in 0..TRAILERS {
            if self.is_at_end().await? {
                break;
            }
            let line = self.line().await?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').ok_or_else(malformed)?;
            let (name, value) = (name.trim().to_ascii_lowercase(), value.trim());
            if name == "x-amz-trailer-signature" {
                signature = value.to_owned();
                continue;
            }
            signed.push_str(&format!("{name}:{value}\n"));
            if let Some(algorithm) = Algorithm::of_header(&name) {
                self.trailer.values.add(algorithm, value);
            }
        }
        match &mut self.signer {
            Some(signer) if self.trailer.algorithm.is_some() || !signed.is_empty() => {
                Ok(signer.check_trailers(&signed, &signature)?)
            }
            _ => Ok(()),
        }
    }

    /// Reads up to the next line break, without it.
    async fn line(&mut self) -> Result<String, StdError> {
        let mut line = Vec::new();
        loop {
            self.fill().await?;
            let end = self.current.iter().position(|byte| *byte == b'\n');
            let take = end.unwrap_or(self.current.len());
            line.extend_from_slice(&self.current[..take]);
            self.current.advance(take + usize::from(end.is_some()));
            if line.len() > LINE_BYTES {
                return Err(malformed());
            }
            if end.is_some() {
                let line = String::from_utf8(line).map_err(|_| malformed())?;
                return Ok(line.trim_end_matches('\r').to_owned());
            }
        }
    }

    async fn is_at_end(&mut self) -> Result<bool, StdError> {
        while self.current.is_empty() {
            match self.source.next().await.transpose()? {
                Some(bytes) => self.current = bytes,
                None => return Ok(true),
            }
        }
        Ok(false)
    }

    async fn fill(&mut self) -> Result<(), StdError> {
        if self.is_at_end().await? {
            return Err(Box::new(Error::IncompleteBody {}));
        }
        Ok(())
    }
}

fn parse_head(line: &str) -> Result<(u64, String), StdError> {
    let (size, extension) = line.split_once(';').unwrap_or((line, ""));
    let size = u64::from_str_radix(size.trim(), 16).map_err(|_| malformed())?;
    let signature = extension.trim().strip_prefix("chunk-signature=").unwrap_or_default();
    Ok((size, signature.to_owned()))
}

fn malformed() -> StdError {
    Box::new(Error::request("The request body is not well-formed aws-chunked content."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::signing::tests::signer;

    async fn all(source: &[u8], step: usize, encoding: Encoding) -> Result<Vec<u8>, String> {
        let pieces: Vec<_> =
            source.chunks(step).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
        let mut decoded = decode(stream::iter(pieces), encoding);
        let mut bytes = Vec::new();
        while let Some(piece) = decoded.next().await {
            bytes.extend_from_slice(&piece.map_err(|error| error.to_string())?);
        }
        Ok(bytes)
    }

    #[tokio::test]
    async fn chunks_come_apart_wherever_the_network_cuts_them() {
        let body = b"5\r\nhello\r\n6\r\n world\r\n0\r\nx-amz-checksum-crc32:DUoRhQ==\r\n\r\n";
        for step in [1, 2, 3, 7, 1000] {
            let trailer = Trailer { algorithm: Some(Algorithm::Crc32), ..Trailer::default() };
            let values = trailer.values.clone();
            let bytes = all(body, step, Encoding::Chunked { signer: None, trailer }).await;
            assert_eq!(bytes.unwrap(), b"hello world");
            assert_eq!(values.get(Algorithm::Crc32).as_deref(), Some("DUoRhQ=="));
        }
    }

    #[tokio::test]
    async fn a_body_that_ends_early_is_incomplete() {
        for body in [&b"5\r\nhel"[..], b"5\r\nhello\r\n", b"5\r\nhello"] {
            let encoding = Encoding::Chunked { signer: None, trailer: Trailer::default() };
            let error = all(body, 4, encoding).await.unwrap_err();
            assert_eq!(error, "The request body terminated unexpectedly");
        }
    }

    #[tokio::test]
    async fn a_changed_chunk_does_not_verify() {
        let signed = |letter: u8| {
            let mut body = b"10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n".to_vec();
            body.extend([letter; 65536]);
            body.extend(b"\r\n400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n");
            body.extend([b'a'; 1024]);
            body.extend(b"\r\n0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n");
            body
        };
        for (letter, verifies) in [(b'a', true), (b'b', false)] {
            let signer = Some(Box::new(signer()));
            let encoding = Encoding::Chunked { signer, trailer: Trailer::default() };
            assert_eq!(all(&signed(letter), 5000, encoding).await.is_ok(), verifies);
        }
    }

    #[tokio::test]
    async fn a_signed_hash_covers_the_body() {
        let hash = hex::encode(Sha256::digest(b"hello"));
        assert!(all(b"hello", 2, Encoding::Hashed(hash.clone())).await.is_ok());
        assert!(all(b"hellO", 2, Encoding::Hashed(hash)).await.is_err());
    }
}
