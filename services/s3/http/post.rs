//! Upload forms: `POST /bucket` with `multipart/form-data` becomes a `PutObject` of the file.
//! Source: "Browser-based uploads using POST" of the API reference.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures::{StreamExt, stream};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header,
    request::Parts,
};
use kit::Caller;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::{
    Body, StdError, dto,
    post_policy::{PostPolicy, PostPolicyCondition},
    xml::Deserialize,
};

use super::{
    Front, Source,
    address::Address,
    answer::{Failure, add_headers, escape},
    form::{self, Form, malformed},
    signing::{Credential, Secrets, check_version_2},
    to_body,
};
use crate::{Error, moment, object};

/// The request was a form: another event, and no length of the file.
#[derive(Clone, Copy)]
pub(super) struct Posted;

/// Whether a request is an upload form.
pub(super) fn is_form(parts: &Parts, address: &Address) -> bool {
    parts.method == Method::POST && address.key.is_empty() && boundary(&parts.headers).is_some()
}

fn boundary(headers: &HeaderMap) -> Option<String> {
    let kind = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let (kind, parameters) = kind.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let parameters = parameters.split(';').filter_map(|part| part.trim().split_once('='));
    let mut boundaries = parameters.filter(|part| part.0.eq_ignore_ascii_case("boundary"));
    boundaries.next().map(|part| part.1.trim_matches('"').to_owned())
}

impl Front {
    pub(super) async fn post(
        &self,
        address: &Address,
        mut parts: Parts,
        source: Source,
        failure: &Failure,
    ) -> Result<Response<Body>, Error> {
        let boundary = boundary(&parts.headers).unwrap_or_default();
        let Form { fields, filename, file_type, file } = form::read(source, &boundary).await?;
        let now = parts.extensions.get::<Caller>().map(|caller| caller.now).unwrap_or_default();
        let mut fields: BTreeMap<String, String> = fields.into_iter().collect();
        // The bucket that is written to, whatever the form calls it: the policy is about this one.
        fields.insert("bucket".to_owned(), address.bucket.clone());
        let key = fields.get("key").ok_or_else(|| {
            Error::argument("Bucket POST must contain a field named 'key'.  If it is specified, please check the order of the fields.", "key", "")
        })?;
        let key = key.replace("${filename}", &filename);
        object::check_key(&key)?;
        let range = self.check_policy(&fields, now)?;
        let path = format!("/{}/{}", address.bucket, utf8_percent_encode(&key, NON_ALPHANUMERIC));
        parts.method = Method::PUT;
        parts.uri = path.parse().map_err(|_| malformed("The key is no path."))?;
        parts.headers = put_headers(&fields, file_type.as_deref())?;
        parts.extensions.insert(Posted);
        let endpoint = parts.extensions.get::<Caller>().map(|caller| caller.endpoint.clone());
        let body = to_body(bounded(file, range), failure);
        let answered = self.serve(Request::from_parts(parts, body)).await?;
        if !answered.status().is_success() {
            return Ok(answered);
        }
        let location = format!("{}{path}", endpoint.unwrap_or_default());
        Ok(answer(answered.headers(), &fields, address, &key, &location))
    }

    /// Checks signature and conditions; answers with the bounds of the file's size.
    fn check_policy(
        &self,
        fields: &BTreeMap<String, String>,
        now: kit::Millis,
    ) -> Result<(u64, u64), Error> {
        let field = |name: &str| fields.get(name).map(String::as_str);
        let Some(encoded) = field("policy") else {
            return match &self.settings.secrets {
                Some(_) => Err(Error::denied()),
                None => Ok((0, crate::limits::UPLOAD_BYTES)),
            };
        };
        if let Some(secrets) = &self.settings.secrets {
            check_signature(&**secrets, &field, encoded)?;
        }
        let policy = PostPolicy::from_base64(encoded).map_err(|error| {
            Error::InvalidPolicyDocument { message: format!("Invalid Policy: {error}.") }
        })?;
        if moment::millis(&policy.expiration) <= now {
            return Err(policy_failed("Policy expired."));
        }
        check_conditions(&policy, fields)?;
        Ok(policy.content_length_range().unwrap_or((0, crate::limits::UPLOAD_BYTES)))
    }
}

/// The policy must be signed with a known key: by version 4, or by version 2, which boto3 still
/// makes unless it is told otherwise.
fn check_signature<'a>(
    secrets: &dyn Secrets,
    field: &impl Fn(&str) -> Option<&'a str>,
    policy: &str,
) -> Result<(), Error> {
    let secret = |access_key: &str| {
        let found = secrets.secret(access_key, field("x-amz-security-token"));
        found.ok_or_else(|| Error::InvalidAccessKeyId { access_key: access_key.to_owned() })
    };
    let missing = || malformed("The form's signature is incomplete.");
    if let Some(access_key) = field("awsaccesskeyid") {
        let signature = field("signature").ok_or_else(missing)?;
        return check_version_2(&secret(access_key)?, policy, signature);
    }
    let credential = field("x-amz-credential").and_then(Credential::parse).ok_or_else(missing)?;
    let signature = field("x-amz-signature").ok_or_else(missing)?;
    credential.check_policy(&secret(credential.access_key)?, policy, signature)
}

fn policy_failed(reason: &str) -> Error {
    Error::AccessDenied { message: format!("Invalid according to Policy: {reason}") }
}

