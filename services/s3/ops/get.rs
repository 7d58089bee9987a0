//! Reading a version: GetObject, HeadObject.

use std::{ops::Range, sync::Arc};

use s3s::dto;

use crate::{
    Error, S3,
    bucket::{Bucket, Versioning},
    checksum::{Checksum, Members},
    conditions::{Purpose, ReadConditions},
    http::Call,
    moment,
    object::{Body, Encryption, Object},
};

/// How often a read starts anew because the version was replaced between row and bytes.
const ATTEMPTS: usize = 10;

/// What of a version is read.
struct Part {
    range: Range<u64>,
    /// `Content-Range`, unless it is the whole.
    shown: Option<String>,
    /// The checksum of a part that was asked for by its number.
    checksum: Option<Option<Checksum>>,
}

/// GetObject.
pub(crate) async fn object(
    s3: Arc<S3>,
    _call: Call,
    input: dto::GetObjectInput,
) -> Result<dto::GetObjectOutput, Error> {
    let bucket = s3.buckets.find(&input.bucket, input.expected_bucket_owner.as_deref())?;
    let conditions = ReadConditions {
        if_match: input.if_match,
        if_none_match: input.if_none_match,
        if_modified_since: input.if_modified_since,
        if_unmodified_since: input.if_unmodified_since,
    };
    for _ in 0..ATTEMPTS {
        let object = s3.find(&bucket, &input.key, input.version_id.as_deref(), "GET").await?;
        conditions.check(&object, Purpose::Answer)?;
        if object.is_archived() {
            return Err(Error::InvalidObjectState {
                message: "The operation is not valid for the object's storage class".to_owned(),
            });
        }
        let part = s3.part(&object, input.range.as_ref(), input.part_number).await?;
        let Some(body) = s3.bytes(&object, part.range.clone()).await? else { continue };
        let mut output: dto::GetObjectOutput = described(&bucket, &object, &part);
        if input.checksum_mode.is_some() {
            show_checksum(&mut output, &object, &part);
        }
        output.body = Some(body.into());
        output.tag_count = i32::try_from(object.tags.len()).ok().filter(|count| *count > 0);
        override_headers(
            &mut output,
            input.response_expires,
            [
                input.response_content_type,
                input.response_cache_control,
                input.response_content_disposition,
                input.response_content_encoding,
                input.response_content_language,
            ],
        );
        return Ok(output);
    }
    Err(Error::OperationAborted {})
}

/// HeadObject.
pub(crate) async fn head(
    s3: Arc<S3>,
    _call: Call,
    input: dto::HeadObjectInput,
) -> Result<dto::HeadObjectOutput, Error> {
    let bucket = s3.buckets.find(&input.bucket, input.expected_bucket_owner.as_deref())?;
    let object = s3.find(&bucket, &input.key, input.version_id.as_deref(), "HEAD").await?;
    let conditions = ReadConditions {
        if_match: input.if_match,
        if_none_match: input.if_none_match,
        if_modified_since: input.if_modified_since,
        if_unmodified_since: input.if_unmodified_since,
    };
    conditions.check(&object, Purpose::Answer)?;
    let part = s3.part(&object, input.range.as_ref(), input.part_number).await?;
    let mut output: dto::HeadObjectOutput = described(&bucket, &object, &part);
    if input.checksum_mode.is_some() {
        show_checksum(&mut output, &object, &part);
    }
    override_headers(
        &mut output,
        input.response_expires,
        [
            input.response_content_type,
            input.response_cache_control,
            input.response_content_disposition,
            input.response_content_encoding,
            input.response_content_language,
        ],
    );
    Ok(output)
}

impl S3 {
    /// Which bytes a range or a part's number means.
    async fn part(
        &self,
        object: &Object,
        range: Option<&dto::Range>,
        number: Option<i32>,
    ) -> Result<Part, Error> {
        match (range, number) {
            (Some(_), Some(_)) => Err(Error::request(
                "Cannot specify both Range header and partNumber query parameter",
            )),
            (None, None) => Ok(Part { range: 0..object.size, shown: None, checksum: None }),
            (Some(wanted), None) => {
                // An empty object has no bytes to range over; its last bytes are none.
                let range = wanted.check(object.size).map_err(|_| Error::InvalidRange {
                    requested: wanted.to_header_string(),
                    actual: object.size.to_string(),
                    range: format!("bytes */{}", object.size),
                })?;
                let shown = Some(shown(&range, object.size));
                Ok(Part { range, shown, checksum: None })
            }
            (None, Some(number)) => self.numbered(object, number).await,
        }
    }

    async fn numbered(&self, object: &Object, number: i32) -> Result<Part, Error> {
        let missing = |actual: usize| Error::InvalidPartNumber {
            requested: number.to_string(),
            actual: actual.to_string(),
        };
        let Body::Parts(id) = &object.body else {
            if number != 1 {
                return Err(missing(1));
            }
            let range = 0..object.size;
            let shown = (object.size > 0).then(|| shown(&range, object.size));
            return Ok(Part { range, shown, checksum: None });
        };
        let manifest = self.manifest(id).await?.unwrap_or_default();
        let mut start = 0;
        let index = usize::try_from(number).unwrap_or(0).wrapping_sub(1);
        for (at, part) in manifest.parts.iter().enumerate() {
            if at == index {
                let range = start..start + part.size;
                let checksum = object.checksum.as_ref().zip(part.checksum.clone());
                let checksum = checksum.map(|(whole, value)| Checksum { value, ..whole.clone() });
                let shown = Some(shown(&range, object.size));
                return Ok(Part { range, shown, checksum: Some(checksum) });
            }
            start += part.size;
        }
        Err(missing(manifest.parts.len()))
    }
}

