//! What requests say of condition keys, and what they need permission for beyond themselves.
//!
//! Source: "Actions, resources, and condition keys for AWS Lambda" of the service authorization
//! reference; "Using tags on Lambda functions" for what tags need when something is made.

use kit::{Arn, Caller, ConditionKeys, Tags};
use model::lambda as api;
use wire::{Enumeration, Need};

use crate::{invoke::concurrency::FunctionKey, name::FunctionName, ops::mapping};

type Pair = (String, Vec<String>);

pub(crate) const FUNCTION_ARN: &str = "lambda:FunctionArn";
pub(crate) const URL_AUTH_TYPE: &str = "lambda:FunctionUrlAuthType";

/// `CreateFunction`.
pub(crate) fn made(input: &api::CreateFunctionInput) -> Box<ConditionKeys> {
    let signing = input.code_signing_config_arn.as_deref();
    let settings = settings(input.layers.as_deref(), input.vpc_config.as_ref());
    let signing = signing.map(|arn| pair("lambda:CodeSigningConfigArn", arn));
    settings.chain(signing).chain(tag_pairs(input.tags.as_ref())).collect()
}

/// `UpdateFunctionConfiguration`.
pub(crate) fn configured(input: &api::UpdateFunctionConfigurationInput) -> Box<ConditionKeys> {
    settings(input.layers.as_deref(), input.vpc_config.as_ref()).collect()
}

/// `PutFunctionCodeSigningConfig`.
pub(crate) fn signed(input: &api::PutFunctionCodeSigningConfigInput) -> Box<ConditionKeys> {
    Box::new([pair("lambda:CodeSigningConfigArn", &input.code_signing_config_arn)])
}

/// `AddPermission`.
pub(crate) fn permission(input: &api::AddPermissionInput) -> Box<ConditionKeys> {
    let auth = input.function_url_auth_type;
    let principal = pair("lambda:Principal", &input.principal);
    std::iter::once(principal).chain(auth.map(auth_pair)).collect()
}

/// An operation on a function's URL, with what its callers are to prove if that is to change.
pub(crate) fn of_url(
    caller: &Caller,
    function: &str,
    qualifier: Option<&str>,
    auth: Option<api::FunctionUrlAuthType>,
) -> Box<ConditionKeys> {
    let function = function_pair(caller, function, qualifier);
    function.into_iter().chain(auth.map(auth_pair)).collect()
}

/// `CreateEventSourceMapping`.
pub(crate) fn mapped(
    caller: &Caller,
    input: &api::CreateEventSourceMappingInput,
) -> Box<ConditionKeys> {
    let function = function_pair(caller, &input.function_name, None);
    function.into_iter().chain(tag_pairs(input.tags.as_ref())).collect()
}

/// What `UpdateEventSourceMapping` needs beyond itself: the same for the function that the mapping
/// is to have, so that a permission about one function moves no mapping to another.
pub(crate) fn moved(caller: &Caller, input: &api::UpdateEventSourceMappingInput) -> Vec<Need> {
    let function =
        input.function_name.as_deref().and_then(|name| function_pair(caller, name, None));
    let need = |pair| Need {
        action: "lambda:UpdateEventSourceMapping",
        resources: vec![mapping::arn(caller, &input.uuid)],
        keys: Box::new([pair]),
    };
    function.map(need).into_iter().collect()
}

/// Tags that are to be put on a resource.
pub(crate) fn tags(given: Option<&Tags>) -> Box<ConditionKeys> {
    tag_pairs(given).collect()
}

/// The permission to put tags on what is being made.
pub(crate) fn tagging(resources: Vec<Arn>, given: Option<&Tags>) -> Vec<Need> {
    if given.is_none_or(Tags::is_empty) {
        return Vec::new();
    }
    vec![Need { action: "lambda:TagResource", resources, keys: tags(given) }]
}

/// What a function is set to that has a key.
fn settings(
    layers: Option<&[String]>,
    network: Option<&api::VpcConfig>,
) -> impl Iterator<Item = Pair> {
    let listed = |key: &str, values: Option<&[String]>| {
        let values = values.filter(|values| !values.is_empty())?;
        Some((key.to_owned(), values.to_vec()))
    };
    let subnets = network.and_then(|it| it.subnet_ids.as_deref());
    let groups = network.and_then(|it| it.security_group_ids.as_deref());
    let all = [
        listed("lambda:Layer", layers),
        listed("lambda:SubnetIds", subnets),
        listed("lambda:SecurityGroupIds", groups),
    ];
    all.into_iter().flatten()
}

fn function_pair(caller: &Caller, text: &str, qualifier: Option<&str>) -> Option<Pair> {
    let name = FunctionName::parse(text).ok()?;
    let account = name.account.unwrap_or(caller.account);
    let region = name.region.unwrap_or_else(|| caller.region.clone());
    let key = FunctionKey { account, region, name: name.name };
    Some(pair(FUNCTION_ARN, &key.qualified(qualifier.or(name.qualifier.as_deref()))))
}

fn auth_pair(auth: api::FunctionUrlAuthType) -> Pair {
    pair(URL_AUTH_TYPE, auth.as_str())
}

fn tag_pairs(tags: Option<&Tags>) -> impl Iterator<Item = Pair> {
    let tags = tags.into_iter().flatten().map(|(key, value)| (key.as_str(), value.as_str()));
    kit::request_tags(tags).into_iter()
}

fn pair(key: &str, value: &str) -> Pair {
    (key.to_owned(), vec![value.to_owned()])
}
