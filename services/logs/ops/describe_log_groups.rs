//! `DescribeLogGroups`: the groups of an account and region, by name.

use std::sync::Arc;

use kit::Caller;
use model::logs as api;

use crate::{
    Error, Logs,
    catalog::{Group, Place},
    error::Invalid,
    name, page,
};

pub(crate) async fn run(
    logs: Arc<Logs>,
    caller: Caller,
    input: api::DescribeLogGroupsInput,
) -> Result<api::DescribeLogGroupsOutput, Error> {
    if input.log_group_name_prefix.is_some() && input.log_group_name_pattern.is_some() {
        return Err(Invalid::PrefixAndPattern.into());
    }
    let after: Option<String> = page::parse(input.next_token.as_deref())?;
    let place = Place::of(&caller);
    let catalog = logs.catalog();
    let groups = catalog.groups(&place).filter(|(name, group)| {
        after.as_ref().is_none_or(|after| *name > after) && is_wanted(&input, name, group)
    });
    let (page, next_token) = page::cut(groups, input.limit, |(name, _)| (*name).clone());
    let is_brief = input.log_group_name_pattern.is_some();
    let describe = |(name, group): (&String, &Group)| {
        let described = described(&logs, &caller, name, group);
        if is_brief { brief(described) } else { described }
    };
    let log_groups = Some(page.into_iter().map(describe).collect());
    Ok(api::DescribeLogGroupsOutput { log_groups, next_token })
}

fn is_wanted(input: &api::DescribeLogGroupsInput, name: &str, group: &Group) -> bool {
    let identifiers = input.log_group_identifiers.as_ref();
    input.log_group_name_prefix.as_ref().is_none_or(|prefix| name.starts_with(prefix))
        && input.log_group_name_pattern.as_ref().is_none_or(|part| name.contains(part))
        && input.log_group_class.is_none_or(|class| group.settings.class == class)
        && identifiers.is_none_or(|wanted| wanted.iter().any(|it| name::of_identifier(it) == name))
}

fn described(logs: &Logs, caller: &Caller, name: &str, group: &Group) -> api::LogGroup {
    let settings = &group.settings;
    let arn = name::group_arn(caller, name);
    let bytes: u64 = group.streams.values().map(|stream| logs.events.stream_bytes(stream.id)).sum();
    api::LogGroup {
        log_group_name: Some(name.to_owned()),
        creation_time: Some(settings.created.0 as i64),
        retention_in_days: settings.retention_days.map(u32::cast_signed),
        metric_filter_count: Some(0),
        arn: Some(format!("{arn}:*")),
        stored_bytes: Some(bytes as i64),
        log_group_class: Some(settings.class),
        log_group_arn: Some(arn.to_string()),
        deletion_protection_enabled: Some(settings.protected),
        ..api::LogGroup::default()
    }
}

/// With a pattern AWS answers with this much only.
fn brief(group: api::LogGroup) -> api::LogGroup {
    api::LogGroup {
        log_group_name: group.log_group_name,
        creation_time: group.creation_time,
        arn: group.arn,
        ..api::LogGroup::default()
    }
}
