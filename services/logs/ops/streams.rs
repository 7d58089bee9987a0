//! `CreateLogStream`, `DeleteLogStream`.

use std::sync::Arc;

use kit::Caller;
use model::logs as api;

use crate::{Error, Logs, catalog::Place};

pub(crate) async fn create(
    logs: Arc<Logs>,
    caller: Caller,
    input: api::CreateLogStreamInput,
) -> Result<api::CreateLogStreamOutput, Error> {
    let place = Place::of(&caller);
    logs.create_stream(&place, &input.log_group_name, input.log_stream_name, caller.now).await?;
    Ok(wire::Unit)
}

pub(crate) async fn delete(
    logs: Arc<Logs>,
    caller: Caller,
    input: api::DeleteLogStreamInput,
) -> Result<api::DeleteLogStreamOutput, Error> {
    logs.delete_stream(&Place::of(&caller), &input.log_group_name, &input.log_stream_name).await?;
    Ok(wire::Unit)
}
