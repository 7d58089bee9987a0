//! Objects as other services read and write them, and buckets as targets of events.

use std::sync::{Arc, Weak};

use async_trait::async_trait;
use bus::{Delivery, DeliveryError, NoSuchObject, ObjectBytes, Objects, ResourcePolicies};
use bytes::Bytes;
use http_body_util::BodyExt;
use kit::{AccountId, Arn, Caller};
use s3s::{Body, dto};
use wire::ServiceError;

use crate::{
    Error, S3,
    bucket::{Bucket, Versioning},
    document::kind,
    http::Call,
    ops,
};

/// S3 as a port. Weak, since S3 holds the directory that holds this.
pub(crate) struct Port(pub(crate) Weak<S3>);

impl Port {
    fn s3(&self) -> Result<Arc<S3>, Error> {
        let stopping = || Error::ServiceUnavailable { message: "S3 is stopping.".to_owned() };
        self.0.upgrade().ok_or_else(stopping)
    }

    /// The bucket of an ARN, or that of an object's.
    fn bucket(&self, resource: &Arn) -> Option<Arc<Bucket>> {
        let name = resource.resource().split('/').next().unwrap_or_default();
        self.0.upgrade()?.buckets.find(name, None).ok()
    }

    async fn write(&self, caller: &Caller, input: dto::PutObjectInput) -> Result<(), Error> {
        ops::put::run(self.s3()?, Call::from(caller.clone()), input).await.map(drop)
    }
}

impl ResourcePolicies for Port {
    fn policy(&self, resource: &Arn) -> Option<Arc<str>> {
        let bucket = self.bucket(resource)?;
        bucket.row.documents.get(kind::POLICY).map(|text| Arc::from(text.as_str()))
    }

    /// ARNs of buckets and objects do not say whose they are.
    fn owner(&self, resource: &Arn) -> Option<AccountId> {
        self.bucket(resource).map(|bucket| bucket.row.account)
    }

    /// Buckets' tags count only where a bucket is set to that (`PutBucketAbac`), which is not built;
    /// objects' tags have keys of their own, `s3:ExistingObjectTag/…`.
    fn tags(&self, _resource: &Arn) -> kit::Tags {
        kit::Tags::new()
    }

    fn fact(&self, resource: &Arn, key: &str) -> Option<String> {
        let owner = (key == "s3:resourceaccount").then(|| self.owner(resource))??;
        Some(owner.to_string())
    }

    /// A bucket's policy is its owner's business, whatever it says itself.
    fn shares(&self, action: &str) -> bool {
        !["s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy"].contains(&action)
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

/// The attribute of a delivery that names the object.
const KEY: &str = "key";

#[async_trait]
impl bus::Target for Port {
    /// Keeps the event as an object.
    async fn deliver(&self, delivery: &Delivery) -> Result<(), DeliveryError> {
        let Some(key) = delivery.attributes.get(KEY) else {
            return Err(DeliveryError::Refused("a bucket takes events under a key".to_owned()));
        };
        let (account, region) = (delivery.account, delivery.region.clone());
        let caller = Caller::internal(account, region, delivery.created);
        let body = Bytes::from(delivery.payload.clone());
        let put = self.put(&caller, delivery.target.resource(), key, body).await;
        put.map_err(|error| match error.code.as_str() {
            "NoSuchBucket" | "AccessDenied" => DeliveryError::Refused(error.to_string()),
            _ => DeliveryError::Retry(error.to_string()),
        })
    }

    async fn validate(&self, delivery: &Delivery) -> Result<(), DeliveryError> {
        let s3 = self.s3().map_err(|error| DeliveryError::Retry(error.to_string()))?;
        let found = s3.buckets.find(delivery.target.resource(), None);
        found.map(drop).map_err(|error| DeliveryError::Refused(error.to_string()))
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
