//! Who asks, and whom a statement of a resource's policy means.
//!
//! Source: "AWS JSON policy elements: Principal", "… NotPrincipal".

use kit::AccountId;
use serde_json::Value;

/// The caller, as policies see it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Who<'a> {
    pub(crate) kind: Kind,
    /// `None` for services and for nobody.
    pub(crate) account: Option<AccountId>,
    /// The user's, session's or federated user's own ARN, or a service's name.
    pub(crate) arn: &'a str,
    /// The role of a session.
    pub(crate) role: Option<&'a str>,
    /// `AIDA…`, `AROA…:session`: what documents hold once an ARN in them was resolved.
    pub(crate) id: &'a str,
}

/// What kind of caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Root,
    User,
    /// A session of a role.
    Session,
    /// A session of `GetFederationToken`.
    Federated,
    /// An AWS service that acts for itself: `s3.amazonaws.com`.
    Service,
    /// An identity of an OIDC or SAML provider that asks for a role.
    Provider,
    Anonymous,
}

impl Who<'_> {
    /// Whether permissions boundaries apply to such callers.
    pub(crate) fn may_be_bounded(&self) -> bool {
        matches!(self.kind, Kind::User | Kind::Session)
    }
}

/// How directly a statement names a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Naming {
    /// Not at all.
    No,
    /// Its account, which has to let it act.
    Account,
    /// The role of its session.
    Role,
    /// Itself, or everybody.
    Itself,
}

/// The element `Principal` or `NotPrincipal`.
#[derive(Clone, Debug)]
pub(crate) struct Principals {
    listed: Vec<Whom>,
    negated: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Whom {
    Anybody,
    Account(AccountId),
    /// Of a user, a role, a session; or a unique id.
    One(String),
    Service(String),
    Provider(String),
}

impl Principals {
    /// Reads the element.
    pub(crate) fn parse(element: &Value, negated: bool) -> Principals {
        let mut listed = Vec::new();
        if element == "*" {
            listed.push(Whom::Anybody);
        }
        for (kind, whom) in element.as_object().into_iter().flatten() {
            let one = std::slice::from_ref(whom);
            let texts = whom.as_array().map_or(one, Vec::as_slice).iter().filter_map(Value::as_str);
            listed.extend(texts.map(|text| Whom::parse(kind, text)));
        }
        Principals { listed, negated }
    }

    /// How directly a statement that allows names this caller.
    pub(crate) fn naming(&self, who: &Who<'_>) -> Naming {
        let naming = self.listed.iter().map(|whom| whom.naming(who)).max().unwrap_or(Naming::No);
        match (self.negated, naming) {
            (false, naming) => naming,
            // To except an account is not to except all who are in it.
            (true, Naming::No | Naming::Account) => Naming::Itself,
            (true, _) => Naming::No,
        }
    }

    /// Whether it is `NotPrincipal`.
    pub(crate) fn is_negated(&self) -> bool {
        self.negated
    }
}

impl Whom {
    fn parse(kind: &str, text: &str) -> Whom {
        match kind {
            _ if text == "*" => Whom::Anybody,
            "Service" => Whom::Service(text.to_owned()),
            "Federated" => Whom::Provider(text.to_owned()),
            _ => {
                let root =
                    text.strip_prefix("arn:aws:iam::").and_then(|it| it.strip_suffix(":root"));
                let account = root.unwrap_or(text).parse();
                account.map_or_else(|_| Whom::One(text.to_owned()), Whom::Account)
            }
        }
    }

    fn naming(&self, who: &Who<'_>) -> Naming {
        let said = |yes: bool, naming: Naming| if yes { naming } else { Naming::No };
        match self {
            Whom::Anybody => Naming::Itself,
            Whom::Account(account) => {
                let itself = who.kind == Kind::Root;
                let naming = if itself { Naming::Itself } else { Naming::Account };
                said(who.account == Some(*account), naming)
            }
            Whom::One(text) if who.role.is_some_and(|role| role == text) => Naming::Role,
            Whom::One(text) if is_role_id(text, who.id) => Naming::Role,
            Whom::One(text) => {
                let known = !matches!(who.kind, Kind::Service | Kind::Provider | Kind::Anonymous);
                said(known && (text == who.arn || text == who.id), Naming::Itself)
            }
            Whom::Service(name) => {
                said(who.kind == Kind::Service && name == who.arn, Naming::Itself)
            }
            Whom::Provider(name) => {
                said(who.kind == Kind::Provider && name == who.arn, Naming::Itself)
            }
        }
    }
}

/// Whether a text is the role's part of a session's id.
fn is_role_id(text: &str, id: &str) -> bool {
    id.split_once(':').is_some_and(|(role, _)| role == text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const ACCOUNT: &str = "123456789012";

    fn session() -> Who<'static> {
        Who {
            kind: Kind::Session,
            account: ACCOUNT.parse().ok(),
            arn: "arn:aws:sts::123456789012:assumed-role/worker/night",
            role: Some("arn:aws:iam::123456789012:role/worker"),
            id: "AROAEXAMPLE:night",
        }
    }

    #[test]
    fn a_session_is_named_by_itself_its_role_its_account_or_everybody() {
        let naming = |element: Value| Principals::parse(&element, false).naming(&session());
        for (element, expected) in [
            (json!("*"), Naming::Itself),
            (json!({"AWS": "*"}), Naming::Itself),
            (json!({"AWS": ACCOUNT}), Naming::Account),
            (json!({"AWS": ["arn:aws:iam::123456789012:root", session().role]}), Naming::Role),
            (json!({"AWS": session().arn}), Naming::Itself),
            (json!({"AWS": "AROAEXAMPLE"}), Naming::Role),
            (json!({"AWS": "AROAEXAMPLE:night"}), Naming::Itself),
            (json!({"AWS": "999999999999"}), Naming::No),
            (json!({"AWS": "arn:aws:iam::123456789012:role/other"}), Naming::No),
            (json!({"Service": "s3.amazonaws.com"}), Naming::No),
            (json!({"Federated": session().arn}), Naming::No),
        ] {
            assert_eq!(naming(element.clone()), expected, "{element}");
        }
    }

    #[test]
    fn not_principal_means_all_others() {
        let naming = |element: Value| Principals::parse(&element, true).naming(&session());
        assert_eq!(naming(json!({"AWS": session().role})), Naming::No);
        assert_eq!(naming(json!({"AWS": "999999999999"})), Naming::Itself);
        assert_eq!(naming(json!({"AWS": ACCOUNT})), Naming::Itself);
    }
}
