//! The operations with a store in a temporary folder. IAM is a double here: one role, one user.

mod vouched;

use std::sync::{Arc, Mutex};

use bus::{Directory, Identities, NoFactor, Provider, Role, Roles, Vouched};
use kit::{AccountId, Arn, Caller, Clock, Millis, Principal, Region};
use model::sts as api;
use store::{DataFolder, Store};
use tempfile::TempDir;
use wire::{KeyError, Keys, ServiceError};

use super::*;
use crate::Error;

const ROLE: &str = "arn:aws:iam::111111111111:role/path/worker";

const DEVICE: &str = "arn:aws:iam::000000000000:mfa/ana";

const PROVIDER: &str = "arn:aws:iam::111111111111:oidc-provider/127.0.0.1";

#[derive(Default)]
struct Iam {
    used: Mutex<Vec<String>>,
}

impl Identities for Iam {
    fn role(&self, role: &Arn) -> Option<Role> {
        let role_is_known = role.as_str() == ROLE;
        role_is_known.then(|| Role {
            id: "AROAWORKER".to_owned(),
            name: "worker".to_owned(),
            max_session_seconds: 7200,
        })
    }

    fn role_used(&self, role: &Arn, _: &Region, _: Millis) {
        self.used.lock().unwrap().push(role.to_string());
    }

    fn check_policy(&self, document: &str) -> Result<(), String> {
        if document.starts_with('{') { Ok(()) } else { Err("Syntax errors in policy.".to_owned()) }
    }

    fn provider(&self, _: AccountId, issuer: &str) -> Option<Provider> {
        let provider = Provider {
            arn: PROVIDER.parse().unwrap(),
            name: issuer.strip_prefix("http://")?.to_owned(),
            client_ids: vec!["app".to_owned()],
        };
        issuer.starts_with("http://127.0.0.1:").then_some(provider)
    }

    fn trusts(&self, vouched: &Vouched<'_>) -> bool {
        let subject = vouched.keys.iter().find(|(key, _)| key.ends_with(":sub"));
        vouched.role.as_str() == ROLE
            && vouched.provider.as_str() == PROVIDER
            && subject.is_some_and(|(_, values)| *values == ["friend"])
    }

    fn second_factor(&self, _: &Caller, serial: &str, code: &str) -> Result<(), NoFactor> {
        match (serial, code) {
            (DEVICE, "123456") => Ok(()),
            (DEVICE, _) => Err(NoFactor::Code),
            _ => Err(NoFactor::Device),
        }
    }
}

fn function() -> Arn {
    "arn:aws:lambda:us-east-1:000000000000:function:f".parse().unwrap()
}

async fn open(folder: &TempDir) -> (Arc<Sts>, Arc<Iam>) {
    let folder = DataFolder::open(folder.path()).unwrap();
    let store = Store::open(&folder).unwrap();
    let directory = Directory::default();
    let iam = Arc::new(Iam::default());
    directory.offer_identities(iam.clone());
    let sts = Sts::open(store, &directory, Clock::default()).await.unwrap();
    (sts, iam)
}

fn caller(now: u64) -> Caller {
    Caller::internal(AccountId::DEFAULT, Region::default(), Millis(now))
}

/// A caller with the credentials of an answer.
fn caller_with(sts: &Sts, credentials: &api::Credentials, now: u64) -> Caller {
    let token = Some(credentials.session_token.as_str());
    let key = sts.find(&credentials.access_key_id, token, Millis(now)).unwrap();
    Caller {
        account: key.account,
        principal: key.principal,
        access_key: credentials.access_key_id.clone(),
        session: key.session,
        ..caller(now)
    }
}

fn assume(session: &str) -> api::AssumeRoleInput {
    api::AssumeRoleInput {
        role_arn: ROLE.to_owned(),
        role_session_name: session.to_owned(),
        ..api::AssumeRoleInput::default()
    }
}

fn tag(key: &str) -> api::Tag {
    api::Tag { key: key.to_owned(), value: "1".to_owned() }
}

#[tokio::test]
async fn a_session_of_another_accounts_role_signs_until_its_end() {
    let folder = TempDir::new().unwrap();
    let (sts, iam) = open(&folder).await;
    let output = assume_role::run(sts.clone(), caller(5_500), assume("me")).await.unwrap();
    let user = output.assumed_role_user.unwrap();
    assert_eq!(user.assumed_role_id, "AROAWORKER:me");
    assert_eq!(user.arn, "arn:aws:sts::111111111111:assumed-role/worker/me");
    assert_eq!((output.packed_policy_size, output.source_identity), (None, None));
    assert_eq!(*iam.used.lock().unwrap(), [ROLE]);

    let credentials = output.credentials.unwrap();
    assert!(credentials.access_key_id.starts_with("ASIA"));
    assert_eq!(credentials.access_key_id.len(), 20);
    assert_eq!(credentials.expiration, Millis(5_000 + 3_600_000));
    let find = |token, now| sts.find(&credentials.access_key_id, token, Millis(now));
    let token = Some(credentials.session_token.as_str());
    let key = find(token, 3_604_999).unwrap();
    assert_eq!(
        (key.secret, key.principal.arn.to_string()),
        (credentials.secret_access_key, user.arn)
    );
    assert_eq!(find(token, 3_605_000).unwrap_err(), KeyError::Expired);
    assert_eq!(find(None, 6_000).unwrap_err(), KeyError::BadToken);
    assert_eq!(find(Some("x"), 6_000).unwrap_err(), KeyError::BadToken);
}

