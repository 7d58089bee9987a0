//! Managed policies, versions and attachments.

use super::*;

async fn list(fixture: &Fixture, input: api::ListPoliciesInput) -> api::ListPoliciesOutput {
    let (iam, caller) = fixture.parts();
    policies::list(iam, caller, input).await.unwrap()
}

async fn create_version(fixture: &Fixture, arn: &str, default: bool) -> Result<String, Error> {
    let (iam, caller) = fixture.parts();
    let input = api::CreatePolicyVersionInput {
        policy_arn: arn.to_owned(),
        policy_document: POLICY.to_owned(),
        set_as_default: Some(default),
    };
    let output = versions::create(iam, caller, input).await?;
    Ok(output.policy_version.unwrap().version_id.unwrap())
}

async fn delete_version(fixture: &Fixture, arn: &str, id: &str) -> Result<wire::Unit, Error> {
    let (iam, caller) = fixture.parts();
    let (policy_arn, version_id) = (arn.to_owned(), id.to_owned());
    let input = api::DeletePolicyVersionInput { policy_arn, version_id };
    versions::delete(iam, caller, input).await
}

async fn delete(fixture: &Fixture, arn: &str) -> Result<wire::Unit, Error> {
    let (iam, caller) = fixture.parts();
    policies::delete(iam, caller, api::DeletePolicyInput { policy_arn: arn.to_owned() }).await
}

#[tokio::test]
async fn a_policy_lives_from_create_to_delete() {
    let fixture = Fixture::new().await;
    let (iam, caller) = fixture.parts();
    let input = api::CreatePolicyInput {
        policy_name: "mine".to_owned(),
        path: Some("/test/path/".to_owned()),
        policy_document: POLICY.to_owned(),
        description: Some("testing".to_owned()),
        ..Default::default()
    };
    let made = policies::create(iam.clone(), caller.clone(), input.clone()).await.unwrap();
    let made = made.policy.unwrap();
    let arn = "arn:aws:iam::123456789012:policy/test/path/mine";
    assert_eq!((made.arn.as_deref(), made.description, made.tags), (Some(arn), None, None));
    assert_eq!(made.default_version_id.as_deref(), Some("v1"));
    assert_eq!(&made.policy_id.unwrap()[..4], "ANPA");
    let text = "A policy called mine already exists. Duplicate names are not allowed.";
    let again = policies::create(iam.clone(), caller.clone(), input.clone()).await;
    assert_said(again, "EntityAlreadyExistsException", text);
    let large = POLICY.replace("s3:*", &format!("s3:{}", "x".repeat(6144)));
    let large = api::CreatePolicyInput { policy_document: large, ..input };
    let refused = policies::create(iam.clone(), caller.clone(), large).await;
    assert_said(refused, "LimitExceededException", "Cannot exceed quota for PolicySize: 6144");

    let get = api::GetPolicyInput { policy_arn: arn.to_owned() };
    let got = policies::get(iam.clone(), caller.clone(), get.clone()).await.unwrap();
    let got = got.policy.unwrap();
    assert_eq!((got.description.as_deref(), got.tags), (Some("testing"), Some(Vec::new())));
    delete(&fixture, arn).await.unwrap();
    let text = format!("Policy {arn} was not found.");
    assert_said(policies::get(iam, caller, get).await, "NoSuchEntityException", &text);
}

