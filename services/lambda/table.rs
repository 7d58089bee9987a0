//! The operations with what each needs permission for. IAM's actions are named as its operations,
//! except where a comment says otherwise.

use std::sync::Arc;

use kit::{Arn, Caller};
use model::lambda as api;
use wire::{Access, Call, Table};

use crate::{
    Lambda,
    invoke::concurrency::FunctionKey,
    layers::name::LayerKey,
    name::FunctionName,
    ops::{
        account_settings, aliases, code_signing_configs, concurrency, create_function,
        delete_function, event_invoke_config, function_code_signing, get_function, invoke,
        invoke_with_response_stream, layers, list_functions, mapping, permissions,
        provisioned_concurrency, recursion, resource_policy, runtime_management, scaling, tags,
        update_function_code, update_function_configuration, url_config, versions,
    },
    told,
};

/// Adds operations to a table: name, function, ARNs, and for some what they tell of condition keys
/// and what they need beyond themselves.
macro_rules! operations {
    ($table:expr, $lambda:expr, $($name:ident => $run:path, $resources:expr $(, $keys:expr $(, $also:expr)?)?;)*) => {
        $table$(.on::<api::$name, _, _, _>(
            $lambda,
            $run,
            Access::<<api::$name as Call>::Input>::new(concat!("lambda:", stringify!($name)), $resources)$(.telling($keys)$(.also($also))?)?,
        ))*
    };
}

/// All operations.
pub(crate) fn table(lambda: &Arc<Lambda>) -> Table {
    let table = Table::new(&model::lambda::SERVICE);
    let table = with_functions(table, lambda);
    let table = with_versions(table, lambda);
    let table = with_concurrency(table, lambda);
    let table = with_layers(table, lambda);
    let table = with_streams(table, lambda);
    let table = with_urls(table, lambda);
    let table = with_invokes_and_mappings(table, lambda);
    with_policies_and_management(table, lambda)
}

#[rustfmt::skip] // A line for each operation.
fn with_functions(table: Table, lambda: &Arc<Lambda>) -> Table {
    operations! { table, lambda,
        CreateFunction => create_function::run, |c, i| function(c, &i.function_name), |_, i| told::made(i), |c, i| told::tagging(function(c, &i.function_name), i.tags.as_ref());
        GetFunction => get_function::run, |c, i| qualified(c, &i.function_name, i.qualifier.as_deref());
        GetFunctionConfiguration => get_function::configuration, |c, i| qualified(c, &i.function_name, i.qualifier.as_deref());
        ListFunctions => list_functions::run, |_, _| Vec::new();
        UpdateFunctionCode => update_function_code::run, |c, i| function(c, &i.function_name);
        UpdateFunctionConfiguration => update_function_configuration::run, |c, i| function(c, &i.function_name), |_, i| told::configured(i);
        DeleteFunction => delete_function::run, |c, i| qualified(c, &i.function_name, i.qualifier.as_deref());
        TagResource => tags::tag, |_, i| i.resource.parse().into_iter().collect(), |_, i| told::tags(Some(&i.tags));
        UntagResource => tags::untag, |_, i| i.resource.parse().into_iter().collect(), |_, i| kit::tag_keys(&i.tag_keys);
        ListTags => tags::list, |_, i| i.resource.parse().into_iter().collect();
        GetAccountSettings => account_settings::run, |_, _| Vec::new();
    }
}

#[rustfmt::skip] // A line for each operation.
fn with_versions(table: Table, lambda: &Arc<Lambda>) -> Table {
    operations! { table, lambda,
        PublishVersion => versions::publish, |c, i| function(c, &i.function_name);
        ListVersionsByFunction => versions::list, |c, i| function(c, &i.function_name);
        CreateAlias => aliases::create, |c, i| function(c, &i.function_name);
        GetAlias => aliases::get, |c, i| function(c, &i.function_name);
        ListAliases => aliases::list, |c, i| function(c, &i.function_name);
        UpdateAlias => aliases::update, |c, i| function(c, &i.function_name);
        DeleteAlias => aliases::delete, |c, i| function(c, &i.function_name);
        AddPermission => permissions::add, |c, i| qualified(c, &i.function_name, i.qualifier.as_deref()), |_, i| told::permission(i);
        RemovePermission => permissions::remove, |c, i| qualified(c, &i.function_name, i.qualifier.as_deref());
        GetPolicy => permissions::get, |c, i| qualified(c, &i.function_name, i.qualifier.as_deref());
    }
}

