//! Taking in the bytes of an upload: small ones into memory, large ones into a blob, hashed on the
//! way. Hashing and writing run beside the receiving: one chunk is hashed on a thread that may
//! block while the next arrives.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt};
use s3s::{
    StdError,
    crypto::{Checksum as _, Md5},
};
use store::{BlobWriter, Blobs};
use tokio::task::JoinHandle;

use crate::{
    Error,
    checksum::{Algorithm, Hasher},
    http::Trailer,
    limits,
    object::Body,
};

/// Bytes that are hashed at once on another thread.
const HASH_BYTES: usize = 512 << 10;

/// What the client says of the bytes it sends.
#[derive(Default)]
pub(crate) struct Claims {
    pub(crate) content_length: Option<u64>,
    /// Base64.
    pub(crate) content_md5: Option<String>,
    pub(crate) checksum: Option<(Algorithm, String)>,
    /// The checksum that comes behind the bytes.
    pub(crate) trailer: Option<Trailer>,
    /// A checksum that we need whatever the client says.
    pub(crate) wanted: Option<Algorithm>,
}

/// Bytes that were taken in, all claims verified.
pub(crate) struct Received {
    pub(crate) body: Unnamed,
    pub(crate) size: u64,
    /// Their MD5 in hexadecimal digits.
    pub(crate) etag: String,
    checksums: Vec<(Algorithm, String)>,
}

/// Bytes that no row names yet: dropping this removes their file.
pub(crate) struct Unnamed {
    body: Body,
    blobs: Blobs,
    named: bool,
}

impl Received {
    /// The checksum by an algorithm that was claimed or wanted.
    pub(crate) fn checksum(&self, algorithm: Algorithm) -> Option<&str> {
        let found = self.checksums.iter().find(|(computed, _)| *computed == algorithm);
        found.map(|(_, value)| value.as_str())
    }
}

impl Unnamed {
    fn new(body: Body, blobs: &Blobs) -> Unnamed {
        Unnamed { body, blobs: blobs.clone(), named: false }
    }

    /// Nothing to lose: bytes that are in a row, or already named by one.
    pub(crate) fn nothing(blobs: &Blobs) -> Unnamed {
        Unnamed::new(Body::default(), blobs)
    }

    /// Where the bytes are.
    pub(crate) fn body(&self) -> &Body {
        &self.body
    }

    /// A row that names them is committed.
    pub(crate) fn named(mut self) {
        self.named = true;
    }
}

impl Drop for Unnamed {
    fn drop(&mut self) {
        if let (Body::Blob(id), false) = (&self.body, self.named) {
            // What this leaves behind, the next start removes.
            let _ = std::fs::remove_file(self.blobs.path(*id));
        }
    }
}

impl Claims {
    fn algorithms(&self) -> Vec<Algorithm> {
        let claimed = self.checksum.as_ref().map(|(algorithm, _)| *algorithm);
        let trailing = self.trailer.as_ref().and_then(|trailer| trailer.algorithm);
        let mut all: Vec<_> = [claimed, trailing, self.wanted].into_iter().flatten().collect();
        all.dedup();
        all
    }

    /// Whether the client names a checksum itself, and by which algorithm.
    pub(crate) fn algorithm(&self) -> Option<Algorithm> {
        let trailing = self.trailer.as_ref().and_then(|trailer| trailer.algorithm);
        self.checksum.as_ref().map(|(algorithm, _)| *algorithm).or(trailing)
    }

    fn verify(&self, received: &Received) -> Result<(), Error> {
        if let Some(claimed) = &self.content_md5 {
            let calculated = STANDARD.encode(hex::decode(&received.etag).unwrap_or_default());
            if *claimed != calculated {
                return Err(Error::BadDigest {
                    message: "The Content-MD5 you specified did not match what we received."
                        .to_owned(),
                    expected: claimed.clone(),
                    calculated,
                });
            }
        }
        let trailing = match &self.trailer {
            Some(Trailer { algorithm: Some(algorithm), values }) => {
                let value = values.get(*algorithm).ok_or(Error::MalformedTrailerError {})?;
                Some((*algorithm, value))
            }
            _ => None,
        };
        for (algorithm, claimed) in self.checksum.iter().chain(&trailing) {
            check_form(*algorithm, claimed)?;
            if received.checksum(*algorithm) != Some(claimed) {
                return Err(Error::checksum(algorithm.name()));
            }
        }
        Ok(())
    }
}

/// Takes in a body.
pub(crate) async fn receive(
    blobs: &Blobs,
    mut stream: impl Stream<Item = Result<Bytes, StdError>> + Unpin,
    claims: &Claims,
) -> Result<Received, Error> {
    check_size(claims.content_length.unwrap_or(0))?;
    check_md5_form(claims.content_md5.as_deref())?;
    let mut sums = Sums::new(&claims.algorithms());
    let mut start = BytesMut::new();
    while start.len() <= limits::INLINE_BYTES {
        let Some(chunk) = stream.next().await else { break };
        start.extend_from_slice(&chunk.map_err(broken)?);
    }
    let received = if start.len() <= limits::INLINE_BYTES {
        sums.update(&start);
        let (body, size) = (Body::Inline(start.freeze()), sums.size);
        sums.received(Unnamed::new(body, blobs), size)
    } else {
        let mut spool = Spool::begin(blobs.writer().await?, sums);
        spool.push(start.freeze()).await?;
        while let Some(chunk) = stream.next().await {
            spool.push(chunk.map_err(broken)?).await?;
        }
        spool.finish(blobs).await?
    };
    if claims.content_length.is_some_and(|length| length != received.size) {
        return Err(Error::IncompleteBody {});
    }
    claims.verify(&received)?;
    Ok(received)
}

