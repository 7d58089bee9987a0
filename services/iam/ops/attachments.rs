//! `AttachUserPolicy`, `DetachUserPolicy`, `ListAttachedUserPolicies`, and the same for groups and
//! roles: managed policies on identities.

use std::sync::Arc;

use kit::{Arn, Caller};
use model::iam as api;
use wire::Unit;

use crate::{
    Error, Iam,
    account::Account,
    grants::{self, Identity},
    group::Group,
    page::{Page, Wanted},
    role::Role,
    user::User,
    view,
};

pub(crate) async fn attach_user(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::AttachUserPolicyInput,
) -> Result<Unit, Error> {
    attach::<User>(&iam, &caller, &input.user_name, &input.policy_arn).await
}

pub(crate) async fn attach_group(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::AttachGroupPolicyInput,
) -> Result<Unit, Error> {
    attach::<Group>(&iam, &caller, &input.group_name, &input.policy_arn).await
}

pub(crate) async fn attach_role(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::AttachRolePolicyInput,
) -> Result<Unit, Error> {
    attach::<Role>(&iam, &caller, &input.role_name, &input.policy_arn).await
}

pub(crate) async fn detach_user(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::DetachUserPolicyInput,
) -> Result<Unit, Error> {
    detach::<User>(&iam, &caller, &input.user_name, &input.policy_arn).await
}

pub(crate) async fn detach_group(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::DetachGroupPolicyInput,
) -> Result<Unit, Error> {
    detach::<Group>(&iam, &caller, &input.group_name, &input.policy_arn).await
}

pub(crate) async fn detach_role(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::DetachRolePolicyInput,
) -> Result<Unit, Error> {
    detach::<Role>(&iam, &caller, &input.role_name, &input.policy_arn).await
}

pub(crate) async fn list_user(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::ListAttachedUserPoliciesInput,
) -> Result<api::ListAttachedUserPoliciesOutput, Error> {
    let wanted = Wanted::new(input.marker, input.max_items);
    let page = list::<User>(&iam, &caller, &input.user_name, input.path_prefix, &wanted)?;
    Ok(api::ListAttachedUserPoliciesOutput {
        attached_policies: Some(page.items),
        is_truncated: Some(page.marker.is_some()),
        marker: page.marker,
    })
}

pub(crate) async fn list_group(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::ListAttachedGroupPoliciesInput,
) -> Result<api::ListAttachedGroupPoliciesOutput, Error> {
    let wanted = Wanted::new(input.marker, input.max_items);
    let page = list::<Group>(&iam, &caller, &input.group_name, input.path_prefix, &wanted)?;
    Ok(api::ListAttachedGroupPoliciesOutput {
        attached_policies: Some(page.items),
        is_truncated: Some(page.marker.is_some()),
        marker: page.marker,
    })
}

pub(crate) async fn list_role(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::ListAttachedRolePoliciesInput,
) -> Result<api::ListAttachedRolePoliciesOutput, Error> {
    let wanted = Wanted::new(input.marker, input.max_items);
    let page = list::<Role>(&iam, &caller, &input.role_name, input.path_prefix, &wanted)?;
    Ok(api::ListAttachedRolePoliciesOutput {
        attached_policies: Some(page.items),
        is_truncated: Some(page.marker.is_some()),
        marker: page.marker,
    })
}

/// Whether a managed policy can be attached.
fn check_attachable(account: &Account, text: &str) -> Result<(), Error> {
    if !text.parse::<Arn>().is_ok_and(|arn| arn.service() == "iam") {
        return Err(Error::InvalidPolicyArn(text.to_owned()));
    }
    match account.policy(text) {
        Ok(_) => Ok(()),
        Err(_) => Err(Error::NotAttachable(text.to_owned())),
    }
}

async fn attach<T: Identity>(
    iam: &Iam,
    caller: &Caller,
    name: &str,
    policy: &str,
) -> Result<Unit, Error> {
    let attached = iam.change(caller.account, |draft| {
        draft.account().find::<T>(name)?;
        check_attachable(draft.account(), policy)?;
        draft.modify::<T, _>(name, |identity| {
            identity.check_unprotected()?;
            grants::attach(identity, policy)
        })
    });
    attached.await.map(|()| Unit)
}

async fn detach<T: Identity>(
    iam: &Iam,
    caller: &Caller,
    name: &str,
    policy: &str,
) -> Result<Unit, Error> {
    let detached = iam.change(caller.account, |draft| {
        draft.modify::<T, _>(name, |identity| {
            identity.check_unprotected()?;
            grants::detach(identity, policy)
        })
    });
    detached.await.map(|()| Unit)
}

fn list<T: Identity>(
    iam: &Iam,
    caller: &Caller,
    name: &str,
    path_prefix: Option<String>,
    wanted: &Wanted,
) -> Result<Page<api::AttachedPolicy>, Error> {
    let account = iam.account(caller.account);
    let prefix = path_prefix.unwrap_or_else(|| "/".to_owned());
    let path = |arn: &str| arn.split_once(":policy").map(|(_, path)| path.to_owned());
    let arns = account.find::<T>(name)?.grants().attached.iter();
    let arns = arns.filter(|arn| path(arn).is_some_and(|path| path.starts_with(&prefix)));
    wanted.of(arns.map(|arn| (arn.clone(), view::attached(arn))))
}
