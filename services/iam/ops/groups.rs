//! `CreateGroup`, `GetGroup`, `ListGroups`, `UpdateGroup`, `DeleteGroup`, `AddUserToGroup`,
//! `RemoveUserFromGroup`, `ListGroupsForUser`.

use std::sync::Arc;

use kit::{Caller, Tags};
use model::iam as api;
use wire::Unit;

use crate::{
    Error, Iam,
    grants::{self, Grants},
    group::Group,
    limits::GROUPS_PER_USER,
    page::Wanted,
    resource::{Kind, Resource},
    user::User,
    view,
};

pub(crate) async fn create(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::CreateGroupInput,
) -> Result<api::CreateGroupOutput, Error> {
    let account = caller.account;
    let (name, path) = (input.group_name, input.path);
    let resource = Resource::new::<Group>(account, name, path, Tags::new(), caller.now);
    let group = Group { resource, grants: Grants::default() };
    iam.change(account, |draft| draft.add(group.clone())).await?;
    Ok(api::CreateGroupOutput { group: view::group(account, &group) })
}

pub(crate) async fn get(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::GetGroupInput,
) -> Result<api::GetGroupOutput, Error> {
    let account = iam.account(caller.account);
    let group = account.find::<Group>(&input.group_name)?;
    let members = account.members(group);
    let page = Wanted::new(input.marker, input.max_items)
        .of(members.map(|it| (it.name().to_lowercase(), view::user(account.id, it))))?;
    Ok(api::GetGroupOutput {
        group: view::group(account.id, group),
        users: page.items,
        is_truncated: Some(page.marker.is_some()),
        marker: page.marker,
    })
}

pub(crate) async fn list(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::ListGroupsInput,
) -> Result<api::ListGroupsOutput, Error> {
    let account = iam.account(caller.account);
    let groups = account.groups.under(input.path_prefix.as_deref());
    let page = Wanted::new(input.marker, input.max_items)
        .of(groups.map(|it| (it.name().to_lowercase(), view::group(account.id, it))))?;
    Ok(api::ListGroupsOutput {
        groups: page.items,
        is_truncated: Some(page.marker.is_some()),
        marker: page.marker,
    })
}

pub(crate) async fn update(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::UpdateGroupInput,
) -> Result<Unit, Error> {
    let renamed = iam.change(caller.account, |draft| {
        draft.rename::<Group>(&input.group_name, input.new_group_name, input.new_path)
    });
    renamed.await.map(|()| Unit)
}

pub(crate) async fn delete(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::DeleteGroupInput,
) -> Result<Unit, Error> {
    let deleted = iam.change(caller.account, |draft| {
        let group = draft.account().find::<Group>(&input.group_name)?.clone();
        if draft.account().members(&group).next().is_some() {
            return Err(Error::StillInUse("remove users from group"));
        }
        grants::check_deletable(&*group)?;
        draft.remove(&*group);
        Ok(Unit)
    });
    deleted.await
}

pub(crate) async fn add_user(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::AddUserToGroupInput,
) -> Result<Unit, Error> {
    let added = iam.change(caller.account, |draft| {
        draft.account().find::<User>(&input.user_name)?;
        let group = draft.account().find::<Group>(&input.group_name)?.id().to_owned();
        draft.modify::<User, _>(&input.user_name, |user| {
            user.groups.insert(group);
            if user.groups.len() > GROUPS_PER_USER.limit {
                return Err(Error::QuotaExceeded(GROUPS_PER_USER));
            }
            Ok(Unit)
        })
    });
    added.await
}

pub(crate) async fn remove_user(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::RemoveUserFromGroupInput,
) -> Result<Unit, Error> {
    let removed = iam.change(caller.account, |draft| {
        draft.account().find::<User>(&input.user_name)?;
        let group = draft.account().find::<Group>(&input.group_name)?.id().to_owned();
        draft.modify::<User, _>(&input.user_name, |user| {
            user.groups.remove(&group);
            Ok(Unit)
        })
    });
    removed.await
}

pub(crate) async fn list_for_user(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::ListGroupsForUserInput,
) -> Result<api::ListGroupsForUserOutput, Error> {
    let account = iam.account(caller.account);
    let groups = account.groups_of(account.find::<User>(&input.user_name)?);
    let page = Wanted::new(input.marker, input.max_items)
        .of(groups.into_iter().map(|it| (it.name().to_lowercase(), view::group(account.id, it))))?;
    Ok(api::ListGroupsForUserOutput {
        groups: page.items,
        is_truncated: Some(page.marker.is_some()),
        marker: page.marker,
    })
}
