//! `PutProvisionedConcurrencyConfig`, `GetProvisionedConcurrencyConfig`,
//! `DeleteProvisionedConcurrencyConfig`, `ListProvisionedConcurrencyConfigs`.

use std::sync::Arc;

use api::ProvisionedConcurrencyStatusEnum as Status;
use kit::{Caller, Millis};
use model::lambda as api;
use runtime::ProvisionFailure;
use wire::Unit;

use crate::{
    Error, Lambda, functions::Live, invoke::concurrency::FunctionKey, name, ops::page::page,
    provisioned::Provisioned, version::Number,
};

/// `StatusReason` of a version whose init fails.
const INIT_FAILURE: &str = "FUNCTION_ERROR_INIT_FAILURE";

pub(crate) async fn put(
    lambda: Arc<Lambda>,
    caller: Caller,
    input: api::PutProvisionedConcurrencyConfigInput,
) -> Result<api::PutProvisionedConcurrencyConfigOutput, Error> {
    if Number::parse(&input.qualifier) == Some(Number::LATEST) {
        return Err(Error::LatestProvisioned);
    }
    let key = exists(&lambda, &caller, &input.function_name, &input.qualifier)?;
    let runnable = lambda.functions.runnable(key.account, &key.region, &key.name, None)?;
    runnable.check_no_tenants("Provisioned concurrency")?;
    let live = lambda.functions.get(&key)?;
    let version = live.function.version(Some(&input.qualifier));
    // One that is not there is told below.
    if version.is_ok_and(|version| version.settings.snap_start) {
        return Err(Error::NotForSnapStart("Provisioned concurrency".to_owned()));
    }
    let count = u32::try_from(input.provisioned_concurrent_executions).unwrap_or(0);
    let asked = Provisioned { count, modified: caller.now };
    let put = lambda.change(&key, |function| {
        let all = lambda.functions.claimed(key.account, &key.region);
        let others = all.saturating_sub(function.claimed());
        function.provision(&input.qualifier, asked, others, lambda.concurrency.account())
    });
    put.await?;
    Ok(api::PutProvisionedConcurrencyConfigOutput {
        requested_provisioned_concurrent_executions: Some(input.provisioned_concurrent_executions),
        allocated_provisioned_concurrent_executions: Some(0),
        available_provisioned_concurrent_executions: Some(0),
        status: Some(Status::InProgress),
        status_reason: None,
        last_modified: Some(shown(caller.now)),
    })
}

pub(crate) async fn get(
    lambda: Arc<Lambda>,
    caller: Caller,
    input: api::GetProvisionedConcurrencyConfigInput,
) -> Result<api::GetProvisionedConcurrencyConfigOutput, Error> {
    if Number::parse(&input.qualifier) == Some(Number::LATEST) {
        return Err(Error::NeitherAliasNorVersion);
    }
    let key = exists(&lambda, &caller, &input.function_name, &input.qualifier)?;
    let live = lambda.functions.get(&key)?;
    let provisioned = live.function.provisioned(&input.qualifier)?.ok_or(Error::NotProvisioned)?;
    let item = lambda.progress(&live, &input.qualifier, provisioned);
    Ok(api::GetProvisionedConcurrencyConfigOutput {
        requested_provisioned_concurrent_executions: item
            .requested_provisioned_concurrent_executions,
        available_provisioned_concurrent_executions: item
            .available_provisioned_concurrent_executions,
        allocated_provisioned_concurrent_executions: item
            .allocated_provisioned_concurrent_executions,
        status: item.status,
        status_reason: item.status_reason,
        last_modified: item.last_modified,
    })
}

pub(crate) async fn delete(
    lambda: Arc<Lambda>,
    caller: Caller,
    input: api::DeleteProvisionedConcurrencyConfigInput,
) -> Result<Unit, Error> {
    if Number::parse(&input.qualifier) == Some(Number::LATEST) {
        return Err(Error::NeitherAliasNorVersion);
    }
    let key = exists(&lambda, &caller, &input.function_name, &input.qualifier)?;
    let deleted = lambda.change(&key, |function| {
        // AWS answers the same whether or not there was one.
        function.provisioned(&input.qualifier)?;
        function.common.provisioned.remove(&input.qualifier);
        Ok(Unit)
    });
    deleted.await
}

pub(crate) async fn list(
    lambda: Arc<Lambda>,
    caller: Caller,
    input: api::ListProvisionedConcurrencyConfigsInput,
) -> Result<api::ListProvisionedConcurrencyConfigsOutput, Error> {
    let key = name::resolve(&caller, &input.function_name, None)?.key;
    let live = lambda.functions.get(&key)?;
    let items = live.function.common.provisioned.iter();
    let listed = items.map(|(qualifier, provisioned)| {
        (qualifier, lambda.progress(&live, qualifier, provisioned))
    });
    let page = page(listed, input.marker.as_deref(), input.max_items)?;
    Ok(api::ListProvisionedConcurrencyConfigsOutput {
        provisioned_concurrency_configs: Some(page.items),
        next_marker: page.next,
    })
}

/// The function that is named. A missing one is told by what was asked of it, as AWS does.
fn exists(
    lambda: &Lambda,
    caller: &Caller,
    name: &str,
    qualifier: &str,
) -> Result<FunctionKey, Error> {
    let key = name::resolve(caller, name, Some(qualifier))?.key;
    let arn = || key.qualified(Some(qualifier));
    let found = lambda.functions.get(&key).map_err(|_| match Number::parse(qualifier) {
        Some(_) => Error::NoSuchFunction(arn()),
        None => Error::NoSuchAlias(arn()),
    });
    found.map(|_| key.clone())
}

impl Lambda {
    /// How far a configuration is.
    fn progress(
        &self,
        live: &Live,
        qualifier: &str,
        provisioned: &Provisioned,
    ) -> api::ProvisionedConcurrencyConfigListItem {
        let key = &live.function.key;
        let (mut ready, mut reached, mut failure) = (0, true, None);
        for (version, share) in live.function.shares(qualifier, provisioned.count) {
            let of = self.pool.provisioned(key.arn().as_str(), &live.runs[&version].key);
            ready += of.as_ref().map_or(0, |of| of.ready.min(share as usize));
            reached &= of.as_ref().is_some_and(|of| of.reached);
            failure = failure.or(of.and_then(|of| of.failure));
        }
        let ready = i32::try_from(ready).ok();
        let (status, status_reason) = match failure {
            Some(ProvisionFailure::Init) => (Status::Failed, Some(INIT_FAILURE.to_owned())),
            Some(ProvisionFailure::Machine(reason)) => (Status::Failed, Some(reason)),
            None if reached => (Status::Ready, None),
            None => (Status::InProgress, None),
        };
        api::ProvisionedConcurrencyConfigListItem {
            function_arn: Some(key.qualified(Some(qualifier))),
            requested_provisioned_concurrent_executions: i32::try_from(provisioned.count).ok(),
            available_provisioned_concurrent_executions: ready,
            allocated_provisioned_concurrent_executions: ready,
            status: Some(status),
            status_reason,
            last_modified: Some(shown(provisioned.modified)),
        }
    }
}

/// `2026-11-23T19:15:40+0000`.
fn shown(moment: Millis) -> String {
    moment.iso8601_seconds().replace('Z', "+0000")
}
