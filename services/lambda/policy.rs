//! Resource policies: who may invoke a function. Statements are built as AWS builds them. Pure.

use std::collections::BTreeMap;

use kit::{AccountId, ids};
use model::lambda as api;
use serde::{Deserialize, Serialize};
use wire::Enumeration;

use crate::{Error, limits};

/// The policy of a function, a version or an alias.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Policy {
    pub(crate) statements: Vec<Statement>,
    /// `RevisionId`.
    pub(crate) revision: String,
}

/// One statement, with the names of the policy language.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Statement {
    pub(crate) sid: String,
    effect: String,
    principal: Principal,
    action: String,
    resource: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    condition: BTreeMap<String, BTreeMap<String, String>>,
}

/// `"*"`, `{"Service": …}` or `{"AWS": …}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
enum Principal {
    Anybody(String),
    One(BTreeMap<String, String>),
}

/// The document that `GetPolicy` answers with.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Document<'a> {
    version: &'static str,
    id: &'static str,
    statement: &'a [Statement],
}

impl Statement {
    /// What `AddPermission` asks for, on this ARN.
    pub(crate) fn new(
        input: &api::AddPermissionInput,
        resource: String,
    ) -> Result<Statement, Error> {
        Ok(Statement {
            sid: input.statement_id.clone(),
            effect: "Allow".to_owned(),
            principal: Principal::parse(&input.principal)?,
            action: input.action.clone(),
            resource,
            condition: condition(input),
        })
    }

    /// The statement as JSON.
    pub(crate) fn json(&self) -> String {
        serde_json::to_string(self).expect("text maps are always JSON")
    }
}

impl Principal {
    fn parse(text: &str) -> Result<Principal, Error> {
        let one = |kind: &str, who: String| Principal::One([(kind.to_owned(), who)].into());
        if text == "*" {
            return Ok(Principal::Anybody(text.to_owned()));
        }
        if text.ends_with(".amazonaws.com") || text.ends_with(".amazon.com") {
            return Ok(one("Service", text.to_owned()));
        }
        if text.parse::<AccountId>().is_ok() {
            return Ok(one("AWS", format!("arn:aws:iam::{text}:root")));
        }
        match text.parse::<kit::Arn>() {
            Ok(arn) if matches!(arn.service(), "iam" | "sts") => Ok(one("AWS", text.to_owned())),
            _ => Err(Error::InvalidPrincipal),
        }
    }
}

fn condition(input: &api::AddPermissionInput) -> BTreeMap<String, BTreeMap<String, String>> {
    let auth_type = input.function_url_auth_type.map(|it| it.as_str().to_owned());
    let via_url = input.invoked_via_function_url.map(|it| it.to_string());
    let mut condition: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for (operator, key, value) in [
        ("StringEquals", "lambda:FunctionUrlAuthType", &auth_type),
        ("StringEquals", "aws:PrincipalOrgID", &input.principal_org_id),
        ("StringEquals", "AWS:SourceAccount", &input.source_account),
        ("StringEquals", "lambda:EventSourceToken", &input.event_source_token),
        ("ArnLike", "AWS:SourceArn", &input.source_arn),
        ("Bool", "lambda:InvokedViaFunctionUrl", &via_url),
    ] {
        if let Some(value) = value {
            condition.entry(operator.to_owned()).or_default().insert(key.to_owned(), value.clone());
        }
    }
    condition
}

impl Policy {
    /// A policy without a statement, which is never kept.
    pub(crate) fn new() -> Policy {
        Policy { statements: Vec::new(), revision: ids::uuid() }
    }

    /// Adds a statement whose id is new.
    pub(crate) fn add(&mut self, statement: Statement) -> Result<(), Error> {
        if self.statements.iter().any(|it| it.sid == statement.sid) {
            return Err(Error::StatementExists(statement.sid));
        }
        self.statements.push(statement);
        let bytes = self.json().len();
        if bytes > limits::POLICY_BYTES {
            return Err(Error::PolicyTooLong(bytes));
        }
        self.revision = ids::uuid();
        Ok(())
    }

    /// Removes the statement of this id.
    pub(crate) fn remove(&mut self, sid: &str) -> Result<(), Error> {
        let place = self.statements.iter().position(|it| it.sid == sid);
        self.statements.remove(place.ok_or_else(|| Error::NoSuchStatement(sid.to_owned()))?);
        self.revision = ids::uuid();
        Ok(())
    }

    /// Whether this is the revision that a caller has seen.
    pub(crate) fn check_revision(&self, given: Option<&str>) -> Result<(), Error> {
        match given {
            Some(given) if given != self.revision => Err(Error::PolicyRevisionDiffers),
            _ => Ok(()),
        }
    }

    /// The policy as JSON.
    pub(crate) fn json(&self) -> String {
        let (version, id) = ("2012-10-17", "default");
        let document = Document { version, id, statement: &self.statements };
        serde_json::to_string(&document).expect("text maps are always JSON")
    }
}

#[cfg(test)]
mod tests {
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
        let revision = policy.revision.clone();
        assert!(matches!(add(&mut policy, "a"), Err(Error::StatementExists(_))));
        policy.check_revision(Some(&revision)).unwrap();
        add(&mut policy, "b").unwrap();
        assert!(policy.check_revision(Some(&revision)).is_err());
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
}
