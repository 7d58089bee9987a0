//! The operations with what each needs permission for. IAM's actions are named as its operations.
//!
//! Requests name identities without their path: the ARNs here are those of the root path, except
//! where the path is part of the request.

use std::sync::Arc;

use kit::{Arn, Caller};
use model::iam as api;
use wire::{Access, Call, Table};

use crate::{
    Iam,
    group::Group,
    instance_profile::InstanceProfile,
    mfa_device, oidc_provider,
    ops::{
        absent, access_keys, account, advisor, attachments, boundaries, credential_report, details,
        groups, inline, login_profiles, mfa_devices, oidc_providers, password_policy, policies,
        profiles, roles, saml_providers, service_roles, simulate, tags, users, versions,
    },
    policy::Policy,
    resource::{Kind, arn},
    role::Role,
    saml_provider, told,
    user::User,
};

/// Adds operations to a table: name, function, ARNs, and for some what they tell of condition keys
/// and what they need beyond themselves.
macro_rules! operations {
    ($table:expr, $iam:expr, $($name:ident => $run:path, $resources:expr $(, $keys:expr $(, $also:expr)?)?;)*) => {
        $table$(.on::<api::$name, _, _, _>(
            $iam,
            $run,
            Access::<<api::$name as Call>::Input>::new(concat!("iam:", stringify!($name)), $resources)$(.telling($keys)$(.also($also))?)?,
        ))*
    };
}

/// All operations.
pub(crate) fn table(iam: &Arc<Iam>) -> Table {
    let table = Table::new(&model::iam::SERVICE);
    let table = with_users_and_groups(table, iam);
    let table = with_roles(table, iam);
    let table = with_policies(with_account(table, iam), iam);
    with_second_factors(with_providers(with_passwords(table, iam), iam), iam)
}

#[rustfmt::skip] // A line for each operation.
fn with_second_factors(table: Table, iam: &Arc<Iam>) -> Table {
    operations! { table, iam,
        CreateVirtualMFADevice => mfa_devices::create, |c, i| vec![mfa_device::arn_of(c.account, i.path.as_deref(), &i.virtual_mfa_device_name)], |_, i| told::tags(i.tags.as_deref()), |c, i| told::tagging("iam:TagMFADevice", vec![mfa_device::arn_of(c.account, i.path.as_deref(), &i.virtual_mfa_device_name)], i.tags.as_deref());
        EnableMFADevice => mfa_devices::enable, |c, i| named::<User>(c, &i.user_name);
        ResyncMFADevice => mfa_devices::resync, |c, i| named::<User>(c, &i.user_name);
        DeactivateMFADevice => mfa_devices::deactivate, |c, i| own(c, i.user_name.as_deref());
        DeleteVirtualMFADevice => mfa_devices::delete, |_, i| given(&i.serial_number);
        GetMFADevice => mfa_devices::get, |c, i| own(c, i.user_name.as_deref());
        ListMFADevices => mfa_devices::list, |c, i| own(c, i.user_name.as_deref());
        ListVirtualMFADevices => mfa_devices::list_virtual, |_, _| Vec::new();
        TagMFADevice => mfa_devices::tag, |_, i| given(&i.serial_number), |_, i| told::tags(Some(&i.tags));
        UntagMFADevice => mfa_devices::untag, |_, i| given(&i.serial_number), |_, i| told::tag_keys(&i.tag_keys);
        ListMFADeviceTags => mfa_devices::list_tags, |_, i| given(&i.serial_number);
    }
}

