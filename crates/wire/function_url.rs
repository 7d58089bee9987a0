//! Function URLs: hosts `ID.lambda-url.REGION.…`, under whatever domain. Their requests leave HTTP here
//! and become plain values; answers become HTTP. Read next: `front/function_url`.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, stream::BoxStream};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use kit::{Caller, Millis, Region};
use percent_encoding::percent_decode_str;

use crate::{
    Fault,
    answer::{Body, full},
    codec::json::push_quoted,
};

/// Answers the requests of function URLs.
#[async_trait]
pub trait FunctionUrls: Send + Sync {
    /// Answers one request. It runs to its end even if the client hangs up.
    async fn serve(self: Arc<Self>, request: UrlRequest) -> UrlAnswer;
}

/// A request to a function URL.
#[derive(Clone, Debug)]
pub struct UrlRequest {
    /// The URL that the host names.
    pub name: UrlName,
    /// `GET`, `POST` …
    pub method: String,
    /// The path as it was sent.
    pub path: String,
    /// The query as it was sent, without `?`.
    pub query: String,
    /// The pairs of the query, decoded.
    pub parameters: Vec<(String, String)>,
    /// `HTTP/1.1`.
    pub protocol: String,
    /// Headers in the order of the request; names are in lower case.
    pub headers: Vec<(String, String)>,
    /// The whole body.
    pub body: Bytes,
    /// Who signed it, nobody, or why the signature is not accepted. What unsigned requests may do is
    /// the function's matter: most function URLs are made for browsers.
    pub signer: Result<Option<Caller>, Fault>,
    /// When it arrived.
    pub now: Millis,
    /// The id that the answer and the log carry.
    pub request_id: String,
    /// The client's address, without port.
    pub source_ip: String,
}

/// What a host says of a function URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UrlName {
    /// The first label, in lower case.
    pub id: String,
    /// The third one.
    pub region: Region,
}

/// An answer whose body may go on while it is being sent.
pub struct UrlAnswer {
    /// The answer, with its body as far as it is known.
    pub head: UrlResponse,
    /// What follows.
    pub rest: Option<BoxStream<'static, Result<Bytes, Truncated>>>,
}

/// A body ended before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the answer ended before its end")]
pub struct Truncated;

/// A whole answer to a request of a function URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UrlResponse {
    /// HTTP status.
    pub status: u16,
    /// Headers; a name may occur more than once.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
}

impl UrlRequest {
    /// The values of a header, joined as HTTP allows.
    pub fn header(&self, name: &str) -> Option<String> {
        let values = self.headers.iter().filter(|(it, _)| it == name);
        let values: Vec<&str> = values.map(|(_, value)| value.as_str()).collect();
        if values.is_empty() { None } else { Some(values.join(",")) }
    }

    /// The path, decoded.
    pub fn decoded_path(&self) -> String {
        percent_decode_str(&self.path).decode_utf8_lossy().into_owned()
    }
}

impl UrlName {
    /// The function URL that a request is for, if its host is one of a function URL.
    pub(crate) fn of(headers: &HeaderMap) -> Option<UrlName> {
        let host = headers.get(header::HOST)?.to_str().ok()?.to_ascii_lowercase();
        let mut labels = host.split('.');
        let (id, kind, region) = (labels.next()?, labels.next()?, labels.next()?);
        // A domain follows.
        labels.next()?;
        let region = region.parse().ok()?;
        (kind == "lambda-url" && !id.is_empty()).then(|| UrlName { id: id.to_owned(), region })
    }
}

impl UrlResponse {
    /// A JSON document.
    pub fn json(status: u16, body: impl Into<Bytes>) -> UrlResponse {
        let content_type = ("content-type".to_owned(), "application/json".to_owned());
        UrlResponse { status, headers: vec![content_type], body: body.into() }
    }

    /// What AWS answers for a function that fails, or whose answer is no HTTP response.
    pub fn bad_gateway() -> UrlResponse {
        UrlResponse::json(502, "Internal Server Error")
    }

