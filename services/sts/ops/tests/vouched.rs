//! What sessions hand on to those begun from them, and tokens that vouch for somebody.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use super::*;

#[tokio::test]
async fn a_session_hands_on_its_transitive_tags_and_who_is_behind_it() {
    let folder = TempDir::new().unwrap();
    let (sts, _) = open(&folder).await;
    let input = api::AssumeRoleInput {
        tags: Some(vec![tag("cost"), tag("own")]),
        transitive_tag_keys: Some(vec!["cost".to_owned()]),
        source_identity: Some("me".to_owned()),
        ..assume("first")
    };
    let first = assume_role::run(sts.clone(), caller(0), input).await.unwrap();
    let first = caller_with(&sts, &first.credentials.unwrap(), 1);
    let second = assume_role::run(sts.clone(), first.clone(), assume("second")).await.unwrap();
    assert_eq!(second.source_identity.as_deref(), Some("me"));
    let session = sts.seal.open(&second.credentials.unwrap().session_token).unwrap();
    assert_eq!(session.tags.keys().collect::<Vec<_>>(), ["cost"]);
    assert_eq!(session.transitive, ["cost"]);

    let again = api::AssumeRoleInput { tags: Some(vec![tag("Cost")]), ..assume("third") };
    let error = assume_role::run(sts.clone(), first.clone(), again).await.unwrap_err();
    assert_eq!(error, Error::InheritedTag);
    let other = api::AssumeRoleInput { source_identity: Some("you".to_owned()), ..assume("third") };
    let error = assume_role::run(sts, first, other).await.unwrap_err();
    assert_eq!(error.fault().code, "AccessDenied");
}

#[tokio::test]
async fn tokens_that_nobody_answers_for_are_refused() {
    let folder = TempDir::new().unwrap();
    let (sts, _) = open(&folder).await;
    let with = |token: &str| api::AssumeRoleWithWebIdentityInput {
        role_arn: ROLE.to_owned(),
        role_session_name: "me".to_owned(),
        web_identity_token: token.to_owned(),
        ..Default::default()
    };
    let assume =
        |token: &str| assume_role_with_web_identity::run(sts.clone(), caller(0), with(token));
    assert_eq!(assume("text").await.unwrap_err(), Error::NoToken);
    let token = |issuer: &str| {
        let part = |json: String| URL_SAFE_NO_PAD.encode(json);
        let header = part(r#"{"alg":"RS256","kid":"k"}"#.to_owned());
        format!("{header}.{}.c2ln", part(format!(r#"{{"iss":"{issuer}"}}"#)))
    };
    let unknown = assume(&token("https://id.example.com")).await.unwrap_err();
    assert_eq!(unknown, Error::NoProvider("https://id.example.com".to_owned()));
    // Nobody listens there: the port was just given back.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let silent = assume(&token(&format!("http://127.0.0.1:{port}"))).await.unwrap_err();
    assert_eq!(silent, Error::IssuerUnreachable);
    assert_eq!(silent.fault().code, "IDPCommunicationErrorException");
}

#[tokio::test]
async fn no_authorization_message_is_of_this_server() {
    let folder = TempDir::new().unwrap();
    let (sts, _) = open(&folder).await;
    let input = api::DecodeAuthorizationMessageInput { encoded_message: "abc".to_owned() };
    let error = decode_authorization_message::run(sts, caller(0), input).await.unwrap_err();
    assert_eq!(error.fault().code, "InvalidAuthorizationMessageException");
}
