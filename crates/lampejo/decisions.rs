//! `/_lampejo/api/iam/…`: what was decided about calls, and what is suggested for it.
//!
//! - `GET records?id=…&denied=true&identity=…&limit=…` answers with `mode`, `overlooked` and
//!   `records`, the newest one first.
//! - `GET suggestion?identity=…&since=MILLISECONDS` answers with `policy`, `seen` and `beyond`.
//!
//! Both are about the caller's account. In enforce mode the caller must be its root or be allowed
//! `iam:GetAccountAuthorizationDetails`; in open mode there is nothing to answer.

use std::sync::Arc;

use http::{Method, Request, Response, StatusCode};
use iam::{Audit, Wanted};
use kit::{Caller, Millis, PrincipalKind};
use percent_encoding::percent_decode_str;
use serde_json::json;
use wire::Body;

use crate::inner::answer;

/// Where this is.
pub(crate) const PATH: &str = "/_lampejo/api/iam/";
/// Records of an answer when the request does not say, and at most.
const DEFAULT_LIMIT: usize = 100;
const MAX_LIMIT: usize = 1000;

/// Answers one request. `audit` is there unless the mode is open.
pub(crate) async fn serve<B>(
    audit: Option<&Arc<Audit>>,
    caller: &Caller,
    request: &Request<B>,
) -> Response<Body> {
    let refuse = |status, message: &str| answer(status, &json!({ "message": message }));
    let Some(audit) = audit else {
        let text = "Nothing is decided or recorded in open mode: start with --auth audit.";
        return refuse(StatusCode::CONFLICT, text);
    };
    if caller.principal.kind == PrincipalKind::Anonymous {
        return refuse(StatusCode::FORBIDDEN, "Sign the request.");
    }
    if let Err(denied) = audit.check_reader(caller) {
        return refuse(StatusCode::FORBIDDEN, &denied.to_string());
    }
    let query = Query(request.uri().query().unwrap_or_default());
    match (request.method(), request.uri().path().strip_prefix(PATH)) {
        (&Method::GET, Some("records")) => records(audit, caller, &query).await,
        (&Method::GET, Some("suggestion")) => suggestion(audit, caller, &query).await,
        _ => refuse(StatusCode::NOT_FOUND, "GET records and GET suggestion are here."),
    }
}

async fn records(audit: &Audit, caller: &Caller, query: &Query<'_>) -> Response<Body> {
    let limit = query.get("limit").map_or(Ok(DEFAULT_LIMIT), |it| it.parse());
    let Ok(limit) = limit else {
        return answer(StatusCode::BAD_REQUEST, &json!({ "message": "limit is a number." }));
    };
    let wanted = Wanted {
        id: query.get("id"),
        denied: query.get("denied").is_some_and(|it| it == "true"),
        identity: query.get("identity"),
        limit: limit.clamp(1, MAX_LIMIT),
    };
    match audit.explained(caller.account, &wanted).await {
        Ok(records) => answer(
            StatusCode::OK,
            &json!({
                "mode": audit.mode(),
                "overlooked": audit.overlooked(),
                "records": records,
            }),
        ),
        Err(error) => {
            tracing::error!(%error, "records of decisions could not be read");
            let text = "The records could not be read; the server's log says more.";
            answer(StatusCode::INTERNAL_SERVER_ERROR, &json!({ "message": text }))
        }
    }
}

async fn suggestion(audit: &Audit, caller: &Caller, query: &Query<'_>) -> Response<Body> {
    let refuse = |status, message: String| answer(status, &json!({ "message": message }));
    let Some(identity) = query.get("identity") else {
        return refuse(StatusCode::BAD_REQUEST, "identity=ROLE_OR_USER is needed.".to_owned());
    };
    let since = query.get("since").map_or(Ok(0), |it| it.parse());
    let Ok(since) = since.map(Millis) else {
        let text = "since is a time in milliseconds since 1970.";
        return refuse(StatusCode::BAD_REQUEST, text.to_owned());
    };
    match audit.suggested(caller.account, &identity, since).await {
        Some(suggested) => answer(StatusCode::OK, &json!(suggested)),
        None => {
            let account = caller.account;
            let text =
                format!("Account {account} has no role or user {identity}, and none was seen.");
            refuse(StatusCode::NOT_FOUND, text)
        }
    }
}

/// `name=value&…`, encoded.
pub(crate) struct Query<'a>(pub(crate) &'a str);

impl Query<'_> {
    pub(crate) fn get(&self, name: &str) -> Option<String> {
        let mut pairs = self.0.split('&').filter_map(|pair| pair.split_once('='));
        let (_, value) = pairs.find(|(key, _)| *key == name)?;
        Some(percent_decode_str(value).decode_utf8_lossy().into_owned())
    }
}
