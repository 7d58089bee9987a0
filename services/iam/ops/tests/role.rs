//! Roles, their boundaries, instance profiles and services' roles.

use super::*;
use crate::resource::second;

async fn get(fixture: &Fixture, name: &str) -> Result<api::Role, Error> {
    let (iam, caller) = fixture.parts();
    let input = api::GetRoleInput { role_name: name.to_owned() };
    roles::get(iam, caller, input).await.map(|output| output.role)
}

async fn delete(fixture: &Fixture, name: &str) -> Result<wire::Unit, Error> {
    let (iam, caller) = fixture.parts();
    roles::delete(iam, caller, api::DeleteRoleInput { role_name: name.to_owned() }).await
}

#[tokio::test]
async fn operations_show_as_much_of_a_role_as_those_of_aws() {
    let fixture = Fixture::new().await;
    let (iam, caller) = fixture.parts();
    let input = api::CreateRoleInput {
        description: Some("does it".to_owned()),
        max_session_duration: Some(7200),
        tags: Some(vec![tag("k", "v")]),
        path: Some("/p/".to_owned()),
        ..create_role("worker")
    };
    let made = roles::create(iam.clone(), caller.clone(), input.clone()).await.unwrap().role;
    assert_eq!(made.arn, "arn:aws:iam::123456789012:role/p/worker");
    assert_eq!((&made.role_id[..4], made.role_id.len()), ("AROA", 21));
    assert_eq!((&made.description, made.max_session_duration), (&None, None));
    assert_eq!((made.tags.as_ref().map(Vec::len), &made.role_last_used), (Some(1), &None));
    let trust = made.assume_role_policy_document.as_deref().unwrap();
    assert!(trust.starts_with("%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B"));

    let got = get(&fixture, "worker").await.unwrap();
    assert_eq!(
        (got.description.as_deref(), got.max_session_duration),
        (Some("does it"), Some(7200))
    );
    assert_eq!(got.role_last_used, Some(api::RoleLastUsed::default()));
    let list = api::ListRolesInput { path_prefix: Some("/p".to_owned()), ..Default::default() };
    let listed = roles::list(iam.clone(), caller.clone(), list).await.unwrap().roles;
    assert_eq!((listed[0].max_session_duration, &listed[0].tags), (Some(7200), &None));
    let again = roles::create(iam, caller, input).await;
    assert_said(again, "EntityAlreadyExistsException", "Role with name worker already exists.");
}

#[tokio::test]
async fn what_is_left_out_of_an_update_stays() {
    let fixture = Fixture::new().await;
    fixture.role("worker").await;
    let (iam, caller) = fixture.parts();
    let input = api::UpdateRoleInput {
        role_name: "worker".to_owned(),
        description: Some("new".to_owned()),
        max_session_duration: Some(7200),
    };
    roles::update(iam.clone(), caller.clone(), input).await.unwrap();
    let input = api::UpdateRoleInput { role_name: "worker".to_owned(), ..Default::default() };
    roles::update(iam, caller, input).await.unwrap();
    let fixture = fixture.restarted().await;
    let role = get(&fixture, "worker").await.unwrap();
    assert_eq!((role.description.as_deref(), role.max_session_duration), (Some("new"), Some(7200)));
}

#[tokio::test]
async fn trust_policies_are_checked() {
    let fixture = Fixture::new().await;
    fixture.role("worker").await;
    let (iam, caller) = fixture.parts();
    let update = |document: &str| {
        let input = api::UpdateAssumeRolePolicyInput {
            role_name: "worker".to_owned(),
            policy_document: document.to_owned(),
        };
        roles::update_trust(iam.clone(), caller.clone(), input)
    };
    let malformed = "MalformedPolicyDocumentException";
    assert_said(update("{").await, malformed, "This policy contains invalid Json");
    let text = "AssumeRole policy may only specify STS AssumeRole actions.";
    assert_said(update(&TRUST.replace("sts:AssumeRole", "s3:Get")).await, malformed, text);
    let long = TRUST.replace("lambda", &"x".repeat(2048));
    let text = "Cannot exceed quota for ACLSizePerRole: 2048";
    assert_said(update(&long).await, "LimitExceededException", text);
    update(&TRUST.replace("lambda", "states")).await.unwrap();
}

