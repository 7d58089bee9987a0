//! Bodies in chunks with trailers, signed hashes, upload forms.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::bench::Bench;

const CHUNKED: [(&str, &str); 4] = [
    ("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"),
    ("content-encoding", "aws-chunked"),
    ("x-amz-decoded-content-length", "5"),
    ("x-amz-trailer", "x-amz-checksum-crc32"),
];

#[tokio::test]
async fn a_trailing_checksum_is_verified_and_kept() {
    let bench = Bench::with_bucket().await;
    let body = "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n";
    let put = bench.send("PUT", "/bucket/key", &CHUNKED, body).await.expect(200);
    assert_eq!(put.header("x-amz-checksum-crc32"), "NhCmhg==");
    let get = bench.get("/bucket/key").await.expect(200);
    assert_eq!((get.body.as_ref(), get.header("content-encoding")), (&b"hello"[..], ""));
    let wrong = "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n";
    bench.send("PUT", "/bucket/new", &CHUNKED, wrong).await.refused(400, "BadDigest");
    let cut = "5\r\nhel";
    bench.send("PUT", "/bucket/new", &CHUNKED, cut).await.refused(400, "IncompleteBody");
    let without = "5\r\nhello\r\n0\r\n\r\n";
    bench.send("PUT", "/bucket/new", &CHUNKED, without).await.refused(400, "MalformedTrailerError");
    bench.get("/bucket/new").await.refused(404, "NoSuchKey");
}

#[tokio::test]
async fn large_bodies_that_fail_leave_no_bytes() {
    let bench = Bench::with_bucket().await;
    let hash = [(
        "x-amz-content-sha256",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    )];
    let refused = bench.send("PUT", "/bucket/key", &hash, vec![1; 100_000]).await;
    refused.refused(400, "XAmzContentSHA256Mismatch");
    let md5 = [("content-md5", "XUFAKrxLKna5cZ2REBfFkg==")];
    bench.send("PUT", "/bucket/key", &md5, vec![1; 100_000]).await.refused(400, "BadDigest");
    let absent = [("if-match", "\"x\"")];
    bench.send("PUT", "/bucket/key", &absent, vec![1; 100_000]).await.refused(404, "NoSuchKey");
    assert_eq!(bench.blob_count(), 0);
    bench.send("PUT", "/bucket/key", &hash, "").await.expect(200);
}

fn form(fields: &[(&str, &str)], file: &str) -> String {
    let field = |(name, value): &(&str, &str)| {
        format!("--xx\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let fields: String = fields.iter().map(field).collect();
    format!(
        "{fields}--xx\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f.txt\"\r\n\
         Content-Type: text/plain\r\n\r\n{file}\r\n--xx--\r\n"
    )
}

const FORM: [(&str, &str); 1] = [("content-type", "multipart/form-data; boundary=xx")];

#[tokio::test]
async fn a_form_uploads_its_file() {
    let bench = Bench::with_bucket().await;
    let fields =
        [("key", "in/${filename}"), ("x-amz-meta-a", "1"), ("success_action_status", "201")];
    let answer = bench.send("POST", "/bucket", &FORM, form(&fields, "hello")).await.expect(201);
    assert_eq!(answer.element("Key"), "in/f.txt");
    let get = bench.get("/bucket/in/f.txt").await.expect(200);
    assert_eq!((get.body.as_ref(), get.header("content-type")), (&b"hello"[..], "text/plain"));
    assert_eq!(get.header("x-amz-meta-a"), "1");
    let plain = form(&[("key", "k")], "x");
    bench.send("POST", "/bucket", &FORM, plain).await.expect(204);
    let redirect = [("key", "k k"), ("success_action_redirect", "http://example.com/done?a=b")];
    let answer = bench.send("POST", "/bucket", &FORM, form(&redirect, "x")).await.expect(303);
    assert!(
        answer
            .header("location")
            .starts_with("http://example.com/done?a=b&bucket=bucket&key=k%20k&etag=")
    );
    bench.send("POST", "/bucket", &FORM, form(&[], "x")).await.refused(400, "InvalidArgument");
}

#[tokio::test]
async fn a_policy_bounds_what_a_form_may_do() {
    let bench = Bench::with_bucket().await;
    let policy = |expiration: &str| {
        STANDARD.encode(format!(
            r#"{{"expiration": "{expiration}", "conditions": [{{"bucket": "bucket"}},
            ["starts-with", "$key", "in/"], ["content-length-range", 2, 4]]}}"#
        ))
    };
    let good = policy("2999-01-01T00:00:00Z");
    let send = |key: &'static str, policy: String, file: &'static str| {
        let bench = &bench;
        async move {
            let fields = [("key", key), ("policy", policy.as_str())];
            bench.send("POST", "/bucket", &FORM, form(&fields, file)).await
        }
    };
    send("in/a", good.clone(), "abc").await.expect(204);
    send("out/a", good.clone(), "abc").await.refused(403, "AccessDenied");
    send("in/b", good.clone(), "abcde").await.refused(400, "EntityTooLarge");
    send("in/b", good, "a").await.refused(400, "EntityTooSmall");
    send("in/b", policy("2020-01-01T00:00:00Z"), "abc").await.refused(403, "AccessDenied");
    bench.get("/bucket/in/b").await.refused(404, "NoSuchKey");
}

#[tokio::test]
async fn a_policy_is_about_the_bucket_that_is_written_to() {
    let bench = Bench::with_bucket().await;
    let policy = STANDARD.encode(
        r#"{"expiration": "2999-01-01T00:00:00Z",
        "conditions": [{"bucket": "mine"}, ["starts-with", "$key", ""]]}"#,
    );
    let fields = [("key", "k"), ("bucket", "mine"), ("policy", policy.as_str())];
    let answer = bench.send("POST", "/bucket", &FORM, form(&fields, "x")).await;
    answer.refused(403, "AccessDenied");
    bench.get("/bucket/k").await.refused(404, "NoSuchKey");
}

#[tokio::test]
async fn what_only_resembles_a_form_needs_a_signature() {
    let bench = Bench::closed_to_nobody().await;
    let kinds = ["multipart/form-datax", "multipart/form-data", "multipart/form-data; boundary=xx"];
    for kind in kinds {
        let headers = [("content-type", kind)];
        bench.send("POST", "/bucket/k?uploads", &headers, "").await.refused(403, "AccessDenied");
    }
    let headers = [("content-type", "multipart/form-datax")];
    let keys = "<Delete><Object><Key>k</Key></Object></Delete>";
    bench.send("POST", "/bucket?delete", &headers, keys).await.refused(403, "AccessDenied");
    let unsigned = form(&[("key", "k")], "x");
    bench.send("POST", "/bucket", &FORM, unsigned).await.refused(403, "AccessDenied");
}
