//! Signature version 2 of S3's presigned URLs: what boto3 still makes unless it is told otherwise.
//!
//! Source: "Signing and authenticating REST requests" (AWS signature version 2, S3 user guide).

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, Mac};
use http::{header, request::Parts};
use kit::Millis;
use sha1::Sha1;
use subtle::ConstantTimeEq;

use crate::{host::host_bucket, sigv4::Refusal};

/// Query parameters that are part of the resource, in order.
const SUBRESOURCES: &[&str] = &[
    "accelerate",
    "acl",
    "analytics",
    "cors",
    "delete",
    "encryption",
    "inventory",
    "legal-hold",
    "lifecycle",
    "location",
    "logging",
    "metrics",
    "notification",
    "object-lock",
    "partNumber",
    "policy",
    "policyStatus",
    "publicAccessBlock",
    "replication",
    "requestPayment",
    "response-cache-control",
    "response-content-disposition",
    "response-content-encoding",
    "response-content-language",
    "response-content-type",
    "response-expires",
    "restore",
    "retention",
    "select",
    "select-type",
    "tagging",
    "torrent",
    "uploadId",
    "uploads",
    "versionId",
    "versioning",
    "versions",
    "website",
];

/// What the query string claims.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Presigned {
    signature: String,
    expires_seconds: u64,
}

/// The access key and the rest of a version 2 query string, if it is one.
pub(crate) fn claim(query: &[(String, String)]) -> Option<(String, Presigned)> {
    let field = |name: &str| query.iter().find(|(key, _)| key == name).map(|(_, text)| text);
    let (access_key, signature) = (field("AWSAccessKeyId")?, field("Signature")?);
    let expires_seconds = field("Expires")?.parse().ok()?;
    let presigned = Presigned { signature: signature.clone(), expires_seconds };
    Some((access_key.clone(), presigned))
}

impl Presigned {
    /// Checks the time and the signature.
    pub(crate) fn verify(
        &self,
        secret: &str,
        parts: &Parts,
        query: &[(String, String)],
        domains: &[String],
        now: Millis,
    ) -> Result<(), Refusal> {
        let ended = Millis(self.expires_seconds.saturating_mul(1000));
        if now > ended {
            return Err(Refusal::Expired { expires_seconds: None, ended });
        }
        let wanted = sign(secret, &self.to_sign(parts, &resource(parts, query, domains)));
        if bool::from(wanted.as_bytes().ct_eq(self.signature.as_bytes())) {
            Ok(())
        } else {
            Err(Refusal::Mismatch)
        }
    }

    fn to_sign(&self, parts: &Parts, resource: &str) -> String {
        let text = |name: &str| {
            parts.headers.get(name).and_then(|it| it.to_str().ok()).unwrap_or_default()
        };
        let (md5, kind) = (text("content-md5"), text("content-type"));
        let mut amz: Vec<String> = parts
            .headers
            .iter()
            .filter(|(name, _)| name.as_str().starts_with("x-amz-"))
            .map(|(name, value)| {
                format!("{name}:{}\n", String::from_utf8_lossy(value.as_bytes()).trim())
            })
            .collect();
        amz.sort();
        let (method, expires) = (&parts.method, self.expires_seconds);
        format!("{method}\n{md5}\n{kind}\n{expires}\n{}{resource}", amz.concat())
    }
}

/// The resource as it is signed: with the bucket in front, which may stand in the path or the host.
/// The host itself is not signed: it must be read as S3 reads it, or a URL for one bucket opens
/// another.
fn resource(parts: &Parts, query: &[(String, String)], domains: &[String]) -> String {
    let named: Vec<String> = SUBRESOURCES
        .iter()
        .filter_map(|name| query.iter().find(|(key, _)| key == name))
        .map(
            |(name, value)| if value.is_empty() { name.clone() } else { format!("{name}={value}") },
        )
        .collect();
    let end = if named.is_empty() { String::new() } else { format!("?{}", named.join("&")) };
    let path = parts.uri.path();
    let authority = || parts.uri.authority().map(|authority| authority.as_str());
    let host = parts.headers.get(header::HOST).and_then(|it| it.to_str().ok()).or_else(authority);
    let host = host.unwrap_or_default();
    match host_bucket(host, domains) {
        Some(bucket) => format!("/{bucket}{path}{end}"),
        None => format!("{path}{end}"),
    }
}

fn sign(secret: &str, text: &str) -> String {
    let mut mac =
        Hmac::<Sha1>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of every length");
    mac.update(text.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;
    use crate::route::query_pairs;

    /// Made by botocore for `AKID` and the secret `x`, for a moment of November 2023.
    const URI: &str =
        "/b/k?AWSAccessKeyId=AKID&Signature=vM2eEgxoY03d7zcUUa7EdBqNTrY%3D&Expires=1700000000";

    fn check(uri: &str, host: &str, secret: &str, now: u64) -> Result<(), Refusal> {
        let request = Request::builder().uri(uri).header("host", host).body(()).unwrap();
        let (parts, ()) = request.into_parts();
        let query = query_pairs(&parts.uri);
        let (access_key, presigned) = claim(&query).unwrap();
        assert_eq!(access_key, "AKID");
        presigned.verify(secret, &parts, &query, &["localhost".to_owned()], Millis(now))
    }

    #[test]
    fn a_url_of_botocore_is_accepted_until_it_ends_and_with_its_secret_only() {
        let now = 1_699_999_999_000;
        assert_eq!(check(URI, "127.0.0.1:4566", "x", now), Ok(()));
        assert_eq!(check(URI, "127.0.0.1:4566", "y", now), Err(Refusal::Mismatch));
        assert!(matches!(
            check(URI, "127.0.0.1:4566", "x", now + 2_000),
            Err(Refusal::Expired { .. })
        ));
        let other = URI.replace("/b/k", "/b/other");
        assert_eq!(check(&other, "127.0.0.1:4566", "x", now), Err(Refusal::Mismatch));
        let virtual_host = URI.replace("/b/k", "/k");
        assert_eq!(check(&virtual_host, "b.s3.localhost:4566", "x", now), Ok(()));
    }
    #[test]
    fn a_url_for_one_bucket_opens_no_other_by_another_host() {
        let now = 1_699_999_999_000;
        // S3 reads the bucket `other` in the first, and the bucket `k` in the second.
        assert_eq!(check(URI, "other.s3.localhost", "x", now), Err(Refusal::Mismatch));
        let inner = URI.replace("/b/k", "/k");
        assert_eq!(check(&inner, "b.elsewhere", "x", now), Err(Refusal::Mismatch));
    }
}
