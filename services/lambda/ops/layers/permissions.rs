//! `AddLayerVersionPermission`, `RemoveLayerVersionPermission`, `GetLayerVersionPolicy`.

use std::sync::Arc;

use kit::Caller;
use model::lambda as api;
use wire::Unit;

use crate::{
    Error, Lambda,
    layers::{
        name::{LayerKey, LayerVersionName},
        record::{Layer, LayerVersion},
    },
    policy::{Policy, Statement},
};

pub(crate) async fn add(
    lambda: Arc<Lambda>,
    caller: Caller,
    input: api::AddLayerVersionPermissionInput,
) -> Result<api::AddLayerVersionPermissionOutput, Error> {
    let name = named(&caller, &input.layer_name, input.version_number)?;
    let permission = api::AddPermissionInput {
        statement_id: input.statement_id,
        action: input.action,
        principal: input.principal,
        principal_org_id: input.organization_id,
        ..api::AddPermissionInput::default()
    };
    let statement = Statement::new(&permission, name.arn())?;
    let json = statement.json();
    let added = lambda.change_layer(&name.layer, |layer| {
        change(layer, &name, |version| {
            let policy = version.policy.get_or_insert_with(Policy::new);
            check_revision(policy, input.revision_id.as_deref())?;
            policy.add(statement)?;
            Ok(policy.revision.clone())
        })
    });
    let revision_id = Some(added.await?);
    Ok(api::AddLayerVersionPermissionOutput { statement: Some(json), revision_id })
}

pub(crate) async fn remove(
    lambda: Arc<Lambda>,
    caller: Caller,
    input: api::RemoveLayerVersionPermissionInput,
) -> Result<Unit, Error> {
    let name = named(&caller, &input.layer_name, input.version_number)?;
    let removed = lambda.change_layer(&name.layer, |layer| {
        change(layer, &name, |version| {
            let policy = version.policy.as_mut().ok_or(Error::NoPolicy)?;
            check_revision(policy, input.revision_id.as_deref())?;
            policy.remove(&input.statement_id)?;
            if policy.statements.is_empty() {
                version.policy = None;
            }
            Ok(Unit)
        })
    });
    removed.await
}

pub(crate) async fn get(
    lambda: Arc<Lambda>,
    caller: Caller,
    input: api::GetLayerVersionPolicyInput,
) -> Result<api::GetLayerVersionPolicyOutput, Error> {
    let name = named(&caller, &input.layer_name, input.version_number)?;
    let version = lambda.layers.version(&name);
    let version = version.ok_or_else(|| Error::NoSuchLayerVersion(name.arn()))?;
    let policy = version.policy.as_ref().ok_or(Error::NoPolicy)?;
    let revision_id = Some(policy.revision.clone());
    Ok(api::GetLayerVersionPolicyOutput { policy: Some(policy.json()), revision_id })
}

fn named(caller: &Caller, layer: &str, number: i64) -> Result<LayerVersionName, Error> {
    LayerKey::own(caller, layer)?.version(number)
}

fn change<T>(
    layer: &mut Layer,
    name: &LayerVersionName,
    change: impl FnOnce(&mut LayerVersion) -> Result<T, Error>,
) -> Result<T, Error> {
    let old = layer.versions.get(&name.number);
    let mut version =
        LayerVersion::clone(old.ok_or_else(|| Error::NoSuchLayerVersion(name.arn()))?);
    let answer = change(&mut version)?;
    layer.versions.insert(name.number, Arc::new(version));
    Ok(answer)
}

fn check_revision(policy: &Policy, given: Option<&str>) -> Result<(), Error> {
    match given {
        Some(given) if given != policy.revision => Err(Error::LayerPolicyRevisionDiffers),
        _ => Ok(()),
    }
}
