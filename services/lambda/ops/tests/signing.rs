//! Code signing configurations, and what they let pass.

use super::*;
use crate::ops::{
    code_signing_configs, function_code_signing, tags, update_function_configuration,
};

const PROFILE: &str = "arn:aws:signer:us-east-1:000000000000:/signing-profiles/p/a1b2c3d4e5";

async fn signing(world: &World, policy: api::CodeSigningPolicy) -> String {
    let input = api::CreateCodeSigningConfigInput {
        description: Some("mine".to_owned()),
        allowed_publishers: api::AllowedPublishers {
            signing_profile_version_arns: vec![PROFILE.to_owned()],
        },
        code_signing_policies: Some(api::CodeSigningPolicies {
            untrusted_artifact_on_deployment: Some(policy),
        }),
        tags: None,
    };
    let created =
        code_signing_configs::create(world.lambda.clone(), world.caller.clone(), input).await;
    created.unwrap().code_signing_config.code_signing_config_arn
}

async fn attach(world: &World, arn: &str) -> Result<(), Error> {
    let input = api::PutFunctionCodeSigningConfigInput {
        code_signing_config_arn: arn.to_owned(),
        function_name: "f".to_owned(),
    };
    let put = function_code_signing::put(world.lambda.clone(), world.caller.clone(), input).await;
    put.map(drop)
}

async fn attached(world: &World) -> Option<String> {
    let input = api::GetFunctionCodeSigningConfigInput { function_name: "f".to_owned() };
    let got = function_code_signing::get(world.lambda.clone(), world.caller.clone(), input).await;
    let got = got.unwrap();
    assert_eq!(got.function_name.is_some(), got.code_signing_config_arn.is_some());
    got.code_signing_config_arn
}

async fn delete(world: &World, arn: &str) -> Result<(), Error> {
    let code_signing_config_arn = arn.to_owned();
    let input = api::DeleteCodeSigningConfigInput { code_signing_config_arn };
    let deleted =
        code_signing_configs::delete(world.lambda.clone(), world.caller.clone(), input).await;
    deleted.map(drop)
}

#[tokio::test]
async fn a_configuration_that_enforces_refuses_new_code() {
    let world = World::new().await;
    let arn = signing(&world, api::CodeSigningPolicy::Enforce).await;
    let input =
        api::CreateFunctionInput { code_signing_config_arn: Some(arn.clone()), ..function("f") };
    assert_eq!(
        world.try_create(input).await.unwrap_err().to_string(),
        "Lambda cannot deploy the function. The function or layer might be signed using a \
         signature that the client is not configured to accept. Check the provided signature for f."
    );
    assert!(world.code_folders().is_empty());
    world.create("f").await;
    attach(&world, &arn).await.unwrap();
    let refused = world.update_code(code("2")).await.unwrap_err();
    assert!(refused.to_string().ends_with(&format!("signature for {ARN}.")), "{refused}");
    let layers = Some(vec!["arn:aws:lambda:us-east-1:000000000000:layer:l:1".to_owned()]);
    let input = api::UpdateFunctionConfigurationInput {
        function_name: "f".to_owned(),
        description: Some("harmless".to_owned()),
        ..api::UpdateFunctionConfigurationInput::default()
    };
    let update = |input| {
        update_function_configuration::run(world.lambda.clone(), world.caller.clone(), input)
    };
    update(input.clone()).await.unwrap();
    update(api::UpdateFunctionConfigurationInput { layers, ..input }).await.unwrap_err();

    let input = api::DeleteFunctionCodeSigningConfigInput { function_name: "f".to_owned() };
    function_code_signing::delete(world.lambda.clone(), world.caller.clone(), input).await.unwrap();
    world.update_code(code("2")).await.unwrap();
}

#[tokio::test]
async fn a_configuration_that_warns_lets_code_pass() {
    let world = World::new().await;
    let arn = signing(&world, api::CodeSigningPolicy::Warn).await;
    let code_signing_config_arn = Some(arn.clone());
    let input = api::CreateFunctionInput { code_signing_config_arn, ..function("f") };
    world.try_create(input).await.unwrap();
    world.update_code(code("2")).await.unwrap();
    let input = api::UpdateCodeSigningConfigInput {
        code_signing_config_arn: arn.clone(),
        code_signing_policies: Some(api::CodeSigningPolicies {
            untrusted_artifact_on_deployment: Some(api::CodeSigningPolicy::Enforce),
        }),
        ..api::UpdateCodeSigningConfigInput::default()
    };
    let updated = code_signing_configs::update(world.lambda.clone(), world.caller.clone(), input);
    let updated = updated.await.unwrap().code_signing_config;
    assert_eq!(updated.description.as_deref(), Some("mine"));
    assert!(matches!(world.update_code(code("3")).await, Err(Error::CodeNotVerified(_))));
}

#[tokio::test]
async fn a_configuration_lives_as_long_as_a_function_has_it() {
    let world = World::new().await;
    world.create("f").await;
    assert_eq!(attached(&world).await, None);
    let arn = signing(&world, api::CodeSigningPolicy::Warn).await;
    attach(&world, &arn).await.unwrap();
    let world = world.restarted().await;
    assert_eq!(attached(&world).await, Some(arn.clone()));
    let input = api::ListFunctionsByCodeSigningConfigInput {
        code_signing_config_arn: arn.clone(),
        ..api::ListFunctionsByCodeSigningConfigInput::default()
    };
    let listed =
        code_signing_configs::list_functions(world.lambda.clone(), world.caller.clone(), input);
    assert_eq!(listed.await.unwrap().function_arns.unwrap(), [ARN]);
    assert!(matches!(delete(&world, &arn).await, Err(Error::SigningConfigInUse(_))));
    let input = api::DeleteFunctionCodeSigningConfigInput { function_name: "f".to_owned() };
    function_code_signing::delete(world.lambda.clone(), world.caller.clone(), input).await.unwrap();
    delete(&world, &arn).await.unwrap();
    let world = world.restarted().await;
    assert_eq!(
        delete(&world, &arn).await.unwrap_err().to_string(),
        format!("The Lambda code signing configuration {arn} can not be found.")
    );
    assert_eq!(
        attach(&world, &arn).await.unwrap_err().to_string(),
        format!(
            "The code signing configuration cannot be found. Check that the provided \
             configuration is not deleted: {arn}."
        )
    );
}

#[tokio::test]
async fn configurations_have_tags() {
    let world = World::new().await;
    let arn = signing(&world, api::CodeSigningPolicy::Warn).await;
    let tag = |key: &str| {
        let tags = [(key.to_owned(), "v".to_owned())].into();
        let input = api::TagResourceInput { resource: arn.clone(), tags };
        tags::tag(world.lambda.clone(), world.caller.clone(), input)
    };
    tag("a").await.unwrap();
    tag("b").await.unwrap();
    assert!(matches!(tag("aws:c").await, Err(Error::ReservedTag)));
    let tag_keys = vec!["a".to_owned()];
    let input = api::UntagResourceInput { resource: arn.clone(), tag_keys };
    tags::untag(world.lambda.clone(), world.caller.clone(), input).await.unwrap();
    let world = world.restarted().await;
    let input = api::ListTagsInput { resource: arn.clone() };
    let listed = tags::list(world.lambda.clone(), world.caller.clone(), input).await.unwrap();
    assert_eq!(listed.tags.unwrap().into_keys().collect::<Vec<_>>(), ["b"]);
}
