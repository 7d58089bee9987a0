//! Uploads in parts: create, complete, abort.

pub(crate) mod list;
pub(crate) mod part;

use std::sync::Arc;

use kit::Caller;
use s3s::dto;
use store::{Batch, BlobId};

use super::{get::encryption, put::version_id, template::Template};
use crate::{
    Error, S3,
    change::Change,
    checksum::{Algorithm, Checksum, Kind, Members},
    conditions::WriteConditions,
    history::Place,
    http::Call,
    intake::Unnamed,
    limits,
    multipart::{self, Completed, Part, Upload, blob},
    notification::EventName,
    object::{Body, Manifest},
    rows,
    write::Write,
};

/// CreateMultipartUpload.
pub(crate) async fn create(
    s3: Arc<S3>,
    call: Call,
    mut input: dto::CreateMultipartUploadInput,
) -> Result<dto::CreateMultipartUploadOutput, Error> {
    let owner = input.expected_bucket_owner.take();
    let algorithm = input.checksum_algorithm.take().map(|name| Algorithm::parse(name.as_str()));
    let algorithm = algorithm.transpose()?;
    let kind = input.checksum_type.take().map(|kind| Kind::parse(kind.as_str())).transpose()?;
    let kind = match (algorithm, kind) {
        (None, Some(_)) => {
            return Err(Error::request(
                "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm \
                 header.",
            ));
        }
        (algorithm, kind) => {
            kind.unwrap_or(algorithm.unwrap_or(Algorithm::Crc64Nvme).default_kind())
        }
    };
    if let Some(algorithm) = algorithm {
        algorithm.check_kind(kind)?;
    }
    let template = Template::from(&mut input);
    let bucket = s3.buckets.find(&input.bucket, owner.as_deref())?;
    let upload = Upload {
        id: multipart::upload_id(call.now),
        initiated: call.now,
        initiator: call.account,
        object: template.object(&bucket, call.now)?,
        algorithm,
        kind,
    };
    let mut change = Change::new(&bucket);
    change.batch.put(rows::upload(&input.bucket, &input.key, &upload.id), &upload);
    let nothing = Unnamed::nothing(s3.store.blobs());
    s3.settle(change, nothing).await.map_err(|unsettled| Error::from(unsettled.error))?;
    let sse = encryption(&upload.object.encryption);
    Ok(dto::CreateMultipartUploadOutput {
        bucket: Some(input.bucket),
        key: Some(input.key),
        upload_id: Some(upload.id),
        checksum_algorithm: algorithm.map(|algorithm| algorithm.name().to_owned().into()),
        checksum_type: algorithm.map(|_| kind.name().to_owned().into()),
        server_side_encryption: Some(sse.algorithm.into()),
        ssekms_key_id: sse.key,
        bucket_key_enabled: sse.bucket_key,
        ..Default::default()
    })
}

/// CompleteMultipartUpload.
pub(crate) async fn complete(
    s3: Arc<S3>,
    call: Call,
    mut input: dto::CompleteMultipartUploadInput,
) -> Result<dto::CompleteMultipartUploadOutput, Error> {
    let owner = input.expected_bucket_owner.take();
    let bucket = s3.buckets.find(&input.bucket, owner.as_deref())?;
    let conditions = WriteConditions::new(input.if_match.take(), input.if_none_match.take())?;
    let (upload, at) = s3.upload(&input.bucket, &input.key, &input.upload_id).await?;
    let parts = s3.parts_of(&upload.id).await?;
    let listed = input.multipart_upload.take().and_then(|upload| upload.parts);
    let (parts, versions): (Vec<Part>, Vec<u64>) = parts.into_iter().unzip();
    let completed = multipart::complete(&upload, &parts, listed.unwrap_or_default())?;
    check_claims(&upload, &completed, &mut input)?;
    let place = Place { bucket: input.bucket.clone(), key: input.key.clone(), owner };
    let mut also = Batch::new();
    also.version(rows::upload(&place.bucket, &place.key, &upload.id), at);
    for (part, version) in parts.iter().zip(versions) {
        also.version(rows::part(&upload.id, part.number), version);
    }
    also.delete(rows::upload(&place.bucket, &place.key, &upload.id));
    also.delete_all(rows::parts(&upload.id));
    let mut object = upload.object.clone();
    object.modified = call.now;
    object.size = completed.size;
    object.etag = completed.etag;
    object.checksum = completed.checksum;
    object.parts = u32::try_from(completed.manifest.len()).ok();
    object.body = Body::Parts(upload.id.clone());
    let garbage = unused(&parts, &completed.manifest);
    also.put(rows::manifest(&upload.id), &Manifest { parts: completed.manifest });
    let bytes = Unnamed::nothing(s3.store.blobs());
    let event = EventName::CreatedCompleteMultipartUpload;
    let write = Write { place, object, conditions, event, also, garbage, bytes };
    let object = match s3.write(&call, write).await {
        // Another completion or an abortion was quicker, or a part was replaced meanwhile.
        Err(Error::OperationAborted {}) => {
            s3.upload(&input.bucket, &input.key, &upload.id).await?;
            return Err(Error::OperationAborted {});
        }
        written => written?,
    };
    let sse = encryption(&object.encryption);
    let mut output = dto::CompleteMultipartUploadOutput {
        location: Some(location(&call, &input.bucket, &input.key)),
        bucket: Some(input.bucket),
        key: Some(input.key),
        e_tag: Some(dto::ETag::Strong(object.etag.clone())),
        server_side_encryption: Some(sse.algorithm.into()),
        ssekms_key_id: sse.key,
        bucket_key_enabled: sse.bucket_key,
        version_id: version_id(&object, bucket.row.versioning),
        ..Default::default()
    };
    if let Some(checksum) = &object.checksum {
        output.set_checksum(checksum.algorithm, &checksum.value);
        output.checksum_type = Some(checksum.kind.name().to_owned().into());
    }
    Ok(output)
}

