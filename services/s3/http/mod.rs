//! The way of a request: signatures off, body decoded, addresses unified, then `s3s` turns HTTP
//! into the typed calls of `operations`; afterwards errors, CORS and the headers of every answer.
//!
//! A request's signature is verified before it comes here; what only S3 has (chunks, forms) is
//! verified here when there are [`Secrets`]. `docs/decisions/001-s3-signatures.md` says why.
//!
//! Read next: `address`, `payload`, `post` (upload forms), `operations`, `answer`.

mod address;
mod answer;
mod form;
mod operations;
mod payload;
mod post;
mod signing;

use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, future};
use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri, header, request::Parts};
use http_body::Frame;
use http_body_util::{BodyStream, StreamBody};
use kit::{Authority, Caller, PrincipalKind};
use s3s::{StdError, service::S3Service};
use wire::ServiceError;

pub use s3s::Body;
pub use signing::Secrets;

pub(crate) use answer::HOST_ID;
pub(crate) use operations::Call;
pub(crate) use payload::Trailer;

use crate::{Error, S3, cors, guard::Guard, object};
use address::Address;
use answer::Failure;
use payload::Encoding;

/// What the server's configuration says about S3.
#[derive(Default)]
pub struct FrontSettings {
    /// Base domains under which buckets are virtual hosts: `BUCKET.s3.DOMAIN`.
    pub domains: Vec<String>,
    /// Set where signatures are enforced.
    pub secrets: Option<Arc<dyn Secrets>>,
    /// Set where policies are asked.
    pub authority: Option<Arc<dyn Authority>>,
}

/// S3 over HTTP.
pub struct Front {
    s3: Arc<S3>,
    service: S3Service,
    settings: FrontSettings,
}

/// Where a body of any kind comes from.
type Source = futures::stream::BoxStream<'static, Result<Bytes, StdError>>;

impl S3 {
    /// The front of this S3.
    pub fn http(self: &Arc<Self>, settings: FrontSettings) -> Front {
        Front { s3: self.clone(), service: operations::service(self.clone()), settings }
    }
}

impl Front {
    /// Answers a request that was routed to S3 and whose caller is known.
    pub async fn call<B>(&self, caller: Caller, request: Request<B>) -> Response<Body>
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        StdError: From<B::Error>,
    {
        let (mut parts, body) = request.into_parts();
        let host = host_of(&parts);
        let address = Address::parse(&host, parts.uri.path(), &self.settings.domains);
        let method = parts.method.clone();
        let origin = text(&parts.headers, "origin").map(str::to_owned);
        let failure = Failure::default();
        let request_id = caller.request_id.clone();
        let answered = if method == Method::OPTIONS {
            self.preflight(&address, &parts.headers)
        } else {
            parts.extensions.insert(failure.clone());
            parts.extensions.insert(caller);
            parts.extensions.insert(Guard(self.settings.authority.clone()));
            Box::pin(self.answer(&address, parts, body, &failure)).await
        };
        let mut response = match answered {
            Ok(response) => answer::explain(response, &failure, &address, &request_id).await,
            Err(error) => answer::refuse(&error.fault(), &address, &request_id),
        };
        answer::finish(&mut response, &method, &request_id);
        if let Some(origin) = origin.filter(|_| method != Method::OPTIONS) {
            self.allow_origin(&mut response, &address, &origin, method.as_str());
        }
        response
    }

    async fn answer<B>(
        &self,
        address: &Address,
        mut parts: Parts,
        body: B,
        failure: &Failure,
    ) -> Result<Response<Body>, Error>
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        StdError: From<B::Error>,
    {
        object::check_key(&address.key)?;
        parts.uri = clean_uri(&address.path, parts.uri.query(), &mut parts.headers)?;
        let encoding = Encoding::of(&parts.headers, self.settings.secrets.as_deref())?;
        if let Encoding::Chunked { trailer, .. } = &encoding {
            parts.extensions.insert(trailer.clone());
        }
        clean_headers(&mut parts.headers, &encoding);
        let is_form = post::is_form(&parts, address);
        // A form's policy says who sends it; else only a bucket's policy lets nobody in particular in.
        let caller = parts.extensions.get::<Caller>();
        let nobody = caller.is_none_or(|it| it.principal.kind == PrincipalKind::Anonymous);
        let unguarded = self.settings.secrets.is_some() && self.settings.authority.is_none();
        if unguarded && nobody && !is_form {
            return Err(Error::denied());
        }
        let body = if matches!(encoding, Encoding::Plain) && !is_form {
            if body.is_end_stream() { Body::empty() } else { Body::http_body_unsync(body) }
        } else {
            let source = payload::decode(source(body), encoding);
            if is_form {
                return self.post(address, parts, source, failure).await;
            }
            to_body(source, failure)
        };
        self.serve(Request::from_parts(parts, body)).await
    }

    async fn serve(&self, request: Request<Body>) -> Result<Response<Body>, Error> {
        let answered = self.service.call(request).await;
        answered.map_err(|error| Error::internal(&StdError::from(error)))
    }

