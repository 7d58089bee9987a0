//! Functions that isolate tenants.

use super::*;
use crate::ops::{invoke, mapping};

async fn isolated() -> World {
    let world = World::new().await;
    let tenancy_config = Some(api::TenancyConfig::default());
    let input = api::CreateFunctionInput { tenancy_config, ..function("f") };
    let created = world.try_create(input).await.unwrap();
    assert!(created.tenancy_config.is_some());
    world
}

async fn dry_run(world: &World, name: &str, tenant: Option<&str>) -> Result<(), Error> {
    let input = api::InvokeInput {
        function_name: name.to_owned(),
        invocation_type: Some(api::InvocationType::DryRun),
        tenant_id: tenant.map(str::to_owned),
        ..api::InvokeInput::default()
    };
    invoke::run(world.lambda.clone(), world.caller.clone(), input).await.map(drop)
}

#[tokio::test]
async fn a_tenant_is_named_exactly_where_one_is_wanted() {
    let world = isolated().await;
    world.create("g").await;
    dry_run(&world, "f", Some("blue")).await.unwrap();
    dry_run(&world, "g", None).await.unwrap();
    assert!(matches!(dry_run(&world, "g", Some("blue")).await, Err(Error::TenantUnexpected)));
    assert_eq!(
        dry_run(&world, "f", None).await.unwrap_err().to_string(),
        "The invoked function is enabled with tenancy configuration. Add a valid tenant ID in your \
         request and try again."
    );
    let input = api::CreateEventSourceMappingInput {
        event_source_arn: Some("arn:aws:sqs:us-east-1:000000000000:q".to_owned()),
        function_name: "f".to_owned(),
        ..api::CreateEventSourceMappingInput::default()
    };
    let refused = mapping::create::run(world.lambda.clone(), world.caller.clone(), input).await;
    assert!(matches!(refused, Err(Error::NotForTenants(_))));
}

#[tokio::test]
async fn tenants_share_nothing_and_go_with_the_version() {
    let world = isolated().await;
    let tenants = &world.lambda.functions.tenants;
    let runnable = world.runnable(None).unwrap();
    let run = |tenant| tenants.run(&runnable, runnable.function.clone(), Some(tenant)).unwrap();
    let (blue, green) = (run("blue"), run("green"));
    assert_ne!(blue.key, green.key);
    assert_ne!(blue.key, runnable.function.key);
    assert!(Arc::ptr_eq(&blue, &run("blue")));
    assert_eq!(blue.code, runnable.function.code);

    world.update_code(code("2")).await.unwrap();
    assert!(tenants.leave(&runnable.function.key).is_empty(), "the change has taken them out");
    // An instance of a tenant that still runs the old code keeps its folder.
    assert!(blue.code.is_dir());
    drop((runnable, green));
    world.update_code(code("3")).await.unwrap();
    assert!(blue.code.is_dir());
    let folder = blue.code.clone();
    drop(blue);
    world.update_code(code("4")).await.unwrap();
    assert!(!folder.exists());
}

#[tokio::test]
async fn tenants_of_other_versions_stay() {
    let world = isolated().await;
    let input = api::CreateFunctionInput {
        tenancy_config: Some(api::TenancyConfig::default()),
        publish: Some(true),
        ..function("g")
    };
    world.try_create(input).await.unwrap();
    let functions = &world.lambda.functions;
    let runnables: Vec<Runnable> = ["f", "g", "g:1"]
        .iter()
        .map(|name| functions.named(&world.caller, name, None).unwrap())
        .collect();
    let runs: Vec<_> = runnables
        .iter()
        .flat_map(|it| {
            ["blue", "green"]
                .map(|tenant| functions.tenants.run(it, it.function.clone(), Some(tenant)))
        })
        .map(Result::unwrap)
        .collect();
    let left = functions.tenants.leave(&runnables[1].function.key);
    assert_eq!(left.len(), 2);
    for run in runs {
        let here = left.iter().any(|it| Arc::ptr_eq(it, &run));
        assert_eq!(here, run.key.starts_with(&runnables[1].function.key), "{}", run.key);
    }
    assert_eq!(functions.tenants.leave(&runnables[0].function.key).len(), 2);
    assert_eq!(functions.tenants.leave(&runnables[2].function.key).len(), 2);
}
