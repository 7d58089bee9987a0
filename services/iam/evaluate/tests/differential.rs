//! Ours beside the crate `iam-rs`: random identity policies must be decided alike, but for what
//! `disagreements` lists.

use std::{cell::RefCell, collections::BTreeMap};

use iam_rs::{Arn, ContextValue, IAMPolicy, IAMRequest, PolicyEvaluator, Principal, PrincipalId};
use proptest::test_runner::{Config, TestRunner};
use serde_json::json;

use super::{
    super::*,
    Given,
    disagreements::{self, DISAGREEMENTS},
    generate::{Context, Trial, document, trial},
};

const CALLER: &str = "arn:aws:iam::111122223333:user/ana";

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    Allowed,
    Denied,
    Neither,
    /// It could not read the policies.
    Error,
}

#[test]
fn identity_policies_are_decided_as_by_another_implementation() {
    let seen: RefCell<BTreeMap<Verdict, u32>> = RefCell::default();
    let mut runner =
        TestRunner::new(Config { cases: 8192, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&trial(), |trial| {
        let trial = disagreements::without(&trial);
        let verdict = ours(&trial);
        *seen.borrow_mut().entry(verdict).or_default() += 1;
        proptest::prop_assert_eq!(verdict, theirs(&trial));
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
    let seen = seen.into_inner();
    for verdict in [Verdict::Allowed, Verdict::Denied, Verdict::Neither] {
        assert!(seen[&verdict] > 600, "too few trials tell anything: {seen:?}");
    }
}

#[test]
fn each_disagreement_is_one() {
    for disagreement in &DISAGREEMENTS {
        let (element, context) = (disagreement.example)();
        let mut statement = json!({"Effect": "Allow", "Action": "*"});
        for key in ["Resource", "Condition"] {
            let value = element.get(key).cloned();
            statement[key] =
                value.unwrap_or(if key == "Resource" { json!("*") } else { json!({}) });
        }
        let policies = vec![vec![statement.clone()]];
        let of_s3 = element["Resource"].as_str().is_some_and(|it| it.contains(":s3:"));
        let resource = if of_s3 { "arn:aws:s3:::b/*/k" } else { "arn:aws:sqs:us-east-1:1:q" };
        let action = "sqs:SendMessage";
        let trial = Trial { policies, action, resource, context };
        let name = disagreement.name;
        assert_eq!(disagreements::of(&statement, &trial), [name]);
        assert_ne!(ours(&trial), theirs(&trial), "{name}; {}", disagreement.doc);
    }
}

fn ours(trial: &Trial) -> Verdict {
    let compiled: Vec<Compiled> =
        trial.policies.iter().map(|it| Compiled::parse(&document(it)).unwrap()).collect();
    let policies =
        Policies { identity: &compiled.iter().collect::<Vec<_>>(), ..Policies::default() };
    let account = "111122223333".parse().unwrap();
    let who = Who { kind: Kind::User, account: Some(account), arn: CALLER, role: None, id: "" };
    let facts = given(&trial.context);
    let (action, resource) = (trial.action, trial.resource);
    let request = Request { action, resource, owner: account, who, facts: &facts };
    match evaluate(&request, &policies).outcome {
        Outcome::Allowed => Verdict::Allowed,
        Outcome::Denied(_) => Verdict::Denied,
        Outcome::NotAllowed(_) => Verdict::Neither,
    }
}

pub(super) fn given(context: &Context) -> Given {
    let values = |values: &Vec<&str>| values.iter().map(|it| (*it).to_owned()).collect();
    Given(context.iter().map(|(key, it)| (key.to_ascii_lowercase(), values(it))).collect())
}

fn theirs(trial: &Trial) -> Verdict {
    let policies = trial.policies.iter().map(|it| IAMPolicy::from_json(&document(it)));
    let Ok(policies) = policies.collect::<Result<Vec<_>, _>>() else { return Verdict::Error };
    let mut context = iam_rs::Context::new();
    for (key, values) in &trial.context {
        context.insert((*key).to_owned(), value(key, values));
    }
    let caller = Principal::Aws(PrincipalId::String(CALLER.to_owned()));
    let resource = Arn::parse(trial.resource).unwrap();
    let request = IAMRequest::new_with_context(caller, trial.action, resource, context);
    match PolicyEvaluator::with_policies(policies).evaluate(&request).map(|it| it.decision) {
        Ok(iam_rs::Decision::Allow) => Verdict::Allowed,
        Ok(iam_rs::Decision::Deny) => Verdict::Denied,
        Ok(iam_rs::Decision::NotApplicable) => Verdict::Neither,
        Err(_) => Verdict::Error,
    }
}

/// A value of the type that it expects of the key.
fn value(key: &str, values: &[&str]) -> ContextValue {
    match (key, values) {
        ("aws:TagKeys", values) => {
            ContextValue::StringList(values.iter().map(|it| (*it).to_owned()).collect())
        }
        ("aws:SecureTransport", values) => ContextValue::Boolean(values[0] == "true"),
        (_, values) => ContextValue::String(values[0].to_owned()),
    }
}