#[rustfmt::skip] // A line for each operation.
fn with_users_and_groups(table: Table, iam: &Arc<Iam>) -> Table {
    operations! { table, iam,
        CreateUser => users::create, |c, i| new::<User>(c, i.path.as_deref(), &i.user_name), |_, i| told::made(i.tags.as_deref(), i.permissions_boundary.as_deref()), |c, i| told::tagging("iam:TagUser", new::<User>(c, i.path.as_deref(), &i.user_name), i.tags.as_deref());
        GetUser => users::get, |c, i| own(c, i.user_name.as_deref());
        ListUsers => users::list, |c, i| under::<User>(c, i.path_prefix.as_deref());
        UpdateUser => users::update, |c, i| named::<User>(c, &i.user_name);
        DeleteUser => users::delete, |c, i| named::<User>(c, &i.user_name);
        TagUser => tags::tag_user, |c, i| named::<User>(c, &i.user_name), |_, i| told::tags(Some(&i.tags));
        UntagUser => tags::untag_user, |c, i| named::<User>(c, &i.user_name), |_, i| told::tag_keys(&i.tag_keys);
        ListUserTags => tags::list_user, |c, i| named::<User>(c, &i.user_name);
        PutUserPermissionsBoundary => boundaries::put_user, |c, i| named::<User>(c, &i.user_name), |_, i| told::boundary(&i.permissions_boundary);
        DeleteUserPermissionsBoundary => boundaries::delete_user, |c, i| named::<User>(c, &i.user_name);
        CreateAccessKey => access_keys::create, |c, i| own(c, i.user_name.as_deref());
        UpdateAccessKey => access_keys::update, |c, i| own(c, i.user_name.as_deref());
        DeleteAccessKey => access_keys::delete, |c, i| own(c, i.user_name.as_deref());
        ListAccessKeys => access_keys::list, |c, i| own(c, i.user_name.as_deref());
        GetAccessKeyLastUsed => access_keys::last_used, |_, _| Vec::new();
        CreateGroup => groups::create, |c, i| new::<Group>(c, i.path.as_deref(), &i.group_name);
        GetGroup => groups::get, |c, i| named::<Group>(c, &i.group_name);
        ListGroups => groups::list, |c, i| under::<Group>(c, i.path_prefix.as_deref());
        UpdateGroup => groups::update, |c, i| named::<Group>(c, &i.group_name);
        DeleteGroup => groups::delete, |c, i| named::<Group>(c, &i.group_name);
        AddUserToGroup => groups::add_user, |c, i| named::<Group>(c, &i.group_name);
        RemoveUserFromGroup => groups::remove_user, |c, i| named::<Group>(c, &i.group_name);
        ListGroupsForUser => groups::list_for_user, |c, i| named::<User>(c, &i.user_name);
    }
}

#[rustfmt::skip] // A line for each operation.
fn with_roles(table: Table, iam: &Arc<Iam>) -> Table {
    operations! { table, iam,
        CreateRole => roles::create, |c, i| new::<Role>(c, i.path.as_deref(), &i.role_name), |_, i| told::made(i.tags.as_deref(), i.permissions_boundary.as_deref()), |c, i| told::tagging("iam:TagRole", new::<Role>(c, i.path.as_deref(), &i.role_name), i.tags.as_deref());
        GetRole => roles::get, |c, i| named::<Role>(c, &i.role_name);
        ListRoles => roles::list, |c, i| under::<Role>(c, i.path_prefix.as_deref());
        UpdateRole => roles::update, |c, i| named::<Role>(c, &i.role_name);
        UpdateRoleDescription => roles::update_description, |c, i| named::<Role>(c, &i.role_name);
        UpdateAssumeRolePolicy => roles::update_trust, |c, i| named::<Role>(c, &i.role_name);
        DeleteRole => roles::delete, |c, i| named::<Role>(c, &i.role_name);
        TagRole => tags::tag_role, |c, i| named::<Role>(c, &i.role_name), |_, i| told::tags(Some(&i.tags));
        UntagRole => tags::untag_role, |c, i| named::<Role>(c, &i.role_name), |_, i| told::tag_keys(&i.tag_keys);
        ListRoleTags => tags::list_role, |c, i| named::<Role>(c, &i.role_name);
        PutRolePermissionsBoundary => boundaries::put_role, |c, i| named::<Role>(c, &i.role_name), |_, i| told::boundary(&i.permissions_boundary);
        DeleteRolePermissionsBoundary => boundaries::delete_role, |c, i| named::<Role>(c, &i.role_name);
        CreateServiceLinkedRole => service_roles::create, |c, i| vec![service_roles::arn(c, i)], |_, i| told::service(&i.aws_service_name);
        DeleteServiceLinkedRole => service_roles::delete, |c, i| named::<Role>(c, &i.role_name);
        GetServiceLinkedRoleDeletionStatus => service_roles::deletion_status, |_, _| Vec::new();
        CreateInstanceProfile => profiles::create, |c, i| new::<InstanceProfile>(c, i.path.as_deref(), &i.instance_profile_name), |_, i| told::tags(i.tags.as_deref()), |c, i| told::tagging("iam:TagInstanceProfile", new::<InstanceProfile>(c, i.path.as_deref(), &i.instance_profile_name), i.tags.as_deref());
        GetInstanceProfile => profiles::get, |c, i| named::<InstanceProfile>(c, &i.instance_profile_name);
        ListInstanceProfiles => profiles::list, |c, i| under::<InstanceProfile>(c, i.path_prefix.as_deref());
        ListInstanceProfilesForRole => profiles::list_for_role, |c, i| named::<Role>(c, &i.role_name);
        AddRoleToInstanceProfile => profiles::add_role, |c, i| named::<InstanceProfile>(c, &i.instance_profile_name), |_, _| Box::default(), |c, i| told::passing(named::<Role>(c, &i.role_name), "ec2.amazonaws.com");
        RemoveRoleFromInstanceProfile => profiles::remove_role, |c, i| named::<InstanceProfile>(c, &i.instance_profile_name);
        DeleteInstanceProfile => profiles::delete, |c, i| named::<InstanceProfile>(c, &i.instance_profile_name);
        TagInstanceProfile => tags::tag_profile, |c, i| named::<InstanceProfile>(c, &i.instance_profile_name), |_, i| told::tags(Some(&i.tags));
        UntagInstanceProfile => tags::untag_profile, |c, i| named::<InstanceProfile>(c, &i.instance_profile_name), |_, i| told::tag_keys(&i.tag_keys);
        ListInstanceProfileTags => tags::list_profile, |c, i| named::<InstanceProfile>(c, &i.instance_profile_name);
    }
}

