//! `ListLayers` and `ListLayerVersions`.

use std::sync::Arc;

use kit::Caller;
use model::lambda as api;
use wire::Enumeration;

use crate::{
    Error, Lambda,
    layers::{
        name::{LayerKey, LayerVersionName},
        record::Filter,
        view,
    },
    ops::page::page,
    runtimes,
};

/// Every layer that has a matching version, with the newest of them.
pub(crate) async fn layers(
    lambda: Arc<Lambda>,
    caller: Caller,
    input: api::ListLayersInput,
) -> Result<api::ListLayersOutput, Error> {
    let filter = filter(input.compatible_runtime, input.compatible_architecture)?;
    let layers = lambda.layers.list(caller.account, &caller.region);
    let listed = layers.into_iter().filter_map(|(key, layer)| {
        let version = layer.matching(&filter).next()?;
        let name = LayerVersionName { layer: key.clone(), number: version.number };
        let item = api::LayersListItem {
            layer_name: Some(key.name.clone()),
            layer_arn: Some(key.arn()),
            latest_matching_version: Some(view::listed(&name, version)),
        };
        Some((key.name, item))
    });
    let page = page(listed, input.marker.as_deref(), input.max_items)?;
    Ok(api::ListLayersOutput { next_marker: page.next, layers: Some(page.items) })
}

/// A layer's matching versions, the newest first; none of a layer that is not there.
pub(crate) async fn versions(
    lambda: Arc<Lambda>,
    caller: Caller,
    input: api::ListLayerVersionsInput,
) -> Result<api::ListLayerVersionsOutput, Error> {
    let filter = filter(input.compatible_runtime, input.compatible_architecture)?;
    let key = LayerKey::own(&caller, &input.layer_name)?;
    let layer = lambda.layers.find(&key).unwrap_or_default();
    let listed = layer.matching(&filter).map(|version| {
        let name = LayerVersionName { layer: key.clone(), number: version.number };
        // Pages go by rising keys.
        (format!("{:020}", u64::MAX - version.number), view::listed(&name, version))
    });
    let page = page(listed, input.marker.as_deref(), input.max_items)?;
    Ok(api::ListLayerVersionsOutput { next_marker: page.next, layer_versions: Some(page.items) })
}

fn filter(
    runtime: Option<String>,
    architecture: Option<api::Architecture>,
) -> Result<Filter, Error> {
    match runtime {
        Some(value) if !runtimes::is_known(&value) => {
            Err(Error::UnknownCompatibleRuntime { value, member: "compatibleRuntime" })
        }
        runtime => {
            let architecture = architecture.map(|it| it.as_str().to_owned());
            Ok(Filter { runtime, architecture })
        }
    }
}
