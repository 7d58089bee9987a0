//! Who sends a request: account, region, principal, and whether the signature proves it.

use std::sync::Arc;

use http::request::Parts;
use kit::{AccountId, Caller, Millis, Principal, PrincipalKind, Region, Session};

use crate::{
    Fault,
    keys::{Key, KeyError, Keys},
    sigv4::{Claim, Refusal, SigningKeys},
};

/// Whether signatures are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    /// Any credentials pass. A twelve-digit access key is the account.
    Open,
    /// Signatures must be those of keys that are known.
    Enforce,
}

/// The words in which a kind of service refuses credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// The JSON services.
    Json,
    /// The query services.
    Query,
    /// S3.
    S3,
}

/// What the way in has found out before the operation is known.
pub(crate) struct Arrival<'a> {
    pub(crate) parts: &'a Parts,
    pub(crate) query: &'a [(String, String)],
    pub(crate) claim: Option<&'a Claim>,
    pub(crate) now: Millis,
    pub(crate) request_id: String,
    pub(crate) source_ip: String,
}

/// Finds out who sends requests.
#[derive(Clone)]
pub(crate) struct Identify {
    pub(crate) auth: Auth,
    pub(crate) keys: Arc<dyn Keys>,
    pub(crate) signing_keys: Arc<SigningKeys>,
    /// The region of requests that name none.
    pub(crate) region: Region,
    /// Base domains under which buckets are virtual hosts.
    pub(crate) domains: Vec<String>,
}

impl Identify {
    /// The caller of a request. `body_sha256` is asked for only when a signature needs it.
    pub(crate) fn caller(
        &self,
        arrival: Arrival<'_>,
        dialect: Dialect,
        body_sha256: impl FnOnce() -> String,
    ) -> Result<Caller, Fault> {
        let identity = match (self.auth, arrival.claim) {
            (Auth::Open, claim) => self.believe(claim, arrival.now),
            (Auth::Enforce, Some(claim)) => self.check(claim, &arrival, dialect, body_sha256)?,
            (Auth::Enforce, None) => return Err(missing(dialect)),
        };
        let named = arrival.claim.map(|claim| &claim.region).filter(|region| !region.is_empty());
        let region = named.map_or(Ok(self.region.clone()), |region| region.parse());
        let region = region.map_err(|_| {
            Fault::new(mismatch_code(dialect), "Credential should be scoped to a valid region.")
                .with_status(403)
        })?;
        let header = |name: &str| arrival.parts.headers.get(name).and_then(|it| it.to_str().ok());
        Ok(Caller {
            account: identity.account,
            region,
            principal: identity.principal,
            access_key: arrival.claim.map(|it| it.access_key.clone()).unwrap_or_default(),
            now: arrival.now,
            request_id: arrival.request_id,
            endpoint: format!("http://{}", header("host").unwrap_or("localhost")),
            trace: header("x-amzn-trace-id").unwrap_or_default().to_owned(),
            source_ip: arrival.source_ip,
            user_agent: header("user-agent").unwrap_or_default().to_owned(),
            referer: header("referer").unwrap_or_default().to_owned(),
            session: identity.session,
        })
    }

    /// Open mode: a known key is who it is, twelve digits are an account, all else the default one.
    fn believe(&self, claim: Option<&Claim>, now: Millis) -> Identity {
        let Some(claim) = claim else { return Identity::root(AccountId::DEFAULT) };
        if let Ok(key) = self.keys.find(&claim.access_key, claim.token.as_deref(), now) {
            return key.into();
        }
        Identity::root(claim.access_key.parse().unwrap_or(AccountId::DEFAULT))
    }

    fn check(
        &self,
        claim: &Claim,
        arrival: &Arrival<'_>,
        dialect: Dialect,
        body_sha256: impl FnOnce() -> String,
    ) -> Result<Identity, Fault> {
        let now = arrival.now;
        let key = self
            .keys
            .find(&claim.access_key, claim.token.as_deref(), now)
            .map_err(|error| unknown_key(error, dialect))?;
        if !key.active {
            return Err(unknown_key(KeyError::Unknown, dialect));
        }
        let hash = if arrival.parts.headers.contains_key("x-amz-content-sha256") {
            String::new()
        } else {
            body_sha256()
        };
        claim
            .verify(
                (&key.secret, &self.signing_keys),
                arrival.parts,
                arrival.query,
                (&hash, &self.domains),
                now,
            )
            .map_err(|refusal| refused(refusal, dialect, now))?;
        self.keys.used(&claim.access_key, &claim.service, &claim.region, now);
        Ok(key.into())
    }
}

/// Who it is that a request comes from.
struct Identity {
    account: AccountId,
    principal: Principal,
    session: Option<Arc<Session>>,
}

