//! Provisioned concurrency and recursion: what is refused, in AWS's words, and what is kept.

use api::ProvisionedConcurrencyStatusEnum as Status;

use super::*;
use crate::{
    invoke::lineage::Recursion,
    ops::{aliases, concurrency, delete_function, provisioned_concurrency, recursion, versions},
    version::Number,
};

/// A function whose versions 1 and 2 never come to ready, and the alias `live` of version 1.
async fn world() -> World {
    let world = World::new().await;
    world.create("f").await;
    for content in ["1", "2"] {
        world.update_code(code(content)).await.unwrap();
        let input =
            api::PublishVersionInput { function_name: "f".to_owned(), ..Default::default() };
        versions::publish(world.lambda.clone(), world.caller.clone(), input).await.unwrap();
    }
    let input = api::CreateAliasInput {
        function_name: "f".to_owned(),
        name: "live".to_owned(),
        function_version: "1".to_owned(),
        ..api::CreateAliasInput::default()
    };
    aliases::create(world.lambda.clone(), world.caller.clone(), input).await.unwrap();
    world
}

async fn put(
    world: &World,
    qualifier: &str,
    count: i32,
) -> Result<api::PutProvisionedConcurrencyConfigOutput, Error> {
    let input = api::PutProvisionedConcurrencyConfigInput {
        function_name: "f".to_owned(),
        qualifier: qualifier.to_owned(),
        provisioned_concurrent_executions: count,
    };
    provisioned_concurrency::put(world.lambda.clone(), world.caller.clone(), input).await
}

async fn get(
    world: &World,
    qualifier: &str,
) -> Result<api::GetProvisionedConcurrencyConfigOutput, Error> {
    let input = api::GetProvisionedConcurrencyConfigInput {
        function_name: "f".to_owned(),
        qualifier: qualifier.to_owned(),
    };
    provisioned_concurrency::get(world.lambda.clone(), world.caller.clone(), input).await
}

async fn delete(world: &World, qualifier: &str) -> Result<wire::Unit, Error> {
    let input = api::DeleteProvisionedConcurrencyConfigInput {
        function_name: "f".to_owned(),
        qualifier: qualifier.to_owned(),
    };
    provisioned_concurrency::delete(world.lambda.clone(), world.caller.clone(), input).await
}

async fn route(world: &World, version: &str, weights: &[(&str, f64)]) -> Result<(), Error> {
    let weights = weights.iter().map(|(key, weight)| ((*key).to_owned(), *weight)).collect();
    let input = api::UpdateAliasInput {
        function_name: "f".to_owned(),
        name: "live".to_owned(),
        function_version: Some(version.to_owned()),
        routing_config: Some(api::AliasRoutingConfiguration {
            additional_version_weights: Some(weights),
        }),
        ..api::UpdateAliasInput::default()
    };
    aliases::update(world.lambda.clone(), world.caller.clone(), input).await.map(drop)
}

async fn reserve(world: &World, reserved: i32) -> Result<(), Error> {
    let input = api::PutFunctionConcurrencyInput {
        function_name: "f".to_owned(),
        reserved_concurrent_executions: reserved,
    };
    concurrency::put(world.lambda.clone(), world.caller.clone(), input).await.map(drop)
}

fn wanted(world: &World) -> Vec<(u64, u32)> {
    let key = world.runnable(None).unwrap().function;
    let live = world.lambda.functions.list(key.account, &key.region).remove(0);
    live.wanted.iter().map(|(Number(number), count)| (*number, *count)).collect()
}

fn text<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    result.unwrap_err().to_string()
}

#[tokio::test]
async fn it_is_for_published_versions_and_aliases_of_them() {
    let world = world().await;
    assert_eq!(
        text(put(&world, "$LATEST", 1).await),
        "Provisioned Concurrency Configs cannot be applied to unpublished function versions."
    );
    let neither = "The function resource provided must be an alias or a published version.";
    assert_eq!(text(get(&world, "$LATEST").await), neither);
    assert_eq!(text(delete(&world, "$LATEST").await), neither);
    assert_eq!(text(put(&world, "9", 1).await), format!("Function not found: {ARN}:9"));
    assert_eq!(text(put(&world, "none", 1).await), format!("Cannot find alias arn: {ARN}:none"));
    let none = get(&world, "1").await;
    assert!(matches!(none, Err(Error::NotProvisioned)), "{none:?}");
    delete(&world, "1").await.unwrap();
    route(&world, "$LATEST", &[]).await.unwrap();
    assert!(matches!(put(&world, "live", 1).await, Err(Error::LatestProvisioned)));
}

