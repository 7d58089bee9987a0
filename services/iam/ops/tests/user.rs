//! Users and access keys.

use wire::{KeyError, Keys as _};

use super::*;
use crate::resource::second;

fn named(name: &str) -> Option<String> {
    Some(name.to_owned())
}

async fn delete(fixture: &Fixture, name: &str) -> Result<wire::Unit, Error> {
    let (iam, caller) = fixture.parts();
    users::delete(iam, caller, api::DeleteUserInput { user_name: name.to_owned() }).await
}

async fn key(fixture: &Fixture, name: &str) -> Result<api::AccessKey, Error> {
    let (iam, caller) = fixture.parts();
    let input = api::CreateAccessKeyInput { user_name: named(name) };
    access_keys::create(iam, caller, input).await.map(|output| output.access_key)
}

#[tokio::test]
async fn a_user_lives_from_create_to_delete() {
    let fixture = Fixture::new().await;
    let (iam, caller) = fixture.parts();
    let input = api::CreateUserInput {
        user_name: "Bob".to_owned(),
        path: named("/staff/"),
        tags: Some(vec![tag("team", "a")]),
        ..Default::default()
    };
    let made = users::create(iam.clone(), caller.clone(), input.clone()).await.unwrap();
    let made = made.user.unwrap();
    assert_eq!(made.arn, "arn:aws:iam::123456789012:user/staff/Bob");
    assert_eq!((&made.user_id[..4], made.user_id.len()), ("AIDA", 21));
    assert_eq!(made.tags, Some(vec![tag("team", "a")]));

    // Names that differ in case only are the same name.
    let again = api::CreateUserInput { user_name: "BOB".to_owned(), ..input };
    assert_said(
        users::create(iam.clone(), caller.clone(), again).await,
        "EntityAlreadyExistsException",
        "User with name BOB already exists.",
    );
    let get = api::GetUserInput { user_name: named("bob") };
    assert_eq!(users::get(iam.clone(), caller.clone(), get.clone()).await.unwrap().user, made);
    delete(&fixture, "Bob").await.unwrap();
    let missing = users::get(iam, caller, get).await;
    assert_said(missing, "NoSuchEntityException", "The user with name bob cannot be found.");
}

#[tokio::test]
async fn a_renamed_user_keeps_id_keys_and_groups() {
    let fixture = Fixture::new().await;
    let made = fixture.user("bob").await;
    fixture.user("eve").await;
    fixture.group("staff").await;
    let key = key(&fixture, "bob").await.unwrap();
    let (iam, caller) = fixture.parts();
    let join =
        api::AddUserToGroupInput { group_name: "staff".to_owned(), user_name: "bob".to_owned() };
    groups::add_user(iam.clone(), caller.clone(), join).await.unwrap();

    let rename = |new: &str| api::UpdateUserInput {
        user_name: "bob".to_owned(),
        new_user_name: named(new),
        new_path: named("/x/"),
    };
    let taken = users::update(iam.clone(), caller.clone(), rename("Eve")).await;
    assert_said(taken, "EntityAlreadyExistsException", "User with name Eve already exists.");
    users::update(iam, caller, rename("rob")).await.unwrap();

    let fixture = fixture.restarted().await;
    let (iam, caller) = fixture.parts();
    let found = iam.find(&key.access_key_id, None, caller.now).unwrap();
    assert_eq!(found.principal.arn.as_str(), "arn:aws:iam::123456789012:user/x/rob");
    assert_eq!((found.principal.user_id, found.secret), (made.user_id, key.secret_access_key));
    let input = api::ListGroupsForUserInput { user_name: "rob".to_owned(), ..Default::default() };
    assert_eq!(groups::list_for_user(iam, caller, input).await.unwrap().groups.len(), 1);
}