#[rustfmt::skip] // A line for each operation.
fn with_concurrency(table: Table, lambda: &Arc<Lambda>) -> Table {
    operations! { table, lambda,
        PutFunctionConcurrency => concurrency::put, |c, i| function(c, &i.function_name);
        GetFunctionConcurrency => concurrency::get, |c, i| function(c, &i.function_name);
        DeleteFunctionConcurrency => concurrency::delete, |c, i| function(c, &i.function_name);
        PutProvisionedConcurrencyConfig => provisioned_concurrency::put, |c, i| qualified(c, &i.function_name, Some(&i.qualifier));
        GetProvisionedConcurrencyConfig => provisioned_concurrency::get, |c, i| qualified(c, &i.function_name, Some(&i.qualifier));
        DeleteProvisionedConcurrencyConfig => provisioned_concurrency::delete, |c, i| qualified(c, &i.function_name, Some(&i.qualifier));
        ListProvisionedConcurrencyConfigs => provisioned_concurrency::list, |c, i| function(c, &i.function_name);
        PutFunctionRecursionConfig => recursion::put, |c, i| function(c, &i.function_name);
        GetFunctionRecursionConfig => recursion::get, |c, i| function(c, &i.function_name);
    }
}

#[rustfmt::skip] // A line for each operation.
fn with_urls(table: Table, lambda: &Arc<Lambda>) -> Table {
    operations! { table, lambda,
        CreateFunctionUrlConfig => url_config::create, |c, i| qualified(c, &i.function_name, i.qualifier.as_deref()), |c, i| told::of_url(c, &i.function_name, i.qualifier.as_deref(), Some(i.auth_type));
        GetFunctionUrlConfig => url_config::get, |c, i| qualified(c, &i.function_name, i.qualifier.as_deref()), |c, i| told::of_url(c, &i.function_name, i.qualifier.as_deref(), None);
        ListFunctionUrlConfigs => url_config::list, |c, i| function(c, &i.function_name);
        UpdateFunctionUrlConfig => url_config::update, |c, i| qualified(c, &i.function_name, i.qualifier.as_deref()), |c, i| told::of_url(c, &i.function_name, i.qualifier.as_deref(), i.auth_type);
        DeleteFunctionUrlConfig => url_config::delete, |c, i| qualified(c, &i.function_name, i.qualifier.as_deref()), |c, i| told::of_url(c, &i.function_name, i.qualifier.as_deref(), None);
    }
}

#[rustfmt::skip] // A line for each operation.
/// `Invoke` and `InvokeAsync` are the action `InvokeFunction`.
fn with_invokes_and_mappings(table: Table, lambda: &Arc<Lambda>) -> Table {
    let invoke: Access<api::InvokeInput> = Access::new("lambda:InvokeFunction", |c, i| {
        qualified(c, &i.function_name, i.qualifier.as_deref())
    });
    let invoke_async: Access<api::InvokeAsyncInput> =
        Access::new("lambda:InvokeFunction", |c, i| function(c, &i.function_name));
    let table = table
        .on::<api::Invoke, _, _, _>(lambda, invoke::run, invoke)
        .on::<api::InvokeAsync, _, _, _>(lambda, invoke::run_async, invoke_async);
    operations! { table, lambda,
        PutFunctionEventInvokeConfig => event_invoke_config::put, |c, i| qualified(c, &i.function_name, i.qualifier.as_deref());
        UpdateFunctionEventInvokeConfig => event_invoke_config::update, |c, i| qualified(c, &i.function_name, i.qualifier.as_deref());
        GetFunctionEventInvokeConfig => event_invoke_config::get, |c, i| qualified(c, &i.function_name, i.qualifier.as_deref());
        DeleteFunctionEventInvokeConfig => event_invoke_config::delete, |c, i| qualified(c, &i.function_name, i.qualifier.as_deref());
        ListFunctionEventInvokeConfigs => event_invoke_config::list, |c, i| function(c, &i.function_name);
        CreateEventSourceMapping => mapping::create::run, |_, _| Vec::new(), told::mapped, |_, i| told::tagging(Vec::new(), i.tags.as_ref());
        GetEventSourceMapping => mapping::get::run, |c, i| vec![mapping::arn(c, &i.uuid)];
        ListEventSourceMappings => mapping::list::run, |_, _| Vec::new();
        UpdateEventSourceMapping => mapping::update::run, |c, i| vec![mapping::arn(c, &i.uuid)], |_, _| Box::default(), told::moved;
        DeleteEventSourceMapping => mapping::delete::run, |c, i| vec![mapping::arn(c, &i.uuid)];
    }
}

