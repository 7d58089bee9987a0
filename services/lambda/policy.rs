//! Resource policies: who may invoke a function. Pure.
//!
//! A policy belongs to a function, a version or an alias. `statement` holds a statement and how
//! `AddPermission` makes one, `document` reads policies that callers wrote.

mod document;
mod port;
mod statement;
#[cfg(test)]
mod tests;

use kit::{AccountId, ids};
use serde::{Deserialize, Serialize};

pub(crate) use statement::{Effect, Principal, Statement};

use crate::{Error, limits};

/// The policy of a function, a version or an alias.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Policy {
    #[serde(default = "language")]
    language: Option<String>,
    #[serde(default = "default_id")]
    id: Option<String>,
    pub(crate) statements: Vec<Statement>,
    /// Another one after every change. What has revisions of its own, as functions have, shows those.
    pub(crate) revision: String,
}

/// The document that `GetPolicy` answers with.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Document<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    statement: &'a [Statement],
}

fn language() -> Option<String> {
    Some("2012-10-17".to_owned())
}

fn default_id() -> Option<String> {
    Some("default".to_owned())
}

impl Policy {
    /// A policy without a statement, which is never kept.
    pub(crate) fn new() -> Policy {
        let (language, id) = (language(), default_id());
        Policy { language, id, statements: Vec::new(), revision: ids::uuid() }
    }

    /// Adds a statement whose id is new.
    pub(crate) fn add(&mut self, statement: Statement) -> Result<(), Error> {
        if let Some(sid) = &statement.sid
            && self.statements.iter().any(|it| it.sid.as_ref() == Some(sid))
        {
            return Err(Error::StatementExists(sid.clone()));
        }
        self.statements.push(statement);
        self.revision = ids::uuid();
        self.check_size()
    }

    /// Whether a statement allows a whole account.
    pub(crate) fn allows_account(&self, account: AccountId) -> bool {
        self.statements.iter().any(|statement| statement.allows_account(account))
    }

    /// Removes the statement of this id.
    pub(crate) fn remove(&mut self, sid: &str) -> Result<(), Error> {
        let place = self.statements.iter().position(|it| it.sid.as_deref() == Some(sid));
        self.statements.remove(place.ok_or_else(|| Error::NoSuchStatement(sid.to_owned()))?);
        self.revision = ids::uuid();
        Ok(())
    }

    /// The policy as JSON.
    pub(crate) fn json(&self) -> String {
        let (version, id) = (self.language.as_deref(), self.id.as_deref());
        let document = Document { version, id, statement: &self.statements };
        serde_json::to_string(&document).expect("texts and maps of texts are always JSON")
    }

    fn check_size(&self) -> Result<(), Error> {
        let bytes = self.json().len();
        if bytes > limits::POLICY_BYTES { Err(Error::PolicyTooLong(bytes)) } else { Ok(()) }
    }
}