#[tokio::test]
async fn a_version_and_its_alias_are_not_both() {
    let world = world().await;
    put(&world, "1", 1).await.unwrap();
    assert_eq!(
        text(put(&world, "live", 1).await),
        "Alias can't be used for Provisioned Concurrency configuration on an already Provisioned \
         version"
    );
    delete(&world, "1").await.unwrap();
    put(&world, "live", 1).await.unwrap();
    assert_eq!(
        text(put(&world, "1", 1).await),
        "Version is pointed by a Provisioned Concurrency alias"
    );
    put(&world, "2", 1).await.unwrap();
    assert!(matches!(route(&world, "2", &[]).await, Err(Error::VersionOfAliasProvisioned)));
    assert!(matches!(route(&world, "$LATEST", &[]).await, Err(Error::LatestProvisioned)));
}

#[tokio::test]
async fn weights_split_what_an_alias_asks_for() {
    let world = world().await;
    route(&world, "1", &[("2", 0.25)]).await.unwrap();
    assert_eq!(
        text(put(&world, "live", 8).await),
        "Alias with weights can not be used with Provisioned Concurrency"
    );
    route(&world, "1", &[]).await.unwrap();
    let put = put(&world, "live", 8).await.unwrap();
    assert_eq!(put.status, Some(Status::InProgress));
    assert_eq!(wanted(&world), [(1, 8)]);
    route(&world, "1", &[("2", 0.25)]).await.unwrap();
    assert_eq!(wanted(&world), [(1, 6), (2, 2)]);
    assert_eq!(world.runnable(Some("2")).unwrap().provisioned, 2);
    let world = world.restarted().await;
    assert_eq!(wanted(&world), [(1, 6), (2, 2)]);
    route(&world, "2", &[]).await.unwrap();
    assert_eq!(wanted(&world), [(2, 8)]);
    let input = api::DeleteAliasInput { function_name: "f".to_owned(), name: "live".to_owned() };
    aliases::delete(world.lambda.clone(), world.caller.clone(), input).await.unwrap();
    assert_eq!(wanted(&world), []);
}

#[tokio::test]
async fn it_fits_into_what_is_reserved_and_into_the_account() {
    let world = world().await;
    assert_eq!(
        text(put(&world, "1", 1001).await),
        "Specified ConcurrentExecutions for function is greater than account's unreserved \
         concurrency [1000]."
    );
    assert_eq!(
        text(put(&world, "1", 901).await),
        "Specified ConcurrentExecutions for function decreases account's \
         UnreservedConcurrentExecution below its minimum value of [100]."
    );
    reserve(&world, 5).await.unwrap();
    put(&world, "1", 3).await.unwrap();
    assert_eq!(
        text(put(&world, "2", 3).await),
        "Requested Provisioned Concurrency should not be greater than the \
         reservedConcurrentExecution for function"
    );
    put(&world, "2", 2).await.unwrap();
    assert!(text(reserve(&world, 4).await).contains("total provisioned concurrency [5]"));
    let region = Region::default();
    assert_eq!(world.lambda.functions.claimed(AccountId::DEFAULT, &region), 5);
}

#[tokio::test]
async fn they_are_listed_and_go_with_their_version() {
    let world = world().await;
    put(&world, "2", 1).await.unwrap();
    put(&world, "live", 2).await.unwrap();
    let list = |world: &World| {
        let input = api::ListProvisionedConcurrencyConfigsInput {
            function_name: "f".to_owned(),
            ..Default::default()
        };
        provisioned_concurrency::list(world.lambda.clone(), world.caller.clone(), input)
    };
    let listed = list(&world).await.unwrap().provisioned_concurrency_configs.unwrap();
    let arns: Vec<_> = listed.iter().map(|item| item.function_arn.clone().unwrap()).collect();
    assert_eq!(arns, [format!("{ARN}:2"), format!("{ARN}:live")]);
    assert_eq!(listed[1].requested_provisioned_concurrent_executions, Some(2));
    assert!(listed[0].last_modified.as_deref().unwrap().ends_with("+0000"));
    let input =
        api::DeleteFunctionInput { function_name: "f".to_owned(), qualifier: Some("2".to_owned()) };
    delete_function::run(world.lambda.clone(), world.caller.clone(), input).await.unwrap();
    let listed = list(&world).await.unwrap().provisioned_concurrency_configs.unwrap();
    assert_eq!((listed.len(), wanted(&world)), (1, vec![(1, 2)]));
}

#[tokio::test]
async fn recursion_is_set_for_the_function_and_kept() {
    let world = world().await;
    let get = |world: &World| {
        let input = api::GetFunctionRecursionConfigInput { function_name: "f".to_owned() };
        recursion::get(world.lambda.clone(), world.caller.clone(), input)
    };
    assert_eq!(get(&world).await.unwrap().recursive_loop, Some(api::RecursiveLoop::Terminate));
    let input = api::PutFunctionRecursionConfigInput {
        function_name: "f".to_owned(),
        recursive_loop: api::RecursiveLoop::Allow,
    };
    recursion::put(world.lambda.clone(), world.caller.clone(), input).await.unwrap();
    let world = world.restarted().await;
    assert_eq!(get(&world).await.unwrap().recursive_loop, Some(api::RecursiveLoop::Allow));
    assert_eq!(world.runnable(Some("1")).unwrap().recursion, Recursion::Allow);
}
