//! `PutFunctionScalingConfig` and `GetFunctionScalingConfig`, of published versions. What is asked for
//! is kept and shown as requested, never as applied: only managed instances, which are not built,
//! scale by it.

use std::sync::Arc;

use kit::Caller;
use model::lambda as api;

use crate::{Error, Lambda, management::Scaling, ops::unqualified};

pub(crate) async fn put(
    lambda: Arc<Lambda>,
    caller: Caller,
    input: api::PutFunctionScalingConfigInput,
) -> Result<api::PutFunctionScalingConfigOutput, Error> {
    let key = unqualified(&caller, &input.function_name)?;
    let scaling = input.function_scaling_config.as_ref().map(Scaling::new).transpose()?;
    let put = lambda.change(&key, |function| {
        function.version(Some(&input.qualifier))?;
        match scaling {
            Some(scaling) => function.common.scaling.insert(input.qualifier, scaling),
            None => function.common.scaling.remove(&input.qualifier),
        };
        Ok(())
    });
    put.await?;
    Ok(api::PutFunctionScalingConfigOutput { function_state: Some(api::State::Active) })
}

pub(crate) async fn get(
    lambda: Arc<Lambda>,
    caller: Caller,
    input: api::GetFunctionScalingConfigInput,
) -> Result<api::GetFunctionScalingConfigOutput, Error> {
    let key = unqualified(&caller, &input.function_name)?;
    let live = lambda.functions.get(&key)?;
    live.function.version(Some(&input.qualifier))?;
    let requested = live.function.common.scaling.get(&input.qualifier);
    Ok(api::GetFunctionScalingConfigOutput {
        function_arn: Some(key.qualified(Some(&input.qualifier))),
        applied_function_scaling_config: None,
        requested_function_scaling_config: requested.map(|it| api::FunctionScalingConfig {
            min_execution_environments: it.minimum,
            max_execution_environments: it.maximum,
        }),
    })
}
