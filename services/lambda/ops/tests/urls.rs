//! Function URLs: their configuration, and requests that reach no function.

use std::collections::BTreeMap;

use kit::Millis;
use wire::{FunctionUrls, UrlName, UrlRequest, UrlResponse};

use super::*;
use crate::ops::{aliases, permissions, url_config, versions};

fn url() -> api::CreateFunctionUrlConfigInput {
    api::CreateFunctionUrlConfigInput {
        function_name: "f".to_owned(),
        auth_type: api::FunctionUrlAuthType::None,
        ..api::CreateFunctionUrlConfigInput::default()
    }
}

async fn create(
    world: &World,
    input: api::CreateFunctionUrlConfigInput,
) -> Result<api::CreateFunctionUrlConfigOutput, Error> {
    url_config::create(world.lambda.clone(), world.caller.clone(), input).await
}

async fn get(
    world: &World,
    qualifier: Option<&str>,
) -> Result<api::GetFunctionUrlConfigOutput, Error> {
    let qualifier = qualifier.map(str::to_owned);
    let input = api::GetFunctionUrlConfigInput { function_name: "f".to_owned(), qualifier };
    url_config::get(world.lambda.clone(), world.caller.clone(), input).await
}

async fn delete(world: &World) -> Result<(), Error> {
    let input = api::DeleteFunctionUrlConfigInput { function_name: "f".into(), qualifier: None };
    url_config::delete(world.lambda.clone(), world.caller.clone(), input).await.map(drop)
}

async fn alias(world: &World) {
    let input = api::PublishVersionInput {
        function_name: "f".into(),
        ..api::PublishVersionInput::default()
    };
    versions::publish(world.lambda.clone(), world.caller.clone(), input).await.unwrap();
    let input = api::CreateAliasInput {
        function_name: "f".to_owned(),
        name: "PROD".to_owned(),
        function_version: "1".to_owned(),
        ..api::CreateAliasInput::default()
    };
    aliases::create(world.lambda.clone(), world.caller.clone(), input).await.unwrap();
}

/// A `GET /` of a URL with these headers.
fn request(url: &str, headers: &[(&str, &str)]) -> UrlRequest {
    let host = url.trim_start_matches("http://").trim_end_matches('/');
    let headers = [("host", host)].into_iter().chain(headers.iter().copied());
    UrlRequest {
        name: UrlName { id: host.split('.').next().unwrap().to_owned(), region: Region::default() },
        method: "GET".to_owned(),
        path: "/".to_owned(),
        query: String::new(),
        parameters: Vec::new(),
        protocol: "HTTP/1.1".to_owned(),
        headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        body: Bytes::new(),
        signer: Ok(None),
        now: Millis(0),
        request_id: "id".to_owned(),
        source_ip: "127.0.0.1".to_owned(),
    }
}

async fn answer(world: &World, request: UrlRequest) -> (u16, String) {
    let response = world.lambda.clone().serve(request).await.head;
    (response.status, String::from_utf8(response.body.to_vec()).unwrap())
}

fn headers(response: UrlResponse) -> BTreeMap<String, String> {
    response.headers.into_iter().collect()
}

#[tokio::test]
async fn a_url_stays_the_same_while_its_configuration_changes() {
    let world = World::new().await;
    world.create("f").await;
    let created = create(&world, url()).await.unwrap();
    assert!(created.function_url.ends_with(".lambda-url.us-east-1.localhost:4566/"));
    assert_eq!((created.function_arn.as_str(), created.invoke_mode), (ARN, None));
    let again = create(&world, url()).await.unwrap_err().to_string();
    assert_eq!(
        again,
        format!(
            "Failed to create function url config for [functionArn = {ARN}]. Error message:  \
             FunctionUrlConfig exists for this Lambda function"
        )
    );
    let mut input = api::UpdateFunctionUrlConfigInput {
        function_name: "f".to_owned(),
        cors: Some(api::Cors { max_age: Some(5), ..api::Cors::default() }),
        auth_type: Some(api::FunctionUrlAuthType::AwsIam),
        ..api::UpdateFunctionUrlConfigInput::default()
    };
    url_config::update(world.lambda.clone(), world.caller.clone(), input.clone()).await.unwrap();
    let world = world.restarted().await;
    let got = get(&world, Some("$LATEST")).await.unwrap();
    assert_eq!(got.function_url, created.function_url);
    assert_eq!(got.auth_type, api::FunctionUrlAuthType::AwsIam);
    assert_eq!(got.invoke_mode, Some(api::InvokeMode::Buffered));
    assert_eq!(got.cors.unwrap().max_age, Some(5));
    // What is not named stays, and rules without a rule are none.
    (input.auth_type, input.cors) = (None, Some(api::Cors::default()));
    let updated = url_config::update(world.lambda.clone(), world.caller.clone(), input);
    let updated = updated.await.unwrap();
    assert_eq!((updated.auth_type, updated.cors), (api::FunctionUrlAuthType::AwsIam, None));
}

