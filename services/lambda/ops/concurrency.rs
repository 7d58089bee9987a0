//! `PutFunctionConcurrency`, `GetFunctionConcurrency`, `DeleteFunctionConcurrency`. What is kept
//! ready is in `provisioned_concurrency`.

use std::sync::Arc;

use kit::Caller;
use model::lambda as api;
use wire::Unit;

use crate::{Error, Lambda, limits::UNRESERVED_MINIMUM, name::LATEST, ops::unqualified};

pub(crate) async fn put(
    lambda: Arc<Lambda>,
    caller: Caller,
    input: api::PutFunctionConcurrencyInput,
) -> Result<api::PutFunctionConcurrencyOutput, Error> {
    let key = unqualified(&caller, &input.function_name)?;
    let absent = |_| Error::NoSuchFunction(key.qualified(Some(LATEST)));
    lambda.functions.get(&key).map_err(absent)?;
    let wanted = u32::try_from(input.reserved_concurrent_executions).unwrap_or(0);
    let put = lambda.change(&key, |function| {
        let all = lambda.functions.claimed(key.account, &key.region);
        let others = all.saturating_sub(function.claimed());
        let most = lambda.concurrency.account().saturating_sub(UNRESERVED_MINIMUM);
        if wanted.saturating_add(others) > most {
            return Err(Error::TooMuchReserved);
        }
        let provisioned = function.provisioned_total();
        if wanted < provisioned {
            return Err(Error::ReservedBelowProvisioned { reserved: wanted, provisioned });
        }
        function.common.reserved = Some(wanted);
        Ok(())
    });
    put.await?;
    let reserved = Some(input.reserved_concurrent_executions);
    Ok(api::PutFunctionConcurrencyOutput { reserved_concurrent_executions: reserved })
}

pub(crate) async fn get(
    lambda: Arc<Lambda>,
    caller: Caller,
    input: api::GetFunctionConcurrencyInput,
) -> Result<api::GetFunctionConcurrencyOutput, Error> {
    let key = unqualified(&caller, &input.function_name)?;
    let reserved = lambda.functions.get(&key)?.function.common.reserved;
    let reserved = reserved.and_then(|reserved| i32::try_from(reserved).ok());
    Ok(api::GetFunctionConcurrencyOutput { reserved_concurrent_executions: reserved })
}

pub(crate) async fn delete(
    lambda: Arc<Lambda>,
    caller: Caller,
    input: api::DeleteFunctionConcurrencyInput,
) -> Result<Unit, Error> {
    let key = unqualified(&caller, &input.function_name)?;
    let deleted = lambda.change(&key, |function| {
        function.common.reserved = None;
        Ok(Unit)
    });
    deleted.await
}
