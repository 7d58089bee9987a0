//! UploadPart, UploadPartCopy.

use std::{ops::Range, sync::Arc};

use s3s::dto;

use crate::{
    Error, S3,
    change::Change,
    checksum::{Algorithm, Members},
    conditions::ReadConditions,
    history::Place,
    http::Call,
    intake::{self, Claims, Received, Unnamed},
    limits, moment,
    multipart::{self, Part, Upload, blob},
    ops::{get::encryption, put::content_length},
    rows,
};

/// UploadPart.
pub(crate) async fn upload(
    s3: Arc<S3>,
    call: Call,
    mut input: dto::UploadPartInput,
) -> Result<dto::UploadPartOutput, Error> {
    multipart::check_number(input.part_number)?;
    let owner = input.expected_bucket_owner.take();
    s3.buckets.find(&input.bucket, owner.as_deref())?;
    let (upload, _) = s3.upload(&input.bucket, &input.key, &input.upload_id).await?;
    if input.content_length.is_none() {
        return Err(Error::MissingContentLength {});
    }
    let claims = Claims {
        content_length: content_length(input.content_length)?,
        content_md5: input.content_md5.take(),
        checksum: input.claim()?,
        trailer: call.trailer.clone(),
        wanted: Some(upload.algorithm()),
    };
    let claimed = claims.algorithm();
    if let (Some(claimed), Some(expected)) = (claimed, upload.algorithm)
        && claimed != expected
    {
        return Err(multipart::mismatch(&upload, claimed));
    }
    let body = input.body.take().ok_or(Error::IncompleteBody {})?;
    let received = intake::receive(s3.store.blobs(), body, &claims).await?;
    let shown = claimed.or(upload.algorithm);
    let shown =
        shown.and_then(|algorithm| Some((algorithm, received.checksum(algorithm)?.to_owned())));
    let place = Place { bucket: input.bucket, key: input.key, owner };
    let part = part(&upload, input.part_number, &call, &received);
    let part = s3.put_part(&place, &upload, part, received.body).await?;
    let sse = encryption(&upload.object.encryption);
    let mut output = dto::UploadPartOutput {
        e_tag: Some(dto::ETag::Strong(part.etag)),
        server_side_encryption: Some(sse.algorithm.into()),
        ssekms_key_id: sse.key,
        bucket_key_enabled: sse.bucket_key,
        ..Default::default()
    };
    if let Some((algorithm, value)) = shown {
        output.set_checksum(algorithm, &value);
    }
    Ok(output)
}

fn part(upload: &Upload, number: i32, call: &Call, received: &Received) -> Part {
    Part {
        number,
        size: received.size,
        etag: received.etag.clone(),
        modified: call.now,
        checksum: received.checksum(upload.algorithm()).unwrap_or_default().to_owned(),
        body: received.body.body().clone(),
    }
}

/// UploadPartCopy.
pub(crate) async fn copy(
    s3: Arc<S3>,
    call: Call,
    input: dto::UploadPartCopyInput,
) -> Result<dto::UploadPartCopyOutput, Error> {
    multipart::check_number(input.part_number)?;
    let owner = input.expected_bucket_owner;
    s3.buckets.find(&input.bucket, owner.as_deref())?;
    let (upload, _) = s3.upload(&input.bucket, &input.key, &input.upload_id).await?;
    let conditions = ReadConditions {
        if_match: input.copy_source_if_match,
        if_none_match: input.copy_source_if_none_match,
        if_modified_since: input.copy_source_if_modified_since,
        if_unmodified_since: input.copy_source_if_unmodified_since,
    };
    let source_owner = input.expected_source_bucket_owner;
    let source = s3.source(&input.copy_source, source_owner.as_deref(), &conditions).await?;
    let range = match input.copy_source_range.as_deref() {
        Some(text) => range(text, source.object.size)?,
        None => 0..source.object.size,
    };
    let algorithm: Algorithm = upload.algorithm();
    let received = s3.take_in(&source.object, range, Some(algorithm)).await?;
    let place = Place { bucket: input.bucket, key: input.key, owner };
    let part = part(&upload, input.part_number, &call, &received);
    let part = s3.put_part(&place, &upload, part, received.body).await?;
    let sse = encryption(&upload.object.encryption);
    let mut result = dto::CopyPartResult {
        e_tag: Some(dto::ETag::Strong(part.etag)),
        last_modified: Some(moment::timestamp(part.modified)),
        ..Default::default()
    };
    if upload.algorithm.is_some() {
        result.set_checksum(algorithm, &part.checksum);
    }
    Ok(dto::UploadPartCopyOutput {
        copy_part_result: Some(result),
        copy_source_version_id: source.version,
        server_side_encryption: Some(sse.algorithm.into()),
        ssekms_key_id: sse.key,
        bucket_key_enabled: sse.bucket_key,
        ..Default::default()
    })
}

/// `bytes=first-last`, both named and inside of the source.
fn range(text: &str, size: u64) -> Result<Range<u64>, Error> {
    let name = "x-amz-copy-source-range";
    let parsed = text.strip_prefix("bytes=").and_then(|range| {
        let (first, last) = range.split_once('-')?;
        Some((first.parse::<u64>().ok()?, last.parse::<u64>().ok()?))
    });
    let Some((first, last)) = parsed.filter(|(first, last)| first <= last) else {
        return Err(Error::argument(
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first \
             and last are the zero-based offsets of the first and last bytes to copy",
            name,
            text,
        ));
    };
    if last >= size {
        let message = format!("Range specified is not valid for source object of size: {size}");
        return Err(Error::argument(&message, name, text));
    }
    Ok(first..last + 1)
}

impl S3 {
    /// Stores a part in place of the one of the same number.
    async fn put_part(
        self: &Arc<S3>,
        place: &Place,
        upload: &Upload,
        part: Part,
        mut bytes: Unnamed,
    ) -> Result<Part, Error> {
        let row = rows::part(&upload.id, part.number);
        let upload_row = rows::upload(&place.bucket, &place.key, &upload.id);
        for _ in 0..limits::ATTEMPTS {
            let bucket = self.buckets.find(&place.bucket, place.owner.as_deref())?;
            let mut change = Change::new(&bucket);
            change.batch.present(upload_row.clone());
            match self.store.get(&row).await? {
                None => {
                    change.batch.absent(row.clone());
                }
                Some(before) => {
                    change.batch.version(row.clone(), before.version);
                    change.garbage.extend(blob(&before.decode::<Part>()?.body));
                }
            }
            change.batch.put(row.clone(), &part);
            match self.settle(change, bytes).await {
                Ok(()) => return Ok(part),
                Err(unsettled) if unsettled.is_about(&upload_row) => {
                    return Err(Error::NoSuchUpload { upload: upload.id.clone() });
                }
                Err(unsettled) => bytes = unsettled.again().await?,
            }
        }
        Err(Error::OperationAborted {})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copied_range_lies_inside_of_the_source() {
        assert_eq!(range("bytes=0-9", 10).unwrap(), 0..10);
        for text in ["bytes=0-10", "bytes=5-", "bytes=-5", "bytes=5-4", "0-4"] {
            assert!(matches!(range(text, 10), Err(Error::InvalidArgument { .. })), "{text}");
        }
    }
}
