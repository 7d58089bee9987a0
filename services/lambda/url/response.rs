//! What a function returns, as an HTTP response: payload format 2.0. Pure.
//!
//! Sources: "Invoking Lambda function URLs", and answers recorded from AWS: a string is the body as it
//! is, other JSON is the body without blanks, and a status may be a text of digits.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::{Deserialize, de::IgnoredAny};
use serde_json::{Value, value::RawValue};
use wire::UrlResponse;

/// Headers that say how a body is sent, which is ours to do.
const OF_THE_CONNECTION: [&str; 6] =
    ["connection", "content-length", "keep-alive", "te", "transfer-encoding", "upgrade"];

/// The type of streams that name none.
pub(crate) const STREAM_TYPE: &str = "application/octet-stream";

/// An answer that is no HTTP response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the function's answer is no HTTP response")]
pub(crate) struct Malformed;

/// Whether an object is a response.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Probe {
    status_code: Option<IgnoredAny>,
}

/// A response, or the prelude of one.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Structured<'a> {
    #[serde(default)]
    status_code: Option<Status>,
    #[serde(default)]
    headers: Option<BTreeMap<String, Value>>,
    #[serde(default)]
    cookies: Option<Vec<String>>,
    #[serde(borrow, default)]
    body: Option<&'a RawValue>,
    #[serde(default)]
    is_base64_encoded: Option<bool>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Status {
    Number(u16),
    Text(String),
}

/// The HTTP response that a function's answer means.
pub(crate) fn response(payload: &[u8]) -> Result<UrlResponse, Malformed> {
    let text = std::str::from_utf8(payload).map_err(|_| Malformed)?.trim();
    // A probe would take the first item of a list for the status.
    let probed = text.starts_with('{').then(|| serde_json::from_str::<Probe>(text));
    match probed {
        Some(Ok(Probe { status_code: Some(_) })) => structured(text),
        _ => inferred(text),
    }
}

/// Any JSON is the body of an answer that went well.
fn inferred(text: &str) -> Result<UrlResponse, Malformed> {
    serde_json::from_str::<IgnoredAny>(text).map_err(|_| Malformed)?;
    Ok(UrlResponse::json(200, body_text(text)?))
}

fn structured(text: &str) -> Result<UrlResponse, Malformed> {
    let answer: Structured = serde_json::from_str(text).map_err(|_| Malformed)?;
    let encoded = answer.is_base64_encoded == Some(true);
    let body = match answer.body.map(RawValue::get) {
        None => Bytes::new(),
        Some(text) => {
            let body = body_text(text)?;
            match encoded {
                true => STANDARD.decode(body).map_err(|_| Malformed)?.into(),
                false => body.into(),
            }
        }
    };
    Ok(UrlResponse { body, ..answer.head("application/json")? })
}

/// The head that a prelude of a stream describes.
pub(crate) fn prelude(text: &[u8]) -> Result<UrlResponse, Malformed> {
    let prelude: Structured = serde_json::from_slice(text).map_err(|_| Malformed)?;
    prelude.head(STREAM_TYPE)
}

impl Structured<'_> {
    /// Status and headers; the type is for answers that name none.
    fn head(self, content_type: &str) -> Result<UrlResponse, Malformed> {
        let status = self.status_code.map_or(Ok(200), |status| status.number())?;
        let mut headers = headers(self.headers.unwrap_or_default())?;
        if !headers.iter().any(|(name, _)| name == "content-type") {
            headers.push(("content-type".to_owned(), content_type.to_owned()));
        }
        let cookies = self.cookies.unwrap_or_default();
        headers.extend(cookies.into_iter().map(|cookie| ("set-cookie".to_owned(), cookie)));
        Ok(UrlResponse { status, headers, body: Bytes::new() })
    }
}

impl Status {
    fn number(&self) -> Result<u16, Malformed> {
        let number = match self {
            Status::Number(number) => Some(*number),
            Status::Text(text) => text.parse().ok(),
        };
        number.filter(|number| (200..=599).contains(number)).ok_or(Malformed)
    }
}

fn headers(given: BTreeMap<String, Value>) -> Result<Vec<(String, String)>, Malformed> {
    let mut headers = Vec::with_capacity(given.len());
    for (name, value) in given {
        let name = name.to_ascii_lowercase();
        if OF_THE_CONNECTION.contains(&name.as_str()) {
            continue;
        }
        let value = match value {
            Value::String(text) => text,
            Value::Number(number) => number.to_string(),
            Value::Bool(truth) => truth.to_string(),
            Value::Null | Value::Array(_) | Value::Object(_) => return Err(Malformed),
        };
        headers.push((name, value));
    }
    Ok(headers)
}

