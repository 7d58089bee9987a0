//! `PutFunctionRecursionConfig` and `GetFunctionRecursionConfig`.

use std::sync::Arc;

use kit::Caller;
use model::lambda as api;

use crate::{Error, Lambda, invoke::lineage::Recursion, ops::unqualified};

pub(crate) async fn put(
    lambda: Arc<Lambda>,
    caller: Caller,
    input: api::PutFunctionRecursionConfigInput,
) -> Result<api::PutFunctionRecursionConfigOutput, Error> {
    let key = unqualified(&caller, &input.function_name)?;
    let recursion = match input.recursive_loop {
        api::RecursiveLoop::Allow => Recursion::Allow,
        api::RecursiveLoop::Terminate => Recursion::Terminate,
    };
    let put = lambda.change(&key, |function| {
        function.common.recursion = recursion;
        Ok(())
    });
    put.await?;
    Ok(api::PutFunctionRecursionConfigOutput { recursive_loop: Some(input.recursive_loop) })
}

pub(crate) async fn get(
    lambda: Arc<Lambda>,
    caller: Caller,
    input: api::GetFunctionRecursionConfigInput,
) -> Result<api::GetFunctionRecursionConfigOutput, Error> {
    let live = lambda.functions.get(&unqualified(&caller, &input.function_name)?)?;
    let recursive_loop = match live.function.common.recursion {
        Recursion::Allow => api::RecursiveLoop::Allow,
        Recursion::Terminate => api::RecursiveLoop::Terminate,
    };
    Ok(api::GetFunctionRecursionConfigOutput { recursive_loop: Some(recursive_loop) })
}