fn shown(range: &Range<u64>, size: u64) -> String {
    format!("bytes {}-{}/{size}", range.start, range.end.saturating_sub(1))
}

/// What GetObject and HeadObject tell alike.
macro_rules! description {
    ($($output:ident)*) => {
        $(impl Described for dto::$output {
            fn describe(&mut self, bucket: &Bucket, object: &Object, part: &Part) {
                self.accept_ranges = Some("bytes".to_owned());
                self.content_length = i64::try_from(part.range.end - part.range.start).ok();
                self.content_range.clone_from(&part.shown);
                self.e_tag = Some(dto::ETag::Strong(object.etag.clone()));
                self.last_modified = Some(moment::timestamp(object.modified));
                self.metadata = Some(object.metadata.clone().into_iter().collect());
                let headers = object.headers.clone();
                let default = || Some("binary/octet-stream".to_owned());
                self.content_type = headers.content_type.or_else(default);
                self.cache_control = headers.cache_control;
                self.content_disposition = headers.content_disposition;
                self.content_encoding = headers.content_encoding;
                self.content_language = headers.content_language;
                self.expires = headers.expires.map(moment::timestamp);
                self.website_redirect_location = headers.website_redirect;
                self.storage_class =
                    object.storage_class.clone().map(dto::StorageClass::from);
                if bucket.row.versioning != Versioning::Never {
                    self.version_id = Some(object.version_text().to_owned());
                }
                self.parts_count = part.checksum.is_some()
                    .then(|| object.parts.and_then(|parts| i32::try_from(parts).ok()))
                    .flatten();
                let sse = encryption(&object.encryption);
                self.server_side_encryption = Some(sse.algorithm.into());
                self.ssekms_key_id = sse.key;
                self.bucket_key_enabled = sse.bucket_key;
                if let Some(retention) = object.retention {
                    self.object_lock_mode = Some(retention.mode.name().to_owned().into());
                    self.object_lock_retain_until_date = Some(moment::timestamp(retention.until));
                }
                self.object_lock_legal_hold_status = object.legal_hold
                    .map(|held| if held { "ON" } else { "OFF" }.to_owned().into());
            }

            fn headers(&mut self) -> [&mut Option<String>; 5] {
                [
                    &mut self.content_type,
                    &mut self.cache_control,
                    &mut self.content_disposition,
                    &mut self.content_encoding,
                    &mut self.content_language,
                ]
            }

            fn set_expires(&mut self, expires: dto::Timestamp) {
                self.expires = Some(expires);
            }

            fn set_checksum_type(&mut self, kind: &str) {
                self.checksum_type = Some(kind.to_owned().into());
            }
        })*
    };
}

trait Described: Default + Members {
    fn describe(&mut self, bucket: &Bucket, object: &Object, part: &Part);
    fn headers(&mut self) -> [&mut Option<String>; 5];
    fn set_expires(&mut self, expires: dto::Timestamp);
    fn set_checksum_type(&mut self, kind: &str);
}

description! { GetObjectOutput HeadObjectOutput }

fn described<T: Described>(bucket: &Bucket, object: &Object, part: &Part) -> T {
    let mut output = T::default();
    output.describe(bucket, object, part);
    output
}

/// The checksum of the whole, or of a part that was asked for; a range has none.
fn show_checksum(output: &mut impl Described, object: &Object, part: &Part) {
    let checksum = match &part.checksum {
        Some(of_part) => of_part.clone(),
        None => object.checksum.clone().filter(|_| part.range == (0..object.size)),
    };
    if let Some(checksum) = checksum {
        output.set_checksum(checksum.algorithm, &checksum.value);
        output.set_checksum_type(checksum.kind.name());
    }
}

/// `response-…` parameters win over what is stored.
fn override_headers(
    output: &mut impl Described,
    expires: Option<dto::Timestamp>,
    overrides: [Option<String>; 5],
) {
    for (header, value) in output.headers().into_iter().zip(overrides) {
        if value.is_some() {
            *header = value;
        }
    }
    if let Some(expires) = expires {
        output.set_expires(expires);
    }
}

/// Encryption as answers tell it.
pub(crate) struct Shown {
    pub(crate) algorithm: String,
    pub(crate) key: Option<String>,
    pub(crate) bucket_key: Option<bool>,
}

pub(crate) fn encryption(encryption: &Encryption) -> Shown {
    match encryption.clone() {
        Encryption::S3 => Shown { algorithm: "AES256".to_owned(), key: None, bucket_key: None },
        Encryption::Kms { algorithm, key, bucket_key } => Shown { algorithm, key, bucket_key },
    }
}
