//! Objects as other services read and write them.

use std::sync::{Arc, Weak};

use async_trait::async_trait;
use bus::{NoSuchObject, ObjectBytes, Objects};
use bytes::Bytes;
use http_body_util::BodyExt;
use kit::Caller;
use s3s::{Body, dto};
use wire::ServiceError;

use crate::{Error, S3, bucket::Versioning, http::Call, ops};

/// S3 as a port. Weak, since S3 holds the directory that holds this.
pub(crate) struct Port(pub(crate) Weak<S3>);

impl Port {
    fn s3(&self) -> Result<Arc<S3>, Error> {
        let stopping = || Error::ServiceUnavailable { message: "S3 is stopping.".to_owned() };
        self.0.upgrade().ok_or_else(stopping)
    }

    async fn write(&self, caller: &Caller, input: dto::PutObjectInput) -> Result<(), Error> {
        ops::put::run(self.s3()?, Call::from(caller.clone()), input).await.map(drop)
    }
}

#[async_trait]
impl Objects for Port {
    async fn get(
        &self,
        _caller: &Caller,
        bucket: &str,
        key: &str,
        version: Option<&str>,
        limit: u64,
    ) -> Result<ObjectBytes, NoSuchObject> {
        let found = async { read(&*self.s3()?, bucket, key, version, limit).await };
        found.await.map_err(|error| refused(&error))
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
        self.write(caller, input).await.map_err(|error| refused(&error))
    }
}

fn refused(error: &Error) -> NoSuchObject {
    let fault = error.fault();
    NoSuchObject { code: fault.code.into_owned(), message: fault.message }
}

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
