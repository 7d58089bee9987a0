//! Signature version 4: what a request claims, and whether the claim holds.
//!
//! Source: "AWS Signature Version 4 for API requests" (canonical request, string to sign, signing
//! key). S3's differences: the path is encoded once and not normalised, presigned bodies are
//! unsigned, clocks may differ by 15 minutes instead of 5.

use hmac::{Hmac, Mac};
use http::{HeaderMap, Method, request::Parts};
use kit::Millis;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use time::{PrimitiveDateTime, macros::format_description};

pub(crate) use self::signing_keys::SigningKeys;
use self::signing_keys::Use;
use crate::sigv2;

mod signing_keys;

/// Everything but `A-Za-z0-9-._~` is encoded.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// The same, with slashes left alone.
const PATH: &AsciiSet = &UNRESERVED.remove(b'/');

/// A canonical request is about so long, or it grows.
const CANONICAL_BYTES: usize = 1024;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// The longest life of a presigned URL: seven days.
const MAX_EXPIRES_SECONDS: u64 = 604_800;

/// What a request says about who signed it.
#[derive(Clone, PartialEq, Eq)]
pub struct Claim {
    /// Access key id.
    pub access_key: String,
    /// `20261123`.
    pub day: String,
    /// Region of the scope; empty where the scheme names none.
    pub region: String,
    /// Service of the scope.
    pub service: String,
    /// Session token, for temporary credentials.
    pub token: Option<String>,
    /// Names, with semicolons between them.
    signed_headers: String,
    signature: String,
    /// `20261123T191540Z`.
    moment: String,
    presigned: Option<Presigned>,
    /// Set when it is S3's older scheme: then only the access key and the token above count.
    version_2: Option<sigv2::Presigned>,
}

#[derive(Clone, PartialEq, Eq)]
struct Presigned {
    expires_seconds: u64,
}

/// What a client signs with.
pub struct Credentials {
    /// Access key id.
    pub access_key: String,
    /// Secret access key.
    pub secret: String,
    /// Session token, for temporary credentials.
    pub token: Option<String>,
}

impl Credentials {
    /// Adds the headers that sign a request. `host` must be among its headers.
    ///
    /// # Errors
    /// The credentials hold characters that headers cannot.
    pub fn sign(
        &self,
        parts: &mut Parts,
        (service, region): (&str, &str),
        body: &[u8],
        now: Millis,
    ) -> Result<(), http::header::InvalidHeaderValue> {
        let moment = basic(now);
        parts.headers.insert("x-amz-date", moment.parse()?);
        if let Some(token) = &self.token {
            parts.headers.insert("x-amz-security-token", token.parse()?);
        }
        let names = parts.headers.keys().filter(|name| must_be_signed(name.as_str()));
        let mut names: Vec<&str> = names.map(http::HeaderName::as_str).collect();
        names.sort_unstable();
        let names = names.join(";");
        let scope = Scope {
            access_key: self.access_key.clone(),
            day: moment[..8].to_owned(),
            region: region.to_owned(),
            service: service.to_owned(),
        };
        let claim = scope.claim(names.clone(), String::new(), moment, None, None);
        let query = crate::route::query_pairs(&parts.uri);
        let hash = hex::encode(Sha256::digest(body));
        let key = SigningKeys::default().key(claim.signed_with(&self.secret));
        let signature = claim.signature(key, parts, &query, &hash);
        let Claim { access_key, day, region, service, .. } = claim;
        let value = format!(
            "{ALGORITHM} Credential={access_key}/{day}/{region}/{service}/aws4_request, SignedHeaders={names}, Signature={signature}"
        );
        parts.headers.insert(http::header::AUTHORIZATION, value.parse()?);
        Ok(())
    }
}

/// Why a request's signature is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Parts of the signature are missing or malformed.
    #[error("{0}")]
    Incomplete(String),
    /// It was signed with another secret, or changed on the way.
    #[error("the signature does not match")]
    Mismatch,
    /// Headers that change what is asked for are not part of the signature: these.
    #[error("There were headers present in the request which were not signed")]
    Unsigned(String),
    /// The scope is of another day than the request. The text is AWS's.
    #[error("{0}")]
    OtherDay(String),
    /// The client's clock is off. The text is AWS's.
    #[error("{0}")]
    Skewed(String),
    /// A presigned URL after its end.
    #[error("Request has expired")]
    Expired {
        /// `X-Amz-Expires`; version 2 has none.
        expires_seconds: Option<u64>,
        /// When it ended.
        ended: Millis,
    },
}

