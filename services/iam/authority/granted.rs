//! What an identity's policies allow, compiled and kept until the account changes.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use kit::{Arn, Principal, PrincipalKind, Tags};

use crate::{
    account::Account,
    evaluate::Compiled,
    grants::{Bounded, Identity},
    resource::Kind,
    role::Role,
    user::User,
};

/// Identities whose policies are kept compiled; when there are more, all are read anew.
const MAX_GRANTEES: usize = 4096;
/// Documents of resources and sessions that are kept compiled.
const MAX_DOCUMENTS: usize = 4096;

/// What an account itself may.
const EVERYTHING: &str =
    r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;

/// The policies of one identity.
#[derive(Debug, Default)]
pub(crate) struct Granted {
    /// Inline, attached, and for users those of their groups.
    pub(crate) policies: Vec<Named>,
    pub(crate) boundary: Option<Named>,
    /// Of a session, its role.
    pub(crate) role: Option<Arn>,
    /// Tags of the user or the role.
    pub(crate) tags: Tags,
}

/// A policy and what explanations call it.
#[derive(Debug)]
pub(crate) struct Named {
    /// `inline policy "orders" of user ana`, or a managed policy's ARN.
    pub(crate) name: Arc<str>,
    pub(crate) policy: Compiled,
}

/// Identities by what their requests call them, each with the account as it was read.
#[derive(Default)]
pub(crate) struct Grantees {
    kept: RwLock<HashMap<Arn, Kept>>,
}

struct Kept {
    /// The account as it was read.
    account: Arc<Account>,
    granted: Arc<Granted>,
}

impl Grantees {
    /// What this principal's policies allow. Read again only when its account has changed.
    pub(crate) fn of(&self, account: &Arc<Account>, principal: &Principal) -> Arc<Granted> {
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        let found = kept.get(&principal.arn).filter(|it| Arc::ptr_eq(&it.account, account));
        if let Some(found) = found {
            return found.granted.clone();
        }
        drop(kept);
        let granted = Arc::new(Granted::read(account, principal));
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MAX_GRANTEES {
            kept.clear();
        }
        let new = Kept { account: account.clone(), granted: granted.clone() };
        kept.insert(principal.arn.clone(), new);
        granted
    }
}

impl Granted {
    /// Whether there are no policies.
    pub(super) fn says_nothing(&self) -> bool {
        self.policies.is_empty() && self.boundary.is_none()
    }

    fn read(account: &Account, principal: &Principal) -> Granted {
        let resource = principal.arn.resource();
        match principal.kind {
            PrincipalKind::User => {
                let name = resource.rsplit('/').next().unwrap_or_default();
                account
                    .find::<User>(name)
                    .map_or_else(|_| Granted::default(), |it| Granted::of_user(account, it))
            }
            PrincipalKind::AssumedRole => {
                let name = resource.split('/').nth(1).unwrap_or_default();
                account
                    .find::<Role>(name)
                    .map_or_else(|_| Granted::default(), |it| Granted::of_role(account, it))
            }
            // Asked for federated users only: an account itself is not asked for policies.
            PrincipalKind::Root => {
                let everything =
                    Named { name: Arc::from("the account itself"), policy: compiled(EVERYTHING) };
                Granted { policies: vec![everything], ..Granted::default() }
            }
            _ => Granted::default(),
        }
    }

    fn of_user(account: &Account, user: &User) -> Granted {
        Granted {
            policies: named(carried_by_user(account, user)),
            boundary: boundary(account, user),
            role: None,
            tags: user.resource.tags.clone(),
        }
    }

    fn of_role(account: &Account, role: &Role) -> Granted {
        Granted {
            policies: named(carried(account, role)),
            boundary: boundary(account, role),
            role: Some(role.arn(account.id)),
            tags: role.resource.tags.clone(),
        }
    }
}

/// The policies that an identity itself carries: what they are called, and their documents.
pub(crate) fn carried<'a, T: Identity>(
    account: &'a Account,
    identity: &'a T,
) -> Vec<(String, &'a str)> {
    let grants = identity.grants();
    let inline = grants.inline.iter().map(|(name, text)| {
        (format!("inline policy \"{name}\" of {} {}", T::WORD, identity.name()), text.as_str())
    });
    let attached = grants.attached.iter();
    inline.chain(attached.filter_map(|arn| Some((arn.clone(), managed(account, arn)?)))).collect()
}

/// The policies of a user with those of its groups.
pub(crate) fn carried_by_user<'a>(account: &'a Account, user: &'a User) -> Vec<(String, &'a str)> {
    let mut all = carried(account, user);
    for group in account.groups_of(user) {
        all.extend(carried(account, group.as_ref()));
    }
    all
}

fn named(policies: Vec<(String, &str)>) -> Vec<Named> {
    let named = |(name, text): (String, &str)| Named { name: name.into(), policy: compiled(text) };
    policies.into_iter().map(named).collect()
}

fn boundary<T: Bounded>(account: &Account, identity: &T) -> Option<Named> {
    let arn = identity.boundary()?;
    // A boundary that is gone allows nothing.
    let text = managed(account, arn).unwrap_or_default();
    Some(Named { name: arn.into(), policy: compiled(text) })
}

/// The document of a managed policy that is in effect.
fn managed<'a>(account: &'a Account, arn: &str) -> Option<&'a str> {
    let policy = account.policy(arn).ok()?;
    Some(policy.versions.get(&policy.default)?.document.as_str())
}

/// A document; what is none allows nothing. All were checked when they were stored.
fn compiled(text: &str) -> Compiled {
    Compiled::parse(text).unwrap_or_default()
}

/// Documents of resources and sessions, by their text.
#[derive(Default)]
pub(crate) struct Documents {
    kept: Mutex<HashMap<Box<str>, Arc<Compiled>>>,
}

impl Documents {
    /// The document, compiled.
    pub(crate) fn compiled(&self, text: &str) -> Arc<Compiled> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = kept.get(text) {
            return found.clone();
        }
        if kept.len() >= MAX_DOCUMENTS {
            kept.clear();
        }
        let new = Arc::new(compiled(text));
        kept.insert(text.into(), new.clone());
        new
    }
}
