//! The way of a request: which service, who, which operation, what input; then the service; then
//! the answer. One log line per request.

mod function_url;

use std::{sync::Arc, time::Instant};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Method, Request, Response, request::Parts};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};
use kit::{Attempt, Authority, Caller, Clock, Region, ids};
use sha2::{Digest, Sha256};

use crate::{
    Answered, Fault, Table,
    answer::{Answer, Body, s3_fault},
    codec::{
        json::JsonReader,
        query::{Form, QueryReader},
        rest::{RestReader, RestRequest},
    },
    function_url::{FunctionUrls, UrlName},
    identify::{Arrival, Auth, Dialect, Identify, anonymous},
    keys::Keys,
    origin,
    route::{self, Labels, Router},
    schema::{Protocol, Service, Shape, Validation},
    server::Room,
    sigv4::Claim,
    stray::{json_fault, query_fault},
    table::{Need, Prepared},
    violations::Violations,
};

/// Larger bodies are refused where the table names no limit of its own.
pub const DEFAULT_BODY_LIMIT_BYTES: usize = 16 << 20;

/// A handler that speaks HTTP itself: S3, the health endpoint.
#[async_trait]
pub trait Raw: Send + Sync {
    /// Answers one request of a caller.
    async fn serve(&self, caller: Caller, request: Request<Incoming>) -> Response<Body>;
}

/// All services behind one port.
pub struct Front {
    router: Router,
    tables: Vec<(Table, usize)>,
    objects: Arc<dyn Raw>,
    inner: Arc<dyn Raw>,
    urls: (Arc<dyn FunctionUrls>, usize),
    identify: Identify,
    authority: Option<Arc<dyn Authority>>,
    clock: Clock,
}

/// What a front is made of.
pub struct FrontParts {
    /// Services by table, each with its greatest body in bytes.
    pub tables: Vec<(Table, usize)>,
    /// S3: takes what belongs to no other service.
    pub objects: Arc<dyn Raw>,
    /// Takes `/_lampejo/…`; decides itself what it tells callers who have proved nothing.
    pub inner: Arc<dyn Raw>,
    /// Function URLs, with their greatest body in bytes.
    pub urls: (Arc<dyn FunctionUrls>, usize),
    /// Whether signatures are checked.
    pub auth: Auth,
    /// Who decides what callers may do; without, everybody may everything.
    pub authority: Option<Arc<dyn Authority>>,
    /// Who knows access keys.
    pub keys: Arc<dyn Keys>,
    /// The region of requests that name none.
    pub region: Region,
    /// Base domains under which buckets are virtual hosts.
    pub domains: Vec<String>,
    /// The time.
    pub clock: Clock,
}

/// A request's head, taken apart.
struct Head {
    parts: Parts,
    query: Vec<(String, String)>,
    claim: Option<Claim>,
    request_id: String,
    source_ip: String,
}

impl Head {
    fn arrival(&self, clock: &Clock) -> Arrival<'_> {
        Arrival {
            parts: &self.parts,
            query: &self.query,
            claim: self.claim.as_ref(),
            now: clock.now(),
            request_id: self.request_id.clone(),
            source_ip: self.source_ip.clone(),
        }
    }
}

/// The operation that a request names, with what decoding its input needs.
struct Named {
    operation: usize,
    protocol: Protocol,
    labels: Labels,
    form: Option<Form>,
}

impl Front {
    /// Puts the services behind one way in.
    pub fn new(parts: FrontParts) -> Arc<Front> {
        let FrontParts {
            tables,
            objects,
            inner,
            urls,
            auth,
            authority,
            keys,
            region,
            domains,
            clock,
        } = parts;
        let router = Router::new(tables.iter().map(|(table, _)| table.service()).collect());
        let identify = Identify { auth, keys, signing_keys: Arc::default(), region, domains };
        Arc::new(Front { router, tables, objects, inner, urls, identify, authority, clock })
    }

