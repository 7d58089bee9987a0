//! `CreateAccountAlias`, `DeleteAccountAlias`, `ListAccountAliases`, `GetAccountSummary`.

use std::sync::{Arc, PoisonError};

use kit::Caller;
use model::iam as api;
use wire::Unit;

use crate::{Error, Iam, account::Account, limits};

pub(crate) async fn create_alias(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::CreateAccountAliasInput,
) -> Result<Unit, Error> {
    let alias = input.account_alias;
    let made = iam.change(caller.account, |draft| {
        // An alias names one account of all.
        let accounts = iam.accounts.read().unwrap_or_else(PoisonError::into_inner);
        let taken = |it: &Arc<Account>| it.settings.alias.as_deref() == Some(alias.as_str());
        if accounts.values().any(taken) {
            return Err(Error::AliasExists(alias));
        }
        draft.modify_settings(|settings| {
            settings.alias = Some(alias);
            Ok(Unit)
        })
    });
    made.await
}

pub(crate) async fn delete_alias(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::DeleteAccountAliasInput,
) -> Result<Unit, Error> {
    let deleted = iam.change(caller.account, |draft| {
        draft.modify_settings(|settings| {
            if settings.alias.as_ref() != Some(&input.account_alias) {
                return Err(Error::NoSuchAlias(input.account_alias));
            }
            settings.alias = None;
            Ok(Unit)
        })
    });
    deleted.await
}

pub(crate) async fn list_aliases(
    iam: Arc<Iam>,
    caller: Caller,
    _input: api::ListAccountAliasesInput,
) -> Result<api::ListAccountAliasesOutput, Error> {
    // An account has one alias at most: there is no second page.
    let account_aliases = iam.account(caller.account).settings.alias.clone().into_iter().collect();
    Ok(api::ListAccountAliasesOutput { account_aliases, is_truncated: Some(false), marker: None })
}

pub(crate) async fn summary(
    iam: Arc<Iam>,
    caller: Caller,
    _input: api::GetAccountSummaryInput,
) -> Result<api::GetAccountSummaryOutput, Error> {
    let account = iam.account(caller.account);
    let counts = counts(&account).into_iter().chain(quotas());
    let entry =
        |(name, count): (&str, usize)| (name.to_owned(), i32::try_from(count).unwrap_or(i32::MAX));
    Ok(api::GetAccountSummaryOutput { summary_map: Some(counts.map(entry).collect()) })
}

/// What there is. What lampejo has none of is counted as none.
fn counts(account: &Account) -> [(&'static str, usize); 15] {
    let versions = account.policies.iter().map(|policy| policy.versions.len()).sum();
    [
        ("Users", account.users.len()),
        ("Groups", account.groups.len()),
        ("Roles", account.roles.len()),
        ("Policies", account.policies.len()),
        ("InstanceProfiles", account.profiles.len()),
        ("PolicyVersionsInUse", versions),
        ("AccountAccessKeysPresent", usize::from(!account.settings.root_keys.is_empty())),
        ("AccountMFAEnabled", 0),
        ("AccountPasswordPresent", 0),
        ("AccountSigningCertificatesPresent", 0),
        ("GlobalEndpointTokenVersion", 1),
        ("MFADevices", account.mfa_devices.len()),
        ("MFADevicesInUse", account.mfa_devices.iter().filter(|it| it.enabled.is_some()).count()),
        ("Providers", account.oidc_providers.len() + account.saml_providers.len()),
        ("ServerCertificates", 0),
    ]
}

fn quotas() -> [(&'static str, usize); 19] {
    [
        ("UsersQuota", limits::USERS.limit),
        ("GroupsQuota", limits::GROUPS.limit),
        ("RolesQuota", limits::ROLES.limit),
        ("PoliciesQuota", limits::POLICIES.limit),
        ("InstanceProfilesQuota", limits::INSTANCE_PROFILES.limit),
        ("GroupsPerUserQuota", limits::GROUPS_PER_USER.limit),
        ("AccessKeysPerUserQuota", limits::ACCESS_KEYS_PER_USER.limit),
        ("AttachedPoliciesPerUserQuota", limits::ATTACHED_PER_USER.limit),
        ("AttachedPoliciesPerGroupQuota", limits::ATTACHED_PER_GROUP.limit),
        ("AttachedPoliciesPerRoleQuota", limits::ATTACHED_PER_ROLE.limit),
        ("UserPolicySizeQuota", limits::USER_INLINE_SIZE),
        ("GroupPolicySizeQuota", limits::GROUP_INLINE_SIZE),
        ("RolePolicySizeQuota", limits::ROLE_INLINE_SIZE),
        ("AssumeRolePolicySizeQuota", limits::TRUST_POLICY_SIZE.limit),
        ("PolicySizeQuota", limits::POLICY_SIZE.limit),
        ("VersionsPerPolicyQuota", limits::VERSIONS_PER_POLICY),
        ("PolicyVersionsInUseQuota", 10_000),
        ("ServerCertificatesQuota", 20),
        ("SigningCertificatesPerUserQuota", 2),
    ]
}
