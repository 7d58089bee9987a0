//! Access control lists: canned ones are stored and answered as grants. They decide nothing: the
//! bucket's owner owns every object, as S3 has it by default.

use std::sync::Arc;

use s3s::dto;

use super::template::object_acl;
use crate::{Error, S3, bucket, history::Place, http::Call, notification::EventName};

const ALL_USERS: &str = "http://acs.amazonaws.com/groups/global/AllUsers";
const AUTHENTICATED: &str = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers";
const LOG_DELIVERY: &str = "http://acs.amazonaws.com/groups/s3/LogDelivery";

/// GetBucketAcl.
pub(crate) async fn get_bucket(
    s3: Arc<S3>,
    _call: Call,
    input: dto::GetBucketAclInput,
) -> Result<dto::GetBucketAclOutput, Error> {
    let bucket = s3.buckets.find(&input.bucket, input.expected_bucket_owner.as_deref())?;
    let owner = bucket.row.owner();
    let grants = Some(grants(bucket.row.acl.as_deref(), &owner));
    Ok(dto::GetBucketAclOutput { grants, owner: Some(owner) })
}

/// PutBucketAcl.
pub(crate) async fn put_bucket(
    s3: Arc<S3>,
    _call: Call,
    input: dto::PutBucketAclInput,
) -> Result<dto::PutBucketAclOutput, Error> {
    const KNOWN: [&str; 5] =
        ["private", "public-read", "public-read-write", "authenticated-read", "log-delivery-write"];
    let grants = [
        &input.grant_full_control,
        &input.grant_read,
        &input.grant_read_acp,
        &input.grant_write,
        &input.grant_write_acp,
    ];
    let acl = match &input.acl {
        Some(acl) if KNOWN.contains(&acl.as_str()) => Some(acl.as_str()),
        Some(acl) => return Err(Error::argument("", "x-amz-acl", acl.as_str())),
        None => None,
    };
    let policy = input.access_control_policy.as_ref();
    let owner = input.expected_bucket_owner.as_deref();
    let change = s3.buckets.change(&input.bucket, owner, |row| {
        let name = row.owner();
        if acl.is_none() && policy.is_some_and(|policy| is_private(policy, &name)) {
            row.acl = None;
            return Ok(());
        }
        if row.acls_are_disabled() && acl != Some("private") {
            return Err(Error::AccessControlListNotSupported {});
        }
        if grants.iter().any(|grant| grant.is_some()) || policy.is_some() {
            return Err(only_canned());
        }
        let block = row.document::<dto::PublicAccessBlockConfiguration>(
            crate::document::kind::PUBLIC_ACCESS_BLOCK,
        )?;
        let blocked = block.is_some_and(|block| block.block_public_acls == Some(true));
        if blocked && acl.is_some_and(|acl| acl.starts_with("public-")) {
            return Err(Error::denied());
        }
        row.acl = acl.filter(|acl| *acl != "private").map(str::to_owned);
        Ok(())
    });
    change.await?;
    Ok(dto::PutBucketAclOutput {})
}

/// GetObjectAcl.
pub(crate) async fn get_object(
    s3: Arc<S3>,
    _call: Call,
    input: dto::GetObjectAclInput,
) -> Result<dto::GetObjectAclOutput, Error> {
    let bucket = s3.buckets.find(&input.bucket, input.expected_bucket_owner.as_deref())?;
    let object = s3.find(&bucket, &input.key, input.version_id.as_deref(), "GET").await?;
    let owner = object.owner.map_or_else(|| bucket.row.owner(), bucket::owner);
    let grants = Some(grants(object.acl.as_deref(), &owner));
    Ok(dto::GetObjectAclOutput { grants, owner: Some(owner), request_charged: None })
}

/// PutObjectAcl.
pub(crate) async fn put_object(
    s3: Arc<S3>,
    call: Call,
    input: dto::PutObjectAclInput,
) -> Result<dto::PutObjectAclOutput, Error> {
    let acl = input.acl.as_ref().map(|acl| acl.as_str().to_owned());
    let policy = input.access_control_policy;
    let has_grants = input.grant_full_control.is_some()
        || input.grant_read.is_some()
        || input.grant_read_acp.is_some()
        || input.grant_write.is_some()
        || input.grant_write_acp.is_some();
    let owner = input.expected_bucket_owner;
    let place = Place { bucket: input.bucket, key: input.key, owner };
    let (version, event) = (input.version_id.as_deref(), Some(EventName::AclPut));
    let amend = s3.amend(&call, &place, version, event, |bucket, object| {
        // S3 refuses every ACL but the one that says what holds anyway.
        let says_nothing = acl.as_deref() == Some("bucket-owner-full-control")
            || policy.as_ref().is_some_and(|policy| is_private(policy, &bucket.row.owner()));
        if bucket.row.acls_are_disabled() && !says_nothing {
            return Err(Error::AccessControlListNotSupported {});
        }
        if has_grants || (policy.is_some() && !says_nothing) {
            return Err(only_canned());
        }
        object.acl = object_acl(bucket, acl.clone())?;
        Ok(())
    });
    amend.await?;
    Ok(dto::PutObjectAclOutput::default())
}

fn only_canned() -> Error {
    Error::NotImplemented {
        message: "lampejo stores canned ACLs only; grants are not implemented.".to_owned(),
    }
}

/// Whether a policy grants nothing but the owner's full control.
fn is_private(policy: &dto::AccessControlPolicy, owner: &dto::Owner) -> bool {
    let mut grants = policy.grants.iter().flatten();
    grants.all(|grant| {
        let full = grant.permission.as_ref().is_some_and(|name| name.as_str() == "FULL_CONTROL");
        full && grant.grantee.as_ref().is_some_and(|grantee| grantee.id == owner.id)
    })
}

/// The grants that a canned ACL stands for.
fn grants(acl: Option<&str>, owner: &dto::Owner) -> Vec<dto::Grant> {
    let grantee = |kind: &str| dto::Grantee {
        display_name: None,
        email_address: None,
        id: None,
        type_: kind.to_owned().into(),
        uri: None,
    };
    let grant = |grantee: dto::Grantee, permission: &str| dto::Grant {
        grantee: Some(grantee),
        permission: Some(permission.to_owned().into()),
    };
    let group = |uri: &str, permission: &str| {
        grant(dto::Grantee { uri: Some(uri.to_owned()), ..grantee("Group") }, permission)
    };
    let owner = dto::Grantee { id: owner.id.clone(), ..grantee("CanonicalUser") };
    let mut grants = vec![grant(owner, "FULL_CONTROL")];
    match acl {
        Some("public-read") => grants.push(group(ALL_USERS, "READ")),
        Some("public-read-write") => {
            grants.push(group(ALL_USERS, "READ"));
            grants.push(group(ALL_USERS, "WRITE"));
        }
        Some("authenticated-read") => grants.push(group(AUTHENTICATED, "READ")),
        Some("log-delivery-write") => {
            grants.push(group(LOG_DELIVERY, "WRITE"));
            grants.push(group(LOG_DELIVERY, "READ_ACP"));
        }
        _ => {}
    }
    grants
}