/// A body out of JSON: a string's own text, or other JSON without blanks.
fn body_text(json: &str) -> Result<String, Malformed> {
    if json.starts_with('"') {
        return serde_json::from_str(json).map_err(|_| Malformed);
    }
    Ok(without_blanks(json))
}

/// JSON without the blanks between its tokens.
fn without_blanks(json: &str) -> String {
    let (mut quoted, mut escaped) = (false, false);
    json.chars()
        .filter(|letter| {
            if quoted {
                quoted = escaped || *letter != '"';
                escaped = !escaped && *letter == '\\';
                return true;
            }
            quoted = *letter == '"';
            !matches!(letter, ' ' | '\t' | '\r' | '\n')
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(payload: &str) -> UrlResponse {
        response(payload.as_bytes()).unwrap()
    }

    fn header(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn json_without_a_status_is_the_body() {
        for (payload, body) in [
            (r#"{"hello": "wor ld\" x"}"#, r#"{"hello":"wor ld\" x"}"#),
            (r#"["hello", 3, true]"#, r#"["hello",3,true]"#),
            (r#""hello""#, "hello"),
            ("3.1", "3.1"),
            ("true", "true"),
            ("null", "null"),
            (r#"{"statusCode": null, "body": "x"}"#, r#"{"statusCode":null,"body":"x"}"#),
            (r#"{"a": "\\", "b": " "}"#, r#"{"a":"\\","b":" "}"#),
        ] {
            assert_eq!(of(payload), UrlResponse::json(200, body.to_owned()), "{payload}");
        }
    }

    #[test]
    fn a_response_is_taken_apart() {
        let response = of(r#"{"statusCode": 201, "headers": {"Content-Type": "text/html",
            "X-Number": 7, "Content-Length": "99"}, "cookies": ["a=1; Secure", "b=2"],
            "body": "<p>", "isBase64Encoded": false}"#);
        assert_eq!((response.status, &response.body[..]), (201, &b"<p>"[..]));
        assert_eq!(
            response.headers,
            [
                header("content-type", "text/html"),
                header("x-number", "7"),
                header("set-cookie", "a=1; Secure"),
                header("set-cookie", "b=2"),
            ]
        );
    }

    #[test]
    fn little_is_needed_of_a_response() {
        let teapot = of(r#"{"statusCode": "418", "body": "i'm a teapot"}"#);
        assert_eq!((teapot.status, &teapot.body[..]), (418, &b"i'm a teapot"[..]));
        assert_eq!(teapot.headers, [header("content-type", "application/json")]);
        assert_eq!(of(r#"{"statusCode": 204}"#).body, "");
        assert_eq!(of(r#"{"statusCode": 200, "body": {"a": 1}}"#).body, r#"{"a":1}"#);
        let binary = of(r#"{"statusCode": 200, "body": "/wA=", "isBase64Encoded": true}"#);
        assert_eq!(binary.body, &[0xff, 0][..]);
    }

    #[test]
    fn other_answers_are_malformed() {
        for payload in [
            "",
            "hello",
            "{",
            r#"{"statusCode": "abc"}"#,
            r#"{"statusCode": 99}"#,
            r#"{"statusCode": 1000}"#,
            r#"{"statusCode": {}}"#,
            r#"{"statusCode": 200, "headers": []}"#,
            r#"{"statusCode": 200, "headers": {"a": ["b"]}}"#,
            r#"{"statusCode": 200, "cookies": "a=1"}"#,
            r#"{"statusCode": 200, "body": "%%%", "isBase64Encoded": true}"#,
        ] {
            assert_eq!(response(payload.as_bytes()), Err(Malformed), "{payload}");
        }
        assert_eq!(response(b"\xff"), Err(Malformed));
    }

    #[test]
    fn a_prelude_needs_nothing() {
        let empty = prelude(b"{}").unwrap();
        assert_eq!((empty.status, empty.headers), (200, vec![header("content-type", STREAM_TYPE)]));
        let some = prelude(br#"{"statusCode": 404, "headers": {"Content-Type": "text/html"}}"#);
        let some = some.unwrap();
        assert_eq!((some.status, some.headers), (404, vec![header("content-type", "text/html")]));
        assert_eq!(prelude(b"no"), Err(Malformed));
    }
}
