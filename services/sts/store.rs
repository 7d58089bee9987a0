//! The one row of this service: the key that makes its tokens authentic.

use ::store::{Batch, CommitError, Key, ReadError, Store};

/// Why the service does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It cannot be read.
    #[error("reading the server's key failed: {0}")]
    Read(#[from] ReadError),
    /// It cannot be made durable.
    #[error("writing the server's key failed: {0}")]
    Commit(#[from] CommitError),
    /// IAM must be opened first.
    #[error("nobody offers identities")]
    NoIdentities,
    /// It is not a key.
    #[error("the row of the server's key is damaged")]
    Damaged,
}

/// The server's key, made at the first start.
pub(crate) async fn server_key(store: &Store) -> Result<[u8; 32], OpenError> {
    let row = Key::table("sts/server-key");
    if let Some(bytes) = store.read_bytes(&row).await? {
        return bytes.as_ref().try_into().map_err(|_| OpenError::Damaged);
    }
    let made: [u8; 32] = kit::ids::random();
    let mut batch = Batch::new();
    batch.absent(row.clone()).put_bytes(row.clone(), made.to_vec().into());
    match store.commit(batch).await {
        Ok(_) => Ok(made),
        // Another node was first: its key counts.
        Err(CommitError::Conflict(_)) => {
            let bytes = store.read_bytes(&row).await?.ok_or(OpenError::Damaged)?;
            bytes.as_ref().try_into().map_err(|_| OpenError::Damaged)
        }
        Err(error) => Err(error.into()),
    }
}
