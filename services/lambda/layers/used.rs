//! What a function keeps of its layers, and which layers it may have.
//!
//! Rules and texts are AWS's, recorded, except where a comment names another source.

use std::{fs, io, path::Path};

use kit::Caller;
use model::lambda as api;
use serde::{Deserialize, Serialize};

use crate::{
    Error, Lambda,
    code::Code,
    image::Content,
    layers::{Layers, name::LayerVersionName},
    limits,
};

/// A layer version as a function keeps it: enough to run when the version is no more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct UsedLayer {
    pub(crate) arn: String,
    pub(crate) code: Code,
}

impl Layers {
    /// The layers that a caller names for a function, in order.
    pub(crate) fn used(&self, caller: &Caller, arns: &[String]) -> Result<Vec<UsedLayer>, Error> {
        if arns.len() > limits::LAYERS {
            return Err(Error::TooManyLayers);
        }
        let mut used: Vec<(LayerVersionName, UsedLayer)> = Vec::new();
        for arn in arns {
            let missing = || Error::NoSuchLayerForFunction(arn.clone());
            let name = LayerVersionName::parse(arn).ok_or_else(missing)?;
            let code = self.usable(caller, &name)?;
            if let Some((_, twin)) = used.iter().find(|(other, _)| other.layer == name.layer) {
                let (first, second) = (twin.arn.clone(), arn.clone());
                return Err(Error::TwoVersionsOfLayer { first, second });
            }
            used.push((name, UsedLayer { arn: arn.clone(), code }));
        }
        Ok(used.into_iter().map(|(_, layer)| layer).collect())
    }

    fn usable(&self, caller: &Caller, name: &LayerVersionName) -> Result<Code, Error> {
        let own = name.layer.account == caller.account;
        let here = name.layer.region == caller.region;
        if own && !here {
            return Err(Error::LayersElsewhere(caller.region.clone()));
        }
        let version = self.version(name).filter(|_| here);
        match version {
            Some(version) if own || version.is_shared_with(caller.account) => {
                Ok(version.code.clone())
            }
            // Whether another account's layer exists is not told.
            _ if !own => Err(Error::layer_forbidden(caller, name)),
            _ => Err(Error::NoSuchLayerForFunction(name.arn())),
        }
    }

    /// Whether these layers are still there: one may have been deleted while the function's code
    /// was on its way.
    pub(crate) fn check(&self, layers: &[UsedLayer]) -> Result<(), Error> {
        let found = |layer: &UsedLayer| {
            let version = self.version(&LayerVersionName::parse(&layer.arn)?)?;
            (version.code == layer.code).then_some(())
        };
        match layers.iter().find(|layer| found(layer).is_none()) {
            Some(gone) => Err(Error::NoSuchLayerForFunction(gone.arn.clone())),
            None => Ok(()),
        }
    }
}

impl UsedLayer {
    /// As answers show it.
    pub(crate) fn view(&self) -> api::Layer {
        api::Layer {
            arn: Some(self.arn.clone()),
            code_size: i64::try_from(self.code.bytes).ok(),
            ..api::Layer::default()
        }
    }
}

impl Lambda {
    /// Whether code and layers together are small enough, unpacked. Folders of developers count
    /// nothing, and images have no layers of this kind.
    pub(crate) async fn check_unpacked_size(
        &self,
        code: &Content,
        layers: &[UsedLayer],
    ) -> Result<(), Error> {
        if layers.is_empty() {
            return Ok(());
        }
        let packages = layers.iter().map(|layer| &layer.code).chain(code.package());
        let packages = packages.filter(|code| code.folder.is_none());
        let folders: Vec<_> = packages.map(|code| self.code.folder_of(code)).collect();
        let measured = tokio::task::spawn_blocking(move || {
            folders.iter().map(|folder| unpacked_bytes(folder)).sum::<io::Result<u64>>()
        });
        let measured = measured.await.map_err(Error::at("measuring layers"))?;
        match measured.map_err(Error::at("measuring layers"))? {
            bytes if bytes > limits::UNZIPPED_BYTES => Err(Error::CodeAndLayersTooLarge(bytes)),
            _ => Ok(()),
        }
    }
}

