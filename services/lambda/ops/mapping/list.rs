//! `ListEventSourceMappings`.

use std::sync::Arc;

use kit::Caller;
use model::lambda as api;

use crate::{Error, Lambda, ops::mapping::view::describe};

/// The most mappings of one answer ("ListEventSourceMappings", API reference).
const MAX_ITEMS: usize = 100;

pub(crate) async fn run(
    lambda: Arc<Lambda>,
    caller: Caller,
    input: api::ListEventSourceMappingsInput,
) -> Result<api::ListEventSourceMappingsOutput, Error> {
    let function = match input.function_name.as_deref() {
        Some(name) => Some(lambda.functions.named(&caller, name, None)?.invoked_arn),
        None => None,
    };
    let size = input.max_items.map_or(MAX_ITEMS, |it| (it as usize).min(MAX_ITEMS));
    let mut seen = lambda.sources.list(input.marker.as_deref());
    seen.retain(|it| {
        let mapping = &it.mapping;
        let own = mapping.account == caller.account && mapping.region == caller.region;
        let of_source =
            input.event_source_arn.as_ref().is_none_or(|arn| mapping.source.as_str() == arn);
        let of_function = function.as_ref().is_none_or(|arn| mapping.function_arn.as_str() == arn);
        own && of_source && of_function
    });
    let next_marker = seen.get(size).and_then(|_| seen.get(size - 1));
    let next_marker = next_marker.map(|last| last.mapping.id.clone());
    seen.truncate(size);
    let mappings = seen.iter().map(describe).collect();
    Ok(api::ListEventSourceMappingsOutput { next_marker, event_source_mappings: Some(mappings) })
}
