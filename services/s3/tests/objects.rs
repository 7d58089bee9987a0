//! Objects: put, get, head, copy, delete, list, tags.

use futures::future::join_all;

use crate::bench::Bench;

#[tokio::test]
async fn an_object_comes_back_as_it_was_put() {
    let bench = Bench::with_bucket().await;
    let headers = [
        ("content-type", "text/plain"),
        ("cache-control", "max-age=5"),
        ("content-disposition", "attachment"),
        ("content-language", "de"),
        ("expires", "Wed, 21 Oct 2026 07:28:00 GMT"),
        ("x-amz-meta-colour", "blue"),
        ("x-amz-storage-class", "STANDARD_IA"),
        ("x-amz-tagging", "a=1&b=2"),
    ];
    let put = bench.send("PUT", "/bucket/a%20b/%C3%BC+c", &headers, "hello").await.expect(200);
    assert_eq!(put.header("etag"), "\"5d41402abc4b2a76b9719d911017c592\"");
    assert_eq!(put.header("x-amz-server-side-encryption"), "AES256");
    assert_eq!(put.header("x-amz-checksum-crc64nvme"), "M3eFcAZSQlc=");
    assert_eq!(put.header("x-amz-checksum-type"), "FULL_OBJECT");
    let get = bench.get("/bucket/a%20b/%C3%BC+c").await.expect(200);
    assert_eq!(get.body, "hello");
    for (name, value) in &headers[..6] {
        assert_eq!(get.header(name), *value);
    }
    assert_eq!(get.header("x-amz-storage-class"), "STANDARD_IA");
    assert_eq!(get.header("x-amz-tagging-count"), "2");
    assert_eq!(get.header("content-length"), "5");
    assert_eq!(get.header("accept-ranges"), "bytes");
    assert_eq!(get.header("x-amz-version-id"), "");
    let head = bench.send("HEAD", "/bucket/a%20b/%C3%BC+c", &[], "").await.expect(200);
    assert_eq!(head.header("content-length"), "5");
    assert_eq!(head.header("last-modified"), get.header("last-modified"));
    let mode = [("x-amz-checksum-mode", "ENABLED")];
    let get = bench.send("GET", "/bucket/a%20b/%C3%BC+c", &mode, "").await.expect(200);
    assert_eq!(get.header("x-amz-checksum-crc64nvme"), "M3eFcAZSQlc=");
}

#[tokio::test]
async fn small_and_large_objects_survive_a_restart_and_leave_nothing() {
    let bench = Bench::with_bucket().await;
    let large: Vec<u8> = (0..3_000_000_u32).map(|n| (n * 7 % 251) as u8).collect();
    for (key, size) in
        [("empty", 0), ("inline", 16 << 10), ("blob", (16 << 10) + 1), ("large", large.len())]
    {
        bench.put(&format!("/bucket/{key}"), large[..size].to_vec()).await.expect(200);
    }
    assert_eq!(bench.blob_count(), 2);
    let bench = bench.reopen().await;
    for (key, size) in
        [("empty", 0), ("inline", 16 << 10), ("blob", (16 << 10) + 1), ("large", large.len())]
    {
        let get = bench.get(&format!("/bucket/{key}")).await.expect(200);
        assert_eq!(get.body, large[..size], "{key}");
    }
    bench.put("/bucket/large", large.clone()).await.expect(200);
    assert_eq!(bench.blob_count(), 2);
    bench.delete("/bucket/large").await.expect(204);
    bench.delete("/bucket/blob").await.expect(204);
    assert_eq!(bench.blob_count(), 0);
}

