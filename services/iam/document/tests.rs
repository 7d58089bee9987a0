//! What policy documents are accepted, and how they are refused.

use super::*;

fn statement(elements: &str) -> String {
    format!(r#"{{"Version":"2012-10-17","Statement":{{{elements}}}}}"#)
}

fn fault_of(elements: &str) -> String {
    check_identity_policy(&statement(elements)).unwrap_err()
}

fn with_resource(resource: &str) -> String {
    fault_of(&format!(r#""Effect":"Allow","Action":"s3:*","Resource":"{resource}""#))
}

#[test]
fn policies_are_accepted() {
    for elements in [
        r#""Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::bucket""#,
        r#""Effect":"Deny","NotAction":["iam:*","*"],"NotResource":["*"]"#,
        r#""Sid":"1","Effect":"Allow","Action":"*","Resource":"*","Condition":
           {"ForAnyValue:StringLikeIfExists":{"aws:x":["a"]},"DateLessThan":{"k":"2026-01-31T01:02:03Z"},
            "Bool":{"aws:SecureTransport":true},"DateGreaterThan":{"k":"0"}}"#,
        r#""Effect":"Allow","Action":"iam:PassRole","Resource":"arn:aws:iam::*:role/service-role/*""#,
    ] {
        assert_eq!(check_identity_policy(&statement(elements)), Ok(()), "{elements}");
    }
}

#[test]
fn what_has_not_the_form_of_a_policy_is_a_syntax_error() {
    for document in [
        "",
        "{}",
        "[]",
        r#"{"Version":"2012-10-17","Statement":[]}"#,
        r#"{"Version":"2012-10-18","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#,
        r#"{"Version":"2012-10-17","Other":1,"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#,
    ] {
        assert_eq!(check_identity_policy(document).unwrap_err(), SYNTAX, "{document}");
    }
    for elements in [
        r#""Effect":"Maybe","Action":"*","Resource":"*""#,
        r#""Effect":"Allow","Action":"*","Resource":"*","Extra":1"#,
        r#""Effect":"Allow","Action":1,"Resource":"*""#,
        r#""Effect":"Allow","Action":"*","NotAction":"*","Resource":"*""#,
        r#""Effect":"Allow","Action":"*","Resource":"*","Condition":{"NoOperator":{"k":"v"}}"#,
        r#""Effect":"Allow","Action":"*","Resource":"*","Sid":{}"#,
    ] {
        assert_eq!(fault_of(elements), SYNTAX, "{elements}");
    }
}

#[test]
fn an_identity_policy_is_of_the_newer_version() {
    let fault = "Policy document must be version 2012-10-17 or greater.";
    let statement = r#""Statement":{"Effect":"Allow","Action":"*","Resource":"*"}"#;
    for document in
        [format!("{{{statement}}}"), format!(r#"{{"Version":"2008-10-17",{statement}}}"#)]
    {
        assert_eq!(check_identity_policy(&document).unwrap_err(), fault);
    }
}

#[test]
fn effects_and_dates_must_survive_the_older_parser() {
    assert_eq!(fault_of(r#""Effect":"allow","Action":"*","Resource":"*""#), LEGACY);
    let dated = |date: &str| {
        fault_of(&format!(
            r#""Effect":"Allow","Action":"*","Resource":"*","Condition":{{"DateEquals":{{"k":"{date}"}}}}"#
        ))
    };
    assert_eq!(dated("2026-13-01"), LEGACY);
    assert_eq!(dated("soon"), LEGACY);
}

#[test]
fn actions_have_a_vendor_and_one_colon() {
    let fault =
        |action: &str| fault_of(&format!(r#""Effect":"Allow","Action":{action},"Resource":"*""#));
    let vendor = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.";
    assert_eq!(fault(r#""invalid""#), vendor);
    assert_eq!(fault(r#""a a:b""#), "Vendor a a is not valid");
    assert_eq!(fault(r#""a:b:c""#), "Actions/Condition can contain only one colon.");
    assert_eq!(fault("[]"), "Policy statement must contain actions.");
    let nothing = r#""Effect":"Allow","Resource":"*""#;
    assert_eq!(fault_of(nothing), "Policy statement must contain actions.");
}

#[test]
fn resources_are_arns() {
    assert_eq!(with_resource("adf"), r#"Resource adf must be in ARN format or "*"."#);
    assert_eq!(with_resource(""), r#"Resource  must be in ARN format or "*"."#);
    for (resource, shown) in [
        ("a:b", "arn:b:*:*:*:*"),
        ("a:b:cadf", "arn:b:cadf:*:*:*"),
        ("a:b:c:d:e:f:g:h", "arn:b:c:d:e:f:g:h"),
    ] {
        let expected = format!(r#"Partition "b" is not valid for resource "{shown}"."#);
        assert_eq!(with_resource(resource), expected);
    }
    assert_eq!(
        with_resource("arn:s3:::example_bucket"),
        r#"Partition "s3" is not valid for resource "arn:s3:::example_bucket:*"."#
    );
    assert_eq!(
        with_resource("arn:aws"),
        "Resource vendor must be fully qualified and cannot contain regexes."
    );
    assert_eq!(
        with_resource("arn:aws:s3:eu-west-1::bucket"),
        "Resource arn:aws:s3:eu-west-1::bucket can not contain region information."
    );
    assert!(with_resource("arn:aws:iam::123456789012:cat/1").starts_with("IAM resource path must"));
    assert_eq!(with_resource("arn:aws:::bucket"), LEGACY);
    let nothing = r#""Effect":"Allow","Action":"*""#;
    assert_eq!(fault_of(nothing), "Policy statement must contain resources.");
}

#[test]
fn a_policy_of_an_identity_names_no_principal() {
    let elements = r#""Effect":"Allow","Action":"*","Resource":"*","Principal":"*""#;
    assert_eq!(fault_of(elements), "Policy document should not specify a principal.");
}

#[test]
fn statement_ids_are_unique() {
    let one = r#"{"Sid":"a","Effect":"Allow","Action":"*","Resource":"*"}"#;
    let document = format!(r#"{{"Version":"2012-10-17","Statement":[{one},{one}]}}"#);
    let fault = check_identity_policy(&document).unwrap_err();
    assert_eq!(fault, "Statement IDs (SID) in a single policy must be unique.");
}

#[test]
fn trust_policies_say_who_may_assume() {
    let service = r#""Principal":{"Service":"lambda.amazonaws.com"}"#;
    let check = |elements: String| check_trust_policy(&statement(&elements));
    let good = format!(r#""Effect":"Allow",{service},"Action":"sts:AssumeRole""#);
    assert_eq!(check(good.clone()), Ok(()));
    let older = format!(r#"{{"Version":"2008-10-17","Statement":[{{{good}}}]}}"#);
    assert_eq!(check_trust_policy(&older), Ok(()));

    assert_eq!(check_trust_policy("nope").unwrap_err(), "This policy contains invalid Json");
    let action = format!(r#""Effect":"Allow",{service},"Action":"s3:Get""#);
    assert_eq!(
        check(action).unwrap_err(),
        "AssumeRole policy may only specify STS AssumeRole actions."
    );
    let resource = format!(r#"{good},"Resource":"*""#);
    assert_eq!(check(resource).unwrap_err(), "Has prohibited field Resource");
    let nobody = r#""Effect":"Allow","Action":"sts:AssumeRole""#.to_owned();
    assert_eq!(check(nobody).unwrap_err(), "Missing required field Principal");
}

#[test]
fn white_space_does_not_count() {
    assert_eq!(size("{ \"a\" :\n\t1 }"), 7);
}
