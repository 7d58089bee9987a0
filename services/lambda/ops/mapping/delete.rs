//! `DeleteEventSourceMapping`.

use std::sync::Arc;

use kit::Caller;
use model::lambda as api;

use crate::{
    Error, Lambda,
    ops::mapping::{find, view::describe_as},
    sources::mapping::State,
};

pub(crate) async fn run(
    lambda: Arc<Lambda>,
    caller: Caller,
    input: api::DeleteEventSourceMappingInput,
) -> Result<api::DeleteEventSourceMappingOutput, Error> {
    let _turn = lambda.sources.turn.lock().await;
    let seen = find(&lambda, &caller, &input.uuid)?;
    if matches!(seen.state, State::Updating | State::Deleting) {
        return Err(Error::MappingInUse("delete"));
    }
    lambda.forget_mapping(&seen.mapping.id).await?;
    lambda.sources.remove(&lambda, &seen.mapping.id);
    Ok(describe_as(&seen, State::Deleting))
}
