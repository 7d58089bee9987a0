//! `GetAccountSettings`: limits, and what is used of them.

use std::sync::Arc;

use kit::Caller;
use model::lambda as api;

use crate::{Error, Lambda, limits};

pub(crate) async fn run(
    lambda: Arc<Lambda>,
    caller: Caller,
    _: api::GetAccountSettingsInput,
) -> Result<api::GetAccountSettingsOutput, Error> {
    let functions = lambda.functions.list(caller.account, &caller.region);
    let claimed = lambda.functions.claimed(caller.account, &caller.region);
    let account = lambda.concurrency.account();
    let versions = functions.iter().flat_map(|live| live.function.versions.values());
    let layers = lambda.layers.list(caller.account, &caller.region);
    let layers = layers.iter().flat_map(|(_, layer)| layer.versions.values());
    let used = versions.map(|version| version.code.bytes()).sum::<u64>()
        + layers.map(|version| version.code.bytes).sum::<u64>();
    let unreserved = account.saturating_sub(claimed);
    Ok(api::GetAccountSettingsOutput {
        account_limit: Some(api::AccountLimit {
            total_code_size: Some(limits::CODE_STORAGE_BYTES),
            code_size_unzipped: i64::try_from(limits::UNZIPPED_BYTES).ok(),
            code_size_zipped: i64::try_from(limits::ZIPPED_BYTES).ok(),
            concurrent_executions: i32::try_from(account).ok(),
            unreserved_concurrent_executions: i32::try_from(unreserved).ok(),
        }),
        account_usage: Some(api::AccountUsage {
            total_code_size: i64::try_from(used).ok(),
            function_count: i64::try_from(functions.len()).ok(),
        }),
    })
}