    /// The time it goes by.
    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Answers one request.
    pub async fn handle(&self, request: Request<Incoming>, source_ip: String) -> Response<Body> {
        let started = Instant::now();
        let request_id = ids::uuid();
        let (parts, body) = request.into_parts();
        let (method, path) = (parts.method.clone(), parts.uri.path().to_owned());
        let query = route::query_pairs(&parts.uri);
        let claim = Claim::of(&parts, &query);
        let (claim, malformed) = match claim {
            Ok(claim) => (claim, None),
            Err(refusal) => (None, Some(refusal)),
        };
        let head = Head { parts, query, claim, request_id, source_ip };
        let response = match (UrlName::of(&head.parts.headers), malformed) {
            // First, because function URLs take what our API refuses: pages from elsewhere,
            // `Authorization` headers of their functions' own.
            (Some(name), malformed) => self.function_url(name, (head, malformed), body).await,
            (None, Some(refusal)) if self.identify.auth == Auth::Enforce => {
                let fault = Fault::new("IncompleteSignature", refusal.to_string());
                s3_fault(&fault.with_status(400), &head.request_id)
            }
            (None, _) => self.dispatch(head, body).await,
        };
        tracing::debug!(
            target: "lampejo::request",
            %method,
            path,
            status = response.status().as_u16(),
            micros = started.elapsed().as_micros() as u64,
        );
        response
    }

    async fn dispatch(&self, head: Head, body: Incoming) -> Response<Body> {
        if head.parts.uri.path().starts_with("/_lampejo/") {
            let caller = self.proven(&head).unwrap_or_else(|| self.anyone(&head));
            return self.inner.serve(caller, Request::from_parts(head.parts, body)).await;
        }
        let parts = &head.parts;
        // A browser's own question before a request harms nothing.
        let asks = parts.method == Method::OPTIONS;
        if self.identify.auth == Auth::Open && !asks && origin::is_foreign(&parts.headers) {
            let text =
                "In open mode, requests of web pages from elsewhere must be signed by header.";
            return s3_fault(&Fault::new("AccessDenied", text).with_status(403), &head.request_id);
        }
        let routed =
            self.router.service(head.claim.as_ref(), &parts.headers, &parts.method, &parts.uri);
        let scope = head.claim.as_ref().map(|claim| claim.service.as_str());
        match (routed, scope) {
            (Some(service), _) => self.typed(service, head, body).await,
            (None, Some(scope)) if !matches!(scope, "s3" | "s3express") => {
                unknown_service(&head, scope)
            }
            (None, None) if is_form(parts) => self.unsigned_form(head, body).await,
            (None, _) => self.objects(head, body).await,
        }
    }

    /// An unsigned query request: its service stands in the form.
    async fn unsigned_form(&self, mut head: Head, body: Incoming) -> Response<Body> {
        let bytes = match collect(&mut head.parts, body, DEFAULT_BODY_LIMIT_BYTES).await {
            Ok(bytes) => bytes,
            Err(fault) => return s3_fault(&fault, &head.request_id),
        };
        let form = Form::parse(&bytes).ok();
        let service = form
            .as_ref()
            .and_then(|form| self.router.of_version(form.get("Version")?, form.get("Action")?));
        match service {
            Some(service) => self.typed_with(service, head, bytes).await,
            None => {
                let fault = Fault::new("InvalidAction", "The request names no known action.");
                query_fault(&fault.with_status(400), &head.request_id)
            }
        }
    }

    /// S3: signed, or anonymous where the request or the mode allows it.
    async fn objects(&self, head: Head, body: Incoming) -> Response<Body> {
        let caller = if head.claim.is_none() {
            // A bucket's policy, or a form's, may let anybody in.
            Ok(self.anyone(&head))
        } else {
            // S3 requests name their body's hash, or say that it is not signed.
            let hash = || "UNSIGNED-PAYLOAD".to_owned();
            self.identify.caller(head.arrival(&self.clock), Dialect::S3, hash)
        };
        match caller {
            Ok(caller) => self.objects.serve(caller, Request::from_parts(head.parts, body)).await,
            Err(fault) => s3_fault(&fault, &head.request_id),
        }
    }

