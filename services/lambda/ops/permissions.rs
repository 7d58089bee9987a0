//! `AddPermission`, `RemovePermission`, `GetPolicy`.

use std::sync::Arc;

use kit::Caller;
use model::lambda as api;
use wire::Unit;

use crate::{
    Error, Lambda,
    name::{self, LATEST, Named},
    policy::{Policy, Statement},
};

pub(crate) async fn add(
    lambda: Arc<Lambda>,
    caller: Caller,
    input: api::AddPermissionInput,
) -> Result<api::AddPermissionOutput, Error> {
    let named = name::own(&caller, &input.function_name, input.qualifier.as_deref())?;
    if named.qualifier.as_deref() == Some(LATEST) {
        return Err(Error::PolicyOfLatest);
    }
    let statement = Statement::new(&input, named.arn())?;
    let json = statement.json();
    let added = lambda.change(&named.key, |function| {
        let qualifier = named.qualifier.as_deref();
        // A policy's revision is that of what it belongs to, before there is one and after.
        function.check_revision_of(qualifier, input.revision_id.as_deref())?;
        let policies = &mut function.common.policies;
        policies.entry(place(&named)).or_insert_with(Policy::new).add(statement)?;
        function.revise(qualifier)
    });
    added.await?;
    Ok(api::AddPermissionOutput { statement: Some(json) })
}

pub(crate) async fn remove(
    lambda: Arc<Lambda>,
    caller: Caller,
    input: api::RemovePermissionInput,
) -> Result<Unit, Error> {
    let named = name::own(&caller, &input.function_name, input.qualifier.as_deref())?;
    let absent = |_| Error::NoPolicyFor(named.arn());
    lambda.functions.get(&named.key).map_err(absent)?;
    let removed = lambda.change(&named.key, |function| {
        let qualifier = named.qualifier.as_deref();
        let current = function.revision(qualifier)?.to_owned();
        let policies = &mut function.common.policies;
        let policy = policies.get_mut(&place(&named)).ok_or(Error::NoPolicy)?;
        if input.revision_id.is_some_and(|given| given != current) {
            return Err(Error::RevisionDiffers);
        }
        policy.remove(&input.statement_id)?;
        if policy.statements.is_empty() {
            policies.remove(&place(&named));
        }
        function.revise(qualifier)?;
        Ok(Unit)
    });
    removed.await
}

pub(crate) async fn get(
    lambda: Arc<Lambda>,
    caller: Caller,
    input: api::GetPolicyInput,
) -> Result<api::GetPolicyOutput, Error> {
    let named = name::own(&caller, &input.function_name, input.qualifier.as_deref())?;
    let live = lambda.functions.get(&named.key)?;
    let policy = live.function.common.policies.get(&place(&named)).ok_or(Error::NoSuchResource)?;
    let revision_id = Some(live.function.revision(named.qualifier.as_deref())?.to_owned());
    Ok(api::GetPolicyOutput { policy: Some(policy.json()), revision_id })
}

/// The key of a policy: what was named behind the function.
pub(crate) fn place(named: &Named) -> String {
    named.qualifier.clone().unwrap_or_default()
}
