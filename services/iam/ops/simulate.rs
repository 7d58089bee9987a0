//! `SimulateCustomPolicy`, `SimulatePrincipalPolicy`, `GetContextKeysForCustomPolicy`,
//! `GetContextKeysForPrincipalPolicy`.

use std::{collections::BTreeSet, sync::Arc};

use kit::{AccountId, Arn, Caller};
use model::iam as api;

use crate::{
    Error, Iam,
    account::Account,
    grants::{Bounded, Identity},
    page::Wanted,
    simulate::{self, Entries, Simulated, Simulation},
    user::User,
};

pub(crate) async fn custom(
    _iam: Arc<Iam>,
    caller: Caller,
    input: api::SimulateCustomPolicyInput,
) -> Result<api::SimulateCustomPolicyOutput, Error> {
    let identity = listed("PolicyInputList", input.policy_input_list)?;
    let boundary = input.permissions_boundary_policy_input_list.unwrap_or_default();
    let boundary = listed("PermissionsBoundaryPolicyInputList", boundary)?.into_iter().next();
    if input.resource_policy.is_some() && input.caller_arn.is_none() {
        return Err(Error::CallerNeeded);
    }
    let simulation = Simulation {
        identity,
        boundary,
        resource: input.resource_policy.map(resource_policy).transpose()?,
        caller: imagined(&caller, input.caller_arn.as_deref()),
        owner: owner(&caller, input.resource_owner.as_deref()),
        entries: Entries::of(input.context_entries.unwrap_or_default()),
    };
    let wanted = Wanted::new(input.marker, input.max_items);
    results(&simulation, &input.action_names, input.resource_arns, &wanted)
}

pub(crate) async fn principal(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::SimulatePrincipalPolicyInput,
) -> Result<api::SimulatePrincipalPolicyOutput, Error> {
    let account = iam.account(caller.account);
    let mut source = Policies::of(&account, &input.policy_source_arn)?;
    source.identity.extend(listed("PolicyInputList", input.policy_input_list.unwrap_or_default())?);
    let boundary = input.permissions_boundary_policy_input_list.unwrap_or_default();
    let boundary = listed("PermissionsBoundaryPolicyInputList", boundary)?.into_iter().next();
    let simulation = Simulation {
        identity: source.identity,
        boundary: boundary.or(source.boundary),
        resource: input.resource_policy.map(resource_policy).transpose()?,
        caller: imagined(
            &caller,
            Some(input.caller_arn.as_ref().unwrap_or(&input.policy_source_arn)),
        ),
        owner: owner(&caller, input.resource_owner.as_deref()),
        entries: Entries::of(input.context_entries.unwrap_or_default()),
    };
    let wanted = Wanted::new(input.marker, input.max_items);
    results(&simulation, &input.action_names, input.resource_arns, &wanted)
}

pub(crate) async fn custom_keys(
    _iam: Arc<Iam>,
    _caller: Caller,
    input: api::GetContextKeysForCustomPolicyInput,
) -> Result<api::GetContextKeysForCustomPolicyOutput, Error> {
    Ok(keys(&listed("PolicyInputList", input.policy_input_list)?))
}

pub(crate) async fn principal_keys(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::GetContextKeysForPrincipalPolicyInput,
) -> Result<api::GetContextKeysForPrincipalPolicyOutput, Error> {
    let account = iam.account(caller.account);
    let mut policies = Policies::of(&account, &input.policy_source_arn)?.identity;
    policies.extend(listed("PolicyInputList", input.policy_input_list.unwrap_or_default())?);
    Ok(keys(&policies))
}

fn keys(policies: &[Simulated]) -> api::GetContextKeysForCustomPolicyOutput {
    let names: BTreeSet<String> = policies.iter().flat_map(Simulated::keys).collect();
    api::GetContextKeysForCustomPolicyOutput {
        context_key_names: Some(names.into_iter().collect()),
    }
}

