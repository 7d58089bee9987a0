//! `CreatePolicyVersion`, `GetPolicyVersion`, `ListPolicyVersions`, `DeletePolicyVersion`,
//! `SetDefaultPolicyVersion`.

use std::sync::Arc;

use kit::Caller;
use model::iam as api;
use wire::Unit;

use super::policies::modify;
use crate::{
    Error, Iam,
    page::Wanted,
    policy::{self, Default, Policy},
    view,
};

pub(crate) async fn create(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::CreatePolicyVersionInput,
) -> Result<api::CreatePolicyVersionOutput, Error> {
    let default = match input.set_as_default {
        Some(true) => Default::Moves,
        _ => Default::Stays,
    };
    let made = iam.change(caller.account, |draft| {
        let arn = &input.policy_arn;
        modify(draft, &caller, "iam:CreatePolicyVersion", arn, |policy| {
            policy::check(&input.policy_document)?;
            let number = policy.add(input.policy_document, default, caller.now)?;
            Ok(view::version(policy, number, &policy.versions[&number]))
        })
        .map_err(|error| match error {
            Error::NoSuchPolicy(arn) => Error::NotAttachable(arn),
            other => other,
        })
    });
    Ok(api::CreatePolicyVersionOutput { policy_version: Some(made.await?) })
}

pub(crate) async fn get(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::GetPolicyVersionInput,
) -> Result<api::GetPolicyVersionOutput, Error> {
    let (arn, id) = (&input.policy_arn, &input.version_id);
    let account = iam.account(caller.account);
    let policy = account.policy(arn).map_err(|error| of_version(error, id))?;
    let number = policy.version(arn, id)?;
    let version = view::whole_version(policy, number, &policy.versions[&number]);
    Ok(api::GetPolicyVersionOutput { policy_version: Some(version) })
}

pub(crate) async fn list(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::ListPolicyVersionsInput,
) -> Result<api::ListPolicyVersionsOutput, Error> {
    let account = iam.account(caller.account);
    let policy = account.policy(&input.policy_arn)?;
    // The newest comes first: keys rise while numbers fall.
    let newest_first = policy.versions.iter().rev().map(|(number, version)| {
        (format!("{:010}", u32::MAX - number), view::version(policy, *number, version))
    });
    let page = Wanted::new(input.marker, input.max_items).of(newest_first)?;
    Ok(api::ListPolicyVersionsOutput {
        versions: Some(page.items),
        is_truncated: Some(page.marker.is_some()),
        marker: page.marker,
    })
}

pub(crate) async fn delete(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::DeletePolicyVersionInput,
) -> Result<Unit, Error> {
    let (arn, id) = (&input.policy_arn, &input.version_id);
    let deleted = iam.change(caller.account, |draft| {
        modify(draft, &caller, "iam:DeletePolicyVersion", arn, |policy: &mut Policy| {
            let number = policy.version(arn, id)?;
            policy.remove(number)
        })
        .map_err(|error| of_version(error, id))
    });
    deleted.await.map(|()| Unit)
}

pub(crate) async fn set_default(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::SetDefaultPolicyVersionInput,
) -> Result<Unit, Error> {
    let (arn, id) = (&input.policy_arn, &input.version_id);
    let set = iam.change(caller.account, |draft| {
        modify(draft, &caller, "iam:SetDefaultPolicyVersion", arn, |policy: &mut Policy| {
            let number = policy.version(arn, id)?;
            policy.set_default(number, caller.now);
            Ok(Unit)
        })
        .map_err(|error| of_version(error, id))
    });
    set.await
}

/// AWS says of a version of a missing policy that the version is missing.
fn of_version(error: Error, version: &str) -> Error {
    match error {
        Error::NoSuchPolicy(arn) => Error::NoSuchVersion { arn, version: version.to_owned() },
        other => other,
    }
}
