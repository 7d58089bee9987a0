//! Credential reports and the access advisor.

use std::time::Duration;

use kit::Authority;

use super::*;

#[tokio::test]
async fn a_credential_report_is_made_and_shown_for_four_hours() {
    let fixture = Fixture::new().await;
    fixture.user("bob").await;
    let (iam, caller) = fixture.parts();
    let input = api::CreateAccessKeyInput { user_name: Some("bob".to_owned()) };
    let key = access_keys::create(iam.clone(), caller.clone(), input).await.unwrap().access_key;
    wire::Keys::used(&*iam, &key.access_key_id, "s3", "eu-west-1", fixture.clock.now());
    let get = |caller: &Caller| credential_report::get(iam.clone(), caller.clone(), wire::Unit);
    let generate =
        |caller: &Caller| credential_report::generate(iam.clone(), caller.clone(), wire::Unit);
    assert_said(get(&caller).await, "CredentialReportNotPresentException", "");
    let state = generate(&caller).await.unwrap().state;
    assert_eq!(state, Some(api::ReportStateType::Started));
    let state = generate(&caller).await.unwrap().state;
    assert_eq!(state, Some(api::ReportStateType::Complete));

    let report = get(&caller).await.unwrap();
    let text = String::from_utf8(report.content.unwrap().to_vec()).unwrap();
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split(',').collect()).collect();
    assert!(lines.iter().all(|line| line.len() == 22), "{text}");
    let bob = |column: &str| lines[2][lines[0].iter().position(|it| *it == column).unwrap()];
    assert_eq!((lines[1][0], bob("user")), ("<root_account>", "bob"));
    assert_eq!((bob("password_enabled"), bob("access_key_1_active")), ("false", "true"));
    assert_eq!(
        (bob("access_key_1_last_used_service"), bob("access_key_2_active")),
        ("s3", "false")
    );

    fixture.clock.advance(Duration::from_secs(4 * 3600));
    let later = Caller { now: fixture.clock.now(), ..caller };
    assert_said(get(&later).await, "CredentialReportExpiredException", "");
}

#[tokio::test]
async fn the_advisor_knows_which_services_policies_reach_and_who_asked_for_them() {
    let fixture = Fixture::new().await;
    let user = fixture.user("bob").await;
    let (iam, caller) = fixture.parts();
    let input = api::PutUserPolicyInput {
        user_name: "bob".to_owned(),
        policy_name: "mine".to_owned(),
        policy_document: POLICY.replace(r#""s3:*""#, r#"["s3:*","sqs:Send*"]"#),
    };
    inline::put_user(iam.clone(), caller.clone(), input).await.unwrap();
    let arn = user.arn.parse().unwrap();
    let principal = Principal { arn, user_id: user.user_id, kind: PrincipalKind::User };
    let bob = Caller { principal, ..caller.clone() };
    let attempt = kit::Attempt {
        caller: &bob,
        service: None,
        action: "s3:ListAllMyBuckets",
        resources: &[],
        keys: &[],
    };
    iam.permit(&attempt).unwrap();

    let arn = user.arn.clone();
    let input =
        api::GenerateServiceLastAccessedDetailsInput { arn: arn.clone(), granularity: None };
    let job = advisor::generate(iam.clone(), caller.clone(), input).await.unwrap().job_id.unwrap();
    let input =
        api::GetServiceLastAccessedDetailsInput { job_id: job.clone(), ..Default::default() };
    let found = advisor::get(iam.clone(), caller.clone(), input).await.unwrap();
    let seen: Vec<_> = found
        .services_last_accessed
        .iter()
        .map(|it| (it.service_namespace.as_str(), it.last_authenticated_entity.as_deref()))
        .collect();
    assert_eq!(seen, [("s3", Some(arn.as_str())), ("sqs", None)]);
    let input = api::GetServiceLastAccessedDetailsWithEntitiesInput {
        job_id: job,
        service_namespace: "s3".to_owned(),
        ..Default::default()
    };
    let entities = advisor::get_with_entities(iam.clone(), caller.clone(), input).await.unwrap();
    assert_eq!(entities.entity_details_list[0].entity_info.name, "bob");
    assert!(entities.entity_details_list[0].last_authenticated.is_some());

    let input = api::ListPoliciesGrantingServiceAccessInput {
        arn,
        service_namespaces: vec!["sqs".to_owned(), "lambda".to_owned()],
        marker: None,
    };
    let granting = advisor::granting(iam, caller, input).await.unwrap();
    let granting = granting.policies_granting_service_access;
    let names = |at: usize| -> Vec<String> {
        let policies = granting[at].policies.clone().unwrap();
        policies.into_iter().map(|it| it.policy_name).collect()
    };
    assert_eq!((names(0), names(1)), (vec!["mine".to_owned()], vec![]));
}
