//! One statement of a resource policy, and how `AddPermission` makes one: as AWS does. Pure.

use std::collections::BTreeMap;

use kit::AccountId;
use model::lambda as api;
use serde::{Deserialize, Serialize};
use wire::Enumeration;

use crate::Error;

/// One statement, with the names of the policy language.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Statement {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sid: Option<String>,
    pub(crate) effect: Effect,
    pub(crate) principal: Principal,
    pub(crate) action: Texts,
    pub(crate) resource: Texts,
    /// Values by key, by operator.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) condition: BTreeMap<String, BTreeMap<String, Texts>>,
}

/// What a statement does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Effect {
    Allow,
    Deny,
}

/// `"*"`, `{"Service": …}` or `{"AWS": …}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Principal {
    Anybody(String),
    Named(BTreeMap<String, Texts>),
}

/// One text or several, written as they came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Texts {
    One(String),
    Several(Vec<String>),
}

impl Statement {
    /// What `AddPermission` asks for, on this ARN.
    pub(crate) fn new(
        input: &api::AddPermissionInput,
        resource: String,
    ) -> Result<Statement, Error> {
        Ok(Statement {
            sid: Some(input.statement_id.clone()),
            effect: Effect::Allow,
            principal: Principal::parse(&input.principal)?,
            action: Texts::One(input.action.clone()),
            resource: Texts::One(resource),
            condition: condition(input),
        })
    }

    /// The statement as JSON.
    pub(crate) fn json(&self) -> String {
        serde_json::to_string(self).expect("texts and maps of texts are always JSON")
    }

    /// Whether it lets everybody in, whoever they are and wherever they come from.
    pub(crate) fn is_public(&self) -> bool {
        self.effect == Effect::Allow && self.condition.is_empty() && self.principal.is_anybody()
    }

    /// Whether it lets a whole account in, without conditions.
    pub(crate) fn allows_account(&self, account: AccountId) -> bool {
        let root = format!("arn:aws:iam::{account}:root");
        let named = match &self.principal {
            Principal::Named(named) => {
                named.get("AWS").is_some_and(|who| who.iter().any(|who| who == root))
            }
            Principal::Anybody(_) => false,
        };
        self.is_public() || (named && self.effect == Effect::Allow && self.condition.is_empty())
    }
}

impl Principal {
    fn parse(text: &str) -> Result<Principal, Error> {
        let one =
            |kind: &str, who: String| Principal::Named([(kind.to_owned(), Texts::One(who))].into());
        if text == "*" {
            return Ok(Principal::Anybody(text.to_owned()));
        }
        if is_service(text) {
            return Ok(one("Service", text.to_owned()));
        }
        identity(text).map(|who| one("AWS", who))
    }

    /// The same with accounts as AWS keeps them, if all of it names somebody.
    pub(crate) fn checked(self) -> Result<Principal, Error> {
        let Principal::Named(named) = self else {
            return if self.is_anybody() { Ok(self) } else { Err(Error::InvalidPrincipal) };
        };
        let of_kind = |(kind, who): (String, Texts)| {
            let who = match kind.as_str() {
                "Service" if who.iter().all(is_service) => who,
                "AWS" => {
                    who.map(|who| if who == "*" { Ok(who.to_owned()) } else { identity(who) })?
                }
                _ => return Err(Error::InvalidPrincipal),
            };
            Ok((kind, who))
        };
        let named: BTreeMap<_, _> = named.into_iter().map(of_kind).collect::<Result<_, _>>()?;
        if named.is_empty() { Err(Error::InvalidPrincipal) } else { Ok(Principal::Named(named)) }
    }

    fn is_anybody(&self) -> bool {
        match self {
            Principal::Anybody(text) => text == "*",
            Principal::Named(named) => named.values().any(|who| who.iter().any(|who| who == "*")),
        }
    }
}

impl Texts {
    /// Every text.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        let texts = match self {
            Texts::One(text) => std::slice::from_ref(text),
            Texts::Several(texts) => texts.as_slice(),
        };
        texts.iter().map(String::as_str)
    }

    fn map(&self, to: impl Fn(&str) -> Result<String, Error>) -> Result<Texts, Error> {
        match self {
            Texts::One(text) => to(text).map(Texts::One),
            Texts::Several(_) => self.iter().map(to).collect::<Result<_, _>>().map(Texts::Several),
        }
    }
}

fn is_service(text: &str) -> bool {
    text.ends_with(".amazonaws.com") || text.ends_with(".amazon.com")
}

/// An account's root, or somebody's own ARN.
fn identity(text: &str) -> Result<String, Error> {
    if text.parse::<AccountId>().is_ok() {
        return Ok(format!("arn:aws:iam::{text}:root"));
    }
    match text.parse::<kit::Arn>() {
        Ok(arn) if matches!(arn.service(), "iam" | "sts") => Ok(text.to_owned()),
        _ => Err(Error::InvalidPrincipal),
    }
}

fn condition(input: &api::AddPermissionInput) -> BTreeMap<String, BTreeMap<String, Texts>> {
    let auth_type = input.function_url_auth_type.map(|it| it.as_str().to_owned());
    let via_url = input.invoked_via_function_url.map(|it| it.to_string());
    let mut condition: BTreeMap<String, BTreeMap<String, Texts>> = BTreeMap::new();
    for (operator, key, value) in [
        ("StringEquals", "lambda:FunctionUrlAuthType", &auth_type),
        ("StringEquals", "aws:PrincipalOrgID", &input.principal_org_id),
        ("StringEquals", "AWS:SourceAccount", &input.source_account),
        ("StringEquals", "lambda:EventSourceToken", &input.event_source_token),
        ("ArnLike", "AWS:SourceArn", &input.source_arn),
        ("Bool", "lambda:InvokedViaFunctionUrl", &via_url),
    ] {
        if let Some(value) = value {
            let value = Texts::One(value.clone());
            condition.entry(operator.to_owned()).or_default().insert(key.to_owned(), value);
        }
    }
    condition
}
