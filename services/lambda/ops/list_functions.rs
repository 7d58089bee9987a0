//! `ListFunctions`.

use std::sync::Arc;

use kit::Caller;
use model::lambda as api;

use crate::{
    Error, Lambda,
    ops::page::page,
    view::{Moment, configuration},
};

pub(crate) async fn run(
    lambda: Arc<Lambda>,
    caller: Caller,
    input: api::ListFunctionsInput,
) -> Result<api::ListFunctionsOutput, Error> {
    let every_version = input.function_version.is_some();
    let mut functions = lambda.functions.list(caller.account, &caller.region);
    match input.master_region.as_deref() {
        None => {}
        Some(_) if !every_version => return Err(Error::MasterRegionAlone),
        Some("ALL") => {}
        // Replicas of functions of another region are Lambda@Edge's, and there are none here.
        Some(_) => functions.clear(),
    }
    let listed = functions.iter().flat_map(|live| {
        let versions = live.function.versions.values().filter(move |version| {
            every_version || version.number == crate::version::Number::LATEST
        });
        versions.map(|version| {
            let key = &live.function.key;
            let qualifier = every_version.then(|| version.number.to_string());
            // Names sort first, then numbers: a space is before every character of names.
            let position = format!("{} {:020}", key.name, version.number.0);
            (position, configuration(key, version, qualifier.as_deref(), Moment::Listed))
        })
    });
    let page = page(listed, input.marker.as_deref(), input.max_items)?;
    Ok(api::ListFunctionsOutput { next_marker: page.next, functions: Some(page.items) })
}
