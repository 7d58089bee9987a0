//! Policies as a whole, and the revisions that they share with what they belong to.

use super::*;
use crate::ops::{permissions, resource_policy, versions};

async fn put(
    world: &World,
    policy: &str,
    revision_id: Option<String>,
) -> Result<api::PutResourcePolicyOutput, Error> {
    let (resource_arn, policy) = (ARN.to_owned(), policy.to_owned());
    let input = api::PutResourcePolicyInput { resource_arn, policy, revision_id };
    resource_policy::put(world.lambda.clone(), world.caller.clone(), input).await
}

async fn get(world: &World) -> Result<api::GetResourcePolicyOutput, Error> {
    let input = api::GetResourcePolicyInput { resource_arn: ARN.to_owned() };
    resource_policy::get(world.lambda.clone(), world.caller.clone(), input).await
}

async fn delete(world: &World, revision_id: Option<String>) -> Result<(), Error> {
    let input = api::DeleteResourcePolicyInput { resource_arn: ARN.to_owned(), revision_id };
    resource_policy::delete(world.lambda.clone(), world.caller.clone(), input).await.map(drop)
}

async fn add(world: &World, sid: &str) -> Result<(), Error> {
    let input = api::AddPermissionInput {
        function_name: "f".to_owned(),
        statement_id: sid.to_owned(),
        action: "lambda:InvokeFunction".to_owned(),
        principal: "s3.amazonaws.com".to_owned(),
        ..api::AddPermissionInput::default()
    };
    permissions::add(world.lambda.clone(), world.caller.clone(), input).await.map(drop)
}

fn document(principal: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Sid":"all","Effect":"Allow","Principal":{principal},"Action":"lambda:InvokeFunction","Resource":"{ARN}"}}]}}"#
    )
}

#[tokio::test]
async fn a_whole_policy_replaces_statements_and_takes_more() {
    let world = World::new().await;
    world.create("f").await;
    assert!(matches!(get(&world).await, Err(Error::NoSuchResource)));
    add(&world, "old").await.unwrap();
    let wanted = document(r#"{"AWS":"arn:aws:iam::123456789012:role/r"}"#);
    let written = put(&world, &wanted, None).await.unwrap();
    assert_eq!(written.policy.as_deref(), Some(wanted.as_str()));

    let world = world.restarted().await;
    let got = get(&world).await.unwrap();
    assert_eq!((got.policy, got.revision_id.clone()), (written.policy, written.revision_id));
    assert!(matches!(add(&world, "all").await, Err(Error::StatementExists(_))));
    add(&world, "new").await.unwrap();
    let stale = got.revision_id;
    assert!(matches!(put(&world, &wanted, stale.clone()).await, Err(Error::RevisionDiffers)));
    assert!(matches!(delete(&world, stale).await, Err(Error::RevisionDiffers)));
    delete(&world, get(&world).await.unwrap().revision_id).await.unwrap();
    assert!(matches!(get(&world).await, Err(Error::NoSuchResource)));
    assert!(matches!(delete(&world, None).await, Err(Error::NoSuchResource)));
}

#[tokio::test]
async fn what_is_no_policy_changes_nothing() {
    let world = World::new().await;
    world.create("f").await;
    let refused = put(&world, &document(r#""*""#), None).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "The resource-based policy you tried to add to the Lambda resource would grant public \
         access to it, which isn't allowed."
    );
    assert!(matches!(put(&world, "{}", None).await, Err(Error::MalformedPolicy(_))));
    assert!(matches!(get(&world).await, Err(Error::NoSuchResource)));
    let resource_arn = format!("{ARN}:$LATEST");
    let input = api::PutResourcePolicyInput {
        resource_arn,
        policy: document(r#"{"AWS":"123456789012"}"#),
        revision_id: None,
    };
    let latest = resource_policy::put(world.lambda.clone(), world.caller.clone(), input).await;
    assert!(matches!(latest, Err(Error::PolicyOfLatest)));
}

#[tokio::test]
async fn a_policy_has_the_revision_of_its_function_and_disturbs_no_instance() {
    let world = World::new().await;
    world.create("f").await;
    let revision = async || world.get("f").await.unwrap().configuration.unwrap().revision_id;
    let (before, run) = (revision().await, world.runnable(None).unwrap());
    add(&world, "a").await.unwrap();
    let after = revision().await;
    assert_ne!(before, after);
    assert_eq!(get(&world).await.unwrap().revision_id, after);
    let input = api::PublishVersionInput {
        function_name: "f".to_owned(),
        ..api::PublishVersionInput::default()
    };
    versions::publish(world.lambda.clone(), world.caller.clone(), input).await.unwrap();
    assert_ne!(revision().await, after);
    assert_eq!(get(&world).await.unwrap().revision_id, revision().await);
    assert!(Arc::ptr_eq(&world.runnable(None).unwrap().function, &run.function));
}

#[tokio::test]
async fn absence_is_told_in_awss_words() {
    let world = World::new().await;
    let input = api::GetPolicyInput { function_name: "f".to_owned(), qualifier: None };
    let got = permissions::get(world.lambda.clone(), world.caller.clone(), input).await;
    assert_eq!(got.unwrap_err().to_string(), format!("Function not found: {ARN}"));
    let remove = |qualifier: Option<&str>| {
        let input = api::RemovePermissionInput {
            function_name: "f".to_owned(),
            statement_id: "a".to_owned(),
            qualifier: qualifier.map(str::to_owned),
            ..api::RemovePermissionInput::default()
        };
        permissions::remove(world.lambda.clone(), world.caller.clone(), input)
    };
    let text = remove(None).await.unwrap_err().to_string();
    assert_eq!(text, format!("No policy found for: {ARN}"));
    world.create("f").await;
    let text = remove(Some("none")).await.unwrap_err().to_string();
    assert_eq!(text, format!("Cannot find alias arn: {ARN}:none"));
}
