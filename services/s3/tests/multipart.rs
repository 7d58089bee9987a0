//! Uploads in parts.

use http_body_util::BodyExt;

use crate::bench::Bench;

const MIN: usize = 5 << 20;

fn bytes(seed: usize, size: usize) -> Vec<u8> {
    (0..size).map(|n| ((n * 31 + seed) % 251) as u8).collect()
}

async fn begin(bench: &Bench, headers: &[(&str, &str)]) -> String {
    let begun = bench.send("POST", "/bucket/key?uploads", headers, "").await.expect(200);
    begun.element("UploadId")
}

async fn part(bench: &Bench, id: &str, number: usize, bytes: Vec<u8>) -> String {
    let uri = format!("/bucket/key?partNumber={number}&uploadId={id}");
    bench.put(&uri, bytes).await.expect(200).header("etag").to_owned()
}

fn list(parts: &[(usize, &str)]) -> String {
    let part = |(number, etag): &(usize, &str)| {
        format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>")
    };
    let parts: String = parts.iter().map(part).collect();
    format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>")
}

#[tokio::test]
async fn parts_become_one_object() {
    let bench = Bench::with_bucket().await;
    let id = begin(&bench, &[("content-type", "text/plain"), ("x-amz-meta-a", "1")]).await;
    let (one, two) = (bytes(1, MIN), bytes(2, 1000));
    let replaced = part(&bench, &id, 1, bytes(9, MIN)).await;
    let first = part(&bench, &id, 1, one.clone()).await;
    let second = part(&bench, &id, 3, two.clone()).await;
    part(&bench, &id, 7, bytes(3, 30_000)).await;
    let listed = bench.get(&format!("/bucket/key?uploadId={id}")).await.expect(200);
    assert_eq!(listed.elements("PartNumber"), ["1", "3", "7"]);
    assert_eq!(bench.get("/bucket?uploads").await.elements("UploadId"), [id.as_str()]);
    bench.get("/bucket/key").await.refused(404, "NoSuchKey");
    let uri = format!("/bucket/key?uploadId={id}");
    let complete = |parts: String| bench.send("POST", &uri, &[], parts);
    complete(list(&[(1, &replaced), (3, &second)])).await.refused(400, "InvalidPart");
    complete(list(&[(3, &second), (1, &first)])).await.refused(400, "InvalidPartOrder");
    let bench = bench.reopen().await;
    let done = bench.send("POST", &uri, &[], list(&[(1, &first), (3, &second)])).await.expect(200);
    assert!(done.element("ETag").contains("-2"), "{:?}", done.body);
    let get = bench.get("/bucket/key").await.expect(200);
    assert_eq!(get.body, [one.clone(), two.clone()].concat());
    assert_eq!((get.header("content-type"), get.header("x-amz-meta-a")), ("text/plain", "1"));
    // The last part is in a row, the one that was not listed is gone.
    assert_eq!(bench.blob_count(), 1);
    let range = format!("bytes={}-{}", MIN - 3, MIN + 3);
    let get = bench.send("GET", "/bucket/key", &[("range", &range)], "").await.expect(206);
    assert_eq!(get.body, [&one[MIN - 3..], &two[..4]].concat());
    let numbered = bench.get("/bucket/key?partNumber=2").await.expect(206);
    assert_eq!(numbered.body, two);
    assert_eq!(numbered.header("x-amz-mp-parts-count"), "2");
    bench.get("/bucket/key?partNumber=3").await.refused(416, "InvalidPartNumber");
    bench.send("POST", &uri, &[], list(&[(1, &first)])).await.refused(404, "NoSuchUpload");
    bench.delete("/bucket/key").await.expect(204);
    assert_eq!(bench.blob_count(), 0);
}

#[tokio::test]
async fn an_aborted_upload_leaves_nothing() {
    let bench = Bench::with_bucket().await;
    let id = begin(&bench, &[]).await;
    part(&bench, &id, 1, bytes(1, 40_000)).await;
    assert_eq!(bench.blob_count(), 1);
    let uri = format!("/bucket/key?uploadId={id}");
    bench.delete(&uri).await.expect(204);
    assert_eq!(bench.blob_count(), 0);
    bench.delete(&uri).await.refused(404, "NoSuchUpload");
    let uri = format!("/bucket/key?partNumber=1&uploadId={id}");
    bench.put(&uri, "x").await.refused(404, "NoSuchUpload");
    let id = begin(&bench, &[]).await;
    part(&bench, &id, 1, bytes(1, 40_000)).await;
    bench.delete("/bucket").await.expect(204);
    assert_eq!(bench.blob_count(), 0);
}