/// Every action on every resource, a page of them.
fn results(
    simulation: &Simulation,
    actions: &[String],
    resources: Option<Vec<String>>,
    wanted: &Wanted,
) -> Result<api::SimulateCustomPolicyOutput, Error> {
    let resources = resources.filter(|it| !it.is_empty()).unwrap_or_else(|| vec!["*".to_owned()]);
    let pairs = actions.iter().flat_map(|action| resources.iter().map(move |it| (action, it)));
    // Markers follow the order of the request.
    let numbered = pairs.enumerate().map(|(number, pair)| (format!("{number:08}"), pair));
    let page = wanted.of(numbered)?;
    let results = page.items.into_iter().map(|(action, it)| simulation.result(action, it));
    Ok(api::SimulateCustomPolicyOutput {
        evaluation_results: Some(results.collect()),
        is_truncated: Some(page.marker.is_some()),
        marker: page.marker,
    })
}

/// Policies of a request, called by their place in its list.
fn listed(list: &str, texts: Vec<String>) -> Result<Vec<Simulated>, Error> {
    let numbered = texts.into_iter().zip(1..);
    numbered.map(|(text, number)| Simulated::new(format!("{list}.{number}"), text)).collect()
}

fn resource_policy(text: String) -> Result<Simulated, Error> {
    Simulated::new("ResourcePolicy", text)
}

fn imagined(caller: &Caller, arn: Option<&str>) -> simulate::Caller {
    let account = arn.and_then(account_of).unwrap_or(caller.account);
    simulate::Caller { arn: arn.unwrap_or_default().to_owned(), account }
}

fn owner(caller: &Caller, arn: Option<&str>) -> AccountId {
    arn.and_then(account_of).unwrap_or(caller.account)
}

fn account_of(arn: &str) -> Option<AccountId> {
    arn.parse::<Arn>().ok()?.account().parse().ok()
}

/// The policies of an identity, called by their names.
struct Policies {
    identity: Vec<Simulated>,
    boundary: Option<Simulated>,
}

impl Policies {
    /// Of the user, with its groups, the group or the role of this ARN.
    fn of(account: &Account, text: &str) -> Result<Policies, Error> {
        let arn: Arn = text.parse().map_err(|_| Error::InvalidPolicySource(text.to_owned()))?;
        let (kind, path) = arn.resource().split_once('/').unwrap_or_default();
        let name = path.rsplit('/').next().unwrap_or_default();
        match kind {
            "user" => {
                let user = account.find::<User>(name)?;
                let mut identity = granted(account, user.as_ref())?;
                for group in account.groups_of(user) {
                    identity.extend(granted(account, group.as_ref())?);
                }
                Ok(Policies { identity, boundary: boundary(account, user.as_ref())? })
            }
            "group" => {
                let group = account.find::<crate::group::Group>(name)?;
                Ok(Policies { identity: granted(account, group.as_ref())?, boundary: None })
            }
            "role" => {
                let role = account.find::<crate::role::Role>(name)?;
                let identity = granted(account, role.as_ref())?;
                Ok(Policies { identity, boundary: boundary(account, role.as_ref())? })
            }
            _ => Err(Error::InvalidPolicySource(text.to_owned())),
        }
    }
}

fn granted<T: Identity>(account: &Account, identity: &T) -> Result<Vec<Simulated>, Error> {
    let grants = identity.grants();
    let inline = grants.inline.iter().map(|(name, text)| Simulated::new(name, text.clone()));
    let attached = grants.attached.iter().map(|arn| managed(account, arn));
    inline.chain(attached).collect()
}

fn boundary<T: Bounded>(account: &Account, identity: &T) -> Result<Option<Simulated>, Error> {
    identity.boundary().map(|arn| managed(account, arn)).transpose()
}

fn managed(account: &Account, arn: &str) -> Result<Simulated, Error> {
    let policy = account.policy(arn)?;
    let document = policy.versions[&policy.default].document.clone();
    Simulated::new(policy.resource.name.clone(), document)
}
