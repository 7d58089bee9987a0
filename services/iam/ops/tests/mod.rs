//! The operations with a store in a temporary folder. Texts are those that AWS was recorded with.

mod group;
mod password;
mod policy;
mod provider;
mod report;
mod role;
mod user;

use std::sync::Arc;

use bus::Directory;
use kit::{AccountId, Caller, Clock, Principal, PrincipalKind, Region};
use model::iam as api;
use store::{DataFolder, Store};
use tempfile::TempDir;
use wire::ServiceError;

use super::*;
use crate::{Error, Iam};

const POLICY: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}"#;
const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
const LAMBDA_BASIC: &str = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole";

/// An open service whose account is `123456789012`.
struct Fixture {
    iam: Arc<Iam>,
    caller: Caller,
    clock: Clock,
    folder: TempDir,
}

impl Fixture {
    async fn new() -> Fixture {
        let folder = TempDir::new().unwrap();
        Fixture::open(folder).await
    }

    /// The same data after a restart.
    async fn restarted(self) -> Fixture {
        let Fixture { iam, folder, .. } = self;
        drop(iam);
        Fixture::open(folder).await
    }

    async fn open(folder: TempDir) -> Fixture {
        let store = Store::open(&DataFolder::open(folder.path()).unwrap()).unwrap();
        let clock = Clock::default();
        let iam = Iam::open(store, &Arc::new(Directory::default()), clock.clone()).await.unwrap();
        let account = "123456789012".parse::<AccountId>().unwrap();
        let caller = Caller::internal(account, Region::default(), clock.now());
        Fixture { iam, caller, clock, folder }
    }

    /// Service and caller, as every operation takes them.
    fn parts(&self) -> (Arc<Iam>, Caller) {
        (self.iam.clone(), self.caller.clone())
    }

    async fn user(&self, name: &str) -> api::User {
        let (iam, caller) = self.parts();
        let input = api::CreateUserInput { user_name: name.to_owned(), ..Default::default() };
        users::create(iam, caller, input).await.unwrap().user.unwrap()
    }

    async fn group(&self, name: &str) -> api::Group {
        let (iam, caller) = self.parts();
        let input = api::CreateGroupInput { group_name: name.to_owned(), ..Default::default() };
        groups::create(iam, caller, input).await.unwrap().group
    }

    async fn role(&self, name: &str) -> api::Role {
        let (iam, caller) = self.parts();
        roles::create(iam, caller, create_role(name)).await.unwrap().role
    }

    /// A managed policy; answers with its ARN.
    async fn policy(&self, name: &str) -> String {
        let (iam, caller) = self.parts();
        let input = api::CreatePolicyInput {
            policy_name: name.to_owned(),
            policy_document: POLICY.to_owned(),
            ..Default::default()
        };
        policies::create(iam, caller, input).await.unwrap().policy.unwrap().arn.unwrap()
    }

    async fn attach_to_role(&self, role: &str, arn: &str) -> Result<(), Error> {
        let (iam, caller) = self.parts();
        let input =
            api::AttachRolePolicyInput { role_name: role.to_owned(), policy_arn: arn.to_owned() };
        attachments::attach_role(iam, caller, input).await.map(drop)
    }

    /// The caller as a session of a role.
    fn session(&self) -> Caller {
        let arn = "arn:aws:sts::123456789012:assumed-role/r/s".parse().unwrap();
        let principal =
            Principal { arn, user_id: "AROA1:s".to_owned(), kind: PrincipalKind::AssumedRole };
        Caller { principal, ..self.caller.clone() }
    }
}

fn create_role(name: &str) -> api::CreateRoleInput {
    api::CreateRoleInput {
        role_name: name.to_owned(),
        assume_role_policy_document: TRUST.to_owned(),
        ..Default::default()
    }
}

fn tag(key: &str, value: &str) -> api::Tag {
    api::Tag { key: key.to_owned(), value: value.to_owned() }
}

/// Code and text of an error.
fn said(error: &Error) -> (String, String) {
    (error.fault().code.into_owned(), error.to_string())
}

#[track_caller]
fn assert_said<T: std::fmt::Debug>(result: Result<T, Error>, code: &str, text: &str) {
    let error = result.unwrap_err();
    assert_eq!(said(&error), (code.to_owned(), text.to_owned()));
}

