//! Requests as bytes: AWS's protocols, signed by nobody, which is what `open` mode takes, or by a key.

use std::{
    net::SocketAddr,
    time::{Duration, UNIX_EPOCH},
};

use anyhow::Context;
use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4::SigningParams,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use kit::Clock;
use percent_encoding::NON_ALPHANUMERIC;
use serde_json::json;

/// One request, ready to be sent many times.
pub(super) fn request(
    service: &str,
    method_and_path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Vec<u8> {
    let mut head = format!(
        "{method_and_path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: AWS4-HMAC-SHA256 \
         Credential=000000000000/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host, \
         Signature=0\r\nContent-Length: {}\r\n",
        body.len()
    );
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    [head.as_bytes(), body].concat()
}

/// The same request, signed now. Holds for five minutes.
pub(super) fn signed(request: &[u8], service: &str, key: &Credentials) -> anyhow::Result<Vec<u8>> {
    let end = request.windows(4).position(|it| it == b"\r\n\r\n").context("no head")?;
    let (head, body) = (std::str::from_utf8(&request[..end])?, &request[end + 4..]);
    let mut lines = head.split("\r\n").filter(|line| !line.starts_with("Authorization"));
    let start = lines.next().context("no request line")?;
    let (method, target) = start.split_once(' ').context("no method")?;
    let path = target.split(' ').next().unwrap_or_default();
    let headers: Vec<(&str, &str)> = lines.filter_map(|line| line.split_once(": ")).collect();
    let url = format!("http://127.0.0.1{path}");
    let named = headers.iter().copied();
    let signable = SignableRequest::new(method, &url, named, SignableBody::Bytes(body))?;
    let identity = key.clone().into();
    let now = UNIX_EPOCH + Duration::from_millis(Clock::default().now().0);
    let params = SigningParams::builder()
        .identity(&identity)
        .region("us-east-1")
        .name(service)
        .time(now)
        .settings(SigningSettings::default())
        .build()?
        .into();
    let (instructions, _) = sign(signable, &params)?.into_parts();
    let mut text = format!("{start}\r\n");
    for (name, value) in headers.into_iter().chain(instructions.headers()) {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    Ok([text.as_bytes(), body].concat())
}

/// An operation of SQS.
pub(super) fn sqs(operation: &str, input: &serde_json::Value) -> Vec<u8> {
    let target = format!("AmazonSQS.{operation}");
    let headers =
        [("x-amz-target", target.as_str()), ("content-type", "application/x-amz-json-1.0")];
    request("sqs", "POST /", &headers, input.to_string().as_bytes())
}

/// An operation of IAM.
pub(super) fn iam(operation: &str, input: &[(&str, &str)]) -> Vec<u8> {
    let mut body = format!("Action={operation}&Version=2010-05-08");
    for (name, value) in input {
        let value = percent_encoding::utf8_percent_encode(value, NON_ALPHANUMERIC);
        body.push_str(&format!("&{name}={value}"));
    }
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    request("iam", "POST /", &headers, body.as_bytes())
}

/// A queue's URL, as the server names it to itself.
pub(super) fn queue_url(address: SocketAddr, name: &str) -> String {
    format!("http://{address}/000000000000/{name}")
}

/// `CreateFunction` of one source file, with a processor's full share, so that what is measured is
/// not the throttling.
pub(super) fn create_function(name: &str, runtime: &str, code: &Code) -> anyhow::Result<Vec<u8>> {
    let body = json!({
        "FunctionName": name,
        "Runtime": runtime,
        "Handler": "index.handler",
        "Role": "arn:aws:iam::000000000000:role/speed",
        "MemorySize": 1769,
        "Timeout": 30,
        "Code": { "ZipFile": STANDARD.encode(code.package()?) },
        "Environment": { "Variables": { "QUEUE_URL": code.queue_url } },
    });
    let headers = [("content-type", "application/json")];
    Ok(request("lambda", "POST /2015-03-31/functions", &headers, body.to_string().as_bytes()))
}

/// `Invoke` and wait for the answer.
pub(super) fn invoke(name: &str, payload: &str) -> Vec<u8> {
    let path = format!("POST /2015-03-31/functions/{name}/invocations");
    request("lambda", &path, &[("content-type", "application/json")], payload.as_bytes())
}

/// A function's source.
pub(super) struct Code {
    /// `index.py`, `index.js`.
    pub(super) file: &'static str,
    /// What is in it.
    pub(super) text: &'static str,
    /// Its variable `QUEUE_URL`.
    pub(super) queue_url: String,
}

impl Code {
    /// Source that needs no queue.
    pub(super) fn plain(file: &'static str, text: &'static str) -> Code {
        Code { file, text, queue_url: String::new() }
    }

    fn package(&self) -> anyhow::Result<Vec<u8>> {
        use std::io::Write;
        let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        let options = zip::write::SimpleFileOptions::default().unix_permissions(0o644);
        zip.start_file(self.file, options)?;
        zip.write_all(self.text.as_bytes())?;
        Ok(zip.finish().context("a package in memory")?.into_inner())
    }
}
