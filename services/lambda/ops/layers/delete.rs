//! `DeleteLayerVersion`. Functions that use the version go on.

use std::sync::Arc;

use kit::Caller;
use model::lambda as api;
use wire::Unit;

use crate::{Error, Lambda, layers::name::LayerKey};

/// AWS answers the same whether or not there was such a version.
pub(crate) async fn run(
    lambda: Arc<Lambda>,
    caller: Caller,
    input: api::DeleteLayerVersionInput,
) -> Result<Unit, Error> {
    let key = LayerKey::own(&caller, &input.layer_name)?;
    let name = key.version(input.version_number)?;
    if lambda.layers.version(&name).is_some() {
        lambda
            .change_layer(&key, |layer| {
                layer.versions.remove(&name.number);
                Ok(())
            })
            .await?;
    }
    Ok(Unit)
}
