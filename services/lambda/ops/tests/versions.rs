//! Versions and aliases.

use super::*;
use crate::ops::{aliases, delete_function, versions};

async fn publish(
    world: &World,
    input: api::PublishVersionInput,
) -> Result<api::FunctionConfiguration, Error> {
    let input = api::PublishVersionInput { function_name: "f".to_owned(), ..input };
    versions::publish(world.lambda.clone(), world.caller.clone(), input).await
}

async fn alias(
    world: &World,
    name: &str,
    version: &str,
    weights: &[(&str, f64)],
) -> Result<api::AliasConfiguration, Error> {
    let weights = weights.iter().map(|(key, weight)| ((*key).to_owned(), *weight)).collect();
    let routing = api::AliasRoutingConfiguration { additional_version_weights: Some(weights) };
    let input = api::CreateAliasInput {
        function_name: "f".to_owned(),
        name: name.to_owned(),
        function_version: version.to_owned(),
        description: None,
        routing_config: Some(routing),
    };
    aliases::create(world.lambda.clone(), world.caller.clone(), input).await
}

async fn two_versions() -> World {
    let world = World::new().await;
    world.create("f").await;
    publish(&world, api::PublishVersionInput::default()).await.unwrap();
    world.update_code(code("2")).await.unwrap();
    publish(&world, api::PublishVersionInput::default()).await.unwrap();
    world
}

#[tokio::test]
async fn a_version_is_published_once() {
    let world = World::new().await;
    let created = world.create("f").await;
    let before = world.get("f").await.unwrap().configuration.unwrap().revision_id;
    let input = api::PublishVersionInput {
        code_sha256: created.code_sha256.clone(),
        revision_id: before.clone(),
        description: Some("first".to_owned()),
        ..api::PublishVersionInput::default()
    };
    let first = publish(&world, input.clone()).await.unwrap();
    assert_eq!(first.function_arn.as_deref(), Some(format!("{ARN}:1").as_str()));
    assert_eq!(
        (first.version.as_deref(), first.description.as_deref()),
        (Some("1"), Some("first"))
    );
    let latest = world.get("f").await.unwrap().configuration.unwrap();
    assert_ne!(latest.revision_id, before);
    let again = publish(&world, api::PublishVersionInput::default()).await.unwrap();
    assert_eq!(again.revision_id, first.revision_id);

    let code_sha256 = Some("wrong".to_owned());
    let input = api::PublishVersionInput { revision_id: latest.revision_id, ..input };
    let refused = publish(&world, api::PublishVersionInput { code_sha256, ..input.clone() }).await;
    let current = created.code_sha256.unwrap();
    assert_eq!(
        refused.unwrap_err().to_string(),
        format!(
            "CodeSHA256 (wrong) is different from current CodeSHA256 in $LATEST ({current}). \
             Please try again with the CodeSHA256 in $LATEST."
        )
    );
    let revision_id = Some("wrong".to_owned());
    let refused = publish(&world, api::PublishVersionInput { revision_id, ..input }).await;
    assert!(matches!(refused, Err(Error::RevisionDiffers)));
}

#[tokio::test]
async fn a_version_keeps_its_code_and_goes_with_it() {
    let world = two_versions().await.restarted().await;
    let read = |qualifier| {
        let run = world.runnable(Some(qualifier)).unwrap();
        std::fs::read_to_string(run.function.code.join("bootstrap")).unwrap()
    };
    assert_eq!((read("1"), read("2"), read("$LATEST")), ("1".into(), "2".into(), "2".into()));
    assert_eq!(world.runnable(Some("1")).unwrap().invoked_arn, format!("{ARN}:1"));
    let input = api::ListVersionsByFunctionInput {
        function_name: "f".to_owned(),
        ..api::ListVersionsByFunctionInput::default()
    };
    let listed = versions::list(world.lambda.clone(), world.caller.clone(), input).await.unwrap();
    let numbers = listed.versions.unwrap().into_iter().map(|it| it.version.unwrap());
    assert_eq!(numbers.collect::<Vec<_>>(), ["$LATEST", "1", "2"]);

    let qualifier = Some("1".to_owned());
    let input = api::DeleteFunctionInput { function_name: "f".to_owned(), qualifier };
    delete_function::run(world.lambda.clone(), world.caller.clone(), input).await.unwrap();
    assert_eq!(
        world.runnable(Some("1")).unwrap_err().to_string(),
        format!("Function not found: {ARN}:1")
    );
    // $LATEST and version 2 share what is left.
    assert_eq!((world.code_folders().len(), world.lambda.functions.blobs().len()), (1, 1));
}

