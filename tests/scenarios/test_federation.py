"""Identities from elsewhere: sessions of roles for tokens of an OpenID Connect provider."""

import base64
import contextlib
import hashlib
import http.server
import json
import threading
import time

import pytest
from botocore import UNSIGNED

from lampejo_server import ACCOUNT

# A key of nobody, so that the test needs no library to make one: two primes, in hexadecimal.
PRIMES = (
    "dc644daa708e1b67b940a46d4413c9e0530b51897bcd1e67644b414a3a7445c3"
    "8b604ea77cb221495b0c44c847b43f5dac7a4ecd6db6789b5441755b46bb4ecc"
    "0c0ed0df27bba4963305576fa69d37a78516e4513700a78d8c935de7b28c2172"
    "a42ee532c73d985a5ecf26aaed9bc6f52ac0b3a30c0d64384b4a533f4c5a04d7",
    "db10f09e722906ed0965139b99dd5d1a6f7f88e5d9a62032e8d07a9e2b0a9380"
    "f9e158defca45a3be2e2d57807d53c2c00f78d1302e4fe8d8e1892266e31e2e6"
    "c9cbd4d49eef0989ba5640f4ee051c82d6d4a0260305ec2930654c48dedbaf65"
    "bc414f09cfc9c128fcd70202f442c7cd0faedd8a766db43a3ce3ab846882c305",
)
P, Q = (int(prime, 16) for prime in PRIMES)
MODULUS, EXPONENT = P * Q, 65537
SECRET = pow(EXPONENT, -1, (P - 1) * (Q - 1))
# What PKCS #1 puts before a SHA-256 digest.
DIGEST_INFO = bytes.fromhex("3031300d060960864801650304020105000420")


