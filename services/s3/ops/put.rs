//! PutObject, and the upload forms that become one.

use std::sync::Arc;

use s3s::dto;
use store::Batch;

use super::{get::encryption, template::Template};
use crate::{
    Error, S3,
    bucket::Versioning,
    checksum::{Algorithm, Checksum, Kind, Members},
    conditions::WriteConditions,
    history::Place,
    http::Call,
    intake::{self, Claims},
    notification::EventName,
    object::Object,
    write::Write,
};

/// PutObject.
pub(crate) async fn run(
    s3: Arc<S3>,
    call: Call,
    mut input: dto::PutObjectInput,
) -> Result<dto::PutObjectOutput, Error> {
    let owner = input.expected_bucket_owner.take();
    let bucket = s3.buckets.find(&input.bucket, owner.as_deref())?;
    if input.write_offset_bytes.is_some() {
        return Err(Error::NotImplemented {
            message: "Appending to objects is a feature of directory buckets.".to_owned(),
        });
    }
    if input.content_length.is_none() && !call.is_form {
        return Err(Error::MissingContentLength {});
    }
    let conditions = WriteConditions::new(input.if_match.take(), input.if_none_match.take())?;
    let mut object = Template::from(&mut input).object(&bucket, call.now)?;
    let mut claims = Claims {
        content_length: content_length(input.content_length)?,
        content_md5: input.content_md5.take(),
        checksum: input.claim()?,
        trailer: call.trailer.clone(),
        wanted: None,
    };
    let named = input.checksum_algorithm.as_ref().map(|name| Algorithm::parse(name.as_str()));
    let algorithm = claims.algorithm().or(named.transpose()?).unwrap_or(Algorithm::Crc64Nvme);
    claims.wanted = Some(algorithm);
    let body = input.body.take().ok_or(Error::IncompleteBody {})?;
    let received = intake::receive(s3.store.blobs(), body, &claims).await?;
    object.size = received.size;
    object.etag.clone_from(&received.etag);
    object.checksum = received.checksum(algorithm).map(|value| Checksum {
        algorithm,
        kind: Kind::FullObject,
        value: value.to_owned(),
    });
    object.body = received.body.body().clone();
    let event = if call.is_form { EventName::CreatedPost } else { EventName::CreatedPut };
    let place = Place { bucket: input.bucket, key: input.key, owner };
    let bytes = received.body;
    let write =
        Write { place, object, conditions, event, also: Batch::new(), garbage: Vec::new(), bytes };
    let object = s3.write(&call, write).await?;
    Ok(output(&object, bucket.row.versioning))
}

fn output(object: &Object, versioning: Versioning) -> dto::PutObjectOutput {
    let sse = encryption(&object.encryption);
    let mut output = dto::PutObjectOutput {
        e_tag: Some(dto::ETag::Strong(object.etag.clone())),
        server_side_encryption: Some(sse.algorithm.into()),
        ssekms_key_id: sse.key,
        bucket_key_enabled: sse.bucket_key,
        version_id: version_id(object, versioning),
        ..Default::default()
    };
    if let Some(checksum) = &object.checksum {
        output.set_checksum(checksum.algorithm, &checksum.value);
        output.checksum_type = Some(checksum.kind.name().to_owned().into());
    }
    output
}

/// Writes name a version only where versions are kept.
pub(crate) fn version_id(object: &Object, versioning: Versioning) -> Option<String> {
    match versioning {
        Versioning::Never => None,
        _ => Some(object.version_text().to_owned()),
    }
}

/// A length out of a header.
pub(crate) fn content_length(length: Option<i64>) -> Result<Option<u64>, Error> {
    let length = length.map(u64::try_from).transpose();
    length.map_err(|_| Error::request("The Content-Length is not a number of bytes."))
}
