//! Our checks against signatures of AWS's own crate.

use std::time::{Duration, UNIX_EPOCH};

use aws_credential_types::Credentials as AwsCredentials;
use aws_sigv4::{
    http_request::{
        PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation, SigningSettings,
        UriPathNormalizationMode, sign,
    },
    sign::v4,
};
use http::Request;

use super::*;
use crate::route::query_pairs;

const NOW: Millis = Millis(1_700_000_000_000);
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

/// A request signed by AWS's own crate at [`NOW`].
fn signed(service: &str, method: &str, uri: &str, body: &[u8], presign: bool) -> Parts {
    let identity = AwsCredentials::new("AKID", SECRET, None, None, "test").into();
    let mut settings = SigningSettings::default();
    if service == "s3" {
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    }
    if presign {
        settings.signature_location = SignatureLocation::QueryParams;
        settings.expires_in = Some(Duration::from_secs(60));
    }
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region("eu-west-1")
        .name(service)
        .time(UNIX_EPOCH + Duration::from_millis(NOW.0))
        .settings(settings)
        .build()
        .unwrap()
        .into();
    let url = format!("http://127.0.0.1:4566{uri}");
    let headers = [("host", "127.0.0.1:4566"), ("x-extra", "  two   words ")];
    let body_to_sign =
        if presign { SignableBody::UnsignedPayload } else { SignableBody::Bytes(body) };
    let to_sign = SignableRequest::new(method, &url, headers.into_iter(), body_to_sign).unwrap();
    let (instructions, _) = sign(to_sign, &params).unwrap().into_parts();
    let mut request = Request::builder().method(method).uri(&url);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let mut request = request.body(()).unwrap();
    instructions.apply_to_request_http1x(&mut request);
    // A server sees the origin form.
    let target = request.uri().path_and_query().unwrap().as_str().parse().unwrap();
    *request.uri_mut() = target;
    request.into_parts().0
}

fn check(parts: &Parts, body: &[u8], secret: &str, now: Millis) -> Result<(), Refusal> {
    let query = query_pairs(&parts.uri);
    let claim = Claim::of(parts, &query)?.unwrap();
    assert_eq!((claim.access_key.as_str(), claim.region.as_str()), ("AKID", "eu-west-1"));
    claim.verify(
        (secret, &SigningKeys::default()),
        parts,
        &query,
        (&hex::encode(Sha256::digest(body)), &[]),
        now,
    )
}

#[test]
fn signatures_of_awss_own_signer_are_accepted() {
    for (service, method, uri, body) in [
        ("sqs", "POST", "/", &b"{}"[..]),
        ("lambda", "GET", "/2015-03-31/functions/a%3Ab%2Fc?Marker=a%20b&X=%2B", b""),
        ("s3", "PUT", "/bucket/a%20b/c%2Bd/%C3%A4", b"bytes"),
        ("s3", "GET", "/bucket?list-type=2&prefix=a%2Fb&delimiter", b""),
    ] {
        let parts = signed(service, method, uri, body, false);
        assert_eq!(check(&parts, body, SECRET, NOW), Ok(()), "{service} {uri}");
        assert_eq!(check(&parts, body, "other", NOW), Err(Refusal::Mismatch), "{uri}");
    }
}

#[test]
fn a_changed_request_is_refused() {
    let body = b"{}";
    let mut parts = signed("sqs", "POST", "/", body, false);
    assert_eq!(check(&parts, b"{ }", SECRET, NOW), Err(Refusal::Mismatch));
    parts.headers.insert("x-extra", "three".parse().unwrap());
    assert_eq!(check(&parts, body, SECRET, NOW), Err(Refusal::Mismatch));
}

#[test]
fn presigned_urls_hold_until_they_end() {
    let parts = signed("s3", "GET", "/bucket/key?versionId=7", b"", true);
    assert_eq!(check(&parts, b"", SECRET, NOW.plus_seconds(60)), Ok(()));
    assert!(matches!(
        check(&parts, b"", SECRET, NOW.plus_seconds(61)),
        Err(Refusal::Expired { expires_seconds: Some(60), .. })
    ));
    assert_eq!(check(&parts, b"", "other", NOW), Err(Refusal::Mismatch));
}

#[test]
fn a_clock_may_differ_by_five_minutes_and_by_fifteen_for_s3() {
    for (service, minutes) in [("sqs", 5), ("s3", 15)] {
        let parts = signed(service, "POST", "/", b"", false);
        let edge = NOW.plus_seconds(minutes * 60);
        assert_eq!(check(&parts, b"", SECRET, edge), Ok(()));
        assert!(matches!(check(&parts, b"", SECRET, edge.plus(1)), Err(Refusal::Skewed(_))));
        let early = Millis(NOW.0 - minutes * 60_000 - 1);
        assert!(matches!(check(&parts, b"", SECRET, early), Err(Refusal::Skewed(_))));
    }
}

#[test]
fn the_text_of_a_late_signature_is_awss() {
    let parts = signed("sqs", "POST", "/", b"", false);
    let late = check(&parts, b"", SECRET, NOW.plus_seconds(600)).unwrap_err();
    assert_eq!(
        late.to_string(),
        "Signature expired: 20231114T221320Z is now earlier than 20231114T221820Z (20231114T222320Z - 5 min.)"
    );
}

#[test]
fn what_our_own_commands_sign_is_accepted() {
    let request = Request::builder().method("POST").uri("/a%20b?x=1").header("host", "h:1");
    let request = request.header("x-amz-target", "T.O");
    let (mut parts, ()) = request.body(()).unwrap().into_parts();
    let credentials = Credentials {
        access_key: "AKID".to_owned(),
        secret: SECRET.to_owned(),
        token: Some("token".to_owned()),
    };
    credentials.sign(&mut parts, ("lambda", "eu-west-1"), b"body", NOW).unwrap();
    assert_eq!(check(&parts, b"body", SECRET, NOW), Ok(()));
}

#[test]
fn a_header_that_changes_the_meaning_must_be_signed() {
    for presign in [true, false] {
        let mut parts = signed("s3", "PUT", "/bucket/key", b"", presign);
        parts.headers.insert("content-type", "text/plain".parse().unwrap());
        assert_eq!(check(&parts, b"", SECRET, NOW), Ok(()));
        parts.headers.insert("x-amz-copy-source", "/bucket/secret".parse().unwrap());
        let unsigned = Refusal::Unsigned("x-amz-copy-source".to_owned());
        assert_eq!(check(&parts, b"", SECRET, NOW), Err(unsigned));
    }
}

#[test]
fn a_key_of_one_day_signs_for_that_day_only() {
    let mut parts = signed("sqs", "POST", "/", b"", false);
    let text = parts.headers["authorization"].to_str().unwrap().replace("20231114", "20231113");
    parts.headers.insert("authorization", text.parse().unwrap());
    assert!(matches!(check(&parts, b"", SECRET, NOW), Err(Refusal::OtherDay(_))));
}

#[test]
fn malformed_claims_are_refused_and_other_schemes_ignored() {
    let parts = |authorization: &str| {
        let request = Request::builder().uri("/").header("authorization", authorization);
        request.header("x-amz-date", "20231114T221320Z").body(()).unwrap().into_parts().0
    };
    for text in [
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 Credential=a/b",
        "AWS4-HMAC-SHA256 Credential=a/b/c/d/e, SignedHeaders=host",
    ] {
        assert!(matches!(Claim::of(&parts(text), &[]), Err(Refusal::Incomplete(_))), "{text}");
    }
    assert!(Claim::of(&parts("Basic abc"), &[]).unwrap().is_none());
}