#[rustfmt::skip] // A line for each operation.
fn with_policies_and_management(table: Table, lambda: &Arc<Lambda>) -> Table {
    operations! { table, lambda,
        PutResourcePolicy => resource_policy::put, |_, i| parsed(&i.resource_arn);
        GetResourcePolicy => resource_policy::get, |_, i| parsed(&i.resource_arn);
        DeleteResourcePolicy => resource_policy::delete, |_, i| parsed(&i.resource_arn);
        CreateCodeSigningConfig => code_signing_configs::create, |_, _| Vec::new(), |_, i| told::tags(i.tags.as_ref()), |_, i| told::tagging(Vec::new(), i.tags.as_ref());
        GetCodeSigningConfig => code_signing_configs::get, |_, i| parsed(&i.code_signing_config_arn);
        UpdateCodeSigningConfig => code_signing_configs::update, |_, i| parsed(&i.code_signing_config_arn);
        DeleteCodeSigningConfig => code_signing_configs::delete, |_, i| parsed(&i.code_signing_config_arn);
        ListCodeSigningConfigs => code_signing_configs::list, |_, _| Vec::new();
        ListFunctionsByCodeSigningConfig => code_signing_configs::list_functions, |_, i| parsed(&i.code_signing_config_arn);
        PutFunctionCodeSigningConfig => function_code_signing::put, |c, i| function(c, &i.function_name), |_, i| told::signed(i);
        GetFunctionCodeSigningConfig => function_code_signing::get, |c, i| function(c, &i.function_name);
        DeleteFunctionCodeSigningConfig => function_code_signing::delete, |c, i| function(c, &i.function_name);
        PutRuntimeManagementConfig => runtime_management::put, |c, i| qualified(c, &i.function_name, i.qualifier.as_deref());
        GetRuntimeManagementConfig => runtime_management::get, |c, i| qualified(c, &i.function_name, i.qualifier.as_deref());
        PutFunctionScalingConfig => scaling::put, |c, i| qualified(c, &i.function_name, Some(&i.qualifier));
        GetFunctionScalingConfig => scaling::get, |c, i| qualified(c, &i.function_name, Some(&i.qualifier));
    }
}

/// An ARN that is given as such.
fn parsed(arn: &str) -> Vec<Arn> {
    arn.parse().into_iter().collect()
}

#[rustfmt::skip] // A line for each operation.
/// `GetLayerVersionByArn` is the action `GetLayerVersion`.
fn with_layers(table: Table, lambda: &Arc<Lambda>) -> Table {
    let by_arn: Access<api::GetLayerVersionByArnInput> =
        Access::new("lambda:GetLayerVersion", |_, i| i.arn.parse().into_iter().collect());
    let table =
        table.on::<api::GetLayerVersionByArn, _, _, _>(lambda, layers::get::by_arn, by_arn);
    operations! { table, lambda,
        PublishLayerVersion => layers::publish::run, |c, i| layer(c, &i.layer_name);
        GetLayerVersion => layers::get::run, |c, i| layer_version(c, &i.layer_name, i.version_number);
        ListLayers => layers::list::layers, |_, _| Vec::new();
        ListLayerVersions => layers::list::versions, |_, _| Vec::new();
        DeleteLayerVersion => layers::delete::run, |c, i| layer_version(c, &i.layer_name, i.version_number);
        AddLayerVersionPermission => layers::permissions::add, |c, i| layer_version(c, &i.layer_name, i.version_number);
        RemoveLayerVersionPermission => layers::permissions::remove, |c, i| layer_version(c, &i.layer_name, i.version_number);
        GetLayerVersionPolicy => layers::permissions::get, |c, i| layer_version(c, &i.layer_name, i.version_number);
    }
}

/// A layer's ARN.
fn layer(caller: &Caller, text: &str) -> Vec<Arn> {
    LayerKey::parse(caller, text).and_then(|key| key.arn().parse().ok()).into_iter().collect()
}

/// The ARN of a layer's version.
fn layer_version(caller: &Caller, text: &str, number: i64) -> Vec<Arn> {
    let name = LayerKey::parse(caller, text).and_then(|key| key.version(number).ok());
    name.and_then(|name| name.arn().parse().ok()).into_iter().collect()
}

/// `InvokeWithResponseStream` is the action `InvokeFunction`.
fn with_streams(table: Table, lambda: &Arc<Lambda>) -> Table {
    let access: Access<api::InvokeWithResponseStreamInput> =
        Access::new("lambda:InvokeFunction", |c, i| {
            qualified(c, &i.function_name, i.qualifier.as_deref())
        });
    let run = invoke_with_response_stream::run;
    table.on_stream::<api::InvokeWithResponseStream, _, _, _>(lambda, run, access)
}

/// A function's own ARN.
fn function(caller: &Caller, text: &str) -> Vec<Arn> {
    key(caller, text).map(|(key, _)| key.arn()).into_iter().collect()
}

/// The ARN of the version or alias that is named, or the function's own.
fn qualified(caller: &Caller, text: &str, qualifier: Option<&str>) -> Vec<Arn> {
    let arn = key(caller, text)
        .and_then(|(key, derived)| key.qualified(qualifier.or(derived.as_deref())).parse().ok());
    arn.into_iter().collect()
}

fn key(caller: &Caller, text: &str) -> Option<(FunctionKey, Option<String>)> {
    let name = FunctionName::parse(text).ok()?;
    let account = name.account.unwrap_or(caller.account);
    let region = name.region.unwrap_or_else(|| caller.region.clone());
    Some((FunctionKey { account, region, name: name.name }, name.qualifier))
}
