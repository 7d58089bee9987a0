//! `TagResource`, `UntagResource`, `ListTags`: of functions.

use std::sync::Arc;

use kit::{Caller, Tags};
use model::lambda as api;
use wire::Unit;

use crate::{Error, Lambda, invoke::concurrency::FunctionKey, limits, name};

pub(crate) async fn tag(
    lambda: Arc<Lambda>,
    caller: Caller,
    input: api::TagResourceInput,
) -> Result<Unit, Error> {
    let key = function(&caller, &input.resource)?;
    let tagged = lambda.change(&key, |function| {
        function.common.tags.extend(input.tags);
        check_count(&function.common.tags).map(|()| Unit)
    });
    tagged.await
}

pub(crate) async fn untag(
    lambda: Arc<Lambda>,
    caller: Caller,
    input: api::UntagResourceInput,
) -> Result<Unit, Error> {
    let key = function(&caller, &input.resource)?;
    let untagged = lambda.change(&key, |function| {
        function.common.tags.retain(|tag, _| !input.tag_keys.contains(tag));
        Ok(Unit)
    });
    untagged.await
}

pub(crate) async fn list(
    lambda: Arc<Lambda>,
    caller: Caller,
    input: api::ListTagsInput,
) -> Result<api::ListTagsOutput, Error> {
    let live = lambda.functions.get(&function(&caller, &input.resource)?)?;
    Ok(api::ListTagsOutput { tags: Some(live.function.common.tags.clone()) })
}

/// Whether a resource may have all of these.
pub(crate) fn check_count(tags: &Tags) -> Result<(), Error> {
    if tags.len() > limits::TAGS { Err(Error::TooManyTags) } else { Ok(()) }
}

/// The function of an ARN.
fn function(caller: &Caller, resource: &str) -> Result<FunctionKey, Error> {
    // The model lets only ARNs of Lambda's resources through.
    if !resource.contains(":function:") {
        return Err(Error::NotBuilt("tags of other resources than functions"));
    }
    let named = name::resolve(caller, resource, None)?;
    if named.qualifier.is_some() {
        return Err(Error::TagsOfVersion);
    }
    Ok(named.key)
}
