//! DeleteObject, DeleteObjects.

use std::sync::Arc;

use futures::{StreamExt, stream};
use s3s::dto;
use wire::ServiceError;

use crate::{
    Error, S3, access::Subject, conditions::WriteConditions, history::Place, http::Call, limits,
    lock::Bypass, object, write::Deleted,
};

/// Keys of one request that are deleted at once: their commits gather into one sync.
const AT_ONCE: usize = 64;

/// DeleteObject.
pub(crate) async fn one(
    s3: Arc<S3>,
    call: Call,
    input: dto::DeleteObjectInput,
) -> Result<dto::DeleteObjectOutput, Error> {
    let place = Place { bucket: input.bucket, key: input.key, owner: input.expected_bucket_owner };
    let conditions = WriteConditions::new(input.if_match, None)?;
    let bypass = Bypass::from(input.bypass_governance_retention);
    let deleted = run(&s3, &call, &place, input.version_id.as_deref(), &conditions, bypass).await?;
    Ok(dto::DeleteObjectOutput {
        delete_marker: deleted.delete_marker.then_some(true),
        version_id: deleted.version,
        request_charged: None,
    })
}

async fn run(
    s3: &Arc<S3>,
    call: &Call,
    place: &Place,
    version: Option<&str>,
    conditions: &WriteConditions,
    bypass: Bypass,
) -> Result<Deleted, Error> {
    match version.filter(|version| !version.is_empty()) {
        Some(version) => s3.delete_version(call, place, version, bypass).await,
        None => s3.delete(call, place, conditions).await,
    }
}

/// DeleteObjects.
pub(crate) async fn many(
    s3: Arc<S3>,
    call: Call,
    input: dto::DeleteObjectsInput,
) -> Result<dto::DeleteObjectsOutput, Error> {
    let owner = input.expected_bucket_owner;
    s3.buckets.find(&input.bucket, owner.as_deref())?;
    let objects = input.delete.objects;
    if objects.is_empty() || objects.len() > limits::DELETE_KEYS {
        return Err(Error::MalformedXML {});
    }
    let bypass = Bypass::from(input.bypass_governance_retention);
    let work = objects.into_iter().map(|wanted| {
        let (s3, call) = (s3.clone(), call.clone());
        let place =
            Place { bucket: input.bucket.clone(), key: wanted.key.clone(), owner: owner.clone() };
        async move {
            let outcome = delete_listed(&s3, &call, &place, &wanted, bypass).await;
            (wanted, outcome)
        }
    });
    let outcomes: Vec<_> = stream::iter(work).buffered(AT_ONCE).collect().await;
    let quiet = input.delete.quiet == Some(true);
    let (mut deleted, mut errors) = (Vec::new(), Vec::new());
    for (wanted, outcome) in outcomes {
        match outcome {
            Ok(outcome) => deleted.push(shown(wanted, outcome)),
            Err(error) => {
                let fault = error.fault();
                errors.push(dto::Error {
                    code: Some(fault.code.into_owned()),
                    key: Some(wanted.key),
                    message: Some(fault.message),
                    version_id: wanted.version_id,
                });
            }
        }
    }
    Ok(dto::DeleteObjectsOutput {
        deleted: (!quiet).then_some(deleted),
        errors: (!errors.is_empty()).then_some(errors),
        request_charged: None,
    })
}

async fn delete_listed(
    s3: &Arc<S3>,
    call: &Call,
    place: &Place,
    wanted: &dto::ObjectIdentifier,
    bypass: Bypass,
) -> Result<Deleted, Error> {
    object::check_key(&place.key)?;
    let subject = Subject {
        bucket: &place.bucket,
        key: &place.key,
        names_version: wanted.version_id.is_some(),
        source: None,
    };
    call.guard.permit(call, "DeleteObject", subject, &[])?;
    if bypass == Bypass::Yes {
        let action = "s3:BypassGovernanceRetention";
        call.guard.permit_action(call, action, subject.resource(), &[])?;
    }
    let if_match = wanted.e_tag.clone().map(dto::ETagCondition::ETag);
    let conditions = WriteConditions::new(if_match, None)?;
    run(s3, call, place, wanted.version_id.as_deref(), &conditions, bypass).await
}

fn shown(wanted: dto::ObjectIdentifier, outcome: Deleted) -> dto::DeletedObject {
    let names_version = wanted.version_id.is_some();
    let marker = outcome.delete_marker;
    dto::DeletedObject {
        delete_marker: marker.then_some(true),
        delete_marker_version_id: outcome.version.filter(|_| marker),
        key: Some(wanted.key),
        version_id: wanted.version_id.filter(|_| names_version),
    }
}
