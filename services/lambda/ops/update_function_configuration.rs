//! `UpdateFunctionConfiguration`.

use std::sync::Arc;

use kit::Caller;
use model::lambda as api;

use crate::{Error, Lambda, ops::own, view::Moment};

pub(crate) async fn run(
    lambda: Arc<Lambda>,
    caller: Caller,
    mut input: api::UpdateFunctionConfigurationInput,
) -> Result<api::UpdateFunctionConfigurationOutput, Error> {
    let key = own(&caller, &input.function_name)?;
    let revision = input.revision_id.take();
    let runtime = input.runtime.clone();
    let layers = input.layers.clone();
    let latest = lambda.functions.get(&key)?.function.latest().clone();
    let mut settings = latest.settings.clone();
    // Once before the machine is asked, so that unknown runtimes are told first.
    settings.apply(input.clone())?;
    lambda.check_dead_letter(&key, settings.dead_letter.as_ref())?;
    if settings.role != latest.settings.role {
        lambda.check_role(&caller, &settings.role)?;
    }
    if let Some(runtime) = runtime {
        lambda.check_runtime(&runtime).await?;
    }
    if let Some(layers) = &layers {
        let used = lambda.layers.used(&caller, layers)?;
        lambda.check_unpacked_size(&latest.code, &used).await?;
        if !used.is_empty() {
            lambda.check_signature(&caller, &key)?;
        }
    }
    let _updating = lambda.functions.begin_update(&key)?;
    let changed = lambda.change(&key, |function| {
        function.check_revision(revision.as_deref())?;
        function.change_latest(caller.now, |latest| {
            if let Some(layers) = &layers {
                latest.settings.layers = lambda.layers.used(&caller, layers)?;
            }
            latest.settings.apply(input)
        })?;
        Ok(function.latest().clone())
    });
    let changed = changed.await?;
    if layers.is_some() {
        lambda.collect_code().await;
    }
    Ok(lambda.described(&key, &changed, None, Moment::Updating).await)
}
