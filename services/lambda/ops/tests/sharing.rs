//! Policies, tags, reservations, and what an account has.

use super::*;
use crate::ops::{account_settings, concurrency, permissions, recursion, tags};

fn permission(sid: &str) -> api::AddPermissionInput {
    api::AddPermissionInput {
        function_name: "f".to_owned(),
        statement_id: sid.to_owned(),
        action: "lambda:InvokeFunction".to_owned(),
        principal: "s3.amazonaws.com".to_owned(),
        ..api::AddPermissionInput::default()
    }
}

async fn add(world: &World, input: api::AddPermissionInput) -> Result<String, Error> {
    let added = permissions::add(world.lambda.clone(), world.caller.clone(), input).await;
    added.map(|added| added.statement.unwrap())
}

async fn policy(world: &World, qualifier: Option<&str>) -> Result<api::GetPolicyOutput, Error> {
    let qualifier = qualifier.map(str::to_owned);
    let input = api::GetPolicyInput { function_name: "f".to_owned(), qualifier };
    permissions::get(world.lambda.clone(), world.caller.clone(), input).await
}

async fn remove(world: &World, sid: &str) -> Result<(), Error> {
    let input = api::RemovePermissionInput {
        function_name: "f".to_owned(),
        statement_id: sid.to_owned(),
        ..api::RemovePermissionInput::default()
    };
    permissions::remove(world.lambda.clone(), world.caller.clone(), input).await.map(drop)
}