#[tokio::test]
async fn versions_come_newest_first_and_one_is_the_default() {
    let fixture = Fixture::new().await;
    let arn = fixture.policy("mine").await;
    assert_eq!(create_version(&fixture, &arn, true).await.unwrap(), "v2");
    for number in 3..=5 {
        assert_eq!(create_version(&fixture, &arn, false).await.unwrap(), format!("v{number}"));
    }
    let text = "A managed policy can have up to 5 versions. Before you create a new version, you \
                must delete an existing version.";
    assert_said(create_version(&fixture, &arn, false).await, "LimitExceededException", text);
    let text = "Cannot delete the default version of a policy.";
    assert_said(delete_version(&fixture, &arn, "v2").await, "DeleteConflictException", text);
    delete_version(&fixture, &arn, "v1").await.unwrap();
    let text = format!("Policy {arn} version v9 does not exist or is not attachable.");
    assert_said(delete_version(&fixture, &arn, "v9").await, "NoSuchEntityException", &text);

    let fixture = fixture.restarted().await;
    let (iam, caller) = fixture.parts();
    let set =
        api::SetDefaultPolicyVersionInput { policy_arn: arn.clone(), version_id: "v4".to_owned() };
    versions::set_default(iam.clone(), caller.clone(), set).await.unwrap();
    let input = api::ListPolicyVersionsInput { policy_arn: arn.clone(), ..Default::default() };
    let listed = versions::list(iam.clone(), caller.clone(), input).await.unwrap();
    let listed: Vec<_> = listed
        .versions
        .unwrap()
        .into_iter()
        .map(|it| (it.version_id.unwrap(), it.is_default_version.unwrap(), it.document))
        .collect();
    let expected = [("v5", false), ("v4", true), ("v3", false), ("v2", false)];
    assert_eq!(listed, expected.map(|(id, default)| (id.to_owned(), default, None)));
    let text = "This policy has more than one version. Before you delete a policy, you must \
                delete the policy's versions. The default version is deleted with the policy.";
    assert_said(delete(&fixture, &arn).await, "DeleteConflictException", text);
}

#[tokio::test]
async fn policies_of_aws_can_be_attached_and_not_changed() {
    let fixture = Fixture::new().await;
    let (iam, caller) = fixture.parts();
    fixture.role("worker").await;
    fixture.attach_to_role("worker", LAMBDA_BASIC).await.unwrap();
    let get = api::GetPolicyInput { policy_arn: LAMBDA_BASIC.to_owned() };
    let policy = policies::get(iam.clone(), caller.clone(), get).await.unwrap().policy.unwrap();
    assert_eq!(
        (policy.attachment_count, policy.path.as_deref()),
        (Some(1), Some("/service-role/"))
    );
    let get = api::GetPolicyVersionInput {
        policy_arn: LAMBDA_BASIC.to_owned(),
        version_id: "v1".to_owned(),
    };
    let version = versions::get(iam.clone(), caller.clone(), get).await.unwrap();
    assert!(version.policy_version.unwrap().document.unwrap().contains("logs%3APutLogEvents"));
    let text = format!(
        "User: arn:aws:iam::123456789012:root is not authorized to perform: iam:DeletePolicy on \
         resource: policy {LAMBDA_BASIC}"
    );
    assert_said(delete(&fixture, LAMBDA_BASIC).await, "AccessDenied", &text);

    let attached = api::ListAttachedRolePoliciesInput {
        role_name: "worker".to_owned(),
        path_prefix: Some("/service-role/".to_owned()),
        ..Default::default()
    };
    let attached = attachments::list_role(iam, caller, attached).await.unwrap();
    let attached = attached.attached_policies.unwrap();
    assert_eq!(attached[0].policy_name.as_deref(), Some("AWSLambdaBasicExecutionRole"));
}

#[tokio::test]
async fn what_is_attached_must_exist() {
    let fixture = Fixture::new().await;
    fixture.role("worker").await;
    let refused = fixture.attach_to_role("worker", "longpolicynamebutnoarn").await;
    assert_said(refused, "ValidationError", "ARN longpolicynamebutnoarn is not valid.");
    let arn = "arn:aws:iam::123456789012:policy/none";
    let text = format!("Policy {arn} does not exist or is not attachable.");
    assert_said(fixture.attach_to_role("worker", arn).await, "NoSuchEntityException", &text);
    let text = "The role with name none cannot be found.";
    let refused = fixture.attach_to_role("none", LAMBDA_BASIC).await;
    assert_said(refused, "NoSuchEntityException", text);
}

#[tokio::test]
async fn a_role_carries_ten_managed_policies_at_most() {
    let fixture = Fixture::new().await;
    fixture.role("worker").await;
    let mut arns = Vec::new();
    for number in 0..11 {
        arns.push(fixture.policy(&format!("p{number}")).await);
    }
    for arn in &arns[..10] {
        fixture.attach_to_role("worker", arn).await.unwrap();
    }
    // Once more is no more.
    fixture.attach_to_role("worker", &arns[0]).await.unwrap();
    let text = "Cannot exceed quota for PoliciesPerRole: 10";
    let refused = fixture.attach_to_role("worker", &arns[10]).await;
    assert_said(refused, "LimitExceededException", text);
    let text = "Cannot delete a policy attached to entities.";
    assert_said(delete(&fixture, &arns[0]).await, "DeleteConflictException", text);
}

