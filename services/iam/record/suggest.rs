//! The smallest policy that covers what was seen. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::scope::{SIBLINGS, Scope, generalised};

/// A policy document.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Document {
    version: &'static str,
    statement: Vec<Statement>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Statement {
    effect: &'static str,
    action: Vec<String>,
    resource: Vec<String>,
}

impl Document {
    /// A document that allows these actions on these resources and their like; one statement for
    /// all actions on the same resources. `None` if nothing is to be allowed.
    pub(crate) fn covering(seen: &BTreeMap<String, BTreeSet<Scope>>) -> Option<Document> {
        let mut by_resources = BTreeMap::<Vec<String>, Vec<String>>::new();
        for (action, scopes) in seen {
            let resources = generalised(scopes, SIBLINGS).iter().map(Scope::pattern).collect();
            by_resources.entry(resources).or_default().push(action.clone());
        }
        let mut statement: Vec<Statement> = by_resources
            .into_iter()
            .map(|(resource, action)| Statement { effect: "Allow", action, resource })
            .collect();
        statement.sort_by(|one, other| one.action.cmp(&other.action));
        (!statement.is_empty()).then_some(Document { version: "2012-10-17", statement })
    }

    /// The document as text, for people.
    pub(crate) fn text(&self) -> String {
        serde_json::to_string_pretty(self).expect("texts and lists of texts are JSON")
    }
}

#[cfg(test)]
mod tests {
    use kit::AccountId;
    use proptest::prelude::*;

    use super::*;
    use crate::{
        document,
        evaluate::{Compiled, Kind, Outcome, Policies, Request, Who, evaluate, tests::facts},
    };

    fn seen(calls: &[(&str, &str)]) -> BTreeMap<String, BTreeSet<Scope>> {
        let mut seen = BTreeMap::<String, BTreeSet<Scope>>::new();
        for (action, resource) in calls {
            seen.entry((*action).to_owned()).or_default().insert(Scope::of(resource));
        }
        seen
    }

    fn allows(policy: &Compiled, action: &str, resource: &str) -> bool {
        let account = Some(AccountId::DEFAULT);
        let who = Who { kind: Kind::User, account, arn: "", role: None, id: "" };
        let facts = facts(&[]);
        let owner = AccountId::DEFAULT;
        let request = Request { action, resource, owner, who, facts: &facts };
        let policies = Policies { identity: &[policy], ..Policies::default() };
        evaluate(&request, &policies).outcome == Outcome::Allowed
    }

    #[test]
    fn actions_on_the_same_resources_share_a_statement() {
        let bucket = "arn:aws:s3:::b";
        let queue = "arn:aws:sqs:us-east-1:123456789012:q";
        let document = Document::covering(&seen(&[
            ("sqs:SendMessage", queue),
            ("sqs:GetQueueUrl", queue),
            ("s3:GetObject", "arn:aws:s3:::b/a"),
            ("s3:GetObject", "arn:aws:s3:::b/c"),
            ("s3:ListBucket", bucket),
            ("lambda:ListFunctions", "*"),
        ]));
        let value: serde_json::Value = serde_json::from_str(&document.unwrap().text()).unwrap();
        let allow = |actions: &[&str], resource: &str| serde_json::json!({"Effect": "Allow", "Action": actions, "Resource": [resource]});
        assert_eq!(
            value["Statement"],
            serde_json::json!([
                allow(&["lambda:ListFunctions"], "*"),
                allow(&["s3:GetObject"], "arn:aws:s3:::b/*"),
                allow(&["s3:ListBucket"], bucket),
                allow(&["sqs:GetQueueUrl", "sqs:SendMessage"], queue),
            ])
        );
        assert_eq!(Document::covering(&BTreeMap::new()), None);
    }

    const ACTIONS: [&str; 4] =
        ["s3:GetObject", "s3:PutObject", "lambda:InvokeFunction", "lambda:ListFunctions"];

    fn call() -> impl Strategy<Value = (&'static str, String)> {
        let object = "[a-b]{2}(/[a-c*?$ {}]{1,2}){1,3}".prop_map(|it| format!("arn:aws:s3:::{it}"));
        let function = "[f-h](:(1|P))?"
            .prop_map(|it| format!("arn:aws:lambda:us-east-1:123456789012:function:{it}"));
        prop_oneof![
            (prop_oneof![Just(ACTIONS[0]), Just(ACTIONS[1])], object),
            (Just(ACTIONS[2]), function),
            (Just(ACTIONS[3]), Just("*".to_owned())),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..Default::default() })]
        #[test]
        fn it_allows_every_call_and_no_action_that_was_not_seen(
            calls in proptest::collection::vec(call(), 1..60),
        ) {
            let pairs: Vec<(&str, &str)> =
                calls.iter().map(|(action, resource)| (*action, resource.as_str())).collect();
            let text = Document::covering(&seen(&pairs)).unwrap().text();
            prop_assert_eq!(document::check_identity_policy(&text), Ok(()));
            let policy = Compiled::parse(&text).unwrap();
            for (action, resource) in &pairs {
                prop_assert!(allows(&policy, action, resource), "{action} {resource} {text}");
            }
            for action in ACTIONS {
                let done = pairs.iter().any(|(seen, _)| *seen == action);
                let granted = pairs.iter().any(|(_, resource)| allows(&policy, action, resource));
                prop_assert!(done || !granted, "{action} {text}");
            }
        }
    }
}