#[tokio::test]
async fn functions_and_aliases_have_urls_and_versions_have_none() {
    let world = World::new().await;
    world.create("f").await;
    alias(&world).await;
    let of = |qualifier: &str| api::CreateFunctionUrlConfigInput {
        qualifier: Some(qualifier.to_owned()),
        ..url()
    };
    for missing in ["1", "TEST"] {
        let refused = create(&world, of(missing)).await.unwrap_err().to_string();
        assert_eq!(refused, "Function does not exist", "{missing}");
    }
    let own = create(&world, url()).await.unwrap();
    let alias = create(&world, of("PROD")).await.unwrap();
    assert_ne!(own.function_url, alias.function_url);
    assert_eq!(alias.function_arn, format!("{ARN}:PROD"));
    let mut input = api::ListFunctionUrlConfigsInput {
        function_name: "f".to_owned(),
        max_items: Some(1),
        marker: None,
    };
    let list = |input| url_config::list(world.lambda.clone(), world.caller.clone(), input);
    let first = list(input.clone()).await.unwrap();
    assert_eq!(first.function_url_configs[0].function_url, own.function_url);
    input.marker = first.next_marker;
    let second = list(input).await.unwrap();
    assert_eq!(second.function_url_configs[0].function_url, alias.function_url);
    assert_eq!(second.next_marker, None);

    let input = api::DeleteAliasInput { function_name: "f".to_owned(), name: "PROD".to_owned() };
    aliases::delete(world.lambda.clone(), world.caller.clone(), input).await.unwrap();
    assert!(matches!(get(&world, Some("PROD")).await, Err(Error::NoSuchResource)));
    assert!(get(&world, None).await.is_ok());
}

#[tokio::test]
async fn what_is_not_there_has_awss_words() {
    let world = World::new().await;
    let missing = create(&world, url()).await.unwrap_err().to_string();
    assert_eq!(missing, "Function does not exist");
    assert!(matches!(get(&world, None).await, Err(Error::NoSuchResource)));
    assert!(matches!(delete(&world).await, Err(Error::NoSuchResource)));
    world.create("f").await;
    assert!(matches!(delete(&world).await, Err(Error::NoSuchResource)));
    let input = api::UpdateFunctionUrlConfigInput {
        function_name: "f".to_owned(),
        ..api::UpdateFunctionUrlConfigInput::default()
    };
    let updated = url_config::update(world.lambda.clone(), world.caller.clone(), input).await;
    assert!(matches!(updated, Err(Error::NoSuchResource)));
    let input = api::CreateFunctionUrlConfigInput {
        function_name: format!("{ARN}:PROD"),
        qualifier: Some("TEST".to_owned()),
        ..url()
    };
    assert!(matches!(create(&world, input).await, Err(Error::QualifiersDiffer)));
}

#[tokio::test]
async fn a_request_needs_a_url_and_both_permissions() {
    let world = World::new().await;
    world.create("f").await;
    let address = create(&world, url()).await.unwrap().function_url;
    let forbidden = answer(&world, request(&address, &[])).await;
    assert_eq!(forbidden.0, 403);
    assert!(forbidden.1.starts_with(r#"{"Message":"Forbidden. For troubleshooting Function URL"#));
    let permission = api::AddPermissionInput {
        function_name: "f".to_owned(),
        statement_id: "url".to_owned(),
        action: "lambda:InvokeFunctionUrl".to_owned(),
        principal: "*".to_owned(),
        function_url_auth_type: Some(api::FunctionUrlAuthType::None),
        ..api::AddPermissionInput::default()
    };
    let add = |input| permissions::add(world.lambda.clone(), world.caller.clone(), input);
    add(permission.clone()).await.unwrap();
    assert_eq!(answer(&world, request(&address, &[])).await.0, 403);
    let second = api::AddPermissionInput {
        statement_id: "function".to_owned(),
        action: "lambda:InvokeFunction".to_owned(),
        function_url_auth_type: None,
        invoked_via_function_url: Some(true),
        ..permission
    };
    add(second).await.unwrap();
    // Now it runs, and the package is no program.
    let ran = (502, "Internal Server Error".to_owned());
    assert_eq!(answer(&world, request(&address, &[])).await, ran);

    let elsewhere = UrlRequest {
        name: UrlName { region: "eu-west-1".parse().unwrap(), ..request(&address, &[]).name },
        ..request(&address, &[])
    };
    let nobody = (403, r#"{"Message":null}"#.to_owned());
    assert_eq!(answer(&world, elsewhere).await, nobody);
    delete(&world).await.unwrap();
    assert_eq!(answer(&world, request(&address, &[])).await, nobody);
}

#[tokio::test]
async fn a_preflight_reaches_no_function() {
    let world = World::new().await;
    world.create("f").await;
    let list = |item: &str| Some(vec![item.to_owned()]);
    let cors = api::Cors {
        allow_origins: list("https://example.com"),
        allow_methods: list("*"),
        expose_headers: list("x-mine"),
        ..api::Cors::default()
    };
    let input = api::CreateFunctionUrlConfigInput {
        auth_type: api::FunctionUrlAuthType::AwsIam,
        cors: Some(cors),
        ..url()
    };
    let address = create(&world, input).await.unwrap().function_url;
    let asked = [("origin", "https://example.com"), ("access-control-request-method", "PUT")];
    let preflight = UrlRequest { method: "OPTIONS".to_owned(), ..request(&address, &asked) };
    let response = world.lambda.clone().serve(preflight).await.head;
    assert_eq!(response.status, 200);
    let found = headers(response);
    assert_eq!(found["access-control-allow-origin"], "https://example.com");
    assert_eq!(found["access-control-allow-methods"], "*");
    // Refusals can be read by the page, too.
    let refused = world.lambda.clone().serve(request(&address, &asked[..1])).await.head;
    assert_eq!(refused.status, 403);
    let found = headers(refused);
    assert_eq!(found["x-amzn-errortype"], "AccessDeniedException");
    assert_eq!(found["access-control-expose-headers"], "x-mine");
    assert!(found["x-amzn-trace-id"].starts_with("Root=1-"));
}
