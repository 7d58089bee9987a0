//! A queue's resource policy: checked when it is set, and edited by AddPermission and
//! RemovePermission. It is evaluated elsewhere.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{error::Error, limits};

/// The policy's document, in the order that AWS writes its members.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Policy {
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    statement: OneOrMany<Value>,
}

/// A single value stands for a list of one.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum OneOrMany<T> {
    Many(Vec<T>),
    One(T),
}

impl<T> OneOrMany<T> {
    fn of(mut values: Vec<T>) -> OneOrMany<T> {
        match values.len() {
            1 => OneOrMany::One(values.remove(0)),
            _ => OneOrMany::Many(values),
        }
    }

    fn into_vec(self) -> Vec<T> {
        match self {
            OneOrMany::Many(values) => values,
            OneOrMany::One(value) => vec![value],
        }
    }
}

/// The statement that AddPermission adds.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Permission<'a> {
    sid: &'a str,
    effect: &'a str,
    principal: Principal,
    action: OneOrMany<String>,
    resource: &'a str,
}

#[derive(Serialize)]
struct Principal {
    #[serde(rename = "AWS")]
    aws: OneOrMany<String>,
}

/// The actions that a permission may name.
const GRANTABLE: [&str; 9] = [
    "*",
    "ChangeMessageVisibility",
    "DeleteMessage",
    "GetQueueAttributes",
    "GetQueueUrl",
    "ListDeadLetterSourceQueues",
    "PurgeQueue",
    "ReceiveMessage",
    "SendMessage",
];

/// The actions that only a queue's owner may call.
const OWNERS: [&str; 12] = [
    "AddPermission",
    "CancelMessageMoveTask",
    "CreateQueue",
    "DeleteQueue",
    "ListMessageMoveTasks",
    "ListQueues",
    "ListQueueTags",
    "RemovePermission",
    "SetQueueAttributes",
    "StartMessageMoveTask",
    "TagQueue",
    "UntagQueue",
];

const STATEMENT_MEMBERS: [&str; 9] = [
    "Sid",
    "Effect",
    "Principal",
    "NotPrincipal",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
];

/// Whether only a queue's owner may do this, `sqs:DeleteQueue`, whatever the policy says.
pub(crate) fn is_owners(action: &str) -> bool {
    action.split_once(':').is_some_and(|(_, name)| OWNERS.contains(&name))
}

/// Refuses what is not a policy's document.
pub(crate) fn check(text: &str) -> Result<(), Error> {
    let invalid = || Error::attribute_value("Policy");
    let policy: Policy = serde_json::from_str(text).map_err(|_| invalid())?;
    if !matches!(policy.version.as_deref(), None | Some("2008-10-17" | "2012-10-17")) {
        return Err(invalid());
    }
    let statements = policy.statement.into_vec();
    if statements.is_empty() || !statements.iter().all(is_statement) {
        return Err(invalid());
    }
    if statements.len() > limits::POLICY_STATEMENTS {
        return Err(Error::OverLimit(format!(
            "{} statements were found in the submitted policy, max allowed is {}",
            statements.len(),
            limits::POLICY_STATEMENTS
        )));
    }
    Ok(())
}

fn is_statement(statement: &Value) -> bool {
    statement.as_object().is_some_and(|members| {
        members.keys().all(|name| STATEMENT_MEMBERS.contains(&name.as_str()))
            && matches!(members.get("Effect").and_then(Value::as_str), Some("Allow" | "Deny"))
    })
}

/// The policy with a permission more.
pub(crate) fn add(
    policy: Option<&str>,
    queue_arn: &str,
    label: &str,
    accounts: &[String],
    actions: &[String],
) -> Result<String, Error> {
    check_label(label)?;
    check_accounts(accounts)?;
    check_actions(actions)?;
    let mut policy = match policy {
        Some(text) => parse(text)?,
        None => Policy {
            version: Some("2008-10-17".to_owned()),
            id: Some(format!("{queue_arn}/SQSDefaultPolicy")),
            statement: OneOrMany::Many(Vec::new()),
        },
    };
    let mut statements = policy.statement.into_vec();
    if statements.iter().any(|statement| has_label(statement, label)) {
        return Err(Error::invalid(label, "Label", "Already exists."));
    }
    let principals = accounts.iter().map(|account| format!("arn:aws:iam::{account}:root"));
    let permission = Permission {
        sid: label,
        effect: "Allow",
        principal: Principal { aws: OneOrMany::of(principals.collect()) },
        action: OneOrMany::of(actions.iter().map(|action| format!("SQS:{action}")).collect()),
        resource: queue_arn,
    };
    statements.push(
        serde_json::to_value(permission)
            .map_err(|error| Error::InvalidParameterValue(error.to_string()))?,
    );
    if statements.len() > limits::POLICY_STATEMENTS {
        return Err(Error::OverLimit(format!(
            "{} Statements were found, maximum allowed is {}.",
            statements.len(),
            limits::POLICY_STATEMENTS
        )));
    }
    policy.statement = OneOrMany::Many(statements);
    Ok(text(&policy))
}

/// The policy without a permission; `None` if it was the last one.
pub(crate) fn remove(policy: Option<&str>, label: &str) -> Result<Option<String>, Error> {
    check_label(label)?;
    let missing = || Error::invalid(label, "Label", "can't find label.");
    let mut policy = parse(policy.ok_or_else(missing)?)?;
    let mut statements = policy.statement.into_vec();
    let before = statements.len();
    statements.retain(|statement| !has_label(statement, label));
    if statements.len() == before {
        return Err(missing());
    }
    if statements.is_empty() {
        return Ok(None);
    }
    policy.statement = OneOrMany::Many(statements);
    Ok(Some(text(&policy)))
}

