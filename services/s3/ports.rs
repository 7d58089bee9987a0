//! Objects as other services read and write them.

use async_trait::async_trait;
use bus::{NoSuchObject, ObjectBytes, Objects};
use bytes::Bytes;
use http_body_util::BodyExt;
use kit::Caller;
use s3s::{Body, dto};
use wire::ServiceError;

use crate::{Error, S3, bucket::Versioning, http::Call, ops};

fn refused(error: &Error) -> NoSuchObject {
    let fault = error.fault();
    NoSuchObject { code: fault.code.into_owned(), message: fault.message }
}

/// The trait takes `&self`; operations need the shared service.
#[async_trait]
impl Objects for Shared {
    async fn get(
        &self,
        _caller: &Caller,
        bucket: &str,
        key: &str,
        version: Option<&str>,
        limit: u64,
    ) -> Result<ObjectBytes, NoSuchObject> {
        let found = read(&self.0, bucket, key, version, limit).await;
        found.map_err(|error| refused(&error))
    }

    async fn put(
        &self,
        caller: &Caller,
        bucket: &str,
        key: &str,
        body: Bytes,
    ) -> Result<(), NoSuchObject> {
        let input = dto::PutObjectInput {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            content_length: i64::try_from(body.len()).ok(),
            body: Some(Body::from(body).into()),
            ..Default::default()
        };
        let put = ops::put::run(self.0.clone(), Call::from(caller.clone()), input).await;
        put.map(drop).map_err(|error| refused(&error))
    }
}

/// S3 as a port.
pub(crate) struct Shared(pub(crate) std::sync::Arc<S3>);

async fn read(
    s3: &S3,
    bucket: &str,
    key: &str,
    version: Option<&str>,
    limit: u64,
) -> Result<ObjectBytes, Error> {
    let bucket = s3.buckets.find(bucket, None)?;
    let object = s3.find(&bucket, key, version, "GET").await?;
    if object.size > limit {
        return Err(Error::EntityTooLarge {
            proposed: object.size.to_string(),
            maximum: limit.to_string(),
        });
    }
    let body = s3.bytes(&object, 0..object.size).await?.ok_or(Error::OperationAborted {})?;
    let bytes = body.collect().await.map_err(|error| Error::internal(&error))?.to_bytes();
    let keeps_versions = bucket.row.versioning != Versioning::Never;
    let version = keeps_versions.then(|| object.version_text().to_owned());
    Ok(ObjectBytes { bytes, version })
}
