//! `AddPermission`, `RemovePermission`: edit the queue's policy.

use std::sync::Arc;

use kit::Caller;
use model::sqs as api;

use crate::{Sqs, error::Error, ops::set_queue_attributes::change, policy};

pub(crate) async fn add(
    sqs: Arc<Sqs>,
    caller: Caller,
    input: api::AddPermissionInput,
) -> Result<api::AddPermissionOutput, Error> {
    let queue = sqs.own_queue(&caller, &input.queue_url)?;
    let arn = queue.place.arn();
    change(&sqs, &queue, move |record| {
        let policy = record.settings.policy.as_deref();
        let (accounts, actions) = (&input.aws_account_ids, &input.actions);
        let policy = policy::add(policy, arn.as_str(), &input.label, accounts, actions)?;
        record.settings.policy = Some(policy);
        record.modified = caller.now;
        Ok(())
    })
    .await?;
    Ok(wire::Unit)
}

pub(crate) async fn remove(
    sqs: Arc<Sqs>,
    caller: Caller,
    input: api::RemovePermissionInput,
) -> Result<api::RemovePermissionOutput, Error> {
    let queue = sqs.own_queue(&caller, &input.queue_url)?;
    change(&sqs, &queue, move |record| {
        let policy = policy::remove(record.settings.policy.as_deref(), &input.label)?;
        record.settings.policy = policy;
        record.modified = caller.now;
        Ok(())
    })
    .await?;
    Ok(wire::Unit)
}
