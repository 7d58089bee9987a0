//! Buckets: create, delete, head, location, list.

use std::sync::Arc;

use kit::Region;
use s3s::dto;
use store::{Batch, BlobId};

use crate::{
    Error, S3,
    bucket::{self, BucketRow, Versioning},
    http::Call,
    limits, moment, rows,
};

/// CreateBucket.
pub(crate) async fn create(
    s3: Arc<S3>,
    call: Call,
    input: dto::CreateBucketInput,
) -> Result<dto::CreateBucketOutput, Error> {
    bucket::check_name(&input.bucket)?;
    let configuration = input.create_bucket_configuration.unwrap_or_default();
    let region = region(&call.region, configuration.location_constraint.as_ref())?;
    let mut row = BucketRow::new(&input.bucket, call.account, region, call.now);
    row.acl = input.acl.map(|acl| acl.as_str().to_owned()).filter(|acl| acl != "private");
    if let Some(ownership) = input.object_ownership {
        row.set_ownership(ownership.as_str())?;
    }
    if row.acl.is_some() && row.acls_are_disabled() {
        return Err(Error::InvalidBucketAclWithObjectOwnership {});
    }
    if input.object_lock_enabled_for_bucket == Some(true) {
        row.object_lock = true;
        row.versioning = Versioning::Enabled;
    }
    let location = Some(format!("/{}", input.bucket));
    match s3.buckets.create(row).await {
        // In us-east-1 creating one's own bucket again succeeds and changes nothing.
        Err(Error::BucketAlreadyOwnedByYou { .. }) if call.region.as_str() == "us-east-1" => {}
        done => done?,
    }
    Ok(dto::CreateBucketOutput { location })
}

/// The region of a new bucket: what the body names, where the endpoint allows it.
fn region(
    endpoint: &Region,
    constraint: Option<&dto::BucketLocationConstraint>,
) -> Result<Region, Error> {
    let constraint = constraint.map(|constraint| constraint.as_str()).unwrap_or_default();
    let illegal = |constraint: &str| Error::IllegalLocationConstraintException {
        constraint: constraint.to_owned(),
    };
    match (endpoint.as_str(), constraint) {
        ("us-east-1", "") => Ok(endpoint.clone()),
        (_, "") => Err(illegal("unspecified")),
        (_, "EU") => Ok("eu-west-1".parse().unwrap_or_else(|_| endpoint.clone())),
        // us-east-1 is no value of the constraint, and its endpoint creates buckets everywhere.
        ("us-east-1", "us-east-1") => {
            Err(Error::InvalidLocationConstraint { constraint: constraint.to_owned() })
        }
        ("us-east-1", other) => other
            .parse()
            .map_err(|_| Error::InvalidLocationConstraint { constraint: other.to_owned() }),
        (endpoint_name, other) if endpoint_name == other => Ok(endpoint.clone()),
        (_, other) => Err(illegal(other)),
    }
}

/// DeleteBucket.
pub(crate) async fn delete(
    s3: Arc<S3>,
    _call: Call,
    input: dto::DeleteBucketInput,
) -> Result<dto::DeleteBucketOutput, Error> {
    // Not given up when the client goes away: the bucket would stay closed.
    let deleted = tokio::spawn(async move {
        let (name, owner) = (input.bucket.as_str(), input.expected_bucket_owner.as_deref());
        let garbage = s3.buckets.delete(name, owner, clear(&s3, name)).await?;
        s3.remove(garbage).await;
        Ok::<_, Error>(())
    });
    deleted.await.map_err(|error| Error::internal(&error))??;
    Ok(dto::DeleteBucketOutput {})
}