def encoded(content):
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def number(value):
    return encoded(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def signature(text):
    size = (MODULUS.bit_length() + 7) // 8
    info = DIGEST_INFO + hashlib.sha256(text.encode()).digest()
    padded = b"\0\1" + b"\xff" * (size - len(info) - 3) + b"\0" + info
    signed = pow(int.from_bytes(padded, "big"), SECRET, MODULUS)
    return encoded(signed.to_bytes(size, "big"))


class Issuer:
    """An OpenID Connect provider on this machine."""

    def __init__(self, address):
        self.url = f"http://127.0.0.1:{address[1]}"
        self.name = self.url.removeprefix("http://")

    def document(self, path):
        if path == "/.well-known/openid-configuration":
            return {"issuer": self.url, "jwks_uri": f"{self.url}/keys"}
        if path == "/keys":
            key = {"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "one"}
            return {"keys": [{**key, "n": number(MODULUS), "e": number(EXPONENT)}]}
        return None

    def token(self, **claims):
        now = int(time.time())
        told = {"iss": self.url, "aud": "app", "sub": "friend", "iat": now, "exp": now + 60}
        header = {"alg": "RS256", "kid": "one", "typ": "JWT"}
        parts = [json.dumps(part).encode() for part in (header, {**told, **claims})]
        text = ".".join(encoded(part) for part in parts)
        return f"{text}.{signature(text)}"


@contextlib.contextmanager
def listening():
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            found = issuer.document(self.path)
            self.send_response(200 if found else 404)
            self.end_headers()
            self.wfile.write(json.dumps(found).encode())

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as web:
        issuer = Issuer(web.server_address)
        thread = threading.Thread(target=web.serve_forever)
        thread.start()
        try:
            yield issuer
        finally:
            web.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def issuer():
    with listening() as found:
        yield found


@pytest.fixture(scope="module")
def strict(start, sandbox):
    """A server that enforces, with its root's key."""
    with start(isolation=sandbox, auth="enforce") as server:
        lines = [line.strip() for line in server.rest_of_greeting(7)]
        found = dict(line.split("=", 1) for line in lines if line.startswith("AWS_"))
        server.root = (found["AWS_ACCESS_KEY_ID"], found["AWS_SECRET_ACCESS_KEY"])
        yield server


@pytest.fixture(scope="module")
def provider(strict, issuer):
    made = strict.client("iam", *strict.root).create_open_id_connect_provider(
        Url=issuer.url, ClientIDList=["app"]
    )
    return made["OpenIDConnectProviderArn"]


def policy(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


@pytest.fixture
def role(strict, issuer, provider, name):
    """A role for the provider's friend, which may list queues."""
    iam = strict.client("iam", *strict.root)
    trust = {
        "Effect": "Allow",
        "Principal": {"Federated": provider},
        "Action": ["sts:AssumeRoleWithWebIdentity", "sts:TagSession"],
        "Condition": {
            "StringEquals": {f"{issuer.name}:sub": "friend", f"{issuer.name}:aud": "app"}
        },
    }
    made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy(trust))["Role"]
    lists = {"Effect": "Allow", "Action": "sqs:ListQueues", "Resource": "*"}
    iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=policy(lists))
    return made["Arn"]


@pytest.fixture
def assume(strict, role):
    """Asks for the role with a token and nothing else."""
    sts = strict.client("sts", signature_version=UNSIGNED)

    def ask(token, arn=role, **more):
        return sts.assume_role_with_web_identity(
            RoleArn=arn, RoleSessionName="visit", WebIdentityToken=token, **more
        )

    return ask


def client_of(strict, service, credentials):
    names = ("AccessKeyId", "SecretAccessKey", "SessionToken")
    return strict.client(service, *(credentials[name] for name in names))


def test_a_token_gets_a_session_of_the_role(strict, issuer, provider, assume, name, refused):
    answer = assume(issuer.token())
    session = f"arn:aws:sts::{ACCOUNT}:assumed-role/{name}/visit"
    assert answer["AssumedRoleUser"]["Arn"] == session
    assert answer["SubjectFromWebIdentityToken"] == "friend"
    assert (answer["Audience"], answer["Provider"]) == ("app", provider)
    sqs = client_of(strict, "sqs", answer["Credentials"])
    assert sqs.list_queues()["ResponseMetadata"]["HTTPStatusCode"] == 200
    with refused("AccessDenied", status=403):
        sqs.create_queue(QueueName=name)


def test_tokens_are_refused_in_awss_words(issuer, assume, refused):
    with refused("InvalidIdentityToken", "Incorrect token audience", 400):
        assume(issuer.token(aud="other"))
    with refused("ExpiredTokenException", status=400) as refusal:
        assume(issuer.token(exp=1000))
    assert refusal.message.startswith("Token expired: current date/time ")
    head, body, _ = issuer.token().split(".")
    with refused("InvalidIdentityToken"):
        assume(f"{head}.{body}.{signature('something else')}")
    elsewhere = "https://id.example.com"
    text = f"No OpenIDConnect provider found in your account for {elsewhere}"
    with refused("InvalidIdentityToken", text):
        assume(issuer.token(iss=elsewhere))


def test_the_trust_policy_decides(issuer, assume, role, refused):
    text = "Not authorized to perform sts:AssumeRoleWithWebIdentity"
    with refused("AccessDenied", text, 403):
        assume(issuer.token(sub="stranger"))
    with refused("AccessDenied", text, 403):
        assume(issuer.token(), arn=f"{role}-that-is-not")


def test_the_tags_of_a_token_are_tags_of_the_session(strict, issuer, assume, name):
    tags = {"principal_tags": {"team": ["red"]}, "transitive_tag_keys": ["team"]}
    answer = assume(issuer.token(**{"https://aws.amazon.com/tags": tags}))
    iam = strict.client("iam", *strict.root)
    only_red = {
        "Effect": "Allow",
        "Action": "sqs:CreateQueue",
        "Resource": "*",
        "Condition": {"StringEquals": {"aws:PrincipalTag/team": "red"}},
    }
    iam.put_role_policy(RoleName=name, PolicyName="red", PolicyDocument=policy(only_red))
    client_of(strict, "sqs", answer["Credentials"]).create_queue(QueueName=name)


def test_a_provider_that_is_gone_vouches_for_nobody(strict, name, refused, assume):
    with listening() as issuer:
        strict.client("iam", *strict.root).create_open_id_connect_provider(
            Url=issuer.url, ClientIDList=["app"]
        )
        token = issuer.token()
    with refused("IDPCommunicationError", status=400):
        assume(token)


def test_an_external_id_and_tags_are_asked_of_the_trust_policy(strict, name, refused):
    iam = strict.client("iam", *strict.root)
    iam.create_user(UserName=name)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    user = iam.get_user(UserName=name)["User"]["Arn"]
    trust = {
        "Effect": "Allow",
        "Principal": {"AWS": user},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": "agreed"}},
    }
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy(trust))["Role"]["Arn"]
    sts = strict.client("sts", key["AccessKeyId"], key["SecretAccessKey"])
    with refused("AccessDenied"):
        sts.assume_role(RoleArn=role, RoleSessionName="visit")
    agreed = {"RoleArn": role, "RoleSessionName": "visit", "ExternalId": "agreed"}
    sts.assume_role(**agreed)
    with refused("AccessDenied") as refusal:
        sts.assume_role(**agreed, Tags=[{"Key": "team", "Value": "red"}])
    assert "sts:TagSession" in refusal.message


def test_a_federated_user_may_what_both_its_policy_and_its_user_allow(strict, name, refused):
    iam = strict.client("iam", *strict.root)
    iam.create_user(UserName=name)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    actions = ["sts:GetFederationToken", "sqs:ListQueues", "sqs:CreateQueue"]
    allow = {"Effect": "Allow", "Action": actions, "Resource": "*"}
    iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=policy(allow))
    sts = strict.client("sts", key["AccessKeyId"], key["SecretAccessKey"])
    narrow = {"Effect": "Allow", "Action": ["sqs:ListQueues", "logs:*"], "Resource": "*"}
    credentials = sts.get_federation_token(Name="bob", Policy=policy(narrow))["Credentials"]
    sqs = client_of(strict, "sqs", credentials)
    sqs.list_queues()
    with refused("AccessDenied"):
        sqs.create_queue(QueueName=name)
    with refused("AccessDeniedException"):
        client_of(strict, "logs", credentials).describe_log_groups()
