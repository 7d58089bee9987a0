//! The operations: one file each, except where a family is small.

pub(crate) mod account_settings;
pub(crate) mod aliases;
pub(crate) mod code_signing_configs;
pub(crate) mod concurrency;
pub(crate) mod create_function;
pub(crate) mod delete_function;
pub(crate) mod event_invoke_config;
pub(crate) mod function_code_signing;
pub(crate) mod get_function;
pub(crate) mod invoke;
pub(crate) mod invoke_with_response_stream;
pub(crate) mod layers;
pub(crate) mod list_functions;
pub(crate) mod mapping;
pub(crate) mod permissions;
pub(crate) mod provisioned_concurrency;
pub(crate) mod recursion;
pub(crate) mod resource_policy;
pub(crate) mod runtime_management;
pub(crate) mod scaling;
pub(crate) mod tags;
pub(crate) mod update_function_code;
pub(crate) mod update_function_configuration;
pub(crate) mod url_config;
pub(crate) mod versions;

mod described;
mod page;
mod source;
#[cfg(test)]
mod tests;

use kit::Caller;

use crate::{
    Error, Lambda,
    invoke::concurrency::FunctionKey,
    name::{self, LATEST, Named},
};

/// The function of an operation that knows no versions; `$LATEST` may be named.
fn unqualified(caller: &Caller, text: &str) -> Result<FunctionKey, Error> {
    plain(name::resolve(caller, text, None)?)
}

/// The same for what only the function's owner may do.
fn own(caller: &Caller, text: &str) -> Result<FunctionKey, Error> {
    plain(name::own(caller, text, None)?)
}

fn plain(named: Named) -> Result<FunctionKey, Error> {
    match named.qualifier.as_deref() {
        None | Some(LATEST) => Ok(named.key),
        Some(_) => Err(Error::FunctionsOnly),
    }
}

impl Lambda {
    /// Whether this machine can run functions of a runtime. Asks interpreters, which takes a moment.
    async fn check_runtime(&self, runtime: &str) -> Result<(), Error> {
        let (pool, runtime) = (self.pool.clone(), runtime.to_owned());
        let checked = tokio::task::spawn_blocking(move || pool.check(&runtime)).await;
        let checked = checked.map_err(Error::at("looking for a runtime"))?;
        checked.map_err(|error| Error::RuntimeMissing(error.to_string()))
    }
}
