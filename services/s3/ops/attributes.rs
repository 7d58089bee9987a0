//! GetObjectAttributes.

use std::sync::Arc;

use s3s::dto;

use crate::{
    Error, S3,
    bucket::Versioning,
    checksum::Members,
    http::Call,
    limits, moment,
    object::{Body, Object},
};

/// GetObjectAttributes.
pub(crate) async fn get(
    s3: Arc<S3>,
    _call: Call,
    input: dto::GetObjectAttributesInput,
) -> Result<dto::GetObjectAttributesOutput, Error> {
    let bucket = s3.buckets.find(&input.bucket, input.expected_bucket_owner.as_deref())?;
    let object = s3.find(&bucket, &input.key, input.version_id.as_deref(), "GET").await?;
    // s3s takes the list apart by headers only, clients write it with commas.
    let wanted = input.object_attributes.iter().flat_map(|wanted| wanted.as_str().split(','));
    let wants = |name: &str| wanted.clone().any(|wanted| wanted.trim() == name);
    let mut output = dto::GetObjectAttributesOutput {
        last_modified: Some(moment::timestamp(object.modified)),
        ..Default::default()
    };
    if bucket.row.versioning != Versioning::Never {
        output.version_id = Some(object.version_text().to_owned());
    }
    output.e_tag = wants("ETag").then(|| dto::ETag::Strong(object.etag.clone()));
    output.object_size = i64::try_from(object.size).ok().filter(|_| wants("ObjectSize"));
    output.storage_class = wants("StorageClass").then(|| object.storage_class().to_owned().into());
    if let Some(checksum) = object.checksum.as_ref().filter(|_| wants("Checksum")) {
        let mut shown = dto::Checksum::default();
        // Here, as nowhere else, S3 leaves out the number of parts.
        let value = checksum.value.split('-').next().unwrap_or_default();
        shown.set_checksum(checksum.algorithm, value);
        shown.checksum_type = Some(checksum.kind.name().to_owned().into());
        output.checksum = Some(shown);
    }
    if wants("ObjectParts") && object.parts.is_some() {
        let max = input.max_parts.and_then(|max| usize::try_from(max).ok());
        let max = max.unwrap_or(limits::PAGE_ENTRIES).min(limits::PAGE_ENTRIES);
        output.object_parts = Some(s3.object_parts(&object, max, input.part_number_marker).await?);
    }
    Ok(output)
}

impl S3 {
    async fn object_parts(
        &self,
        object: &Object,
        max: usize,
        marker: Option<i32>,
    ) -> Result<dto::GetObjectAttributesParts, Error> {
        let manifest = match &object.body {
            Body::Parts(id) => self.manifest(id).await?.unwrap_or_default(),
            _ => Default::default(),
        };
        let total = i32::try_from(manifest.parts.len()).ok();
        let behind = manifest.parts.into_iter().filter(|part| part.number > marker.unwrap_or(0));
        let mut parts: Vec<_> = behind.take(max + 1).collect();
        let truncated = parts.len() > max;
        parts.truncate(max);
        let next = parts.last().map(|part| part.number);
        // Without a checksum of their own S3 only counts the parts.
        let algorithm = object.checksum.as_ref().map(|checksum| checksum.algorithm);
        let has_checksums = parts.iter().any(|part| part.checksum.is_some());
        let shown = parts.into_iter().map(|part| {
            let mut shown = dto::ObjectPart {
                part_number: Some(part.number),
                size: i64::try_from(part.size).ok(),
                ..Default::default()
            };
            if let Some((algorithm, value)) = algorithm.zip(part.checksum) {
                shown.set_checksum(algorithm, &value);
            }
            shown
        });
        Ok(dto::GetObjectAttributesParts {
            is_truncated: Some(truncated),
            max_parts: i32::try_from(max).ok(),
            next_part_number_marker: next.or(Some(0)),
            part_number_marker: marker.or(Some(0)),
            parts: has_checksums.then(|| shown.collect()),
            total_parts_count: total,
        })
    }
}