#[tokio::test]
async fn an_alias_divides_its_invocations() {
    let world = two_versions().await;
    let made = alias(&world, "PROD", "1", &[("2", 0.5)]).await.unwrap();
    assert_eq!(made.alias_arn.as_deref(), Some(format!("{ARN}:PROD").as_str()));
    let mut seen = std::collections::BTreeSet::new();
    // 200 times the same side of a coin is no coin.
    for _ in 0..200 {
        let run = world.runnable(Some("PROD")).unwrap();
        assert_eq!(run.invoked_arn, format!("{ARN}:PROD"));
        seen.insert(run.function.version.clone());
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), ["1", "2"]);
    let got = world.get("f:PROD").await.unwrap().configuration.unwrap();
    assert_eq!(got.function_arn.as_deref(), Some(format!("{ARN}:PROD").as_str()));
    assert_eq!(got.version.as_deref(), Some("1"));
}

#[tokio::test]
async fn aliases_live_as_awss_do() {
    let world = two_versions().await;
    let made = alias(&world, "PROD", "1", &[]).await.unwrap();
    assert_eq!(made.routing_config, None);
    let exists = alias(&world, "PROD", "1", &[]).await.unwrap_err();
    assert_eq!(exists.to_string(), format!("Alias already exists: {ARN}:PROD"));
    let missing = alias(&world, "x", "10", &[]).await.unwrap_err();
    assert_eq!(missing.to_string(), format!("Function not found: {ARN}:10"));
    let missing = alias(&world, "x", "1", &[("10", 0.5)]).await.unwrap_err();
    assert_eq!(missing.to_string(), format!("Function not found: {ARN}:10"));

    let update = api::UpdateAliasInput {
        function_name: "f".to_owned(),
        name: "PROD".to_owned(),
        function_version: Some("2".to_owned()),
        revision_id: made.revision_id,
        ..api::UpdateAliasInput::default()
    };
    let run = |input| aliases::update(world.lambda.clone(), world.caller.clone(), input);
    let updated = run(update.clone()).await.unwrap();
    assert_eq!(updated.function_version.as_deref(), Some("2"));
    assert!(matches!(run(update).await, Err(Error::RevisionDiffers)));

    let list = |version: Option<&str>| {
        let input = api::ListAliasesInput {
            function_name: "f".to_owned(),
            function_version: version.map(str::to_owned),
            ..api::ListAliasesInput::default()
        };
        aliases::list(world.lambda.clone(), world.caller.clone(), input)
    };
    assert_eq!(list(None).await.unwrap().aliases.unwrap().len(), 1);
    assert_eq!(list(Some("1")).await.unwrap().aliases.unwrap().len(), 0);
    let name = || ("f".to_owned(), "PROD".to_owned());
    let (function_name, name_of) = name();
    let input = api::DeleteAliasInput { function_name, name: name_of };
    aliases::delete(world.lambda.clone(), world.caller.clone(), input).await.unwrap();
    let (function_name, name_of) = name();
    let input = api::GetAliasInput { function_name, name: name_of };
    let gone = aliases::get(world.lambda.clone(), world.caller.clone(), input).await.unwrap_err();
    assert_eq!(gone.to_string(), format!("Cannot find alias arn: {ARN}:PROD"));
}
