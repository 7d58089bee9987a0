//! The operations with what each needs permission for. IAM's actions are named as its operations.
//!
//! Requests name identities without their path: the ARNs here are those of the root path, except
//! where the path is part of the request.

use std::sync::Arc;

use kit::{Arn, Caller};
use model::iam as api;
use wire::{Access, Table};

use crate::{
    Iam,
    group::Group,
    instance_profile::InstanceProfile,
    ops::{
        access_keys, account, attachments, boundaries, details, groups, inline, policies, profiles,
        roles, service_roles, simulate, tags, users, versions,
    },
    policy::Policy,
    resource::{Kind, arn},
    role::Role,
    user::User,
};

/// Adds operations to a table: name, function, ARNs.
macro_rules! operations {
    ($table:expr, $iam:expr, $($name:ident => $run:path, $resources:expr;)*) => {
        $table$(.on::<api::$name, _, _, _>(
            $iam,
            $run,
            Access::new(concat!("iam:", stringify!($name)), $resources),
        ))*
    };
}

/// All operations.
pub(crate) fn table(iam: &Arc<Iam>) -> Table {
    let table = Table::new(&model::iam::SERVICE);
    let table = with_users_and_groups(table, iam);
    let table = with_roles(table, iam);
    with_policies(with_account(table, iam), iam)
}

#[rustfmt::skip] // A line for each operation.
fn with_users_and_groups(table: Table, iam: &Arc<Iam>) -> Table {
    operations! { table, iam,
        CreateUser => users::create, |c, i| new::<User>(c, i.path.as_deref(), &i.user_name);
        GetUser => users::get, |c, i| own(c, i.user_name.as_deref());
        ListUsers => users::list, |c, i| under::<User>(c, i.path_prefix.as_deref());
        UpdateUser => users::update, |c, i| named::<User>(c, &i.user_name);
        DeleteUser => users::delete, |c, i| named::<User>(c, &i.user_name);
        TagUser => tags::tag_user, |c, i| named::<User>(c, &i.user_name);
        UntagUser => tags::untag_user, |c, i| named::<User>(c, &i.user_name);
        ListUserTags => tags::list_user, |c, i| named::<User>(c, &i.user_name);
        PutUserPermissionsBoundary => boundaries::put_user, |c, i| named::<User>(c, &i.user_name);
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
        CreateRole => roles::create, |c, i| new::<Role>(c, i.path.as_deref(), &i.role_name);
        GetRole => roles::get, |c, i| named::<Role>(c, &i.role_name);
        ListRoles => roles::list, |c, i| under::<Role>(c, i.path_prefix.as_deref());
        UpdateRole => roles::update, |c, i| named::<Role>(c, &i.role_name);
        UpdateRoleDescription => roles::update_description, |c, i| named::<Role>(c, &i.role_name);
        UpdateAssumeRolePolicy => roles::update_trust, |c, i| named::<Role>(c, &i.role_name);
        DeleteRole => roles::delete, |c, i| named::<Role>(c, &i.role_name);
        TagRole => tags::tag_role, |c, i| named::<Role>(c, &i.role_name);
        UntagRole => tags::untag_role, |c, i| named::<Role>(c, &i.role_name);
        ListRoleTags => tags::list_role, |c, i| named::<Role>(c, &i.role_name);
        PutRolePermissionsBoundary => boundaries::put_role, |c, i| named::<Role>(c, &i.role_name);
        DeleteRolePermissionsBoundary => boundaries::delete_role, |c, i| named::<Role>(c, &i.role_name);
        CreateServiceLinkedRole => service_roles::create, |c, i| vec![service_roles::arn(c, i)];
        DeleteServiceLinkedRole => service_roles::delete, |c, i| named::<Role>(c, &i.role_name);
        GetServiceLinkedRoleDeletionStatus => service_roles::deletion_status, |_, _| Vec::new();
        CreateInstanceProfile => profiles::create, |c, i| new::<InstanceProfile>(c, i.path.as_deref(), &i.instance_profile_name);
        GetInstanceProfile => profiles::get, |c, i| named::<InstanceProfile>(c, &i.instance_profile_name);
        ListInstanceProfiles => profiles::list, |c, i| under::<InstanceProfile>(c, i.path_prefix.as_deref());
        ListInstanceProfilesForRole => profiles::list_for_role, |c, i| named::<Role>(c, &i.role_name);
        AddRoleToInstanceProfile => profiles::add_role, |c, i| named::<InstanceProfile>(c, &i.instance_profile_name);
        RemoveRoleFromInstanceProfile => profiles::remove_role, |c, i| named::<InstanceProfile>(c, &i.instance_profile_name);
        DeleteInstanceProfile => profiles::delete, |c, i| named::<InstanceProfile>(c, &i.instance_profile_name);
        TagInstanceProfile => tags::tag_profile, |c, i| named::<InstanceProfile>(c, &i.instance_profile_name);
        UntagInstanceProfile => tags::untag_profile, |c, i| named::<InstanceProfile>(c, &i.instance_profile_name);
        ListInstanceProfileTags => tags::list_profile, |c, i| named::<InstanceProfile>(c, &i.instance_profile_name);
    }
}

#[rustfmt::skip] // A line for each operation.
fn with_policies(table: Table, iam: &Arc<Iam>) -> Table {
    operations! { table, iam,
        CreatePolicy => policies::create, |c, i| new::<Policy>(c, i.path.as_deref(), &i.policy_name);
        GetPolicy => policies::get, |_, i| given(&i.policy_arn);
        ListPolicies => policies::list, |c, i| under::<Policy>(c, i.path_prefix.as_deref());
        DeletePolicy => policies::delete, |_, i| given(&i.policy_arn);
        ListEntitiesForPolicy => policies::list_entities, |_, i| given(&i.policy_arn);
        CreatePolicyVersion => versions::create, |_, i| given(&i.policy_arn);
        GetPolicyVersion => versions::get, |_, i| given(&i.policy_arn);
        ListPolicyVersions => versions::list, |_, i| given(&i.policy_arn);
        DeletePolicyVersion => versions::delete, |_, i| given(&i.policy_arn);
        SetDefaultPolicyVersion => versions::set_default, |_, i| given(&i.policy_arn);
        TagPolicy => tags::tag_policy, |_, i| given(&i.policy_arn);
        UntagPolicy => tags::untag_policy, |_, i| given(&i.policy_arn);
        ListPolicyTags => tags::list_policy, |_, i| given(&i.policy_arn);
        AttachUserPolicy => attachments::attach_user, |c, i| named::<User>(c, &i.user_name);
        AttachGroupPolicy => attachments::attach_group, |c, i| named::<Group>(c, &i.group_name);
        AttachRolePolicy => attachments::attach_role, |c, i| named::<Role>(c, &i.role_name);
        DetachUserPolicy => attachments::detach_user, |c, i| named::<User>(c, &i.user_name);
        DetachGroupPolicy => attachments::detach_group, |c, i| named::<Group>(c, &i.group_name);
        DetachRolePolicy => attachments::detach_role, |c, i| named::<Role>(c, &i.role_name);
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
