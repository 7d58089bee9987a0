//! Policies as they are built, written, read and refused.

use model::lambda as api;

use super::*;

fn permission(sid: &str, principal: &str) -> api::AddPermissionInput {
    api::AddPermissionInput {
        statement_id: sid.to_owned(),
        action: "lambda:InvokeFunction".to_owned(),
        principal: principal.to_owned(),
        ..api::AddPermissionInput::default()
    }
}

fn statement(input: &api::AddPermissionInput) -> Result<String, Error> {
    Statement::new(input, "arn".to_owned()).map(|it| it.json())
}

#[test]
fn a_statement_reads_as_awss_does() {
    let input = api::AddPermissionInput {
        source_arn: Some("arn:aws:s3:::bucket".to_owned()),
        source_account: Some("123456789012".to_owned()),
        ..permission("s3", "s3.amazonaws.com")
    };
    assert_eq!(
        statement(&input).unwrap(),
        r#"{"Sid":"s3","Effect":"Allow","Principal":{"Service":"s3.amazonaws.com"},"Action":"lambda:InvokeFunction","Resource":"arn","Condition":{"ArnLike":{"AWS:SourceArn":"arn:aws:s3:::bucket"},"StringEquals":{"AWS:SourceAccount":"123456789012"}}}"#
    );
    let input = api::AddPermissionInput {
        function_url_auth_type: Some(api::FunctionUrlAuthType::None),
        ..permission("url", "*")
    };
    assert_eq!(
        statement(&input).unwrap(),
        r#"{"Sid":"url","Effect":"Allow","Principal":"*","Action":"lambda:InvokeFunction","Resource":"arn","Condition":{"StringEquals":{"lambda:FunctionUrlAuthType":"NONE"}}}"#
    );
}

