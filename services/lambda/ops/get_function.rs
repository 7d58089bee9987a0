//! `GetFunction` and `GetFunctionConfiguration`.

use std::sync::Arc;

use kit::Caller;
use model::lambda as api;

use crate::{
    Error, Lambda,
    functions::Live,
    image::Content,
    name::{self, Named},
    version::Version,
    view::Moment,
};

pub(crate) async fn run(
    lambda: Arc<Lambda>,
    caller: Caller,
    input: api::GetFunctionInput,
) -> Result<api::GetFunctionOutput, Error> {
    let named = name::resolve(&caller, &input.function_name, input.qualifier.as_deref())?;
    let (live, version) = find(&lambda, &named)?;
    let common = &live.function.common;
    Ok(api::GetFunctionOutput {
        configuration: Some(settled(&lambda, &named, &version).await),
        code: Some(location(&lambda, &caller, &version)),
        tags: Some(common.tags.clone()).filter(|tags| !tags.is_empty()),
        concurrency: common.reserved.map(|reserved| api::Concurrency {
            reserved_concurrent_executions: i32::try_from(reserved).ok(),
        }),
        ..api::GetFunctionOutput::default()
    })
}

fn location(lambda: &Lambda, caller: &Caller, version: &Version) -> api::FunctionCodeLocation {
    match &version.code {
        Content::Package(code) => {
            let link = lambda.signer.link(code.blob, caller.now);
            api::FunctionCodeLocation {
                repository_type: Some("S3".to_owned()),
                location: Some(format!("{}{link}", caller.endpoint)),
                ..api::FunctionCodeLocation::default()
            }
        }
        Content::Image(image) => api::FunctionCodeLocation {
            repository_type: Some("ECR".to_owned()),
            image_uri: Some(image.uri.clone()),
            resolved_image_uri: Some(image.resolved.clone()),
            ..api::FunctionCodeLocation::default()
        },
    }
}

pub(crate) async fn configuration(
    lambda: Arc<Lambda>,
    caller: Caller,
    input: api::GetFunctionConfigurationInput,
) -> Result<api::GetFunctionConfigurationOutput, Error> {
    let named = name::resolve(&caller, &input.function_name, input.qualifier.as_deref())?;
    let (_, version) = find(&lambda, &named)?;
    Ok(settled(&lambda, &named, &version).await)
}

fn find(lambda: &Lambda, named: &Named) -> Result<(Arc<Live>, Arc<Version>), Error> {
    // Both kinds of absence are told by the ARN as it was named.
    let live = lambda.functions.get(&named.key);
    let live = live.map_err(|_| Error::NoSuchFunction(named.arn()))?;
    let version = live.function.version(named.qualifier.as_deref())?.clone();
    Ok((live, version))
}

async fn settled(lambda: &Lambda, named: &Named, version: &Version) -> api::FunctionConfiguration {
    let qualifier = named.qualifier.as_deref();
    lambda.described(&named.key, version, qualifier, Moment::Settled).await
}