fn unpacked_bytes(folder: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += match metadata.is_dir() {
            true => unpacked_bytes(&entry.path())?,
            false => metadata.len(),
        };
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        layers::{
            name::LayerKey,
            record::{Layer, plain_version},
        },
        policy::{Policy, Statement},
    };
    use kit::{AccountId, Millis, Region};

    const OWN: &str = "arn:aws:lambda:us-east-1:000000000000:layer";

    fn caller(account: &str) -> Caller {
        Caller::internal(account.parse().unwrap(), Region::default(), Millis(0))
    }

    fn layers() -> Layers {
        let mut layer = Layer::default();
        layer.publish(plain_version());
        layer.publish(plain_version());
        let (account, region) = (AccountId::DEFAULT, Region::default());
        let key = |name: &str| LayerKey { account, region: region.clone(), name: name.to_owned() };
        let names = ["a", "b", "c", "d", "e", "f"];
        Layers::new(names.iter().map(|name| (key(name), layer.clone())).collect())
    }

    fn used(arns: &[&str]) -> Result<Vec<UsedLayer>, String> {
        let arns: Vec<String> = arns.iter().map(|arn| (*arn).to_owned()).collect();
        layers().used(&caller("000000000000"), &arns).map_err(|error| error.to_string())
    }

    #[test]
    fn a_function_has_five_layers_and_one_version_of_each() {
        let arn = |name: &str| format!("{OWN}:{name}:1");
        let all: Vec<String> = ["a", "b", "c", "d", "e", "f"].map(arn).to_vec();
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        assert_eq!(used(&all[..5]).unwrap().len(), 5);
        assert_eq!(used(&all).unwrap_err(), "Cannot reference more than 5 layers.");
        let second = format!("{OWN}:a:2");
        for other in [second.as_str(), all[0]] {
            assert_eq!(
                used(&[all[0], other]).unwrap_err(),
                format!(
                    "Two different versions of the same layer are not allowed to be referenced in \
                     the same function. {} and {other} are versions of the same layer.",
                    all[0]
                )
            );
        }
    }

    #[test]
    fn a_layer_must_be_there_and_here() {
        let missing = format!("{OWN}:a:9");
        let text = format!("Layer version {missing} does not exist.");
        assert_eq!(used(&[&missing]).unwrap_err(), text);
        let elsewhere = missing.replace("us-east-1", "eu-west-1");
        assert_eq!(
            used(&[&elsewhere]).unwrap_err(),
            "Layers are not in the same region as the function. Layers are expected to be in region \
             us-east-1."
        );
    }

    #[test]
    fn another_accounts_layer_needs_its_permission() {
        let layers = layers();
        let arn = format!("{OWN}:a:1");
        let other = caller("123456789012");
        let refused = layers.used(&other, std::slice::from_ref(&arn)).unwrap_err();
        assert_eq!(
            refused.to_string(),
            format!(
                "User: arn:aws:iam::123456789012:root is not authorized to perform: \
                 lambda:GetLayerVersion on resource: {arn} because no resource-based policy allows \
                 the lambda:GetLayerVersion action"
            )
        );
        let mut policy = Policy::new();
        let permission = api::AddPermissionInput {
            action: "lambda:GetLayerVersion".to_owned(),
            principal: "123456789012".to_owned(),
            ..api::AddPermissionInput::default()
        };
        policy.add(Statement::new(&permission, arn.clone()).unwrap()).unwrap();
        let name = LayerVersionName::parse(&arn).unwrap();
        let mut layer = Layer::clone(&layers.find(&name.layer).unwrap());
        let shared = record_with(&layer, policy);
        layer.versions.insert(1, shared.into());
        layers.put(&name.layer, layer);
        assert_eq!(layers.used(&other, &[arn]).unwrap().len(), 1);
    }

    fn record_with(layer: &Layer, policy: Policy) -> crate::layers::record::LayerVersion {
        crate::layers::record::LayerVersion {
            policy: Some(policy),
            ..(*layer.versions[&1]).clone()
        }
    }
}
