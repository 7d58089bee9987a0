//! What may be configured, and what becomes of it.

use super::*;
use crate::limits;

fn input() -> api::CreateFunctionInput {
    api::CreateFunctionInput {
        runtime: Some("python3.11".to_owned()),
        handler: Some("index.handler".to_owned()),
        role: "arn:aws:iam::000000000000:role/r".to_owned(),
        ..api::CreateFunctionInput::default()
    }
}

fn with_variables(pairs: &[(&str, &str)]) -> api::CreateFunctionInput {
    let variables = pairs.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
    let environment = Some(api::Environment { variables: Some(variables) });
    api::CreateFunctionInput { environment, ..input() }
}

#[test]
fn what_is_not_named_has_lambdas_defaults() {
    let settings = Settings::created(input()).unwrap();
    assert_eq!(
        (settings.timeout_seconds, settings.memory_mib, settings.ephemeral_mib),
        (3, 128, 512)
    );
    assert_eq!(settings.environment, None);
    assert_eq!(settings.architecture, "x86_64");
}

#[test]
fn runtime_and_handler_are_needed() {
    for missing in [
        api::CreateFunctionInput { runtime: None, ..input() },
        api::CreateFunctionInput { handler: None, ..input() },
    ] {
        let refused = Settings::created(missing);
        assert!(matches!(refused, Err(Error::RuntimeAndHandlerNeeded)));
    }
}

#[test]
fn the_environment_has_a_size_and_reserved_names() {
    let big = "x".repeat(limits::ENVIRONMENT_BYTES - r#"{"A":""}"#.len());
    Settings::created(with_variables(&[("A", &big)])).unwrap();
    let error = Settings::created(with_variables(&[("A", &format!("{big}y"))])).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("exceeded the 4KB limit. String measured: {\"A\":\"xxx"), "{text}");
    let error = Settings::created(with_variables(&[("AWS_REGION", "a"), ("_HANDLER", "b")]));
    let text = error.unwrap_err().to_string();
    assert!(text.ends_with("Reserved keys used in this request: AWS_REGION, _HANDLER"), "{text}");
}

#[test]
fn ordinary_functions_have_the_lower_bounds() {
    let error = Settings::created(api::CreateFunctionInput { timeout: Some(901), ..input() });
    assert_eq!(
        error.unwrap_err().to_string(),
        "1 validation error detected: Value '901' at 'timeout' failed to satisfy constraint: \
         Member must have value less than or equal to 900"
    );
    let large = api::CreateFunctionInput { memory_size: Some(10_241), ..input() };
    assert!(matches!(Settings::created(large), Err(Error::TooGreat { most: 10_240, .. })));
}

#[test]
fn an_update_changes_what_it_names() {
    let mut settings = Settings::created(with_variables(&[("A", "1")])).unwrap();
    let before = settings.clone();
    settings.apply(api::UpdateFunctionConfigurationInput::default()).unwrap();
    assert_eq!(settings, before);
    let letter = |target: &str| api::UpdateFunctionConfigurationInput {
        dead_letter_config: Some(api::DeadLetterConfig { target_arn: Some(target.to_owned()) }),
        ..api::UpdateFunctionConfigurationInput::default()
    };
    settings.apply(letter("arn:aws:sqs:us-east-1:000000000000:q")).unwrap();
    assert!(settings.dead_letter.is_some());
    settings.apply(letter("")).unwrap();
    assert_eq!(settings, before);
}

#[test]
fn what_is_not_built_says_so() {
    let durable_config = Some(api::DurableConfig::default());
    let error = Settings::created(api::CreateFunctionInput { durable_config, ..input() });
    assert_eq!(error.unwrap_err().to_string(), "lampejo does not support durable functions yet.");
}

#[test]
fn an_image_brings_its_runtime() {
    let image = || api::CreateFunctionInput {
        package_type: Some(api::PackageType::Image),
        runtime: None,
        handler: None,
        ..input()
    };
    let mut settings = Settings::created(image()).unwrap();
    assert_eq!(settings.image, Some(ImageConfig::default()));
    let both = api::CreateFunctionInput { handler: input().handler, ..image() };
    assert!(matches!(Settings::created(both), Err(Error::NotOfImages)));
    let layers = Some(vec!["arn:aws:lambda:us-east-1:000000000000:layer:l:1".to_owned()]);
    let layered = api::CreateFunctionInput { layers, ..image() };
    assert!(matches!(Settings::created(layered), Err(Error::NotOfImages)));
    let config = api::ImageConfig {
        command: Some(vec!["app.handler".to_owned()]),
        ..api::ImageConfig::default()
    };
    let update = || api::UpdateFunctionConfigurationInput {
        image_config: Some(config.clone()),
        ..api::UpdateFunctionConfigurationInput::default()
    };
    settings.apply(update()).unwrap();
    assert_eq!(settings.image.as_ref().unwrap().command, ["app.handler"]);
    let refused = Settings::created(input()).unwrap().apply(update());
    assert!(matches!(refused, Err(Error::OnlyOfImages)));
}