impl Identity {
    fn root(account: AccountId) -> Identity {
        Identity { account, principal: Principal::root(account), session: None }
    }
}

impl From<Key> for Identity {
    fn from(key: Key) -> Identity {
        Identity { account: key.account, principal: key.principal, session: key.session }
    }
}

/// Nobody in particular: an unsigned request to a service that takes them.
pub(crate) fn anonymous(account: AccountId) -> Principal {
    Principal {
        kind: PrincipalKind::Anonymous,
        user_id: "ANONYMOUS_PRINCIPAL".to_owned(),
        ..Principal::root(account)
    }
}

fn missing(dialect: Dialect) -> Fault {
    let (code, message) = match dialect {
        Dialect::Json => ("MissingAuthenticationTokenException", "Missing Authentication Token"),
        Dialect::Query => ("MissingAuthenticationToken", "Request is missing Authentication Token"),
        Dialect::S3 => ("AccessDenied", "Access Denied"),
    };
    Fault::new(code, message).with_status(403)
}

fn unknown_key(error: KeyError, dialect: Dialect) -> Fault {
    let invalid = "The security token included in the request is invalid.";
    let (code, message, status) = match (error, dialect) {
        (KeyError::Expired, Dialect::Json) => {
            ("ExpiredTokenException", "The security token included in the request is expired", 403)
        }
        (KeyError::Expired, Dialect::Query) => {
            ("ExpiredToken", "The security token included in the request is expired", 403)
        }
        (KeyError::Expired, Dialect::S3) => {
            ("ExpiredToken", "The provided token has expired.", 400)
        }
        (_, Dialect::Json) => ("UnrecognizedClientException", invalid, 403),
        (_, Dialect::Query) => ("InvalidClientTokenId", invalid, 403),
        (KeyError::BadToken, Dialect::S3) => {
            ("InvalidToken", "The provided token is malformed or otherwise invalid.", 400)
        }
        (KeyError::Unknown, Dialect::S3) => (
            "InvalidAccessKeyId",
            "The AWS Access Key Id you provided does not exist in our records.",
            403,
        ),
    };
    Fault::new(code, message).with_status(status)
}

fn mismatch_code(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Json => "InvalidSignatureException",
        Dialect::Query | Dialect::S3 => "SignatureDoesNotMatch",
    }
}

fn refused(refusal: Refusal, dialect: Dialect, now: Millis) -> Fault {
    let fault = match (refusal, dialect) {
        (Refusal::Mismatch, Dialect::S3) => Fault::new(
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided. Check your key and signing method.",
        ),
        (Refusal::Mismatch, _) => Fault::new(
            mismatch_code(dialect),
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.",
        ),
        (Refusal::Unsigned(names), Dialect::S3) => {
            Fault::new("AccessDenied", Refusal::Unsigned(String::new()).to_string())
                .with_member("HeadersNotSigned", names)
        }
        (refusal @ Refusal::Unsigned(_), _) => {
            Fault::new(mismatch_code(dialect), refusal.to_string())
        }
        (Refusal::OtherDay(text), Dialect::S3) => {
            Fault::new("AuthorizationHeaderMalformed", text).with_status(400)
        }
        (Refusal::OtherDay(text), _) => Fault::new(mismatch_code(dialect), text),
        (Refusal::Skewed(_), Dialect::S3) => Fault::new(
            "RequestTimeTooSkewed",
            "The difference between the request time and the current time is too large.",
        ),
        (Refusal::Skewed(text), _) => Fault::new(mismatch_code(dialect), text),
        (Refusal::Expired { expires_seconds, ended }, Dialect::S3) => {
            let fault = Fault::new("AccessDenied", "Request has expired");
            let fault = match expires_seconds {
                Some(seconds) => fault.with_member("X-Amz-Expires", seconds.to_string()),
                None => fault,
            };
            fault
                .with_member("Expires", ended.iso8601_seconds())
                .with_member("ServerTime", now.iso8601_seconds())
        }
        (Refusal::Expired { ended, .. }, _) => Fault::new(
            mismatch_code(dialect),
            format!(
                "Signature expired: {} is now earlier than {}",
                ended.iso8601_seconds(),
                now.iso8601_seconds()
            ),
        ),
        (Refusal::Incomplete(text), Dialect::S3) => {
            Fault::new("AuthorizationHeaderMalformed", text).with_status(400)
        }
        (Refusal::Incomplete(text), Dialect::Query) => {
            Fault::new("IncompleteSignature", text).with_status(400)
        }
        (Refusal::Incomplete(text), Dialect::Json) => {
            Fault::new("IncompleteSignatureException", text).with_status(400)
        }
    };
    match fault.status {
        Some(_) => fault,
        None => fault.with_status(403),
    }
}
