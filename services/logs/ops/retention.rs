//! `PutRetentionPolicy`, `DeleteRetentionPolicy`.

use std::sync::Arc;

use kit::Caller;
use model::logs as api;

use crate::{Error, Logs, catalog::Place, error::Invalid, limits};

pub(crate) async fn put(
    logs: Arc<Logs>,
    caller: Caller,
    input: api::PutRetentionPolicyInput,
) -> Result<api::PutRetentionPolicyOutput, Error> {
    let days = input.retention_in_days;
    if !limits::RETENTION_DAYS.contains(&days) {
        return Err(Invalid::Retention { days }.into());
    }
    logs.change_group(&Place::of(&caller), &input.log_group_name, |settings| {
        settings.retention_days = Some(days.unsigned_abs());
        Ok(())
    })
    .await?;
    Ok(wire::Unit)
}

pub(crate) async fn delete(
    logs: Arc<Logs>,
    caller: Caller,
    input: api::DeleteRetentionPolicyInput,
) -> Result<api::DeleteRetentionPolicyOutput, Error> {
    logs.change_group(&Place::of(&caller), &input.log_group_name, |settings| {
        settings.retention_days = None;
        Ok(())
    })
    .await?;
    Ok(wire::Unit)
}