#[tokio::test]
async fn ranges_are_parts_of_the_bytes() {
    let bench = Bench::with_bucket().await;
    let large: Vec<u8> = (0..200_000_u32).map(|n| (n % 251) as u8).collect();
    bench.put("/bucket/key", large.clone()).await.expect(200);
    for (range, from, to) in [
        ("bytes=0-0", 0, 1),
        ("bytes=10-19", 10, 20),
        ("bytes=199990-", 199_990, 200_000),
        ("bytes=-7", 199_993, 200_000),
        ("bytes=199990-900000", 199_990, 200_000),
    ] {
        let get = bench.send("GET", "/bucket/key", &[("range", range)], "").await.expect(206);
        assert_eq!(get.body, large[from..to], "{range}");
        assert_eq!(get.header("content-range"), format!("bytes {from}-{}/200000", to - 1));
        let head = bench.send("HEAD", "/bucket/key", &[("range", range)], "").await.expect(206);
        assert_eq!(head.header("content-length"), (to - from).to_string());
    }
    let outside = [("range", "bytes=200000-")];
    let refused = bench.send("GET", "/bucket/key", &outside, "").await.refused(416, "InvalidRange");
    assert_eq!(refused.element("ActualObjectSize"), "200000");
    assert_eq!(refused.element("RangeRequested"), "bytes=200000-");
}

#[tokio::test]
async fn conditions_decide_reads_and_writes() {
    let bench = Bench::with_bucket().await;
    let put = bench.put("/bucket/key", "one").await.expect(200);
    let etag = put.header("etag").to_owned();
    let send = |method, name: &'static str, value: String| {
        let bench = &bench;
        async move { bench.send(method, "/bucket/key", &[(name, value.as_str())], "two").await }
    };
    let unchanged = send("GET", "if-none-match", etag.clone()).await.expect(304);
    assert_eq!((unchanged.header("etag"), unchanged.body.len()), (etag.as_str(), 0));
    send("HEAD", "if-none-match", etag.clone()).await.expect(304);
    let failed = send("GET", "if-match", "\"other\"".to_owned()).await;
    assert_eq!(failed.refused(412, "PreconditionFailed").element("Condition"), "If-Match");
    let past = "Wed, 21 Oct 2015 07:28:00 GMT".to_owned();
    send("GET", "if-unmodified-since", past.clone()).await.expect(412);
    send("GET", "if-modified-since", past).await.expect(200);
    send("PUT", "if-none-match", "*".to_owned()).await.refused(412, "PreconditionFailed");
    send("PUT", "if-match", "\"other\"".to_owned()).await.refused(412, "PreconditionFailed");
    send("PUT", "if-match", etag.trim_matches('"').to_owned()).await.expect(200);
    assert_eq!(bench.get("/bucket/key").await.body, "two");
    let absent = [("if-match", "\"x\"")];
    bench.send("PUT", "/bucket/none", &absent, "x").await.refused(404, "NoSuchKey");
}

#[tokio::test]
async fn of_many_who_create_a_key_one_wins() {
    let bench = Bench::with_bucket().await;
    let create = [("if-none-match", "*")];
    let puts = (0..20).map(|n| bench.send("PUT", "/bucket/key", &create, format!("{n}")));
    let statuses: Vec<u16> = join_all(puts).await.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    let puts = (0..20).map(|n| bench.put("/bucket/busy", format!("{n:030000}")));
    join_all(puts).await.into_iter().for_each(|answer| drop(answer.expect(200)));
    assert_eq!(bench.blob_count(), 1);
}