#[tokio::test]
async fn a_token_is_good_for_its_own_access_key_only() {
    let folder = TempDir::new().unwrap();
    let (sts, _) = open(&folder).await;
    let one = assume_role::run(sts.clone(), caller(0), assume("one")).await.unwrap();
    let other = assume_role::run(sts.clone(), caller(0), assume("other")).await.unwrap();
    let (one, other) = (one.credentials.unwrap(), other.credentials.unwrap());
    let mixed = sts.find(&one.access_key_id, Some(&other.session_token), Millis(1));
    assert_eq!(mixed.unwrap_err(), KeyError::BadToken);
}

#[tokio::test]
async fn sessions_survive_a_restart() {
    let folder = TempDir::new().unwrap();
    let (sts, _) = open(&folder).await;
    let role: Arn = ROLE.parse().unwrap();
    let lifetime = std::time::Duration::from_secs(60);
    let credentials = sts.assume(&role, "function", &function(), lifetime).await;
    drop(sts);
    let (sts, _) = open(&folder).await;
    let token = Some(credentials.session_token.as_str());
    let now = Millis(credentials.expires.0 - 1);
    let key = sts.find(&credentials.access_key_id, token, now).unwrap();
    assert_eq!(key.secret, credentials.secret_access_key);
    assert_eq!(key.principal.user_id, "AROAWORKER:function");
}

#[tokio::test]
async fn a_service_assumes_roles_that_do_not_exist() {
    let folder = TempDir::new().unwrap();
    let (sts, _) = open(&folder).await;
    let role: Arn = "arn:aws:iam::000000000000:role/x".parse().unwrap();
    assert!(!sts.exists(&role).await);
    let credentials = sts.assume(&role, "f", &function(), std::time::Duration::from_secs(60)).await;
    let token = Some(credentials.session_token.as_str());
    let key = sts.find(&credentials.access_key_id, token, Millis(0)).unwrap();
    assert_eq!(key.principal.arn.as_str(), "arn:aws:sts::000000000000:assumed-role/x/f");
}

#[tokio::test]
async fn roles_are_assumed_within_their_bounds() {
    let folder = TempDir::new().unwrap();
    let (sts, _) = open(&folder).await;
    let fails = async |change: fn(&mut api::AssumeRoleInput)| {
        let mut input = assume("me");
        change(&mut input);
        assume_role::run(sts.clone(), caller(0), input).await.unwrap_err()
    };
    let error = fails(|it| it.role_arn = "nothing-valid-in-here".to_owned()).await;
    assert_eq!(error.to_string(), "nothing-valid-in-here is invalid");
    let error = fails(|it| it.role_arn = "arn:aws:iam::111111111111:role/none".to_owned()).await;
    assert_eq!(
        error.to_string(),
        "User: arn:aws:iam::000000000000:root is not authorized to perform: sts:AssumeRole on \
         resource: arn:aws:iam::111111111111:role/none"
    );
    assert_eq!((error.fault().code, error.fault().status), ("AccessDenied".into(), Some(403)));
    assert_eq!(fails(|it| it.duration_seconds = Some(7201)).await, Error::LongerThanRoleAllows);
    let twice = fails(|it| it.tags = Some(vec![tag("cost"), tag("Cost")])).await;
    assert_eq!(twice, Error::DuplicateTags);
    let unknown = fails(|it| it.transitive_tag_keys = Some(vec!["cost".to_owned()])).await;
    assert_eq!(unknown, Error::UnknownTransitiveTag);
    let half = fails(|it| it.serial_number = Some(DEVICE.to_owned())).await;
    assert_eq!(half, Error::HalfAnMfaProof);
    let with = async |serial: &'static str, code: &'static str| {
        let (serial_number, token_code) = (Some(serial.to_owned()), Some(code.to_owned()));
        let input = api::AssumeRoleInput { serial_number, token_code, ..assume("me") };
        assume_role::run(sts.clone(), caller(0), input).await.map(drop)
    };
    assert_eq!(with(DEVICE, "654321").await, Err(Error::WrongMfaCode));
    assert_eq!(with("arn:other", "123456").await, Err(Error::UnknownMfaDevice));
    assert_eq!(with(DEVICE, "123456").await, Ok(()));
    let policy = fails(|it| it.policy = Some("no".to_owned())).await;
    assert_eq!(policy, Error::MalformedPolicy("Syntax errors in policy.".to_owned()));
    let large = fails(|it| it.policy = Some(format!("{{{}", "x".repeat(2048)))).await;
    assert_eq!(large, Error::PolicyTooLarge(101));
}

