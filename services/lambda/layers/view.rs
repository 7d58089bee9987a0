//! Layers in the form of answers.

use kit::{Caller, Millis};
use model::lambda as api;
use wire::Enumeration;

use crate::{
    Lambda,
    layers::{name::LayerVersionName, record::LayerVersion},
};

impl Lambda {
    /// A version with a link to its package.
    pub(crate) fn layer_version(
        &self,
        caller: &Caller,
        name: &LayerVersionName,
        version: &LayerVersion,
    ) -> api::GetLayerVersionOutput {
        let link = self.signer.link(version.code.blob, caller.now);
        api::GetLayerVersionOutput {
            content: Some(api::LayerVersionContentOutput {
                location: Some(format!("{}{link}", caller.endpoint)),
                code_sha256: Some(version.code.base64()),
                code_size: i64::try_from(version.code.bytes).ok(),
                ..api::LayerVersionContentOutput::default()
            }),
            layer_arn: Some(name.layer.arn()),
            layer_version_arn: Some(name.arn()),
            description: Some(version.description.clone()),
            created_date: Some(date(version.created)),
            version: i64::try_from(version.number).ok(),
            compatible_runtimes: version.runtimes.clone(),
            license_info: version.license.clone(),
            compatible_architectures: architectures(version),
        }
    }
}

/// A version in a list.
pub(crate) fn listed(
    name: &LayerVersionName,
    version: &LayerVersion,
) -> api::LayerVersionsListItem {
    api::LayerVersionsListItem {
        layer_version_arn: Some(name.arn()),
        version: i64::try_from(version.number).ok(),
        description: Some(version.description.clone()),
        created_date: Some(date(version.created)),
        compatible_architectures: architectures(version),
        compatible_runtimes: version.runtimes.clone(),
        license_info: version.license.clone(),
    }
}

fn architectures(version: &LayerVersion) -> Option<Vec<api::Architecture>> {
    let names = version.architectures.as_ref()?.iter();
    Some(names.filter_map(|name| api::Architecture::from_name(name)).collect())
}

fn date(moment: Millis) -> String {
    moment.iso8601().replace('Z', "+0000")
}