#[tokio::test]
async fn limits_are_named() {
    let bench = Bench::with_bucket().await;
    let long = format!("/bucket/{}", "k".repeat(1025));
    let refused = bench.put(&long, "x").await.refused(400, "KeyTooLongError");
    assert_eq!(
        (refused.element("Size"), refused.element("MaxSizeAllowed")),
        ("1025".into(), "1024".into())
    );
    let value = "v".repeat(2048);
    bench
        .send("PUT", "/bucket/k", &[("x-amz-meta-a", &value)], "x")
        .await
        .refused(400, "MetadataTooLarge");
    bench
        .send("PUT", "/bucket/k", &[("content-md5", "AAAA")], "x")
        .await
        .refused(400, "InvalidDigest");
    let wrong = [("content-md5", "XUFAKrxLKna5cZ2REBfFkg==")];
    let refused = bench.send("PUT", "/bucket/k", &wrong, "x").await.refused(400, "BadDigest");
    assert_eq!(refused.element("ExpectedDigest"), wrong[0].1);
    bench.send("PUT", "/bucket/k", &wrong, "hello").await.expect(200);
    let crc = [("x-amz-checksum-crc32", "AAAAAA==")];
    bench.send("PUT", "/bucket/k2", &crc, "x").await.refused(400, "BadDigest");
    bench.get("/bucket/k2").await.refused(404, "NoSuchKey");
    let class = [("x-amz-storage-class", "GOLD")];
    bench.send("PUT", "/bucket/k", &class, "x").await.refused(400, "InvalidStorageClass");
    let acl = [("x-amz-acl", "public-read")];
    bench.send("PUT", "/bucket/k", &acl, "x").await.refused(400, "AccessControlListNotSupported");
}

#[tokio::test]
async fn a_copy_takes_or_replaces_metadata() {
    let bench = Bench::with_bucket().await;
    let put = [("content-type", "text/plain"), ("x-amz-meta-a", "1"), ("x-amz-tagging", "t=1")];
    bench.send("PUT", "/bucket/from", &put, vec![7; 20_000]).await.expect(200);
    let source = ("x-amz-copy-source", "/bucket/from");
    let copied = bench.send("PUT", "/bucket/to", &[source], "").await.expect(200);
    assert!(
        copied.element("ETag").starts_with("&quot;") || copied.element("ETag").starts_with('"')
    );
    let to = bench.get("/bucket/to").await.expect(200);
    assert_eq!((to.header("x-amz-meta-a"), to.header("content-type")), ("1", "text/plain"));
    assert_eq!(to.header("x-amz-tagging-count"), "1");
    assert_eq!(to.body, vec![7; 20_000]);
    bench.send("PUT", "/bucket/from", &[source], "").await.refused(400, "InvalidRequest");
    let replace = [source, ("x-amz-metadata-directive", "REPLACE"), ("x-amz-meta-b", "2")];
    bench.send("PUT", "/bucket/from", &replace, "").await.expect(200);
    let from = bench.get("/bucket/from").await.expect(200);
    assert_eq!((from.header("x-amz-meta-a"), from.header("x-amz-meta-b")), ("", "2"));
    let conditional = [source, ("x-amz-copy-source-if-none-match", from.header("etag"))];
    bench.send("PUT", "/bucket/to", &conditional, "").await.refused(412, "PreconditionFailed");
    let missing = [("x-amz-copy-source", "/bucket/none")];
    bench.send("PUT", "/bucket/to", &missing, "").await.refused(404, "NoSuchKey");
    assert_eq!(bench.blob_count(), 2);
}