#[tokio::test]
async fn a_user_in_use_stays() {
    let fixture = Fixture::new().await;
    let (iam, caller) = fixture.parts();
    fixture.user("bob").await;
    let key = key(&fixture, "bob").await.unwrap();
    let conflict = async |what: &str| {
        let text = format!("Cannot delete entity, must {what} first.");
        assert_said(delete(&fixture, "bob").await, "DeleteConflictException", &text);
    };
    conflict("delete access keys").await;
    let input =
        api::DeleteAccessKeyInput { user_name: named("bob"), access_key_id: key.access_key_id };
    access_keys::delete(iam.clone(), caller.clone(), input).await.unwrap();
    let input = api::AttachUserPolicyInput {
        user_name: "bob".to_owned(),
        policy_arn: LAMBDA_BASIC.to_owned(),
    };
    attachments::attach_user(iam.clone(), caller.clone(), input).await.unwrap();
    conflict("detach all policies").await;
    let input = api::DetachUserPolicyInput {
        user_name: "bob".to_owned(),
        policy_arn: LAMBDA_BASIC.to_owned(),
    };
    attachments::detach_user(iam.clone(), caller.clone(), input).await.unwrap();
    let input = api::PutUserPolicyInput {
        user_name: "bob".to_owned(),
        policy_name: "p".to_owned(),
        policy_document: POLICY.to_owned(),
    };
    inline::put_user(iam.clone(), caller.clone(), input).await.unwrap();
    conflict("delete policies").await;
    let input =
        api::DeleteUserPolicyInput { user_name: "bob".to_owned(), policy_name: "p".to_owned() };
    inline::delete_user(iam, caller, input).await.unwrap();
    delete(&fixture, "bob").await.unwrap();
}

#[tokio::test]
async fn users_come_in_pages_by_name() {
    let fixture = Fixture::new().await;
    for name in ["b", "C", "a", "D", "e"] {
        fixture.user(name).await;
    }
    let (iam, caller) = fixture.parts();
    let mut names = Vec::new();
    let mut input = api::ListUsersInput { max_items: Some(2), ..Default::default() };
    loop {
        let page = users::list(iam.clone(), caller.clone(), input.clone()).await.unwrap();
        assert_eq!(page.is_truncated, Some(page.marker.is_some()));
        names.extend(page.users.into_iter().map(|user| user.user_name));
        input.marker = page.marker;
        if input.marker.is_none() {
            break;
        }
    }
    assert_eq!(names, ["a", "b", "C", "D", "e"]);
    input.marker = named("?");
    assert_said(users::list(iam, caller, input).await, "ValidationError", "Invalid Marker.");
}

#[tokio::test]
async fn a_user_has_two_access_keys_at_most() {
    let fixture = Fixture::new().await;
    fixture.user("bob").await;
    let made = key(&fixture, "bob").await.unwrap();
    assert_eq!((&made.access_key_id[..4], made.access_key_id.len()), ("AKIA", 20));
    assert_eq!((made.secret_access_key.len(), made.status), (40, api::StatusType::Active));
    key(&fixture, "bob").await.unwrap();
    let text = "Cannot exceed quota for AccessKeysPerUser: 2";
    assert_said(key(&fixture, "bob").await, "LimitExceededException", text);
    let (iam, caller) = fixture.parts();
    let input = api::ListAccessKeysInput { user_name: named("bob"), ..Default::default() };
    let listed = access_keys::list(iam, caller, input).await.unwrap();
    assert_eq!(listed.access_key_metadata.len(), 2);
}

#[tokio::test]
async fn an_inactive_key_is_known_but_signs_nothing() {
    let fixture = Fixture::new().await;
    fixture.user("bob").await;
    let made = key(&fixture, "bob").await.unwrap();
    let (iam, caller) = fixture.parts();
    let id = made.access_key_id;
    let update = |access_key_id: &str| api::UpdateAccessKeyInput {
        user_name: named("bob"),
        access_key_id: access_key_id.to_owned(),
        status: api::StatusType::Inactive,
    };
    access_keys::update(iam.clone(), caller.clone(), update(&id)).await.unwrap();
    assert!(!iam.find(&id, None, caller.now).unwrap().active);
    assert_eq!(iam.find(&id, Some("token"), caller.now).unwrap_err(), KeyError::BadToken);
    let unknown = update("AKIAIOSFODNN7EXAMPLE");
    assert_said(
        access_keys::update(iam.clone(), caller.clone(), unknown).await,
        "NoSuchEntityException",
        "The Access Key with id AKIAIOSFODNN7EXAMPLE cannot be found.",
    );
    let input = api::DeleteAccessKeyInput { user_name: named("bob"), access_key_id: id.clone() };
    access_keys::delete(iam.clone(), caller.clone(), input).await.unwrap();
    assert_eq!(iam.find(&id, None, caller.now).unwrap_err(), KeyError::Unknown);
}

