//! What requests say of S3's condition keys, and the permissions that they need beyond their
//! operation's own.
//!
//! Source: "Actions, resources, and condition keys for Amazon S3" of the service authorization
//! reference; "Required permissions for Amazon S3 API operations" of the S3 user guide.

use std::any::Any;

use http::{HeaderMap, Uri};
use kit::Millis;
use percent_encoding::percent_decode_str;
use s3s::dto;

use crate::tags;

type Pair = (String, Vec<String>);

const DAY_SECONDS: u64 = 24 * 3600;

/// Query parameters with keys of their own.
const PARAMETERS: [(&str, &str); 4] = [
    ("prefix", "s3:prefix"),
    ("delimiter", "s3:delimiter"),
    ("max-keys", "s3:max-keys"),
    ("versionId", "s3:VersionId"),
];
/// Headers whose keys are called as they are.
const HEADERS: [&str; 18] = [
    "if-match",
    "if-none-match",
    "x-amz-acl",
    "x-amz-bucket-namespace",
    "x-amz-content-sha256",
    "x-amz-copy-source",
    "x-amz-grant-full-control",
    "x-amz-grant-read",
    "x-amz-grant-read-acp",
    "x-amz-grant-write",
    "x-amz-grant-write-acp",
    "x-amz-metadata-directive",
    "x-amz-object-ownership",
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-server-side-encryption-customer-algorithm",
    "x-amz-storage-class",
    "x-amz-website-redirect-location",
];
const LOCK_MODE: &str = "s3:object-lock-mode";
const LOCK_UNTIL: &str = "s3:object-lock-retain-until-date";
const LOCK_DAYS: &str = "s3:object-lock-remaining-retention-days";
const LEGAL_HOLD: &str = "s3:object-lock-legal-hold";
/// Of an object that is there: `s3:ExistingObjectTag/…`, as policies are asked for it.
pub(crate) const EXISTING_TAG: &str = "s3:existingobjecttag/";

/// A request beside its bucket and key.
#[derive(Clone, Copy)]
pub(crate) struct Told<'a> {
    pub(crate) uri: &'a Uri,
    pub(crate) headers: &'a HeaderMap,
    /// What s3s has made of it.
    pub(crate) input: &'a dyn Any,
    pub(crate) now: Millis,
}

