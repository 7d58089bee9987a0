//! What a session is.

use kit::{AccountId, Arn, Millis, Principal, PrincipalKind, Tags};
use serde::{Deserialize, Serialize};

/// Temporary credentials and all that holds for requests made with them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Session {
    /// `ASIA…`.
    pub(crate) access_key_id: String,
    pub(crate) account: AccountId,
    /// Who its requests come from.
    pub(crate) principal: Principal,
    pub(crate) expires: Millis,
    /// Policies that narrow it.
    pub(crate) narrowed: Narrowed,
    pub(crate) tags: Tags,
    /// Keys of the tags that sessions begun from this one inherit.
    pub(crate) transitive: Vec<String>,
    pub(crate) source_identity: Option<String>,
    /// Of a federated user, who vouched for it.
    #[serde(default)]
    pub(crate) begun_by: Option<Principal>,
    #[serde(default)]
    pub(crate) began: Option<Millis>,
    /// When a second factor was proved, if one was.
    #[serde(default)]
    pub(crate) proved: Option<Millis>,
    /// Who vouched for it: what `aws:FederatedProvider` says.
    #[serde(default)]
    pub(crate) provider: Option<String>,
    /// The function that it was made for.
    #[serde(default)]
    pub(crate) function: Option<Arn>,
}

/// Policies that narrow a session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Narrowed {
    /// A document.
    pub(crate) inline: Option<String>,
    /// ARNs of managed policies.
    pub(crate) managed: Vec<String>,
}

impl Session {
    /// A session of a principal that begins now, with nothing that narrows or describes it.
    pub(crate) fn new(
        account: AccountId,
        principal: Principal,
        now: Millis,
        seconds: u32,
    ) -> Session {
        // On whole seconds, as answers tell them.
        let began = Millis(now.seconds() * 1000);
        Session {
            access_key_id: kit::ids::of_account("ASIA", account, 16),
            account,
            principal,
            expires: began.plus_seconds(u64::from(seconds)),
            narrowed: Narrowed::default(),
            tags: Tags::new(),
            transitive: Vec::new(),
            source_identity: None,
            begun_by: None,
            began: Some(began),
            proved: None,
            provider: None,
            function: None,
        }
    }
}

/// Whether an access key is of a session.
pub(crate) fn is_session(access_key_id: &str) -> bool {
    access_key_id.starts_with("ASIA")
}

/// A session of a role.
pub(crate) fn assumed_role(
    account: AccountId,
    role_name: &str,
    role_id: &str,
    session_name: &str,
) -> Principal {
    let resource = format_args!("assumed-role/{role_name}/{session_name}");
    Principal {
        arn: Arn::new("sts", "", account.as_str(), resource),
        user_id: format!("{role_id}:{session_name}"),
        kind: PrincipalKind::AssumedRole,
    }
}

/// The ARN of a federated user.
pub(crate) fn federated_user(account: AccountId, name: &str) -> Arn {
    Arn::new("sts", "", account.as_str(), format_args!("federated-user/{name}"))
}