#[tokio::test]
async fn the_last_use_of_a_key_survives_a_restart() {
    let fixture = Fixture::new().await;
    fixture.user("bob").await;
    let id = key(&fixture, "bob").await.unwrap().access_key_id;
    let last_used = async |fixture: &Fixture, id: &str| {
        let (iam, caller) = fixture.parts();
        let input = api::GetAccessKeyLastUsedInput { access_key_id: id.to_owned() };
        access_keys::last_used(iam, caller, input).await
    };
    let unused = last_used(&fixture, &id).await.unwrap().access_key_last_used.unwrap();
    assert_eq!((unused.service_name.as_str(), unused.last_used_date), ("N/A", None));

    let now = fixture.clock.now();
    fixture.iam.used(&id, "s3", "eu-west-1", now);
    fixture.iam.shutdown().await;
    let fixture = fixture.restarted().await;
    let output = last_used(&fixture, &id).await.unwrap();
    let used = output.access_key_last_used.unwrap();
    assert_eq!((used.service_name.as_str(), used.region.as_str()), ("s3", "eu-west-1"));
    assert_eq!(
        (used.last_used_date, output.user_name.as_deref()),
        (Some(second(now)), Some("bob"))
    );
    assert_said(
        last_used(&fixture, "AKIAIOSFODNN7EXAMPLE").await,
        "AccessDenied",
        "User: arn:aws:iam::123456789012:root is not authorized to perform \
         iam:GetAccessKeyLastUsed on resource: access key AKIAIOSFODNN7EXAMPLE",
    );
}

#[tokio::test]
async fn without_a_name_a_request_is_about_the_caller() {
    let fixture = Fixture::new().await;
    fixture.user("bob").await;
    let id = key(&fixture, "bob").await.unwrap().access_key_id;
    let (iam, root) = fixture.parts();
    let bob =
        Caller { principal: iam.find(&id, None, root.now).unwrap().principal, ..root.clone() };
    let get = |caller: Caller| users::get(iam.clone(), caller, api::GetUserInput::default());
    assert_eq!(get(bob.clone()).await.unwrap().user.user_name, "bob");
    assert_eq!(get(root.clone()).await.unwrap().user.user_id, "123456789012");
    let text = "Must specify userName when calling with non-User credentials";
    assert_said(get(fixture.session()).await, "ValidationError", text);

    let input = api::DeleteAccessKeyInput { user_name: None, access_key_id: id };
    access_keys::delete(iam, bob, input).await.unwrap();
}

#[tokio::test]
async fn the_accounts_own_key_is_made_once() {
    let fixture = Fixture::new().await;
    let account = fixture.caller.account;
    let made = fixture.iam.ensure_root_key(account).await.unwrap().unwrap();
    assert!(fixture.iam.ensure_root_key(account).await.unwrap().is_none());
    assert!(!format!("{made:?}").contains(&made.secret_access_key));
    let fixture = fixture.restarted().await;
    assert!(fixture.iam.ensure_root_key(account).await.unwrap().is_none());
    let found = fixture.iam.find(&made.access_key_id, None, fixture.caller.now).unwrap();
    assert_eq!((found.secret, found.principal), (made.secret_access_key, Principal::root(account)));
}

#[tokio::test]
async fn tags_of_users_are_told_apart_without_regard_to_case() {
    let fixture = Fixture::new().await;
    fixture.user("bob").await;
    let (iam, caller) = fixture.parts();
    let set = |tags| {
        let input = api::TagUserInput { user_name: "bob".to_owned(), tags };
        tags::tag_user(iam.clone(), caller.clone(), input)
    };
    let text = "Duplicate tag keys found. Please note that Tag keys are case insensitive.";
    let twice = set(vec![tag("a", "1"), tag("A", "2")]).await;
    assert_said(twice, "InvalidInputException", text);
    set(vec![tag("a", "1"), tag("b", "")]).await.unwrap();
    set(vec![tag("A", "2")]).await.unwrap();
    let input = api::UntagUserInput { user_name: "bob".to_owned(), tag_keys: vec!["B".to_owned()] };
    tags::untag_user(iam.clone(), caller.clone(), input).await.unwrap();
    let input = api::ListUserTagsInput { user_name: "bob".to_owned(), ..Default::default() };
    assert_eq!(tags::list_user(iam, caller, input).await.unwrap().tags, [tag("A", "2")]);
}
