//! `CreateAlias`, `GetAlias`, `ListAliases`, `UpdateAlias`, `DeleteAlias`.

use std::sync::Arc;

use kit::{Caller, ids};
use model::lambda as api;
use wire::Unit;

use crate::{
    Error, Lambda,
    alias::{Alias, second},
    function::Function,
    invoke::concurrency::FunctionKey,
    ops::{page::page, unqualified},
    version::Number,
    view,
};

pub(crate) async fn create(
    lambda: Arc<Lambda>,
    caller: Caller,
    input: api::CreateAliasInput,
) -> Result<api::CreateAliasOutput, Error> {
    let key = unqualified(&caller, &input.function_name)?;
    let weights = input.routing_config.and_then(|routing| routing.additional_version_weights);
    let second = second(weights.as_ref())?;
    let absent = |_| Error::NoSuchFunction(key.qualified(Some(&input.function_version)));
    lambda.functions.get(&key).map_err(absent)?;
    let name = input.name;
    let created = lambda.change(&key, |function| {
        let version = number(&key, &input.function_version)?;
        let alias = Alias::new(version, input.description.unwrap_or_default(), second)?;
        check_versions(function, &alias)?;
        if function.common.aliases.contains_key(&name) {
            return Err(Error::AliasExists(key.qualified(Some(&name))));
        }
        let shown = view::alias(function, &name, &alias);
        function.common.aliases.insert(name, alias);
        Ok(shown)
    });
    created.await
}

pub(crate) async fn get(
    lambda: Arc<Lambda>,
    caller: Caller,
    input: api::GetAliasInput,
) -> Result<api::GetAliasOutput, Error> {
    let key = unqualified(&caller, &input.function_name)?;
    let absent = |_| Error::NoSuchAlias(key.qualified(Some(&input.name)));
    let live = lambda.functions.get(&key).map_err(absent)?;
    let alias = live.function.alias(&input.name)?;
    Ok(view::alias(&live.function, &input.name, alias))
}

pub(crate) async fn list(
    lambda: Arc<Lambda>,
    caller: Caller,
    input: api::ListAliasesInput,
) -> Result<api::ListAliasesOutput, Error> {
    let key = unqualified(&caller, &input.function_name)?;
    let live = lambda.functions.get(&key)?;
    let version = input.function_version.as_deref().and_then(Number::parse);
    let of_version = |alias: &Alias| match (&input.function_version, version) {
        (None, _) => true,
        (Some(_), version) => version.is_some_and(|version| alias.names(version)),
    };
    let aliases = live.function.common.aliases.iter().filter(|(_, alias)| of_version(alias));
    let listed = aliases.map(|(name, alias)| (name, view::alias(&live.function, name, alias)));
    let page = page(listed, input.marker.as_deref(), input.max_items)?;
    Ok(api::ListAliasesOutput { next_marker: page.next, aliases: Some(page.items) })
}

pub(crate) async fn update(
    lambda: Arc<Lambda>,
    caller: Caller,
    input: api::UpdateAliasInput,
) -> Result<api::UpdateAliasOutput, Error> {
    let key = unqualified(&caller, &input.function_name)?;
    let weights =
        input.routing_config.map(|routing| second(routing.additional_version_weights.as_ref()));
    let weights = weights.transpose()?;
    let name = input.name;
    let absent = |_| Error::NoSuchAlias(key.qualified(Some(&name)));
    lambda.functions.get(&key).map_err(absent)?;
    let updated = lambda.change(&key, |function| {
        let mut alias = function.alias(&name)?.clone();
        if input.revision_id.is_some_and(|given| given != alias.revision) {
            return Err(Error::RevisionDiffers);
        }
        if let Some(version) = &input.function_version {
            alias.version = number(&key, version)?;
        }
        if let Some(description) = input.description {
            alias.description = description;
        }
        if let Some(second) = weights {
            alias.second = second;
        }
        alias.check()?;
        check_versions(function, &alias)?;
        function.check_provisioned_alias(&name, &alias)?;
        alias.revision = ids::uuid();
        let shown = view::alias(function, &name, &alias);
        function.common.aliases.insert(name.clone(), alias);
        Ok(shown)
    });
    updated.await
}

pub(crate) async fn delete(
    lambda: Arc<Lambda>,
    caller: Caller,
    input: api::DeleteAliasInput,
) -> Result<Unit, Error> {
    let key = unqualified(&caller, &input.function_name)?;
    let deleted = lambda.change(&key, |function| {
        function.remove_alias(&input.name);
        Ok(Unit)
    });
    deleted.await
}

fn number(key: &FunctionKey, text: &str) -> Result<Number, Error> {
    Number::parse(text).ok_or_else(|| Error::NoSuchFunction(key.qualified(Some(text))))
}

/// An alias names versions that are there.
fn check_versions(function: &Function, alias: &Alias) -> Result<(), Error> {
    let numbers = [Some(alias.version), alias.second.map(|(second, _)| second)];
    for number in numbers.into_iter().flatten() {
        function.version(Some(&number.to_string()))?;
    }
    Ok(())
}
