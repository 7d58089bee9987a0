//! `/_lampejo/…`: what AWS has no word for.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use http::{Method, Request, Response, StatusCode, header::CONTENT_TYPE};
use hyper::body::Incoming;
use kit::{Caller, Clock, PrincipalKind};
use serde_json::json;
use wire::{Body, Raw, full};

/// Health, status, and for tests the clock.
pub(crate) struct Inner {
    pub(crate) clock: Clock,
    pub(crate) test_clock: bool,
    pub(crate) pool: Arc<runtime::Pool>,
    pub(crate) lambda: Arc<lambda::Lambda>,
}

#[async_trait]
impl Raw for Inner {
    async fn serve(&self, caller: Caller, request: Request<Incoming>) -> Response<Body> {
        let uri = request.uri();
        let known = caller.principal.kind != PrincipalKind::Anonymous;
        match (request.method(), uri.path()) {
            (&Method::GET, "/_lampejo/health") => answer(StatusCode::OK, &self.health()),
            (&Method::GET, "/_lampejo/status") if known => {
                answer(StatusCode::OK, &self.status(&caller.endpoint))
            }
            (&Method::GET, "/_lampejo/status") => {
                answer(StatusCode::FORBIDDEN, &json!({ "message": "Sign the request." }))
            }
            (&Method::POST, "/_lampejo/clock") if self.test_clock => {
                self.advance(uri.query().unwrap_or_default())
            }
            (&Method::GET, path) if path.starts_with("/_lampejo/code/") => {
                self.code(uri.path_and_query().map_or(path, |it| it.as_str())).await
            }
            _ => answer(
                StatusCode::NOT_FOUND,
                &json!({ "message": format!("There is nothing at {}.", uri.path()) }),
            ),
        }
    }
}

impl Inner {
    fn health(&self) -> serde_json::Value {
        json!({
            "status": "running",
            "version": env!("CARGO_PKG_VERSION"),
            "services": ["iam", "lambda", "logs", "s3", "sqs", "sts"],
        })
    }

    fn status(&self, endpoint: &str) -> serde_json::Value {
        let mut status = serde_json::to_value(self.pool.status()).unwrap_or_default();
        status["function_urls"] = json!(self.lambda.function_urls(endpoint));
        status
    }

    fn advance(&self, query: &str) -> Response<Body> {
        let seconds = query.strip_prefix("advance=").and_then(|it| it.parse::<f64>().ok());
        match seconds.filter(|it| (0.0..=1e9).contains(it)) {
            Some(seconds) => {
                self.clock.advance(Duration::from_secs_f64(seconds));
                answer(StatusCode::OK, &json!({ "now": self.clock.now().iso8601() }))
            }
            None => answer(
                StatusCode::BAD_REQUEST,
                &json!({ "message": "advance=SECONDS is needed, from 0 to 1e9." }),
            ),
        }
    }

    async fn code(&self, path_and_query: &str) -> Response<Body> {
        match self.lambda.code_download(path_and_query).await {
            Some(zip) => {
                let mut response = Response::new(full(zip));
                let zip_type = http::HeaderValue::from_static("application/zip");
                response.headers_mut().insert(CONTENT_TYPE, zip_type);
                response
            }
            None => answer(StatusCode::FORBIDDEN, &json!({ "message": "Request has expired" })),
        }
    }
}

fn answer(status: StatusCode, body: &serde_json::Value) -> Response<Body> {
    let mut response = Response::new(full(body.to_string()));
    *response.status_mut() = status;
    let json_type = http::HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json_type);
    response
}
