//! `PutRuntimeManagementConfig` and `GetRuntimeManagementConfig`.

use std::sync::Arc;

use kit::Caller;
use model::lambda as api;

use crate::{
    Error, Lambda,
    management::RuntimeManagement,
    name::{self, LATEST},
};

pub(crate) async fn put(
    lambda: Arc<Lambda>,
    caller: Caller,
    input: api::PutRuntimeManagementConfigInput,
) -> Result<api::PutRuntimeManagementConfigOutput, Error> {
    let named = name::resolve(&caller, &input.function_name, input.qualifier.as_deref())?;
    let qualifier = named.qualifier.as_deref().unwrap_or(LATEST);
    let version = lambda.functions.get(&named.key)?.function.version(Some(qualifier))?.clone();
    let present = lambda.runtime_version(&named.key.region, &version.settings.runtime).await?;
    let given = input.runtime_version_arn;
    let management = RuntimeManagement::new(input.update_runtime_on, given, &present)?;
    let pinned = management.pinned.clone();
    let put = lambda.change(&named.key, |function| {
        let number = function.version(Some(qualifier))?.number.to_string();
        function.common.runtime_management.insert(number, management);
        Ok(())
    });
    put.await?;
    Ok(api::PutRuntimeManagementConfigOutput {
        update_runtime_on: input.update_runtime_on,
        function_arn: named.key.qualified(Some(qualifier)),
        runtime_version_arn: pinned,
    })
}

pub(crate) async fn get(
    lambda: Arc<Lambda>,
    caller: Caller,
    input: api::GetRuntimeManagementConfigInput,
) -> Result<api::GetRuntimeManagementConfigOutput, Error> {
    let named = name::resolve(&caller, &input.function_name, input.qualifier.as_deref())?;
    let qualifier = named.qualifier.as_deref().unwrap_or(LATEST);
    let live = lambda.functions.get(&named.key)?;
    let number = live.function.version(Some(qualifier))?.number;
    let management = live.function.runtime_management(number);
    Ok(api::GetRuntimeManagementConfigOutput {
        update_runtime_on: Some(management.mode()),
        function_arn: Some(named.key.qualified(Some(qualifier))),
        runtime_version_arn: management.pinned,
    })
}
