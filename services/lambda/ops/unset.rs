//! Configurations that cannot be set here, and that read as those of a function that never had any:
//! `GetFunctionRecursionConfig`, `GetRuntimeManagementConfig`, `GetFunctionCodeSigningConfig`.

use std::sync::Arc;

use kit::Caller;
use model::lambda as api;

use crate::{
    Error, Lambda,
    name::{self, LATEST},
    ops::unqualified,
};

pub(crate) async fn recursion(
    lambda: Arc<Lambda>,
    caller: Caller,
    input: api::GetFunctionRecursionConfigInput,
) -> Result<api::GetFunctionRecursionConfigOutput, Error> {
    lambda.functions.get(&unqualified(&caller, &input.function_name)?)?;
    let recursive_loop = Some(api::RecursiveLoop::Terminate);
    Ok(api::GetFunctionRecursionConfigOutput { recursive_loop })
}

pub(crate) async fn runtime_management(
    lambda: Arc<Lambda>,
    caller: Caller,
    input: api::GetRuntimeManagementConfigInput,
) -> Result<api::GetRuntimeManagementConfigOutput, Error> {
    let named = name::resolve(&caller, &input.function_name, input.qualifier.as_deref())?;
    let live = lambda.functions.get(&named.key)?;
    let qualifier = named.qualifier.as_deref().unwrap_or(LATEST);
    live.function.version(Some(qualifier))?;
    Ok(api::GetRuntimeManagementConfigOutput {
        update_runtime_on: Some(api::UpdateRuntimeOn::Auto),
        function_arn: Some(named.key.qualified(Some(qualifier))),
        runtime_version_arn: None,
    })
}

pub(crate) async fn code_signing(
    lambda: Arc<Lambda>,
    caller: Caller,
    input: api::GetFunctionCodeSigningConfigInput,
) -> Result<api::GetFunctionCodeSigningConfigOutput, Error> {
    let key = unqualified(&caller, &input.function_name)?;
    lambda.functions.get(&key)?;
    // No configuration is an empty ARN.
    let code_signing_config_arn = String::new();
    Ok(api::GetFunctionCodeSigningConfigOutput { code_signing_config_arn, function_name: key.name })
}