#[rustfmt::skip] // A line for each operation.
fn with_policies(table: Table, iam: &Arc<Iam>) -> Table {
    operations! { table, iam,
        CreatePolicy => policies::create, |c, i| new::<Policy>(c, i.path.as_deref(), &i.policy_name), |_, i| told::tags(i.tags.as_deref()), |c, i| told::tagging("iam:TagPolicy", new::<Policy>(c, i.path.as_deref(), &i.policy_name), i.tags.as_deref());
        GetPolicy => policies::get, |_, i| given(&i.policy_arn);
        ListPolicies => policies::list, |c, i| under::<Policy>(c, i.path_prefix.as_deref());
        DeletePolicy => policies::delete, |_, i| given(&i.policy_arn);
        ListEntitiesForPolicy => policies::list_entities, |_, i| given(&i.policy_arn);
        CreatePolicyVersion => versions::create, |_, i| given(&i.policy_arn);
        GetPolicyVersion => versions::get, |_, i| given(&i.policy_arn);
        ListPolicyVersions => versions::list, |_, i| given(&i.policy_arn);
        DeletePolicyVersion => versions::delete, |_, i| given(&i.policy_arn);
        SetDefaultPolicyVersion => versions::set_default, |_, i| given(&i.policy_arn);
        TagPolicy => tags::tag_policy, |_, i| given(&i.policy_arn), |_, i| told::tags(Some(&i.tags));
        UntagPolicy => tags::untag_policy, |_, i| given(&i.policy_arn), |_, i| told::tag_keys(&i.tag_keys);
        ListPolicyTags => tags::list_policy, |_, i| given(&i.policy_arn);
        AttachUserPolicy => attachments::attach_user, |c, i| named::<User>(c, &i.user_name), |_, i| told::policy(&i.policy_arn);
        AttachGroupPolicy => attachments::attach_group, |c, i| named::<Group>(c, &i.group_name), |_, i| told::policy(&i.policy_arn);
        AttachRolePolicy => attachments::attach_role, |c, i| named::<Role>(c, &i.role_name), |_, i| told::policy(&i.policy_arn);
        DetachUserPolicy => attachments::detach_user, |c, i| named::<User>(c, &i.user_name), |_, i| told::policy(&i.policy_arn);
        DetachGroupPolicy => attachments::detach_group, |c, i| named::<Group>(c, &i.group_name), |_, i| told::policy(&i.policy_arn);
        DetachRolePolicy => attachments::detach_role, |c, i| named::<Role>(c, &i.role_name), |_, i| told::policy(&i.policy_arn);
        ListAttachedUserPolicies => attachments::list_user, |c, i| named::<User>(c, &i.user_name);
        ListAttachedGroupPolicies => attachments::list_group, |c, i| named::<Group>(c, &i.group_name);
        ListAttachedRolePolicies => attachments::list_role, |c, i| named::<Role>(c, &i.role_name);
        PutUserPolicy => inline::put_user, |c, i| named::<User>(c, &i.user_name);
        PutGroupPolicy => inline::put_group, |c, i| named::<Group>(c, &i.group_name);
        PutRolePolicy => inline::put_role, |c, i| named::<Role>(c, &i.role_name);
        GetUserPolicy => inline::get_user, |c, i| named::<User>(c, &i.user_name);
        GetGroupPolicy => inline::get_group, |c, i| named::<Group>(c, &i.group_name);
        GetRolePolicy => inline::get_role, |c, i| named::<Role>(c, &i.role_name);
        DeleteUserPolicy => inline::delete_user, |c, i| named::<User>(c, &i.user_name);
        DeleteGroupPolicy => inline::delete_group, |c, i| named::<Group>(c, &i.group_name);
        DeleteRolePolicy => inline::delete_role, |c, i| named::<Role>(c, &i.role_name);
        ListUserPolicies => inline::list_user, |c, i| named::<User>(c, &i.user_name);
        ListGroupPolicies => inline::list_group, |c, i| named::<Group>(c, &i.group_name);
        ListRolePolicies => inline::list_role, |c, i| named::<Role>(c, &i.role_name);
    }
}

