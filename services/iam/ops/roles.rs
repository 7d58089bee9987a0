//! `CreateRole`, `GetRole`, `ListRoles`, `UpdateRole`, `UpdateRoleDescription`,
//! `UpdateAssumeRolePolicy`, `DeleteRole`.

use std::sync::Arc;

use kit::Caller;
use model::iam as api;
use wire::Unit;

use super::{boundaries::check_boundary, given_tags};
use crate::{
    Error, Iam,
    account::Account,
    grants::{self, Grants, Identity},
    limits::DEFAULT_SESSION_SECONDS,
    page::Wanted,
    resource::{Kind, Resource},
    role::{self, Role},
    tags::Keys,
    view,
};

pub(crate) async fn create(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::CreateRoleInput,
) -> Result<api::CreateRoleOutput, Error> {
    let (account, now) = (caller.account, caller.now);
    let tags = given_tags(Keys::CaseIgnored, input.tags)?;
    role::check_trust(&input.assume_role_policy_document)?;
    let made = iam.change(account, |draft| {
        check_boundary(draft.account(), input.permissions_boundary.as_deref())?;
        let role = Role {
            resource: Resource::new::<Role>(account, input.role_name, input.path, tags, now),
            grants: Grants::default(),
            boundary: input.permissions_boundary,
            trust: input.assume_role_policy_document,
            description: input.description.filter(|text| !text.is_empty()),
            max_session_seconds: session_seconds(input.max_session_duration)
                .unwrap_or(DEFAULT_SESSION_SECONDS),
        };
        draft.add(role.clone())?;
        Ok(role)
    });
    Ok(api::CreateRoleOutput { role: view::created_role(account, &made.await?) })
}

pub(crate) async fn get(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::GetRoleInput,
) -> Result<api::GetRoleOutput, Error> {
    let account = iam.account(caller.account);
    let role = account.find::<Role>(&input.role_name)?;
    let used = iam.uses.get(role.id());
    Ok(api::GetRoleOutput { role: view::whole_role(account.id, role, used) })
}

pub(crate) async fn list(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::ListRolesInput,
) -> Result<api::ListRolesOutput, Error> {
    let account = iam.account(caller.account);
    let roles = account.roles.under(input.path_prefix.as_deref());
    let page = Wanted::new(input.marker, input.max_items)
        .of(roles.map(|it| (it.name().to_lowercase(), view::listed_role(account.id, it))))?;
    Ok(api::ListRolesOutput {
        roles: page.items,
        is_truncated: Some(page.marker.is_some()),
        marker: page.marker,
    })
}

pub(crate) async fn update(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::UpdateRoleInput,
) -> Result<api::UpdateRoleOutput, Error> {
    let updated = iam.change(caller.account, |draft| {
        draft.modify::<Role, _>(&input.role_name, |role| {
            if let Some(description) = input.description {
                role.description = Some(description).filter(|text| !text.is_empty());
            }
            if let Some(seconds) = session_seconds(input.max_session_duration) {
                role.check_unprotected()?;
                role.max_session_seconds = seconds;
            }
            Ok(())
        })
    });
    updated.await?;
    Ok(api::UpdateRoleOutput::default())
}

pub(crate) async fn update_description(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::UpdateRoleDescriptionInput,
) -> Result<api::UpdateRoleDescriptionOutput, Error> {
    let updated = iam.change(caller.account, |draft| {
        draft.modify::<Role, _>(&input.role_name, |role| {
            role.description = Some(input.description).filter(|text| !text.is_empty());
            Ok(role.clone())
        })
    });
    let role = updated.await?;
    let role =
        api::Role { description: role.description.clone(), ..view::role(caller.account, &role) };
    Ok(api::UpdateRoleDescriptionOutput { role: Some(role) })
}

pub(crate) async fn update_trust(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::UpdateAssumeRolePolicyInput,
) -> Result<Unit, Error> {
    let updated = iam.change(caller.account, |draft| {
        draft.modify::<Role, _>(&input.role_name, |role| {
            role.check_unprotected()?;
            role::check_trust(&input.policy_document)?;
            role.trust = input.policy_document;
            Ok(Unit)
        })
    });
    updated.await
}

pub(crate) async fn delete(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::DeleteRoleInput,
) -> Result<Unit, Error> {
    let deleted = iam.change(caller.account, |draft| {
        let role = draft.account().find::<Role>(&input.role_name)?.clone();
        role.check_unprotected()?;
        check_free(draft.account(), &role)?;
        grants::check_deletable(&*role)?;
        draft.remove(&*role);
        Ok(Unit)
    });
    deleted.await
}

/// Whether no instance profile holds the role.
fn check_free(account: &Account, role: &Role) -> Result<(), Error> {
    if account.profiles_of(role).next().is_some() {
        return Err(Error::StillInUse("remove roles from instance profile"));
    }
    Ok(())
}

/// The model bounds it to 3600–43200.
fn session_seconds(given: Option<i32>) -> Option<u32> {
    given.and_then(|seconds| u32::try_from(seconds).ok())
}
