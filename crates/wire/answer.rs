//! Answers: outputs and faults as bytes of a protocol.

use bytes::Bytes;
use futures::{Stream, StreamExt};
use http::{HeaderName, HeaderValue, Response, StatusCode, header::CONTENT_TYPE};
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::Frame;

use crate::{
    Answered, Fault, Structure,
    codec::{
        eventstream,
        json::{JsonWriter, push_quoted},
        rest::RestParts,
        xml::{XmlWriter, push_escaped},
    },
    schema::{Operation, Protocol, Service, Shape},
};

const REMAPPED_CONTENT_TYPE: HeaderName = HeaderName::from_static("x-amzn-remapped-content-type");

/// A body that is whole or streams.
pub type Body = UnsyncBoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>;

/// A whole body.
pub fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// A body that is sent as it is read: many at once take little memory.
pub fn pieces(bytes: impl Stream<Item = std::io::Result<Bytes>> + Send + 'static) -> Body {
    let frames = bytes.map(|piece| Ok(Frame::data(piece?)));
    StreamBody::new(frames).boxed_unsync()
}

/// How one request is answered.
#[derive(Clone, Copy)]
pub(crate) struct Answer<'a> {
    pub(crate) service: &'static Service,
    pub(crate) protocol: Protocol,
    pub(crate) request_id: &'a str,
}

impl Answer<'_> {
    /// The answer of an operation that succeeded.
    pub(crate) fn success(
        &self,
        operation: &'static Operation,
        answered: Answered,
    ) -> Response<Body> {
        let Answered { output, events } = answered;
        let response = self.output(operation, &*output);
        match events {
            Some(events) => followed(response, events),
            None => response,
        }
    }

    fn output(&self, operation: &'static Operation, output: &dyn Structure) -> Response<Body> {
        let shape = operation.output.map(|index| &self.service.shapes[usize::from(index)]);
        match self.protocol {
            Protocol::Json => self.response(200, self.json_type(), self.json(shape, output)),
            Protocol::Query => self.response(200, "text/xml", self.xml(operation, shape, output)),
            Protocol::RestJson => self.rest(operation, shape, output),
        }
    }

    fn json(&self, shape: Option<&'static Shape>, output: &dyn Structure) -> Vec<u8> {
        let Some(shape) = shape else { return b"{}".to_vec() };
        let mut writer = JsonWriter::new(self.service.shapes, shape);
        crate::Writer::structure(&mut writer, output);
        writer.out
    }

    fn xml(
        &self,
        operation: &'static Operation,
        shape: Option<&'static Shape>,
        output: &dyn Structure,
    ) -> Vec<u8> {
        let root = &self.service.shapes[0];
        let mut writer = XmlWriter::new(self.service.shapes, shape.unwrap_or(root));
        let name = format!("{}Response", operation.name);
        writer.out.extend_from_slice(b"<?xml version=\"1.0\"?>\n");
        writer.out.extend_from_slice(
            format!("<{name} xmlns=\"{}\">", self.service.xml_namespace).as_bytes(),
        );
        if shape.is_some() {
            let wrapper = match operation.result_wrapper {
                "" => format!("{}Result", operation.name),
                wrapper => wrapper.to_owned(),
            };
            writer.element(&wrapper, |writer| output.write(writer));
        }
        writer.element("ResponseMetadata", |writer| {
            writer.element("RequestId", |writer| push_escaped(&mut writer.out, self.request_id));
        });
        writer.out.extend_from_slice(format!("</{name}>").as_bytes());
        writer.out
    }

    fn rest(
        &self,
        operation: &'static Operation,
        shape: Option<&'static Shape>,
        output: &dyn Structure,
    ) -> Response<Body> {
        let Some(shape) = shape else {
            return self.response(operation.status, "application/json", Vec::new());
        };
        let mut parts = RestParts::of(output, self.service.shapes, shape);
        let status = parts.status.unwrap_or(operation.status);
        let headers = std::mem::take(&mut parts.headers);
        let mut response = self.response(status, "application/json", parts.body());
        response.headers_mut().extend(headers);
        response
    }

    /// The answer of a request that failed.
    pub(crate) fn fault(&self, fault: &Fault) -> Response<Body> {
        let shape =
            self.service.shapes.iter().find(|it| it.error.is_some() && it.name == fault.code);
        let known = shape.and_then(|shape| shape.error.as_ref());
        let status = fault.status.or(known.map(|it| it.status)).unwrap_or(400);
        let sender = known.map_or(status < 500, |it| it.sender);
        let query_code =
            known.map(|it| it.query_code).filter(|it| !it.is_empty()).unwrap_or(&fault.code);
        let mut response = if self.protocol == Protocol::Query {
            self.response(status, "text/xml", self.xml_fault(fault, query_code, sender))
        } else {
            let content_type = match self.protocol {
                Protocol::RestJson => "application/json",
                _ => self.json_type(),
            };
            self.response(status, content_type, self.json_fault(fault, shape, sender))
        };
        if self.protocol == Protocol::RestJson {
            self.header(&mut response, "x-amzn-errortype", &fault.code);
        }
        if self.protocol == Protocol::Json && self.service.query_compatible {
            let blame = if sender { "Sender" } else { "Receiver" };
            self.header(&mut response, "x-amzn-query-error", &format!("{query_code};{blame}"));
        }
        for (name, value) in &fault.headers {
            self.header(&mut response, name, value);
        }
        response
    }

    fn json_fault(&self, fault: &Fault, shape: Option<&Shape>, sender: bool) -> Vec<u8> {
        let named = |name: &str| {
            let members = shape.map_or(&[][..], |shape| shape.members);
            members.iter().find(|member| member.name.eq_ignore_ascii_case(name))
        };
        let message = match (named("message"), self.protocol) {
            (Some(member), _) => member.wire,
            // Lambda's errors say `Message`; those that are not in its model, too.
            (None, Protocol::RestJson) => "Message",
            (None, _) => "message",
        };
        let mut out = b"{".to_vec();
        let mut put = |name: &str, value: &str| {
            if out.len() > 1 {
                out.push(b',');
            }
            push_quoted(&mut out, name);
            out.push(b':');
            push_quoted(&mut out, value);
        };
        if self.protocol == Protocol::Json {
            let prefix = if self.service.query_compatible { "com.amazonaws." } else { "" };
            match prefix {
                "" => put("__type", &fault.code),
                _ => put("__type", &format!("{prefix}{}#{}", self.service.name, fault.code)),
            }
        }
        let typed =
            named("type").is_some() && !fault.members.iter().any(|(name, _)| *name == "Type");
        if typed {
            put("Type", if sender { "User" } else { "Service" });
        }
        for (name, value) in &fault.members {
            put(name, value);
        }
        put(message, &fault.message);
        out.push(b'}');
        out
    }

    fn xml_fault(&self, fault: &Fault, code: &str, sender: bool) -> Vec<u8> {
        let mut writer = XmlWriter::new(self.service.shapes, &self.service.shapes[0]);
        let open = format!("<ErrorResponse xmlns=\"{}\">", self.service.xml_namespace);
        writer.out.extend_from_slice(b"<?xml version=\"1.0\"?>\n");
        writer.out.extend_from_slice(open.as_bytes());
        writer.element("Error", |writer| {
            let blame = if sender { "Sender" } else { "Receiver" };
            for (name, text) in [("Type", blame), ("Code", code), ("Message", &fault.message)] {
                writer.element(name, |writer| push_escaped(&mut writer.out, text));
            }
        });
        writer.element("RequestId", |writer| push_escaped(&mut writer.out, self.request_id));
        writer.out.extend_from_slice(b"</ErrorResponse>");
        writer.out
    }

    fn json_type(&self) -> &'static str {
        if self.service.json_version == "1.0" {
            "application/x-amz-json-1.0"
        } else {
            "application/x-amz-json-1.1"
        }
    }

    fn response(
        &self,
        status: u16,
        content_type: &'static str,
        body: impl Into<Bytes>,
    ) -> Response<Body> {
        let mut response = Response::new(full(body));
        *response.status_mut() =
            StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        if let Ok(id) = HeaderValue::from_str(self.request_id) {
            headers.insert("x-amzn-requestid", id);
        }
        response
    }

    fn header(&self, response: &mut Response<Body>, name: &str, value: &str) {
        // A message with line breaks cannot be a header; it is in the body anyway.
        let (name, value) = (HeaderName::try_from(name), HeaderValue::from_str(value));
        if let (Ok(name), Ok(value)) = (name, value) {
            response.headers_mut().insert(name, value);
        }
    }
}

