//! Tags of buckets and objects.

use std::sync::Arc;

use s3s::dto;

use crate::{
    Error, S3,
    bucket::Versioning,
    history::Place,
    http::Call,
    limits,
    notification::EventName,
    object::Object,
    tags::{self, Tags},
};

/// GetBucketTagging.
pub(crate) async fn get_bucket(
    s3: Arc<S3>,
    _call: Call,
    input: dto::GetBucketTaggingInput,
) -> Result<dto::GetBucketTaggingOutput, Error> {
    let bucket = s3.buckets.find(&input.bucket, input.expected_bucket_owner.as_deref())?;
    if bucket.row.tags.is_empty() {
        return Err(Error::NoSuchTagSet { bucket: input.bucket });
    }
    Ok(dto::GetBucketTaggingOutput { tag_set: tags::to_set(&bucket.row.tags) })
}

/// PutBucketTagging.
pub(crate) async fn put_bucket(
    s3: Arc<S3>,
    _call: Call,
    input: dto::PutBucketTaggingInput,
) -> Result<dto::PutBucketTaggingOutput, Error> {
    let tags = tags::from_set(input.tagging.tag_set, limits::BUCKET_TAGS)?;
    s3.tag_bucket(&input.bucket, input.expected_bucket_owner.as_deref(), tags).await?;
    Ok(dto::PutBucketTaggingOutput {})
}

/// DeleteBucketTagging.
pub(crate) async fn delete_bucket(
    s3: Arc<S3>,
    _call: Call,
    input: dto::DeleteBucketTaggingInput,
) -> Result<dto::DeleteBucketTaggingOutput, Error> {
    s3.tag_bucket(&input.bucket, input.expected_bucket_owner.as_deref(), Tags::new()).await?;
    Ok(dto::DeleteBucketTaggingOutput {})
}

impl S3 {
    async fn tag_bucket(&self, bucket: &str, owner: Option<&str>, tags: Tags) -> Result<(), Error> {
        let change = self.buckets.change(bucket, owner, |row| {
            row.tags.clone_from(&tags);
            Ok(())
        });
        change.await
    }

    /// The version's id, for the answer.
    async fn tag_object(
        self: &Arc<S3>,
        call: &Call,
        place: &Place,
        version: Option<&str>,
        event: EventName,
        tags: Tags,
    ) -> Result<Option<String>, Error> {
        let amend = self.amend(call, place, version, Some(event), |_, object| {
            object.tags.clone_from(&tags);
            Ok(())
        });
        let object = amend.await?;
        self.shown_version(place, &object)
    }

    fn shown_version(&self, place: &Place, object: &Object) -> Result<Option<String>, Error> {
        let bucket = self.buckets.find(&place.bucket, None)?;
        let keeps_versions = bucket.row.versioning != Versioning::Never;
        Ok(keeps_versions.then(|| object.version_text().to_owned()))
    }
}

/// GetObjectTagging.
pub(crate) async fn get_object(
    s3: Arc<S3>,
    _call: Call,
    input: dto::GetObjectTaggingInput,
) -> Result<dto::GetObjectTaggingOutput, Error> {
    let bucket = s3.buckets.find(&input.bucket, input.expected_bucket_owner.as_deref())?;
    let object = s3.find(&bucket, &input.key, input.version_id.as_deref(), "GET").await?;
    let place = Place { bucket: input.bucket, key: input.key, owner: None };
    let version_id = s3.shown_version(&place, &object)?;
    Ok(dto::GetObjectTaggingOutput { tag_set: tags::to_set(&object.tags), version_id })
}

/// PutObjectTagging.
pub(crate) async fn put_object(
    s3: Arc<S3>,
    call: Call,
    input: dto::PutObjectTaggingInput,
) -> Result<dto::PutObjectTaggingOutput, Error> {
    let tags = tags::from_set(input.tagging.tag_set, limits::OBJECT_TAGS)?;
    let owner = input.expected_bucket_owner;
    let place = Place { bucket: input.bucket, key: input.key, owner };
    let version = input.version_id.as_deref();
    let version_id = s3.tag_object(&call, &place, version, EventName::TaggingPut, tags).await?;
    Ok(dto::PutObjectTaggingOutput { version_id })
}

/// DeleteObjectTagging.
pub(crate) async fn delete_object(
    s3: Arc<S3>,
    call: Call,
    input: dto::DeleteObjectTaggingInput,
) -> Result<dto::DeleteObjectTaggingOutput, Error> {
    let owner = input.expected_bucket_owner;
    let place = Place { bucket: input.bucket, key: input.key, owner };
    let (version, event) = (input.version_id.as_deref(), EventName::TaggingDelete);
    let version_id = s3.tag_object(&call, &place, version, event, Tags::new()).await?;
    Ok(dto::DeleteObjectTaggingOutput { version_id })
}
