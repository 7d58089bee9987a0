//! Lifecycle configurations. They are stored, not enforced.

use std::sync::Arc;

use s3s::dto;

use super::configuration::Done;
use crate::{
    Error, S3,
    document::{self, kind},
    http::Call,
    limits,
};

/// GetBucketLifecycleConfiguration.
pub(crate) async fn get(
    s3: Arc<S3>,
    _call: Call,
    input: dto::GetBucketLifecycleConfigurationInput,
) -> Done<dto::GetBucketLifecycleConfigurationOutput> {
    let owner = input.expected_bucket_owner.as_deref();
    let missing = |bucket| Error::NoSuchLifecycleConfiguration { bucket };
    let found: dto::BucketLifecycleConfiguration =
        s3.document(&input.bucket, owner, kind::LIFECYCLE, missing)?;
    let bucket = s3.buckets.find(&input.bucket, owner)?;
    let size = bucket.row.documents.get(kind::TRANSITION_SIZE).cloned();
    let size = size.unwrap_or_else(|| "all_storage_classes_128K".to_owned());
    Ok(dto::GetBucketLifecycleConfigurationOutput {
        rules: Some(found.rules),
        transition_default_minimum_object_size: Some(size.into()),
    })
}

/// PutBucketLifecycleConfiguration.
pub(crate) async fn put(
    s3: Arc<S3>,
    _call: Call,
    input: dto::PutBucketLifecycleConfigurationInput,
) -> Done<dto::PutBucketLifecycleConfigurationOutput> {
    let mut document = input.lifecycle_configuration.ok_or(Error::MalformedXML {})?;
    check_lifecycle(&mut document.rules)?;
    let size = input.transition_default_minimum_object_size;
    let size = size.map_or("all_storage_classes_128K".to_owned(), |size| size.as_str().to_owned());
    let owner = input.expected_bucket_owner.as_deref();
    let text = document::write(&document);
    let change = s3.buckets.change(&input.bucket, owner, |row| {
        row.documents.insert(kind::LIFECYCLE.to_owned(), text.clone());
        row.documents.insert(kind::TRANSITION_SIZE.to_owned(), size.clone());
        Ok(())
    });
    change.await?;
    Ok(dto::PutBucketLifecycleConfigurationOutput {
        transition_default_minimum_object_size: Some(size.into()),
    })
}

/// Checks rules and gives an id to those that have none.
fn check_lifecycle(rules: &mut [dto::LifecycleRule]) -> Done<()> {
    if rules.is_empty() || rules.len() > limits::LIFECYCLE_RULES {
        return Err(Error::MalformedXML {});
    }
    let mut seen: Vec<String> = Vec::with_capacity(rules.len());
    for rule in rules {
        if !["Enabled", "Disabled"].contains(&rule.status.as_str()) {
            return Err(Error::MalformedXML {});
        }
        if rule.filter.is_some() == rule.prefix.is_some() {
            return Err(Error::MalformedXML {});
        }
        let acts = rule.expiration.is_some()
            || rule.transitions.is_some()
            || rule.noncurrent_version_expiration.is_some()
            || rule.noncurrent_version_transitions.is_some()
            || rule.abort_incomplete_multipart_upload.is_some();
        if !acts {
            let message = "At least one action needs to be specified in a rule";
            return Err(Error::request(message));
        }
        let id = rule.id.get_or_insert_with(kit::ids::uuid);
        if id.len() > 255 {
            return Err(Error::argument(
                "ID length should not exceed allowed limit of 255",
                "ID",
                id,
            ));
        }
        if seen.contains(id) {
            let message = "Rule ID must be unique. Found same ID for more than one rule";
            return Err(Error::argument(message, "ID", id));
        }
        seen.push(id.clone());
    }
    Ok(())
}
