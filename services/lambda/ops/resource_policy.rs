//! Policies as a whole: `PutResourcePolicy`, `GetResourcePolicy`, `DeleteResourcePolicy`. They are
//! the policies that `AddPermission` and `RemovePermission` change one statement at a time.

use std::sync::Arc;

use kit::Caller;
use model::lambda as api;
use wire::Unit;

use crate::{
    Error, Lambda,
    name::{self, LATEST, Named},
    ops::permissions::place,
    policy::Policy,
};

pub(crate) async fn put(
    lambda: Arc<Lambda>,
    caller: Caller,
    input: api::PutResourcePolicyInput,
) -> Result<api::PutResourcePolicyOutput, Error> {
    let named = target(&caller, &input.resource_arn)?;
    if named.qualifier.as_deref() == Some(LATEST) {
        return Err(Error::PolicyOfLatest);
    }
    let policy = Policy::parse(&input.policy, &input.resource_arn)?;
    let json = policy.json();
    let put = lambda.change(&named.key, |function| {
        let qualifier = named.qualifier.as_deref();
        function.check_revision_of(qualifier, input.revision_id.as_deref())?;
        function.common.policies.insert(place(&named), policy);
        function.revise(qualifier)?;
        function.revision(qualifier).map(str::to_owned)
    });
    let revision = put.await?;
    Ok(api::PutResourcePolicyOutput { policy: Some(json), revision_id: Some(revision) })
}

pub(crate) async fn get(
    lambda: Arc<Lambda>,
    caller: Caller,
    input: api::GetResourcePolicyInput,
) -> Result<api::GetResourcePolicyOutput, Error> {
    let named = target(&caller, &input.resource_arn)?;
    let live = lambda.functions.get(&named.key)?;
    let policy = live.function.common.policies.get(&place(&named)).ok_or(Error::NoSuchResource)?;
    let revision = live.function.revision(named.qualifier.as_deref())?;
    Ok(api::GetResourcePolicyOutput {
        policy: Some(policy.json()),
        revision_id: Some(revision.to_owned()),
    })
}

pub(crate) async fn delete(
    lambda: Arc<Lambda>,
    caller: Caller,
    input: api::DeleteResourcePolicyInput,
) -> Result<Unit, Error> {
    let named = target(&caller, &input.resource_arn)?;
    let deleted = lambda.change(&named.key, |function| {
        let qualifier = named.qualifier.as_deref();
        if !function.common.policies.contains_key(&place(&named)) {
            return Err(Error::NoSuchResource);
        }
        function.check_revision_of(qualifier, input.revision_id.as_deref())?;
        function.common.policies.remove(&place(&named));
        function.revise(qualifier)?;
        Ok(Unit)
    });
    deleted.await
}

/// What an ARN names; the model lets only functions and runtimes through.
fn target(caller: &Caller, arn: &str) -> Result<Named, Error> {
    if !arn.contains(":function:") {
        return Err(Error::NotBuilt("customer-managed runtimes"));
    }
    name::own(caller, arn, None)
}
