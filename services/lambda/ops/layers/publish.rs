//! `PublishLayerVersion`: takes the package and makes it the layer's next version.

use std::sync::Arc;

use kit::Caller;
use model::lambda as api;
use wire::Enumeration;

use crate::{
    Error, Lambda,
    layers::{
        name::{LayerKey, LayerVersionName},
        record::LayerVersion,
    },
    ops::source::Source,
    runtimes,
};

pub(crate) async fn run(
    lambda: Arc<Lambda>,
    caller: Caller,
    input: api::PublishLayerVersionInput,
) -> Result<api::PublishLayerVersionOutput, Error> {
    let key = LayerKey::own(&caller, &input.layer_name)?;
    let names = input.compatible_runtimes.as_deref().unwrap_or_default();
    if !names.iter().all(|name| runtimes::is_known(name)) {
        let value = format!("[{}]", names.join(", "));
        return Err(Error::UnknownCompatibleRuntime { value, member: "compatibleRuntimes" });
    }
    let architectures = input
        .compatible_architectures
        .map(|list| list.iter().map(|architecture| architecture.as_str().to_owned()).collect());
    let brought = Source::from(input.content).package(&lambda, &caller).await?;
    let taken = lambda.code.take_from(brought).await?;
    let version = LayerVersion {
        number: 0,
        code: taken.code.clone(),
        created: caller.now,
        description: input.description.unwrap_or_default(),
        license: input.license_info,
        runtimes: input.compatible_runtimes,
        architectures,
        policy: None,
    };
    let published = lambda.change_layer(&key, |layer| Ok(layer.publish(version))).await;
    let version = match published {
        Ok(version) => version,
        Err(error) => {
            lambda.code.forget(vec![taken.code.blob]).await;
            return Err(error);
        }
    };
    let name = LayerVersionName { layer: key, number: version.number };
    let shown = lambda.layer_version(&caller, &name, &version);
    Ok(api::PublishLayerVersionOutput {
        content: shown.content,
        layer_arn: shown.layer_arn,
        layer_version_arn: shown.layer_version_arn,
        description: shown.description,
        created_date: shown.created_date,
        version: shown.version,
        compatible_architectures: shown.compatible_architectures,
        compatible_runtimes: shown.compatible_runtimes,
        license_info: shown.license_info,
    })
}
