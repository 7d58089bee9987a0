"""S3 as boto3 sees it: objects, lists, versions, uploads in parts, and AWS's errors."""

import hashlib
import io
import os
import urllib.request

import pytest


@pytest.fixture
def s3(server):
    return server.client("s3")


@pytest.fixture
def bucket(s3, name):
    s3.create_bucket(Bucket=name)
    return name


def test_an_object_is_what_was_put(s3, bucket):
    body = os.urandom(300_000)
    put = s3.put_object(
        Bucket=bucket, Key="a/b.bin", Body=body, ContentType="image/png", Metadata={"origin": "test"}
    )
    assert put["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'
    got = s3.get_object(Bucket=bucket, Key="a/b.bin")
    assert got["Body"].read() == body
    assert (got["ContentType"], got["Metadata"]) == ("image/png", {"origin": "test"})
    head = s3.head_object(Bucket=bucket, Key="a/b.bin")
    assert (head["ContentLength"], head["ETag"]) == (len(body), put["ETag"])
    s3.delete_object(Bucket=bucket, Key="a/b.bin")
    # Deleting what is not there is no error.
    assert s3.delete_object(Bucket=bucket, Key="a/b.bin")["ResponseMetadata"]["HTTPStatusCode"] == 204


def test_a_range_of_an_object(s3, bucket, refused):
    s3.put_object(Bucket=bucket, Key="digits", Body=b"0123456789")
    got = s3.get_object(Bucket=bucket, Key="digits", Range="bytes=2-4")
    assert got["Body"].read() == b"234"
    assert got["ContentRange"] == "bytes 2-4/10"
    assert got["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert s3.get_object(Bucket=bucket, Key="digits", Range="bytes=-3")["Body"].read() == b"789"
    with refused("InvalidRange", "The requested range is not satisfiable", 416):
        s3.get_object(Bucket=bucket, Key="digits", Range="bytes=10-")


def test_what_is_not_there_answers_as_aws_does(s3, bucket, refused):
    with refused("NoSuchKey", "The specified key does not exist.", 404) as refusal:
        s3.get_object(Bucket=bucket, Key="nothing")
    assert refusal.response["Error"]["Key"] == "nothing"
    with refused("404", status=404):
        s3.head_object(Bucket=bucket, Key="nothing")
    with refused("NoSuchBucket", "The specified bucket does not exist", 404) as refusal:
        s3.get_object(Bucket=f"{bucket}-no", Key="nothing")
    assert refusal.response["Error"]["BucketName"] == f"{bucket}-no"
    with refused("NoSuchUpload", status=404):
        s3.list_parts(Bucket=bucket, Key="nothing", UploadId="nothing")


def test_buckets_have_rules(s3, bucket, refused):
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="x", Body=b"x")
    with refused("BucketNotEmpty", "The bucket you tried to delete is not empty", 409):
        s3.delete_bucket(Bucket=bucket)
    s3.delete_object(Bucket=bucket, Key="x")
    s3.delete_bucket(Bucket=bucket)
    with refused("404"):
        s3.head_bucket(Bucket=bucket)
    with refused("InvalidBucketName", "The specified bucket is not valid.", 400):
        s3.create_bucket(Bucket="Upper")


def test_a_list_has_pages_and_folders(s3, bucket):
    for key in ["a/1", "a/2", "b", "c/1", "d"]:
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
    pages = list(
        s3.get_paginator("list_objects_v2").paginate(
            Bucket=bucket, Delimiter="/", PaginationConfig={"PageSize": 2}
        )
    )
    assert len(pages) == 2
    assert [it["Key"] for page in pages for it in page.get("Contents", [])] == ["b", "d"]
    folders = [it["Prefix"] for page in pages for it in page.get("CommonPrefixes", [])]
    assert folders == ["a/", "c/"]
    found = s3.list_objects_v2(Bucket=bucket, Prefix="a/", StartAfter="a/1")
    assert [it["Key"] for it in found["Contents"]] == ["a/2"]


def test_conditions_on_reads_and_writes(s3, bucket, refused):
    etag = s3.put_object(Bucket=bucket, Key="x", Body=b"1")["ETag"]
    with refused("304", status=304):
        s3.get_object(Bucket=bucket, Key="x", IfNoneMatch=etag)
    message = "At least one of the pre-conditions you specified did not hold"
    with refused("PreconditionFailed", message, 412):
        s3.get_object(Bucket=bucket, Key="x", IfMatch='"other"')
    with refused("PreconditionFailed", message, 412):
        s3.put_object(Bucket=bucket, Key="x", Body=b"2", IfNoneMatch="*")
    assert s3.get_object(Bucket=bucket, Key="x")["Body"].read() == b"1"


def test_an_upload_in_parts_is_one_object(s3, bucket, refused):
    parts = [os.urandom(5 << 20), os.urandom(1000)]
    upload = s3.create_multipart_upload(Bucket=bucket, Key="big")["UploadId"]
    place = {"Bucket": bucket, "Key": "big", "UploadId": upload}
    done = [
        {"PartNumber": n, "ETag": s3.upload_part(**place, PartNumber=n, Body=part)["ETag"]}
        for n, part in enumerate(parts, 1)
    ]
    finished = s3.complete_multipart_upload(**place, MultipartUpload={"Parts": done})
    digests = b"".join(hashlib.md5(part).digest() for part in parts)
    assert finished["ETag"] == f'"{hashlib.md5(digests).hexdigest()}-2"'
    assert s3.get_object(Bucket=bucket, Key="big")["Body"].read() == b"".join(parts)
    got = s3.get_object(Bucket=bucket, Key="big", PartNumber=2)
    assert (got["Body"].read(), got["PartsCount"]) == (parts[1], 2)

    upload = s3.create_multipart_upload(Bucket=bucket, Key="small")["UploadId"]
    place = {"Bucket": bucket, "Key": "small", "UploadId": upload}
    done = [
        {"PartNumber": n, "ETag": s3.upload_part(**place, PartNumber=n, Body=b"x")["ETag"]}
        for n in (1, 2)
    ]
    message = "Your proposed upload is smaller than the minimum allowed size"
    with refused("EntityTooSmall", message, 400):
        s3.complete_multipart_upload(**place, MultipartUpload={"Parts": done})


def test_the_transfer_manager_goes_there_and_back(s3, bucket):
    body = os.urandom(20 << 20)
    s3.upload_fileobj(io.BytesIO(body), bucket, "transfer")
    back = io.BytesIO()
    s3.download_fileobj(bucket, "transfer", back)
    assert back.getvalue() == body


def test_a_copy_keeps_or_replaces_metadata(s3, bucket):
    s3.put_object(Bucket=bucket, Key="from ä", Body=b"text", Metadata={"a": "1"})
    source = {"Bucket": bucket, "Key": "from ä"}
    s3.copy_object(Bucket=bucket, Key="kept", CopySource=source)
    assert s3.head_object(Bucket=bucket, Key="kept")["Metadata"] == {"a": "1"}
    s3.copy_object(
        Bucket=bucket,
        Key="replaced",
        CopySource=source,
        Metadata={"b": "2"},
        MetadataDirective="REPLACE",
    )
    assert s3.head_object(Bucket=bucket, Key="replaced")["Metadata"] == {"b": "2"}


def test_many_are_deleted_at_once(s3, bucket):
    keys = [{"Key": f"k{n}"} for n in range(5)]
    for key in keys:
        s3.put_object(Bucket=bucket, Body=b"", **key)
    deleted = s3.delete_objects(Bucket=bucket, Delete={"Objects": keys + [{"Key": "not-there"}]})
    assert sorted(it["Key"] for it in deleted["Deleted"]) == [*(k["Key"] for k in keys), "not-there"]
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_versions_outlive_a_delete(s3, bucket, refused):
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    first = s3.put_object(Bucket=bucket, Key="x", Body=b"1")["VersionId"]
    second = s3.put_object(Bucket=bucket, Key="x", Body=b"2")["VersionId"]
    marker = s3.delete_object(Bucket=bucket, Key="x")
    assert marker["DeleteMarker"] is True
    with refused("NoSuchKey"):
        s3.get_object(Bucket=bucket, Key="x")
    assert s3.get_object(Bucket=bucket, Key="x", VersionId=first)["Body"].read() == b"1"
    listed = s3.list_object_versions(Bucket=bucket)
    assert [it["VersionId"] for it in listed["Versions"]] == [second, first]
    assert [it["IsLatest"] for it in listed["DeleteMarkers"]] == [True]
    s3.delete_object(Bucket=bucket, Key="x", VersionId=marker["VersionId"])
    assert s3.get_object(Bucket=bucket, Key="x")["Body"].read() == b"2"


def test_tags_of_an_object(s3, bucket):
    s3.put_object(Bucket=bucket, Key="x", Body=b"", Tagging="a=1&b=2")
    tags = s3.get_object_tagging(Bucket=bucket, Key="x")["TagSet"]
    assert tags == [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]
    assert s3.get_object(Bucket=bucket, Key="x")["TagCount"] == 2


def test_a_wrong_checksum_is_refused(s3, bucket, refused):
    with refused("BadDigest", status=400):
        s3.put_object(Bucket=bucket, Key="x", Body=b"text", ChecksumCRC32="AAAAAA==")
    with refused("NoSuchKey"):
        s3.get_object(Bucket=bucket, Key="x")
    put = s3.put_object(Bucket=bucket, Key="x", Body=b"text", ChecksumAlgorithm="SHA256")
    head = s3.head_object(Bucket=bucket, Key="x", ChecksumMode="ENABLED")
    assert head["ChecksumSHA256"] == put["ChecksumSHA256"]


def test_a_bucket_is_a_virtual_host(server, s3, bucket):
    s3.put_object(Bucket=bucket, Key="dir/page.txt", Body=b"by host")
    request = urllib.request.Request(f"{server.endpoint}/dir/page.txt")
    request.add_header("Host", f"{bucket}.s3.localhost:{server.port}")
    with urllib.request.urlopen(request) as answer:
        assert answer.read() == b"by host"


def test_a_presigned_address_reads_and_writes(s3, bucket):
    place = {"Bucket": bucket, "Key": "signed"}
    url = s3.generate_presigned_url("put_object", place)
    with urllib.request.urlopen(urllib.request.Request(url, b"by link", method="PUT")) as answer:
        assert answer.status == 200
    with urllib.request.urlopen(s3.generate_presigned_url("get_object", place)) as answer:
        assert answer.read() == b"by link"


def test_a_notification_tells_a_queue(server, s3, bucket, name):
    import json

    sqs = server.client("sqs")
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    allow = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "s3.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": arn,
            }
        ],
    }
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(allow)})
    rule = {"QueueArn": arn, "Events": ["s3:ObjectCreated:Put", "s3:ObjectRemoved:*"]}
    s3.put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"QueueConfigurations": [rule]}
    )
    s3.put_object(Bucket=bucket, Key="x y", Body=b"12345")
    s3.delete_object(Bucket=bucket, Key="x y")
    events = []
    while len(events) < 2:
        received = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20, MaxNumberOfMessages=10)
        for message in received["Messages"]:
            body = json.loads(message["Body"])
            # AWS sends this when the notification is set.
            if body.get("Event") == "s3:TestEvent":
                continue
            events += body["Records"]
    events.sort(key=lambda it: it["s3"]["object"]["sequencer"])
    assert [it["eventName"] for it in events] == ["ObjectCreated:Put", "ObjectRemoved:Delete"]
    assert events[0]["s3"]["object"]["key"] == "x+y"
    assert events[0]["s3"]["object"]["size"] == 5
    assert (events[0]["eventSource"], events[0]["eventVersion"]) == ("aws:s3", "2.1")
