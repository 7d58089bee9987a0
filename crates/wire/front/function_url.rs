//! The way of a request to a function URL: its whole body, who signed it, the service, the answer.

use bytes::Bytes;
use http::{HeaderValue, Response};
use hyper::body::Incoming;
use kit::{Caller, Millis, Region};
use sha2::{Digest, Sha256};

use super::{Front, Head, check_named_hash, collect};
use crate::{
    Fault,
    answer::Body,
    function_url::{UrlAnswer, UrlName, UrlRequest, UrlResponse},
    identify::{Auth, Dialect},
    sigv4::Refusal,
};

impl Front {
    /// Answers a request to a function URL; `malformed` says why its signature cannot be read.
    pub(super) async fn function_url(
        &self,
        name: UrlName,
        (mut head, malformed): (Head, Option<Refusal>),
        body: Incoming,
    ) -> Response<Body> {
        let (urls, limit) = &self.urls;
        let request_id = head.request_id.clone();
        let answer = match collect(&mut head.parts, body, *limit).await {
            Ok(body) => {
                let signer = self.signer(&head, malformed, &body, &name.region);
                let request = plain(name, head, (body, signer), self.clock.now());
                let answer = tokio::spawn(urls.clone().serve(request)).await;
                answer.unwrap_or_else(|panic| refused(&Fault::internal(&panic)))
            }
            Err(fault) => refused(&fault),
        };
        let mut response = answer.into_http();
        if let Ok(id) = HeaderValue::try_from(request_id) {
            response.headers_mut().insert("x-amzn-requestid", id);
        }
        response
    }

    /// Who signed a request for Lambda in this region.
    fn signer(
        &self,
        head: &Head,
        malformed: Option<Refusal>,
        body: &Bytes,
        region: &Region,
    ) -> Result<Option<Caller>, Fault> {
        if let Some(refusal) = malformed {
            return Err(refuse("IncompleteSignatureException", refusal.to_string()));
        }
        let Some(claim) = &head.claim else { return Ok(None) };
        if self.identify.auth == Auth::Enforce {
            check_named_hash(&head.parts, body)?;
            if claim.service != "lambda" || claim.region != region.as_str() {
                let text =
                    "Credential should be scoped to a valid region and the service 'lambda'.";
                return Err(refuse("InvalidSignatureException", text));
            }
        }
        let hash = || hex::encode(Sha256::digest(body));
        self.identify.caller(head.arrival(&self.clock), Dialect::Json, hash).map(Some)
    }
}

fn refused(fault: &Fault) -> UrlAnswer {
    UrlResponse::of_fault(fault).into()
}

fn refuse(code: &'static str, text: impl Into<String>) -> Fault {
    Fault::new(code, text).with_status(403)
}

/// The request without HTTP.
fn plain(
    name: UrlName,
    head: Head,
    (body, signer): (Bytes, Result<Option<Caller>, Fault>),
    now: Millis,
) -> UrlRequest {
    let Head { parts, query, request_id, source_ip, .. } = head;
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = parts.headers.iter().map(|(name, value)| (name.to_string(), text(value)));
    UrlRequest {
        name,
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        parameters: query,
        protocol: format!("{:?}", parts.version),
        headers: headers.collect(),
        body,
        signer,
        now,
        request_id,
        source_ip,
    }
}
