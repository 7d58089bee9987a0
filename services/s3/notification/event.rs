//! The event record: "Event message structure" of the user guide, versions 2.1 and 2.3.

use kit::Caller;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;

use crate::bucket::{Bucket, canonical_id};

/// What S3 leaves as it is in keys of events; spaces become `+`.
const KEY: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'.').remove(b'-').remove(b'*').remove(b'_').remove(b'/');

/// The events that happen here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EventName {
    CreatedPut,
    CreatedPost,
    CreatedCopy,
    CreatedCompleteMultipartUpload,
    RemovedDelete,
    RemovedDeleteMarkerCreated,
    TaggingPut,
    TaggingDelete,
    AclPut,
}

impl EventName {
    /// As records have it; configurations put `s3:` in front.
    pub(crate) fn text(self) -> &'static str {
        match self {
            EventName::CreatedPut => "ObjectCreated:Put",
            EventName::CreatedPost => "ObjectCreated:Post",
            EventName::CreatedCopy => "ObjectCreated:Copy",
            EventName::CreatedCompleteMultipartUpload => "ObjectCreated:CompleteMultipartUpload",
            EventName::RemovedDelete => "ObjectRemoved:Delete",
            EventName::RemovedDeleteMarkerCreated => "ObjectRemoved:DeleteMarkerCreated",
            EventName::TaggingPut => "ObjectTagging:Put",
            EventName::TaggingDelete => "ObjectTagging:Delete",
            EventName::AclPut => "ObjectAcl:Put",
        }
    }

    /// Whether a configuration's event, such as `s3:ObjectCreated:*`, means this one.
    pub(crate) fn matches(self, pattern: &str) -> bool {
        let Some(pattern) = pattern.strip_prefix("s3:") else { return false };
        match pattern.strip_suffix('*') {
            Some(family) => self.text().starts_with(family),
            None => self.text() == pattern,
        }
    }

    fn version(self) -> &'static str {
        match self {
            EventName::TaggingPut | EventName::TaggingDelete | EventName::AclPut => "2.3",
            _ => "2.1",
        }
    }
}

/// What happened to which version.
#[derive(Clone, Debug)]
pub(crate) struct Event<'a> {
    pub(crate) name: EventName,
    pub(crate) key: &'a str,
    pub(crate) size: Option<u64>,
    pub(crate) etag: Option<&'a str>,
    pub(crate) version: Option<&'a str>,
    /// Rises over the events of a key.
    pub(crate) sequence: u64,
    /// The answer's `x-amz-id-2`.
    pub(crate) host_id: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Record<'a> {
    event_version: &'a str,
    event_source: &'a str,
    aws_region: &'a str,
    event_time: String,
    event_name: &'a str,
    user_identity: Identity,
    request_parameters: RequestParameters<'a>,
    response_elements: ResponseElements<'a>,
    s3: Subject<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Identity {
    principal_id: String,
}

#[derive(Serialize)]
struct RequestParameters<'a> {
    #[serde(rename = "sourceIPAddress")]
    source_ip_address: &'a str,
}

#[derive(Serialize)]
struct ResponseElements<'a> {
    #[serde(rename = "x-amz-request-id")]
    request_id: &'a str,
    #[serde(rename = "x-amz-id-2")]
    host_id: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Subject<'a> {
    s3_schema_version: &'a str,
    configuration_id: &'a str,
    bucket: SubjectBucket<'a>,
    object: SubjectObject<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SubjectBucket<'a> {
    name: &'a str,
    owner_identity: Identity,
    arn: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SubjectObject<'a> {
    key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    e_tag: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version_id: Option<&'a str>,
    sequencer: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Test<'a> {
    service: &'a str,
    event: &'a str,
    time: String,
    bucket: &'a str,
    request_id: &'a str,
    host_id: &'a str,
}

impl Event<'_> {
    /// The JSON document that a target gets for one configuration.
    pub(crate) fn payload(&self, bucket: &Bucket, caller: &Caller, configuration: &str) -> String {
        let record = Record {
            event_version: self.name.version(),
            event_source: "aws:s3",
            aws_region: bucket.row.region.as_str(),
            event_time: caller.now.iso8601(),
            event_name: self.name.text(),
            user_identity: Identity { principal_id: format!("AWS:{}", caller.principal.user_id) },
            request_parameters: RequestParameters { source_ip_address: &caller.source_ip },
            response_elements: ResponseElements {
                request_id: &caller.request_id,
                host_id: self.host_id,
            },
            s3: Subject {
                s3_schema_version: "1.0",
                configuration_id: configuration,
                bucket: SubjectBucket {
                    name: &bucket.row.name,
                    owner_identity: Identity { principal_id: owner_principal(bucket) },
                    arn: bucket.row.arn().to_string(),
                },
                object: SubjectObject {
                    key: encode_key(self.key),
                    size: self.size,
                    e_tag: self.etag,
                    version_id: self.version,
                    sequencer: format!("{:018X}", self.sequence),
                },
            },
        };
        let document = serde_json::json!({ "Records": [record] });
        document.to_string()
    }
}

/// What a target gets when a configuration names it.
pub(crate) fn test_payload(bucket: &Bucket, caller: &Caller) -> String {
    let test = Test {
        service: "Amazon S3",
        event: "s3:TestEvent",
        time: caller.now.iso8601(),
        bucket: &bucket.row.name,
        request_id: &caller.request_id,
        host_id: crate::http::HOST_ID,
    };
    serde_json::to_string(&test).expect("texts are JSON")
}

fn encode_key(key: &str) -> String {
    utf8_percent_encode(key, KEY).to_string().replace("%20", "+")
}

/// The short id that S3 gives a bucket's owner in events.
fn owner_principal(bucket: &Bucket) -> String {
    format!("A{}", canonical_id(bucket.row.account)[..13].to_uppercase())
}

#[cfg(test)]
mod tests {
    use kit::{AccountId, Millis, Region};
    use serde_json::Value;

    use super::*;
    use crate::bucket::BucketRow;

    #[test]
    fn a_record_has_the_documented_form() {
        let row = BucketRow::new("b", AccountId::DEFAULT, Region::default(), Millis(0));
        let bucket = Bucket::new(row, 1).unwrap();
        let now = Millis(1_700_000_000_123);
        let caller = Caller::internal(AccountId::DEFAULT, Region::default(), now);
        let event = Event {
            name: EventName::CreatedPut,
            key: "a b/ü+c.txt",
            size: Some(5),
            etag: Some("e"),
            version: None,
            sequence: 0xabc,
            host_id: "h",
        };
        let document: Value = serde_json::from_str(&event.payload(&bucket, &caller, "id")).unwrap();
        let record = &document["Records"][0];
        assert_eq!(record["eventVersion"], "2.1");
        assert_eq!(record["eventTime"], "2023-11-14T22:13:20.123Z");
        assert_eq!(record["eventName"], "ObjectCreated:Put");
        assert_eq!(record["s3"]["object"]["key"], "a+b/%C3%BC%2Bc.txt");
        assert_eq!(record["s3"]["object"]["sequencer"], "000000000000000ABC");
        assert_eq!(record["s3"]["object"]["eTag"], "e");
        assert_eq!(record["s3"]["object"].get("versionId"), None);
        assert_eq!(record["s3"]["bucket"]["arn"], "arn:aws:s3:::b");
        assert_eq!(record["responseElements"]["x-amz-id-2"], "h");
        assert_eq!(record["userIdentity"]["principalId"], "AWS:000000000000");
    }
}
