//! A request as the function sees it: payload format 2.0. Pure.
//!
//! Sources: "Invoking Lambda function URLs", and events recorded from AWS, which leave out what is
//! empty. AWS's `x-amzn-tls-*` headers are not made: there is no TLS here.

use std::{borrow::Cow, collections::BTreeMap};

use base64::{Engine, engine::general_purpose::STANDARD};
use kit::Caller;
use serde::Serialize;
use wire::UrlRequest;

use crate::url::{config::AuthType, routes::Route};

/// Headers between the client and us alone.
const HOP_BY_HOP: [&str; 6] =
    ["connection", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade"];
const DEFAULT: &str = "$default";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    version: &'static str,
    route_key: &'static str,
    raw_path: &'a str,
    raw_query_string: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cookies: Vec<String>,
    headers: BTreeMap<&'a str, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    query_string_parameters: BTreeMap<&'a str, String>,
    request_context: RequestContext<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Cow<'a, str>>,
    is_base64_encoded: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RequestContext<'a> {
    account_id: &'a str,
    api_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    authorizer: Option<Authorizer<'a>>,
    domain_name: &'a str,
    domain_prefix: &'a str,
    http: Http<'a>,
    request_id: &'a str,
    route_key: &'static str,
    stage: &'static str,
    time: String,
    time_epoch: u64,
}

#[derive(Serialize)]
struct Authorizer<'a> {
    iam: Iam<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Iam<'a> {
    access_key: &'a str,
    account_id: &'a str,
    caller_id: &'a str,
    cognito_identity: Option<&'a str>,
    principal_org_id: Option<&'a str>,
    user_arn: &'a str,
    user_id: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Http<'a> {
    method: &'a str,
    path: String,
    protocol: &'a str,
    source_ip: &'a str,
    user_agent: String,
}

/// The event of a request that came by a route; `trace` is the invocation's.
pub(crate) fn event(route: &Route, request: &UrlRequest, trace: &str) -> Vec<u8> {
    let host = request.header("host").unwrap_or_default();
    let (domain, port) = host.rsplit_once(':').unwrap_or((&host, "80"));
    let (body, is_base64_encoded) = body(request).unzip();
    let signer = request.signer.as_ref().ok().and_then(Option::as_ref);
    let iam = signer.filter(|_| route.url.auth == AuthType::AwsIam);
    let event = Event {
        version: "2.0",
        route_key: DEFAULT,
        raw_path: &request.path,
        raw_query_string: &request.query,
        cookies: cookies(request),
        headers: headers(route, request, port, trace),
        query_string_parameters: joined(&request.parameters),
        request_context: RequestContext {
            account_id: match iam {
                Some(_) => route.function.account.as_str(),
                None => "anonymous",
            },
            api_id: &route.url.id,
            authorizer: iam.map(authorizer),
            domain_name: domain,
            domain_prefix: &route.url.id,
            http: Http {
                method: &request.method,
                path: request.decoded_path(),
                protocol: &request.protocol,
                source_ip: &request.source_ip,
                user_agent: request.header("user-agent").unwrap_or_default(),
            },
            request_id: &request.request_id,
            route_key: DEFAULT,
            stage: DEFAULT,
            time: request.now.common_log(),
            time_epoch: request.now.0,
        },
        body,
        is_base64_encoded: is_base64_encoded.unwrap_or(false),
    };
    serde_json::to_vec(&event).expect("maps with text keys are always JSON")
}

fn authorizer(caller: &Caller) -> Authorizer<'_> {
    Authorizer {
        iam: Iam {
            access_key: &caller.access_key,
            account_id: caller.account.as_str(),
            caller_id: &caller.principal.user_id,
            cognito_identity: None,
            principal_org_id: None,
            user_arn: caller.principal.arn.as_str(),
            user_id: &caller.principal.user_id,
        },
    }
}

fn headers<'a>(
    route: &Route,
    request: &'a UrlRequest,
    port: &str,
    trace: &str,
) -> BTreeMap<&'a str, String> {
    let mut headers = joined(&request.headers);
    headers.retain(|name, _| !HOP_BY_HOP.contains(name));
    if route.url.auth == AuthType::AwsIam {
        // AWS keeps the signature to itself.
        headers.remove("authorization");
    }
    let root = trace.split(';').find(|part| part.starts_with("Root=")).unwrap_or(trace);
    headers.entry("x-amzn-trace-id").or_insert_with(|| root.to_owned());
    headers.insert("x-forwarded-for", request.source_ip.clone());
    headers.insert("x-forwarded-port", port.to_owned());
    headers.insert("x-forwarded-proto", "http".to_owned());
    headers
}

/// Pairs by name, the values of one name joined by commas.
fn joined(pairs: &[(String, String)]) -> BTreeMap<&str, String> {
    let mut map: BTreeMap<&str, String> = BTreeMap::new();
    for (name, value) in pairs {
        map.entry(name)
            .and_modify(|it| {
                it.push(',');
                it.push_str(value);
            })
            .or_insert_with(|| value.clone());
    }
    map
}

fn cookies(request: &UrlRequest) -> Vec<String> {
    let headers = request.headers.iter().filter(|(name, _)| name == "cookie");
    let cookies = headers.flat_map(|(_, value)| value.split(';')).map(str::trim);
    cookies.filter(|cookie| !cookie.is_empty()).map(str::to_owned).collect()
}

/// The body as JSON can hold it, and whether that is base64; `None`: there is no body.
fn body(request: &UrlRequest) -> Option<(Cow<'_, str>, bool)> {
    if request.body.is_empty() {
        return None;
    }
    let text = std::str::from_utf8(&request.body).ok();
    match text.filter(|_| is_text(&request.header("content-type").unwrap_or_default())) {
        Some(text) => Some((Cow::Borrowed(text), false)),
        None => Some((Cow::Owned(STANDARD.encode(&request.body)), true)),
    }
}

/// Whether a content type is passed on as text. Forms are not.
fn is_text(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence.starts_with("text/")
        || ["application/json", "application/xml", "application/javascript"]
            .contains(&essence.as_str())
        || essence.ends_with("+json")
        || essence.ends_with("+xml")
}

#[cfg(test)]
mod tests;
