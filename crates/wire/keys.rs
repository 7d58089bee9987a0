//! What signature checks need to know of access keys.

use std::{fmt, sync::Arc};

use kit::{AccountId, Millis, Principal, Session};

/// Finds access keys. Implemented by the services that make them.
pub trait Keys: Send + Sync {
    /// The key of this id, with the session token that came with the request.
    ///
    /// # Errors
    /// There is no such key, or its token is wrong or has expired.
    fn find(
        &self,
        access_key_id: &str,
        session_token: Option<&str>,
        now: Millis,
    ) -> Result<Key, KeyError>;

    /// Notes that a key was used. Cheap: called for every request.
    fn used(&self, access_key_id: &str, service: &str, region: &str, now: Millis);
}

/// An access key and whose it is.
#[derive(Clone)]
pub struct Key {
    /// The secret access key.
    pub secret: String,
    /// The account that owns it.
    pub account: AccountId,
    /// The identity it stands for.
    pub principal: Principal,
    /// Inactive keys sign nothing.
    pub active: bool,
    /// Of temporary credentials.
    pub session: Option<Arc<Session>>,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The secret never reaches a log.
        f.debug_struct("Key").field("principal", &self.principal).finish_non_exhaustive()
    }
}

/// Why there is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// No key has this id.
    #[error("no key has this id")]
    Unknown,
    /// The session token is missing or is not this key's.
    #[error("the session token does not belong to the key")]
    BadToken,
    /// The session has ended.
    #[error("the session has ended")]
    Expired,
}
