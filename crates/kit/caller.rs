//! Who asks, where and when. Passed to every operation.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{AccountId, Arn, Millis, Region, Tags};

/// The caller of one operation.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The account whose resources the call sees.
    pub account: AccountId,
    /// The region whose resources the call sees.
    pub region: Region,
    /// Who it is.
    pub principal: Principal,
    /// The access key that signed, or an empty text.
    pub access_key: String,
    /// When the call arrived.
    pub now: Millis,
    /// The id that the answer and the log line carry.
    pub request_id: String,
    /// `http://host:port` as the client wrote it: answers that hold URLs (queue URLs) start with it.
    pub endpoint: String,
    /// The client's address, without port.
    pub source_ip: String,
    /// The client's `User-Agent`, or empty.
    pub user_agent: String,
    /// The client's `Referer`, or empty.
    pub referer: String,
    /// `X-Amzn-Trace-Id` as it came, or empty.
    pub trace: String,
    /// What narrows and describes the session whose credentials signed, if they were temporary.
    pub session: Option<Arc<Session>>,
}

/// What holds for requests that temporary credentials sign.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Session {
    /// A policy that narrows it.
    pub policy: Option<String>,
    /// ARNs of managed policies that narrow it.
    pub policy_arns: Vec<String>,
    /// Session tags.
    pub tags: Tags,
    /// Keys of those tags that sessions of roles inherit which are begun from it.
    pub transitive_tags: Vec<String>,
    /// `SourceIdentity`.
    pub source_identity: Option<String>,
    /// Of a federated user, who vouched for it: it may do what that identity may.
    pub begun_by: Option<Principal>,
    /// When it began.
    pub began: Option<Millis>,
    /// Of a session that began with a second factor, when that was proved.
    pub proved: Option<Millis>,
    /// Who vouched for it: an identity provider's ARN, or its well-known name.
    pub provider: Option<String>,
    /// The function that it was made for.
    pub function: Option<Arn>,
}

/// An identity that IAM knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Principal {
    /// `arn:aws:iam::123456789012:root`, `…:user/name`, `arn:aws:sts::…:assumed-role/role/session`.
    pub arn: Arn,
    /// The unique id: the account for root, `AIDA…` for users, `AROA…:session` for role sessions.
    pub user_id: String,
    /// What kind of identity.
    pub kind: PrincipalKind,
}

/// The kinds of identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PrincipalKind {
    /// The account itself.
    Root,
    /// An IAM user.
    User,
    /// A session of a role.
    AssumedRole,
    /// A session of `GetFederationToken`.
    FederatedUser,
    /// Nobody: a request without credentials.
    Anonymous,
}

impl Principal {
    /// The root identity of an account.
    pub fn root(account: AccountId) -> Principal {
        Principal {
            arn: Arn::new("iam", "", account.as_str(), "root"),
            user_id: account.to_string(),
            kind: PrincipalKind::Root,
        }
    }
}

impl Caller {
    /// The service itself acting for an account: background work, deliveries.
    pub fn internal(account: AccountId, region: Region, now: Millis) -> Caller {
        Caller {
            account,
            region,
            principal: Principal::root(account),
            access_key: String::new(),
            now,
            request_id: crate::ids::uuid(),
            endpoint: String::new(),
            source_ip: String::new(),
            user_agent: String::new(),
            referer: String::new(),
            trace: String::new(),
            session: None,
        }
    }

    /// An ARN of this account and region.
    pub fn arn(&self, service: &str, resource: impl std::fmt::Display) -> Arn {
        Arn::new(service, self.region.as_str(), self.account.as_str(), resource)
    }
}
