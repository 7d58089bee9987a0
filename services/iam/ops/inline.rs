//! `PutUserPolicy`, `GetUserPolicy`, `DeleteUserPolicy`, `ListUserPolicies`, and the same for groups
//! and roles: inline policies.

use std::sync::Arc;

use kit::Caller;
use model::iam as api;
use wire::Unit;

use crate::{
    Error, Iam,
    grants::{self, Identity},
    group::Group,
    page::{Page, Wanted},
    role::Role,
    user::User,
    view,
};

pub(crate) async fn put_user(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::PutUserPolicyInput,
) -> Result<Unit, Error> {
    put::<User>(&iam, &caller, &input.user_name, input.policy_name, input.policy_document).await
}

pub(crate) async fn put_group(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::PutGroupPolicyInput,
) -> Result<Unit, Error> {
    put::<Group>(&iam, &caller, &input.group_name, input.policy_name, input.policy_document).await
}

pub(crate) async fn put_role(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::PutRolePolicyInput,
) -> Result<Unit, Error> {
    put::<Role>(&iam, &caller, &input.role_name, input.policy_name, input.policy_document).await
}

pub(crate) async fn get_user(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::GetUserPolicyInput,
) -> Result<api::GetUserPolicyOutput, Error> {
    let (user_name, policy_document) =
        get::<User>(&iam, &caller, &input.user_name, &input.policy_name)?;
    let policy_name = input.policy_name;
    Ok(api::GetUserPolicyOutput { user_name, policy_name, policy_document })
}

pub(crate) async fn get_group(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::GetGroupPolicyInput,
) -> Result<api::GetGroupPolicyOutput, Error> {
    let (group_name, policy_document) =
        get::<Group>(&iam, &caller, &input.group_name, &input.policy_name)?;
    let policy_name = input.policy_name;
    Ok(api::GetGroupPolicyOutput { group_name, policy_name, policy_document })
}

pub(crate) async fn get_role(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::GetRolePolicyInput,
) -> Result<api::GetRolePolicyOutput, Error> {
    let (role_name, policy_document) =
        get::<Role>(&iam, &caller, &input.role_name, &input.policy_name)?;
    let policy_name = input.policy_name;
    Ok(api::GetRolePolicyOutput { role_name, policy_name, policy_document })
}

pub(crate) async fn delete_user(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::DeleteUserPolicyInput,
) -> Result<Unit, Error> {
    delete::<User>(&iam, &caller, &input.user_name, &input.policy_name).await
}

pub(crate) async fn delete_group(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::DeleteGroupPolicyInput,
) -> Result<Unit, Error> {
    delete::<Group>(&iam, &caller, &input.group_name, &input.policy_name).await
}

pub(crate) async fn delete_role(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::DeleteRolePolicyInput,
) -> Result<Unit, Error> {
    delete::<Role>(&iam, &caller, &input.role_name, &input.policy_name).await
}

pub(crate) async fn list_user(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::ListUserPoliciesInput,
) -> Result<api::ListUserPoliciesOutput, Error> {
    let wanted = Wanted::new(input.marker, input.max_items);
    let page = list::<User>(&iam, &caller, &input.user_name, &wanted)?;
    Ok(api::ListUserPoliciesOutput {
        policy_names: page.items,
        is_truncated: Some(page.marker.is_some()),
        marker: page.marker,
    })
}

pub(crate) async fn list_group(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::ListGroupPoliciesInput,
) -> Result<api::ListGroupPoliciesOutput, Error> {
    let wanted = Wanted::new(input.marker, input.max_items);
    let page = list::<Group>(&iam, &caller, &input.group_name, &wanted)?;
    Ok(api::ListGroupPoliciesOutput {
        policy_names: page.items,
        is_truncated: Some(page.marker.is_some()),
        marker: page.marker,
    })
}

pub(crate) async fn list_role(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::ListRolePoliciesInput,
) -> Result<api::ListRolePoliciesOutput, Error> {
    let wanted = Wanted::new(input.marker, input.max_items);
    let page = list::<Role>(&iam, &caller, &input.role_name, &wanted)?;
    Ok(api::ListRolePoliciesOutput {
        policy_names: page.items,
        is_truncated: Some(page.marker.is_some()),
        marker: page.marker,
    })
}

async fn put<T: Identity>(
    iam: &Iam,
    caller: &Caller,
    name: &str,
    policy: String,
    document: String,
) -> Result<Unit, Error> {
    let put = iam.change(caller.account, |draft| {
        draft.modify::<T, _>(name, |identity| {
            identity.check_unprotected()?;
            grants::put_inline(identity, policy, document)
        })
    });
    put.await.map(|()| Unit)
}

/// The identity's name as it was made, and the encoded document.
fn get<T: Identity>(
    iam: &Iam,
    caller: &Caller,
    name: &str,
    policy: &str,
) -> Result<(String, String), Error> {
    let account = iam.account(caller.account);
    let identity = account.find::<T>(name)?;
    let document = grants::inline(&**identity, policy)?;
    Ok((identity.name().to_owned(), view::encoded(document)))
}

async fn delete<T: Identity>(
    iam: &Iam,
    caller: &Caller,
    name: &str,
    policy: &str,
) -> Result<Unit, Error> {
    let deleted = iam.change(caller.account, |draft| {
        draft.modify::<T, _>(name, |identity| {
            identity.check_unprotected()?;
            grants::delete_inline(identity, policy)
        })
    });
    deleted.await.map(|()| Unit)
}

fn list<T: Identity>(
    iam: &Iam,
    caller: &Caller,
    name: &str,
    wanted: &Wanted,
) -> Result<Page<String>, Error> {
    let account = iam.account(caller.account);
    let names = account.find::<T>(name)?.grants().inline.keys();
    wanted.of(names.map(|name| (name.clone(), name.clone())))
}
