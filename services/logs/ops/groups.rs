//! `CreateLogGroup`, `DeleteLogGroup`, `PutLogGroupDeletionProtection`.

use std::sync::Arc;

use kit::Caller;
use model::logs::{self as api, LogGroupClass};

use super::tags;
use crate::{
    Error, Logs,
    catalog::{Place, Settings},
    error::Invalid,
    name,
};

pub(crate) async fn create(
    logs: Arc<Logs>,
    caller: Caller,
    input: api::CreateLogGroupInput,
) -> Result<api::CreateLogGroupOutput, Error> {
    let group = input.log_group_name;
    if group.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("aws/")) {
        return Err(Invalid::ReservedName.into());
    }
    let arn = name::group_arn(&caller, &group).to_string();
    if input.kms_key_id.is_some() {
        return Err(Error::NoSuchKey { group: arn });
    }
    let class = input.log_group_class.unwrap_or(LogGroupClass::Standard);
    let mut settings = Settings {
        class,
        // The class of logs on their way elsewhere keeps them for a day.
        retention_days: (class == LogGroupClass::Delivery).then_some(1),
        protected: input.deletion_protection_enabled.unwrap_or_default(),
        ..Settings::plain(caller.now)
    };
    tags::add(&mut settings.tags, input.tags.unwrap_or_default(), &arn)?;
    logs.create_group(Place::of(&caller), group, settings).await?;
    Ok(wire::Unit)
}

pub(crate) async fn delete(
    logs: Arc<Logs>,
    caller: Caller,
    input: api::DeleteLogGroupInput,
) -> Result<api::DeleteLogGroupOutput, Error> {
    logs.delete_group(&Place::of(&caller), &input.log_group_name).await?;
    Ok(wire::Unit)
}

pub(crate) async fn protect(
    logs: Arc<Logs>,
    caller: Caller,
    input: api::PutLogGroupDeletionProtectionInput,
) -> Result<api::PutLogGroupDeletionProtectionOutput, Error> {
    let group = name::of_identifier(&input.log_group_identifier);
    logs.change_group(&Place::of(&caller), group, |settings| {
        settings.protected = input.deletion_protection_enabled;
        Ok(())
    })
    .await?;
    Ok(wire::Unit)
}
