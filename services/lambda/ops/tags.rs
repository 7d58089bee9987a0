//! `TagResource`, `UntagResource`, `ListTags`: of functions, code signing configurations and event
//! source mappings.

use std::sync::Arc;

use kit::{Caller, Tags};
use model::lambda as api;
use wire::Unit;

use crate::{
    Error, Lambda,
    invoke::concurrency::FunctionKey,
    limits, name,
    ops::{code_signing_configs::find, mapping::tags as mapping},
    signing::Signing,
};

pub(crate) async fn tag(
    lambda: Arc<Lambda>,
    caller: Caller,
    input: api::TagResourceInput,
) -> Result<Unit, Error> {
    if input.tags.is_empty() {
        return Err(Error::NoTags);
    }
    lambda.check_network(&input.tags)?;
    change(&lambda, &caller, &input.resource, |tags| {
        tags.extend(input.tags);
        check(tags)
    })
    .await
}

pub(crate) async fn untag(
    lambda: Arc<Lambda>,
    caller: Caller,
    input: api::UntagResourceInput,
) -> Result<Unit, Error> {
    change(&lambda, &caller, &input.resource, |tags| {
        tags.retain(|tag, _| !input.tag_keys.contains(tag));
        Ok(())
    })
    .await
}

pub(crate) async fn list(
    lambda: Arc<Lambda>,
    caller: Caller,
    input: api::ListTagsInput,
) -> Result<api::ListTagsOutput, Error> {
    let tags = match Tagged::of(&caller, &input.resource)? {
        Tagged::Function(key) => lambda.functions.get(&key)?.function.common.tags.clone(),
        Tagged::Signing(arn) => find(&lambda, &caller, &arn)?.tags.clone(),
        Tagged::Mapping(id) => mapping::list(&lambda, &caller, &id)?,
    };
    Ok(api::ListTagsOutput { tags: Some(tags) })
}

/// Whether a resource may have all of these.
pub(crate) fn check(tags: &Tags) -> Result<(), Error> {
    if tags.keys().any(|key| key.starts_with("aws:")) {
        return Err(Error::ReservedTag);
    }
    if tags.len() > limits::TAGS { Err(Error::TooManyTags) } else { Ok(()) }
}

/// A resource that may have tags.
enum Tagged {
    Function(FunctionKey),
    /// A code signing configuration, by its ARN.
    Signing(String),
    /// An event source mapping, by its id.
    Mapping(String),
}

impl Tagged {
    /// The resource of an ARN. The model lets only ARNs of Lambda's resources through.
    fn of(caller: &Caller, resource: &str) -> Result<Tagged, Error> {
        if resource.contains(":code-signing-config:") {
            return Ok(Tagged::Signing(resource.to_owned()));
        }
        if let Some(id) = mapping::id(resource) {
            return Ok(Tagged::Mapping(id));
        }
        if !resource.contains(":function:") {
            return Err(Error::NotBuilt("tags of other resources than functions"));
        }
        let named = name::resolve(caller, resource, None)?;
        if named.qualifier.is_some() {
            return Err(Error::TagsOfVersion);
        }
        Ok(Tagged::Function(named.key))
    }
}

async fn change(
    lambda: &Lambda,
    caller: &Caller,
    resource: &str,
    change: impl FnOnce(&mut Tags) -> Result<(), Error>,
) -> Result<Unit, Error> {
    match Tagged::of(caller, resource)? {
        Tagged::Function(key) => {
            let changed = lambda.change(&key, |function| change(&mut function.common.tags));
            changed.await?;
        }
        Tagged::Signing(arn) => {
            let _turn = lambda.signings.turn.lock().await;
            let mut signing = Signing::clone(&*find(lambda, caller, &arn)?);
            change(&mut signing.tags)?;
            lambda.save_signing(signing).await?;
        }
        Tagged::Mapping(id) => mapping::change(lambda, caller, &id, change).await?,
    }
    Ok(Unit)
}
