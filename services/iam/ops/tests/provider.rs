//! OpenID Connect and SAML providers.

use super::*;
use crate::saml_provider::tests::metadata;

const URL: &str = "https://id.example.com/team";
const ARN: &str = "arn:aws:iam::123456789012:oidc-provider/id.example.com/team";

async fn create(
    fixture: &Fixture,
    change: impl FnOnce(&mut api::CreateOpenIDConnectProviderInput),
) -> Result<api::CreateOpenIDConnectProviderOutput, Error> {
    let (iam, caller) = fixture.parts();
    let mut input =
        api::CreateOpenIDConnectProviderInput { url: URL.to_owned(), ..Default::default() };
    change(&mut input);
    oidc_providers::create(iam, caller, input).await
}

async fn get(fixture: &Fixture) -> Result<api::GetOpenIDConnectProviderOutput, Error> {
    let (iam, caller) = fixture.parts();
    let open_id_connect_provider_arn = ARN.to_owned();
    let input = api::GetOpenIDConnectProviderInput { open_id_connect_provider_arn };
    oidc_providers::get(iam, caller, input).await
}

#[tokio::test]
async fn a_provider_is_shown_as_it_was_made_and_changed() {
    let fixture = Fixture::new().await;
    let made = create(&fixture, |input| {
        input.client_id_list = Some(vec!["app".to_owned()]);
        input.tags = Some(vec![tag("a", "1")]);
    });
    let made = made.await.unwrap();
    assert_eq!(made.open_id_connect_provider_arn.as_deref(), Some(ARN));
    let (iam, caller) = fixture.parts();
    let arn = ARN.to_owned();
    let add = |client_id: &str| api::AddClientIDToOpenIDConnectProviderInput {
        open_id_connect_provider_arn: ARN.to_owned(),
        client_id: client_id.to_owned(),
    };
    for id in ["app", "other"] {
        oidc_providers::add_client(iam.clone(), caller.clone(), add(id)).await.unwrap();
    }
    let input = api::RemoveClientIDFromOpenIDConnectProviderInput {
        open_id_connect_provider_arn: arn.clone(),
        client_id: "app".to_owned(),
    };
    oidc_providers::remove_client(iam.clone(), caller.clone(), input).await.unwrap();
    let input = api::UpdateOpenIDConnectProviderThumbprintInput {
        open_id_connect_provider_arn: arn,
        thumbprint_list: vec!["c".repeat(40)],
    };
    oidc_providers::update_thumbprint(iam, caller, input).await.unwrap();

    let fixture = fixture.restarted().await;
    let shown = get(&fixture).await.unwrap();
    assert_eq!(shown.url.as_deref(), Some("id.example.com/team"));
    assert_eq!(shown.client_id_list, Some(vec!["other".to_owned()]));
    assert_eq!(shown.thumbprint_list, Some(vec!["c".repeat(40)]));
    assert_eq!(shown.tags, Some(vec![tag("a", "1")]));
    let account = fixture.iam.account(fixture.caller.account);
    assert!(
        account.issuer(URL).is_some() && account.issuer("http://id.example.com/team").is_none()
    );
}

#[tokio::test]
async fn providers_are_refused_in_awss_words() {
    let fixture = Fixture::new().await;
    let text = format!("OpenIDConnect Provider not found for arn {ARN}");
    assert_said(get(&fixture).await, "NoSuchEntityException", &text);
    let (iam, caller) = fixture.parts();
    let open_id_connect_provider_arn = ARN.to_owned();
    let input = api::DeleteOpenIDConnectProviderInput { open_id_connect_provider_arn };
    let text = format!("OpenId connect Provider {ARN} cannot be found.");
    assert_said(oidc_providers::delete(iam, caller, input).await, "NoSuchEntityException", &text);

    create(&fixture, |_| {}).await.unwrap();
    let text = format!("Provider with url {URL} already exists.");
    assert_said(create(&fixture, |_| {}).await, "EntityAlreadyExistsException", &text);
    let plain = create(&fixture, |input| input.url = "http://id.example.com".to_owned()).await;
    assert_said(plain, "ValidationError", "Invalid Open ID Connect Provider URL");
    let many = create(&fixture, |it| it.thumbprint_list = Some(vec!["a".repeat(40); 6])).await;
    let text = "Thumbprint list must contain fewer than 5 entries.";
    assert_said(many, "InvalidInputException", text);
    let many = create(&fixture, |it| it.client_id_list = Some(vec!["a".to_owned(); 101])).await;
    let text = "Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: 100";
    assert_said(many, "LimitExceededException", text);
}

#[tokio::test]
async fn the_tags_of_providers_have_a_limit_of_their_own() {
    let fixture = Fixture::new().await;
    create(&fixture, |_| {}).await.unwrap();
    let (iam, caller) = fixture.parts();
    let tags = |count: usize| api::TagOpenIDConnectProviderInput {
        open_id_connect_provider_arn: ARN.to_owned(),
        tags: (0..count).map(|n| tag(&n.to_string(), "")).collect(),
    };
    oidc_providers::tag(iam.clone(), caller.clone(), tags(50)).await.unwrap();
    let text = "The number of tags has reached the maximum limit.";
    assert_said(oidc_providers::tag(iam, caller, tags(51)).await, "LimitExceededException", text);
}

#[tokio::test]
async fn a_saml_provider_is_its_metadata() {
    let fixture = Fixture::new().await;
    let (iam, caller) = fixture.parts();
    let input = |document: String| api::CreateSAMLProviderInput {
        name: "corp".to_owned(),
        saml_metadata_document: document,
        ..Default::default()
    };
    let bad = saml_providers::create(iam.clone(), caller.clone(), input("x".repeat(1000))).await;
    assert_said(bad, "InvalidInputException", "Could not parse metadata");
    let document = metadata(r#"validUntil="2030-01-01T00:00:00Z""#);
    let made = saml_providers::create(iam.clone(), caller.clone(), input(document.clone())).await;
    let arn = made.unwrap().saml_provider_arn.unwrap();
    assert_eq!(arn, "arn:aws:iam::123456789012:saml-provider/corp");

    let get = |arn: &str| {
        let input = api::GetSAMLProviderInput { saml_provider_arn: arn.to_owned() };
        saml_providers::get(iam.clone(), caller.clone(), input)
    };
    let shown = get(&arn).await.unwrap();
    assert_eq!(shown.saml_metadata_document, Some(document));
    assert_eq!(shown.valid_until.map(|it| it.0), Some(1_893_456_000_000));
    assert!(shown.saml_provider_uuid.is_some_and(|id| id.len() >= 22));
    assert_eq!(shown.assertion_encryption_mode, Some(api::AssertionEncryptionModeType::Allowed));
    let none = format!("{arn}x");
    let text = format!("Manifest not found for arn {none}");
    assert_said(get(&none).await, "NoSuchEntityException", &text);
    let key = api::UpdateSAMLProviderInput {
        saml_provider_arn: arn,
        add_private_key: Some("k".to_owned()),
        ..Default::default()
    };
    let refused = saml_providers::update(iam.clone(), caller.clone(), key).await.unwrap_err();
    assert_eq!(
        (refused.fault().code.as_ref(), refused.fault().status),
        ("NotImplemented", Some(501))
    );
    let summary = account::summary(iam, caller, wire::Unit).await.unwrap().summary_map.unwrap();
    assert_eq!(summary["Providers"], 1);
}
