//! `GetEventSourceMapping`.

use std::sync::Arc;

use kit::Caller;
use model::lambda as api;

use crate::{
    Error, Lambda,
    ops::mapping::{find, view::describe},
};

pub(crate) async fn run(
    lambda: Arc<Lambda>,
    caller: Caller,
    input: api::GetEventSourceMappingInput,
) -> Result<api::GetEventSourceMappingOutput, Error> {
    let seen = find(&lambda, &caller, &input.uuid)?;
    Ok(describe(&seen))
}
