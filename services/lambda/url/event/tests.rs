//! Requests and the events that functions receive.

use bytes::Bytes;
use kit::{AccountId, Millis, Principal, Region};
use serde_json::{Value, json};
use wire::UrlName;

use super::*;
use crate::{
    invoke::concurrency::FunctionKey,
    url::{
        access::Grants,
        config::{FunctionUrl, Mode},
    },
};

const TRACE: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0";

fn route(auth: AuthType) -> Route {
    let (account, region) = (AccountId::DEFAULT, Region::default());
    let mut url = FunctionUrl::new(auth, None, Mode::Buffered, Millis(0));
    url.id = "abc".to_owned();
    let function = FunctionKey { account, region, name: "f".to_owned() };
    Route { function, qualifier: None, url, grants: Grants::default() }
}

fn request(headers: &[(&str, &str)], body: &[u8]) -> UrlRequest {
    let host = "abc.lambda-url.us-east-1.localhost:4566";
    let headers = [("host", host)].into_iter().chain(headers.iter().copied());
    UrlRequest {
        name: UrlName { id: "abc".to_owned(), region: Region::default() },
        method: "POST".to_owned(),
        path: "/a%20b/1".to_owned(),
        query: String::new(),
        parameters: Vec::new(),
        protocol: "HTTP/1.1".to_owned(),
        headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        body: Bytes::copy_from_slice(body),
        signer: Ok(None),
        now: Millis(1_700_000_000_123),
        request_id: "id".to_owned(),
        source_ip: "127.0.0.1".to_owned(),
    }
}

fn seen(request: &UrlRequest, auth: AuthType) -> Value {
    serde_json::from_slice(&event(&route(auth), request, TRACE)).unwrap()
}

#[test]
fn an_event_is_format_2_of_a_request() {
    let headers = [
        ("user-agent", "curl"),
        ("content-type", "application/json"),
        ("x-two", "1"),
        ("x-two", "2"),
        ("cookie", "a=1; b=2"),
        ("connection", "close"),
        ("x-forwarded-for", "8.8.8.8"),
    ];
    let mut request = request(&headers, br#"{"hello":"world"}"#);
    request.query = "q=1&q=%2F2".to_owned();
    request.parameters = vec![("q".into(), "1".into()), ("q".into(), "/2".into())];
    assert_eq!(
        seen(&request, AuthType::None),
        json!({
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": "/a%20b/1",
            "rawQueryString": "q=1&q=%2F2",
            "cookies": ["a=1", "b=2"],
            "headers": {
                "content-type": "application/json",
                "cookie": "a=1; b=2",
                "host": "abc.lambda-url.us-east-1.localhost:4566",
                "user-agent": "curl",
                "x-amzn-trace-id": "Root=1-5759e988-bd862e3fe1be46a994272793",
                "x-forwarded-for": "127.0.0.1",
                "x-forwarded-port": "4566",
                "x-forwarded-proto": "http",
                "x-two": "1,2",
            },
            "queryStringParameters": { "q": "1,/2" },
            "requestContext": {
                "accountId": "anonymous",
                "apiId": "abc",
                "domainName": "abc.lambda-url.us-east-1.localhost",
                "domainPrefix": "abc",
                "http": {
                    "method": "POST",
                    "path": "/a b/1",
                    "protocol": "HTTP/1.1",
                    "sourceIp": "127.0.0.1",
                    "userAgent": "curl",
                },
                "requestId": "id",
                "routeKey": "$default",
                "stage": "$default",
                "time": "14/Nov/2023:22:13:20 +0000",
                "timeEpoch": 1_700_000_000_123_u64,
            },
            "body": r#"{"hello":"world"}"#,
            "isBase64Encoded": false,
        })
    );
}

#[test]
fn what_is_empty_is_left_out() {
    let event = seen(&request(&[], b""), AuthType::None);
    for name in ["cookies", "queryStringParameters", "body"] {
        assert!(event.get(name).is_none(), "{name}");
    }
    assert!(event["requestContext"].get("authorizer").is_none());
    assert_eq!(event["isBase64Encoded"], false);
}

#[test]
fn a_signed_request_tells_who_signed_and_not_with_what() {
    let caller = Caller {
        access_key: "AKIA".to_owned(),
        principal: Principal::root("123456789012".parse().unwrap()),
        ..Caller::internal("123456789012".parse().unwrap(), Region::default(), Millis(0))
    };
    let headers = [("authorization", "AWS4-HMAC-SHA256 …"), ("x-amz-date", "20231114T221320Z")];
    let request = UrlRequest { signer: Ok(Some(caller)), ..request(&headers, b"") };
    let event = seen(&request, AuthType::AwsIam);
    assert_eq!(event["requestContext"]["accountId"], "000000000000");
    assert_eq!(
        event["requestContext"]["authorizer"],
        json!({ "iam": {
            "accessKey": "AKIA",
            "accountId": "123456789012",
            "callerId": "123456789012",
            "cognitoIdentity": null,
            "principalOrgId": null,
            "userArn": "arn:aws:iam::123456789012:root",
            "userId": "123456789012",
        }})
    );
    assert!(event["headers"].get("authorization").is_none());
    assert_eq!(event["headers"]["x-amz-date"], "20231114T221320Z");
    // Where nobody needs to sign, the header is the function's own.
    assert!(seen(&request, AuthType::None)["headers"].get("authorization").is_some());
}

#[test]
fn a_body_is_text_if_its_type_and_its_bytes_are() {
    for (content_type, body, base64) in [
        ("application/json; charset=utf-8", &b"{}"[..], false),
        ("TEXT/plain", b"a", false),
        ("image/svg+xml", b"<a/>", false),
        ("application/problem+json", b"{}", false),
        ("application/javascript", b"1", false),
        ("application/x-www-form-urlencoded", b"a=1", true),
        ("multipart/form-data; boundary=x", b"--x--", true),
        ("application/octet-stream", b"a", true),
        ("text/plain", b"\xff\x00", true),
        ("", b"a", true),
    ] {
        let event = seen(&request(&[("content-type", content_type)], body), AuthType::None);
        assert_eq!(event["isBase64Encoded"], base64, "{content_type}");
        let text = event["body"].as_str().unwrap();
        let bytes = if base64 { STANDARD.decode(text).unwrap() } else { text.into() };
        assert_eq!(bytes, body, "{content_type}");
    }
}