#[test]
fn accounts_become_their_root_and_others_are_refused() {
    let account = statement(&permission("a", "123456789012")).unwrap();
    assert!(account.contains(r#""Principal":{"AWS":"arn:aws:iam::123456789012:root"}"#));
    let role = statement(&permission("a", "arn:aws:iam::123456789012:role/r")).unwrap();
    assert!(role.contains(r#""Principal":{"AWS":"arn:aws:iam::123456789012:role/r"}"#));
    assert!(matches!(statement(&permission("a", "nobody")), Err(Error::InvalidPrincipal)));
}

#[test]
fn ids_are_unique_and_removal_needs_one() {
    let mut policy = Policy::new();
    let add = |policy: &mut Policy, sid| {
        let input = permission(sid, "s3.amazonaws.com");
        policy.add(Statement::new(&input, "arn".to_owned()).unwrap())
    };
    add(&mut policy, "a").unwrap();
    assert!(matches!(add(&mut policy, "a"), Err(Error::StatementExists(_))));
    add(&mut policy, "b").unwrap();
    assert!(matches!(policy.remove("c"), Err(Error::NoSuchStatement(_))));
    policy.remove("a").unwrap();
    assert_eq!(policy.statements.len(), 1);
}

#[test]
fn a_policy_has_a_size() {
    let mut policy = Policy::new();
    let input = permission("big", "s3.amazonaws.com");
    let statement = Statement::new(&input, "x".repeat(limits::POLICY_BYTES)).unwrap();
    assert!(matches!(policy.add(statement), Err(Error::PolicyTooLong(_))));
}

const ARN: &str = "arn:aws:lambda:us-east-1:000000000000:function:f";

fn whole(statement: &str) -> Result<Policy, Error> {
    Policy::parse(&format!(r#"{{"Version":"2012-10-17","Statement":{statement}}}"#), ARN)
}

#[test]
fn a_written_policy_reads_back_and_grows() {
    let statement = format!(
        r#"{{"Effect":"Allow","Principal":{{"AWS":["123456789012","arn:aws:iam::123456789012:role/r"]}},"Action":["lambda:InvokeFunction","lambda:*"],"Resource":"{ARN}","Condition":{{"StringEquals":{{"aws:PrincipalOrgID":["o-1","o-2"]}}}}}}"#
    );
    let mut policy = whole(&statement).unwrap();
    let kept = statement.replace(r#""123456789012","#, r#""arn:aws:iam::123456789012:root","#);
    assert_eq!(policy.json(), format!(r#"{{"Version":"2012-10-17","Statement":[{kept}]}}"#));
    let input = permission("s3", "s3.amazonaws.com");
    policy.add(Statement::new(&input, ARN.to_owned()).unwrap()).unwrap();
    let row = rmp_serde::to_vec_named(&policy).unwrap();
    assert_eq!(rmp_serde::from_slice::<Policy>(&row).unwrap(), policy);
}

#[test]
fn a_row_of_an_earlier_release_is_still_a_policy() {
    let row = serde_json::json!({
        "statements": [{
            "Sid": "s3",
            "Effect": "Allow",
            "Principal": {"Service": "s3.amazonaws.com"},
            "Action": "lambda:InvokeFunction",
            "Resource": ARN,
        }],
        "revision": "e0a1",
    });
    let row = rmp_serde::to_vec_named(&row).unwrap();
    let policy: Policy = rmp_serde::from_slice(&row).unwrap();
    assert!(policy.json().starts_with(r#"{"Version":"2012-10-17","Id":"default","Statement":[{"#));
}

#[test]
fn what_is_no_policy_of_this_function_is_refused() {
    let with = |element: &str, value: &str| {
        let elements = [
            ("Effect", r#""Allow""#),
            ("Principal", r#"{"Service":"s3.amazonaws.com"}"#),
            ("Action", r#""lambda:InvokeFunction""#),
            ("Resource", &format!(r#""{ARN}""#)),
        ];
        let given = elements.iter().filter(|(name, _)| *name != element);
        let mut given: Vec<String> =
            given.map(|(name, value)| format!(r#""{name}":{value}"#)).collect();
        if !value.is_empty() {
            given.push(format!(r#""{element}":{value}"#));
        }
        whole(&format!("[{{{}}}]", given.join(",")))
    };
    with("Sid", r#""s3""#).unwrap();
    for (element, value) in [
        ("Effect", r#""Perhaps""#),
        ("Effect", ""),
        ("Principal", ""),
        ("NotAction", r#""lambda:*""#),
        ("Action", r#""s3:GetObject""#),
        ("Action", "[]"),
        ("Resource", r#""arn:aws:lambda:us-east-1:000000000000:function:g""#),
    ] {
        let refused = with(element, value).unwrap_err();
        assert!(matches!(refused, Error::MalformedPolicy(_)), "{element}: {refused}");
    }
    for principal in [r#""me""#, r#"{"AWS":"me"}"#, r#"{"Federated":"a"}"#, "{}"] {
        assert!(matches!(with("Principal", principal), Err(Error::InvalidPrincipal)));
    }
    assert!(matches!(Policy::parse("{", ARN), Err(Error::MalformedPolicy(_))));
    assert!(matches!(whole("[]"), Err(Error::MalformedPolicy(_))));
}

#[test]
fn a_written_policy_opens_a_function_to_nobody_unnamed() {
    let for_all = |principal: &str, condition: &str| {
        whole(&format!(
            r#"{{"Effect":"Allow","Principal":{principal},"Action":"lambda:InvokeFunctionUrl","Resource":"{ARN}"{condition}}}"#
        ))
    };
    for principal in [r#""*""#, r#"{"AWS":"*"}"#, r#"{"AWS":["123456789012","*"]}"#] {
        assert!(matches!(for_all(principal, ""), Err(Error::PublicPolicy)));
    }
    let url = r#","Condition":{"StringEquals":{"lambda:FunctionUrlAuthType":"NONE"}}"#;
    for_all(r#""*""#, url).unwrap();
}