impl Claim {
    /// Reads the claim out of the `Authorization` header or the query string.
    /// `None`: the request is not signed with version 4.
    ///
    /// # Errors
    /// It is, but parts are missing.
    pub fn of(parts: &Parts, query: &[(String, String)]) -> Result<Option<Claim>, Refusal> {
        if let Some(value) = parts.headers.get(http::header::AUTHORIZATION) {
            let Ok(text) = value.to_str() else { return Ok(None) };
            let Some(fields) = text.strip_prefix(ALGORITHM) else { return Ok(None) };
            return from_header(fields, &parts.headers).map(Some);
        }
        let signed =
            query.iter().any(|(name, value)| name == "X-Amz-Algorithm" && value == ALGORITHM);
        if signed { from_query(query).map(Some) } else { Ok(from_version_2(query)) }
    }

    /// Checks the signature and the time. `keys` keeps what is derived from secrets; `body_sha256` is the hash of the body where the request
    /// does not name one itself; version 2 signs the bucket that a host in `domains` names.
    ///
    /// # Errors
    /// What does not fit.
    pub(crate) fn verify(
        &self,
        (secret, keys): (&str, &SigningKeys),
        parts: &Parts,
        query: &[(String, String)],
        (body_sha256, domains): (&str, &[String]),
        now: Millis,
    ) -> Result<(), Refusal> {
        if let Some(version_2) = &self.version_2 {
            return version_2.verify(secret, parts, query, domains, now);
        }
        self.check_time(now)?;
        self.check_signed(parts)?;
        let key = keys.key(self.signed_with(secret));
        let wanted = self.signature(key, parts, query, body_sha256);
        let same: bool = wanted.as_bytes().ct_eq(self.signature.as_bytes()).into();
        if same { Ok(()) } else { Err(Refusal::Mismatch) }
    }

    fn signed_with<'a>(&'a self, secret: &'a str) -> Use<'a> {
        Use { secret, day: &self.day, region: &self.region, service: &self.service }
    }

    /// The signature that this claim should have.
    fn signature(
        &self,
        mut key: Hmac<Sha256>,
        parts: &Parts,
        query: &[(String, String)],
        body_sha256: &str,
    ) -> String {
        let canonical = self.canonical_request(parts, query, body_sha256);
        let hash = hex::encode(Sha256::digest(canonical));
        let Claim { day, region, service, moment, .. } = self;
        let scope = [ALGORITHM, "\n", moment, "\n", day, "/", region, "/", service];
        for piece in scope.into_iter().chain(["/aws4_request\n", &hash]) {
            key.update(piece.as_bytes());
        }
        hex::encode(key.finalize().into_bytes())
    }

    /// Whoever holds a signed request, such as a presigned URL, cannot add to it what would change its
    /// meaning: a source to copy from, another operation.
    fn check_signed(&self, parts: &Parts) -> Result<(), Refusal> {
        let signed = |name: &str| self.signed_headers.split(';').any(|it| it == name);
        let names = parts.headers.keys().map(http::HeaderName::as_str);
        let unsigned: Vec<&str> =
            names.filter(|name| must_be_signed(name) && !signed(name)).collect();
        if unsigned.is_empty() { Ok(()) } else { Err(Refusal::Unsigned(unsigned.join(", "))) }
    }

