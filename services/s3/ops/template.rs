//! What PutObject, CreateMultipartUpload and CopyObject say alike of a new version.

use kit::Millis;
use s3s::dto;

use crate::{
    Error,
    bucket::Bucket,
    document::kind,
    lock, moment,
    object::{self, Encryption, Headers, Object},
    tags,
};

/// The description of a version as it came in a request, not checked yet.
pub(crate) struct Template {
    acl: Option<String>,
    headers: Headers,
    metadata: Option<dto::Metadata>,
    storage_class: Option<String>,
    tagging: Option<String>,
    lock_mode: Option<String>,
    lock_until: Option<Millis>,
    legal_hold: Option<String>,
    encryption: Option<String>,
    key: Option<String>,
    bucket_key: Option<bool>,
    customer_key: bool,
}

macro_rules! templates {
    ($($input:ident)*) => {
        $(impl From<&mut dto::$input> for Template {
            fn from(input: &mut dto::$input) -> Template {
                let text = |value: &str| value.to_owned();
                Template {
                    acl: input.acl.take().map(|value| text(value.as_str())),
                    headers: Headers {
                        content_type: input.content_type.take(),
                        cache_control: input.cache_control.take(),
                        content_disposition: input.content_disposition.take(),
                        content_encoding: input.content_encoding.take(),
                        content_language: input.content_language.take(),
                        expires: input.expires.take().map(|expires| moment::millis(&expires)),
                        website_redirect: input.website_redirect_location.take(),
                    },
                    metadata: input.metadata.take(),
                    storage_class: input.storage_class.take().map(|value| text(value.as_str())),
                    tagging: input.tagging.take(),
                    lock_mode: input.object_lock_mode.take().map(|value| text(value.as_str())),
                    lock_until: input
                        .object_lock_retain_until_date
                        .take()
                        .map(|until| moment::millis(&until)),
                    legal_hold: input
                        .object_lock_legal_hold_status
                        .take()
                        .map(|value| text(value.as_str())),
                    encryption: input
                        .server_side_encryption
                        .take()
                        .map(|value| text(value.as_str())),
                    key: input.ssekms_key_id.take(),
                    bucket_key: input.bucket_key_enabled.take(),
                    customer_key: input.sse_customer_algorithm.is_some(),
                }
            }
        })*
    };
}

templates! { PutObjectInput CreateMultipartUploadInput CopyObjectInput }

impl Template {
    /// Checks the description and makes a version of it that has no bytes yet.
    pub(crate) fn object(self, bucket: &Bucket, now: Millis) -> Result<Object, Error> {
        if self.customer_key {
            return Err(Error::NotImplemented {
                message: "lampejo does not implement encryption with customer-provided keys."
                    .to_owned(),
            });
        }
        let metadata = self.metadata.unwrap_or_default().into_iter().collect();
        object::check_metadata(&metadata)?;
        let tags = self.tagging.as_deref().map(tags::from_header).transpose()?;
        let retention = lock::retention(self.lock_mode.as_deref(), self.lock_until, now)?;
        if (retention.is_some() || self.legal_hold.is_some()) && !bucket.row.object_lock {
            return Err(Error::request("Bucket is missing Object Lock Configuration"));
        }
        let legal_hold = self.legal_hold.as_deref().map(parse_legal_hold).transpose()?;
        Ok(Object {
            modified: now,
            headers: self.headers,
            metadata,
            storage_class: object::storage_class(self.storage_class.as_deref())?,
            tags: tags.unwrap_or_default(),
            retention,
            legal_hold,
            encryption: encryption(bucket, self.encryption, self.key, self.bucket_key)?,
            acl: object_acl(bucket, self.acl)?,
            ..Object::default()
        })
    }
}

/// `ON` or `OFF`.
pub(crate) fn parse_legal_hold(status: &str) -> Result<bool, Error> {
    match status {
        "ON" => Ok(true),
        "OFF" => Ok(false),
        other => Err(Error::argument(
            "Legal Hold must be either of 'ON' or 'OFF'",
            "x-amz-object-lock-legal-hold",
            other,
        )),
    }
}

/// Checks a canned ACL against the bucket's ownership; `private` is stored as none.
pub(crate) fn object_acl(bucket: &Bucket, acl: Option<String>) -> Result<Option<String>, Error> {
    const KNOWN: [&str; 7] = [
        "private",
        "public-read",
        "public-read-write",
        "authenticated-read",
        "aws-exec-read",
        "bucket-owner-read",
        "bucket-owner-full-control",
    ];
    let Some(acl) = acl else { return Ok(None) };
    if !KNOWN.contains(&acl.as_str()) {
        return Err(Error::argument("", "x-amz-acl", acl));
    }
    if bucket.row.acls_are_disabled() && acl != "private" && acl != "bucket-owner-full-control" {
        return Err(Error::AccessControlListNotSupported {});
    }
    Ok(Some(acl).filter(|acl| acl != "private"))
}

fn encryption(
    bucket: &Bucket,
    wanted: Option<String>,
    key: Option<String>,
    bucket_key: Option<bool>,
) -> Result<Encryption, Error> {
    match wanted.as_deref() {
        Some("AES256") => Ok(Encryption::S3),
        Some("aws:kms" | "aws:kms:dsse") => {
            Ok(Encryption::Kms { algorithm: wanted.unwrap_or_default(), key, bucket_key })
        }
        Some(other) => Err(Error::argument(
            "The encryption method specified is not supported",
            "x-amz-server-side-encryption",
            other,
        )),
        None => default_encryption(bucket),
    }
}

fn default_encryption(bucket: &Bucket) -> Result<Encryption, Error> {
    let document =
        bucket.row.document::<dto::ServerSideEncryptionConfiguration>(kind::ENCRYPTION)?;
    let rule = document.and_then(|document| document.rules.into_iter().next());
    let Some(rule) = rule else { return Ok(Encryption::S3) };
    let bucket_key = rule.bucket_key_enabled;
    Ok(match rule.apply_server_side_encryption_by_default {
        Some(default) if default.sse_algorithm.as_str() != "AES256" => Encryption::Kms {
            algorithm: default.sse_algorithm.as_str().to_owned(),
            key: default.kms_master_key_id,
            bucket_key,
        },
        _ => Encryption::S3,
    })
}
