//! Writing a blob: chunks go to the file while the next one gathers, then one sync.

use std::{fs::File, io, io::Write, sync::Arc};

use bytes::Bytes;
use tokio::task::JoinHandle;

use super::{BlobError, BlobId, Blobs, blocking};
use crate::folder::sync_folder;

/// Bytes that gather before they are written together.
const CHUNK_BYTES: usize = 1 << 20;

/// A blob under construction. Dropping it without [`BlobWriter::finish`] removes its file.
pub struct BlobWriter {
    blobs: Blobs,
    id: BlobId,
    file: Arc<File>,
    gathered: Vec<Bytes>,
    gathered_bytes: usize,
    /// All bytes that were handed over.
    length: u64,
    /// The chunk on its way to the file; at most one.
    writing: Option<JoinHandle<io::Result<()>>>,
    finished: bool,
}

impl BlobWriter {
    pub(super) async fn begin(blobs: Blobs, id: BlobId) -> Result<BlobWriter, BlobError> {
        let path = blobs.unfinished_path(id);
        let file = blocking("creating", move || File::create_new(path)).await?;
        Ok(BlobWriter {
            blobs,
            id,
            file: Arc::new(file),
            gathered: Vec::new(),
            gathered_bytes: 0,
            length: 0,
            writing: None,
            finished: false,
        })
    }

    /// Adds bytes. Returns when they are taken over, not when they are on disk.
    ///
    /// # Errors
    /// The disk is full or failed, on these bytes or on earlier ones. The blob is lost.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), BlobError> {
        self.gathered_bytes += bytes.len();
        self.length += bytes.len() as u64;
        self.gathered.push(bytes);
        if self.gathered_bytes >= CHUNK_BYTES {
            self.write_gathered().await?;
        }
        Ok(())
    }

    /// Makes the blob durable under its id.
    ///
    /// # Errors
    /// The disk is full or failed. The blob is lost.
    pub async fn finish(mut self) -> Result<BlobId, BlobError> {
        self.write_gathered().await?;
        self.written().await?;
        let (file, blobs, id) = (self.file.clone(), self.blobs.clone(), self.id);
        let length = self.length;
        blocking("syncing", move || {
            // So even after an error that the caller passed over.
            if file.metadata()?.len() != length {
                return Err(io::Error::other("bytes are missing after a failed write"));
            }
            file.sync_all()?;
            let path = blobs.path(id);
            std::fs::rename(blobs.unfinished_path(id), &path)?;
            // Syncs of many folders at once become one transaction of the file system.
            sync_folder(path.parent().unwrap_or(&path))
        })
        .await?;
        self.finished = true;
        Ok(self.id)
    }

    async fn write_gathered(&mut self) -> Result<(), BlobError> {
        self.written().await?;
        if self.blobs.0.room.is_used_up() {
            return Err(BlobError::DiskFull);
        }
        let chunk = std::mem::take(&mut self.gathered);
        self.gathered_bytes = 0;
        let file = self.file.clone();
        self.writing = Some(tokio::task::spawn_blocking(move || {
            chunk.iter().try_for_each(|bytes| (&*file).write_all(bytes))
        }));
        Ok(())
    }

    /// Waits for the chunk on its way. A caller that stops waiting leaves it on its way.
    async fn written(&mut self) -> Result<(), BlobError> {
        let Some(writing) = &mut self.writing else { return Ok(()) };
        let written = writing.await.unwrap_or_else(|error| Err(io::Error::other(error)));
        self.writing = None;
        written.map_err(BlobError::at("writing"))
    }
}

impl Drop for BlobWriter {
    fn drop(&mut self) {
        if !self.finished {
            // What this leaves behind, the next open removes.
            let _ = std::fs::remove_file(self.blobs.unfinished_path(self.id));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_blob_that_misses_bytes_is_never_finished() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(folder.path()).unwrap();
        let mut writer = blobs.writer().await.unwrap();
        writer.write(vec![1; 2 << 20].into()).await.unwrap();
        writer.written().await.unwrap();
        writer.file.set_len(7).unwrap();
        let path = blobs.path(writer.id);
        assert!(matches!(writer.finish().await, Err(BlobError::Io { step: "syncing", .. })));
        assert!(!path.exists());
    }
}
