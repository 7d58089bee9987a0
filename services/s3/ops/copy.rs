//! CopyObject.

use std::sync::Arc;

use futures::StreamExt;
use s3s::dto;
use store::Batch;

use super::{get::encryption, put::version_id, template::Template};
use crate::{
    Error, S3,
    bucket::Versioning,
    checksum::{Algorithm, Checksum, Kind, Members},
    conditions::{Purpose, ReadConditions, WriteConditions},
    history::Place,
    http::Call,
    intake::{self, Claims, Received},
    limits, moment,
    notification::EventName,
    object::{Encryption, Object},
    write::Write,
};

/// CopyObject.
pub(crate) async fn run(
    s3: Arc<S3>,
    call: Call,
    mut input: dto::CopyObjectInput,
) -> Result<dto::CopyObjectOutput, Error> {
    let owner = input.expected_bucket_owner.take();
    let bucket = s3.buckets.find(&input.bucket, owner.as_deref())?;
    let conditions = ReadConditions {
        if_match: input.copy_source_if_match.take(),
        if_none_match: input.copy_source_if_none_match.take(),
        if_modified_since: input.copy_source_if_modified_since.take(),
        if_unmodified_since: input.copy_source_if_unmodified_since.take(),
    };
    let source_owner = input.expected_source_bucket_owner.take();
    let source = s3.source(&input.copy_source, source_owner.as_deref(), &conditions).await?;
    if source.object.size > limits::UPLOAD_BYTES {
        return Err(Error::request(
            "The specified copy source is larger than the maximum allowable size for a copy \
             source: 5368709120",
        ));
    }
    let replaces_metadata = directive(input.metadata_directive.as_ref().map(|d| d.as_str()))?;
    let replaces_tags = directive(input.tagging_directive.as_ref().map(|d| d.as_str()))?;
    let named = input.checksum_algorithm.take();
    let named = named.map(|name| Algorithm::parse(name.as_str())).transpose()?;
    check_self_copy(&input, &source, replaces_metadata)?;
    if !replaces_tags {
        input.tagging = None;
    }
    let redirect = input.website_redirect_location.clone();
    let class = input.storage_class.clone();
    let mut object = Template::from(&mut input).object(&bucket, call.now)?;
    if !replaces_metadata {
        object.headers = source.object.headers.clone();
        // The redirect is never copied.
        object.headers.website_redirect = redirect;
        object.metadata.clone_from(&source.object.metadata);
    }
    if !replaces_tags {
        object.tags.clone_from(&source.object.tags);
    }
    if class.is_none() && source.object.is_archived() {
        return Err(Error::InvalidObjectState {
            message: "The source object of the COPY operation is not in the active tier".to_owned(),
        });
    }
    let algorithm = named
        .or(source.object.checksum.as_ref().map(|checksum| checksum.algorithm))
        .unwrap_or(Algorithm::Crc64Nvme);
    let received = s3.take_in(&source.object, 0..source.object.size, Some(algorithm)).await?;
    fill(&mut object, &received, algorithm);
    let place = Place { bucket: input.bucket, key: input.key, owner };
    let write = Write {
        place,
        object,
        conditions: WriteConditions::default(),
        event: EventName::CreatedCopy,
        also: Batch::new(),
        garbage: Vec::new(),
        bytes: received.body,
    };
    let object = s3.write(&call, write).await?;
    Ok(output(&object, bucket.row.versioning, source.version))
}

fn fill(object: &mut Object, received: &Received, algorithm: Algorithm) {
    object.size = received.size;
    object.etag.clone_from(&received.etag);
    object.body = received.body.body().clone();
    object.checksum = received.checksum(algorithm).map(|value| Checksum {
        algorithm,
        kind: Kind::FullObject,
        value: value.to_owned(),
    });
}

