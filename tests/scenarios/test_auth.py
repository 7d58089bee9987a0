"""Both authentication modes: what `open` takes, what `enforce` refuses and in which words."""

import json
import subprocess
import urllib.error
import urllib.request

import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from lampejo_server import ACCOUNT, PYTHON, REGION, ROLE, binary, package


@pytest.fixture
def root_key(enforcing_server):
    """The root key that the first start shows."""
    lines = [line.strip() for line in enforcing_server.rest_of_greeting(7)]
    found = dict(line.split("=", 1) for line in lines if line.startswith("AWS_"))
    return found["AWS_ACCESS_KEY_ID"], found["AWS_SECRET_ACCESS_KEY"]


def test_open_mode_takes_any_key_and_none(server):
    for key in ("test", "AKIAIOSFODNN7EXAMPLE"):
        assert server.client("sts", key=key).get_caller_identity()["Account"] == ACCOUNT
    with urllib.request.urlopen(f"{server.endpoint}/?Action=GetCallerIdentity&Version=2011-06-15"):
        pass


def test_open_mode_stays_on_loopback(tmp_path):
    tried = subprocess.run(
        [binary(), "up", "--listen", "0.0.0.0:0", "--data", str(tmp_path / "data")],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert tried.returncode != 0
    assert "--auth enforce" in tried.stderr


def test_the_root_key_is_shown_once_and_works(enforcing_server, root_key):
    identity = enforcing_server.client("sts", *root_key).get_caller_identity()
    assert identity["Arn"] == f"arn:aws:iam::{ACCOUNT}:root"
    enforcing_server.client("s3", *root_key).create_bucket(Bucket="mine")
    enforcing_server.restart()
    assert enforcing_server.client("s3", *root_key).list_buckets()["Buckets"][0]["Name"] == "mine"


def test_an_unknown_key_is_refused(enforcing_server, refused):
    unknown = ("AKIAUNKNOWNUNKNOWN12", "secret")
    with refused(
        "InvalidAccessKeyId",
        "The AWS Access Key Id you provided does not exist in our records.",
        403,
    ):
        enforcing_server.client("s3", *unknown).list_buckets()
    message = "The security token included in the request is invalid."
    with refused("UnrecognizedClientException", message):
        enforcing_server.client("lambda", *unknown).list_functions()
    with refused("InvalidClientTokenId", message, 403):
        enforcing_server.client("sts", *unknown).get_caller_identity()


def test_a_wrong_secret_is_refused(enforcing_server, root_key, refused):
    wrong = (root_key[0], "wrong")
    said = (
        "The request signature we calculated does not match the signature you provided. "
        "Check your {}."
    )
    s3_said = "key and signing method"
    with refused("SignatureDoesNotMatch", said.format(s3_said), 403):
        enforcing_server.client("s3", *wrong).list_buckets()
    with refused("InvalidSignatureException", status=403) as refusal:
        enforcing_server.client("lambda", *wrong).list_functions()
    assert refusal.message.startswith(
        said.format("AWS Secret Access Key and signing method").removesuffix(".")
    )
    with refused("SignatureDoesNotMatch", status=403):
        enforcing_server.client("sts", *wrong).get_caller_identity()


def test_a_key_of_a_user_works_until_it_is_switched_off(enforcing_server, root_key, refused):
    iam = enforcing_server.client("iam", *root_key)
    iam.create_user(UserName="ana")
    key = iam.create_access_key(UserName="ana")["AccessKey"]
    mine = (key["AccessKeyId"], key["SecretAccessKey"])
    identity = enforcing_server.client("sts", *mine).get_caller_identity()
    assert identity["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/ana"
    iam.update_access_key(UserName="ana", AccessKeyId=mine[0], Status="Inactive")
    with refused("InvalidClientTokenId"):
        enforcing_server.client("sts", *mine).get_caller_identity()


# boto3 signs addresses by the older version where it is not told otherwise.
@pytest.mark.parametrize("version", ["s3v4", "s3"])
def test_a_presigned_address_expires(enforcing_server, root_key, version):
    s3 = enforcing_server.client("s3", *root_key, signature_version=version)
    plain = enforcing_server.client("s3", *root_key)
    plain.create_bucket(Bucket="bucket")
    plain.put_object(Bucket="bucket", Key="x", Body=b"text")
    url = s3.generate_presigned_url("get_object", {"Bucket": "bucket", "Key": "x"}, ExpiresIn=60)
    with urllib.request.urlopen(url) as answer:
        assert answer.read() == b"text"
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(url.replace("/x?", "/y?"))
    assert (caught.value.code, b"SignatureDoesNotMatch" in caught.value.read()) == (403, True)
    enforcing_server.advance(61)
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(url)
    body = caught.value.read()
    assert caught.value.code == 403
    assert b"<Code>AccessDenied</Code><Message>Request has expired</Message>" in body


def test_a_presigned_address_takes_no_further_meaning(enforcing_server, root_key):
    s3 = enforcing_server.client("s3", *root_key, signature_version="s3v4")
    s3.create_bucket(Bucket="bucket")
    s3.put_object(Bucket="bucket", Key="secret", Body=b"text")
    url = s3.generate_presigned_url("put_object", {"Bucket": "bucket", "Key": "x"})
    copy = {"x-amz-copy-source": "/bucket/secret"}
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(urllib.request.Request(url, b"", copy, method="PUT"))
    body = caught.value.read()
    assert (caught.value.code, b"<Code>AccessDenied</Code>" in body) == (403, True)
    assert b"<HeadersNotSigned>x-amz-copy-source</HeadersNotSigned>" in body
    assert [it["Key"] for it in s3.list_objects_v2(Bucket="bucket")["Contents"]] == ["secret"]


def test_a_skewed_clock_is_told_of(enforcing_server, root_key, refused):
    # boto3 corrects its clock and tries again: what is asserted is what it met last.
    enforcing_server.advance(20 * 60)
    s3 = enforcing_server.client("s3", *root_key)
    with refused("RequestTimeTooSkewed", status=403) as refusal:
        s3.list_buckets()
    assert refusal.message == (
        "The difference between the request time and the current time is too large."
    )
    with refused("InvalidSignatureException", status=403) as refusal:
        enforcing_server.client("lambda", *root_key).list_functions()
    assert refusal.message.startswith("Signature expired: ")
    with refused("SignatureDoesNotMatch", status=403) as refusal:
        enforcing_server.client("sts", *root_key).get_caller_identity()
    assert refusal.message.startswith("Signature expired: ")


def test_a_request_without_signature_is_refused(enforcing_server):
    def answer(path):
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(enforcing_server.endpoint + path)
        return caught.value.code, caught.value.read()

    status, body = answer("/bucket/key")
    assert (status, b"<Code>AccessDenied</Code>" in body) == (403, True)
    status, body = answer("/2015-03-31/functions")
    assert (status, b"Missing Authentication Token" in body) == (403, True)


JSON = {"X-Amz-Target": "AmazonSQS.ListQueues", "Content-Type": "application/x-amz-json-1.0"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize(
    ("service", "signer", "method", "path", "headers", "status", "code"),
    [
        ("sqs", SigV4Auth, "POST", "/", JSON, 403, "InvalidSignatureException"),
        ("sts", SigV4Auth, "POST", "/", FORM, 403, "SignatureDoesNotMatch"),
        ("s3", S3SigV4Auth, "PUT", "/bucket/key", {}, 400, "XAmzContentSHA256Mismatch"),
    ],
    ids=["json", "query", "s3"],
)
def test_a_changed_body_is_refused(
    enforcing_server, root_key, service, signer, method, path, headers, status, code
):
    enforcing_server.client("s3", *root_key).create_bucket(Bucket="bucket")
    url = enforcing_server.endpoint + path
    request = AWSRequest(method, url, headers=headers, data=b'{"MaxResults": 1}')
    signer(Credentials(*root_key), service, REGION).add_auth(request)
    changed = urllib.request.Request(
        url, b'{"MaxResults": 2}', dict(request.headers.items()), method=method
    )
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(changed)
    assert caught.value.code == status
    assert code in caught.value.read().decode()


def test_a_signed_key_works_for_every_service(enforcing_server, root_key):
    def client(service):
        return enforcing_server.client(service, *root_key)

    assert client("lambda").list_functions()["Functions"] == []
    assert "QueueUrls" not in client("sqs").list_queues()
    assert client("logs").describe_log_groups()["logGroups"] == []
    assert client("iam").list_users()["Users"] == []
    assert client("sts").get_caller_identity()["Account"] == ACCOUNT
    s3 = client("s3")
    s3.create_bucket(Bucket="bucket")
    # Characters that signatures encode, in key and query.
    s3.put_object(Bucket="bucket", Key="a b/ä+~=&?%", Body=b"text")
    listed = s3.list_objects_v2(Bucket="bucket", Prefix="a b/ä+")["Contents"]
    assert [it["Key"] for it in listed] == ["a b/ä+~=&?%"]


def test_functions_call_with_their_roles_keys(enforcing_server, root_key, sdk_cache):
    enforcing_server.install_sdk(sdk_cache)
    iam, functions, s3 = (
        enforcing_server.client(it, *root_key) for it in ("iam", "lambda", "s3")
    )
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "lambda.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
    iam.create_role(RoleName="function", AssumeRolePolicyDocument=json.dumps(trust))
    actions = ["sqs:CreateQueue", "s3:PutObject"]
    allowed = {"Effect": "Allow", "Action": actions, "Resource": "*"}
    iam.put_role_policy(
        RoleName="function",
        PolicyName="work",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": allowed}),
    )
    s3.create_bucket(Bucket="bucket")
    source = """
import boto3
def handler(event, context):
    boto3.client("s3").put_object(Bucket="bucket", Key="key", Body=b"from inside")
    boto3.client("sqs").create_queue(QueueName="made-inside")
    return boto3.client("sts").get_caller_identity()["Arn"]
"""
    functions.create_function(
        FunctionName="who",
        Runtime=PYTHON,
        Handler="index.handler",
        Role=ROLE,
        Code={"ZipFile": package({"index.py": source})},
        MemorySize=512,
        Timeout=30,
    )
    functions.get_waiter("function_active_v2").wait(
        FunctionName="who", WaiterConfig={"Delay": 0.02, "MaxAttempts": 500}
    )
    answer = json.load(functions.invoke(FunctionName="who")["Payload"])
    assert answer == f"arn:aws:sts::{ACCOUNT}:assumed-role/function/who"
    assert s3.get_object(Bucket="bucket", Key="key")["Body"].read() == b"from inside"
