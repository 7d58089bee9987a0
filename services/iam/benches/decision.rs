//! How long one decision takes: `cargo bench -p lampejo-iam`. Prints, asserts nothing.

#![allow(clippy::unwrap_used)] // A measurement that fails has nothing to say.

use std::{borrow::Cow, hint::black_box, time::Instant};

use serde::Deserialize;
use serde_json::value::RawValue;

#[path = "../evaluate/mod.rs"]
#[allow(unused)] // What the simulator asks, and the tests, which come with it.
mod evaluate;

use evaluate::{Compiled, Facts, Kind, Policies, Request, Who, evaluate};

const FILES: [&str; 5] = [
    include_str!("../managed/account.json"),
    include_str!("../managed/data.json"),
    include_str!("../managed/lambda.json"),
    include_str!("../managed/messaging.json"),
    include_str!("../managed/operations.json"),
];
/// What roles of functions have.
const MANAGED: [&str; 6] = [
    "AWSLambdaBasicExecutionRole",
    "AWSLambdaVPCAccessExecutionRole",
    "AWSLambdaSQSQueueExecutionRole",
    "AmazonS3ReadOnlyAccess",
    "AmazonDynamoDBFullAccess",
    "AmazonSQSFullAccess",
];
/// With conditions and variables.
const OWN: [&str; 4] = [
    r#"{"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::data",
         "Condition": {"StringLike": {"s3:prefix": ["", "home/", "home/${aws:PrincipalTag/team}/*"]}}},
        {"Effect": "Allow", "Action": ["s3:PutObject", "s3:DeleteObject"],
         "Resource": "arn:aws:s3:::data/home/${aws:PrincipalTag/team}/*"}]}"#,
    r#"{"Version": "2012-10-17", "Statement": {"Effect": "Deny", "NotAction": ["iam:*", "sts:*"],
        "Resource": "*", "Condition": {
            "StringNotEquals": {"aws:RequestedRegion": ["us-east-1", "eu-west-1"]},
            "ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/admin/*"}}}}"#,
    r#"{"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "*", "Resource": "*",
        "Condition": {"NotIpAddress": {"aws:SourceIp": ["10.0.0.0/8", "203.0.113.0/24"]},
            "Bool": {"aws:ViaAWSService": "false"}}}}"#,
    r#"{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "dynamodb:*",
        "Resource": "arn:aws:dynamodb:*:111122223333:table/*",
        "Condition": {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": "${aws:userid}"},
            "DateLessThan": {"aws:CurrentTime": "2030-01-01T00:00:00Z"}}}}"#,
];
const BATCHES: usize = 4_000;
const BATCH: u32 = 50;

#[derive(Deserialize)]
struct Managed {
    name: String,
    document: Box<RawValue>,
}

/// The condition keys of one call.
struct Call;

impl Facts for Call {
    fn values(&self, key: &str) -> Option<Vec<Cow<'_, str>>> {
        Some(vec![Cow::Borrowed(match key {
            "aws:principaltag/team" => "red",
            "aws:requestedregion" => "us-east-1",
            "aws:sourceip" => "10.1.2.3",
            "aws:viaawsservice" => "false",
            "aws:principalarn" => "arn:aws:iam::111122223333:role/worker",
            "aws:currenttime" => "2026-11-23T00:00:00Z",
            _ => return None,
        })])
    }
}

fn main() {
    let managed: Vec<Managed> =
        FILES.iter().flat_map(|file| serde_json::from_str::<Vec<Managed>>(file).unwrap()).collect();
    let find = |name: &str| managed.iter().find(|it| it.name == name).unwrap().document.get();
    let texts = MANAGED.iter().map(|name| find(name)).chain(OWN);
    let ten: Vec<Compiled> = texts.map(|text| Compiled::parse(text).unwrap()).collect();
    let mut large: Vec<Compiled> = ten.iter().skip(1).cloned().collect();
    large.push(Compiled::parse(find("ReadOnlyAccess")).unwrap());
    let (ten, large) = (ten.iter().collect::<Vec<_>>(), large.iter().collect::<Vec<_>>());
    let queue = "arn:aws:sqs:us-east-1:111122223333:orders";
    for (what, policies, action, resource) in [
        ("allowed", &ten, "sqs:SendMessage", queue),
        ("allowed by a variable", &ten, "s3:PutObject", "arn:aws:s3:::data/home/red/x"),
        ("not allowed", &ten, "kms:Decrypt", "arn:aws:kms:us-east-1:111122223333:key/1"),
        ("allowed, ReadOnlyAccess is one", &large, "sqs:SendMessage", queue),
        ("not allowed, ReadOnlyAccess is one", &large, "s3:PutObject", "arn:aws:s3:::other/x"),
    ] {
        measure(what, policies, action, resource);
    }
}

fn measure(what: &str, identity: &[&Compiled], action: &str, resource: &str) {
    let account = "111122223333".parse().unwrap();
    let who = Who {
        kind: Kind::Session,
        account: Some(account),
        arn: "arn:aws:sts::111122223333:assumed-role/worker/night",
        role: Some("arn:aws:iam::111122223333:role/worker"),
        id: "AROAWORKER:night",
    };
    let request = Request { action, resource, owner: account, who, facts: &Call };
    let policies = Policies { identity, ..Policies::default() };
    let batch = || {
        let began = Instant::now();
        for _ in 0..BATCH {
            black_box(evaluate(black_box(&request), black_box(&policies)));
        }
        began.elapsed().as_secs_f64() * 1e6 / f64::from(BATCH)
    };
    let mut times: Vec<f64> = (0..BATCHES).map(|_| batch()).collect();
    times.sort_by(f64::total_cmp);
    let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize];
    let outcome = evaluate(&request, &policies).outcome;
    println!("{what}: p50 {:.2} µs, p99 {:.2} µs ({outcome:?})", at(0.5), at(0.99));
}
