//! Buckets and their configurations.

use kit::AccountId;

use crate::bench::Bench;

#[tokio::test]
async fn names_are_global_and_owned() {
    let mut bench = Bench::with_bucket().await;
    bench.put("/bucket", "").await.expect(200);
    bench.caller.region = "eu-west-1".parse().unwrap();
    let ireland = "<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint>\
                   </CreateBucketConfiguration>";
    let again = bench.put("/bucket", ireland).await.refused(409, "BucketAlreadyOwnedByYou");
    assert_eq!(again.element("BucketName"), "bucket");
    bench.put("/ireland", "").await.refused(400, "IllegalLocationConstraintException");
    bench.put("/ireland", ireland).await.expect(200);
    let location = bench.get("/ireland?location").await.expect(200);
    assert!(String::from_utf8_lossy(&location.body).contains(">eu-west-1</LocationConstraint>"));
    let head = bench.send("HEAD", "/ireland", &[], "").await.expect(200);
    assert_eq!(head.header("x-amz-bucket-region"), "eu-west-1");
    bench.caller.account = "111111111111".parse::<AccountId>().unwrap();
    bench.put("/bucket", ireland).await.refused(409, "BucketAlreadyExists");
    assert!(bench.get("/").await.expect(200).elements("Name").is_empty());
    bench.put("/Not_A_Name", "").await.refused(400, "InvalidBucketName");
}

#[tokio::test]
async fn a_bucket_is_deleted_when_it_is_empty_and_survives_a_restart() {
    let bench = Bench::with_bucket().await;
    bench.put("/bucket/key", "x").await.expect(200);
    let bench = bench.reopen().await;
    bench.delete("/bucket").await.refused(409, "BucketNotEmpty");
    bench.delete("/bucket/key").await.expect(204);
    bench.delete("/bucket").await.expect(204);
    let missing = bench.get("/bucket").await.refused(404, "NoSuchBucket");
    assert_eq!(missing.element("BucketName"), "bucket");
    assert!(!missing.element("HostId").is_empty());
    assert_eq!(missing.element("RequestId"), missing.header("x-amz-request-id"));
    bench.put("/bucket", "").await.expect(200);
    bench.get("/bucket/key").await.refused(404, "NoSuchKey");
}

#[tokio::test]
async fn buckets_are_listed_in_pages() {
    let bench = Bench::new().await;
    for name in ["aaa", "bbb-1", "bbb-2", "ccc"] {
        bench.put(&format!("/{name}"), "").await.expect(200);
    }
    assert_eq!(bench.get("/").await.elements("Name"), ["aaa", "bbb-1", "bbb-2", "ccc"]);
    let page = bench.get("/?max-buckets=1&prefix=bbb").await.expect(200);
    assert_eq!(page.elements("Name"), ["bbb-1"]);
    let token = page.element("ContinuationToken");
    let rest = bench.get(&format!("/?prefix=bbb&continuation-token={token}")).await.expect(200);
    assert_eq!(rest.elements("Name"), ["bbb-2"]);
    assert_eq!(rest.elements("ContinuationToken").len(), 0);
}

#[tokio::test]
async fn what_is_not_configured_says_so() {
    let bench = Bench::with_bucket().await;
    for (name, code) in [
        ("cors", "NoSuchCORSConfiguration"),
        ("lifecycle", "NoSuchLifecycleConfiguration"),
        ("policy", "NoSuchBucketPolicy"),
        ("policyStatus", "NoSuchBucketPolicy"),
        ("replication", "ReplicationConfigurationNotFoundError"),
        ("tagging", "NoSuchTagSet"),
        ("website", "NoSuchWebsiteConfiguration"),
        ("object-lock", "ObjectLockConfigurationNotFoundError"),
        ("analytics&id=1", "NoSuchConfiguration"),
        ("inventory&id=1", "NoSuchConfiguration"),
        ("metrics&id=1", "NoSuchConfiguration"),
        ("intelligent-tiering&id=1", "NoSuchConfiguration"),
    ] {
        bench.get(&format!("/bucket?{name}")).await.refused(404, code);
    }
    let encryption = bench.get("/bucket?encryption").await.expect(200);
    assert_eq!(encryption.element("SSEAlgorithm"), "AES256");
    let block = bench.get("/bucket?publicAccessBlock").await.expect(200);
    assert_eq!(block.element("BlockPublicPolicy"), "true");
    let ownership = bench.get("/bucket?ownershipControls").await.expect(200);
    assert_eq!(ownership.element("ObjectOwnership"), "BucketOwnerEnforced");
    assert_eq!(bench.get("/bucket?requestPayment").await.element("Payer"), "BucketOwner");
    for empty in ["versioning", "logging", "accelerate", "notification"] {
        bench.get(&format!("/bucket?{empty}")).await.expect(200);
    }
}