    fn check_time(&self, now: Millis) -> Result<(), Refusal> {
        let signed = parse_moment(&self.moment).ok_or_else(|| {
            Refusal::Incomplete(incomplete(
                "a valid X-Amz-Date",
                "Date must be in ISO-8601 'basic format'",
            ))
        })?;
        let day = &basic(signed)[..8];
        if self.day != day {
            // Keys are derived for one day, and are good for no other.
            return Err(Refusal::OtherDay(format!(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{}' != '{day}', from '{}'.",
                self.day, self.moment
            )));
        }
        let skew_minutes = if self.service == "s3" { 15 } else { 5 };
        let skew = skew_minutes * 60_000;
        if let Some(Presigned { expires_seconds }) = self.presigned {
            let ended = signed.plus_seconds(expires_seconds);
            if now > ended {
                return Err(Refusal::Expired { expires_seconds: Some(expires_seconds), ended });
            }
        } else if now.since(signed) > skew {
            let edge = Millis(now.0 - skew);
            let (signed, edge, now) = (basic(signed), basic(edge), basic(now));
            return Err(Refusal::Skewed(format!(
                "Signature expired: {signed} is now earlier than {edge} ({now} - {skew_minutes} min.)"
            )));
        }
        if signed.since(now) > skew {
            let edge = now.plus(skew);
            let (signed, edge, now) = (basic(signed), basic(edge), basic(now));
            return Err(Refusal::Skewed(format!(
                "Signature not yet current: {signed} is still later than {edge} ({now} + {skew_minutes} min.)"
            )));
        }
        Ok(())
    }

    fn canonical_request(
        &self,
        parts: &Parts,
        query: &[(String, String)],
        body_sha256: &str,
    ) -> String {
        let method = parts.method.as_str();
        let mut text = String::with_capacity(CANONICAL_BYTES);
        text.extend([method, "\n", &canonical_path(parts.uri.path(), self.service == "s3"), "\n"]);
        text.push_str(&canonical_query(query));
        text.push('\n');
        for name in self.signed_headers.split(';') {
            text.extend([name, ":"]);
            push_header(&mut text, parts, name);
            text.push('\n');
        }
        let payload =
            match parts.headers.get("x-amz-content-sha256").and_then(|it| it.to_str().ok()) {
                Some(hash) => hash,
                None if self.presigned.is_some() && self.service == "s3" => "UNSIGNED-PAYLOAD",
                None => body_sha256,
            };
        text.extend(["\n", &self.signed_headers, "\n", payload]);
        text
    }
}

/// Headers that a signature must cover. The body's hash is part of every signature anyway.
fn must_be_signed(name: &str) -> bool {
    name == "host" || (name.starts_with("x-amz-") && name != "x-amz-content-sha256")
}

fn from_header(fields: &str, headers: &HeaderMap) -> Result<Claim, Refusal> {
    let field = |name: &str| {
        fields
            .split(',')
            .filter_map(|field| field.trim().split_once('='))
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value.to_owned())
            .ok_or_else(|| {
                Refusal::Incomplete(incomplete(&format!("'{name}' parameter"), fields.trim()))
            })
    };
    let header = |name: &str| headers.get(name).and_then(|it| it.to_str().ok()).map(str::to_owned);
    let moment = header("x-amz-date").or_else(|| header("date")).ok_or_else(|| {
        Refusal::Incomplete(incomplete(
            "existence of either a 'X-Amz-Date' or a 'Date' header.",
            fields.trim(),
        ))
    })?;
    let scope = Scope::parse(&field("Credential")?)?;
    let signed_headers = field("SignedHeaders")?;
    let token = header("x-amz-security-token");
    Ok(scope.claim(signed_headers, field("Signature")?, moment, token, None))
}

fn from_version_2(query: &[(String, String)]) -> Option<Claim> {
    let (access_key, version_2) = sigv2::claim(query)?;
    let token = query.iter().find(|(name, _)| name.eq_ignore_ascii_case("x-amz-security-token"));
    let (day, region) = (String::new(), String::new());
    let scope = Scope { access_key, day, region, service: "s3".to_owned() };
    let token = token.map(|(_, token)| token.clone());
    let claim = scope.claim(String::new(), String::new(), String::new(), token, None);
    Some(Claim { version_2: Some(version_2), ..claim })
}

fn from_query(query: &[(String, String)]) -> Result<Claim, Refusal> {
    let field = |name: &str| {
        let found = query.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        found.ok_or_else(|| Refusal::Incomplete(incomplete(&format!("'{name}' parameter"), "")))
    };
    let expires = field("X-Amz-Expires").unwrap_or_else(|_| "900".to_owned());
    let expires_seconds = expires.parse().ok().filter(|it| *it <= MAX_EXPIRES_SECONDS).ok_or_else(|| {
        Refusal::Incomplete("X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds".to_owned())
    })?;
    let scope = Scope::parse(&field("X-Amz-Credential")?)?;
    let signed_headers = field("X-Amz-SignedHeaders")?;
    let (signature, moment) = (field("X-Amz-Signature")?, field("X-Amz-Date")?);
    let token = field("X-Amz-Security-Token").ok();
    Ok(scope.claim(signed_headers, signature, moment, token, Some(Presigned { expires_seconds })))
}

