//! Password policies and login profiles.

use super::*;

async fn login(fixture: &Fixture, user: &str, password: &str) -> Result<api::LoginProfile, Error> {
    let (iam, caller) = fixture.parts();
    let input = api::CreateLoginProfileInput {
        user_name: Some(user.to_owned()),
        password: Some(password.to_owned()),
        password_reset_required: None,
    };
    Ok(login_profiles::create(iam, caller, input).await?.login_profile)
}

async fn change(
    caller: &Caller,
    fixture: &Fixture,
    old: &str,
    new: &str,
) -> Result<wire::Unit, Error> {
    let (old_password, new_password) = (old.to_owned(), new.to_owned());
    let input = api::ChangePasswordInput { old_password, new_password };
    login_profiles::change_password(fixture.iam.clone(), caller.clone(), input).await
}

#[tokio::test]
async fn a_password_policy_has_awss_defaults() {
    let fixture = Fixture::new().await;
    let (iam, caller) = fixture.parts();
    let get = || password_policy::get(iam.clone(), caller.clone(), wire::Unit);
    let text = "The Password Policy with domain name 123456789012 cannot be found.";
    assert_said(get().await, "NoSuchEntityException", text);
    let delete = || password_policy::delete(iam.clone(), caller.clone(), wire::Unit);
    let text = "The account policy with name PasswordPolicy cannot be found.";
    assert_said(delete().await, "NoSuchEntityException", text);

    let given = api::UpdateAccountPasswordPolicyInput::default();
    password_policy::update(iam.clone(), caller.clone(), given).await.unwrap();
    let off = Some(false);
    let expected = api::PasswordPolicy {
        minimum_password_length: Some(6),
        require_symbols: off,
        require_numbers: off,
        require_uppercase_characters: off,
        require_lowercase_characters: off,
        allow_users_to_change_password: off,
        expire_passwords: off,
        ..Default::default()
    };
    assert_eq!(get().await.unwrap().password_policy, expected);
    delete().await.unwrap();
    assert!(get().await.is_err());
}

#[tokio::test]
async fn a_login_profile_lives_as_long_as_its_user_keeps_it() {
    let fixture = Fixture::new().await;
    fixture.user("bob").await;
    let weak = login(&fixture, "bob", "short1!").await;
    let text = "Password should have a minimum length of 8";
    assert_said(weak, "PasswordPolicyViolationException", text);
    let made = login(&fixture, "bob", "Passw0rd").await.unwrap();
    assert_eq!((made.user_name.as_str(), made.password_reset_required), ("bob", Some(false)));
    let text = "Login Profile for user bob already exists.";
    let again = login(&fixture, "bob", "Passw0rd").await;
    assert_said(again, "EntityAlreadyExistsException", text);

    let fixture = fixture.restarted().await;
    let (iam, caller) = fixture.parts();
    let input = api::DeleteUserInput { user_name: "bob".to_owned() };
    let text = "Cannot delete entity, must delete login profile first.";
    let refused = users::delete(iam.clone(), caller.clone(), input).await;
    assert_said(refused, "DeleteConflictException", text);
    let name = || Some("bob".to_owned());
    let input = api::DeleteLoginProfileInput { user_name: name() };
    login_profiles::delete(iam.clone(), caller.clone(), input).await.unwrap();
    let input = api::GetLoginProfileInput { user_name: name() };
    let text = "Login Profile for User bob cannot be found.";
    assert_said(login_profiles::get(iam, caller, input).await, "NoSuchEntityException", text);
}

#[tokio::test]
async fn a_user_changes_its_own_password_to_one_it_has_not_had() {
    let fixture = Fixture::new().await;
    let user = fixture.user("bob").await;
    login(&fixture, "bob", "Passw0rd").await.unwrap();
    let (iam, root) = fixture.parts();
    let rules = api::UpdateAccountPasswordPolicyInput {
        password_reuse_prevention: Some(2),
        ..Default::default()
    };
    password_policy::update(iam, root.clone(), rules).await.unwrap();
    let arn = user.arn.parse().unwrap();
    let principal = Principal { arn, user_id: user.user_id, kind: PrincipalKind::User };
    let bob = Caller { principal, ..root.clone() };

    let text = "The old password was incorrect.";
    assert_said(change(&bob, &fixture, "wrong", "Passw0rd2").await, "AccessDenied", text);
    change(&bob, &fixture, "Passw0rd", "Passw0rd2").await.unwrap();
    let again = change(&bob, &fixture, "Passw0rd2", "Passw0rd").await.unwrap_err();
    assert_eq!(again.fault().code, "PasswordPolicyViolationException");
    change(&bob, &fixture, "Passw0rd2", "Passw0rd3").await.unwrap();
    change(&bob, &fixture, "Passw0rd3", "Passw0rd").await.unwrap();
    let root = change(&root, &fixture, "a", "b").await.unwrap_err();
    assert_eq!(root.fault().code, "InvalidUserTypeException");
}