#[tokio::test]
async fn lists_of_policies_are_filtered_and_paged() {
    let fixture = Fixture::new().await;
    fixture.role("worker").await;
    let mine = fixture.policy("mine").await;
    let other = fixture.policy("Other").await;
    fixture.attach_to_role("worker", &mine).await.unwrap();
    let local = api::ListPoliciesInput {
        scope: Some(api::PolicyScopeType::Local),
        max_items: Some(1),
        ..Default::default()
    };
    let first = list(&fixture, local.clone()).await;
    assert_eq!(first.policies.unwrap()[0].arn.as_ref(), Some(&mine));
    let last = list(&fixture, api::ListPoliciesInput { marker: first.marker, ..local }).await;
    assert_eq!((last.policies.unwrap()[0].arn.as_ref(), last.marker), (Some(&other), None));

    let used = api::ListPoliciesInput { only_attached: Some(true), ..Default::default() };
    assert_eq!(list(&fixture, used).await.policies.unwrap().len(), 1);
    let job = api::ListPoliciesInput {
        scope: Some(api::PolicyScopeType::Aws),
        path_prefix: Some("/job-function/".to_owned()),
        ..Default::default()
    };
    let job = list(&fixture, job).await.policies.unwrap();
    assert_eq!(job[0].policy_name.as_deref(), Some("ViewOnlyAccess"));
    let all = api::ListPoliciesInput { max_items: Some(1000), ..Default::default() };
    let all = list(&fixture, all).await;
    assert!(all.policies.unwrap().len() > 80 && all.marker.is_none());
}

#[tokio::test]
async fn the_users_of_a_policy_are_known() {
    let fixture = Fixture::new().await;
    fixture.role("worker").await;
    fixture.user("bob").await;
    let arn = fixture.policy("mine").await;
    fixture.attach_to_role("worker", &arn).await.unwrap();
    let (iam, caller) = fixture.parts();
    let input = api::PutUserPermissionsBoundaryInput {
        user_name: "bob".to_owned(),
        permissions_boundary: arn.clone(),
    };
    boundaries::put_user(iam.clone(), caller.clone(), input).await.unwrap();
    let entities = |usage| {
        let input = api::ListEntitiesForPolicyInput {
            policy_arn: arn.clone(),
            policy_usage_filter: usage,
            ..Default::default()
        };
        policies::list_entities(iam.clone(), caller.clone(), input)
    };
    let all = entities(None).await.unwrap();
    assert_eq!(all.policy_roles.unwrap()[0].role_name.as_deref(), Some("worker"));
    assert_eq!(all.policy_users.unwrap()[0].user_name.as_deref(), Some("bob"));
    assert_eq!(all.policy_groups, Some(Vec::new()));
    let bounded = entities(Some(api::PolicyUsageType::PermissionsBoundary)).await.unwrap();
    assert_eq!(bounded.policy_roles, Some(Vec::new()));
}

#[tokio::test]
async fn tags_of_policies_are_told_apart_by_case() {
    let fixture = Fixture::new().await;
    let arn = fixture.policy("mine").await;
    let (iam, caller) = fixture.parts();
    let set = |arn: &str, tags| {
        let input = api::TagPolicyInput { policy_arn: arn.to_owned(), tags };
        tags::tag_policy(iam.clone(), caller.clone(), input)
    };
    set(&arn, vec![tag("a", "lower"), tag("A", "upper")]).await.unwrap();
    let twice = set(&arn, vec![tag("a", "1"), tag("a", "2")]).await;
    assert_said(twice, "InvalidInputException", "Duplicate tag keys found.");
    let missing = set("arn:aws:iam::123456789012:policy/none", vec![tag("a", "1")]).await;
    let text = "Policy arn:aws:iam::123456789012:policy/none was not found.";
    assert_said(missing, "NoSuchEntityException", text);
    let input = api::ListPolicyTagsInput { policy_arn: arn, max_items: Some(1), marker: None };
    let page = tags::list_policy(iam.clone(), caller.clone(), input).await.unwrap();
    assert_eq!((page.tags, page.is_truncated), (vec![tag("A", "upper")], Some(true)));
}
