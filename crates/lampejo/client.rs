//! The commands' way to a running server: one HTTP request at a time, signed by nobody, which is
//! what `open` mode takes; for `enforce` the environment's AWS credentials sign.

use anyhow::{Context, bail};
use bytes::Bytes;
use clap::Args;
use http::{Method, Request, Uri, header::HOST, request::Parts};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use wire::sigv4::Credentials;

/// Which server to talk to.
#[derive(Args, Debug, Clone)]
pub(crate) struct Server {
    /// The server's address
    #[arg(long, env = "AWS_ENDPOINT_URL", default_value = "http://127.0.0.1:4566")]
    pub(crate) endpoint: String,
    /// Region
    #[arg(long, env = "AWS_REGION", default_value = "us-east-1")]
    pub(crate) region: String,
}

/// An answer's status, headers and body.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: Bytes,
}

impl Server {
    /// Sends one request. `service` is the SigV4 name.
    pub(crate) async fn send(
        &self,
        service: &str,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> anyhow::Result<Answer> {
        let uri: Uri = self.endpoint.parse().context("the endpoint is not a URL")?;
        let host = uri.authority().context("the endpoint names no host")?.clone();
        let address = format!("{}:{}", host.host(), host.port_u16().unwrap_or(80));
        let socket = TcpStream::connect(&address).await.with_context(|| {
            format!("no server answers at {address}. Start one with `lampejo up`")
        })?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(socket)).await?;
        let connection = tokio::spawn(connection);
        let mut request = Request::builder().method(method).uri(path).header(HOST, host.as_str());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body: Bytes = body.into();
        let (mut parts, ()) = request.body(())?.into_parts();
        sign(&mut parts, service, &self.region, &body)?;
        let request = Request::from_parts(parts, Full::new(body));
        let response = sender.send_request(request).await?;
        let (parts, body) = response.into_parts();
        let body = body.collect().await?.to_bytes();
        drop(sender);
        connection.await??;
        Ok(Answer { status: parts.status.as_u16(), headers: parts.headers, body })
    }
}

/// Signs with the environment's credentials, or with those that `open` mode takes.
fn sign(parts: &mut Parts, service: &str, region: &str, body: &Bytes) -> anyhow::Result<()> {
    let variable = |name: &str| std::env::var(name).ok().filter(|it| !it.is_empty());
    let credentials = Credentials {
        access_key: variable("AWS_ACCESS_KEY_ID").unwrap_or_else(|| "000000000000".to_owned()),
        secret: variable("AWS_SECRET_ACCESS_KEY").unwrap_or_else(|| "open".to_owned()),
        token: variable("AWS_SESSION_TOKEN"),
    };
    let now = kit::Clock::default().now();
    Ok(credentials.sign(parts, (service, region), body, now)?)
}

impl Answer {
    /// The body as text, or the server's error.
    pub(crate) fn text(self) -> anyhow::Result<String> {
        let text = String::from_utf8_lossy(&self.body).into_owned();
        if self.status >= 300 {
            let error: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
            let message = error["message"].as_str().or(error["Message"].as_str());
            bail!("{}", message.unwrap_or(&text));
        }
        Ok(text)
    }
}
