//! How runtimes are updated, and how versions are to scale.

use super::*;
use crate::ops::{runtime_management, scaling};

async fn put(
    world: &World,
    update_runtime_on: api::UpdateRuntimeOn,
    runtime_version_arn: Option<String>,
) -> Result<api::PutRuntimeManagementConfigOutput, Error> {
    let input = api::PutRuntimeManagementConfigInput {
        function_name: "f".to_owned(),
        update_runtime_on,
        runtime_version_arn,
        ..api::PutRuntimeManagementConfigInput::default()
    };
    runtime_management::put(world.lambda.clone(), world.caller.clone(), input).await
}

async fn get(world: &World) -> api::GetRuntimeManagementConfigOutput {
    let input =
        api::GetRuntimeManagementConfigInput { function_name: "f".to_owned(), qualifier: None };
    runtime_management::get(world.lambda.clone(), world.caller.clone(), input).await.unwrap()
}

#[tokio::test]
async fn a_version_of_the_runtime_is_pinned_if_the_machine_has_it() {
    let world = World::new().await;
    let created = world.create("f").await;
    let present = created.runtime_version_config.unwrap().runtime_version_arn.unwrap();
    assert!(present.starts_with("arn:aws:lambda:us-east-1::runtime:"), "{present}");
    let before = get(&world).await;
    assert_eq!(before.function_arn, Some(format!("{ARN}:$LATEST")));
    assert_eq!(before.update_runtime_on, Some(api::UpdateRuntimeOn::Auto));

    let manual = api::UpdateRuntimeOn::Manual;
    let other = format!("{present}0");
    let refused = put(&world, manual, Some(other)).await;
    assert!(matches!(refused, Err(Error::NoSuchRuntimeVersion { .. })));
    let pinned = put(&world, manual, Some(present.clone())).await.unwrap();
    assert_eq!(pinned.runtime_version_arn.as_ref(), Some(&present));
    let world = world.restarted().await;
    let after = get(&world).await;
    assert_eq!((after.update_runtime_on, after.runtime_version_arn), (Some(manual), Some(present)));
    put(&world, api::UpdateRuntimeOn::FunctionUpdate, None).await.unwrap();
    assert_eq!(get(&world).await.runtime_version_arn, None);
}

#[tokio::test]
async fn scaling_is_kept_as_requested_and_never_as_applied() {
    let world = World::new().await;
    world
        .try_create(api::CreateFunctionInput { publish: Some(true), ..function("f") })
        .await
        .unwrap();
    let put = |qualifier: &str, bounds: Option<(i32, i32)>| {
        let input = api::PutFunctionScalingConfigInput {
            function_name: "f".to_owned(),
            qualifier: qualifier.to_owned(),
            function_scaling_config: bounds.map(|(minimum, maximum)| api::FunctionScalingConfig {
                min_execution_environments: Some(minimum),
                max_execution_environments: Some(maximum),
            }),
        };
        scaling::put(world.lambda.clone(), world.caller.clone(), input)
    };
    let get = || {
        let (function_name, qualifier) = ("f".to_owned(), "1".to_owned());
        let input = api::GetFunctionScalingConfigInput { function_name, qualifier };
        scaling::get(world.lambda.clone(), world.caller.clone(), input)
    };
    assert_eq!(
        put("$LATEST.PUBLISHED", None).await.unwrap_err().to_string(),
        format!("Function not found: {ARN}:$LATEST.PUBLISHED")
    );
    assert!(matches!(put("1", Some((2, 1))).await, Err(Error::ScalingBounds)));
    put("1", Some((1, 3))).await.unwrap();
    let got = get().await.unwrap();
    assert_eq!(got.function_arn, Some(format!("{ARN}:1")));
    let requested = got.requested_function_scaling_config.unwrap();
    assert_eq!(requested.max_execution_environments, Some(3));
    assert_eq!(got.applied_function_scaling_config, None);
    put("1", None).await.unwrap();
    assert_eq!(get().await.unwrap().requested_function_scaling_config, None);
}