/// `KEY/20261123/us-east-1/sqs/aws4_request`.
struct Scope {
    access_key: String,
    day: String,
    region: String,
    service: String,
}

impl Scope {
    fn parse(text: &str) -> Result<Scope, Refusal> {
        // Access keys may hold slashes: the scope is the last four parts.
        let mut parts = text.rsplitn(5, '/');
        let mut next = || parts.next().map(str::to_owned);
        match (next(), next(), next(), next(), next()) {
            (Some(end), Some(service), Some(region), Some(day), Some(access_key))
                if end == "aws4_request" =>
            {
                Ok(Scope { access_key, day, region, service })
            }
            _ => Err(Refusal::Incomplete(format!(
                "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '{text}'"
            ))),
        }
    }

    fn claim(
        self,
        signed_headers: String,
        signature: String,
        moment: String,
        token: Option<String>,
        presigned: Option<Presigned>,
    ) -> Claim {
        let Scope { access_key, day, region, service } = self;
        Claim {
            access_key,
            day,
            region,
            service,
            token,
            signed_headers,
            signature,
            moment,
            presigned,
            version_2: None,
        }
    }
}

fn incomplete(what: &str, given: &str) -> String {
    format!("Authorization header requires {what} Authorization={given}")
}

fn encode(text: &str) -> String {
    utf8_percent_encode(text, UNRESERVED).to_string()
}

fn canonical_query(query: &[(String, String)]) -> String {
    let signed = query.iter().filter(|(name, _)| name != "X-Amz-Signature");
    let mut pairs: Vec<_> = signed.map(|(name, value)| (encode(name), encode(value))).collect();
    pairs.sort_unstable();
    let pairs: Vec<_> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join("&")
}

/// S3 encodes the path once; the others encode what is already encoded once more, without dots and
/// double slashes.
fn canonical_path(path: &str, s3: bool) -> String {
    if s3 {
        let decoded: Vec<u8> = percent_decode_str(path).collect();
        return percent_encoding::percent_encode(&decoded, PATH).to_string();
    }
    if path == "/" {
        return path.to_owned();
    }
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/').filter(|it| !it.is_empty() && *it != ".") {
        if segment == ".." {
            segments.pop();
        } else {
            segments.push(segment);
        }
    }
    let end = if path.ends_with('/') && !segments.is_empty() { "/" } else { "" };
    utf8_percent_encode(&format!("/{}{end}", segments.join("/")), PATH).to_string()
}

/// Adds a header's values: commas between them, and one space where there are several.
fn push_header(text: &mut String, parts: &Parts, name: &str) {
    let mut values = parts.headers.get_all(name).iter().peekable();
    if values.peek().is_none() {
        match (name, parts.uri.authority()) {
            // HTTP/1.0-style or absolute-form requests carry the host in the URI.
            ("host", Some(authority)) => text.push_str(authority.as_str()),
            // Clients sign a request body's announcement even where a proxy has taken it away.
            ("content-length", _) if parts.method != Method::GET => text.push('0'),
            _ => {}
        }
    }
    while let Some(value) = values.next() {
        let value = String::from_utf8_lossy(value.as_bytes());
        for (number, word) in value.split_whitespace().enumerate() {
            text.extend([if number == 0 { "" } else { " " }, word]);
        }
        if values.peek().is_some() {
            text.push(',');
        }
    }
}

fn parse_moment(text: &str) -> Option<Millis> {
    let format = format_description!("[year][month][day]T[hour][minute][second]Z");
    let date = PrimitiveDateTime::parse(text, format)
        .map(PrimitiveDateTime::assume_utc)
        .or_else(|_| {
            time::OffsetDateTime::parse(text, &time::format_description::well_known::Rfc2822)
        })
        .ok()?;
    u64::try_from(date.unix_timestamp()).ok().map(|seconds| Millis(seconds * 1000))
}

fn basic(moment: Millis) -> String {
    moment.iso8601_seconds().replace(['-', ':'], "")
}

#[cfg(test)]
mod tests;
