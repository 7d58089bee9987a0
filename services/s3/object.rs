//! What an object is: one version of a key, its bytes, its headers.

use std::collections::BTreeMap;

use bytes::Bytes;
use kit::{AccountId, Millis};
use serde::{Deserialize, Serialize};
use store::BlobId;

use crate::{Error, checksum::Checksum, limits, lock::Retention, tags::Tags};

/// One version of a key.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Object {
    /// `None`: the version that S3 calls `null`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) version: Option<String>,
    /// Orders the versions of a key; the greatest is the latest.
    pub(crate) sequence: u64,
    /// A delete marker has no bytes.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) delete_marker: bool,
    pub(crate) modified: Millis,
    pub(crate) size: u64,
    pub(crate) etag: String,
    pub(crate) body: Body,
    pub(crate) headers: Headers,
    /// `x-amz-meta-` headers without the prefix.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) metadata: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) storage_class: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) tags: Tags,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) checksum: Option<Checksum>,
    /// Of a multipart upload.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) parts: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) retention: Option<Retention>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) legal_hold: Option<bool>,
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) encryption: Encryption,
    /// Canned ACL; `None` is `private`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) acl: Option<String>,
    /// `None` is the bucket's owner.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) owner: Option<AccountId>,
}

/// Where the bytes are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Body {
    /// In the row.
    Inline(Bytes),
    /// In one file.
    Blob(BlobId),
    /// In the files of a multipart upload, which a manifest of this id lists.
    Parts(String),
}

impl Default for Body {
    fn default() -> Body {
        Body::Inline(Bytes::new())
    }
}

/// A manifest: the parts of an object in order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    pub(crate) parts: Vec<ManifestPart>,
}

/// One part of an object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ManifestPart {
    pub(crate) number: i32,
    pub(crate) size: u64,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) checksum: Option<String>,
    /// Never [`Body::Parts`].
    pub(crate) body: Body,
}

/// Headers that S3 stores and gives back.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Headers {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) content_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cache_control: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) content_disposition: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) content_encoding: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) content_language: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) expires: Option<Millis>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) website_redirect: Option<String>,
}

/// How S3 says that the bytes are encrypted. Here the disk's encryption is the operator's.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) enum Encryption {
    /// `AES256`.
    #[default]
    S3,
    /// `aws:kms` or `aws:kms:dsse` under a key.
    Kms { algorithm: String, key: Option<String>, bucket_key: Option<bool> },
}

impl Object {
    /// The version's id as S3 writes it in listings.
    pub(crate) fn version_text(&self) -> &str {
        self.version.as_deref().unwrap_or("null")
    }

    /// `STANDARD` unless another class was chosen.
    pub(crate) fn storage_class(&self) -> &str {
        self.storage_class.as_deref().unwrap_or("STANDARD")
    }

    /// Whether reading needs a restore first.
    pub(crate) fn is_archived(&self) -> bool {
        matches!(self.storage_class.as_deref(), Some("GLACIER" | "DEEP_ARCHIVE"))
    }
}

/// Checks a key's length.
pub(crate) fn check_key(key: &str) -> Result<(), Error> {
    if key.len() <= limits::KEY_BYTES {
        return Ok(());
    }
    Err(Error::KeyTooLongError {
        size: key.len().to_string(),
        maximum: limits::KEY_BYTES.to_string(),
    })
}

/// Checks the size of user metadata.
pub(crate) fn check_metadata(metadata: &BTreeMap<String, String>) -> Result<(), Error> {
    let bytes: usize = metadata.iter().map(|(name, value)| name.len() + value.len()).sum();
    if bytes <= limits::METADATA_BYTES {
        return Ok(());
    }
    Err(Error::MetadataTooLarge {
        size: bytes.to_string(),
        maximum: limits::METADATA_BYTES.to_string(),
    })
}

/// Checks a storage class; `STANDARD` is stored as none.
pub(crate) fn storage_class(class: Option<&str>) -> Result<Option<String>, Error> {
    const CLASSES: [&str; 8] = [
        "REDUCED_REDUNDANCY",
        "STANDARD_IA",
        "ONEZONE_IA",
        "INTELLIGENT_TIERING",
        "GLACIER",
        "DEEP_ARCHIVE",
        "GLACIER_IR",
        "EXPRESS_ONEZONE",
    ];
    match class {
        None | Some("STANDARD") => Ok(None),
        Some(class) if CLASSES.contains(&class) => Ok(Some(class.to_owned())),
        Some(class) => Err(Error::InvalidStorageClass { class: class.to_owned() }),
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_those_of_s3() {
        assert!(check_key(&"k".repeat(1024)).is_ok());
        assert!(check_key(&"k".repeat(1025)).is_err());
        let metadata = |bytes: usize| BTreeMap::from([("n".to_owned(), "v".repeat(bytes - 1))]);
        assert!(check_metadata(&metadata(2048)).is_ok());
        assert!(check_metadata(&metadata(2049)).is_err());
        assert!(storage_class(Some("GOLD")).is_err());
        assert_eq!(storage_class(Some("STANDARD")), Ok(None));
    }
}
