//! ListMultipartUploads, ListParts.

use std::sync::Arc;

use s3s::dto;

use crate::{
    Error, S3, bucket,
    checksum::Members,
    http::Call,
    listing::{self, Cursor, KeyEncoding, Query},
    moment,
    multipart::{Part, Upload},
    rows,
};

/// ListMultipartUploads.
pub(crate) async fn uploads(
    s3: Arc<S3>,
    _call: Call,
    input: dto::ListMultipartUploadsInput,
) -> Result<dto::ListMultipartUploadsOutput, Error> {
    s3.buckets.find(&input.bucket, input.expected_bucket_owner.as_deref())?;
    let keys = KeyEncoding::parse(input.encoding_type.as_ref().map(|e| e.as_str()))?;
    let query = Query::new(input.prefix, input.delimiter, input.max_uploads, "max-uploads")?;
    let key_marker = input.key_marker.unwrap_or_default();
    let id_marker = input.upload_id_marker.unwrap_or_default();
    let after = match (key_marker.as_str(), id_marker.as_str()) {
        ("", _) => None,
        (key, "") => Some(rows::uploads_of(&input.bucket, key).end()),
        (key, id) => Some(rows::upload(&input.bucket, key, id)),
    };
    let base = rows::uploads(&input.bucket);
    let mut cursor = Cursor::<Upload>::new(&s3.store, base, &query.prefix, after);
    let page = listing::page(&query, &mut cursor).await?;
    let next_id = page.items.last().map(|(_, upload)| upload.id.clone());
    let prefixes =
        page.prefixes.iter().map(|prefix| dto::CommonPrefix { prefix: Some(keys.write(prefix)) });
    let uploads = page.items.iter().map(|(key, upload)| dto::MultipartUpload {
        checksum_algorithm: upload.algorithm.map(|algorithm| algorithm.name().to_owned().into()),
        checksum_type: upload.algorithm.map(|_| upload.kind.name().to_owned().into()),
        initiated: Some(moment::timestamp(upload.initiated)),
        initiator: Some(initiator(upload)),
        key: Some(keys.write(key)),
        owner: Some(bucket::owner(upload.initiator)),
        storage_class: Some(upload.object.storage_class().to_owned().into()),
        upload_id: Some(upload.id.clone()),
    });
    Ok(dto::ListMultipartUploadsOutput {
        common_prefixes: Some(prefixes.collect()),
        uploads: Some(uploads.collect()),
        bucket: Some(input.bucket),
        delimiter: query.delimiter.as_deref().map(|delimiter| keys.write(delimiter)),
        encoding_type: input.encoding_type,
        is_truncated: Some(page.truncated),
        key_marker: Some(keys.write(&key_marker)),
        max_uploads: i32::try_from(query.max).ok(),
        next_key_marker: page.truncated.then(|| keys.write(&page.last)),
        next_upload_id_marker: next_id.filter(|_| page.truncated),
        prefix: Some(keys.write(&query.prefix)),
        request_charged: None,
        upload_id_marker: Some(id_marker),
    })
}

fn initiator(upload: &Upload) -> dto::Initiator {
    dto::Initiator { id: bucket::owner(upload.initiator).id, display_name: None }
}

/// ListParts.
pub(crate) async fn parts(
    s3: Arc<S3>,
    _call: Call,
    input: dto::ListPartsInput,
) -> Result<dto::ListPartsOutput, Error> {
    s3.buckets.find(&input.bucket, input.expected_bucket_owner.as_deref())?;
    let (upload, _) = s3.upload(&input.bucket, &input.key, &input.upload_id).await?;
    let query = Query::new(None, None, input.max_parts, "max-parts")?;
    let marker = input.part_number_marker.unwrap_or(0).max(0);
    let after = rows::part(&upload.id, marker);
    let rows = s3.store.list::<Part>(&rows::parts(&upload.id), Some(&after), query.max + 1).await?;
    let mut parts: Vec<Part> = rows.into_iter().map(|(_, part)| part).collect();
    let truncated = parts.len() > query.max && query.max > 0;
    parts.truncate(query.max);
    let next = parts.last().map_or(0, |part| part.number);
    let shown = parts.into_iter().map(|part| {
        let mut shown = dto::Part {
            e_tag: Some(dto::ETag::Strong(part.etag)),
            last_modified: Some(moment::timestamp(part.modified)),
            part_number: Some(part.number),
            size: i64::try_from(part.size).ok(),
            ..Default::default()
        };
        if let Some(algorithm) = upload.algorithm {
            shown.set_checksum(algorithm, &part.checksum);
        }
        shown
    });
    Ok(dto::ListPartsOutput {
        parts: Some(shown.collect()),
        bucket: Some(input.bucket),
        checksum_algorithm: upload.algorithm.map(|algorithm| algorithm.name().to_owned().into()),
        checksum_type: upload.algorithm.map(|_| upload.kind.name().to_owned().into()),
        initiator: Some(initiator(&upload)),
        is_truncated: Some(truncated),
        key: Some(input.key),
        max_parts: i32::try_from(query.max).ok(),
        next_part_number_marker: Some(next),
        owner: Some(bucket::owner(upload.initiator)),
        part_number_marker: Some(marker),
        storage_class: Some(upload.object.storage_class().to_owned().into()),
        upload_id: Some(upload.id.clone()),
        ..Default::default()
    })
}
