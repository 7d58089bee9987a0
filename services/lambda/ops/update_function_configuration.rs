//! `UpdateFunctionConfiguration`.

use std::sync::Arc;

use kit::Caller;
use model::lambda as api;

use crate::{Error, Lambda, ops::unqualified, view::Moment};

pub(crate) async fn run(
    lambda: Arc<Lambda>,
    caller: Caller,
    mut input: api::UpdateFunctionConfigurationInput,
) -> Result<api::UpdateFunctionConfigurationOutput, Error> {
    let key = unqualified(&caller, &input.function_name)?;
    let revision = input.revision_id.take();
    let runtime = input.runtime.clone();
    let layered = input.layers.as_ref().is_some_and(|layers| !layers.is_empty());
    let mut settings = lambda.functions.get(&key)?.function.latest().settings.clone();
    // Once before the machine is asked, so that unknown runtimes are told first.
    settings.apply(input.clone())?;
    if let Some(runtime) = runtime {
        lambda.check_runtime(&runtime).await?;
    }
    if layered {
        lambda.check_signature(&caller, &key)?;
    }
    let _updating = lambda.functions.begin_update(&key)?;
    let changed = lambda.change(&key, |function| {
        function.check_revision(revision.as_deref())?;
        function.change_latest(caller.now, |latest| latest.settings.apply(input))?;
        Ok(function.latest().clone())
    });
    Ok(lambda.described(&key, &*changed.await?, None, Moment::Updating).await)
}
