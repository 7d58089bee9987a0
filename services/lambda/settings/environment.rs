//! The environment variables that Lambda takes. Pure.

use std::collections::BTreeMap;

use crate::{Error, limits};

/// Variables that Lambda sets itself ("Defined runtime environment variables").
const RESERVED_VARIABLES: &[&str] = &[
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
];

/// Variables that Lambda takes.
pub(crate) fn checked(
    variables: BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, Error> {
    let reserved = variables.keys().map(String::as_str);
    let reserved: Vec<&str> = reserved.filter(|key| RESERVED_VARIABLES.contains(key)).collect();
    if !reserved.is_empty() {
        return Err(Error::ReservedVariables(reserved.join(", ")));
    }
    let measured = serde_json::to_string(&variables).expect("text maps are always JSON");
    if measured.len() > limits::ENVIRONMENT_BYTES {
        return Err(Error::EnvironmentTooLarge(measured));
    }
    Ok(variables)
}