#[rustfmt::skip] // A line for each operation.
fn with_account(table: Table, iam: &Arc<Iam>) -> Table {
    operations! { table, iam,
        CreateAccountAlias => account::create_alias, |_, _| Vec::new();
        DeleteAccountAlias => account::delete_alias, |_, _| Vec::new();
        ListAccountAliases => account::list_aliases, |_, _| Vec::new();
        GetAccountSummary => account::summary, |_, _| Vec::new();
        GetAccountAuthorizationDetails => details::get, |_, _| Vec::new();
        SimulateCustomPolicy => simulate::custom, |_, _| Vec::new();
        SimulatePrincipalPolicy => simulate::principal, |_, i| given(&i.policy_source_arn);
        GetContextKeysForCustomPolicy => simulate::custom_keys, |_, _| Vec::new();
        GetContextKeysForPrincipalPolicy => simulate::principal_keys, |_, i| given(&i.policy_source_arn);
    }
}

#[rustfmt::skip] // A line for each operation.
fn with_passwords(table: Table, iam: &Arc<Iam>) -> Table {
    operations! { table, iam,
        GetAccountPasswordPolicy => password_policy::get, |_, _| Vec::new();
        UpdateAccountPasswordPolicy => password_policy::update, |_, _| Vec::new();
        DeleteAccountPasswordPolicy => password_policy::delete, |_, _| Vec::new();
        CreateLoginProfile => login_profiles::create, |c, i| own(c, i.user_name.as_deref());
        GetLoginProfile => login_profiles::get, |c, i| own(c, i.user_name.as_deref());
        UpdateLoginProfile => login_profiles::update, |c, i| named::<User>(c, &i.user_name);
        DeleteLoginProfile => login_profiles::delete, |c, i| own(c, i.user_name.as_deref());
        ChangePassword => login_profiles::change_password, |c, _| own(c, None);
        ListSigningCertificates => absent::signing_certificates, |c, i| own(c, i.user_name.as_deref());
        ListSSHPublicKeys => absent::ssh_public_keys, |c, i| own(c, i.user_name.as_deref());
        ListServiceSpecificCredentials => absent::service_credentials, |c, i| own(c, i.user_name.as_deref());
        GenerateCredentialReport => credential_report::generate, |_, _| Vec::new();
        GetCredentialReport => credential_report::get, |_, _| Vec::new();
        GenerateServiceLastAccessedDetails => advisor::generate, |_, i| given(&i.arn);
        GetServiceLastAccessedDetails => advisor::get, |_, _| Vec::new();
        GetServiceLastAccessedDetailsWithEntities => advisor::get_with_entities, |_, _| Vec::new();
        ListPoliciesGrantingServiceAccess => advisor::granting, |_, i| given(&i.arn);
    }
}