#[tokio::test]
async fn a_policy_grows_and_goes() {
    let world = World::new().await;
    world.create("f").await;
    let run = world.runnable(None).unwrap();
    assert!(matches!(policy(&world, None).await, Err(Error::NoSuchResource)));
    assert!(matches!(remove(&world, "a").await, Err(Error::NoPolicy)));
    let statement = add(&world, permission("a")).await.unwrap();
    assert!(statement.contains(&format!(r#""Resource":"{ARN}""#)), "{statement}");
    let exists = add(&world, permission("a")).await.unwrap_err();
    assert!(exists.to_string().starts_with("The statement id (a) provided already exists."));
    let got = policy(&world, None).await.unwrap();
    let document =
        format!(r#"{{"Version":"2012-10-17","Id":"default","Statement":[{statement}]}}"#);
    assert_eq!(got.policy.unwrap(), document);
    let stale = api::AddPermissionInput { revision_id: Some("x".to_owned()), ..permission("b") };
    assert!(matches!(add(&world, stale).await, Err(Error::RevisionDiffers)));
    let fresh = api::AddPermissionInput { revision_id: got.revision_id, ..permission("b") };
    add(&world, fresh).await.unwrap();

    let world = world.restarted().await;
    assert_eq!(
        remove(&world, "c").await.unwrap_err().to_string(),
        "Statement c is not found in resource policy."
    );
    remove(&world, "a").await.unwrap();
    remove(&world, "b").await.unwrap();
    assert!(matches!(policy(&world, None).await, Err(Error::NoSuchResource)));
    // Instances are not concerned.
    assert_eq!(world.runnable(None).unwrap().function.key, run.function.key);
}

#[tokio::test]
async fn a_policy_belongs_to_what_was_named() {
    let world = World::new().await;
    world
        .try_create(api::CreateFunctionInput { publish: Some(true), ..function("f") })
        .await
        .unwrap();
    let of = |qualifier: &str| api::AddPermissionInput {
        qualifier: Some(qualifier.to_owned()),
        ..permission("a")
    };
    assert!(matches!(add(&world, of("$LATEST")).await, Err(Error::PolicyOfLatest)));
    assert!(matches!(add(&world, of("7")).await, Err(Error::NoSuchFunction(_))));
    assert!(matches!(add(&world, of("none")).await, Err(Error::NoSuchAlias(_))));
    let statement = add(&world, of("1")).await.unwrap();
    assert!(statement.contains(&format!(r#""Resource":"{ARN}:1""#)), "{statement}");
    assert!(policy(&world, Some("1")).await.is_ok());
    assert!(policy(&world, None).await.is_err());
}

#[tokio::test]
async fn tags_are_of_functions() {
    let world = World::new().await;
    world.create("f").await;
    let tag = |resource: &str, count: usize| {
        let tags = (0..count).map(|number| (format!("k{number}"), "v".to_owned())).collect();
        let input = api::TagResourceInput { resource: resource.to_owned(), tags };
        tags::tag(world.lambda.clone(), world.caller.clone(), input)
    };
    tag(ARN, 2).await.unwrap();
    assert!(matches!(tag(ARN, 51).await, Err(Error::TooManyTags)));
    assert!(matches!(tag(ARN, 0).await, Err(Error::NoTags)));
    assert!(matches!(tag(&format!("{ARN}:1"), 1).await, Err(Error::TagsOfVersion)));
    assert!(matches!(tag(&format!("{ARN}x"), 1).await, Err(Error::NoSuchFunction(_))));
    let tag_keys = vec!["k0".to_owned(), "none".to_owned()];
    let input = api::UntagResourceInput { resource: ARN.to_owned(), tag_keys };
    tags::untag(world.lambda.clone(), world.caller.clone(), input).await.unwrap();
    let input = api::ListTagsInput { resource: ARN.to_owned() };
    let listed = tags::list(world.lambda.clone(), world.caller.clone(), input).await.unwrap();
    assert_eq!(listed.tags.unwrap().into_keys().collect::<Vec<_>>(), ["k1"]);
    assert_eq!(world.get("f").await.unwrap().tags.unwrap().len(), 1);
}

#[tokio::test]
async fn reservations_leave_something_to_the_others() {
    let world = World::new().await;
    world.create("f").await;
    world.create("g").await;
    let put = |name: &str, reserved| {
        let input = api::PutFunctionConcurrencyInput {
            function_name: name.to_owned(),
            reserved_concurrent_executions: reserved,
        };
        concurrency::put(world.lambda.clone(), world.caller.clone(), input)
    };
    put("f", 900).await.unwrap();
    assert_eq!(
        put("g", 1).await.unwrap_err().to_string(),
        "Specified ReservedConcurrentExecutions for function decreases account's \
         UnreservedConcurrentExecution below its minimum value of [100]."
    );
    put("f", 899).await.unwrap();
    put("g", 1).await.unwrap();
    assert_eq!(
        put("h", 1).await.unwrap_err().to_string(),
        "Function not found: arn:aws:lambda:us-east-1:000000000000:function:h:$LATEST"
    );
    assert!(matches!(put("g:1", 1).await, Err(Error::FunctionsOnly)));
    let world = world.restarted().await;
    assert_eq!(world.runnable(None).unwrap().reserved, Some(899));
    assert_eq!(world.lambda.functions.claimed(AccountId::DEFAULT, &Region::default()), 900);
    let settings = account_settings::run(
        world.lambda.clone(),
        world.caller.clone(),
        api::GetAccountSettingsInput::default(),
    );
    let settings = settings.await.unwrap();
    assert_eq!(settings.account_limit.unwrap().unreserved_concurrent_executions, Some(100));
    let usage = settings.account_usage.unwrap();
    assert_eq!(usage.function_count, Some(2));
    assert_eq!(usage.total_code_size, Some(2 * package("1").len() as i64));
    let input = api::DeleteFunctionConcurrencyInput { function_name: "f".to_owned() };
    concurrency::delete(world.lambda.clone(), world.caller.clone(), input).await.unwrap();
    assert_eq!(world.runnable(None).unwrap().reserved, None);
}

#[tokio::test]
async fn what_cannot_be_set_reads_as_never_set() {
    let world = World::new().await;
    world.create("f").await;
    let input = api::GetFunctionRecursionConfigInput { function_name: "none".to_owned() };
    let missing = recursion::get(world.lambda.clone(), world.caller.clone(), input).await;
    assert!(matches!(missing, Err(Error::NoSuchFunction(_))));
}
