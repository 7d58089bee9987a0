//! The access keys of sessions, for signature checks. Keys of users and accounts are IAM's.

use std::sync::Arc;

use kit::Millis;
use wire::{Key, KeyError, Keys};

use crate::{Sts, session};

impl Keys for Sts {
    fn find(
        &self,
        access_key_id: &str,
        session_token: Option<&str>,
        now: Millis,
    ) -> Result<Key, KeyError> {
        if !session::is_session(access_key_id) {
            return Err(KeyError::Unknown);
        }
        let session = session_token.and_then(|token| self.seal.open(token));
        let session = session.ok_or(KeyError::BadToken)?;
        if session.access_key_id != access_key_id {
            return Err(KeyError::BadToken);
        }
        if session.expires <= now {
            return Err(KeyError::Expired);
        }
        Ok(Key {
            secret: self.seal.secret(access_key_id),
            account: session.account,
            principal: session.principal,
            active: true,
            session: Some(Arc::new(kit::Session {
                policy: session.narrowed.inline,
                policy_arns: session.narrowed.managed,
                tags: session.tags,
                transitive_tags: session.transitive,
                source_identity: session.source_identity,
                begun_by: session.begun_by,
                began: session.began,
                proved: session.proved,
                provider: session.provider,
                function: session.function,
            })),
        })
    }

    /// Nothing is kept of sessions; that a role is used is noted when its session begins.
    fn used(&self, _access_key_id: &str, _service: &str, _region: &str, _now: Millis) {}
}