#[rustfmt::skip] // A line for each operation.
fn with_providers(table: Table, iam: &Arc<Iam>) -> Table {
    operations! { table, iam,
        CreateOpenIDConnectProvider => oidc_providers::create, |c, i| oidc_provider::arn_of(c.account, &i.url).into_iter().collect(), |_, i| told::tags(i.tags.as_deref()), |c, i| told::tagging("iam:TagOpenIDConnectProvider", oidc_provider::arn_of(c.account, &i.url).into_iter().collect(), i.tags.as_deref());
        GetOpenIDConnectProvider => oidc_providers::get, |_, i| given(&i.open_id_connect_provider_arn);
        ListOpenIDConnectProviders => oidc_providers::list, |_, _| Vec::new();
        DeleteOpenIDConnectProvider => oidc_providers::delete, |_, i| given(&i.open_id_connect_provider_arn);
        UpdateOpenIDConnectProviderThumbprint => oidc_providers::update_thumbprint, |_, i| given(&i.open_id_connect_provider_arn);
        AddClientIDToOpenIDConnectProvider => oidc_providers::add_client, |_, i| given(&i.open_id_connect_provider_arn);
        RemoveClientIDFromOpenIDConnectProvider => oidc_providers::remove_client, |_, i| given(&i.open_id_connect_provider_arn);
        TagOpenIDConnectProvider => oidc_providers::tag, |_, i| given(&i.open_id_connect_provider_arn), |_, i| told::tags(Some(&i.tags));
        UntagOpenIDConnectProvider => oidc_providers::untag, |_, i| given(&i.open_id_connect_provider_arn), |_, i| told::tag_keys(&i.tag_keys);
        ListOpenIDConnectProviderTags => oidc_providers::list_tags, |_, i| given(&i.open_id_connect_provider_arn);
        CreateSAMLProvider => saml_providers::create, |c, i| vec![saml_provider::arn_of(c.account, &i.name)], |_, i| told::tags(i.tags.as_deref()), |c, i| told::tagging("iam:TagSAMLProvider", vec![saml_provider::arn_of(c.account, &i.name)], i.tags.as_deref());
        GetSAMLProvider => saml_providers::get, |_, i| given(&i.saml_provider_arn);
        ListSAMLProviders => saml_providers::list, |_, _| Vec::new();
        UpdateSAMLProvider => saml_providers::update, |_, i| given(&i.saml_provider_arn);
        DeleteSAMLProvider => saml_providers::delete, |_, i| given(&i.saml_provider_arn);
        TagSAMLProvider => saml_providers::tag, |_, i| given(&i.saml_provider_arn), |_, i| told::tags(Some(&i.tags));
        UntagSAMLProvider => saml_providers::untag, |_, i| given(&i.saml_provider_arn), |_, i| told::tag_keys(&i.tag_keys);
        ListSAMLProviderTags => saml_providers::list_tags, |_, i| given(&i.saml_provider_arn);
    }
}

/// A resource that is to be made.
fn new<T: Kind>(caller: &Caller, path: Option<&str>, name: &str) -> Vec<Arn> {
    vec![arn::<T>(caller.account, path, name)]
}

/// A resource by name.
fn named<T: Kind>(caller: &Caller, name: &str) -> Vec<Arn> {
    new::<T>(caller, None, name)
}

/// All resources of a kind under a path.
fn under<T: Kind>(caller: &Caller, path: Option<&str>) -> Vec<Arn> {
    new::<T>(caller, path, "")
}

/// A user by name, else the caller.
fn own(caller: &Caller, name: Option<&str>) -> Vec<Arn> {
    name.map_or_else(|| vec![caller.principal.arn.clone()], |name| named::<User>(caller, name))
}

/// A resource by its ARN.
fn given(arn: &str) -> Vec<Arn> {
    arn.parse().into_iter().collect()
}
