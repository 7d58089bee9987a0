//! `GetAccountAuthorizationDetails`: everything that decides what the account's identities may do,
//! in one paged list: users, groups, roles, policies.

use std::sync::Arc;

use kit::Caller;
use model::iam as api;

use crate::{
    Error, Iam,
    account::{Account, Usage},
    grants::Identity,
    group::Group,
    managed,
    page::Wanted,
    policy::{Policy, version_id},
    resource::Kind,
    role::Role,
    user::User,
    view,
};

enum Detail {
    User(api::UserDetail),
    Group(api::GroupDetail),
    Role(api::RoleDetail),
    Policy(api::ManagedPolicyDetail),
}

pub(crate) async fn get(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::GetAccountAuthorizationDetailsInput,
) -> Result<api::GetAccountAuthorizationDetailsOutput, Error> {
    let account = iam.account(caller.account);
    let details = details(&iam, &account, input.filter.as_deref().unwrap_or_default());
    let page = Wanted::new(input.marker, input.max_items).of(details.into_iter())?;
    let (mut users, mut groups, mut roles, mut policies) = Default::default();
    for detail in page.items {
        match detail {
            Detail::User(user) => Vec::push(&mut users, user),
            Detail::Group(group) => Vec::push(&mut groups, group),
            Detail::Role(role) => Vec::push(&mut roles, role),
            Detail::Policy(policy) => Vec::push(&mut policies, policy),
        }
    }
    Ok(api::GetAccountAuthorizationDetailsOutput {
        user_detail_list: Some(users),
        group_detail_list: Some(groups),
        role_detail_list: Some(roles),
        policies: Some(policies),
        is_truncated: Some(page.marker.is_some()),
        marker: page.marker,
    })
}

fn details(iam: &Iam, account: &Account, filter: &[api::EntityType]) -> Vec<(String, Detail)> {
    use api::EntityType as E;
    let wanted = |kind: E| filter.is_empty() || filter.contains(&kind);
    let mut found = Vec::new();
    let mut add = |order: u8, name: &str, detail| found.push((format!("{order}{name}"), detail));
    if wanted(E::User) {
        for it in account.users.iter() {
            add(1, &it.name().to_lowercase(), Detail::User(user(account, it)));
        }
    }
    if wanted(E::Group) {
        for it in account.groups.iter() {
            add(2, &it.name().to_lowercase(), Detail::Group(group(account, it)));
        }
    }
    if wanted(E::Role) {
        for it in account.roles.iter() {
            add(3, &it.name().to_lowercase(), Detail::Role(role(iam, account, it)));
        }
    }
    let usage = account.usage();
    for (arn, it) in view::policies(account) {
        let usage = usage.get(arn.as_str()).copied().unwrap_or_default();
        if managed::is_of_aws(&arn) {
            // Of AWS's policies those in use belong to the account's picture.
            if wanted(E::AWSManagedPolicy) && usage != Usage::default() {
                add(5, &arn, Detail::Policy(policy(&arn, it, usage)));
            }
        } else if wanted(E::LocalManagedPolicy) {
            add(4, &it.name().to_lowercase(), Detail::Policy(policy(&arn, it, usage)));
        }
    }
    found
}

fn user(account: &Account, user: &User) -> api::UserDetail {
    let groups = account.groups_of(user);
    api::UserDetail {
        path: Some(user.path().to_owned()),
        user_name: Some(user.name().to_owned()),
        user_id: Some(user.id().to_owned()),
        arn: Some(user.arn(account.id).to_string()),
        create_date: Some(user.resource.created),
        user_policy_list: Some(view::inline_list(user)),
        group_list: Some(groups.iter().map(|group| group.name().to_owned()).collect()),
        attached_managed_policies: Some(attached(user)),
        permissions_boundary: view::boundary(user),
        tags: Some(view::tag_list(&user.resource.tags)),
    }
}

fn group(account: &Account, group: &Group) -> api::GroupDetail {
    api::GroupDetail {
        path: Some(group.path().to_owned()),
        group_name: Some(group.name().to_owned()),
        group_id: Some(group.id().to_owned()),
        arn: Some(group.arn(account.id).to_string()),
        create_date: Some(group.resource.created),
        group_policy_list: Some(view::inline_list(group)),
        attached_managed_policies: Some(attached(group)),
    }
}

fn role(iam: &Iam, account: &Account, role: &Role) -> api::RoleDetail {
    let profiles = account.profiles_of(role).map(|it| view::profile(account, it));
    api::RoleDetail {
        path: Some(role.path().to_owned()),
        role_name: Some(role.name().to_owned()),
        role_id: Some(role.id().to_owned()),
        arn: Some(role.arn(account.id).to_string()),
        create_date: Some(role.resource.created),
        assume_role_policy_document: Some(view::encoded(&role.trust)),
        instance_profile_list: Some(profiles.collect()),
        role_policy_list: Some(view::inline_list(role)),
        attached_managed_policies: Some(attached(role)),
        permissions_boundary: view::boundary(role),
        tags: Some(view::tag_list(&role.resource.tags)),
        role_last_used: Some(view::role_last_used(iam.uses.get(role.id()))),
    }
}

fn policy(arn: &str, policy: &Policy, usage: Usage) -> api::ManagedPolicyDetail {
    let versions = policy.versions.iter().rev();
    api::ManagedPolicyDetail {
        policy_name: Some(policy.name().to_owned()),
        policy_id: Some(policy.id().to_owned()),
        arn: Some(arn.to_owned()),
        path: Some(policy.path().to_owned()),
        default_version_id: Some(version_id(policy.default)),
        attachment_count: Some(usage.attached),
        permissions_boundary_usage_count: Some(usage.boundaries),
        is_attachable: Some(true),
        description: policy.description.clone(),
        create_date: Some(policy.resource.created),
        update_date: Some(policy.updated),
        policy_version_list: Some(
            versions.map(|(number, it)| view::whole_version(policy, *number, it)).collect(),
        ),
    }
}

fn attached<T: Identity>(identity: &T) -> Vec<api::AttachedPolicy> {
    identity.grants().attached.iter().map(|arn| view::attached(arn)).collect()
}
