//! `CreatePolicy`, `GetPolicy`, `ListPolicies`, `DeletePolicy`, `ListEntitiesForPolicy`.

use std::sync::Arc;

use kit::Caller;
use model::iam as api;
use wire::Unit;

use super::given_tags;
use crate::{
    Error, Iam,
    account::{Account, Usage},
    change::Draft,
    grants::{Bounded, Identity},
    managed,
    page::Wanted,
    policy::{self, Policy},
    resource::{Kind, Resource},
    tags::Keys,
    view,
};

pub(crate) async fn create(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::CreatePolicyInput,
) -> Result<api::CreatePolicyOutput, Error> {
    let (account, now) = (caller.account, caller.now);
    let tags = given_tags(Keys::CaseMatters, input.tags)?;
    policy::check(&input.policy_document)?;
    let resource = Resource::new::<Policy>(account, input.policy_name, input.path, tags, now);
    let policy = Policy::new(resource, input.description, input.policy_document);
    iam.change(account, |draft| draft.add(policy.clone())).await?;
    let arn = policy.arn(account);
    let shown = api::Policy {
        tags: view::some_tags(&policy.resource.tags),
        ..view::policy(arn.as_str(), &policy, Usage::default())
    };
    Ok(api::CreatePolicyOutput { policy: Some(shown) })
}

pub(crate) async fn get(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::GetPolicyInput,
) -> Result<api::GetPolicyOutput, Error> {
    let account = iam.account(caller.account);
    let policy = account.policy(&input.policy_arn)?;
    let shown = api::Policy {
        description: policy.description.clone(),
        tags: Some(view::tag_list(&policy.resource.tags)),
        ..view::policy(&input.policy_arn, policy, usage_of(&account, &input.policy_arn))
    };
    Ok(api::GetPolicyOutput { policy: Some(shown) })
}

pub(crate) async fn list(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::ListPoliciesInput,
) -> Result<api::ListPoliciesOutput, Error> {
    let account = iam.account(caller.account);
    let usage = account.usage();
    let prefix = input.path_prefix.unwrap_or_else(|| "/".to_owned());
    let scope = input.scope.unwrap_or_default();
    let only_used = input.only_attached.unwrap_or_default();
    let listed = view::policies(&account).filter_map(|(arn, policy)| {
        let usage = usage.get(arn.as_str()).copied().unwrap_or_default();
        let fits = is_in(scope, &arn)
            && policy.path().starts_with(&prefix)
            && is_used(usage, input.policy_usage_filter, only_used);
        fits.then(|| (sort_key(&arn, policy), view::policy(&arn, policy, usage)))
    });
    let page = Wanted::new(input.marker, input.max_items).of(listed)?;
    Ok(api::ListPoliciesOutput {
        policies: Some(page.items),
        is_truncated: Some(page.marker.is_some()),
        marker: page.marker,
    })
}

pub(crate) async fn delete(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::DeletePolicyInput,
) -> Result<Unit, Error> {
    let deleted = iam.change(caller.account, |draft| {
        check_own(&caller, "iam:DeletePolicy", &input.policy_arn)?;
        let policy = draft.account().policy(&input.policy_arn)?.clone();
        if usage_of(draft.account(), &input.policy_arn) != Usage::default() {
            return Err(Error::PolicyAttached);
        }
        if policy.versions.len() > 1 {
            return Err(Error::PolicyHasVersions);
        }
        draft.remove(&*policy);
        Ok(Unit)
    });
    deleted.await
}

pub(crate) async fn list_entities(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::ListEntitiesForPolicyInput,
) -> Result<api::ListEntitiesForPolicyOutput, Error> {
    let account = iam.account(caller.account);
    account.policy(&input.policy_arn)?;
    let wanted = Wanted::new(input.marker.clone(), input.max_items);
    let page = wanted.of(entities(&account, &input).into_iter())?;
    let mut output = api::ListEntitiesForPolicyOutput {
        policy_groups: Some(Vec::new()),
        policy_users: Some(Vec::new()),
        policy_roles: Some(Vec::new()),
        is_truncated: Some(page.marker.is_some()),
        marker: page.marker,
    };
    for entity in page.items {
        match entity {
            Entity::Group(group) => output.policy_groups.get_or_insert_default().push(group),
            Entity::Role(role) => output.policy_roles.get_or_insert_default().push(role),
            Entity::User(user) => output.policy_users.get_or_insert_default().push(user),
        }
    }
    Ok(output)
}