#[tokio::test]
async fn a_session_assumes_roles_for_an_hour_at_most() {
    let folder = TempDir::new().unwrap();
    let (sts, _) = open(&folder).await;
    let first = assume_role::run(sts.clone(), caller(0), assume("first")).await.unwrap();
    let chained = caller_with(&sts, &first.credentials.unwrap(), 1);
    let long = api::AssumeRoleInput { duration_seconds: Some(3601), ..assume("second") };
    let error = assume_role::run(sts.clone(), chained.clone(), long).await.unwrap_err();
    assert_eq!(error, Error::LongerThanChainAllows);
    let hour = api::AssumeRoleInput { duration_seconds: Some(3600), ..assume("second") };
    assert!(assume_role::run(sts, chained, hour).await.is_ok());
}

#[tokio::test]
async fn what_narrows_and_describes_a_session_is_in_its_token() {
    let folder = TempDir::new().unwrap();
    let (sts, _) = open(&folder).await;
    let input = api::AssumeRoleInput {
        policy: Some("{}".to_owned()),
        policy_arns: Some(vec![api::PolicyDescriptorType { arn: Some("arn:x".to_owned()) }]),
        tags: Some(vec![tag("cost")]),
        transitive_tag_keys: Some(vec!["cost".to_owned()]),
        source_identity: Some("me".to_owned()),
        ..assume("s")
    };
    let output = assume_role::run(sts.clone(), caller(0), input).await.unwrap();
    assert_eq!(output.packed_policy_size, Some(1));
    assert_eq!(output.source_identity.as_deref(), Some("me"));
    let session = sts.seal.open(&output.credentials.unwrap().session_token).unwrap();
    assert_eq!(session.narrowed.inline.as_deref(), Some("{}"));
    assert_eq!(session.narrowed.managed, ["arn:x"]);
    assert_eq!(session.tags.get("cost").map(String::as_str), Some("1"));
    assert_eq!(session.transitive, ["cost"]);
    assert_eq!(session.source_identity.as_deref(), Some("me"));
}

#[tokio::test]
async fn a_caller_gets_credentials_for_itself_and_for_others() {
    let folder = TempDir::new().unwrap();
    let (sts, _) = open(&folder).await;
    let input = api::GetSessionTokenInput::default();
    let own = get_session_token::run(sts.clone(), caller(0), input.clone()).await.unwrap();
    let own = own.credentials.unwrap();
    // An account's own session lasts an hour.
    assert_eq!(own.expiration, Millis(3_600_000));
    let session = caller_with(&sts, &own, 1);
    assert_eq!(session.principal, Principal::root(AccountId::DEFAULT));
    let again = get_session_token::run(sts.clone(), session, input).await.unwrap_err();
    assert_eq!(again.to_string(), "Cannot call GetSessionToken with session credentials");

    let input = api::GetFederationTokenInput {
        name: "bob".to_owned(),
        ..api::GetFederationTokenInput::default()
    };
    let output = get_federation_token::run(sts.clone(), caller(0), input).await.unwrap();
    let user = output.federated_user.unwrap();
    assert_eq!(user.arn, "arn:aws:sts::000000000000:federated-user/bob");
    assert_eq!(user.federated_user_id, "000000000000:bob");
    assert_eq!(output.packed_policy_size, Some(0));
    let bob = caller_with(&sts, &output.credentials.unwrap(), 1);
    let identity = api::GetCallerIdentityInput::default();
    let identity = get_caller_identity::run(sts, bob, identity).await.unwrap();
    assert_eq!(identity.arn.as_deref(), Some(user.arn.as_str()));
    assert_eq!(identity.user_id.as_deref(), Some("000000000000:bob"));
    assert_eq!(identity.account.as_deref(), Some("000000000000"));
}

#[tokio::test]
async fn keys_of_users_are_unknown_here() {
    let folder = TempDir::new().unwrap();
    let (sts, _) = open(&folder).await;
    let user = sts.find("AKIAQNZGKIQY56JQ7WML", None, Millis(0));
    assert_eq!(user.unwrap_err(), KeyError::Unknown);
}

#[tokio::test]
async fn an_access_keys_id_says_its_account() {
    let folder = TempDir::new().unwrap();
    let (sts, _) = open(&folder).await;
    let info = async |id: &str| {
        let input = api::GetAccessKeyInfoInput { access_key_id: id.to_owned() };
        get_access_key_info::run(sts.clone(), caller(0), input).await
    };
    let output = info("ASIAQNZGKIQY56JQ7WML").await.unwrap();
    assert_eq!(output.account.as_deref(), Some("029608264753"));
    assert!(info("AKIAIOSFODNN7EXAMPLE").await.is_err());
}

#[tokio::test]
async fn the_table_has_the_operations() {
    let folder = TempDir::new().unwrap();
    let (sts, _) = open(&folder).await;
    let table = sts.table();
    let has = |name| table.has(model::sts::SERVICE.operation(name).unwrap());
    assert!(has("AssumeRole") && has("GetCallerIdentity"));
    assert!(!has("AssumeRoleWithSAML"));
}