#[tokio::test]
async fn a_role_in_use_stays() {
    let fixture = Fixture::new().await;
    fixture.role("worker").await;
    fixture.attach_to_role("worker", LAMBDA_BASIC).await.unwrap();
    let text = "Cannot delete entity, must detach all policies first.";
    assert_said(delete(&fixture, "worker").await, "DeleteConflictException", text);
    let (iam, caller) = fixture.parts();
    let detach = || {
        let (role_name, policy_arn) = ("worker".to_owned(), LAMBDA_BASIC.to_owned());
        let input = api::DetachRolePolicyInput { role_name, policy_arn };
        attachments::detach_role(iam.clone(), caller.clone(), input)
    };
    detach().await.unwrap();
    let text = format!("Policy {LAMBDA_BASIC} was not found.");
    assert_said(detach().await, "NoSuchEntityException", &text);
    delete(&fixture, "worker").await.unwrap();
    let text = "The role with name worker cannot be found.";
    assert_said(delete(&fixture, "worker").await, "NoSuchEntityException", text);
}

#[tokio::test]
async fn inline_policies_of_a_role_are_10240_characters_together() {
    let fixture = Fixture::new().await;
    fixture.role("worker").await;
    let (iam, caller) = fixture.parts();
    let put = |name: &str, document: String| {
        let input = api::PutRolePolicyInput {
            role_name: "worker".to_owned(),
            policy_name: name.to_owned(),
            policy_document: document,
        };
        inline::put_role(iam.clone(), caller.clone(), input)
    };
    let large = POLICY.replace("s3:*", &format!("s3:{}", "x".repeat(5000)));
    put("one", large.clone()).await.unwrap();
    put("two", large.clone()).await.unwrap();
    let text = "Maximum policy size of 10240 bytes exceeded for role worker";
    assert_said(put("three", large).await, "LimitExceededException", text);
    put("two", POLICY.replace("\":", "\" : ")).await.unwrap();
    let malformed = put("bad", "{}".to_owned()).await;
    assert_said(malformed, "MalformedPolicyDocumentException", "Syntax errors in policy.");
    drop(iam);

    let fixture = fixture.restarted().await;
    let (iam, caller) = fixture.parts();
    let list = api::ListRolePoliciesInput { role_name: "worker".to_owned(), ..Default::default() };
    let names = inline::list_role(iam.clone(), caller.clone(), list).await.unwrap().policy_names;
    assert_eq!(names, ["one", "two"]);
    let get = |name: &str| {
        let (role_name, policy_name) = ("WORKER".to_owned(), name.to_owned());
        let input = api::GetRolePolicyInput { role_name, policy_name };
        inline::get_role(iam.clone(), caller.clone(), input)
    };
    let got = get("two").await.unwrap();
    assert_eq!(got.role_name, "worker");
    // The document comes back as it was sent, white space included.
    assert!(got.policy_document.starts_with("%7B%22Version%22%20%3A%20%222012-10-17%22"));
    let text = "The role policy with name none cannot be found.";
    assert_said(get("none").await, "NoSuchEntityException", text);
}

#[tokio::test]
async fn a_boundary_is_a_managed_policy() {
    let fixture = Fixture::new().await;
    fixture.role("worker").await;
    let policy = fixture.policy("limits").await;
    let (iam, caller) = fixture.parts();
    let put = |role: &str, arn: &str| {
        let input = api::PutRolePermissionsBoundaryInput {
            role_name: role.to_owned(),
            permissions_boundary: arn.to_owned(),
        };
        boundaries::put_role(iam.clone(), caller.clone(), input)
    };
    let other = "arn:aws:iam::123456789012:not_a_policy/invalid";
    let text = format!("ARN {other} is not valid.");
    assert_said(put("worker", other).await, "InvalidInputException", &text);
    let missing = "arn:aws:iam::123456789012:policy/none";
    let text = format!("Scope ARN: {missing} does not exist or is not attachable.");
    assert_said(put("worker", missing).await, "NoSuchEntityException", &text);
    put("worker", &policy).await.unwrap();
    let boundary = get(&fixture, "worker").await.unwrap().permissions_boundary.unwrap();
    assert_eq!(boundary.permissions_boundary_arn.as_ref(), Some(&policy));

    let delete = api::DeletePolicyInput { policy_arn: policy };
    let refused = policies::delete(iam.clone(), caller.clone(), delete).await;
    let text = "Cannot delete a policy attached to entities.";
    assert_said(refused, "DeleteConflictException", text);
    let input = api::DeleteRolePermissionsBoundaryInput { role_name: "worker".to_owned() };
    boundaries::delete_role(iam.clone(), caller.clone(), input).await.unwrap();
    assert_eq!(get(&fixture, "worker").await.unwrap().permissions_boundary, None);
}