fn location(caller: &Caller, bucket: &str, key: &str) -> String {
    let key = percent_encoding::utf8_percent_encode(key, percent_encoding::NON_ALPHANUMERIC);
    format!("{}/{bucket}/{key}", caller.endpoint)
}

/// What the client says of the whole.
fn check_claims(
    upload: &Upload,
    completed: &Completed,
    input: &mut dto::CompleteMultipartUploadInput,
) -> Result<(), Error> {
    let size = input.mpu_object_size.and_then(|size| u64::try_from(size).ok());
    if size.is_some_and(|size| size != completed.size) {
        return Err(Error::request(format!(
            "The provided 'x-amz-mp-object-size' header value {} does not match what was computed: \
             {}",
            size.unwrap_or_default(),
            completed.size
        )));
    }
    if let Some(kind) = input.checksum_type.take() {
        let wanted = Kind::parse(kind.as_str())?;
        if wanted != upload.kind {
            return Err(Error::request(format!(
                "The upload was created using the {} checksum mode. The complete request must use \
                 the same checksum mode.",
                upload.kind.name()
            )));
        }
    }
    let Some((algorithm, value)) = input.claim()? else { return Ok(()) };
    if algorithm != upload.algorithm() {
        return Err(multipart::mismatch(upload, algorithm));
    }
    // The number of parts behind a composite checksum may be left out.
    let fits = |checksum: &Checksum| {
        checksum.value == value || checksum.value.split('-').next() == Some(&value)
    };
    if completed.checksum.as_ref().is_some_and(fits) {
        return Ok(());
    }
    Err(Error::checksum(algorithm.name()))
}

/// The bytes of parts that the client did not list.
fn unused(parts: &[Part], manifest: &[crate::object::ManifestPart]) -> Vec<BlobId> {
    // A manifest's parts rise in number.
    let is_unused =
        |part: &&Part| manifest.binary_search_by_key(&part.number, |used| used.number).is_err();
    parts.iter().filter(is_unused).filter_map(|part| blob(&part.body)).collect()
}

/// AbortMultipartUpload.
pub(crate) async fn abort(
    s3: Arc<S3>,
    _call: Call,
    input: dto::AbortMultipartUploadInput,
) -> Result<dto::AbortMultipartUploadOutput, Error> {
    for _ in 0..limits::ATTEMPTS {
        let owner = input.expected_bucket_owner.as_deref();
        let bucket = s3.buckets.find(&input.bucket, owner)?;
        let (upload, at) = s3.upload(&input.bucket, &input.key, &input.upload_id).await?;
        let parts = s3.parts_of(&upload.id).await?;
        let row = rows::upload(&input.bucket, &input.key, &upload.id);
        let mut change = Change::new(&bucket);
        change.batch.version(row.clone(), at).delete(row);
        for (part, version) in &parts {
            change.batch.version(rows::part(&upload.id, part.number), *version);
            change.garbage.extend(blob(&part.body));
        }
        change.batch.delete_all(rows::parts(&upload.id));
        match s3.settle(change, Unnamed::nothing(s3.store.blobs())).await {
            Ok(()) => return Ok(dto::AbortMultipartUploadOutput::default()),
            Err(unsettled) => drop(unsettled.again().await?),
        }
    }
    Err(Error::OperationAborted {})
}
