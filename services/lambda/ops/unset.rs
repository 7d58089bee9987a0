//! A configuration that cannot be set here, and that reads as that of a function that never had any:
//! `GetFunctionRecursionConfig`.

use std::sync::Arc;

use kit::Caller;
use model::lambda as api;

use crate::{Error, Lambda, ops::unqualified};

pub(crate) async fn recursion(
    lambda: Arc<Lambda>,
    caller: Caller,
    input: api::GetFunctionRecursionConfigInput,
) -> Result<api::GetFunctionRecursionConfigOutput, Error> {
    lambda.functions.get(&unqualified(&caller, &input.function_name)?)?;
    let recursive_loop = Some(api::RecursiveLoop::Terminate);
    Ok(api::GetFunctionRecursionConfigOutput { recursive_loop })
}