impl Told<'_> {
    /// The condition keys.
    pub(crate) fn keys(&self) -> Vec<Pair> {
        let query = query(self.uri);
        let parameters = query.iter().filter_map(|(name, value)| {
            let (_, key) = PARAMETERS.iter().find(|(parameter, _)| parameter == name)?;
            Some(pair(key, value))
        });
        let headers =
            HEADERS.iter().filter_map(|name| Some(pair(&format!("s3:{name}"), self.header(name)?)));
        let mut keys: Vec<Pair> = parameters.chain(headers).collect();
        keys.extend(self.signature(&query));
        keys.extend(self.lock());
        keys.extend(self.tags());
        if let Some(input) = self.input.downcast_ref::<dto::CreateBucketInput>() {
            let place = input.create_bucket_configuration.as_ref();
            let place = place.and_then(|it| it.location_constraint.as_ref());
            keys.extend(place.map(|it| pair("s3:locationconstraint", it.as_str())));
        }
        keys
    }

    /// Actions on the object, or the bucket, that the request needs permission for beside its own.
    pub(crate) fn also(&self, operation: &str) -> Vec<&'static str> {
        let writes = ["PutObject", "CopyObject", "CreateMultipartUpload", "PostObject"];
        let writes = writes.contains(&operation);
        // `DeleteObjects` asks for each of its keys.
        let one = ["DeleteObject", "PutObjectRetention"].contains(&operation);
        let creates = operation == "CreateBucket";
        let has = |name: &str| self.header(name).is_some();
        let bypasses =
            self.header("x-amz-bypass-governance-retention").is_some_and(|it| it == "true");
        let grants = has("x-amz-acl") || self.headers.keys().any(is_grant);
        let locks = has("x-amz-bucket-object-lock-enabled");
        let needs = [
            (writes && has("x-amz-tagging"), "s3:PutObjectTagging"),
            (writes && grants, "s3:PutObjectAcl"),
            (writes && has("x-amz-object-lock-mode"), "s3:PutObjectRetention"),
            (writes && has("x-amz-object-lock-legal-hold"), "s3:PutObjectLegalHold"),
            (creates && grants, "s3:PutBucketAcl"),
            (creates && has("x-amz-object-ownership"), "s3:PutBucketOwnershipControls"),
            (creates && locks, "s3:PutBucketObjectLockConfiguration"),
            (creates && locks, "s3:PutBucketVersioning"),
            (one && bypasses, "s3:BypassGovernanceRetention"),
        ];
        needs.into_iter().filter_map(|(needed, action)| needed.then_some(action)).collect()
    }

    /// How the request is signed.
    fn signature(&self, query: &[(String, String)]) -> Vec<Pair> {
        let parameter = |wanted: &str| query.iter().find(|(name, _)| name == wanted);
        let date = parameter("X-Amz-Date").and_then(|(_, date)| moment(date));
        let version = |four: bool| if four { "AWS4-HMAC-SHA256" } else { "AWS" };
        let presigned =
            ["X-Amz-Signature", "Signature"].iter().position(|it| parameter(it).is_some());
        let header = self.header("authorization");
        let mut keys = Vec::new();
        if let Some(at) = presigned {
            keys.push(pair("s3:authType", "REST-QUERY-STRING"));
            keys.push(pair("s3:signatureversion", version(at == 0)));
        } else if let Some(header) = header {
            keys.push(pair("s3:authType", "REST-HEADER"));
            keys.push(pair("s3:signatureversion", version(header.starts_with("AWS4-"))));
        }
        let signed = date.or_else(|| header.and_then(|_| moment(self.header("x-amz-date")?)));
        keys.extend(signed.map(|at| pair("s3:signatureAge", &self.now.since(at).to_string())));
        keys
    }

    /// What an object is to be locked to.
    fn lock(&self) -> Vec<Pair> {
        let retention = self.input.downcast_ref::<dto::PutObjectRetentionInput>();
        let retention = retention.and_then(|it| it.retention.as_ref());
        let hold = self.input.downcast_ref::<dto::PutObjectLegalHoldInput>();
        let hold = hold.and_then(|it| it.legal_hold.as_ref()?.status.as_ref());
        let given = |name: &str| self.header(name).map(str::to_owned);
        let mode = retention.and_then(|it| Some(it.mode.as_ref()?.as_str().to_owned()));
        let until = retention.and_then(|it| Some(text(it.retain_until_date.as_ref()?)));
        let mode = mode.or_else(|| given("x-amz-object-lock-mode"));
        let until = until.or_else(|| given("x-amz-object-lock-retain-until-date"));
        let hold = hold.map(|it| it.as_str().to_owned());
        let hold = hold.or_else(|| given("x-amz-object-lock-legal-hold"));
        let days = until.as_deref().and_then(moment).map(|until| {
            until.seconds().saturating_sub(self.now.seconds()).div_ceil(DAY_SECONDS).to_string()
        });
        let all = [(LOCK_MODE, mode), (LOCK_UNTIL, until), (LOCK_DAYS, days), (LEGAL_HOLD, hold)];
        all.into_iter().filter_map(|(key, value)| Some(pair(key, &value?))).collect()
    }

    /// Tags that an object is to have.
    fn tags(&self) -> Vec<Pair> {
        let of_object = match self.input.downcast_ref::<dto::PutObjectTaggingInput>() {
            Some(input) => listed(&input.tagging.tag_set),
            None => self
                .header("x-amz-tagging")
                .and_then(|text| tags::from_header(text).ok())
                .map(|tags| tags.into_iter().collect())
                .unwrap_or_default(),
        };
        let names: Vec<String> = of_object.iter().map(|(key, _)| key.clone()).collect();
        let names = (!names.is_empty()).then(|| ("s3:RequestObjectTagKeys".to_owned(), names));
        let each = of_object.iter();
        let each = each.map(|(key, value)| pair(&format!("s3:RequestObjectTag/{key}"), value));
        names.into_iter().chain(each).collect()
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// A query's parameters, decoded.
pub(crate) fn query(uri: &Uri) -> Vec<(String, String)> {
    let decode =
        |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    let pairs = uri.query().unwrap_or_default().split('&').filter(|it| !it.is_empty());
    let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs.map(|(name, value)| (decode(name), decode(value))).collect()
}

/// The tags that an object has.
pub(crate) fn existing(tags: &tags::Tags) -> Vec<Pair> {
    tags.iter().map(|(key, value)| pair(&format!("s3:ExistingObjectTag/{key}"), value)).collect()
}

fn listed(set: &dto::TagSet) -> Vec<(String, String)> {
    let one = |tag: &dto::Tag| Some((tag.key.clone()?, tag.value.clone().unwrap_or_default()));
    set.iter().filter_map(one).collect()
}

fn is_grant(name: &http::HeaderName) -> bool {
    name.as_str().starts_with("x-amz-grant-")
}

/// A moment in one of the two forms that requests use: `2026-11-24T01:53:00Z`, `20261124T015300Z`.
fn moment(text: &str) -> Option<Millis> {
    let part = |range: std::ops::Range<usize>| text.get(range);
    let full = match text.len() {
        16 => format!(
            "{}-{}-{}T{}:{}:{}Z",
            part(0..4)?,
            part(4..6)?,
            part(6..8)?,
            part(9..11)?,
            part(11..13)?,
            part(13..15)?
        ),
        _ => text.to_owned(),
    };
    let parsed = dto::Timestamp::parse(dto::TimestampFormat::DateTime, &full).ok()?;
    Some(crate::moment::millis(&parsed))
}

fn text(at: &dto::Timestamp) -> String {
    crate::moment::millis(at).iso8601_seconds()
}

fn pair(key: &str, value: &str) -> Pair {
    (key.to_owned(), vec![value.to_owned()])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(query: &str, headers: &[(&'static str, &str)], input: &dyn Any) -> Vec<String> {
        let uri: Uri = format!("/b/k{query}").parse().unwrap();
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        let now = moment("2026-11-24T02:00:00Z").unwrap();
        let told = Told { uri: &uri, headers: &map, input, now };
        told.keys().into_iter().map(|(key, values)| format!("{key}={}", values.join(","))).collect()
    }

    #[test]
    fn a_request_tells_its_parameters_headers_and_signature() {
        let signed = [("authorization", "AWS4-HMAC-SHA256 x"), ("x-amz-date", "20261124T015950Z")];
        assert_eq!(
            told("?prefix=a%2F&list-type=2", &signed, &()),
            [
                "s3:prefix=a/",
                "s3:authType=REST-HEADER",
                "s3:signatureversion=AWS4-HMAC-SHA256",
                "s3:signatureAge=10000"
            ]
        );
        assert_eq!(
            told("?X-Amz-Signature=x&X-Amz-Date=20261124T015959Z", &[], &()),
            [
                "s3:authType=REST-QUERY-STRING",
                "s3:signatureversion=AWS4-HMAC-SHA256",
                "s3:signatureAge=1000"
            ]
        );
    }

    #[test]
    fn a_request_tells_tags_and_locks_wherever_they_are() {
        let headers = [
            ("x-amz-tagging", "team=red&cost=1"),
            ("x-amz-object-lock-mode", "GOVERNANCE"),
            ("x-amz-object-lock-retain-until-date", "2026-11-26T02:00:00Z"),
        ];
        assert_eq!(
            told("", &headers, &()),
            [
                "s3:object-lock-mode=GOVERNANCE",
                "s3:object-lock-retain-until-date=2026-11-26T02:00:00Z",
                "s3:object-lock-remaining-retention-days=2",
                "s3:RequestObjectTagKeys=cost,team",
                "s3:RequestObjectTag/cost=1",
                "s3:RequestObjectTag/team=red"
            ]
        );
        let tag = dto::Tag { key: Some("team".to_owned()), value: Some("blue".to_owned()) };
        let input = dto::PutObjectTaggingInput::builder()
            .bucket("b".to_owned())
            .key("k".to_owned())
            .tagging(dto::Tagging { tag_set: vec![tag] })
            .build()
            .unwrap();
        let expected = ["s3:RequestObjectTagKeys=team", "s3:RequestObjectTag/team=blue"];
        assert_eq!(told("?tagging", &[], &input), expected);
    }

    #[test]
    fn what_a_write_sets_needs_its_own_permission() {
        let mut headers = HeaderMap::new();
        headers.insert("x-amz-acl", "public-read".parse().unwrap());
        headers.insert("x-amz-tagging", "a=b".parse().unwrap());
        let uri = Uri::from_static("/b/k");
        let told = Told { uri: &uri, headers: &headers, input: &(), now: Millis(0) };
        assert_eq!(told.also("PutObject"), ["s3:PutObjectTagging", "s3:PutObjectAcl"]);
        assert_eq!(told.also("CreateBucket"), ["s3:PutBucketAcl"]);
        assert_eq!(told.also("GetObject"), [""; 0]);
    }
}
