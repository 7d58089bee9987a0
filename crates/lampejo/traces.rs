//! `/_lampejo/traces/segments?trace=1-…`: the X-Ray segments of a trace, in the caller's account and
//! region. In enforce mode the caller must be allowed `xray:BatchGetTraces`, AWS's own way to them.

use http::{Request, Response, StatusCode};
use iam::Audit;
use kit::{Caller, PrincipalKind};
use serde_json::json;
use wire::Body;
use xray::Xray;

use crate::{decisions::Query, inner::answer};

/// Where this is.
pub(crate) const PATH: &str = "/_lampejo/traces/segments";
/// What a caller must be allowed.
const READING: &str = "xray:BatchGetTraces";

/// Answers one request. `audit` is there unless the mode is open.
pub(crate) async fn serve<B>(
    xray: &Xray,
    audit: Option<&Audit>,
    caller: &Caller,
    request: &Request<B>,
) -> Response<Body> {
    let refuse = |status, message: &str| answer(status, &json!({ "message": message }));
    if caller.principal.kind == PrincipalKind::Anonymous {
        return refuse(StatusCode::FORBIDDEN, "Sign the request.");
    }
    if let Some(Err(denied)) = audit.map(|audit| audit.check(caller, READING)) {
        return refuse(StatusCode::FORBIDDEN, &denied.to_string());
    }
    let query = Query(request.uri().query().unwrap_or_default());
    let Some(trace) = query.get("trace").filter(|trace| !trace.is_empty()) else {
        return refuse(StatusCode::BAD_REQUEST, "trace=ID is needed.");
    };
    match xray.segments(caller.account, &caller.region, &trace).await {
        Ok(segments) => {
            answer(StatusCode::OK, &json!({ "segments": segments, "dropped": xray.dropped() }))
        }
        Err(error) => {
            tracing::error!(%error, "segments could not be read");
            refuse(StatusCode::INTERNAL_SERVER_ERROR, "The segments could not be read.")
        }
    }
}
