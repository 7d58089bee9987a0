//! `CreateInstanceProfile`, `GetInstanceProfile`, `ListInstanceProfiles`,
//! `ListInstanceProfilesForRole`, `AddRoleToInstanceProfile`, `RemoveRoleFromInstanceProfile`,
//! `DeleteInstanceProfile`.

use std::sync::Arc;

use kit::Caller;
use model::iam as api;
use wire::Unit;

use super::given_tags;
use crate::{
    Error, Iam,
    grants::Identity,
    instance_profile::InstanceProfile,
    limits::ROLES_PER_PROFILE,
    page::Wanted,
    resource::{Kind, Resource},
    role::Role,
    tags::Keys,
    view,
};

pub(crate) async fn create(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::CreateInstanceProfileInput,
) -> Result<api::CreateInstanceProfileOutput, Error> {
    let (name, path) = (input.instance_profile_name, input.path);
    let tags = given_tags(Keys::CaseIgnored, input.tags)?;
    let resource = Resource::new::<InstanceProfile>(caller.account, name, path, tags, caller.now);
    let profile = InstanceProfile { resource, role: None };
    iam.change(caller.account, |draft| draft.add(profile.clone())).await?;
    let instance_profile = api::InstanceProfile {
        tags: view::some_tags(&profile.resource.tags),
        ..view::profile(&iam.account(caller.account), &profile)
    };
    Ok(api::CreateInstanceProfileOutput { instance_profile })
}

pub(crate) async fn get(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::GetInstanceProfileInput,
) -> Result<api::GetInstanceProfileOutput, Error> {
    let account = iam.account(caller.account);
    let profile = account.find::<InstanceProfile>(&input.instance_profile_name)?;
    let instance_profile = api::InstanceProfile {
        tags: Some(view::tag_list(&profile.resource.tags)),
        ..view::profile(&account, profile)
    };
    Ok(api::GetInstanceProfileOutput { instance_profile })
}

pub(crate) async fn list(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::ListInstanceProfilesInput,
) -> Result<api::ListInstanceProfilesOutput, Error> {
    let account = iam.account(caller.account);
    let profiles = account.profiles.under(input.path_prefix.as_deref());
    let page = Wanted::new(input.marker, input.max_items)
        .of(profiles.map(|it| (it.name().to_lowercase(), view::profile(&account, it))))?;
    Ok(api::ListInstanceProfilesOutput {
        instance_profiles: page.items,
        is_truncated: Some(page.marker.is_some()),
        marker: page.marker,
    })
}

pub(crate) async fn list_for_role(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::ListInstanceProfilesForRoleInput,
) -> Result<api::ListInstanceProfilesForRoleOutput, Error> {
    let account = iam.account(caller.account);
    let profiles = account.profiles_of(account.find::<Role>(&input.role_name)?);
    let page = Wanted::new(input.marker, input.max_items)
        .of(profiles.map(|it| (it.name().to_lowercase(), view::profile(&account, it))))?;
    Ok(api::ListInstanceProfilesForRoleOutput {
        instance_profiles: page.items,
        is_truncated: Some(page.marker.is_some()),
        marker: page.marker,
    })
}

pub(crate) async fn add_role(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::AddRoleToInstanceProfileInput,
) -> Result<Unit, Error> {
    let added = iam.change(caller.account, |draft| {
        draft.account().find::<InstanceProfile>(&input.instance_profile_name)?;
        let role = draft.account().find::<Role>(&input.role_name)?;
        role.check_unprotected()?;
        let role = role.name().to_owned();
        draft.modify::<InstanceProfile, _>(&input.instance_profile_name, |profile| {
            if profile.role.is_some() {
                return Err(Error::QuotaExceeded(ROLES_PER_PROFILE));
            }
            profile.role = Some(role);
            Ok(Unit)
        })
    });
    added.await
}

pub(crate) async fn remove_role(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::RemoveRoleFromInstanceProfileInput,
) -> Result<Unit, Error> {
    let removed = iam.change(caller.account, |draft| {
        draft.account().find::<InstanceProfile>(&input.instance_profile_name)?;
        let role = draft.account().find::<Role>(&input.role_name)?.name().to_owned();
        draft.modify::<InstanceProfile, _>(&input.instance_profile_name, |profile| {
            if profile.role.as_ref() != Some(&role) {
                let profile = profile.name().to_owned();
                return Err(Error::NotInProfile { role, profile });
            }
            profile.role = None;
            Ok(Unit)
        })
    });
    removed.await
}

pub(crate) async fn delete(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::DeleteInstanceProfileInput,
) -> Result<Unit, Error> {
    let deleted = iam.change(caller.account, |draft| {
        let name = &input.instance_profile_name;
        let profile = draft.account().find::<InstanceProfile>(name)?.clone();
        if profile.role.is_some() {
            return Err(Error::StillInUse("remove roles from instance profile"));
        }
        draft.remove(&*profile);
        Ok(Unit)
    });
    deleted.await
}
