//! A transaction of a bucket: its rows, the bytes it leaves, the events it causes.

use std::sync::Arc;

use store::{Batch, BlobId, CommitError, Key};

use crate::{
    Error, S3,
    bucket::Bucket,
    history::Stored,
    intake::Unnamed,
    multipart::blob,
    object::{Body, Manifest},
    rows,
};

/// A transaction under construction.
pub(crate) struct Change {
    pub(crate) batch: Batch,
    /// Bytes that no row names afterwards.
    pub(crate) garbage: Vec<BlobId>,
    /// Manifests that go, with their bytes.
    manifests: Vec<(String, Vec<BlobId>)>,
    pub(crate) deliveries: Vec<bus::Delivery>,
}

impl Change {
    /// Demands that the bucket's configuration is the one that was read.
    pub(crate) fn new(bucket: &Bucket) -> Change {
        let mut batch = Batch::new();
        batch.version(rows::bucket(&bucket.row.name), bucket.version);
        Change { batch, garbage: Vec::new(), manifests: Vec::new(), deliveries: Vec::new() }
    }

    /// Demands that a version is still as it was read.
    pub(crate) fn check(&mut self, stored: &Stored) {
        self.batch.version(stored.row.clone(), stored.at);
    }
}

/// A change that was not committed.
pub(crate) struct Unsettled {
    pub(crate) error: CommitError,
    /// The bytes that it would have named.
    pub(crate) bytes: Unnamed,
}

impl Unsettled {
    /// Gives the bytes back if a row that the change was decided on has changed; the caller decides
    /// anew.
    pub(crate) async fn again(self) -> Result<Unnamed, Error> {
        match self.error {
            CommitError::Conflict(_) => {
                // Whoever was quicker may have to show what it changed.
                tokio::task::yield_now().await;
                Ok(self.bytes)
            }
            error => Err(error.into()),
        }
    }

    /// Whether it was this row.
    pub(crate) fn is_about(&self, row: &Key) -> bool {
        matches!(&self.error, CommitError::Conflict(key) if key == row)
    }
}

impl S3 {
    /// Notes what goes with a version: its bytes, and the manifest of its parts.
    pub(crate) async fn forget(&self, change: &mut Change, body: &Body) -> Result<(), Error> {
        match body {
            Body::Inline(_) => {}
            Body::Blob(id) => change.garbage.push(*id),
            Body::Parts(id) => {
                let row = rows::manifest(id);
                let manifest: Option<Manifest> = self.store.read(&row).await?;
                change.batch.delete(row);
                let parts = manifest.unwrap_or_default().parts;
                let bytes = parts.iter().filter_map(|part| blob(&part.body)).collect();
                change.manifests.push((id.clone(), bytes));
            }
        }
        Ok(())
    }

    /// Commits a change and all that follows from it, even if the client goes away meanwhile.
    /// Gives the bytes back when it was not committed.
    pub(crate) async fn settle(
        self: &Arc<S3>,
        change: Change,
        bytes: Unnamed,
    ) -> Result<(), Unsettled> {
        let s3 = self.clone();
        let Change { mut batch, mut garbage, manifests, deliveries } = change;
        let settled = tokio::spawn(async move {
            let ticket = s3.bus.enqueue(&mut batch, deliveries);
            if let Err(error) = s3.store.commit(batch).await {
                return Err(Unsettled { error, bytes });
            }
            bytes.named();
            ticket.release();
            for (manifest, bytes) in manifests {
                garbage.extend(s3.readers.leave(&manifest, bytes));
            }
            s3.remove(garbage).await;
            Ok(())
        });
        match settled.await {
            Ok(outcome) => outcome,
            Err(error) => {
                let error = CommitError::Stopped(error.to_string());
                Err(Unsettled { error, bytes: Unnamed::nothing(self.store.blobs()) })
            }
        }
    }

    /// Removes bytes that no row names any more. What fails is left to the next start.
    pub(crate) async fn remove(&self, garbage: Vec<BlobId>) {
        if garbage.is_empty() {
            return;
        }
        if let Err(error) = self.store.blobs().delete(garbage).await {
            tracing::warn!(%error, "removing blobs failed");
        }
    }
}
