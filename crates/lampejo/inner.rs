//! `/_lampejo/…`: what AWS has no word for.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use http::{
    Method, Request, Response, StatusCode,
    header::{CONTENT_LENGTH, CONTENT_TYPE},
};
use hyper::body::Incoming;
use kit::{Caller, Clock, PrincipalKind};
use lambda::cost::{By, Period, Prices, Query};
use serde_json::json;
use wire::{Body, Raw, full, pieces};

use crate::{decisions, starts, traces, up::INSTANCES};

/// Health, status, cost, starts, what was decided about calls, and for tests the clock.
pub(crate) struct Inner {
    pub(crate) clock: Clock,
    pub(crate) test_clock: bool,
    pub(crate) pool: Arc<runtime::Pool>,
    pub(crate) lambda: Arc<lambda::Lambda>,
    pub(crate) bus: Arc<bus::Bus>,
    pub(crate) prices: Prices,
    pub(crate) audit: Option<Arc<iam::Audit>>,
    pub(crate) xray: Arc<xray::Xray>,
}

#[async_trait]
impl Raw for Inner {
    async fn serve(&self, caller: Caller, request: Request<Incoming>) -> Response<Body> {
        let uri = request.uri();
        if caller.source_ip == INSTANCES.ip().to_string() && !is_functions(uri.path()) {
            let message = "Functions are not served here.";
            return answer(StatusCode::FORBIDDEN, &json!({ "message": message }));
        }
        let known = caller.principal.kind != PrincipalKind::Anonymous;
        match (request.method(), uri.path()) {
            (&Method::GET, "/_lampejo/health") => answer(StatusCode::OK, &self.health()),
            (&Method::GET, "/_lampejo/status") if known => self.status(&caller.endpoint).await,
            (&Method::GET, "/_lampejo/cost") if known => {
                self.cost(&caller, uri.query().unwrap_or_default()).await
            }
            (&Method::GET, "/_lampejo/status" | "/_lampejo/cost") => {
                answer(StatusCode::FORBIDDEN, &json!({ "message": "Sign the request." }))
            }
            (&Method::POST, "/_lampejo/clock") if self.test_clock => {
                self.advance(uri.query().unwrap_or_default())
            }
            (&Method::GET, traces::PATH) => {
                traces::serve(&self.xray, self.audit.as_deref(), &caller, &request).await
            }
            (_, path) if path.starts_with(decisions::PATH) => {
                decisions::serve(self.audit.as_ref(), &caller, &request).await
            }
            (&Method::GET, starts::PATH) => {
                starts::serve(&self.pool, self.audit.as_deref(), &caller, &request)
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

/// What a function may ask for too: links to code are for whoever has them.
fn is_functions(path: &str) -> bool {
    path == "/_lampejo/health" || path.starts_with("/_lampejo/code/")
}

impl Inner {
    fn health(&self) -> serde_json::Value {
        json!({
            "status": "running",
            "version": env!("CARGO_PKG_VERSION"),
            "services": ["iam", "lambda", "logs", "s3", "sqs", "sts"],
        })
    }

    /// The instances, as ever, and beside them function URLs, what waits and what was done.
    async fn status(&self, endpoint: &str) -> Response<Body> {
        let mut status = serde_json::to_value(self.pool.status()).unwrap_or_default();
        status["function_urls"] = json!(self.lambda.function_urls(endpoint));
        let deliveries = self.bus.status();
        status["deliveries"] = json!({ "waiting": deliveries.waiting, "dead": deliveries.dead });
        match self.lambda.last_hour(self.clock.now()).await {
            Ok(metrics) => status["lastHour"] = json!(metrics),
            Err(error) => return failure(&error),
        }
        answer(StatusCode::OK, &status)
    }

    async fn cost(&self, caller: &Caller, query: &str) -> Response<Body> {
        let query = match cost_query(caller, query) {
            Ok(query) => query,
            Err(message) => {
                return answer(StatusCode::BAD_REQUEST, &json!({ "message": message }));
            }
        };
        match self.lambda.cost(&self.prices, &query, self.clock.now()).await {
            Ok(report) => answer(StatusCode::OK, &json!(report)),
            Err(error) => failure(&error),
        }
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
            Some((length, zip)) => {
                let mut response = Response::new(pieces(zip));
                response.headers_mut().insert(CONTENT_LENGTH, length.into());
                let zip_type = http::HeaderValue::from_static("application/zip");
                response.headers_mut().insert(CONTENT_TYPE, zip_type);
                response
            }
            None => answer(StatusCode::FORBIDDEN, &json!({ "message": "Request has expired" })),
        }
    }
}

/// Reads `by=alias&function=NAME&from=2026-11-01&to=2026-11-23`.
fn cost_query(caller: &Caller, query: &str) -> Result<Query, String> {
    let (mut by, mut function, mut from, mut to) = (By::Function, None, None, None);
    for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
        let value = value.replace("%3A", ":").replace("%2B", "+");
        match name {
            "by" => by = By::parse(&value).ok_or("by is function, alias, day or chain.")?,
            "function" => function = Some(value),
            "from" => from = Some(value),
            "to" => to = Some(value),
            _ => return Err(format!("{name} is unknown: by, function, from and to are known.")),
        }
    }
    let period = Period::parse(from.as_deref(), to.as_deref(), caller.now)?;
    Ok(Query { account: caller.account, function, by, period })
}

/// The cause is in the log.
fn failure(error: &lambda::Error) -> Response<Body> {
    tracing::error!(%error, "usage could not be read");
    let message = "The usage could not be read.";
    answer(StatusCode::INTERNAL_SERVER_ERROR, &json!({ "message": message }))
}

/// An answer in JSON.
pub(crate) fn answer(status: StatusCode, body: &serde_json::Value) -> Response<Body> {
    let mut response = Response::new(full(body.to_string()));
    *response.status_mut() = status;
    let json_type = http::HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json_type);
    response
}