    async fn typed(&self, service: usize, mut head: Head, body: Incoming) -> Response<Body> {
        let (table, limit) = &self.tables[service];
        match collect(&mut head.parts, body, *limit).await {
            Ok(bytes) => self.typed_with(service, head, bytes).await,
            Err(fault) => {
                let protocol = protocol(table.service(), &head.parts);
                let answer =
                    Answer { service: table.service(), protocol, request_id: &head.request_id };
                answer.fault(&fault)
            }
        }
    }

    async fn typed_with(&self, index: usize, head: Head, body: Bytes) -> Response<Body> {
        let table = &self.tables[index].0;
        let service = table.service();
        let protocol = protocol(service, &head.parts);
        let answer = Answer { service, protocol, request_id: &head.request_id };
        match self.run(index, &head, &body, protocol).await {
            Ok((operation, answered)) => answer.success(&service.operations[operation], answered),
            Err(fault) => answer.fault(&fault),
        }
    }

    async fn run(
        &self,
        index: usize,
        head: &Head,
        body: &Bytes,
        protocol: Protocol,
    ) -> Result<(usize, Answered), Fault> {
        let table = &self.tables[index].0;
        let service = table.service();
        let dialect = if protocol == Protocol::Query { Dialect::Query } else { Dialect::Json };
        let hash = || hex::encode(Sha256::digest(body));
        if self.identify.auth == Auth::Enforce {
            check_named_hash(&head.parts, body)?;
        }
        let named = self.name(index, head, body, protocol);
        let unsigned = named.as_ref().is_ok_and(|named| table.is_unsigned(named.operation));
        let caller = match unsigned {
            true => self.nobody(head),
            false => self.identify.caller(head.arrival(&self.clock), dialect, hash)?,
        };
        let named = named?;
        let operation = &service.operations[named.operation];
        let prepared = decode(table, &named, head, body)?
            .ok_or_else(|| Fault::not_implemented(service.name, operation.name))?;
        if !unsigned {
            self.permit(&*prepared, &caller, (service, protocol))?;
        }
        let pending = prepared.run(caller);
        let reply = if table.is_cancellable(named.operation) {
            pending.await
        } else {
            tokio::spawn(pending).await.unwrap_or_else(|panic| Err(Fault::internal(&panic)))
        };
        Ok((named.operation, reply?))
    }

    /// Asks whether the caller may.
    fn permit(
        &self,
        prepared: &dyn Prepared,
        caller: &Caller,
        (service, protocol): (&Service, Protocol),
    ) -> Result<(), Fault> {
        let Some(authority) = &self.authority else { return Ok(()) };
        for Need { action, resources, keys } in prepared.needs(caller)? {
            let (resources, keys) = (&*resources, &*keys);
            let attempt = Attempt { caller, service: None, action, resources, keys };
            let permitted = authority.permit(&attempt);
            permitted.map_err(|denied| {
                let hidden = prepared.hidden(caller);
                hidden.unwrap_or_else(|| access_denied(denied.to_string(), protocol, service))
            })?;
        }
        Ok(())
    }

    fn name(
        &self,
        index: usize,
        head: &Head,
        body: &Bytes,
        protocol: Protocol,
    ) -> Result<Named, Fault> {
        let service = self.tables[index].0.service();
        let parts = &head.parts;
        let unknown = || Fault::new("UnknownOperationException", "").with_status(404);
        match protocol {
            Protocol::Json => {
                let (_, name) = route::target(&parts.headers).ok_or_else(unknown)?;
                let operation = service.operation(name).ok_or_else(|| {
                    Fault::new(
                        "UnknownOperationException",
                        format!("The operation {name} is unknown."),
                    )
                })?;
                Ok(Named { operation, protocol, labels: Labels::new(), form: None })
            }
            Protocol::RestJson => {
                let found =
                    self.router.rest(index, &parts.method, &parts.uri).ok_or_else(unknown)?;
                Ok(Named { operation: found.0, protocol, labels: found.1, form: None })
            }
            Protocol::Query => {
                let text = if parts.method == Method::GET {
                    parts.uri.query().unwrap_or_default().as_bytes()
                } else {
                    body
                };
                let form = Form::parse(text)
                    .map_err(|error| Fault::new("MalformedQueryString", error.0))?;
                let action = form.get("Action").unwrap_or_default().to_owned();
                if action.is_empty() {
                    return Err(Fault::new(
                        "MissingAction",
                        "The request is missing an action parameter.",
                    ));
                }
                let operation = service.operation(&action).ok_or_else(|| {
                    let text = format!("The action {action} is not valid for this web service.");
                    Fault::new("InvalidAction", text)
                })?;
                let form = form.with_queue_url(service, &head.parts);
                Ok(Named { operation, protocol, labels: Labels::new(), form: Some(form) })
            }
        }
    }

