//! Tags of groups: `TagResource`, `UntagResource`, `ListTagsForResource`, and the older
//! `TagLogGroup`, `UntagLogGroup`, `ListTagsLogGroup`, which name the group itself.

use std::sync::Arc;

use kit::{Caller, Tags};
use model::logs as api;

use crate::{Error, Logs, catalog::Place, error::Invalid, limits, name};

pub(crate) async fn tag_resource(
    logs: Arc<Logs>,
    caller: Caller,
    input: api::TagResourceInput,
) -> Result<api::TagResourceOutput, Error> {
    let group = name::of_arn(&caller, &input.resource_arn)?;
    tag(&logs, &caller, group, input.tags).await
}

pub(crate) async fn tag_log_group(
    logs: Arc<Logs>,
    caller: Caller,
    input: api::TagLogGroupInput,
) -> Result<api::TagLogGroupOutput, Error> {
    tag(&logs, &caller, &input.log_group_name, input.tags).await
}

pub(crate) async fn untag_resource(
    logs: Arc<Logs>,
    caller: Caller,
    input: api::UntagResourceInput,
) -> Result<api::UntagResourceOutput, Error> {
    let group = name::of_arn(&caller, &input.resource_arn)?;
    untag(&logs, &caller, group, &input.tag_keys).await
}

pub(crate) async fn untag_log_group(
    logs: Arc<Logs>,
    caller: Caller,
    input: api::UntagLogGroupInput,
) -> Result<api::UntagLogGroupOutput, Error> {
    untag(&logs, &caller, &input.log_group_name, &input.tags).await
}

pub(crate) async fn list_tags_for_resource(
    logs: Arc<Logs>,
    caller: Caller,
    input: api::ListTagsForResourceInput,
) -> Result<api::ListTagsForResourceOutput, Error> {
    let group = name::of_arn(&caller, &input.resource_arn)?;
    Ok(api::ListTagsForResourceOutput { tags: Some(list(&logs, &caller, group)?) })
}

pub(crate) async fn list_tags_log_group(
    logs: Arc<Logs>,
    caller: Caller,
    input: api::ListTagsLogGroupInput,
) -> Result<api::ListTagsLogGroupOutput, Error> {
    let tags = list(&logs, &caller, &input.log_group_name)?;
    Ok(api::ListTagsLogGroupOutput { tags: Some(tags) })
}

/// Adds tags to those of a group.
pub(super) fn add(tags: &mut Tags, added: Tags, group_arn: &str) -> Result<(), Error> {
    let is_reserved = |key: &String| key.get(..4).is_some_and(|it| it.eq_ignore_ascii_case("aws:"));
    if added.keys().any(is_reserved) {
        return Err(Invalid::ReservedTag.into());
    }
    tags.extend(added);
    if tags.len() > limits::TAGS {
        return Err(Error::TooManyTags { group: group_arn.to_owned() });
    }
    Ok(())
}

async fn tag(logs: &Logs, caller: &Caller, group: &str, added: Tags) -> Result<wire::Unit, Error> {
    let arn = name::group_arn(caller, group);
    logs.change_group(&Place::of(caller), group, |settings| {
        add(&mut settings.tags, added, arn.as_str())
    })
    .await?;
    Ok(wire::Unit)
}

async fn untag(
    logs: &Logs,
    caller: &Caller,
    group: &str,
    keys: &[String],
) -> Result<wire::Unit, Error> {
    logs.change_group(&Place::of(caller), group, |settings| {
        settings.tags.retain(|key, _| !keys.contains(key));
        Ok(())
    })
    .await?;
    Ok(wire::Unit)
}

fn list(logs: &Logs, caller: &Caller, group: &str) -> Result<Tags, Error> {
    Ok(logs.catalog().group(&Place::of(caller), group)?.settings.tags.clone())
}