/// A stream that breaks: our own decoders say why, else the client is gone.
fn broken(error: StdError) -> Error {
    match error.downcast::<Error>() {
        Ok(error) => *error,
        Err(_) => Error::IncompleteBody {},
    }
}

fn check_size(bytes: u64) -> Result<(), Error> {
    if bytes <= limits::UPLOAD_BYTES {
        return Ok(());
    }
    Err(Error::EntityTooLarge {
        proposed: bytes.to_string(),
        maximum: limits::UPLOAD_BYTES.to_string(),
    })
}

fn check_md5_form(md5: Option<&str>) -> Result<(), Error> {
    let Some(md5) = md5 else { return Ok(()) };
    match STANDARD.decode(md5) {
        Ok(bytes) if bytes.len() == 16 => Ok(()),
        _ => Err(Error::InvalidDigest { digest: md5.to_owned() }),
    }
}

fn check_form(algorithm: Algorithm, value: &str) -> Result<(), Error> {
    let bytes = match algorithm {
        Algorithm::Crc32 | Algorithm::Crc32c => 4,
        Algorithm::Crc64Nvme => 8,
        Algorithm::Sha1 => 20,
        Algorithm::Sha256 => 32,
    };
    if STANDARD.decode(value).is_ok_and(|decoded| decoded.len() == bytes) {
        return Ok(());
    }
    let name = algorithm.name().to_ascii_lowercase();
    Err(Error::request(format!("Value for x-amz-checksum-{name} header is invalid.")))
}

/// The sums over the bytes so far.
struct Sums {
    md5: Md5,
    checksums: Vec<(Algorithm, Hasher)>,
    size: u64,
}

impl Sums {
    fn new(algorithms: &[Algorithm]) -> Sums {
        let hasher = |algorithm: &Algorithm| (*algorithm, Hasher::new(*algorithm));
        Sums { md5: Md5::new(), checksums: algorithms.iter().map(hasher).collect(), size: 0 }
    }

    fn update(&mut self, bytes: &[u8]) {
        self.size += bytes.len() as u64;
        self.md5.update(bytes);
        self.checksums.iter_mut().for_each(|(_, hasher)| hasher.update(bytes));
    }

    fn received(self, body: Unnamed, size: u64) -> Received {
        let checksums = self.checksums.into_iter();
        Received {
            body,
            size,
            etag: hex::encode(self.md5.finalize()),
            checksums: checksums.map(|(algorithm, hasher)| (algorithm, hasher.finish())).collect(),
        }
    }
}

/// A large body on its way into a blob.
struct Spool {
    writer: BlobWriter,
    sums: Hashing,
    gathered: Vec<Bytes>,
    gathered_bytes: usize,
    size: u64,
}

enum Hashing {
    Idle(Box<Sums>),
    Busy(JoinHandle<Box<Sums>>),
}

impl Spool {
    fn begin(writer: BlobWriter, sums: Sums) -> Spool {
        let sums = Hashing::Idle(Box::new(sums));
        Spool { writer, sums, gathered: Vec::new(), gathered_bytes: 0, size: 0 }
    }

    async fn push(&mut self, bytes: Bytes) -> Result<(), Error> {
        self.size += bytes.len() as u64;
        check_size(self.size)?;
        self.gathered_bytes += bytes.len();
        self.gathered.push(bytes.clone());
        self.writer.write(bytes).await?;
        if self.gathered_bytes >= HASH_BYTES {
            self.hash_gathered().await?;
        }
        Ok(())
    }

    /// Waits for the chunk before, then hands over the gathered one.
    async fn hash_gathered(&mut self) -> Result<(), Error> {
        let chunk = std::mem::take(&mut self.gathered);
        self.gathered_bytes = 0;
        let mut sums = self.sums().await?;
        self.sums = Hashing::Busy(tokio::task::spawn_blocking(move || {
            chunk.iter().for_each(|bytes| sums.update(bytes));
            sums
        }));
        Ok(())
    }

    async fn sums(&mut self) -> Result<Box<Sums>, Error> {
        let none = Hashing::Idle(Box::new(Sums::new(&[])));
        match std::mem::replace(&mut self.sums, none) {
            Hashing::Idle(sums) => Ok(sums),
            Hashing::Busy(task) => task.await.map_err(|error| Error::internal(&error)),
        }
    }

    async fn finish(mut self, blobs: &Blobs) -> Result<Received, Error> {
        self.hash_gathered().await?;
        let sums = self.sums().await?;
        let size = self.size;
        let id = self.writer.finish().await?;
        Ok(sums.received(Unnamed::new(Body::Blob(id), blobs), size))
    }
}
