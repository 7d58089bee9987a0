"""Both authentication modes: what `open` takes, what `enforce` refuses and in which words."""

import urllib.error
import urllib.request

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from lampejo_server import ACCOUNT, REGION, binary


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
    import subprocess

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


def test_a_changed_body_is_refused(enforcing_server, root_key):
    request = AWSRequest(
        "POST",
        enforcing_server.endpoint + "/",
        headers={"X-Amz-Target": "AmazonSQS.ListQueues", "Content-Type": "application/x-amz-json-1.0"},
        data=b"{}",
    )
    SigV4Auth(Credentials(*root_key), "sqs", REGION).add_auth(request)
    changed = urllib.request.Request(
        request.url, b'{"MaxResults": 1}', dict(request.headers.items()), method="POST"
    )
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(changed)
    assert caught.value.code == 403


def test_functions_call_with_their_roles_keys(enforcing_server, root_key):
    session = boto3.Session(*root_key, region_name=REGION)
    iam = session.client("iam", endpoint_url=enforcing_server.endpoint)
    trust = (
        '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":'
        '{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}'
    )
    iam.create_role(RoleName="function", AssumeRolePolicyDocument=trust)
    functions = enforcing_server.client("lambda", *root_key)
    import json

    from lampejo_server import PYTHON, ROLE, package

    source = (
        "import os\ndef handler(event, context):\n"
        "    return [os.environ['AWS_ACCESS_KEY_ID'], os.environ['AWS_SECRET_ACCESS_KEY'],"
        " os.environ['AWS_SESSION_TOKEN']]\n"
    )
    functions.create_function(
        FunctionName="who",
        Runtime=PYTHON,
        Handler="index.handler",
        Role=ROLE,
        Code={"ZipFile": package({"index.py": source})},
    )
    functions.get_waiter("function_active_v2").wait(
        FunctionName="who", WaiterConfig={"Delay": 0.02, "MaxAttempts": 500}
    )
    keys = json.loads(functions.invoke(FunctionName="who")["Payload"].read())
    identity = enforcing_server.client("sts", *keys).get_caller_identity()
    assert identity["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/function/who"