fn parse(text: &str) -> Result<Policy, Error> {
    serde_json::from_str(text).map_err(|_| Error::attribute_value("Policy"))
}

fn text(policy: &Policy) -> String {
    serde_json::to_string(policy).expect("a document read from JSON is JSON")
}

fn has_label(statement: &Value, label: &str) -> bool {
    statement.get("Sid").and_then(Value::as_str) == Some(label)
}

fn check_label(label: &str) -> Result<(), Error> {
    let valid = |it: char| it.is_ascii_alphanumeric() || it == '-' || it == '_';
    match label {
        "" => Err(Error::MissingParameter("Label".to_owned())),
        _ if label.len() > 80 || !label.chars().all(valid) => Err(Error::invalid(
            label,
            "Label",
            "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length.",
        )),
        _ => Ok(()),
    }
}

fn check_accounts(accounts: &[String]) -> Result<(), Error> {
    if accounts.is_empty() {
        return Err(Error::MissingParameter("AWSAccountIds".to_owned()));
    }
    match accounts.iter().find(|account| account.parse::<kit::AccountId>().is_err()) {
        Some(account) => Err(Error::invalid(account, "PrincipalId", "Unable to verify.")),
        None => Ok(()),
    }
}

fn check_actions(actions: &[String]) -> Result<(), Error> {
    if actions.is_empty() {
        return Err(Error::MissingParameter("Actions".to_owned()));
    }
    if actions.len() > limits::PERMISSION_ACTIONS {
        return Err(Error::OverLimit(format!(
            "{} Actions were found, maximum allowed is {}.",
            actions.len(),
            limits::PERMISSION_ACTIONS
        )));
    }
    let refused = actions.iter().find(|action| !GRANTABLE.contains(&action.as_str()));
    refused.map_or(Ok(()), |action| {
        let reason = match OWNERS.contains(&action.as_str()) {
            true => "Only the queue owner is allowed to invoke this action.",
            false => "Please refer to the appropriate WSDL for a list of valid actions.",
        };
        Err(Error::invalid(format!("SQS:{action}"), "ActionName", reason))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:sqs:us-east-1:000000000000:q";

    fn add_one(policy: Option<&str>, label: &str, actions: &[&str]) -> Result<String, Error> {
        let actions: Vec<String> = actions.iter().map(|it| (*it).to_owned()).collect();
        add(policy, ARN, label, &["111111111111".to_owned()], &actions)
    }

    #[test]
    fn permissions_come_and_go() {
        let one = add_one(None, "a", &["ReceiveMessage"]).unwrap();
        let expected = serde_json::json!({
            "Version": "2008-10-17",
            "Id": format!("{ARN}/SQSDefaultPolicy"),
            "Statement": [{
                "Sid": "a",
                "Effect": "Allow",
                "Principal": {"AWS": "arn:aws:iam::111111111111:root"},
                "Action": "SQS:ReceiveMessage",
                "Resource": ARN
            }]
        });
        assert_eq!(serde_json::from_str::<Value>(&one).unwrap(), expected);
        assert!(check(&one).is_ok());
        assert_eq!(
            add_one(Some(&one), "a", &["SendMessage"]).unwrap_err().to_string(),
            "Value a for parameter Label is invalid. Reason: Already exists."
        );
        let two = add_one(Some(&one), "b", &["SendMessage", "DeleteMessage"]).unwrap();
        let rest = remove(Some(&two), "a").unwrap().unwrap();
        assert_eq!(remove(Some(&rest), "b"), Ok(None));
        assert_eq!(
            remove(Some(&rest), "a").unwrap_err().to_string(),
            "Value a for parameter Label is invalid. Reason: can't find label."
        );
    }

    #[test]
    fn actions_are_refused_in_aws_words() {
        for (actions, text) in [
            (
                &["SendMessageBatch"][..],
                "Value SQS:SendMessageBatch for parameter ActionName is invalid. Reason: Please refer to the appropriate WSDL for a list of valid actions.",
            ),
            (
                &["CreateQueue"],
                "Value SQS:CreateQueue for parameter ActionName is invalid. Reason: Only the queue owner is allowed to invoke this action.",
            ),
            (&["*"; 8], "8 Actions were found, maximum allowed is 7."),
            (&[], "The request must contain the parameter Actions."),
        ] {
            assert_eq!(add_one(None, "a", actions).unwrap_err().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_policy_is_refused() {
        let statement = r#"{"Effect":"Allow","Principal":"*","Action":"sqs:*","Resource":"*"}"#;
        assert!(check(&format!(r#"{{"Version":"2012-10-17","Statement":{statement}}}"#)).is_ok());
        for text in [
            "badjson".to_owned(),
            "[]".to_owned(),
            r#"{"Version":"2012-10-17","Statement":[]}"#.to_owned(),
            format!(r#"{{"Version":"4532-10-17","Statement":[{statement}]}}"#),
            format!(r#"{{"Dummy":1,"Statement":[{statement}]}}"#),
            r#"{"Statement":[{"Effect":"Allow","Dummy":1}]}"#.to_owned(),
        ] {
            assert_eq!(check(&text), Err(Error::attribute_value("Policy")), "{text}");
        }
        let many = vec![statement; 22].join(",");
        assert_eq!(
            check(&format!(r#"{{"Statement":[{many}]}}"#)).unwrap_err().to_string(),
            "22 statements were found in the submitted policy, max allowed is 20"
        );
    }
}
