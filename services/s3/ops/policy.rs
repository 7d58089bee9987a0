//! Bucket policies.

use std::sync::Arc;

use s3s::dto;

use super::configuration::Done;
use crate::{Error, S3, document::kind, http::Call, policy};

/// GetBucketPolicy.
pub(crate) async fn get(
    s3: Arc<S3>,
    _call: Call,
    input: dto::GetBucketPolicyInput,
) -> Done<dto::GetBucketPolicyOutput> {
    let bucket = s3.buckets.find(&input.bucket, input.expected_bucket_owner.as_deref())?;
    let missing = || Error::NoSuchBucketPolicy { bucket: input.bucket.clone() };
    let policy = bucket.row.documents.get(kind::POLICY).ok_or_else(missing)?;
    Ok(dto::GetBucketPolicyOutput { policy: Some(policy.clone()) })
}

/// GetBucketPolicyStatus.
pub(crate) async fn get_status(
    s3: Arc<S3>,
    _call: Call,
    input: dto::GetBucketPolicyStatusInput,
) -> Done<dto::GetBucketPolicyStatusOutput> {
    let bucket = s3.buckets.find(&input.bucket, input.expected_bucket_owner.as_deref())?;
    let missing = || Error::NoSuchBucketPolicy { bucket: input.bucket.clone() };
    let text = bucket.row.documents.get(kind::POLICY).ok_or_else(missing)?;
    let is_public = Some(policy::is_public(text)?);
    Ok(dto::GetBucketPolicyStatusOutput { policy_status: Some(dto::PolicyStatus { is_public }) })
}

/// PutBucketPolicy.
pub(crate) async fn put(
    s3: Arc<S3>,
    _call: Call,
    input: dto::PutBucketPolicyInput,
) -> Done<dto::PutBucketPolicyOutput> {
    let is_public = policy::is_public(&input.policy)?;
    let owner = input.expected_bucket_owner.as_deref();
    let change = s3.buckets.change(&input.bucket, owner, |row| {
        let block =
            row.document::<dto::PublicAccessBlockConfiguration>(kind::PUBLIC_ACCESS_BLOCK)?;
        if is_public && block.is_some_and(|block| block.block_public_policy == Some(true)) {
            return Err(Error::AccessDenied {
                message: "Access Denied because public policies are blocked by the \
                          BlockPublicPolicy block public access setting."
                    .to_owned(),
            });
        }
        row.documents.insert(kind::POLICY.to_owned(), input.policy.clone());
        Ok(())
    });
    change.await?;
    Ok(dto::PutBucketPolicyOutput {})
}
