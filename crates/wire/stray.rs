//! Answers to requests that belong to no service of ours, in the form that their clients read.

use http::{
    HeaderValue, Response, StatusCode,
    header::{CONTENT_TYPE, HeaderName},
};

use crate::{
    Fault,
    answer::{Body, full},
    codec::{json::push_quoted, xml::push_escaped},
};

/// For clients of the query protocol.
pub(crate) fn query_fault(fault: &Fault, request_id: &str) -> Response<Body> {
    let mut out = b"<?xml version=\"1.0\"?>\n<ErrorResponse><Error><Type>Sender</Type>".to_vec();
    let mut element = |open: &str, text: &str, close: &str| {
        out.extend_from_slice(open.as_bytes());
        push_escaped(&mut out, text);
        out.extend_from_slice(close.as_bytes());
    };
    element("<Code>", &fault.code, "</Code>");
    element("<Message>", &fault.message, "</Message></Error>");
    element("<RequestId>", request_id, "</RequestId></ErrorResponse>");
    response(fault, request_id, "text/xml", out)
}

/// For clients of the JSON protocols: they look for the code in the body or in a header.
pub(crate) fn json_fault(fault: &Fault, request_id: &str) -> Response<Body> {
    let mut out = b"{\"__type\":".to_vec();
    push_quoted(&mut out, &fault.code);
    out.extend_from_slice(b",\"message\":");
    push_quoted(&mut out, &fault.message);
    out.push(b'}');
    let mut response = response(fault, request_id, "application/json", out);
    if let Ok(code) = HeaderValue::from_str(&fault.code) {
        response.headers_mut().insert(HeaderName::from_static("x-amzn-errortype"), code);
    }
    response
}

fn response(
    fault: &Fault,
    request_id: &str,
    content_type: &'static str,
    body: Vec<u8>,
) -> Response<Body> {
    let mut response = Response::new(full(body));
    *response.status_mut() =
        StatusCode::from_u16(fault.status.unwrap_or(400)).unwrap_or(StatusCode::BAD_REQUEST);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert("x-amzn-requestid", id);
    }
    response
}