#[tokio::test]
async fn an_instance_profile_holds_one_role() {
    let fixture = Fixture::new().await;
    fixture.role("worker").await;
    fixture.role("other").await;
    let (iam, caller) = fixture.parts();
    let input = api::CreateInstanceProfileInput {
        instance_profile_name: "box".to_owned(),
        ..Default::default()
    };
    let made = profiles::create(iam.clone(), caller.clone(), input).await.unwrap();
    assert_eq!(&made.instance_profile.instance_profile_id[..4], "AIPA");
    let add = |role: &str| {
        let (instance_profile_name, role_name) = ("box".to_owned(), role.to_owned());
        let input = api::AddRoleToInstanceProfileInput { instance_profile_name, role_name };
        profiles::add_role(iam.clone(), caller.clone(), input)
    };
    let remove = |role: &str| {
        let (instance_profile_name, role_name) = ("box".to_owned(), role.to_owned());
        let input = api::RemoveRoleFromInstanceProfileInput { instance_profile_name, role_name };
        profiles::remove_role(iam.clone(), caller.clone(), input)
    };
    add("worker").await.unwrap();
    let text = "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1";
    assert_said(add("other").await, "LimitExceededException", text);
    let text = "Cannot delete entity, must remove roles from instance profile first.";
    assert_said(delete(&fixture, "worker").await, "DeleteConflictException", text);
    let text = "Role other in Instance Profile box cannot be found.";
    assert_said(remove("other").await, "NoSuchEntityException", text);

    let get = api::GetInstanceProfileInput { instance_profile_name: "box".to_owned() };
    let got = profiles::get(iam.clone(), caller.clone(), get.clone()).await.unwrap();
    assert_eq!(got.instance_profile.roles[0].role_name, "worker");
    assert_eq!(got.instance_profile.tags, Some(Vec::new()));
    remove("worker").await.unwrap();
    let input = api::DeleteInstanceProfileInput { instance_profile_name: "box".to_owned() };
    profiles::delete(iam.clone(), caller.clone(), input).await.unwrap();
    let text = "Instance Profile box cannot be found.";
    assert_said(
        profiles::get(iam.clone(), caller.clone(), get).await,
        "NoSuchEntityException",
        text,
    );
}

#[tokio::test]
async fn a_services_role_is_the_services() {
    let fixture = Fixture::new().await;
    let (iam, caller) = fixture.parts();
    let create = || {
        let input = api::CreateServiceLinkedRoleInput {
            aws_service_name: "spot.amazonaws.com".to_owned(),
            ..Default::default()
        };
        service_roles::create(iam.clone(), caller.clone(), input)
    };
    let role = create().await.unwrap().role.unwrap();
    let name = "AWSServiceRoleForEC2Spot";
    let path = "role/aws-service-role/spot.amazonaws.com";
    assert_eq!(role.arn, format!("arn:aws:iam::123456789012:{path}/{name}"));
    let text = format!(
        "Service role name {name} has been taken in this account, please try a different suffix."
    );
    assert_said(create().await, "InvalidInputException", &text);
    let text = format!(
        "Cannot perform the operation on the protected role '{name}' - this role is only \
         modifiable by AWS"
    );
    assert_said(delete(&fixture, name).await, "UnmodifiableEntityException", &text);
    let attached = fixture.attach_to_role(name, LAMBDA_BASIC).await;
    assert_said(attached, "UnmodifiableEntityException", &text);

    let input = api::DeleteServiceLinkedRoleInput { role_name: name.to_owned() };
    let deleted = service_roles::delete(iam.clone(), caller.clone(), input).await.unwrap();
    let status = |task: &str| {
        let deletion_task_id = task.to_owned();
        let input = api::GetServiceLinkedRoleDeletionStatusInput { deletion_task_id };
        service_roles::deletion_status(iam.clone(), caller.clone(), input)
    };
    let done = status(&deleted.deletion_task_id).await.unwrap().status;
    assert_eq!(done, api::DeletionTaskStatusType::Succeeded);
    assert!(status("task/other").await.is_err());
}

#[tokio::test]
async fn others_learn_of_roles_by_arn() {
    use bus::Identities;
    let fixture = Fixture::new().await;
    let (iam, caller) = fixture.parts();
    let input = api::CreateRoleInput { path: Some("/p/q/".to_owned()), ..create_role("worker") };
    let made = roles::create(iam.clone(), caller.clone(), input).await.unwrap().role;
    let arn = made.arn.parse().unwrap();
    let role = Identities::role(&*iam, &arn).unwrap();
    assert_eq!(
        (role.id, role.name, role.max_session_seconds),
        (made.role_id, "worker".into(), 3600)
    );
    for other in ["role/worker", "role/p/worker", "user/p/q/worker"] {
        let other = format!("arn:aws:iam::123456789012:{other}").parse().unwrap();
        assert_eq!(Identities::role(&*iam, &other), None);
    }
    iam.role_used(&arn, &caller.region, caller.now);
    let used = get(&fixture, "worker").await.unwrap().role_last_used.unwrap();
    assert_eq!(
        (used.last_used_date, used.region.as_deref()),
        (Some(second(caller.now)), Some("us-east-1"))
    );
}
