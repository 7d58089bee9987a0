"""The AWS endpoint that a function finds inside: no way to the server's own endpoints, nor to what
belongs to other functions, roles and accounts."""

import json

import pytest
from botocore.exceptions import ClientError

from lampejo_server import ACCOUNT, eventually

ASSUME = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}
ALL = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
KEYS = """
import os
def handler(event, context):
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    return [os.environ[it] for it in names]
"""


def test_the_servers_own_endpoints_are_not_for_functions(server, run_inside, unharmed):
    def attack():
        import os, socket
        from urllib.parse import urlparse

        endpoint = urlparse(os.environ["AWS_ENDPOINT_URL"])
        key = os.environ["AWS_ACCESS_KEY_ID"]
        scope = f"{key}/20260101/us-east-1/lambda/aws4_request"
        signed = (
            f"Authorization: AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"
        )
        asked = [
            ("POST", "/_lampejo/clock?advance=100000", ""),
            ("POST", "/_lampejo/clock?advance=100000", "Host: 127.0.0.1:4566"),
            ("POST", "/_lampejo/clock?advance=100000", "X-Forwarded-For: 127.0.0.1"),
            ("POST", "/_lampejo/clock?advance=100000", "Forwarded: for=127.0.0.1;host=localhost"),
            ("POST", f"http://{endpoint.netloc}/_lampejo/clock?advance=100000", ""),
            ("POST", "http://127.0.0.1/_lampejo/clock?advance=100000", "Host: localhost"),
            ("POST", "//_lampejo/clock?advance=100000", ""),
            ("POST", "/./_lampejo/clock?advance=100000", ""),
            ("POST", "/x/../_lampejo/clock?advance=100000", ""),
            ("POST", "/%5Flampejo/clock?advance=100000", ""),
            ("POST", "/_LAMPEJO/clock?advance=100000", ""),
            ("GET", "/_lampejo/status", signed),
            ("GET", "/_lampejo/cost?by=function", signed),
            ("GET", "/_lampejo/api/iam/decisions", signed),
            ("GET", "/_lampejo/api/iam/suggest?role=r", signed),
            ("GET", "/_lampejo/code/../lock?expires=1&signature=0", ""),
            ("GET", "/_lampejo/code/" + "a" * 32 + "?expires=99999999999999&signature=0", ""),
            ("GET", "/_lampejo/health", ""),
        ]
        answers = []
        for method, path, header in asked:
            with socket.create_connection((endpoint.hostname, endpoint.port), timeout=10) as it:
                head = f"{method} {path} HTTP/1.1\r\nContent-Length: 0\r\nConnection: close\r\n"
                host = "" if header.startswith("Host") else f"Host: {endpoint.netloc}\r\n"
                it.sendall((head + host + (header + "\r\n" if header else "") + "\r\n").encode())
                answers.append(int(it.recv(4096).split()[1]))
        return answers

    before = server.advance(0)
    answers = run_inside(attack)
    after = server.advance(0)
    assert after[:10] == before[:10], "somebody has moved the clock by a day"
    assert answers[-1] == 200 and set(answers[:-1]) <= {400, 403, 404, 405, 501}, answers
    assert set(answers[:6]) == {403} and set(answers[11:15]) == {403}, answers
    unharmed()


@pytest.fixture(scope="module")
def strict(start, needs_sandbox):
    """A server that enforces, with two functions of two roles: one may everything, one nothing."""
    with start(auth="enforce") as server:
        lines = [line.strip() for line in server.rest_of_greeting(7)]
        found = dict(line.split("=", 1) for line in lines if line.startswith("AWS_"))
        root = (found["AWS_ACCESS_KEY_ID"], found["AWS_SECRET_ACCESS_KEY"])
        iam, functions = server.client("iam", *root), server.client("lambda", *root)
        server.keys = {}
        plain = server.client
        server.client = lambda service, *key, **more: plain(service, *(key or root), **more)
        for name in ("mighty", "poor"):
            role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(ASSUME))
            if name == "mighty":
                iam.put_role_policy(
                    RoleName=name, PolicyName="all", PolicyDocument=json.dumps(ALL)
                )
            server.function(name, KEYS, Role=role["Role"]["Arn"])
            answer = functions.invoke(FunctionName=name)
            server.keys[name] = json.load(answer["Payload"])
        yield server


def outcome(call, *arguments, **named):
    try:
        call(*arguments, **named)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return "done"


def test_a_functions_credentials_are_its_roles_and_nobody_elses(strict):
    (mighty, poor) = strict.keys["mighty"], strict.keys["poor"]
    assert who(strict, mighty).endswith(":assumed-role/mighty/mighty")
    assert who(strict, poor).endswith(":assumed-role/poor/poor")
    assert outcome(strict.client("lambda", *mighty).list_functions) == "done"
    for service, call, arguments in (
        ("lambda", "list_functions", {}),
        ("lambda", "get_function", {"FunctionName": "mighty"}),
        ("lambda", "invoke", {"FunctionName": "mighty"}),
        ("lambda", "update_function_configuration", {"FunctionName": "poor", "Timeout": 900}),
        ("iam", "list_roles", {}),
        ("iam", "create_access_key", {"UserName": "anybody"}),
        ("sqs", "list_queues", {}),
        ("s3", "list_buckets", {}),
        ("logs", "describe_log_groups", {}),
        (
            "sts",
            "assume_role",
            {"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/mighty", "RoleSessionName": "poor"},
        ),
    ):
        refusal = outcome(getattr(strict.client(service, *poor), call), **arguments)
        assert refusal in ("AccessDenied", "AccessDeniedException"), (service, call, refusal)


def who(server, key):
    return server.client("sts", *key).get_caller_identity()["Arn"]


def test_parts_of_others_credentials_are_worth_nothing(strict):
    (mighty, poor) = strict.keys["mighty"], strict.keys["poor"]
    mixed = {
        "another's key": (mighty[0], poor[1], poor[2]),
        "another's key and token": (mighty[0], poor[1], mighty[2]),
        "another's token": (poor[0], poor[1], mighty[2]),
        "no token": (*mighty[:2], None),
        "no secret": (mighty[0], "x", mighty[2]),
        "a token that is changed": (*mighty[:2], mighty[2][:-4] + "AAAA"),
        "an account's number": ("111122223333", "test", None),
        "a made-up key": ("AKIA" + "A" * 16, "test", None),
    }
    refused = (
        "InvalidClientTokenId",
        "UnrecognizedClientException",
        "SignatureDoesNotMatch",
        "InvalidSignatureException",
        "InvalidToken",
        "InvalidAccessKeyId",
    )
    for kind, key in mixed.items():
        for service, call in (("lambda", "list_functions"), ("sts", "get_caller_identity")):
            got = outcome(getattr(strict.client(service, *key), call))
            assert got in refused, (kind, service, got)


def test_credentials_of_a_function_end_with_its_role(strict):
    iam = strict.client("iam")
    key = strict.keys["mighty"]
    queues = strict.client("sqs", *key)
    assert outcome(queues.list_queues) == "done"
    iam.delete_role_policy(RoleName="mighty", PolicyName="all")
    eventually(lambda: outcome(queues.list_queues) == "AccessDenied", "it may nothing any more")
    iam.put_role_policy(RoleName="mighty", PolicyName="all", PolicyDocument=json.dumps(ALL))
