//! `TagUser`, `UntagUser`, `ListUserTags`, and the same for roles, instance profiles and policies.

use std::sync::Arc;

use kit::{Caller, Tags};
use model::iam as api;
use wire::Unit;

use super::{given_tags, policies};
use crate::{
    Error, Iam,
    instance_profile::InstanceProfile,
    page::{Page, Wanted},
    resource::Kind,
    role::Role,
    tags::Keys,
    user::User,
    view,
};

pub(crate) async fn tag_user(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::TagUserInput,
) -> Result<Unit, Error> {
    tag::<User>(&iam, &caller, &input.user_name, input.tags).await
}

pub(crate) async fn tag_role(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::TagRoleInput,
) -> Result<Unit, Error> {
    tag::<Role>(&iam, &caller, &input.role_name, input.tags).await
}

pub(crate) async fn tag_profile(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::TagInstanceProfileInput,
) -> Result<Unit, Error> {
    tag::<InstanceProfile>(&iam, &caller, &input.instance_profile_name, input.tags).await
}

pub(crate) async fn tag_policy(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::TagPolicyInput,
) -> Result<Unit, Error> {
    let given = given_tags(Keys::CaseMatters, Some(input.tags))?;
    let tagged = iam.change(caller.account, |draft| {
        policies::modify(draft, &caller, "iam:TagPolicy", &input.policy_arn, |policy| {
            Keys::CaseMatters.add(&mut policy.resource.tags, given)
        })
    });
    tagged.await.map(|()| Unit)
}

pub(crate) async fn untag_user(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::UntagUserInput,
) -> Result<Unit, Error> {
    untag::<User>(&iam, &caller, &input.user_name, &input.tag_keys).await
}

pub(crate) async fn untag_role(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::UntagRoleInput,
) -> Result<Unit, Error> {
    untag::<Role>(&iam, &caller, &input.role_name, &input.tag_keys).await
}

pub(crate) async fn untag_profile(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::UntagInstanceProfileInput,
) -> Result<Unit, Error> {
    untag::<InstanceProfile>(&iam, &caller, &input.instance_profile_name, &input.tag_keys).await
}

pub(crate) async fn untag_policy(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::UntagPolicyInput,
) -> Result<Unit, Error> {
    let untagged = iam.change(caller.account, |draft| {
        policies::modify(draft, &caller, "iam:UntagPolicy", &input.policy_arn, |policy| {
            Keys::CaseMatters.remove(&mut policy.resource.tags, &input.tag_keys);
            Ok(Unit)
        })
    });
    untagged.await
}

pub(crate) async fn list_user(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::ListUserTagsInput,
) -> Result<api::ListUserTagsOutput, Error> {
    let wanted = Wanted::new(input.marker, input.max_items);
    let account = iam.account(caller.account);
    let page = list(&account.find::<User>(&input.user_name)?.resource.tags, &wanted)?;
    Ok(api::ListUserTagsOutput {
        tags: page.items,
        is_truncated: Some(page.marker.is_some()),
        marker: page.marker,
    })
}

pub(crate) async fn list_role(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::ListRoleTagsInput,
) -> Result<api::ListRoleTagsOutput, Error> {
    let wanted = Wanted::new(input.marker, input.max_items);
    let account = iam.account(caller.account);
    let page = list(&account.find::<Role>(&input.role_name)?.resource.tags, &wanted)?;
    Ok(api::ListRoleTagsOutput {
        tags: page.items,
        is_truncated: Some(page.marker.is_some()),
        marker: page.marker,
    })
}

pub(crate) async fn list_profile(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::ListInstanceProfileTagsInput,
) -> Result<api::ListInstanceProfileTagsOutput, Error> {
    let wanted = Wanted::new(input.marker, input.max_items);
    let account = iam.account(caller.account);
    let page = list(
        &account.find::<InstanceProfile>(&input.instance_profile_name)?.resource.tags,
        &wanted,
    )?;
    Ok(api::ListInstanceProfileTagsOutput {
        tags: page.items,
        is_truncated: Some(page.marker.is_some()),
        marker: page.marker,
    })
}

pub(crate) async fn list_policy(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::ListPolicyTagsInput,
) -> Result<api::ListPolicyTagsOutput, Error> {
    let wanted = Wanted::new(input.marker, input.max_items);
    let account = iam.account(caller.account);
    let page = list(&account.policy(&input.policy_arn)?.resource.tags, &wanted)?;
    Ok(api::ListPolicyTagsOutput {
        tags: page.items,
        is_truncated: Some(page.marker.is_some()),
        marker: page.marker,
    })
}

async fn tag<T: Kind>(
    iam: &Iam,
    caller: &Caller,
    name: &str,
    tags: Vec<api::Tag>,
) -> Result<Unit, Error> {
    let given = given_tags(Keys::CaseIgnored, Some(tags))?;
    let tagged = iam.change(caller.account, |draft| {
        draft.modify::<T, _>(name, |it| Keys::CaseIgnored.add(&mut it.resource_mut().tags, given))
    });
    tagged.await.map(|()| Unit)
}

async fn untag<T: Kind>(
    iam: &Iam,
    caller: &Caller,
    name: &str,
    keys: &[String],
) -> Result<Unit, Error> {
    let untagged = iam.change(caller.account, |draft| {
        draft.modify::<T, _>(name, |it| {
            Keys::CaseIgnored.remove(&mut it.resource_mut().tags, keys);
            Ok(Unit)
        })
    });
    untagged.await
}

/// Adds tags to those of a provider, whose limit has a sentence of its own.
pub(super) fn add_to_provider(tags: &mut Tags, given: Tags) -> Result<(), Error> {
    Keys::CaseIgnored.add(tags, given).map_err(|_| Error::TooManyTags)
}

/// One page of tags.
pub(super) fn list(tags: &Tags, wanted: &Wanted) -> Result<Page<api::Tag>, Error> {
    wanted.of(view::tag_list(tags).into_iter().map(|tag| (tag.key.clone(), tag)))
}
