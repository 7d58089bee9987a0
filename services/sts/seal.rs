//! How a session becomes credentials and is known again. The token is the session itself and a
//! message authentication code over it; it is authentic, not secret: who holds it may read it. The
//! access key's secret is derived, so that neither side stores it.

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::session::Session;

/// The length of the code in front of a token's session.
const CODE_BYTES: usize = 32;
/// Tokens longer than this are not ours: policies, tags and names are bounded.
const MAX_TOKEN_BYTES: usize = 64 * 1024;

/// The server's key.
pub(crate) struct Seal {
    key: [u8; 32],
}

impl Seal {
    pub(crate) fn new(key: [u8; 32]) -> Seal {
        Seal { key }
    }

    /// The secret of a session's access key: 40 characters, as AWS's are.
    pub(crate) fn secret(&self, access_key_id: &str) -> String {
        let code = self.code(b"secret", access_key_id.as_bytes()).finalize().into_bytes();
        STANDARD.encode(&code[..30])
    }

    /// The session's token.
    pub(crate) fn token(&self, session: &Session) -> String {
        let body = rmp_serde::to_vec_named(session).expect("sessions hold only texts and numbers");
        let code = self.code(b"token", &body).finalize().into_bytes();
        URL_SAFE_NO_PAD.encode([code.as_slice(), &body].concat())
    }

    /// The session in a token; `None` if this server did not make the token.
    pub(crate) fn open(&self, token: &str) -> Option<Session> {
        if token.len() > MAX_TOKEN_BYTES {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (code, body) = bytes.split_at_checked(CODE_BYTES)?;
        // Compares in constant time.
        self.code(b"token", body).verify_slice(code).ok()?;
        rmp_serde::from_slice(body).ok()
    }

    /// A code over a purpose and what it is for, so that no code of one purpose serves another.
    fn code(&self, purpose: &[u8], message: &[u8]) -> Hmac<Sha256> {
        let code = Hmac::<Sha256>::new_from_slice(&self.key);
        let code = code.expect("keys of any length are good");
        code.chain_update(purpose).chain_update([0]).chain_update(message)
    }
}

#[cfg(test)]
mod tests {
    use kit::{AccountId, Millis, Principal};

    use super::*;

    fn session() -> Session {
        let account = AccountId::DEFAULT;
        Session::new(account, Principal::root(account), Millis(0), 1)
    }

    #[test]
    fn a_token_holds_its_session() {
        let seal = Seal::new([7; 32]);
        let session = session();
        assert_eq!(seal.open(&seal.token(&session)), Some(session));
    }

    #[test]
    fn a_token_that_was_changed_or_made_elsewhere_is_refused() {
        let seal = Seal::new([7; 32]);
        let token = seal.token(&session());
        assert_eq!(Seal::new([8; 32]).open(&token), None);
        for at in [0, 40, token.len() - 1] {
            let mut changed = token.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(seal.open(&String::from_utf8(changed).unwrap()), None, "{at}");
        }
        assert_eq!(seal.open(""), None);
    }

    #[test]
    fn each_access_key_has_its_secret() {
        let seal = Seal::new([7; 32]);
        let secret = seal.secret("ASIA1");
        assert_eq!((secret.len(), &secret), (40, &seal.secret("ASIA1")));
        assert_ne!(secret, seal.secret("ASIA2"));
        assert_ne!(secret, Seal::new([8; 32]).secret("ASIA1"));
    }
}
