//! `UpdateEventSourceMapping`.

use std::sync::Arc;

use kit::Caller;
use model::lambda as api;

use crate::{
    Error, Lambda,
    ops::mapping::{find, function, refuse_twin, settings, source, view::describe_as},
    sources::mapping::{Mapping, State},
};

pub(crate) async fn run(
    lambda: Arc<Lambda>,
    caller: Caller,
    input: api::UpdateEventSourceMappingInput,
) -> Result<api::UpdateEventSourceMappingOutput, Error> {
    let _turn = lambda.sources.turn.lock().await;
    let seen = find(&lambda, &caller, &input.uuid)?;
    if matches!(seen.state, State::Creating | State::Updating | State::Deleting) {
        return Err(Error::MappingInUse("update"));
    }
    let mut mapping = Mapping::clone(&seen.mapping);
    if let Some(name) = input.function_name.as_deref() {
        let runnable = function(&lambda, &caller, name)?;
        mapping.function.clone_from(&runnable.function.name);
        mapping.qualifier.clone_from(&runnable.qualifier);
        mapping.function_arn = runnable.invoked_arn.parse().map_err(|_| Error::NoSuchMapping)?;
        refuse_twin(&lambda, &mapping)?;
        let timeout = runnable.function.timeout.as_secs();
        source::check_visibility(&lambda, &mapping, timeout).await?;
    }
    settings::apply(&lambda, &mut mapping, input)?;
    mapping.modified = caller.now;
    source::check(&lambda, &mapping).await?;
    lambda.save_mapping(&mapping).await?;
    let passing = match (seen.mapping.enabled, mapping.enabled) {
        (true, false) => State::Disabling,
        (false, true) => State::Enabling,
        _ => State::Updating,
    };
    let mapping = lambda.sources.put(&lambda, mapping, Some(passing));
    let seen = lambda.sources.get(&mapping.id).ok_or(Error::NoSuchMapping)?;
    Ok(describe_as(&seen, passing))
}
