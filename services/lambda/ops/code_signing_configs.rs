//! `CreateCodeSigningConfig`, `GetCodeSigningConfig`, `UpdateCodeSigningConfig`,
//! `DeleteCodeSigningConfig`, `ListCodeSigningConfigs`, `ListFunctionsByCodeSigningConfig`.

use std::sync::Arc;

use kit::{Caller, Tags};
use model::lambda as api;

use crate::{
    Error, Lambda,
    ops::{page::page, tags},
    signing::Signing,
};

pub(crate) async fn create(
    lambda: Arc<Lambda>,
    caller: Caller,
    input: api::CreateCodeSigningConfigInput,
) -> Result<api::CreateCodeSigningConfigOutput, Error> {
    let given: Tags = input.tags.unwrap_or_default();
    tags::check(&given)?;
    let mut signing =
        Signing::new(&caller, input.allowed_publishers.signing_profile_version_arns, given);
    signing.description = input.description.unwrap_or_default();
    signing.enforced = input.code_signing_policies.is_some_and(|it| enforces(&it));
    let _turn = lambda.signings.turn.lock().await;
    let signing = lambda.save_signing(signing).await?;
    Ok(api::CreateCodeSigningConfigOutput { code_signing_config: describe(&signing) })
}

pub(crate) async fn get(
    lambda: Arc<Lambda>,
    caller: Caller,
    input: api::GetCodeSigningConfigInput,
) -> Result<api::GetCodeSigningConfigOutput, Error> {
    let signing = find(&lambda, &caller, &input.code_signing_config_arn)?;
    Ok(api::GetCodeSigningConfigOutput { code_signing_config: describe(&signing) })
}

pub(crate) async fn update(
    lambda: Arc<Lambda>,
    caller: Caller,
    input: api::UpdateCodeSigningConfigInput,
) -> Result<api::UpdateCodeSigningConfigOutput, Error> {
    let _turn = lambda.signings.turn.lock().await;
    let mut signing = Signing::clone(&*find(&lambda, &caller, &input.code_signing_config_arn)?);
    if let Some(description) = input.description {
        signing.description = description;
    }
    if let Some(publishers) = input.allowed_publishers {
        signing.publishers = publishers.signing_profile_version_arns;
    }
    if let Some(policies) = input.code_signing_policies {
        signing.enforced = enforces(&policies);
    }
    signing.modified = caller.now;
    let signing = lambda.save_signing(signing).await?;
    Ok(api::UpdateCodeSigningConfigOutput { code_signing_config: describe(&signing) })
}

pub(crate) async fn delete(
    lambda: Arc<Lambda>,
    caller: Caller,
    input: api::DeleteCodeSigningConfigInput,
) -> Result<api::DeleteCodeSigningConfigOutput, Error> {
    let _turn = lambda.signings.turn.lock().await;
    let signing = find(&lambda, &caller, &input.code_signing_config_arn)?;
    if !functions(&lambda, &caller, &signing).is_empty() {
        return Err(Error::SigningConfigInUse(input.code_signing_config_arn));
    }
    lambda.forget_signing(&signing).await?;
    Ok(api::DeleteCodeSigningConfigOutput::default())
}

pub(crate) async fn list(
    lambda: Arc<Lambda>,
    caller: Caller,
    input: api::ListCodeSigningConfigsInput,
) -> Result<api::ListCodeSigningConfigsOutput, Error> {
    let signings = lambda.signings.list(&caller);
    let listed = signings.iter().map(|signing| (&signing.id, describe(signing)));
    let page = page(listed, input.marker.as_deref(), input.max_items)?;
    Ok(api::ListCodeSigningConfigsOutput {
        next_marker: page.next,
        code_signing_configs: Some(page.items),
    })
}

pub(crate) async fn list_functions(
    lambda: Arc<Lambda>,
    caller: Caller,
    input: api::ListFunctionsByCodeSigningConfigInput,
) -> Result<api::ListFunctionsByCodeSigningConfigOutput, Error> {
    let signing = find(&lambda, &caller, &input.code_signing_config_arn)?;
    let arns = functions(&lambda, &caller, &signing);
    let listed = arns.iter().map(|arn| (arn, arn.clone()));
    let page = page(listed, input.marker.as_deref(), input.max_items)?;
    Ok(api::ListFunctionsByCodeSigningConfigOutput {
        next_marker: page.next,
        function_arns: Some(page.items),
    })
}

/// A configuration of the caller's.
pub(crate) fn find(lambda: &Lambda, caller: &Caller, arn: &str) -> Result<Arc<Signing>, Error> {
    let signing = lambda.signings.get(caller, arn);
    signing.ok_or_else(|| Error::NoSuchSigningConfig(arn.to_owned()))
}

/// The ARNs of the functions that have a configuration, in their order.
fn functions(lambda: &Lambda, caller: &Caller, signing: &Signing) -> Vec<String> {
    let arn = signing.arn();
    let functions = lambda.functions.list(caller.account, &caller.region);
    let having = functions.iter().map(|live| &live.function);
    having
        .filter(|function| function.common.code_signing.as_deref() == Some(arn.as_str()))
        .map(|function| function.key.arn().to_string())
        .collect()
}

fn enforces(policies: &api::CodeSigningPolicies) -> bool {
    policies.untrusted_artifact_on_deployment == Some(api::CodeSigningPolicy::Enforce)
}

fn describe(signing: &Signing) -> api::CodeSigningConfig {
    let policy = match signing.enforced {
        true => api::CodeSigningPolicy::Enforce,
        false => api::CodeSigningPolicy::Warn,
    };
    api::CodeSigningConfig {
        code_signing_config_id: signing.id.clone(),
        code_signing_config_arn: signing.arn().to_string(),
        description: Some(signing.description.clone()),
        allowed_publishers: api::AllowedPublishers {
            signing_profile_version_arns: signing.publishers.clone(),
        },
        code_signing_policies: api::CodeSigningPolicies {
            untrusted_artifact_on_deployment: Some(policy),
        },
        last_modified: signing.modified.iso8601().replace('Z', "+0000"),
    }
}
