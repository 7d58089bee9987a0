//! `PutUserPermissionsBoundary`, `DeleteUserPermissionsBoundary`, and the same for roles.

use std::sync::Arc;

use kit::{Arn, Caller};
use model::iam as api;
use wire::Unit;

use crate::{Error, Iam, account::Account, grants::Bounded, role::Role, user::User};

pub(crate) async fn put_user(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::PutUserPermissionsBoundaryInput,
) -> Result<Unit, Error> {
    set::<User>(&iam, &caller, &input.user_name, Some(input.permissions_boundary)).await
}

pub(crate) async fn put_role(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::PutRolePermissionsBoundaryInput,
) -> Result<Unit, Error> {
    set::<Role>(&iam, &caller, &input.role_name, Some(input.permissions_boundary)).await
}

pub(crate) async fn delete_user(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::DeleteUserPermissionsBoundaryInput,
) -> Result<Unit, Error> {
    set::<User>(&iam, &caller, &input.user_name, None).await
}

pub(crate) async fn delete_role(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::DeleteRolePermissionsBoundaryInput,
) -> Result<Unit, Error> {
    set::<Role>(&iam, &caller, &input.role_name, None).await
}

/// Whether a managed policy can be a boundary.
pub(crate) fn check_boundary(account: &Account, boundary: Option<&str>) -> Result<(), Error> {
    let Some(text) = boundary else { return Ok(()) };
    let arn = text.parse::<Arn>().ok();
    if !arn.is_some_and(|it| it.service() == "iam" && it.resource().starts_with("policy/")) {
        return Err(Error::InvalidBoundaryArn(text.to_owned()));
    }
    match account.policy(text) {
        Ok(_) => Ok(()),
        Err(_) => Err(Error::NoSuchBoundary(text.to_owned())),
    }
}

async fn set<T: Bounded>(
    iam: &Iam,
    caller: &Caller,
    name: &str,
    boundary: Option<String>,
) -> Result<Unit, Error> {
    let changed = iam.change(caller.account, |draft| {
        draft.account().find::<T>(name)?;
        check_boundary(draft.account(), boundary.as_deref())?;
        draft.modify::<T, _>(name, |identity| {
            identity.check_unprotected()?;
            *identity.boundary_mut() = boundary;
            Ok(Unit)
        })
    });
    changed.await
}
