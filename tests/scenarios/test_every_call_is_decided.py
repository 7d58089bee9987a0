"""No operation of any service is reached without a decision: a user without policies is refused all.

Inputs are made from the clients' own models, just good enough to be decoded.
"""

import datetime
import re

import pytest
from botocore.exceptions import ClientError, ParamValidationError

from lampejo_server import ACCOUNT, REGION

SERVICES = ["iam", "lambda", "logs", "s3", "sqs", "sts"]
# Each of its keys is decided by itself; that a bucket exists is no secret.
KEY_BY_KEY = ("DeleteObjects", "NoSuchBucket")
# Not built: taken for other operations, whose bodies theirs are not.
TAKEN_FOR_OTHERS = {
    (name, "MalformedXML")
    for name in (
        "PutBucketAbac",
        "PutBucketNotification",
        "PutObjectAnnotation",
        "UpdateBucketMetadataAnnotationTableConfiguration",
        "UpdateBucketMetadataInventoryTableConfiguration",
        "UpdateBucketMetadataJournalTableConfiguration",
        "UpdateObjectEncryption",
    )
}
# What everybody may who has credentials.
FREE = {"GetCallerIdentity", "GetSessionToken"}
# Not decided here: who asks has proved something else than a signature of ours, or nothing is asked.
OF_OTHER_PROOFS = {"AssumeRoleWithSAML", "AssumeRoleWithWebIdentity", "WriteGetObjectResponse"}
NOT_BUILT = {"NotImplemented", "NotImplementedException"}
REFUSED = {"AccessDenied", "AccessDeniedException", "403"}

TEXTS = [
    "name-1",
    "12",
    "123456",
    "1234567890123456",
    ACCOUNT,
    f"arn:aws:iam::{ACCOUNT}:role/name",
    f"arn:aws:iam::{ACCOUNT}:policy/name",
    f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:name",
    f"arn:aws:lambda:{REGION}:{ACCOUNT}:layer:name:1",
    f"arn:aws:lambda:{REGION}:{ACCOUNT}:code-signing-config:csc-0123456789abcdef0",
    f"arn:aws:lambda:{REGION}:{ACCOUNT}:capacity-provider:name",
    f"arn:aws:signer:{REGION}:{ACCOUNT}:/signing-profiles/name/1234567890",
    f"arn:aws:lambda:{REGION}::runtime:" + "0" * 64,
    f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:name",
    f"arn:aws:kms:{REGION}:{ACCOUNT}:key/01234567-89ab-cdef-0123-456789abcdef",
    "lambda:InvokeFunction",
    "lambda:GetLayerVersion",
    "lambda.amazonaws.com",
    "01234567-89ab-cdef-0123-456789abcdef",
    "v1",
    "o-0123456789/r-0123",
    "a" * 40,
    "a" * 64,
    "a" * 1000,
]
DOCUMENT = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sqs:*","Resource":"*"}}'


def text(shape, name):
    if shape.enum:
        return shape.enum[0]
    if name.endswith("PolicyDocument") or name == "Policy":
        return DOCUMENT
    if name == "QueueUrl":
        return f"http://localhost/{ACCOUNT}/name"
    if name in ("Bucket", "CopySource"):
        return "bucket-1" if name == "Bucket" else "bucket-1/key"
    pattern = shape.metadata.get("pattern")
    least, most = shape.metadata.get("min", 0), shape.metadata.get("max", 1 << 20)

    def fits(candidate):
        matches = pattern is None or re.fullmatch(pattern, candidate)
        return least <= len(candidate) <= most and matches

    try:
        return next(filter(fits, TEXTS), TEXTS[0])
    except re.error:
        return TEXTS[0]


def value(shape, name):
    """The least that a shape takes."""
    kind = shape.type_name
    if kind == "structure":
        # Where nothing is needed, something still has to be said, but not of the call itself.
        wanted = list(shape.required_members) or (list(shape.members)[:1] if name else [])
        body = shape.serialization.get("payload")
        wanted += [body] if body and body not in wanted else []
        return {member: value(shape.members[member], member) for member in wanted}
    if kind == "list":
        return [value(shape.member, name)] * max(1, shape.metadata.get("min", 1))
    if kind == "map":
        return {value(shape.key, name): value(shape.value, name)}
    if kind in ("integer", "long"):
        return shape.metadata.get("min", 1)
    return {
        "string": lambda: text(shape, name),
        "blob": lambda: b"{}",
        "boolean": lambda: True,
        "timestamp": lambda: datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc),
        "double": lambda: 0.5,
        "float": lambda: 0.5,
    }[kind]()


def outcome(client, operation, model):
    shape = model.input_shape
    arguments = value(shape, "") if shape else {}
    method = next(name for name, of in client.meta.method_to_api_mapping.items() if of == operation)
    try:
        getattr(client, method)(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"]
    except ParamValidationError as error:
        return f"the client's own check: {error}"
    return "answered"


@pytest.fixture(scope="module")
def nobody(start, sandbox):
    """Clients of a user who may nothing."""
    with start(isolation=sandbox, auth="enforce") as server:
        lines = [line.strip() for line in server.rest_of_greeting(7)]
        found = dict(line.split("=", 1) for line in lines if line.startswith("AWS_"))
        iam = server.client("iam", found["AWS_ACCESS_KEY_ID"], found["AWS_SECRET_ACCESS_KEY"])
        iam.create_user(UserName="nobody")
        key = iam.create_access_key(UserName="nobody")["AccessKey"]
        yield lambda service: server.client(
            service, key["AccessKeyId"], key["SecretAccessKey"], inject_host_prefix=False
        )


@pytest.mark.parametrize("service", SERVICES)
def test_a_user_without_policies_is_refused_every_operation(nobody, service):
    client = nobody(service)
    model = client.meta.service_model
    asked = set(model.operation_names) - FREE - OF_OTHER_PROOFS
    outcomes = {name: outcome(client, name, model.operation_model(name)) for name in sorted(asked)}
    refused = {name for name, code in outcomes.items() if code in REFUSED}
    reached = {
        name: code
        for name, code in outcomes.items()
        if code not in REFUSED | NOT_BUILT and (name, code) not in {KEY_BY_KEY, *TAKEN_FOR_OTHERS}
    }
    assert reached == {}
    assert len(refused) > 2, "the inputs are good enough to get to a decision"
