//! Answers: errors as S3 writes them, and the headers that every answer has.

use std::sync::{Arc, OnceLock};

use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use s3s::Body;
use wire::{Fault, ServiceError};

use super::address::Address;
use crate::Error;

/// `x-amz-id-2`: names the host that answered, for S3's support. There is one host here.
pub(crate) const HOST_ID: &str =
    "bGFtcGVqbyBpcyBhIHNlcnZlcmxlc3MgcGxhdGZvcm0gdGhhdCBydW5zIG9uIHlvdXIgb3duIG1hY2hpbmU=";

/// Bytes of an error document of s3s.
const ERROR_BYTES: usize = 64 << 10;

/// What went wrong in an operation, beside the few words that s3s carries.
#[derive(Clone, Default)]
pub(super) struct Failure(Arc<OnceLock<Fault>>);

impl Failure {
    /// Keeps the first error.
    pub(super) fn note(&self, error: &Error) {
        let _ = self.0.set(error.fault());
    }
}

/// Rewrites what s3s answers to a failed request.
pub(super) async fn explain(
    response: Response<Body>,
    failure: &Failure,
    address: &Address,
    request_id: &str,
) -> Response<Body> {
    if let Some(fault) = failure.0.get() {
        return refuse(fault, address, request_id);
    }
    if response.status().as_u16() < 400 {
        return response;
    }
    let status = response.status().as_u16();
    let body = Limited::new(response.into_body(), ERROR_BYTES).collect().await;
    let body = body.map(|body| body.to_bytes()).unwrap_or_default();
    let document = String::from_utf8_lossy(&body);
    let code = element(&document, "Code").unwrap_or("InternalError").to_owned();
    let message = element(&document, "Message").map(unescape);
    let message = message.unwrap_or_else(|| usual_message(&code).to_owned());
    refuse(&Fault::new(code, message).with_status(status), address, request_id)
}

/// The sentences of the errors that s3s finds itself and leaves without one.
fn usual_message(code: &str) -> &'static str {
    match code {
        "MalformedXML" => {
            "The XML you provided was not well-formed or did not validate against our published \
             schema"
        }
        "InvalidURI" => "Couldn't parse the specified URI.",
        "MissingContentLength" => "You must provide the Content-Length HTTP header.",
        "IncompleteBody" => "The request body terminated unexpectedly",
        "MethodNotAllowed" => "The specified method is not allowed against this resource.",
        "MaxMessageLengthExceeded" => "Your request was too big.",
        "NotImplemented" => "A header you provided implies functionality that is not implemented",
        "InternalError" => "We encountered an internal error. Please try again.",
        _ => "",
    }
}

/// The answer to a failed request.
pub(super) fn refuse(fault: &Fault, address: &Address, request_id: &str) -> Response<Body> {
    let status = fault.status.and_then(|status| StatusCode::from_u16(status).ok());
    let status = status.unwrap_or(StatusCode::BAD_REQUEST);
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    let headers = fault.headers.iter().map(|(name, value)| (*name, value.clone()));
    add_headers(response.headers_mut(), headers);
    if status == StatusCode::NOT_MODIFIED {
        return response;
    }
    let mut document = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error>");
    let mut add = |name: &str, value: &str| {
        document.push_str(&format!("<{name}>{}</{name}>", escape(value)));
    };
    add("Code", &fault.code);
    add("Message", &fault.message);
    fault.members.iter().for_each(|(name, value)| add(name, value));
    if fault.members.iter().all(|(name, _)| *name != "BucketName" && *name != "Key") {
        let path = percent_encoding::percent_decode_str(&address.path).decode_utf8_lossy();
        add("Resource", &path);
    }
    add("RequestId", request_id);
    add("HostId", HOST_ID);
    document.push_str("</Error>");
    let xml = HeaderValue::from_static("application/xml");
    response.headers_mut().insert(header::CONTENT_TYPE, xml);
    *response.body_mut() = Body::from(document);
    response
}

/// What every answer has.
pub(super) fn finish(response: &mut Response<Body>, method: &Method, request_id: &str) {
    if method == Method::HEAD {
        if response.status().as_u16() >= 400 {
            *response.body_mut() = Body::empty();
        }
        if response.headers().contains_key(header::CONTENT_RANGE) {
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        }
    }
    let headers = response.headers_mut();
    let fixed = [("x-amz-request-id", request_id), ("x-amz-id-2", HOST_ID), ("server", "AmazonS3")];
    add_headers(headers, fixed.map(|(name, value)| (name, value.to_owned())));
}

/// Sets headers; a value that cannot be one is left out.
pub(super) fn add_headers(
    headers: &mut HeaderMap,
    added: impl IntoIterator<Item = (&'static str, String)>,
) {
    for (name, value) in added {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
}

fn element<'a>(document: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = document.split_once(&format!("<{name}>"))?;
    Some(rest.split_once(&format!("</{name}>"))?.0)
}

pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            c if c.is_control() => escaped.push_str(&format!("&#{};", c as u32)),
            c => escaped.push(c),
        }
    }
    escaped
}

fn unescape(text: &str) -> String {
    let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"");
    text.replace("&apos;", "'").replace("&amp;", "&")
}
