//! `GetQueueUrl`: the URL of a name.

use std::sync::Arc;

use kit::{Arn, Caller};
use model::sqs as api;
use wire::{Fault, ServiceError};

use crate::{Sqs, error::Error, name::Place};

pub(crate) async fn run(
    sqs: Arc<Sqs>,
    caller: Caller,
    input: api::GetQueueUrlInput,
) -> Result<api::GetQueueUrlOutput, Error> {
    if input.queue_name.is_empty() {
        return Err(Error::InvalidParameterValue(
            "Value for parameter QueueName is invalid. Reason: Must specify a queue name."
                .to_owned(),
        ));
    }
    let place = place(&caller, &input).ok_or(Error::QueueDoesNotExist)?;
    let missing = || missing(&caller, &input);
    let queue = sqs.shelf.find(&place).ok_or_else(missing)?;
    Ok(api::GetQueueUrlOutput { queue_url: Some(queue.place.url(&caller)) })
}

/// Whether another account has a queue of a name, only those learn whom it lets in.
pub(crate) fn hidden(caller: &Caller, input: &api::GetQueueUrlInput) -> Option<Fault> {
    match missing(caller, input) {
        Error::QueueDoesNotExist => None,
        hidden => Some(hidden.fault()),
    }
}

fn missing(caller: &Caller, input: &api::GetQueueUrlInput) -> Error {
    let owner = input.queue_owner_aws_account_id.as_deref();
    match owner.is_some_and(|owner| owner != caller.account.as_str()) {
        true => Error::QueueOutOfReach,
        false => Error::QueueDoesNotExist,
    }
}

/// The queue that the call is about.
pub(crate) fn resources(caller: &Caller, input: &api::GetQueueUrlInput) -> Vec<Arn> {
    place(caller, input).map(|place| place.arn()).into_iter().collect()
}

fn place(caller: &Caller, input: &api::GetQueueUrlInput) -> Option<Place> {
    let account = match &input.queue_owner_aws_account_id {
        Some(owner) => owner.parse().ok()?,
        None => caller.account,
    };
    Some(Place { account, ..Place::of(caller, &input.queue_name) })
}
