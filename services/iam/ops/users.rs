//! `CreateUser`, `GetUser`, `ListUsers`, `UpdateUser`, `DeleteUser`.

use std::sync::Arc;

use kit::{Caller, PrincipalKind};
use model::iam as api;
use wire::Unit;

use super::{boundaries::check_boundary, given_tags};
use crate::{
    Error, Iam, grants,
    page::Wanted,
    resource::{Kind, Resource},
    tags::Keys,
    user::User,
    view,
};

pub(crate) async fn create(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::CreateUserInput,
) -> Result<api::CreateUserOutput, Error> {
    let (account, now) = (caller.account, caller.now);
    let tags = given_tags(Keys::CaseIgnored, input.tags)?;
    let made = iam.change(account, |draft| {
        check_boundary(draft.account(), input.permissions_boundary.as_deref())?;
        let resource = Resource::new::<User>(account, input.user_name, input.path, tags, now);
        let user = User::new(resource, input.permissions_boundary);
        draft.add(user.clone())?;
        Ok(user)
    });
    Ok(api::CreateUserOutput { user: Some(view::whole_user(account, &made.await?)) })
}

pub(crate) async fn get(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::GetUserInput,
) -> Result<api::GetUserOutput, Error> {
    let account = iam.account(caller.account);
    let user = match own_name(&caller, input.user_name)? {
        Some(name) => view::whole_user(account.id, account.find::<User>(&name)?),
        None => root(&caller),
    };
    Ok(api::GetUserOutput { user })
}

pub(crate) async fn list(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::ListUsersInput,
) -> Result<api::ListUsersOutput, Error> {
    let account = iam.account(caller.account);
    let users = account.users.under(input.path_prefix.as_deref());
    let page = Wanted::new(input.marker, input.max_items)
        .of(users.map(|it| (it.name().to_lowercase(), view::user(account.id, it))))?;
    Ok(api::ListUsersOutput {
        users: page.items,
        is_truncated: Some(page.marker.is_some()),
        marker: page.marker,
    })
}

pub(crate) async fn update(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::UpdateUserInput,
) -> Result<Unit, Error> {
    let renamed = iam.change(caller.account, |draft| {
        draft.rename::<User>(&input.user_name, input.new_user_name, input.new_path)
    });
    renamed.await.map(|()| Unit)
}

pub(crate) async fn delete(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::DeleteUserInput,
) -> Result<Unit, Error> {
    let deleted = iam.change(caller.account, |draft| {
        let user = draft.account().find::<User>(&input.user_name)?.clone();
        if !user.groups.is_empty() {
            return Err(Error::StillInUse("remove users from group"));
        }
        if !user.keys.is_empty() {
            return Err(Error::StillInUse("delete access keys"));
        }
        if user.login.is_some() {
            return Err(Error::StillInUse("delete login profile"));
        }
        if draft.account().mfa_devices_of(&user).next().is_some() {
            return Err(Error::StillInUse("delete MFA device"));
        }
        grants::check_deletable(&*user)?;
        draft.remove(&*user);
        Ok(Unit)
    });
    deleted.await
}

/// The user that a request is about: the one it names, else the caller; `None` for the account
/// itself.
pub(crate) fn own_name(caller: &Caller, given: Option<String>) -> Result<Option<String>, Error> {
    if given.is_some() {
        return Ok(given);
    }
    match caller.principal.kind {
        PrincipalKind::Root => Ok(None),
        PrincipalKind::User => {
            let name = caller.principal.arn.resource().rsplit('/').next();
            Ok(name.map(str::to_owned))
        }
        _ => Err(Error::UserNameNeeded),
    }
}

/// The account itself, which has neither name nor path.
fn root(caller: &Caller) -> api::User {
    api::User {
        user_id: caller.account.to_string(),
        arn: caller.principal.arn.to_string(),
        ..api::User::default()
    }
}