/// Refuses if the bucket holds objects; unfinished uploads go with it.
async fn clear(s3: &S3, name: &str) -> Result<(Batch, Vec<BlobId>), Error> {
    let not_empty = |message: &str| Error::BucketNotEmpty {
        message: message.to_owned(),
        bucket: name.to_owned(),
    };
    if !s3.store.rows(&rows::objects(name), None, 1).await?.is_empty() {
        return Err(not_empty("The bucket you tried to delete is not empty"));
    }
    if !s3.store.rows(&rows::versions(name), None, 1).await?.is_empty() {
        return Err(not_empty(
            "The bucket you tried to delete is not empty. You must delete all versions in the \
             bucket.",
        ));
    }
    let mut batch = Batch::new();
    let garbage = s3.discard_uploads(name, &mut batch).await?;
    Ok((batch, garbage))
}

/// HeadBucket.
pub(crate) async fn head(
    s3: Arc<S3>,
    _call: Call,
    input: dto::HeadBucketInput,
) -> Result<dto::HeadBucketOutput, Error> {
    let bucket = s3.buckets.find(&input.bucket, input.expected_bucket_owner.as_deref())?;
    Ok(dto::HeadBucketOutput {
        bucket_region: Some(bucket.row.region.to_string()),
        access_point_alias: Some(false),
        ..Default::default()
    })
}

/// GetBucketLocation.
pub(crate) async fn location(
    s3: Arc<S3>,
    _call: Call,
    input: dto::GetBucketLocationInput,
) -> Result<dto::GetBucketLocationOutput, Error> {
    let bucket = s3.buckets.find(&input.bucket, input.expected_bucket_owner.as_deref())?;
    let location = bucket.row.location().map(|region| region.to_owned().into());
    Ok(dto::GetBucketLocationOutput { location_constraint: location })
}

/// ListBuckets.
pub(crate) async fn list(
    s3: Arc<S3>,
    call: Call,
    input: dto::ListBucketsInput,
) -> Result<dto::ListBucketsOutput, Error> {
    let max = input.max_buckets.unwrap_or(limits::PAGE_BUCKETS as i32);
    let max = usize::try_from(max).ok().filter(|max| (1..=limits::PAGE_BUCKETS).contains(max));
    let max = max.ok_or_else(|| {
        Error::argument(
            "Argument max-buckets must be an integer between 1 and 10000",
            "max-buckets",
            input.max_buckets.unwrap_or_default(),
        )
    })?;
    let prefix = input.prefix.clone().unwrap_or_default();
    let mut found = s3.buckets.list(call.account, input.continuation_token.as_deref());
    found.retain(|bucket| {
        let region = input.bucket_region.as_ref();
        bucket.row.name.starts_with(&prefix)
            && region.is_none_or(|region| region == bucket.row.region.as_str())
    });
    let more = found.len() > max;
    found.truncate(max);
    let token = found.last().filter(|_| more).map(|bucket| bucket.row.name.clone());
    // Older clients, which name no parameter, know no regions.
    let paginated = input.max_buckets.is_some() || input.prefix.is_some();
    let buckets = found.iter().map(|bucket| dto::Bucket {
        bucket_region: paginated.then(|| bucket.row.region.to_string()),
        creation_date: Some(moment::timestamp(bucket.row.created)),
        name: Some(bucket.row.name.clone()),
    });
    Ok(dto::ListBucketsOutput {
        buckets: Some(buckets.collect()),
        continuation_token: token,
        owner: Some(bucket::owner(call.account)),
        prefix: input.prefix,
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_constraint_must_fit_the_endpoint() {
        let region = |endpoint: &str, constraint: Option<&str>| {
            let constraint = constraint.map(|text| text.to_owned().into());
            super::region(&endpoint.parse().unwrap(), constraint.as_ref()).map(|r| r.to_string())
        };
        assert_eq!(region("us-east-1", None).unwrap(), "us-east-1");
        assert_eq!(region("us-east-1", Some("eu-west-1")).unwrap(), "eu-west-1");
        assert_eq!(region("us-west-2", Some("us-west-2")).unwrap(), "us-west-2");
        let error = region("us-west-2", None).unwrap_err();
        assert!(error.to_string().starts_with("The unspecified location constraint"));
        assert!(region("us-west-2", Some("eu-west-1")).is_err());
        assert!(region("us-east-1", Some("us-east-1")).is_err());
    }
}
