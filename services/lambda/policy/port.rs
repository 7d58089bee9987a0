//! The policies of functions and layers, for whoever decides about calls.

use std::sync::Arc;

use bus::ResourcePolicies;
use kit::{AccountId, Arn, Region, Tags};

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

    /// Versions and aliases have their function's.
    fn tags(&self, resource: &Arn) -> Tags {
        self.tags_of(resource).unwrap_or_default()
    }

    fn fact(&self, resource: &Arn, key: &str) -> Option<String> {
        let (kind, named) = resource.resource().split_once(':')?;
        match (key, kind) {
            ("lambda:functionarn", "event-source-mapping") => {
                Some(self.sources.get(named)?.mapping.function_arn.to_string())
            }
            ("lambda:functionurlauthtype", "function") => self.url_auth_type(resource),
            _ => None,
        }
    }

    fn shares(&self, action: &str) -> bool {
        !OWNERS.contains(&action)
    }
}

/// What only a function's owner may do, whatever its policy says. AWS's page on access from other
/// accounts says "most" of what is done with a function that exists; these are known not to be.
const OWNERS: [&str; 7] = [
    "lambda:AddPermission",
    "lambda:CreateEventSourceMapping",
    "lambda:CreateFunction",
    "lambda:DeleteResourcePolicy",
    "lambda:PutResourcePolicy",
    "lambda:RemovePermission",
    "lambda:UpdateFunctionConfiguration",
];

impl Lambda {
    fn function_policy(&self, account: AccountId, region: Region, named: &str) -> Option<Policy> {
        let (name, qualifier) = named.split_once(':').unwrap_or((named, ""));
        let key = FunctionKey { account, region, name: name.to_owned() };
        self.functions.get(&key).ok()?.function.common.policies.get(qualifier).cloned()
    }

    fn tags_of(&self, resource: &Arn) -> Option<Tags> {
        let (account, region) = (resource.account().parse().ok()?, resource.region().parse().ok()?);
        let (kind, named) = resource.resource().split_once(':')?;
        match kind {
            "function" => {
                let name = named.split(':').next().unwrap_or_default().to_owned();
                let key = FunctionKey { account, region, name };
                Some(self.functions.get(&key).ok()?.function.common.tags.clone())
            }
            "event-source-mapping" => {
                let mapping = self.sources.get(named)?.mapping;
                let its = mapping.account == account && mapping.region == region;
                its.then(|| mapping.tags.clone())
            }
            "code-signing-config" => self.signings.tags(resource.as_str()),
            _ => None,
        }
    }

    /// How callers of a function's URL, or of an alias's, prove who they are.
    fn url_auth_type(&self, function: &Arn) -> Option<String> {
        let account = function.account().parse().ok()?;
        let region = function.region().parse().ok()?;
        let named = function.resource().strip_prefix("function:")?;
        let (name, qualifier) = named.split_once(':').unwrap_or((named, ""));
        let key = FunctionKey { account, region, name: name.to_owned() };
        let live = self.functions.get(&key).ok()?;
        let url = live.function.common.urls.get(qualifier)?;
        Some(url.auth.as_str().to_owned())
    }

    fn layer_policy(&self, account: AccountId, region: Region, named: &str) -> Option<Policy> {
        let (name, number) = named.split_once(':')?;
        let layer = LayerKey { account, region, name: name.to_owned() };
        let name = LayerVersionName { layer, number: number.parse().ok()? };
        self.layers.version(&name)?.policy.clone()
    }
}