#[tokio::test]
async fn every_typed_operation_is_in_the_table() {
    let fixture = Fixture::new().await;
    let table = fixture.iam.table();
    let built = (0..model::iam::SERVICE.operations.len()).filter(|at| table.has(*at)).count();
    assert_eq!(built, 137);
}

#[tokio::test]
async fn accounts_do_not_see_each_other() {
    let fixture = Fixture::new().await;
    fixture.user("bob").await;
    let (iam, mut caller) = fixture.parts();
    caller.account = "210987654321".parse().unwrap();
    let input = api::ListUsersInput::default();
    assert!(users::list(iam, caller, input).await.unwrap().users.is_empty());
}

#[tokio::test]
async fn an_alias_names_one_account() {
    let fixture = Fixture::new().await;
    let (iam, caller) = fixture.parts();
    let create = |caller: &Caller| {
        let input = api::CreateAccountAliasInput { account_alias: "mine".to_owned() };
        account::create_alias(iam.clone(), caller.clone(), input)
    };
    create(&caller).await.unwrap();
    let other = Caller { account: AccountId::DEFAULT, ..caller.clone() };
    let text = "The account alias mine already exists.";
    assert_said(create(&other).await, "EntityAlreadyExistsException", text);
    let listed =
        account::list_aliases(iam.clone(), caller.clone(), Default::default()).await.unwrap();
    assert_eq!(listed.account_aliases, ["mine"]);
    let input = api::DeleteAccountAliasInput { account_alias: "mine".to_owned() };
    account::delete_alias(iam.clone(), caller.clone(), input.clone()).await.unwrap();
    let text = "The account alias with name mine cannot be found.";
    assert_said(account::delete_alias(iam, caller, input).await, "NoSuchEntityException", text);
}

#[tokio::test]
async fn the_summary_counts() {
    let fixture = Fixture::new().await;
    fixture.user("bob").await;
    fixture.policy("p").await;
    let (iam, caller) = fixture.parts();
    let summary = account::summary(iam, caller, wire::Unit).await.unwrap().summary_map.unwrap();
    let of = |name: &str| summary[name];
    assert_eq!((of("Users"), of("Policies"), of("PolicyVersionsInUse"), of("Roles")), (1, 1, 1, 0));
    assert_eq!((of("UsersQuota"), of("RolePolicySizeQuota"), summary.len()), (5000, 10_240, 34));
}

#[tokio::test]
async fn details_hold_the_whole_account_in_pages() {
    let fixture = Fixture::new().await;
    fixture.user("bob").await;
    fixture.group("staff").await;
    fixture.role("worker").await;
    fixture.policy("mine").await;
    fixture.attach_to_role("worker", LAMBDA_BASIC).await.unwrap();
    let (iam, caller) = fixture.parts();
    let mut input =
        api::GetAccountAuthorizationDetailsInput { max_items: Some(2), ..Default::default() };
    let first = details::get(iam.clone(), caller.clone(), input.clone()).await.unwrap();
    assert_eq!(first.user_detail_list.unwrap().len(), 1);
    assert_eq!(first.group_detail_list.unwrap().len(), 1);
    assert_eq!(first.is_truncated, Some(true));
    input.marker = first.marker;
    input.max_items = None;
    let rest = details::get(iam.clone(), caller.clone(), input).await.unwrap();
    let roles = rest.role_detail_list.unwrap();
    assert_eq!(
        roles[0].attached_managed_policies.as_ref().unwrap()[0].policy_arn.as_deref(),
        Some(LAMBDA_BASIC)
    );
    let policies = rest.policies.unwrap();
    let names: Vec<_> = policies.iter().map(|it| it.policy_name.as_deref().unwrap()).collect();
    assert_eq!(
        (names, rest.is_truncated),
        (vec!["mine", "AWSLambdaBasicExecutionRole"], Some(false))
    );

    let filter = Some(vec![api::EntityType::Role]);
    let input = api::GetAccountAuthorizationDetailsInput { filter, ..Default::default() };
    let only = details::get(iam, caller, input).await.unwrap();
    assert_eq!(only.role_detail_list.unwrap().len(), 1);
    assert!(only.user_detail_list.unwrap().is_empty() && only.policies.unwrap().is_empty());
}
