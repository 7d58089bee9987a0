//! The policies of functions and layers, for whoever decides about calls.

use std::sync::Arc;

use bus::ResourcePolicies;
use kit::{AccountId, Arn, Region};

use crate::{
    Lambda,
    invoke::concurrency::FunctionKey,
    layers::name::{LayerKey, LayerVersionName},
    policy::Policy,
};

impl ResourcePolicies for Lambda {
    fn policy(&self, resource: &Arn) -> Option<Arc<str>> {
        let (account, region) = (resource.account().parse().ok()?, resource.region().parse().ok()?);
        let (kind, named) = resource.resource().split_once(':')?;
        let policy = match kind {
            "function" => self.function_policy(account, region, named),
            "layer" => self.layer_policy(account, region, named),
            _ => None,
        };
        policy.map(|policy| Arc::from(policy.json()))
    }
}

impl Lambda {
    fn function_policy(&self, account: AccountId, region: Region, named: &str) -> Option<Policy> {
        let (name, qualifier) = named.split_once(':').unwrap_or((named, ""));
        let key = FunctionKey { account, region, name: name.to_owned() };
        self.functions.get(&key).ok()?.function.common.policies.get(qualifier).cloned()
    }

    fn layer_policy(&self, account: AccountId, region: Region, named: &str) -> Option<Policy> {
        let (name, number) = named.split_once(':')?;
        let layer = LayerKey { account, region, name: name.to_owned() };
        let name = LayerVersionName { layer, number: number.parse().ok()? };
        self.layers.version(&name)?.policy.clone()
    }
}
