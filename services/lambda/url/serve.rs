//! The way of a request through a function URL: which function, may it, the event, the function's
//! answer, the headers that browsers look for.

use std::sync::Arc;

use async_trait::async_trait;
use kit::{Arn, Attempt, Authority, Caller};
use runtime::Tracing;
use wire::{Fault, FunctionUrls, ServiceError, UrlAnswer, UrlRequest, UrlResponse};

use crate::{
    Error, Lambda,
    invoke::{run::Request, trace},
    limits::SYNC_PAYLOAD_BYTES,
    told,
    url::{
        access::Call,
        config::{AuthType, Mode},
        event::event,
        response::response,
        routes::Route,
        stream,
    },
};

const FORBIDDEN: &str = r#"{"Message":"Forbidden. For troubleshooting Function URL authorization issues, see: https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"}"#;
/// AWS's answer where there is no such URL.
const NOBODY: &str = r#"{"Message":null}"#;
const TRACE: &str = "x-amzn-trace-id";

#[async_trait]
impl FunctionUrls for Lambda {
    async fn serve(self: Arc<Self>, request: UrlRequest) -> UrlAnswer {
        let route = self.functions.urls.find(&request.name.id);
        let here = |route: &Arc<Route>| route.function.region == request.name.region;
        let Some(route) = route.filter(here) else { return denied(NOBODY).into() };
        let given = request.header(TRACE).unwrap_or_default();
        let trace = trace::header(&given, self.tracing(&route), request.now);
        // Browsers do not sign what they ask before a request.
        let mut answer = match preflight(&route, &request) {
            Some(response) => response.into(),
            None => {
                let mut answer = match self.may_call(&route, &request) {
                    Ok(()) => self.answer(&route, &request, &trace).await,
                    Err(refusal) => refusal.into(),
                };
                answer.head = with_cors(answer.head, &route, &request);
                answer
            }
        };
        answer.head = answer.head.with_header(TRACE, trace);
        answer
    }
}

impl Lambda {
    /// Whether the route's function samples what nobody has decided about.
    fn tracing(&self, route: &Route) -> Tracing {
        let (key, qualifier) = (&route.function, route.qualifier.as_deref());
        let runnable = self.functions.runnable(key.account, &key.region, &key.name, qualifier);
        runnable.map_or(Tracing::PassThrough, |runnable| runnable.function.tracing)
    }

    /// Runs the function and reads its answer.
    async fn answer(&self, route: &Route, request: &UrlRequest, trace: &str) -> UrlAnswer {
        let payload = event(route, request, trace);
        if payload.len() > SYNC_PAYLOAD_BYTES {
            let (bytes, kind, limit) = (payload.len(), "RequestResponse", SYNC_PAYLOAD_BYTES);
            return failed(&Error::PayloadTooLarge { bytes, kind, limit }).into();
        }
        let key = &route.function;
        let qualifier = route.qualifier.as_deref();
        let runnable = self.functions.runnable(key.account, &key.region, &key.name, qualifier);
        let admitted = runnable.and_then(|runnable| {
            self.concurrency.admit(&runnable, request.now).map_err(Error::Throttled)?;
            Ok(runnable)
        });
        let runnable = match admitted {
            Ok(runnable) => runnable,
            Err(error) => return failed(&error).into(),
        };
        let invocation = Request {
            id: request.request_id.clone(),
            payload: payload.into(),
            client_context: None,
            trace: trace.to_owned(),
            tenant: None,
        };
        match route.url.mode {
            Mode::Buffered => match self.run(&runnable, invocation, request.now).await {
                Ok(outcome) if outcome.error.is_some() => UrlResponse::bad_gateway().into(),
                Ok(outcome) => {
                    response(&outcome.payload).unwrap_or_else(|_| UrlResponse::bad_gateway()).into()
                }
                Err(error) => failed(&error).into(),
            },
            Mode::ResponseStream => {
                match self.run_streaming(&runnable, invocation, request.now).await {
                    Ok(streamed) => stream::answer(streamed).await,
                    Err(error) => failed(&error).into(),
                }
            }
        }
    }
}

impl Lambda {
    /// Whether the caller may, or the refusal.
    fn may_call(&self, route: &Route, request: &UrlRequest) -> Result<(), UrlResponse> {
        let caller = match &request.signer {
            _ if route.url.auth == AuthType::None => None,
            Ok(signer) => signer.as_ref(),
            Err(fault) => return Err(UrlResponse::of_fault(fault)),
        };
        let admitted = match (self.bus.directory().authority(), caller) {
            (Some(authority), Some(caller)) => permitted(&**authority, route, caller),
            _ => admitted(route, caller),
        };
        if admitted { Ok(()) } else { Err(denied(FORBIDDEN)) }
    }
}

/// Whether all policies that have a say let a caller use both actions that a URL needs.
fn permitted(authority: &dyn Authority, route: &Route, caller: &Caller) -> bool {
    let Ok(resource) = route.arn().parse::<Arn>() else { return false };
    let keys = [
        (told::URL_AUTH_TYPE.to_owned(), vec![AuthType::AwsIam.as_str().to_owned()]),
        (told::FUNCTION_ARN.to_owned(), vec![resource.to_string()]),
        ("lambda:InvokedViaFunctionUrl".to_owned(), vec!["true".to_owned()]),
    ];
    ["lambda:InvokeFunctionUrl", "lambda:InvokeFunction"].iter().all(|action| {
        let resources = std::slice::from_ref(&resource);
        let attempt = Attempt { caller, service: None, action, resources, keys: &keys };
        authority.permit(&attempt).is_ok()
    })
}

/// Whether the function's policy lets a caller in where no others are asked.
fn admitted(route: &Route, caller: Option<&Caller>) -> bool {
    let auth = route.url.auth;
    let resource = route.arn();
    let call = Call {
        caller: caller.map(|caller| (caller.account, &caller.principal)),
        owner: route.function.account,
        resource: &resource,
        auth,
    };
    route.grants.admit(call)
}

/// The answer to a browser's question before its request, where the URL has rules for it.
fn preflight(route: &Route, request: &UrlRequest) -> Option<UrlResponse> {
    let cors = route.url.cors.as_ref().filter(|_| request.method == "OPTIONS")?;
    let origin = request.header("origin")?;
    let method = request.header("access-control-request-method")?;
    let mut response = UrlResponse { status: 200, headers: Vec::new(), body: Default::default() };
    for (name, value) in cors.preflight(&origin, &method) {
        response = response.with_header(name, value);
    }
    Some(response)
}

fn with_cors(mut response: UrlResponse, route: &Route, request: &UrlRequest) -> UrlResponse {
    if let (Some(cors), Some(origin)) = (&route.url.cors, request.header("origin")) {
        for (name, value) in cors.added(&origin) {
            response = response.with_header(name, value);
        }
    }
    response
}

fn denied(body: &'static str) -> UrlResponse {
    UrlResponse::json(403, body).with_header("x-amzn-errortype", "AccessDeniedException")
}

/// An invocation that did not come about.
fn failed(error: &Error) -> UrlResponse {
    let status = match error {
        Error::Throttled(_) | Error::ServerBusy(_) => 429,
        Error::PayloadTooLarge { .. } => 413,
        // What is wrong is not the client's to know.
        _ => return UrlResponse::bad_gateway(),
    };
    let fault: Fault = error.fault();
    UrlResponse::of_fault(&fault.with_status(status))
}
