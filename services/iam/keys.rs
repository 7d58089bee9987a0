//! Access keys for signature checks: those of users and of accounts. Sessions are the token
//! service's. An access key's id carries its account, so that one look-up finds it.

use std::fmt;

use kit::{AccountId, Millis};
use wire::{Key, KeyError, Keys};

use crate::{Error, Iam, user::AccessKey};

/// An account's own access key, when it was just made.
pub struct RootKey {
    /// `AKIA…`.
    pub access_key_id: String,
    /// Shown once.
    pub secret_access_key: String,
}

impl fmt::Debug for RootKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The secret never reaches a log.
        f.debug_struct("RootKey")
            .field("access_key_id", &self.access_key_id)
            .finish_non_exhaustive()
    }
}

impl Iam {
    /// Makes the account's own access key if it has none. `Some` only when it was made now.
    ///
    /// # Errors
    /// It could not be made durable.
    pub async fn ensure_root_key(&self, account: AccountId) -> Result<Option<RootKey>, Error> {
        let now = self.clock.now();
        let made = self.change(account, |draft| {
            draft.modify_settings(|settings| {
                if !settings.root_keys.is_empty() {
                    return Ok(None);
                }
                let key = AccessKey::new(account, now);
                settings.root_keys.push(key.clone());
                Ok(Some(key))
            })
        });
        Ok(made.await?.map(|key| RootKey { access_key_id: key.id, secret_access_key: key.secret }))
    }
}

impl Keys for Iam {
    fn find(
        &self,
        access_key_id: &str,
        session_token: Option<&str>,
        _now: Millis,
    ) -> Result<Key, KeyError> {
        let account = kit::ids::account_of(access_key_id).ok_or(KeyError::Unknown)?;
        let account = self.account(account);
        let (key, principal) = account.key(access_key_id).ok_or(KeyError::Unknown)?;
        if session_token.is_some() {
            // Long-term keys have no session.
            return Err(KeyError::BadToken);
        }
        Ok(Key {
            secret: key.secret.clone(),
            account: account.id,
            principal,
            active: key.active,
            session: None,
        })
    }

    fn used(&self, access_key_id: &str, service: &str, region: &str, now: Millis) {
        let Some(account) = kit::ids::account_of(access_key_id) else { return };
        if self.account(account).owner(access_key_id).is_some() {
            self.uses.note(account, access_key_id, service, region, now);
        }
    }
}
