//! IAM's resources in the shapes of the API. Operations differ in how much of a resource they show;
//! each function says who shows what.

use kit::{AccountId, Tags};
use model::iam as api;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::{
    account::{Account, Usage},
    grants::{Bounded, Identity},
    group::Group,
    instance_profile::InstanceProfile,
    last_used::LastUsed,
    managed,
    policy::{Policy, Version, version_id},
    resource::Kind,
    role::Role,
    user::{AccessKey, User},
};

/// All but the unreserved characters of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A document as answers hold it.
pub(crate) fn encoded(document: &str) -> String {
    utf8_percent_encode(document, RESERVED).to_string()
}

/// Tags as a list.
pub(crate) fn tag_list(tags: &Tags) -> Vec<api::Tag> {
    let tag =
        |(key, value): (&String, &String)| api::Tag { key: key.clone(), value: value.clone() };
    tags.iter().map(tag).collect()
}

/// Tags as a list that is left out when empty.
pub(crate) fn some_tags(tags: &Tags) -> Option<Vec<api::Tag>> {
    Some(tag_list(tags)).filter(|list| !list.is_empty())
}

/// A user as lists show it: without tags and boundary.
pub(crate) fn user(account: AccountId, user: &User) -> api::User {
    api::User {
        path: user.path().to_owned(),
        user_name: user.name().to_owned(),
        user_id: user.id().to_owned(),
        arn: user.arn(account).to_string(),
        create_date: user.resource.created,
        ..api::User::default()
    }
}

/// A user as `CreateUser` and `GetUser` show it.
pub(crate) fn whole_user(account: AccountId, one: &User) -> api::User {
    api::User {
        permissions_boundary: boundary(one),
        tags: some_tags(&one.resource.tags),
        ..user(account, one)
    }
}

/// What may be shown of an access key at any time.
pub(crate) fn key_metadata(user_name: &str, key: &AccessKey) -> api::AccessKeyMetadata {
    api::AccessKeyMetadata {
        user_name: Some(user_name.to_owned()).filter(|name| !name.is_empty()),
        access_key_id: Some(key.id.clone()),
        status: Some(key_status(key)),
        create_date: Some(key.created),
    }
}

/// Whether an access key signs.
pub(crate) fn key_status(key: &AccessKey) -> api::StatusType {
    if key.active { api::StatusType::Active } else { api::StatusType::Inactive }
}

/// A group.
pub(crate) fn group(account: AccountId, group: &Group) -> api::Group {
    api::Group {
        path: group.path().to_owned(),
        group_name: group.name().to_owned(),
        group_id: group.id().to_owned(),
        arn: group.arn(account).to_string(),
        create_date: group.resource.created,
    }
}

/// A role as instance profiles show it.
pub(crate) fn role(account: AccountId, role: &Role) -> api::Role {
    api::Role {
        path: role.path().to_owned(),
        role_name: role.name().to_owned(),
        role_id: role.id().to_owned(),
        arn: role.arn(account).to_string(),
        create_date: role.resource.created,
        assume_role_policy_document: Some(encoded(&role.trust)),
        ..api::Role::default()
    }
}

/// A role as `CreateRole` shows it.
pub(crate) fn created_role(account: AccountId, one: &Role) -> api::Role {
    api::Role {
        permissions_boundary: boundary(one),
        tags: some_tags(&one.resource.tags),
        ..role(account, one)
    }
}

/// A role as `ListRoles` shows it.
pub(crate) fn listed_role(account: AccountId, one: &Role) -> api::Role {
    api::Role {
        description: one.description.clone(),
        max_session_duration: Some(one.max_session_seconds.cast_signed()),
        ..role(account, one)
    }
}

/// A role as `GetRole` shows it.
pub(crate) fn whole_role(account: AccountId, one: &Role, used: Option<LastUsed>) -> api::Role {
    api::Role {
        permissions_boundary: boundary(one),
        tags: some_tags(&one.resource.tags),
        role_last_used: Some(role_last_used(used)),
        ..listed_role(account, one)
    }
}

/// A role's last use; empty when there was none.
pub(crate) fn role_last_used(used: Option<LastUsed>) -> api::RoleLastUsed {
    let (last_used_date, region) = used.map(|it| (it.at, it.region)).unzip();
    api::RoleLastUsed { last_used_date, region }
}

/// A boundary, where one is set.
pub(crate) fn boundary<T: Bounded>(identity: &T) -> Option<api::AttachedPermissionsBoundary> {
    let arn = identity.boundary()?;
    Some(api::AttachedPermissionsBoundary {
        permissions_boundary_type: Some(api::PermissionsBoundaryAttachmentType::default()),
        permissions_boundary_arn: Some(arn.to_owned()),
    })
}

/// A managed policy as lists show it: without description and tags.
pub(crate) fn policy(arn: &str, policy: &Policy, usage: Usage) -> api::Policy {
    api::Policy {
        policy_name: Some(policy.name().to_owned()),
        policy_id: Some(policy.id().to_owned()),
        arn: Some(arn.to_owned()),
        path: Some(policy.path().to_owned()),
        default_version_id: Some(version_id(policy.default)),
        attachment_count: Some(usage.attached),
        permissions_boundary_usage_count: Some(usage.boundaries),
        is_attachable: Some(true),
        create_date: Some(policy.resource.created),
        update_date: Some(policy.updated),
        ..api::Policy::default()
    }
}

/// A version as lists show it: without its document.
pub(crate) fn version(policy: &Policy, number: u32, version: &Version) -> api::PolicyVersion {
    api::PolicyVersion {
        document: None,
        version_id: Some(version_id(number)),
        is_default_version: Some(policy.default == number),
        create_date: Some(version.created),
    }
}

/// A version with its document.
pub(crate) fn whole_version(policy: &Policy, number: u32, one: &Version) -> api::PolicyVersion {
    api::PolicyVersion { document: Some(encoded(&one.document)), ..version(policy, number, one) }
}

/// An attached policy. Its name is the end of its ARN.
pub(crate) fn attached(arn: &str) -> api::AttachedPolicy {
    let name = arn.rsplit('/').next().unwrap_or_default();
    api::AttachedPolicy { policy_name: Some(name.to_owned()), policy_arn: Some(arn.to_owned()) }
}

/// The inline policies of an identity.
pub(crate) fn inline_list<T: Identity>(identity: &T) -> Vec<api::PolicyDetail> {
    let detail = |(name, document): (&String, &String)| api::PolicyDetail {
        policy_name: Some(name.clone()),
        policy_document: Some(encoded(document)),
    };
    identity.grants().inline.iter().map(detail).collect()
}

/// An instance profile as lists show it: without tags.
pub(crate) fn profile(account: &Account, profile: &InstanceProfile) -> api::InstanceProfile {
    let its_role = profile.role.as_ref().and_then(|name| account.roles.find(name).ok());
    api::InstanceProfile {
        path: profile.path().to_owned(),
        instance_profile_name: profile.name().to_owned(),
        instance_profile_id: profile.id().to_owned(),
        arn: profile.arn(account.id).to_string(),
        create_date: profile.resource.created,
        roles: its_role.map(|it| role(account.id, it)).into_iter().collect(),
        ..api::InstanceProfile::default()
    }
}

/// The managed policies an account sees, its own first, with their ARNs.
pub(crate) fn policies(account: &Account) -> impl Iterator<Item = (String, &Policy)> {
    let own = account.policies.iter().map(|it| (it.arn(account.id).to_string(), it.as_ref()));
    own.chain(managed::all().map(|(arn, policy)| (arn.to_owned(), policy.as_ref())))
}
