//! Versions, delete markers, object lock.

use std::time::Duration;

use crate::bench::Bench;

async fn with_versions() -> Bench {
    let bench = Bench::with_bucket().await;
    set_versioning(&bench, "Enabled").await;
    bench
}

async fn set_versioning(bench: &Bench, status: &str) {
    let body =
        format!("<VersioningConfiguration><Status>{status}</Status></VersioningConfiguration>");
    bench.put("/bucket?versioning", body).await.expect(200);
}

async fn put(bench: &Bench, body: &str) -> String {
    let put = bench.put("/bucket/key", body.to_owned()).await.expect(200);
    put.header("x-amz-version-id").to_owned()
}

#[tokio::test]
async fn a_deleted_key_comes_back_when_its_marker_goes() {
    let bench = with_versions().await;
    let (one, two) = (put(&bench, "one").await, put(&bench, "two").await);
    assert_ne!(one, two);
    assert_eq!(bench.get("/bucket/key").await.body, "two");
    assert_eq!(bench.get(&format!("/bucket/key?versionId={one}")).await.body, "one");
    let deleted = bench.delete("/bucket/key").await.expect(204);
    let marker = deleted.header("x-amz-version-id").to_owned();
    assert_eq!(deleted.header("x-amz-delete-marker"), "true");
    let missing = bench.get("/bucket/key").await.refused(404, "NoSuchKey");
    assert_eq!(missing.header("x-amz-delete-marker"), "true");
    assert_eq!(missing.header("x-amz-version-id"), marker);
    let refused = bench.get(&format!("/bucket/key?versionId={marker}")).await;
    assert_eq!(refused.refused(405, "MethodNotAllowed").header("allow"), "DELETE");
    assert!(bench.get("/bucket").await.elements("Key").is_empty());
    let bench = bench.reopen().await;
    bench.delete(&format!("/bucket/key?versionId={marker}")).await.expect(204);
    assert_eq!(bench.get("/bucket/key").await.body, "two");
    bench.delete(&format!("/bucket/key?versionId={two}")).await.expect(204);
    assert_eq!(bench.get("/bucket/key").await.body, "one");
    bench.delete("/bucket").await.refused(409, "BucketNotEmpty");
    bench.delete(&format!("/bucket/key?versionId={one}")).await.expect(204);
    bench.delete("/bucket").await.expect(204);
}

#[tokio::test]
async fn versions_are_listed_newest_first_in_pages() {
    let bench = with_versions().await;
    let (one, two) = (put(&bench, "one").await, put(&bench, "two").await);
    bench.delete("/bucket/key").await.expect(204);
    bench.put("/bucket/other", "x").await.expect(200);
    let all = bench.get("/bucket?versions").await.expect(200);
    assert_eq!(all.elements("Version").len(), 3);
    assert_eq!(all.elements("DeleteMarker").len(), 1);
    let latest: Vec<String> = all.elements("IsLatest");
    assert_eq!(latest.iter().filter(|latest| *latest == "true").count(), 2);
    let mut seen = Vec::new();
    let mut marker = String::new();
    loop {
        let page = bench.get(&format!("/bucket?versions&max-keys=1{marker}")).await.expect(200);
        let entry = format!("{}{}", page.element("Version"), page.element("DeleteMarker"));
        let id = page.element("VersionId");
        seen.push((id, entry.contains("<IsLatest>true</IsLatest>")));
        if page.element("IsTruncated") == "false" {
            break;
        }
        let (key, id) = (page.element("NextKeyMarker"), page.element("NextVersionIdMarker"));
        marker = format!("&key-marker={key}&version-id-marker={id}");
    }
    assert_eq!(seen.len(), 4);
    assert_eq!(seen.iter().map(|entry| entry.1).collect::<Vec<_>>(), [true, false, false, true]);
    assert_eq!((&seen[1].0, &seen[2].0), (&two, &one));
}

#[tokio::test]
async fn a_suspended_bucket_replaces_its_null_version() {
    let bench = Bench::with_bucket().await;
    bench.put("/bucket/key", "before").await.expect(200);
    set_versioning(&bench, "Enabled").await;
    let id = put(&bench, "kept").await;
    assert_eq!(bench.get("/bucket/key?versionId=null").await.body, "before");
    set_versioning(&bench, "Suspended").await;
    assert_eq!(put(&bench, "null").await, "null");
    assert_eq!(bench.get("/bucket/key?versionId=null").await.body, "null");
    assert_eq!(bench.get(&format!("/bucket/key?versionId={id}")).await.body, "kept");
    assert_eq!(bench.get("/bucket?versions").await.elements("VersionId").len(), 2);
    let deleted = bench.delete("/bucket/key").await.expect(204);
    assert_eq!(deleted.header("x-amz-version-id"), "null");
    bench.get("/bucket/key").await.refused(404, "NoSuchKey");
    bench.delete("/bucket/key?versionId=null").await.expect(204);
    assert_eq!(bench.get("/bucket/key").await.body, "kept");
    bench.get("/bucket/key?versionId=nonsense").await.refused(400, "InvalidArgument");
}

#[tokio::test]
async fn many_deletions_of_versions_agree_on_the_latest() {
    let bench = with_versions().await;
    let mut ids = Vec::new();
    for n in 0..8 {
        ids.push(put(&bench, &n.to_string()).await);
    }
    let uris: Vec<String> =
        ids[2..].iter().map(|id| format!("/bucket/key?versionId={id}")).collect();
    let deletions = uris.iter().map(|uri| bench.delete(uri));
    for answer in futures::future::join_all(deletions).await {
        answer.expect(204);
    }
    assert_eq!(bench.get("/bucket/key").await.body, "1");
    assert_eq!(bench.get("/bucket?versions").await.elements("VersionId").len(), 2);
}

#[tokio::test]
async fn a_locked_version_stays_until_its_time() {
    let bench = Bench::new().await;
    let lock = [("x-amz-bucket-object-lock-enabled", "true")];
    bench.send("PUT", "/bucket", &lock, "").await.expect(200);
    let rule = "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule>\
                <DefaultRetention><Mode>GOVERNANCE</Mode><Days>1</Days></DefaultRetention></Rule>\
                </ObjectLockConfiguration>";
    bench.put("/bucket?object-lock", rule).await.expect(200);
    let id = put(&bench, "x").await;
    let head = bench.send("HEAD", "/bucket/key", &[], "").await.expect(200);
    assert_eq!(head.header("x-amz-object-lock-mode"), "GOVERNANCE");
    let uri = format!("/bucket/key?versionId={id}");
    bench.delete(&uri).await.refused(403, "AccessDenied");
    bench.delete("/bucket/key").await.expect(204);
    bench.clock.advance(Duration::from_secs(24 * 60 * 60 + 1));
    bench.delete(&uri).await.expect(204);
    let held = put(&bench, "y").await;
    let hold = "<LegalHold><Status>ON</Status></LegalHold>";
    bench.put("/bucket/key?legal-hold", hold).await.expect(200);
    assert_eq!(bench.get("/bucket/key?legal-hold").await.element("Status"), "ON");
    let bypass = [("x-amz-bypass-governance-retention", "true")];
    let uri = format!("/bucket/key?versionId={held}");
    bench.send("DELETE", &uri, &bypass, "").await.refused(403, "AccessDenied");
    let off = "<LegalHold><Status>OFF</Status></LegalHold>";
    bench.put("/bucket/key?legal-hold", off).await.expect(200);
    bench.send("DELETE", &uri, &bypass, "").await.expect(204);
}
