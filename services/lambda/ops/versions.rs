//! `PublishVersion` and `ListVersionsByFunction`.

use std::sync::Arc;

use kit::Caller;
use model::lambda as api;

use crate::{
    Error, Lambda, name,
    ops::{page::page, unqualified},
    view::{Moment, configuration},
};

pub(crate) async fn publish(
    lambda: Arc<Lambda>,
    caller: Caller,
    input: api::PublishVersionInput,
) -> Result<api::PublishVersionOutput, Error> {
    let key = unqualified(&caller, &input.function_name)?;
    if input.publish_to.is_some() {
        return Err(Error::NotBuilt("$LATEST.PUBLISHED"));
    }
    let given = input.code_sha256.filter(|given| !given.is_empty());
    let published = lambda.change(&key, |function| {
        function.check_revision(input.revision_id.as_deref())?;
        let current = function.latest().code.shown_sha256();
        match given {
            Some(given) if given != current => Err(Error::CodeDiffers { given, current }),
            _ => Ok(function.publish(input.description)),
        }
    });
    let version = published.await?;
    lambda.take_snapshot(&key, &version);
    let qualifier = version.number.to_string();
    Ok(lambda.described(&key, &version, Some(&qualifier), Moment::Settled).await)
}

pub(crate) async fn list(
    lambda: Arc<Lambda>,
    caller: Caller,
    input: api::ListVersionsByFunctionInput,
) -> Result<api::ListVersionsByFunctionOutput, Error> {
    let key = name::resolve(&caller, &input.function_name, None)?.key;
    let live = lambda.functions.get(&key)?;
    let listed = live.function.versions.values().map(|version| {
        let qualifier = version.number.to_string();
        let position = format!("{:020}", version.number.0);
        (position, configuration(&key, version, Some(&qualifier), Moment::Listed))
    });
    let page = page(listed, input.marker.as_deref(), input.max_items)?;
    Ok(api::ListVersionsByFunctionOutput { next_marker: page.next, versions: Some(page.items) })
}