/// Every condition holds, and every field has one.
fn check_conditions(policy: &PostPolicy, fields: &BTreeMap<String, String>) -> Result<(), Error> {
    let value = |field: &str| fields.get(field).map_or("", String::as_str);
    let mut named: Vec<&str> = Vec::new();
    for condition in &policy.conditions {
        let (field, holds, shown) = match condition {
            PostPolicyCondition::Eq { field, value: wanted } => {
                (field, value(field) == wanted, format!("[\"eq\", \"${field}\", \"{wanted}\"]"))
            }
            PostPolicyCondition::StartsWith { field, prefix } => {
                let shown = format!("[\"starts-with\", \"${field}\", \"{prefix}\"]");
                (field, value(field).starts_with(prefix.as_str()), shown)
            }
            PostPolicyCondition::ContentLengthRange { .. } => continue,
        };
        if !holds {
            return Err(policy_failed(&format!("Policy Condition failed: {shown}")));
        }
        named.push(field);
    }
    for field in fields.keys().map(String::as_str) {
        const FREE: [&str; 7] = [
            "bucket",
            "policy",
            "signature",
            "awsaccesskeyid",
            "x-amz-signature",
            "file",
            "submit",
        ];
        let free = FREE.contains(&field) || field.starts_with("x-ignore-");
        if !free && !named.contains(&field) {
            return Err(policy_failed(&format!("Extra input fields: {field}")));
        }
    }
    Ok(())
}

/// The form's fields as the headers of `PutObject`.
fn put_headers(
    fields: &BTreeMap<String, String>,
    file_type: Option<&str>,
) -> Result<HeaderMap, Error> {
    const PLAIN: [&str; 6] = [
        "cache-control",
        "content-type",
        "content-disposition",
        "content-encoding",
        "content-md5",
        "expires",
    ];
    let mut headers = HeaderMap::new();
    let mut set = |name: &str, value: &str| {
        let name = HeaderName::try_from(name).map_err(|_| malformed("A field is no header."))?;
        let value = HeaderValue::from_str(value).map_err(|_| malformed("A field is no header."))?;
        headers.insert(name, value);
        Ok::<_, Error>(())
    };
    if let Some(kind) = file_type {
        set("content-type", kind)?;
    }
    for (name, value) in fields {
        const SIGNED: [&str; 5] = [
            "x-amz-signature",
            "x-amz-credential",
            "x-amz-algorithm",
            "x-amz-date",
            "x-amz-security-token",
        ];
        match name.as_str() {
            "acl" => set("x-amz-acl", value)?,
            "tagging" => set("x-amz-tagging", &tagging_header(value)?)?,
            name if PLAIN.contains(&name) => set(name, value)?,
            name if name.starts_with("x-amz-") && !SIGNED.contains(&name) => set(name, value)?,
            _ => {}
        }
    }
    Ok(headers)
}

/// Forms give tags as XML.
fn tagging_header(document: &str) -> Result<String, Error> {
    let mut deserializer = s3s::xml::Deserializer::new(document.as_bytes());
    let tagging = dto::Tagging::deserialize(&mut deserializer);
    let tagging = tagging.map_err(|_| Error::MalformedXML {})?;
    let encode = |text: Option<String>| {
        utf8_percent_encode(&text.unwrap_or_default(), NON_ALPHANUMERIC).to_string()
    };
    let pairs = tagging.tag_set.into_iter().map(|tag| (encode(tag.key), encode(tag.value)));
    Ok(pairs.map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join("&"))
}

/// A file that is refused when it is too large, or at its end when it is too small.
fn bounded(file: Source, (least, most): (u64, u64)) -> Source {
    stream::try_unfold((file, 0_u64), move |(mut file, mut bytes)| async move {
        let next: Option<Bytes> = file.next().await.transpose()?;
        bytes += next.as_ref().map_or(0, |next| next.len() as u64);
        if bytes > most {
            let (proposed, maximum) = (bytes.to_string(), most.to_string());
            return Err(Box::new(Error::EntityTooLarge { proposed, maximum }) as StdError);
        }
        if next.is_none() && bytes < least {
            return Err(Box::new(Error::EntityTooSmall {
                proposed: bytes.to_string(),
                minimum: least.to_string(),
                part: String::new(),
                etag: String::new(),
            }) as StdError);
        }
        Ok(next.map(|next| (next, (file, bytes))))
    })
    .boxed()
}

/// The answer that the form asks for.
fn answer(
    put: &HeaderMap,
    fields: &BTreeMap<String, String>,
    address: &Address,
    key: &str,
    location: &str,
) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.headers_mut() = put.clone();
    let etag = put.get(header::ETAG).and_then(|etag| etag.to_str().ok()).unwrap_or_default();
    let redirect = fields.get("success_action_redirect").or_else(|| fields.get("redirect"));
    if let Some(redirect) = redirect.filter(|redirect| redirect.contains("://")) {
        let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let join = if redirect.contains('?') { '&' } else { '?' };
        let bucket = &address.bucket;
        let query = format!("bucket={bucket}&key={}&etag={}", encode(key), encode(etag));
        add_headers(response.headers_mut(), [("location", format!("{redirect}{join}{query}"))]);
        *response.status_mut() = StatusCode::SEE_OTHER;
        return response;
    }
    add_headers(response.headers_mut(), [("location", location.to_owned())]);
    *response.status_mut() = match fields.get("success_action_status").map(String::as_str) {
        Some("200") => StatusCode::OK,
        Some("201") => {
            let element = |name: &str, text: &str| format!("<{name}>{}</{name}>", escape(text));
            let document = format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<PostResponse>{}{}{}{}</PostResponse>",
                element("Location", location),
                element("Bucket", &address.bucket),
                element("Key", key),
                element("ETag", etag)
            );
            add_headers(response.headers_mut(), [("content-type", "application/xml".to_owned())]);
            *response.body_mut() = Body::from(document);
            StatusCode::CREATED
        }
        _ => StatusCode::NO_CONTENT,
    };
    response
}