    /// The caller of a signed request without a body.
    fn proven(&self, head: &Head) -> Option<Caller> {
        let nothing = || hex::encode(Sha256::digest(b""));
        self.identify.caller(head.arrival(&self.clock), Dialect::Json, nothing).ok()
    }

    /// A caller who need not prove anything.
    fn nobody(&self, head: &Head) -> Caller {
        let caller = self.anyone(head);
        Caller { principal: anonymous(caller.account), session: None, ..caller }
    }

    /// A caller who has proved nothing.
    fn anyone(&self, head: &Head) -> Caller {
        let open = Identify { auth: Auth::Open, ..self.identify.clone() };
        let caller = open.caller(head.arrival(&self.clock), Dialect::S3, String::new);
        let mut caller = caller.unwrap_or_else(|_| {
            let account = kit::AccountId::DEFAULT;
            Caller::internal(account, self.identify.region.clone(), self.clock.now())
        });
        if self.identify.auth == Auth::Enforce {
            caller.principal = anonymous(caller.account);
        }
        caller
    }
}

fn access_denied(sentence: String, protocol: Protocol, service: &Service) -> Fault {
    match protocol {
        _ if service.query_compatible => Fault::new("AccessDenied", sentence).with_status(403),
        Protocol::Query => Fault::new("AccessDenied", sentence).with_status(403),
        Protocol::RestJson => Fault::new("AccessDeniedException", sentence).with_status(403),
        Protocol::Json => Fault::new("AccessDeniedException", sentence).with_status(400),
    }
}

/// Reads the input of the operation and refuses what breaks the model's bounds.
fn decode(
    table: &Table,
    named: &Named,
    head: &Head,
    body: &Bytes,
) -> Result<Option<Box<dyn Prepared>>, Fault> {
    let service = table.service();
    let own = service.validation == Validation::Own;
    let mut violations = Violations::new(!own);
    let operation = &service.operations[named.operation];
    let shapes = service.shapes;
    let shape: &'static Shape = operation.input.map_or(&EMPTY, |it| &shapes[usize::from(it)]);
    let decoded = match (&named.form, named.protocol) {
        (Some(form), _) => {
            let mut reader = QueryReader::new(form, shapes, shape, &mut violations);
            table.decode(named.operation, &mut reader)
        }
        (None, Protocol::RestJson) => {
            let (labels, query) = (&named.labels, &head.query);
            let request = RestRequest { labels, query, headers: &head.parts.headers, body };
            let mut reader = RestReader { request, shapes, shape, violations: &mut violations };
            table.decode(named.operation, &mut reader)
        }
        (None, _) => {
            let text: &[u8] = if body.is_empty() { b"{}" } else { body };
            let mut reader = JsonReader::new(text, shapes, shape, &mut violations);
            let decoded = table.decode(named.operation, &mut reader);
            decoded.map(|it| it.and_then(|prepared| reader.end().map(|()| prepared)))
        }
    };
    let Some(decoded) = decoded else { return Ok(None) };
    let prepared = decoded.map_err(|malformed| malformed_fault(named.protocol, malformed.0))?;
    match (service.validation, violations.missing, violations.message()) {
        (Validation::Own, Some(name), _) => {
            let text = format!("The request must contain the parameter {name}.");
            Err(Fault::new("MissingParameter", text).with_status(400))
        }
        (Validation::Coral { code }, _, Some(message)) => {
            Err(Fault::new(code, message).with_status(400))
        }
        // An unknown member of an enumeration is refused in any case: there is no value for it.
        (Validation::Own, None, Some(message)) => {
            Err(Fault::new("InvalidParameterValue", message).with_status(400))
        }
        (_, _, None) => Ok(Some(prepared)),
    }
}

