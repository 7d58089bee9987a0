//! Where `GetFunction` says a package can be fetched: a link that needs no signature of the
//! caller's, is good for ten minutes and dies with the process.

use std::io;

use bytes::Bytes;
use futures::stream::BoxStream;
use hmac::{Hmac, Mac};
use kit::{Millis, ids};
use sha2::Sha256;
use store::BlobId;
use subtle::ConstantTimeEq;

use crate::Lambda;

/// A package as it is read.
pub(crate) type Zip = BoxStream<'static, io::Result<Bytes>>;

/// The paths of packages; the front sends them to [`Lambda::code_download`].
pub const CODE_PATH: &str = "/_lampejo/code/";
/// As AWS's links.
const LIFETIME_SECONDS: u64 = 600;

/// Signs links with a secret of this process.
pub(crate) struct Signer([u8; 32]);

impl Default for Signer {
    fn default() -> Signer {
        Signer(ids::random())
    }
}

impl Signer {
    /// The path and query of a package.
    pub(crate) fn link(&self, blob: BlobId, now: Millis) -> String {
        let expires = now.plus_seconds(LIFETIME_SECONDS);
        format!("{CODE_PATH}{blob}?expires={expires}&signature={}", self.sign(blob, expires))
    }

    /// The package of a path and query, if the link is ours and still good.
    fn read(&self, path_and_query: &str, now: Millis) -> Option<BlobId> {
        let (blob, query) = path_and_query.strip_prefix(CODE_PATH)?.split_once('?')?;
        let (expires, signature) = query.strip_prefix("expires=")?.split_once("&signature=")?;
        let blob = BlobId::try_from(blob.to_owned()).ok()?;
        let expires = Millis(expires.parse().ok()?);
        let genuine = self.sign(blob, expires).as_bytes().ct_eq(signature.as_bytes());
        (bool::from(genuine) && now <= expires).then_some(blob)
    }

    fn sign(&self, blob: BlobId, expires: Millis) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes any key");
        mac.update(format!("{blob} {expires}").as_bytes());
        hex::encode(mac.finalize().into_bytes())
    }
}

impl Lambda {
    /// The zip behind a link that `GetFunction` gave, and its length; `None` if the link is not good,
    /// or no longer.
    pub async fn code_download(&self, path_and_query: &str) -> Option<(u64, Zip)> {
        let blob = self.signer.read(path_and_query, self.clock.now())?;
        self.code.download(blob).await.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_good_for_ten_minutes_and_for_its_package_only() {
        let signer = Signer::default();
        let blob = BlobId::try_from("a".repeat(32)).unwrap();
        let link = signer.link(blob, Millis(0));
        assert_eq!(signer.read(&link, Millis(0)), Some(blob));
        assert_eq!(signer.read(&link, Millis(600_000)), Some(blob));
        assert_eq!(signer.read(&link, Millis(600_001)), None);
        assert_eq!(Signer::default().read(&link, Millis(0)), None);
        for forged in [
            link.replacen("aaaa", "bbbb", 1),
            link.replace("expires=600000", "expires=900000"),
            link[..link.len() - 1].to_owned(),
            format!("{CODE_PATH}../lock"),
        ] {
            assert_eq!(signer.read(&forged, Millis(0)), None, "{forged}");
        }
    }
}
