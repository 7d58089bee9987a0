//! `GetLayerVersion` and `GetLayerVersionByArn`.

use std::sync::Arc;

use kit::Caller;
use model::lambda as api;

use crate::{
    Error, Lambda,
    layers::name::{LayerKey, LayerVersionName},
};

pub(crate) async fn run(
    lambda: Arc<Lambda>,
    caller: Caller,
    input: api::GetLayerVersionInput,
) -> Result<api::GetLayerVersionOutput, Error> {
    let layer = LayerKey::parse(&caller, &input.layer_name).ok_or(Error::NoSuchResource)?;
    find(&lambda, &caller, &layer.version(input.version_number)?)
}

pub(crate) async fn by_arn(
    lambda: Arc<Lambda>,
    caller: Caller,
    input: api::GetLayerVersionByArnInput,
) -> Result<api::GetLayerVersionByArnOutput, Error> {
    let name = LayerVersionName::parse(&input.arn).ok_or(Error::NoSuchResource)?;
    find(&lambda, &caller, &name)
}

fn find(
    lambda: &Lambda,
    caller: &Caller,
    name: &LayerVersionName,
) -> Result<api::GetLayerVersionOutput, Error> {
    let own = name.layer.account == caller.account;
    let version = lambda.layers.version(name).filter(|_| name.layer.region == caller.region);
    match version {
        Some(version) if own || version.is_shared_with(caller.account) => {
            Ok(lambda.layer_version(caller, name, &version))
        }
        _ if !own => Err(Error::layer_forbidden(caller, name)),
        _ => Err(Error::NoSuchResource),
    }
}