static EMPTY: Shape = Shape {
    name: "Unit",
    kind: crate::schema::Kind::Structure,
    min: None,
    max: None,
    pattern: None,
    regex: None,
    enums: &[],
    members: &[],
    error: None,
    sensitive: false,
    timestamp_format: "",
};

/// A service that is signed for but not here: named in a form that the client's protocol reads.
fn unknown_service(head: &Head, scope: &str) -> Response<Body> {
    let text = format!("lampejo does not implement the service {scope} yet.");
    let fault = Fault::new("NotImplemented", text).with_status(501);
    // The latter two speak REST with XML.
    if is_form(&head.parts) || matches!(scope, "cloudfront" | "route53") {
        return query_fault(&fault, &head.request_id);
    }
    json_fault(&fault, &head.request_id)
}

fn malformed_fault(protocol: Protocol, message: String) -> Fault {
    let code = match protocol {
        Protocol::Query => "MalformedInput",
        _ => "SerializationException",
    };
    Fault::new(code, message).with_status(400)
}

/// The protocol a request speaks.
fn protocol(service: &Service, parts: &Parts) -> Protocol {
    let has = |protocol| service.protocols.contains(&protocol);
    if parts.headers.contains_key("x-amz-target") && has(Protocol::Json) {
        return Protocol::Json;
    }
    if has(Protocol::RestJson) {
        return Protocol::RestJson;
    }
    if has(Protocol::Query) { Protocol::Query } else { Protocol::Json }
}

fn is_form(parts: &Parts) -> bool {
    parts.method == Method::POST && media_type(parts, "application/x-www-form-urlencoded")
}

/// Whether the body is of a type, whatever its parameters.
fn media_type(parts: &Parts, wanted: &str) -> bool {
    let given = parts.headers.get(http::header::CONTENT_TYPE).and_then(|it| it.to_str().ok());
    let given = given.unwrap_or_default().split(';').next().unwrap_or_default();
    given.trim().eq_ignore_ascii_case(wanted)
}

/// The whole body, refused beyond `limit` bytes.
/// The whole body. What it takes of its client's room is kept as long as the request's parts.
async fn collect(parts: &mut Parts, body: Incoming, limit: usize) -> Result<Bytes, Fault> {
    if let Some(room) = parts.extensions.get::<Room>().cloned() {
        let length = body.size_hint().exact().map_or(limit, |it| limit.min(it as usize));
        let taken = room.take(length).await;
        parts.extensions.insert(taken);
    }
    match Limited::new(body, limit).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            let text = format!("Request must be smaller than {limit} bytes");
            Err(Fault::new("RequestEntityTooLargeException", text).with_status(413))
        }
        Err(error) => {
            Err(Fault::new("IncompleteBody", format!("The body ended early: {error}"))
                .with_status(400))
        }
    }
}

/// A body must have the hash that its signed header names.
fn check_named_hash(parts: &Parts, body: &Bytes) -> Result<(), Fault> {
    let named = parts.headers.get("x-amz-content-sha256").and_then(|it| it.to_str().ok());
    match named {
        Some(named) if named.len() == 64 && named != hex::encode(Sha256::digest(body)) => {
            Err(Fault::new(
                "InvalidSignatureException",
                "The body does not have the hash that x-amz-content-sha256 names.",
            )
            .with_status(403))
        }
        _ => Ok(()),
    }
}

impl Form {
    /// SQS's query requests may name the queue by the path they are sent to.
    fn with_queue_url(self, service: &Service, parts: &Parts) -> Form {
        if service.name != "sqs" || parts.uri.path() == "/" {
            return self;
        }
        self.or("QueueUrl", parts.uri.path())
    }
}
