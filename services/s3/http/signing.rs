//! Signatures that only S3 has: those of chunks, trailers and upload forms. The signature of a
//! request's headers is checked before a request comes here.

use base64::prelude::{BASE64_STANDARD, Engine};
use hmac::{Hmac, Mac};
use http::HeaderMap;
use sha1::Sha1;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::Error;

/// SHA-256 of no bytes.
const NOTHING: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// Secret keys of access keys.
pub trait Secrets: Send + Sync {
    /// The secret of an access key, with the session token that came with it; `None` if there is
    /// no such key or it is not this token's.
    fn secret(&self, access_key: &str, session_token: Option<&str>) -> Option<String>;
}

/// `access key/date/region/service/aws4_request`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Credential<'a> {
    pub(super) access_key: &'a str,
    date: &'a str,
    region: &'a str,
    service: &'a str,
}

impl<'a> Credential<'a> {
    pub(super) fn parse(text: &'a str) -> Option<Credential<'a>> {
        let mut parts = text.rsplitn(5, '/');
        let end = parts.next()?;
        let (service, region, date) = (parts.next()?, parts.next()?, parts.next()?);
        let access_key = parts.next()?;
        (end == "aws4_request").then_some(Credential { access_key, date, region, service })
    }

    fn scope(&self) -> String {
        format!("{}/{}/{}/aws4_request", self.date, self.region, self.service)
    }

    fn key(&self, secret: &str) -> Vec<u8> {
        let date = sign(format!("AWS4{secret}").as_bytes(), self.date.as_bytes());
        let region = sign(&date, self.region.as_bytes());
        let service = sign(&region, self.service.as_bytes());
        sign(&service, b"aws4_request")
    }

    /// Whether a form's policy, as sent, was signed by the key's secret.
    pub(super) fn check_policy(
        &self,
        secret: &str,
        policy: &str,
        signature: &str,
    ) -> Result<(), Error> {
        check(&hex::encode(sign(&self.key(secret), policy.as_bytes())), signature)
    }
}

/// Verifies the chunks of one body; each signature covers the one before.
pub(super) struct ChunkSigner {
    key: Vec<u8>,
    date: String,
    scope: String,
    last: String,
    chunk: Sha256,
}

impl ChunkSigner {
    /// For the body of a request with these headers.
    pub(super) fn new(headers: &HeaderMap, secrets: &dyn Secrets) -> Result<ChunkSigner, Error> {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let authorization = header("authorization").unwrap_or_default();
        let field = |name: &str| {
            let fields = authorization.split([' ', ',']);
            fields.filter_map(|field| field.split_once('=')).find(|field| field.0 == name)
        };
        let malformed = || Error::SignatureDoesNotMatch {};
        let credential = field("Credential").ok_or_else(malformed)?.1;
        let credential = Credential::parse(credential).ok_or_else(malformed)?;
        let seed = field("Signature").ok_or_else(malformed)?.1;
        let unknown = || Error::InvalidAccessKeyId { access_key: credential.access_key.to_owned() };
        let token = header("x-amz-security-token");
        let secret = secrets.secret(credential.access_key, token).ok_or_else(unknown)?;
        Ok(ChunkSigner {
            key: credential.key(&secret),
            date: header("x-amz-date").unwrap_or_default().to_owned(),
            scope: credential.scope(),
            last: seed.to_owned(),
            chunk: Sha256::new(),
        })
    }

    /// Bytes of the present chunk.
    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.chunk.update(bytes);
    }

    /// The end of the present chunk.
    pub(super) fn check_chunk(&mut self, signature: &str) -> Result<(), Error> {
        let hash = hex::encode(std::mem::take(&mut self.chunk).finalize());
        let (date, scope, last) = (&self.date, &self.scope, &self.last);
        let text = format!("AWS4-HMAC-SHA256-PAYLOAD\n{date}\n{scope}\n{last}\n{NOTHING}\n{hash}");
        self.check_text(&text, signature)
    }

    /// The trailers, each `name:value\n`.
    pub(super) fn check_trailers(&mut self, trailers: &str, signature: &str) -> Result<(), Error> {
        let hash = hex::encode(Sha256::digest(trailers));
        let (date, scope, last) = (&self.date, &self.scope, &self.last);
        let text = format!("AWS4-HMAC-SHA256-TRAILER\n{date}\n{scope}\n{last}\n{hash}");
        self.check_text(&text, signature)
    }

    fn check_text(&mut self, text: &str, signature: &str) -> Result<(), Error> {
        let expected = hex::encode(sign(&self.key, text.as_bytes()));
        check(&expected, signature)?;
        self.last = expected;
        Ok(())
    }
}

/// Whether a form's policy, as sent, was signed by version 2: an HMAC of SHA-1 in base64.
pub(super) fn check_version_2(secret: &str, policy: &str, signature: &str) -> Result<(), Error> {
    let mac = Hmac::<Sha1>::new_from_slice(secret.as_bytes());
    let mac = mac.expect("HMAC takes keys of any length").chain_update(policy);
    check(&BASE64_STANDARD.encode(mac.finalize().into_bytes()), signature)
}

fn check(expected: &str, signature: &str) -> Result<(), Error> {
    if expected.as_bytes().ct_eq(signature.as_bytes()).into() {
        return Ok(());
    }
    Err(Error::SignatureDoesNotMatch {})
}

fn sign(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    struct One;

    impl Secrets for One {
        fn secret(&self, access_key: &str, _session_token: Option<&str>) -> Option<String> {
            let known = access_key == "AKIAIOSFODNN7EXAMPLE";
            known.then(|| "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned())
        }
    }

    /// The example of "Signature calculations: transferring payload in multiple chunks".
    const AUTHORIZATION: &str = "AWS4-HMAC-SHA256 \
        Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,\
        SignedHeaders=content-encoding;content-length;host,\
        Signature=4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9";

    pub(in crate::http) fn signer() -> ChunkSigner {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", AUTHORIZATION.parse().unwrap());
        headers.insert("x-amz-date", "20130524T000000Z".parse().unwrap());
        ChunkSigner::new(&headers, &One).unwrap()
    }

    #[test]
    fn the_documented_chunks_verify() {
        let mut signer = signer();
        signer.update(&[b'a'; 65536]);
        let first = "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648";
        assert_eq!(signer.check_chunk(first), Ok(()));
        signer.update(&[b'a'; 1024]);
        let second = "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497";
        assert_eq!(signer.check_chunk(second), Ok(()));
        let last = "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9";
        assert_eq!(signer.check_chunk(last), Ok(()));
        signer.update(b"more");
        assert_eq!(signer.check_chunk(last), Err(Error::SignatureDoesNotMatch {}));
    }
}
