//! Groups.

use super::*;

async fn add(fixture: &Fixture, group: &str, user: &str) -> Result<wire::Unit, Error> {
    let (iam, caller) = fixture.parts();
    let (group_name, user_name) = (group.to_owned(), user.to_owned());
    groups::add_user(iam, caller, api::AddUserToGroupInput { group_name, user_name }).await
}

#[tokio::test]
async fn groups_hold_users() {
    let fixture = Fixture::new().await;
    let group = fixture.group("staff").await;
    assert_eq!(group.arn, "arn:aws:iam::123456789012:group/staff");
    assert_eq!(&group.group_id[..4], "AGPA");
    fixture.user("bob").await;
    add(&fixture, "staff", "bob").await.unwrap();
    add(&fixture, "staff", "bob").await.unwrap();
    let text = "The group with name none cannot be found.";
    assert_said(add(&fixture, "none", "bob").await, "NoSuchEntityException", text);
    let text = "The user with name none cannot be found.";
    assert_said(add(&fixture, "none", "none").await, "NoSuchEntityException", text);

    let (iam, caller) = fixture.parts();
    let rename = api::UpdateGroupInput {
        group_name: "staff".to_owned(),
        new_group_name: Some("crew".to_owned()),
        new_path: None,
    };
    groups::update(iam, caller, rename).await.unwrap();
    let fixture = fixture.restarted().await;
    let (iam, caller) = fixture.parts();
    let get = api::GetGroupInput { group_name: "crew".to_owned(), ..Default::default() };
    let got = groups::get(iam.clone(), caller.clone(), get).await.unwrap();
    assert_eq!((got.users[0].user_name.as_str(), got.is_truncated), ("bob", Some(false)));

    let delete = || {
        let input = api::DeleteGroupInput { group_name: "crew".to_owned() };
        groups::delete(iam.clone(), caller.clone(), input)
    };
    let text = "Cannot delete entity, must remove users from group first.";
    assert_said(delete().await, "DeleteConflictException", text);
    let input = api::RemoveUserFromGroupInput {
        group_name: "crew".to_owned(),
        user_name: "bob".to_owned(),
    };
    groups::remove_user(iam.clone(), caller.clone(), input.clone()).await.unwrap();
    groups::remove_user(iam.clone(), caller.clone(), input).await.unwrap();
    delete().await.unwrap();
}

#[tokio::test]
async fn a_user_is_in_ten_groups_at_most() {
    let fixture = Fixture::new().await;
    fixture.user("bob").await;
    for number in 0..11 {
        fixture.group(&format!("g{number}")).await;
    }
    for number in 0..10 {
        add(&fixture, &format!("g{number}"), "bob").await.unwrap();
    }
    let text = "Cannot exceed quota for GroupsPerUser: 10";
    assert_said(add(&fixture, "g10", "bob").await, "LimitExceededException", text);
}