    /// An error of Lambda itself.
    pub fn of_fault(fault: &Fault) -> UrlResponse {
        let mut body = b"{".to_vec();
        for (name, value) in &fault.members {
            push_quoted(&mut body, name);
            body.push(b':');
            push_quoted(&mut body, value);
            body.push(b',');
        }
        body.extend_from_slice(b"\"message\":");
        push_quoted(&mut body, &fault.message);
        body.push(b'}');
        let mut response = UrlResponse::json(fault.status.unwrap_or(400), body);
        for (name, value) in &fault.headers {
            response.headers.push(((*name).to_owned(), value.clone()));
        }
        response.headers.push(("x-amzn-errortype".to_owned(), fault.code.to_string()));
        response
    }

    /// The same with one more header.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: impl Into<String>) -> UrlResponse {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    fn to_http(&self) -> Option<Response<Body>> {
        let mut response = Response::new(full(self.body.clone()));
        *response.status_mut() = StatusCode::from_u16(self.status).ok()?;
        for (name, value) in &self.headers {
            let value = HeaderValue::from_bytes(value.as_bytes()).ok()?;
            response.headers_mut().append(HeaderName::try_from(name).ok()?, value);
        }
        Some(response)
    }
}

impl UrlAnswer {
    /// As HTTP. What HTTP cannot carry is an answer that the function should not have given.
    pub(crate) fn into_http(self) -> Response<Body> {
        let UrlAnswer { head, rest } = self;
        match (head.to_http(), rest) {
            (Some(response), None) => response,
            (Some(response), Some(rest)) => {
                let first = futures::stream::iter([Ok(head.body)]);
                let frames = first.chain(rest).map(|chunk| Ok(Frame::data(chunk?)));
                response.map(|_| StreamBody::new(frames).boxed_unsync())
            }
            (None, _) => UrlResponse::bad_gateway().to_http().unwrap_or_default(),
        }
    }
}

impl From<UrlResponse> for UrlAnswer {
    fn from(head: UrlResponse) -> UrlAnswer {
        UrlAnswer { head, rest: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_names_a_url_under_any_domain() {
        let named = |host: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, host.parse().unwrap());
            UrlName::of(&headers).map(|name| (name.id, name.region.to_string()))
        };
        let found = Some(("abc".to_owned(), "eu-west-1".to_owned()));
        assert_eq!(named("abc.lambda-url.eu-west-1.localhost:4566"), found);
        assert_eq!(named("ABC.Lambda-Url.EU-WEST-1.on.aws"), found);
        for other in ["localhost:4566", "abc.lambda-url.eu-west-1", "abc.s3.eu-west-1.localhost"] {
            assert_eq!(named(other), None, "{other}");
        }
    }

    #[test]
    fn what_http_cannot_carry_is_a_bad_answer() {
        let good = UrlResponse::json(201, "{}").with_header("x", "ä").with_header("x", "2");
        let http = UrlAnswer::from(good.clone()).into_http();
        assert_eq!((http.status().as_u16(), http.headers().get_all("x").iter().count()), (201, 2));
        for bad in [
            UrlResponse { status: 1000, ..good.clone() },
            good.clone().with_header("a b", "1"),
            good.with_header("a", "1\n2"),
        ] {
            assert_eq!(UrlAnswer::from(bad).into_http().status().as_u16(), 502);
        }
    }

    #[tokio::test]
    async fn a_body_goes_on_and_may_break() {
        let whole = |rest: Vec<Result<Bytes, Truncated>>| {
            let head = UrlResponse::json(200, "a");
            let answer = UrlAnswer { head, rest: Some(futures::stream::iter(rest).boxed()) };
            answer.into_http().into_body().collect()
        };
        let body = whole(vec![Ok("b".into()), Ok("c".into())]).await.unwrap().to_bytes();
        assert_eq!(body, "abc");
        assert!(whole(vec![Ok("b".into()), Err(Truncated)]).await.is_err());
    }

    #[test]
    fn a_fault_shows_its_members() {
        let fault = Fault::new("C", "so \"it\" is").with_status(429).with_member("Reason", "R");
        let response = UrlResponse::of_fault(&fault.with_header("Retry-After", "1"));
        assert_eq!(response.body, r#"{"Reason":"R","message":"so \"it\" is"}"#);
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let headers = [header("Retry-After", "1"), header("x-amzn-errortype", "C")];
        assert_eq!((response.status, &response.headers[1..]), (429, &headers[..]));
    }
}