    /// Answers a browser that asks before it sends.
    fn preflight(&self, address: &Address, headers: &HeaderMap) -> Result<Response<Body>, Error> {
        let header = |name| text(headers, name);
        let origin = header("origin").ok_or_else(|| Error::BadRequest {
            message: "Insufficient information. Origin request header needed.".to_owned(),
        })?;
        let method = header("access-control-request-method").ok_or_else(|| Error::BadRequest {
            message: "Invalid Access-Control-Request-Method: null".to_owned(),
        })?;
        let forbidden = |message: &str| Error::AccessForbidden {
            message: message.to_owned(),
            method: method.to_owned(),
        };
        let bucket = self.s3.buckets.find(&address.bucket, None)?;
        if bucket.cors.is_empty() {
            return Err(forbidden("CORSResponse: CORS is not enabled for this bucket."));
        }
        let headers = header("access-control-request-headers");
        let question = cors::Question { origin, method, headers };
        let allowed = cors::answer(&bucket.cors, question).ok_or_else(|| {
            forbidden(
                "CORSResponse: This CORS request is not allowed. This is usually because the \
                 evalution of Origin, request method / Access-Control-Request-Method or \
                 Access-Control-Request-Headers are not whitelisted by the resource's CORS spec.",
            )
        })?;
        let mut response = Response::new(Body::empty());
        answer::add_headers(response.headers_mut(), allowed);
        Ok(response)
    }

    fn allow_origin(
        &self,
        response: &mut Response<Body>,
        address: &Address,
        origin: &str,
        method: &str,
    ) {
        let Ok(bucket) = self.s3.buckets.find(&address.bucket, None) else { return };
        let question = cors::Question { origin, method, headers: None };
        if let Some(headers) = cors::answer(&bucket.cors, question) {
            answer::add_headers(response.headers_mut(), headers);
        }
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn host_of(parts: &Parts) -> String {
    let authority = || parts.uri.authority().map(|authority| authority.as_str());
    text(&parts.headers, "host").or_else(authority).unwrap_or_default().to_owned()
}

/// The data of a body as a stream.
fn source<B>(body: B) -> Source
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    StdError: From<B::Error>,
{
    let frames = BodyStream::new(Box::pin(body)).map_err(StdError::from);
    frames.try_filter_map(|frame| future::ok(frame.into_data().ok())).boxed()
}

/// A body for s3s. What our decoders refuse is noted, since s3s would call it an internal error.
fn to_body(source: Source, failure: &Failure) -> Body {
    let failure = failure.clone();
    let frames = source.map_ok(Frame::data).inspect_err(move |error| {
        if let Some(error) = error.downcast_ref::<Error>() {
            failure.note(error);
        }
    });
    Body::http_body_unsync(StreamBody::new(frames))
}

/// The path-style address without the parameters of a presigned URL: s3s would ask for secrets.
/// Headers that a presigned URL carries as parameters become headers.
fn clean_uri(path: &str, query: Option<&str>, headers: &mut HeaderMap) -> Result<Uri, Error> {
    const SIGNATURE: [&str; 9] = [
        "x-amz-algorithm",
        "x-amz-credential",
        "x-amz-date",
        "x-amz-expires",
        "x-amz-signedheaders",
        "x-amz-signature",
        "x-amz-security-token",
        "awsaccesskeyid",
        "signature",
    ];
    let query = query.unwrap_or_default();
    let is_v2 = query.contains("Signature=") && query.contains("AWSAccessKeyId=");
    let mut kept = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = name.to_ascii_lowercase();
        if SIGNATURE.contains(&name.as_str()) || (is_v2 && name == "expires") {
            continue;
        }
        if !name.starts_with("x-amz-") {
            kept.push(pair);
            continue;
        }
        let value = percent_encoding::percent_decode_str(value).decode_utf8_lossy().into_owned();
        let header = http::HeaderName::try_from(name.as_str()).ok();
        if let (Some(header), Ok(value)) = (header, HeaderValue::from_str(&value)) {
            headers.entry(header).or_insert(value);
        }
    }
    let uri = match kept.is_empty() {
        true => path.to_owned(),
        false => format!("{path}?{}", kept.join("&")),
    };
    uri.parse().map_err(|_| Error::request("Couldn't parse the specified URI."))
}

/// Headers as the client means them: without signature, with the length of the decoded body.
fn clean_headers(headers: &mut HeaderMap, encoding: &Encoding) {
    headers.remove(header::AUTHORIZATION);
    if let Encoding::Chunked { .. } = encoding {
        match headers.remove("x-amz-decoded-content-length") {
            Some(length) => headers.insert(header::CONTENT_LENGTH, length),
            None => headers.remove(header::CONTENT_LENGTH),
        };
    }
    let encodings = text(headers, "content-encoding").map(|encodings| {
        let kept =
            encodings.split(',').map(str::trim).filter(|encoding| *encoding != "aws-chunked");
        kept.collect::<Vec<_>>().join(",")
    });
    match encodings.map(|encodings| HeaderValue::from_str(&encodings)) {
        Some(Ok(encodings)) if !encodings.is_empty() => {
            headers.insert(header::CONTENT_ENCODING, encodings);
        }
        Some(_) => {
            headers.remove(header::CONTENT_ENCODING);
        }
        None => {}
    }
    // S3 takes ETags without quotes, too.
    for name in [
        "if-match",
        "if-none-match",
        "x-amz-copy-source-if-match",
        "x-amz-copy-source-if-none-match",
    ] {
        let bare = text(headers, name).filter(|value| *value != "*" && !value.contains('"'));
        if let Some(Ok(quoted)) = bare.map(|bare| HeaderValue::from_str(&format!("\"{bare}\""))) {
            headers.insert(name, quoted);
        }
    }
}
