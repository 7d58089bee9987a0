//! Reading a blob: chunks on threads that may block, some ahead of the reader.

use std::{fs::File, io, ops::Range, sync::Arc};

use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use rustix::{buffer::spare_capacity, io::pread};

use super::{BlobId, Blobs};

/// Bytes per read.
const CHUNK_BYTES: u64 = 512 << 10;

/// Reads in flight: the one the reader waits for and those ahead of it.
const READS_IN_FLIGHT: usize = 3;

impl Blobs {
    /// The bytes of a blob from `range.start` to before `range.end`. A blob that is deleted while
    /// it is read stays readable.
    ///
    /// # Errors
    /// There is no such blob, or the file system refuses. The stream ends with an error if the
    /// range passes the blob's end.
    pub async fn read(
        &self,
        id: BlobId,
        range: Range<u64>,
    ) -> io::Result<impl Stream<Item = io::Result<Bytes>> + Send + Unpin + use<>> {
        let path = self.path(id);
        let file = tokio::task::spawn_blocking(|| File::open(path)).await??;
        let file = Arc::new(file);
        let end = range.end;
        let chunks = stream::iter(range.step_by(CHUNK_BYTES as usize));
        let reads =
            chunks.map(move |start| {
                let file = file.clone();
                let length = (end - start).min(CHUNK_BYTES) as usize;
                async move {
                    tokio::task::spawn_blocking(move || read_exactly(&file, start, length)).await?
                }
            });
        Ok(reads.buffered(READS_IN_FLIGHT))
    }
}

fn read_exactly(file: &File, start: u64, length: usize) -> io::Result<Bytes> {
    let mut bytes = Vec::with_capacity(length);
    while bytes.len() < length {
        let offset = start + bytes.len() as u64;
        match pread(file, spare_capacity(&mut bytes), offset) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    // The allocator may have given more room than was asked for.
    bytes.truncate(length);
    Ok(bytes.into())
}
