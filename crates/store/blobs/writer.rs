//! Writing a blob: chunks go to the file while the next one gathers, then one sync.

use std::{fs::File, io, io::Write, sync::Arc};

use bytes::Bytes;
use tokio::task::JoinHandle;

use super::{BlobError, BlobId, Blobs, blocking};
use crate::folder::sync_folder;

/// Bytes that gather before they are written together.
const CHUNK_BYTES: usize = 1 << 20;

/// Bytes after which the disk is made to start, so that the last sync has little left to do.
const WRITEBACK_BYTES: usize = 16 << 20;

/// A blob under construction. Dropping it without [`BlobWriter::finish`] removes its file.
pub struct BlobWriter {
    blobs: Blobs,
    id: BlobId,
    file: Arc<File>,
    gathered: Vec<Bytes>,
    gathered_bytes: usize,
    unsynced_bytes: usize,
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
            unsynced_bytes: 0,
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
        blocking("syncing", move || {
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
        self.unsynced_bytes += std::mem::take(&mut self.gathered_bytes);
        let sync = self.unsynced_bytes >= WRITEBACK_BYTES;
        if sync {
            self.unsynced_bytes = 0;
        }
        let file = self.file.clone();
        self.writing = Some(tokio::task::spawn_blocking(move || {
            for bytes in chunk {
                (&*file).write_all(&bytes)?;
            }
            if sync { file.sync_data() } else { Ok(()) }
        }));
        Ok(())
    }

    /// Waits for the chunk on its way.
    async fn written(&mut self) -> Result<(), BlobError> {
        let Some(writing) = self.writing.take() else { return Ok(()) };
        let written = writing.await.unwrap_or_else(|error| Err(io::Error::other(error)));
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