fn output(
    object: &Object,
    versioning: Versioning,
    source: Option<String>,
) -> dto::CopyObjectOutput {
    let mut result = dto::CopyObjectResult {
        e_tag: Some(dto::ETag::Strong(object.etag.clone())),
        last_modified: Some(moment::timestamp(object.modified)),
        ..Default::default()
    };
    if let Some(checksum) = &object.checksum {
        result.set_checksum(checksum.algorithm, &checksum.value);
        result.checksum_type = Some(checksum.kind.name().to_owned().into());
    }
    let sse = encryption(&object.encryption);
    dto::CopyObjectOutput {
        copy_object_result: Some(result),
        copy_source_version_id: source,
        server_side_encryption: Some(sse.algorithm.into()),
        ssekms_key_id: sse.key,
        bucket_key_enabled: sse.bucket_key,
        version_id: version_id(object, versioning),
        ..Default::default()
    }
}

/// Whether a directive says `REPLACE`.
fn directive(directive: Option<&str>) -> Result<bool, Error> {
    match directive {
        None | Some("COPY") => Ok(false),
        Some("REPLACE") => Ok(true),
        Some(other) => {
            Err(Error::argument("Unknown metadata directive.", "x-amz-metadata-directive", other))
        }
    }
}

/// Copying an object onto itself must change something.
fn check_self_copy(
    input: &dto::CopyObjectInput,
    source: &Source,
    replaces_metadata: bool,
) -> Result<(), Error> {
    let same =
        source.bucket == input.bucket && source.key == input.key && source.asked_version.is_none();
    let class = input.storage_class.as_ref().map(|class| class.as_str());
    let changes = replaces_metadata
        || class.is_some_and(|class| class != source.object.storage_class())
        || input.website_redirect_location.is_some()
        || input.server_side_encryption.is_some()
        || source.object.encryption != Encryption::S3;
    if same && !changes {
        return Err(Error::request(
            "This copy request is illegal because it is trying to copy an object to itself without \
             changing the object's metadata, storage class, website redirect location or \
             encryption attributes.",
        ));
    }
    Ok(())
}

/// What is copied.
pub(crate) struct Source {
    bucket: String,
    key: String,
    asked_version: Option<String>,
    /// Where the source's bucket keeps versions.
    pub(crate) version: Option<String>,
    pub(crate) object: Object,
}

impl S3 {
    /// The version that `x-amz-copy-source` names, if the conditions hold.
    pub(crate) async fn source(
        &self,
        source: &dto::CopySource,
        owner: Option<&str>,
        conditions: &ReadConditions,
    ) -> Result<Source, Error> {
        let dto::CopySource::Bucket { bucket: name, key, version_id } = source else {
            return Err(Error::NotImplemented {
                message: "lampejo does not implement access points.".to_owned(),
            });
        };
        let bucket = self.buckets.find(name, owner)?;
        let object = match self.find(&bucket, key, version_id.as_deref(), "GET").await {
            Err(Error::MethodNotAllowed { .. }) => {
                return Err(Error::request(
                    "The source of a copy request may not specifically refer to a delete marker by \
                     version id.",
                ));
            }
            found => found?,
        };
        conditions.check(&object, Purpose::Copy)?;
        let keeps_versions = bucket.row.versioning != Versioning::Never;
        Ok(Source {
            bucket: name.to_string(),
            key: key.to_string(),
            asked_version: version_id.as_deref().map(str::to_owned),
            version: keeps_versions.then(|| object.version_text().to_owned()),
            object,
        })
    }

    /// Copies bytes of a version into bytes of their own.
    pub(crate) async fn take_in(
        &self,
        object: &Object,
        range: std::ops::Range<u64>,
        algorithm: Option<Algorithm>,
    ) -> Result<Received, Error> {
        let length = range.end - range.start;
        let gone = || Error::OperationAborted {};
        let bytes = self.bytes(object, range).await?.ok_or_else(gone)?;
        let claims =
            Claims { content_length: Some(length), wanted: algorithm, ..Claims::default() };
        intake::receive(self.store.blobs(), bytes.boxed(), &claims).await
    }
}