#[tokio::test]
async fn a_listing_folds_and_pages() {
    let bench = Bench::with_bucket().await;
    let keys = ["a/1", "a/2", "b", "c/1", "c/d/1", "c!", "ü", "z z"];
    for key in keys {
        let key = key.replace(' ', "%20").replace('ü', "%C3%BC");
        bench.put(&format!("/bucket/{key}"), "x").await.expect(200);
    }
    let all = bench.get("/bucket?list-type=2").await.expect(200);
    assert_eq!(all.elements("Key"), ["a/1", "a/2", "b", "c!", "c/1", "c/d/1", "z z", "ü"]);
    assert_eq!(all.element("KeyCount"), "8");
    let url = bench.get("/bucket?list-type=2&encoding-type=url&prefix=z").await.expect(200);
    assert_eq!(url.elements("Key"), ["z+z"]);
    let mut found = Vec::new();
    let mut token = String::new();
    loop {
        let uri = format!("/bucket?list-type=2&delimiter=/&max-keys=2{token}");
        let page = bench.get(&uri).await.expect(200);
        found.extend(page.elements("Key"));
        let prefixes = page.elements("CommonPrefixes");
        found.extend(
            prefixes.iter().map(|text| text.replace("<Prefix>", "").replace("</Prefix>", "")),
        );
        if page.element("IsTruncated") == "false" {
            break;
        }
        token = format!("&continuation-token={}", page.element("NextContinuationToken"));
    }
    found.sort();
    assert_eq!(found, ["a/", "b", "c!", "c/", "z z", "ü"]);
    let v1 = bench.get("/bucket?delimiter=/&max-keys=1").await.expect(200);
    assert_eq!(v1.element("NextMarker"), "a/");
    let v1 = bench.get("/bucket?delimiter=/&marker=a/").await.expect(200);
    assert_eq!(v1.elements("Key"), ["b", "c!", "z z", "ü"]);
    let inner = bench.get("/bucket?list-type=2&prefix=c/&delimiter=/").await.expect(200);
    assert_eq!(inner.elements("Key"), ["c/1"]);
    let after = bench.get("/bucket?list-type=2&start-after=c/1").await.expect(200);
    assert_eq!(after.elements("Key"), ["c/d/1", "z z", "ü"]);
    let none = bench.get("/bucket?list-type=2&max-keys=0").await.expect(200);
    assert_eq!(none.element("IsTruncated"), "false");
    bench.get("/bucket?list-type=2&max-keys=-1").await.refused(400, "InvalidArgument");
    bench.get("/bucket?list-type=2&encoding-type=x").await.refused(400, "InvalidArgument");
}

#[tokio::test]
async fn a_large_folder_is_one_seek() {
    let bench = Bench::with_bucket().await;
    let puts = (0..2500).map(|n| bench.send("PUT", leak(format!("/bucket/big/{n:05}")), &[], "x"));
    join_all(puts).await;
    bench.put("/bucket/last", "x").await.expect(200);
    let folded = bench.get("/bucket?list-type=2&delimiter=/").await.expect(200);
    assert_eq!(folded.elements("Key"), ["last"]);
    let page = bench.get("/bucket?list-type=2").await.expect(200);
    assert_eq!(page.elements("Key").len(), 1000);
    assert_eq!(page.element("IsTruncated"), "true");
}

fn leak(text: String) -> &'static str {
    text.leak()
}

#[tokio::test]
async fn many_keys_are_deleted_at_once() {
    let bench = Bench::with_bucket().await;
    for key in ["a", "b"] {
        bench.put(&format!("/bucket/{key}"), "x").await.expect(200);
    }
    let long = "k".repeat(1025);
    let body = format!(
        "<Delete><Object><Key>a</Key></Object><Object><Key>none</Key></Object>\
         <Object><Key>{long}</Key></Object></Delete>"
    );
    let answer = bench.send("POST", "/bucket?delete", &[], body).await.expect(200);
    assert_eq!(answer.elements("Deleted").len(), 2);
    assert_eq!(answer.element("Code"), "KeyTooLongError");
    let quiet = "<Delete><Quiet>true</Quiet><Object><Key>b</Key></Object></Delete>";
    let answer = bench.send("POST", "/bucket?delete", &[], quiet).await.expect(200);
    assert_eq!(answer.elements("Deleted").len(), 0);
    assert!(bench.get("/bucket").await.elements("Key").is_empty());
    let none = "<Delete></Delete>";
    bench.send("POST", "/bucket?delete", &[], none).await.refused(400, "MalformedXML");
}

#[tokio::test]
async fn tags_and_acls_are_amended_in_place() {
    let bench = Bench::with_bucket().await;
    bench.put("/bucket/key", "x").await.expect(200);
    let tags = "<Tagging><TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet></Tagging>";
    bench.put("/bucket/key?tagging", tags).await.expect(200);
    assert_eq!(bench.get("/bucket/key?tagging").await.element("Value"), "v");
    bench.delete("/bucket/key?tagging").await.expect(204);
    assert_eq!(bench.get("/bucket/key?tagging").await.elements("Tag").len(), 0);
    let acl = bench.get("/bucket/key?acl").await.expect(200);
    assert_eq!(acl.elements("Permission"), ["FULL_CONTROL"]);
    let public = [("x-amz-acl", "public-read")];
    let refused = bench.send("PUT", "/bucket/key?acl", &public, "").await;
    refused.refused(400, "AccessControlListNotSupported");
    assert_eq!(bench.get("/bucket/key").await.body, "x");
}