/// An answer whose body is events. A content type of the output's own tells of what is in them, and
/// AWS puts it aside under this name.
fn followed(mut response: Response<Body>, events: Body) -> Response<Body> {
    let own = response.headers().get(CONTENT_TYPE).cloned();
    response.headers_mut().extend(own.map(|own| (REMAPPED_CONTENT_TYPE, own)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(eventstream::MEDIA_TYPE));
    *response.body_mut() = events;
    response
}

/// An error in S3's form, also for requests whose service cannot be told.
pub fn s3_fault(fault: &Fault, request_id: &str) -> Response<Body> {
    let mut out = b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error>".to_vec();
    let mut element = |name: &str, text: &str| {
        out.extend_from_slice(format!("<{name}>").as_bytes());
        push_escaped(&mut out, text);
        out.extend_from_slice(format!("</{name}>").as_bytes());
    };
    element("Code", &fault.code);
    element("Message", &fault.message);
    for (name, text) in &fault.members {
        element(name, text);
    }
    element("RequestId", request_id);
    element("HostId", request_id);
    out.extend_from_slice(b"</Error>");
    let mut response = Response::new(full(out));
    *response.status_mut() =
        StatusCode::from_u16(fault.status.unwrap_or(400)).unwrap_or(StatusCode::BAD_REQUEST);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert("x-amz-request-id", id.clone());
        headers.insert("x-amz-id-2", id);
    }
    response
}
