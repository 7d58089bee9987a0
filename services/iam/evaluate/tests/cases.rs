//! The table of cases: `cases/*.json`, each a file of one theme. A case has a name that is a
//! sentence, perhaps the page of the documentation that it follows (`doc`), and what it says
//! otherwise than `Case::default`. A policy is a document, a statement, or a list of statements;
//! `when` is the `Condition` of an identity's statement that allows everything.

use std::{collections::BTreeMap, fs, path::Path};

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    super::{Compiled, Decision, Kind, Outcome, Policies, Request, Source, Who, evaluate},
    Given,
};

const ACCOUNT: &str = "111122223333";

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Case {
    name: String,
    /// Titles of the IAM user guide.
    #[serde(rename = "doc")]
    _doc: String,
    /// `user`, `root`, `session`, `federated`, `anonymous`, `service:NAME`, `provider:NAME`
    caller: String,
    action: String,
    resource: String,
    /// The account of the resource.
    owner: String,
    context: BTreeMap<String, Value>,
    identity: Vec<Value>,
    when: Option<Value>,
    boundary: Option<Value>,
    session: Option<Vec<Value>>,
    /// Of the resource.
    policy: Option<Value>,
    /// Of the resource, which is a role.
    trust: Option<Value>,
    /// `allowed`, `denied by …`, `not allowed by …`
    expect: String,
}

impl Default for Case {
    fn default() -> Case {
        Case {
            name: String::new(),
            _doc: String::new(),
            caller: "user".to_owned(),
            action: "s3:GetObject".to_owned(),
            resource: "arn:aws:s3:::b/k".to_owned(),
            owner: ACCOUNT.to_owned(),
            context: BTreeMap::new(),
            identity: Vec::new(),
            when: None,
            boundary: None,
            session: None,
            policy: None,
            trust: None,
            expect: String::new(),
        }
    }
}

#[test]
fn every_case_is_decided_as_documented() {
    let mut failures = Vec::new();
    let mut names = std::collections::BTreeSet::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("evaluate/tests/cases");
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let file = path.file_stem().unwrap().to_string_lossy().into_owned();
        let cases: Vec<Case> = serde_json::from_str(&fs::read_to_string(&path).unwrap())
            .unwrap_or_else(|error| panic!("{file}: {error}"));
        for case in cases {
            let decided = said(&case.decision());
            if decided != case.expect {
                failures.push(format!("{file}: {}: {decided}, not {}", case.name, case.expect));
            }
            assert!(names.insert(case.name.clone()), "{file}: twice: {}", case.name);
        }
    }
    assert!(names.len() >= 300, "only {} cases were found", names.len());
    assert!(failures.is_empty(), "{} cases fail:\n{}", failures.len(), failures.join("\n"));
}

impl Case {
    fn decision(&self) -> Decision {
        let mut identity: Vec<Compiled> = self.identity.iter().map(compiled).collect();
        identity.extend(self.when.as_ref().map(|condition| {
            let all = json!({"Effect": "Allow", "Action": "*", "Resource": "*"});
            compiled(&with(all, "Condition", condition.clone()))
        }));
        let session: Option<Vec<Compiled>> =
            self.session.as_ref().map(|policies| policies.iter().map(compiled).collect());
        let boundary = self.boundary.as_ref().map(compiled);
        let resource = self.policy.as_ref().or(self.trust.as_ref()).map(compiled);
        let session: Option<Vec<&Compiled>> = session.as_ref().map(|it| it.iter().collect());
        let policies = Policies {
            identity: &identity.iter().collect::<Vec<_>>(),
            boundary: boundary.as_ref(),
            session: session.as_deref(),
            resource: resource.as_ref(),
            resource_decides: self.trust.is_some(),
        };
        let facts = Given(self.context.iter().map(entry).collect());
        let request = Request {
            action: &self.action,
            resource: &self.resource,
            owner: self.owner.parse().unwrap(),
            who: caller(&self.caller),
            facts: &facts,
        };
        evaluate(&request, &policies)
    }
}

fn entry((key, value): (&String, &Value)) -> (String, Vec<String>) {
    let texts = match value {
        Value::Array(list) => list.iter().map(|it| it.as_str().unwrap().to_owned()).collect(),
        one => vec![one.as_str().unwrap().to_owned()],
    };
    (key.to_ascii_lowercase(), texts)
}

/// A document as it is, statements in a document of the newest version.
fn compiled(policy: &Value) -> Compiled {
    let document = match policy.get("Statement") {
        Some(_) => policy.clone(),
        None => json!({"Version": "2012-10-17", "Statement": policy}),
    };
    Compiled::parse(&document.to_string()).unwrap()
}

fn with(mut statement: Value, key: &str, value: Value) -> Value {
    statement[key] = value;
    statement
}

fn caller(text: &str) -> Who<'_> {
    let (kind, arn, role, id) = match text {
        "user" => (Kind::User, "arn:aws:iam::111122223333:user/ana", None, "AIDAANA"),
        "root" => (Kind::Root, "arn:aws:iam::111122223333:root", None, ACCOUNT),
        "session" => (
            Kind::Session,
            "arn:aws:sts::111122223333:assumed-role/worker/night",
            Some("arn:aws:iam::111122223333:role/worker"),
            "AROAWORKER:night",
        ),
        "federated" => {
            let arn = "arn:aws:sts::111122223333:federated-user/eve";
            (Kind::Federated, arn, None, "111122223333:eve")
        }
        "anonymous" => (Kind::Anonymous, "", None, "anonymous"),
        other => match other.split_once(':') {
            Some(("service", name)) => (Kind::Service, name, None, ""),
            Some(("provider", name)) => (Kind::Provider, name, None, ""),
            _ => panic!("no such caller: {other}"),
        },
    };
    let known = !matches!(kind, Kind::Service | Kind::Provider | Kind::Anonymous);
    Who { kind, account: ACCOUNT.parse().ok().filter(|_| known), arn, role, id }
}

/// A decision in the words of the cases.
fn said(decision: &Decision) -> String {
    let by = |source: Source| match source {
        Source::Identity => "identity",
        Source::Boundary => "boundary",
        Source::Session => "session",
        Source::Resource => "resource",
    };
    match decision.outcome {
        Outcome::Allowed => "allowed".to_owned(),
        Outcome::Denied(source) => format!("denied by {}", by(source)),
        Outcome::NotAllowed(source) => format!("not allowed by {}", by(source)),
    }
}