#[tokio::test]
async fn a_presigned_url_overrides_headers() {
    let bench = Bench::with_bucket().await;
    bench.put("/bucket/key", "x").await.expect(200);
    let uri = "/bucket/key?response-content-type=text%2Fcsv&response-content-disposition=inline\
               &X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=k%2F20260101%2Fus-east-1%2Fs3\
               %2Faws4_request&X-Amz-Date=20260101T000000Z&X-Amz-Expires=60\
               &X-Amz-SignedHeaders=host&X-Amz-Signature=00";
    let get = bench.get(uri).await.expect(200);
    assert_eq!(get.header("content-type"), "text/csv");
    assert_eq!(get.header("content-disposition"), "inline");
    let put = "/bucket/new?X-Amz-Signature=00&x-amz-meta-a=1&AWSAccessKeyId=x";
    bench.put(put, "y").await.expect(200);
    assert_eq!(bench.get("/bucket/new").await.header("x-amz-meta-a"), "1");
}

#[tokio::test]
async fn a_bucket_may_be_a_host() {
    let bench = Bench::with_bucket().await;
    let host = [("host", "bucket.s3.us-east-1.localhost:4566")];
    bench.send("PUT", "/key", &host, "x").await.expect(200);
    assert_eq!(bench.get("/bucket/key").await.body, "x");
    let list = bench.send("GET", "/?list-type=2", &host, "").await.expect(200);
    assert_eq!(list.elements("Key"), ["key"]);
}

#[tokio::test]
async fn attributes_tell_what_is_asked() {
    let bench = Bench::with_bucket().await;
    bench.put("/bucket/key", "hello").await.expect(200);
    let wanted = [("x-amz-object-attributes", "ETag,Checksum,ObjectSize,StorageClass")];
    let answer = bench.send("GET", "/bucket/key?attributes", &wanted, "").await.expect(200);
    assert_eq!(answer.element("ObjectSize"), "5");
    assert_eq!(answer.element("ChecksumCRC64NVME"), "M3eFcAZSQlc=");
    assert_eq!(answer.element("StorageClass"), "STANDARD");
}

#[tokio::test]
async fn bytes_that_no_row_names_are_removed_at_the_next_start() {
    let bench = Bench::with_bucket().await;
    for key in ["lost", "kept"] {
        bench.put(&format!("/bucket/{key}"), vec![1; 20_000]).await.expect(200);
    }
    let mut batch = store::Batch::new();
    batch.delete(store::Key::table("s3/object").text("bucket").text("lost"));
    bench.store.commit(batch).await.unwrap();
    assert_eq!(bench.blob_count(), 2);
    let bench = bench.reopen().await;
    assert_eq!(bench.blob_count(), 1);
    assert_eq!(bench.get("/bucket/kept").await.body, vec![1; 20_000]);
}

#[tokio::test]
async fn other_services_read_and_write_objects() {
    let bench = Bench::with_bucket().await;
    let objects = bench.bus.directory().objects().unwrap();
    objects.put(&bench.caller, "bucket", "key", "hello".into()).await.unwrap();
    let read = objects.get(&bench.caller, "bucket", "key", None, 5).await.unwrap();
    assert_eq!((read.bytes.as_ref(), read.version), (&b"hello"[..], None));
    let missing = objects.get(&bench.caller, "bucket", "none", None, 5).await.unwrap_err();
    assert_eq!(
        (missing.code.as_str(), missing.message.as_str()),
        ("NoSuchKey", "The specified key does not exist.")
    );
    let large = objects.get(&bench.caller, "bucket", "key", None, 4).await.unwrap_err();
    assert_eq!(large.code, "EntityTooLarge");
}
