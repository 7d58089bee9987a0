//! `CreateServiceLinkedRole`, `DeleteServiceLinkedRole`, `GetServiceLinkedRoleDeletionStatus`.
//! Deletion is done when the call returns; its task is remembered by its name alone.

use std::sync::Arc;

use kit::{Arn, Caller, Tags};
use model::iam as api;

use crate::{
    Error, Iam,
    grants::Grants,
    limits::DEFAULT_SESSION_SECONDS,
    resource::{self, Kind, Resource},
    role::{self, Role},
    view,
};

pub(crate) async fn create(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::CreateServiceLinkedRoleInput,
) -> Result<api::CreateServiceLinkedRoleOutput, Error> {
    let account = caller.account;
    let service = input.aws_service_name;
    let name = role::service_role_name(&service, input.custom_suffix.as_deref());
    let path = Some(role::service_path(&service));
    let role = Role {
        resource: Resource::new::<Role>(account, name, path, Tags::new(), caller.now),
        grants: Grants::default(),
        boundary: None,
        trust: role::service_trust(&service),
        description: input.description,
        max_session_seconds: DEFAULT_SESSION_SECONDS,
    };
    let made = iam.change(account, |draft| {
        draft.add(role.clone()).map_err(|error| match error {
            Error::NamedExists { name, .. } => Error::ServiceRoleTaken(name),
            other => other,
        })
    });
    made.await?;
    Ok(api::CreateServiceLinkedRoleOutput { role: Some(view::created_role(account, &role)) })
}

pub(crate) async fn delete(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::DeleteServiceLinkedRoleInput,
) -> Result<api::DeleteServiceLinkedRoleOutput, Error> {
    let deleted = iam.change(caller.account, |draft| {
        let role = draft.account().find::<Role>(&input.role_name)?.clone();
        if !role.is_service_linked() {
            return Err(Role::missing(&input.role_name));
        }
        draft.remove(&*role);
        Ok(role)
    });
    let role = deleted.await?;
    let deletion_task_id = format!("task{}{}/{}", role.path(), role.name(), kit::ids::uuid());
    Ok(api::DeleteServiceLinkedRoleOutput { deletion_task_id })
}

pub(crate) async fn deletion_status(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::GetServiceLinkedRoleDeletionStatusInput,
) -> Result<api::GetServiceLinkedRoleDeletionStatusOutput, Error> {
    let account = iam.account(caller.account);
    if deleted_role(&input.deletion_task_id).is_none_or(|name| account.find::<Role>(name).is_ok()) {
        return Err(Error::NoSuchDeletion(input.deletion_task_id));
    }
    Ok(api::GetServiceLinkedRoleDeletionStatusOutput {
        status: api::DeletionTaskStatusType::Succeeded,
        reason: None,
    })
}

/// The ARN of the role that a request is to make.
pub(crate) fn arn(caller: &Caller, input: &api::CreateServiceLinkedRoleInput) -> Arn {
    let service = &input.aws_service_name;
    let name = role::service_role_name(service, input.custom_suffix.as_deref());
    resource::arn::<Role>(caller.account, Some(&role::service_path(service)), &name)
}

/// The role's name in the id of a deletion task: `task/aws-service-role/<service>/<role>/<uuid>`.
fn deleted_role(task: &str) -> Option<&str> {
    task.strip_prefix("task/aws-service-role/")?.split('/').nth(1)
}