/// Changes the managed policy of this ARN, which must be the account's.
pub(super) fn modify<R>(
    draft: &mut Draft,
    caller: &Caller,
    action: &'static str,
    arn: &str,
    change: impl FnOnce(&mut Policy) -> Result<R, Error>,
) -> Result<R, Error> {
    check_own(caller, action, arn)?;
    let name = draft.account().policy(arn)?.name().to_owned();
    draft.modify::<Policy, _>(&name, change)
}

/// Nobody changes AWS's own policies.
fn check_own(caller: &Caller, action: &'static str, arn: &str) -> Result<(), Error> {
    if !managed::is_of_aws(arn) {
        return Ok(());
    }
    let (caller, resource) = (caller.principal.arn.to_string(), format!("policy {arn}"));
    Err(Error::AccessDenied { caller, action, resource })
}

fn usage_of(account: &Account, arn: &str) -> Usage {
    account.usage().get(arn).copied().unwrap_or_default()
}

fn is_in(scope: api::PolicyScopeType, arn: &str) -> bool {
    match scope {
        api::PolicyScopeType::All => true,
        api::PolicyScopeType::Aws => managed::is_of_aws(arn),
        api::PolicyScopeType::Local => !managed::is_of_aws(arn),
    }
}

fn is_used(usage: Usage, filter: Option<api::PolicyUsageType>, only_attached: bool) -> bool {
    match filter {
        Some(api::PolicyUsageType::PermissionsPolicy) => usage.attached > 0,
        Some(api::PolicyUsageType::PermissionsBoundary) => usage.boundaries > 0,
        None => !only_attached || usage.attached > 0,
    }
}

/// The account's own policies by name, then AWS's by ARN: the order of [`view::policies`].
fn sort_key(arn: &str, policy: &Policy) -> String {
    if managed::is_of_aws(arn) {
        return format!("2{arn}");
    }
    format!("1{}", policy.name().to_lowercase())
}

enum Entity {
    Group(api::PolicyGroup),
    Role(api::PolicyRole),
    User(api::PolicyUser),
}

/// The identities that a policy is used by, groups first, then roles, then users.
fn entities(account: &Account, input: &api::ListEntitiesForPolicyInput) -> Vec<(String, Entity)> {
    use api::EntityType::{Group, Role, User};
    let wanted = |kind| input.entity_filter.is_none_or(|filter| filter == kind);
    let mut found = Vec::new();
    if wanted(Group) {
        let groups = account.groups.iter().filter(|it| uses(&***it, None, input));
        found.extend(groups.map(|it| {
            let (group_name, group_id) = names(&**it);
            (format!("1{}", it.name().to_lowercase()), {
                Entity::Group(api::PolicyGroup { group_name, group_id })
            })
        }));
    }
    if wanted(Role) {
        let roles = account.roles.iter().filter(|it| uses(&***it, it.boundary(), input));
        found.extend(roles.map(|it| {
            let (role_name, role_id) = names(&**it);
            (format!("2{}", it.name().to_lowercase()), {
                Entity::Role(api::PolicyRole { role_name, role_id })
            })
        }));
    }
    if wanted(User) {
        let users = account.users.iter().filter(|it| uses(&***it, it.boundary(), input));
        found.extend(users.map(|it| {
            let (user_name, user_id) = names(&**it);
            (format!("3{}", it.name().to_lowercase()), {
                Entity::User(api::PolicyUser { user_name, user_id })
            })
        }));
    }
    found
}

fn names<T: Kind>(item: &T) -> (Option<String>, Option<String>) {
    (Some(item.name().to_owned()), Some(item.id().to_owned()))
}

/// Whether an identity uses the policy in the wanted way.
fn uses<T: Identity>(
    identity: &T,
    boundary: Option<&str>,
    input: &api::ListEntitiesForPolicyInput,
) -> bool {
    let attached = identity.grants().attached.contains(&input.policy_arn);
    let bounds = boundary == Some(input.policy_arn.as_str());
    let used = match input.policy_usage_filter {
        Some(api::PolicyUsageType::PermissionsPolicy) => attached,
        Some(api::PolicyUsageType::PermissionsBoundary) => bounds,
        None => attached || bounds,
    };
    used && identity.path().starts_with(input.path_prefix.as_deref().unwrap_or("/"))
}
