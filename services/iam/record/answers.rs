//! What is said to who asks: records with their meaning, and suggestions.

use std::collections::{BTreeMap, BTreeSet};

use kit::Millis;
use serde::Serialize;

use crate::{
    Iam,
    account::Account,
    authority::{carried, carried_by_user},
    role::Role,
    user::User,
};

use super::{
    Record,
    beyond::{Beyond, beyond},
    explain,
    scope::Scope,
    seen::{Seen, Uses},
    suggest::Document,
};

/// A record, and what it means.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explained {
    time: String,
    allowed: bool,
    #[serde(flatten)]
    record: Record,
    /// Why it was decided so, a sentence each.
    explanation: Vec<String>,
}

/// A policy for what an identity has done.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Suggested {
    /// `role/worker`
    identity: String,
    /// Whether IAM knows it.
    exists: bool,
    since: String,
    /// The document; none if nothing was seen.
    policy: Option<String>,
    seen: Vec<Done>,
    /// What the present policies grant and was not used.
    beyond: Vec<Beyond>,
}

/// An action on a resource, or on several.
#[derive(Debug, Serialize)]
struct Done {
    action: String,
    resource: String,
    count: u64,
    first: String,
    last: String,
}

pub(super) fn explained(iam: &Iam, record: Record) -> Explained {
    let account = iam.account(record.account);
    let exists = record.identity.as_ref().is_none_or(|identity| exists(&account, identity));
    Explained {
        time: record.at.iso8601(),
        allowed: record.is_allowed(),
        explanation: explain::sentences(&record, exists),
        record,
    }
}

/// What was done by an identity that [`known_identity`] found.
pub(super) fn suggested(
    account: &Account,
    identity: String,
    since: Millis,
    done: &BTreeMap<String, BTreeMap<Scope, Uses>>,
) -> Suggested {
    let scopes: BTreeMap<String, BTreeSet<Scope>> = done
        .iter()
        .map(|(action, uses)| (action.clone(), uses.keys().cloned().collect()))
        .collect();
    let each = done.iter().flat_map(|(action, scopes)| {
        scopes.iter().map(|(scope, uses)| Done {
            action: action.clone(),
            resource: scope.pattern(),
            count: uses.count,
            first: uses.first.iso8601(),
            last: uses.last.iso8601(),
        })
    });
    let policies = match identity.split_once('/') {
        Some(("user", name)) => {
            account.find::<User>(name).map(|it| carried_by_user(account, it)).unwrap_or_default()
        }
        Some((_, name)) => {
            account.find::<Role>(name).map(|it| carried(account, &**it)).unwrap_or_default()
        }
        None => Vec::new(),
    };
    Suggested {
        exists: exists(account, &identity),
        since: since.iso8601(),
        policy: Document::covering(&scopes).map(|it| it.text()),
        seen: each.collect(),
        beyond: beyond(account.id, &policies, &scopes),
        identity,
    }
}

/// `role/name` or `user/name` of what a person wrote; a name alone stays as it is.
pub(super) fn identity_named(text: &str) -> String {
    let resource = match text.splitn(6, ':').nth(5) {
        Some(resource) if text.starts_with("arn:") => resource,
        _ => text,
    };
    let parts: Vec<&str> = resource.split('/').collect();
    match parts[..] {
        ["assumed-role", role, ..] => format!("role/{role}"),
        [kind @ ("role" | "user"), .., name] => format!("{kind}/{name}"),
        _ => resource.to_owned(),
    }
}

/// The identity that a person means: one that was seen rather than one that only exists, a role
/// rather than a user.
pub(super) fn known_identity(account: &Account, seen: &Seen, text: &str) -> Option<String> {
    let named = identity_named(text);
    let candidates = match named.contains('/') {
        true => vec![named],
        false => vec![format!("role/{named}"), format!("user/{named}")],
    };
    let was_seen = candidates.iter().find(|it| seen.knows(account.id, it));
    was_seen.or_else(|| candidates.iter().find(|it| exists(account, it))).cloned()
}

fn exists(account: &Account, identity: &str) -> bool {
    match identity.split_once('/') {
        Some(("user", name)) => account.find::<User>(name).is_ok(),
        Some(("role", name)) => account.find::<Role>(name).is_ok(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identities_are_named_as_people_write_them() {
        for (text, expected) in [
            ("worker", "worker"),
            ("role/worker", "role/worker"),
            ("arn:aws:iam::123456789012:role/service/worker", "role/worker"),
            ("arn:aws:iam::123456789012:user/ana", "user/ana"),
            ("arn:aws:sts::123456789012:assumed-role/worker/night", "role/worker"),
        ] {
            assert_eq!(identity_named(text), expected);
        }
    }
}