#[tokio::test]
async fn configurations_survive_a_restart() {
    let bench = Bench::with_bucket().await;
    let lifecycle = "<LifecycleConfiguration><Rule><Status>Enabled</Status><Filter><Prefix>a/\
                     </Prefix></Filter><Expiration><Days>3</Days></Expiration></Rule>\
                     </LifecycleConfiguration>";
    bench.put("/bucket?lifecycle", lifecycle).await.expect(200);
    let tags = "<Tagging><TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet></Tagging>";
    bench.put("/bucket?tagging", tags).await.expect(200);
    let metrics = "<MetricsConfiguration><Id>all</Id></MetricsConfiguration>";
    bench.put("/bucket?metrics&id=all", metrics).await.expect(200);
    let bench = bench.reopen().await;
    let found = bench.get("/bucket?lifecycle").await.expect(200);
    assert_eq!((found.element("Days").as_str(), found.element("Prefix").as_str()), ("3", "a/"));
    assert_eq!(found.elements("ID").len(), 1);
    assert_eq!(bench.get("/bucket?tagging").await.element("Value"), "v");
    assert_eq!(bench.get("/bucket?metrics").await.elements("Id"), ["all"]);
    bench.delete("/bucket?lifecycle").await.expect(204);
    bench.get("/bucket?lifecycle").await.refused(404, "NoSuchLifecycleConfiguration");
}

#[tokio::test]
async fn a_public_policy_is_blocked_by_default() {
    let bench = Bench::with_bucket().await;
    let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*",
        "Action":"s3:GetObject","Resource":"arn:aws:s3:::bucket/*"}]}"#;
    bench.put("/bucket?policy", policy).await.refused(403, "AccessDenied");
    bench.delete("/bucket?publicAccessBlock").await.expect(204);
    bench.put("/bucket?policy", policy).await.expect(204);
    assert_eq!(bench.get("/bucket?policy").await.expect(200).body, policy);
    assert_eq!(bench.get("/bucket?policyStatus").await.element("IsPublic"), "true");
    bench.put("/bucket?policy", "no").await.refused(400, "MalformedPolicy");
}

#[tokio::test]
async fn browsers_of_allowed_origins_are_answered() {
    let bench = Bench::with_bucket().await;
    let ask = [("origin", "https://app.example.com"), ("access-control-request-method", "PUT")];
    bench.send("OPTIONS", "/bucket/key", &ask, "").await.refused(403, "AccessForbidden");
    let cors = "<CORSConfiguration><CORSRule><AllowedOrigin>https://*.example.com</AllowedOrigin>\
                <AllowedMethod>PUT</AllowedMethod><AllowedMethod>GET</AllowedMethod>\
                <ExposeHeader>ETag</ExposeHeader></CORSRule></CORSConfiguration>";
    bench.put("/bucket?cors", cors).await.expect(200);
    let allowed = bench.send("OPTIONS", "/bucket/key", &ask, "").await.expect(200);
    assert_eq!(allowed.header("access-control-allow-origin"), "https://app.example.com");
    assert_eq!(allowed.header("access-control-allow-methods"), "PUT, GET");
    let origin = [("origin", "https://app.example.com")];
    let answer = bench.send("GET", "/bucket/key", &origin, "").await.refused(404, "NoSuchKey");
    assert_eq!(answer.header("access-control-expose-headers"), "ETag");
    let other = [("origin", "https://example.org")];
    let answer = bench.send("GET", "/bucket/key", &other, "").await;
    assert_eq!(answer.header("access-control-allow-origin"), "");
}

#[tokio::test]
async fn an_unknown_operation_says_so() {
    let bench = Bench::with_bucket().await;
    bench.put("/bucket/key", "x").await.expect(200);
    bench
        .send("POST", "/bucket/key?select&select-type=2", &[], "<SelectObjectContentRequest/>")
        .await;
    bench.get("/bucket/key?torrent").await.refused(501, "NotImplemented");
}

#[tokio::test]
async fn a_bucket_stays_usable_though_the_client_that_changed_it_has_gone() {
    let bench = Bench::with_bucket().await;
    let tags = "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>";
    {
        let mut gone = std::pin::pin!(bench.send("PUT", "/bucket?tagging", &[], tags));
        assert!(futures::poll!(gone.as_mut()).is_pending(), "its commit is under way");
    }
    let mut tries = 0;
    while bench.get("/bucket?tagging").await.status != 200 {
        tries += 1;
        assert!(tries < 1_000_000, "the change is on disk and never seen");
        tokio::task::yield_now().await;
    }
    bench.put("/bucket/key", "x").await.expect(200);
}