#[tokio::test]
async fn a_small_part_is_the_last() {
    let bench = Bench::with_bucket().await;
    let id = begin(&bench, &[]).await;
    let one = part(&bench, &id, 1, bytes(1, 10)).await;
    let two = part(&bench, &id, 2, bytes(1, 10)).await;
    let uri = format!("/bucket/key?uploadId={id}");
    let answer = bench.send("POST", &uri, &[], list(&[(1, &one), (2, &two)])).await;
    let refused = answer.refused(400, "EntityTooSmall");
    assert_eq!(refused.element("PartNumber"), "1");
    assert_eq!(refused.element("MinSizeAllowed"), MIN.to_string());
    let zero = format!("/bucket/key?partNumber=0&uploadId={id}");
    bench.put(&zero, "x").await.refused(400, "InvalidArgument");
    let both = format!("/bucket/key?uploadId={id}");
    let none = [("if-none-match", "*")];
    bench.put("/bucket/key", "here").await.expect(200);
    bench.send("POST", &both, &none, list(&[(2, &two)])).await.refused(412, "PreconditionFailed");
}

#[tokio::test]
async fn checksums_of_parts_make_one_of_the_whole() {
    let bench = Bench::with_bucket().await;
    let id = begin(
        &bench,
        &[("x-amz-checksum-algorithm", "CRC32"), ("x-amz-checksum-type", "FULL_OBJECT")],
    )
    .await;
    let (one, two) = (bytes(1, MIN), bytes(2, 1000));
    let first = part(&bench, &id, 1, one.clone()).await;
    let second = part(&bench, &id, 2, two.clone()).await;
    let uri = format!("/bucket/key?uploadId={id}");
    let done = bench.send("POST", &uri, &[], list(&[(1, &first), (2, &second)])).await.expect(200);
    let expected = done.element("ChecksumCRC32");
    assert_eq!(done.element("ChecksumType"), "FULL_OBJECT");
    let crc = [("x-amz-checksum-crc32", expected.as_str())];
    bench.send("PUT", "/bucket/same", &crc, [one, two].concat()).await.expect(200);
    let wanted = [("x-amz-object-attributes", "ObjectParts,Checksum")];
    let answer = bench.send("GET", "/bucket/key?attributes", &wanted, "").await.expect(200);
    assert_eq!(answer.elements("PartNumber"), ["1", "2"]);
    let id = begin(&bench, &[("x-amz-checksum-algorithm", "SHA256")]).await;
    let wrong = [("x-amz-checksum-crc32", expected.as_str())];
    let uri = format!("/bucket/key?partNumber=1&uploadId={id}");
    bench.send("PUT", &uri, &wrong, "x").await.refused(400, "InvalidRequest");
}

#[tokio::test]
async fn a_part_may_be_copied_out_of_an_object() {
    let bench = Bench::with_bucket().await;
    bench.put("/bucket/from", bytes(5, 100_000)).await.expect(200);
    let id = begin(&bench, &[]).await;
    let uri = format!("/bucket/key?partNumber=1&uploadId={id}");
    let source = ("x-amz-copy-source", "bucket/from");
    let copy = [source, ("x-amz-copy-source-range", "bytes=10-99")];
    let etag = bench.send("PUT", &uri, &copy, "").await.expect(200).element("ETag");
    let bad = [source, ("x-amz-copy-source-range", "bytes=10-100000")];
    bench.send("PUT", &uri, &bad, "").await.refused(400, "InvalidArgument");
    let uri = format!("/bucket/key?uploadId={id}");
    bench.send("POST", &uri, &[], list(&[(1, &etag)])).await.expect(200);
    assert_eq!(bench.get("/bucket/key").await.body, bytes(5, 100_000)[10..100]);
}

#[tokio::test]
async fn uploads_are_listed_in_pages() {
    let bench = Bench::with_bucket().await;
    for key in ["a/1", "a/2", "b", "b"] {
        bench.send("POST", &format!("/bucket/{key}?uploads"), &[], "").await.expect(200);
    }
    let folded = bench.get("/bucket?uploads&delimiter=/").await.expect(200);
    assert_eq!(folded.elements("Key"), ["b", "b"]);
    assert_eq!(folded.elements("CommonPrefixes").len(), 1);
    let mut seen = Vec::new();
    let mut marker = String::new();
    loop {
        let page = bench.get(&format!("/bucket?uploads&max-uploads=1{marker}")).await.expect(200);
        seen.push(page.element("Key"));
        if page.element("IsTruncated") == "false" {
            break;
        }
        let (key, id) = (page.element("NextKeyMarker"), page.element("NextUploadIdMarker"));
        marker = format!("&key-marker={key}&upload-id-marker={id}");
    }
    assert_eq!(seen, ["a/1", "a/2", "b", "b"]);
}

#[tokio::test]
async fn a_reader_gets_all_parts_of_an_object_that_is_deleted_meanwhile() {
    let bench = Bench::with_bucket().await;
    let id = begin(&bench, &[]).await;
    let first = part(&bench, &id, 1, bytes(1, MIN)).await;
    let second = part(&bench, &id, 2, bytes(2, 40_000)).await;
    let uri = format!("/bucket/key?uploadId={id}");
    bench.send("POST", &uri, &[], list(&[(1, &first), (2, &second)])).await.expect(200);
    let reading = bench.ask("GET", "/bucket/key", &[], "").await;
    bench.delete("/bucket/key").await.expect(204);
    assert_eq!(bench.blob_count(), 2);
    let read = reading.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(read, [bytes(1, MIN), bytes(2, 40_000)].concat());
    assert_eq!(bench.blob_count(), 0);
}
