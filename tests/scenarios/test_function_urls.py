"""Function URLs: functions by HTTP, as browsers, curl and signed clients call them."""

import base64
import concurrent.futures
import http.client
import json
import urllib.parse
import urllib.request

import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from lampejo_server import ACCOUNT, PYTHON, REGION, ROLE, eventually, package

ECHO = """
def handler(event, context):
    print("got", event["requestContext"]["requestId"], context.aws_request_id)
    return event
"""
STREAMING = """#!/bin/sh
exec python3 -c '
import http.client, json, os, urllib.parse, urllib.request

api = os.environ["AWS_LAMBDA_RUNTIME_API"]
invocations = "/2018-06-01/runtime/invocation/"

def message(queue):
    form = {"Action": "ReceiveMessage", "Version": "2012-11-05", "QueueUrl": queue,
            "WaitTimeSeconds": "20"}
    address = os.environ["AWS_ENDPOINT_URL"]
    urllib.request.urlopen(address, urllib.parse.urlencode(form).encode()).read()

def answer(event):
    body = json.loads(event["body"])
    prelude = {"statusCode": 202, "headers": {"x-mine": "1"}, "cookies": ["a=1"]}
    if body["prelude"]:
        yield json.dumps(prelude).encode() + bytes(8)
    yield b"first"
    message(body["queue"])
    yield b"second"

integration = "application/vnd.awslambda.http-integration-response"
while True:
    event = urllib.request.urlopen("http://" + api + invocations + "next")
    request = event.headers["Lambda-Runtime-Aws-Request-Id"]
    event = json.load(event)
    kind = integration if json.loads(event["body"])["prelude"] else "text/plain"
    headers = {"Transfer-Encoding": "chunked", "Content-Type": kind,
               "Lambda-Runtime-Function-Response-Mode": "streaming"}
    connection = http.client.HTTPConnection(api)
    connection.request("POST", invocations + request + "/response", answer(event), headers,
                       encode_chunked=True)
    connection.getresponse().read()
'
"""
REPLAY = """
import json

def handler(event, context):
    return json.loads(event["body"])
"""
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}
FORBIDDEN = {
    "Message": "Forbidden. For troubleshooting Function URL authorization issues, see: "
    "https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"
}


class Answer:
    """An HTTP answer with its headers by lower-case name."""

    def __init__(self, response):
        self.status = response.status
        self.all_headers = [(name.lower(), value) for name, value in response.getheaders()]
        self.headers = dict(self.all_headers)
        self.body = response.read()

    def json(self):
        return json.loads(self.body)


def call(server, url, method="GET", path="/", body=None, headers=None):
    """One request to a function URL. Not every resolver knows `*.localhost`: the host is a header."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    host = urllib.parse.urlsplit(url).netloc
    try:
        connection.request(method, path, body, {"Host": host, **(headers or {})})
        return Answer(connection.getresponse())
    finally:
        connection.close()


def make_public(client, name, **qualifier):
    client.add_permission(
        FunctionName=name,
        StatementId="url",
        Action="lambda:InvokeFunctionUrl",
        Principal="*",
        FunctionUrlAuthType="NONE",
        **qualifier,
    )
    client.add_permission(
        FunctionName=name,
        StatementId="function",
        Action="lambda:InvokeFunction",
        Principal="*",
        InvokedViaFunctionUrl=True,
        **qualifier,
    )


def public_url(server, name, source, url=None, **settings):
    """A function that everybody may call by its URL."""
    client = server.client("lambda")
    server.function(name, source, **settings)
    make_public(client, name)
    return client.create_function_url_config(FunctionName=name, AuthType="NONE", **(url or {}))[
        "FunctionUrl"
    ]


@pytest.fixture(scope="module")
def echo(server):
    return public_url(server, "url-echo", ECHO)


@pytest.fixture(scope="module")
def replay(server):
    return public_url(server, "url-replay", REPLAY)


def replayed(server, url, answer, headers=None):
    """What a client sees of a function's answer."""
    sent = {"Content-Type": "application/json", **(headers or {})}
    return call(server, url, "POST", body=json.dumps(answer), headers=sent)


def test_a_function_sees_the_request(server, echo):
    answer = call(
        server,
        echo,
        "PUT",
        "/a%20b/c?q=1&q=%2F2&empty=",
        body='{"ä": 1}'.encode(),
        headers={
            "Content-Type": "application/json",
            "X-Mixed": "So It Is",
            "Cookie": "a=1; b=2",
            "User-Agent": "test/echo",
        },
    )
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    event = answer.json()
    host = urllib.parse.urlsplit(echo)
    assert host.hostname.endswith(f".lambda-url.{REGION}.localhost")
    url_id = host.hostname.split(".")[0]
    assert (event["version"], event["routeKey"]) == ("2.0", "$default")
    assert (event["rawPath"], event["rawQueryString"]) == ("/a%20b/c", "q=1&q=%2F2&empty=")
    assert event["queryStringParameters"] == {"q": "1,/2", "empty": ""}
    assert event["cookies"] == ["a=1", "b=2"]
    assert (event["body"], event["isBase64Encoded"]) == ('{"ä": 1}', False)
    assert event["headers"]["x-mixed"] == "So It Is"
    assert event["headers"]["host"] == host.netloc
    assert event["headers"]["x-forwarded-port"] == str(server.port)
    context = event["requestContext"]
    assert (context["accountId"], context["apiId"]) == ("anonymous", url_id)
    assert (context["domainName"], context["domainPrefix"]) == (host.hostname, url_id)
    assert context["http"] == {
        "method": "PUT",
        "path": "/a b/c",
        "protocol": "HTTP/1.1",
        "sourceIp": "127.0.0.1",
        "userAgent": "test/echo",
    }
    # The one id: in the event, in the answer, in the log.
    assert answer.headers["x-amzn-requestid"] == context["requestId"]
    assert answer.headers["x-amzn-trace-id"].startswith(event["headers"]["x-amzn-trace-id"])
    line = f"got {context['requestId']} {context['requestId']}"
    eventually(lambda: server.log_lines("url-echo", f'"{line}"'), "the log has the request")


def test_binary_bodies_travel_in_base64(server, echo, replay):
    body = bytes(range(256))
    event = call(server, echo, "POST", body=body, headers={"Content-Type": "image/png"}).json()
    assert event["isBase64Encoded"] is True
    assert base64.b64decode(event["body"]) == body
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    event = call(server, echo, "POST", body="a=1", headers=form).json()
    assert (event["isBase64Encoded"], base64.b64decode(event["body"])) == (True, b"a=1")
    answer = {
        "statusCode": 200,
        "headers": {"Content-Type": "image/png"},
        "body": base64.b64encode(body).decode(),
        "isBase64Encoded": True,
    }
    seen = replayed(server, replay, answer)
    assert (seen.headers["content-type"], seen.body) == ("image/png", body)


def test_an_answer_is_taken_apart(server, replay):
    answer = {
        "statusCode": 201,
        "headers": {"My-Header": "Value"},
        "cookies": ["a=1; Secure", "b=2; Max-Age=5"],
        "body": '{"message": "hello"}',
    }
    seen = replayed(server, replay, answer)
    assert (seen.status, seen.body) == (201, b'{"message": "hello"}')
    assert seen.headers["my-header"] == "Value"
    cookies = [value for name, value in seen.all_headers if name == "set-cookie"]
    assert cookies == ["a=1; Secure", "b=2; Max-Age=5"]
    teapot = replayed(server, replay, {"statusCode": "418", "body": "i'm a teapot"})
    assert (teapot.status, teapot.body) == (418, b"i'm a teapot")


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        ({"hello": "world"}, b'{"hello":"world"}'),
        (["hello", 3, True], b'["hello",3,true]'),
        ("hello", b"hello"),
        (3.1, b"3.1"),
    ],
)
def test_other_json_is_the_body(server, replay, answer, body):
    seen = replayed(server, replay, answer)
    assert (seen.status, seen.headers["content-type"], seen.body) == (200, "application/json", body)


def test_failures_are_bad_gateways(server, replay):
    malformed = {"statusCode": 200, "headers": {"so it": "is"}}
    for answer in (malformed, {"statusCode": "so"}, {"statusCode": 200, "cookies": 1}):
        seen = replayed(server, replay, answer)
        assert (seen.status, seen.body) == (502, b"Internal Server Error")
    raised = call(server, replay, "POST", body="{", headers={"Content-Type": "application/json"})
    assert (raised.status, raised.body) == (502, b"Internal Server Error")
    assert raised.headers["x-amzn-requestid"]


def test_methods_reach_the_function(server, echo):
    for method in ("GET", "DELETE", "PATCH", "OPTIONS"):
        event = call(server, echo, method).json()
        assert event["requestContext"]["http"]["method"] == method
        assert "body" not in event
    head = call(server, echo, "HEAD")
    assert (head.status, head.body) == (200, b"")


def test_pages_from_elsewhere_may_call(server, echo):
    event = call(server, echo, headers={"Origin": "https://example.com"}).json()
    assert event["headers"]["origin"] == "https://example.com"
    # A function's own authorization is not ours.
    event = call(server, echo, headers={"Authorization": "Bearer token"}).json()
    assert event["headers"]["authorization"] == "Bearer token"


def test_both_permissions_are_needed(server, name):
    client = server.client("lambda")
    server.function(name, ECHO)
    url = client.create_function_url_config(FunctionName=name, AuthType="NONE")["FunctionUrl"]
    refused = call(server, url)
    assert (refused.status, refused.json()) == (403, FORBIDDEN)
    assert refused.headers["x-amzn-errortype"] == "AccessDeniedException"
    make_public(client, name)
    assert call(server, url).status == 200
    client.remove_permission(FunctionName=name, StatementId="function")
    assert call(server, url).json() == FORBIDDEN
    host = f"http://{'a' * 32}.lambda-url.{REGION}.localhost"
    nobody = call(server, host)
    assert (nobody.status, nobody.body) == (403, b'{"Message":null}')


def signed(server, url, key=ACCOUNT, path="/", method="GET", body=b"", auth=SigV4Auth, secret="s"):
    """The headers and the path of a request that is signed."""
    host = urllib.parse.urlsplit(url).netloc
    request = AWSRequest(method, f"http://{host}{path}", data=body, headers={"Host": host})
    auth(Credentials(key, secret), "lambda", REGION).add_auth(request)
    address = urllib.parse.urlsplit(request.url)
    return call(
        server, url, method, f"{address.path}?{address.query}", body, dict(request.headers.items())
    )


def test_signed_calls_tell_who_calls(server, name):
    client = server.client("lambda")
    server.function(name, ECHO)
    url = client.create_function_url_config(FunctionName=name, AuthType="AWS_IAM")["FunctionUrl"]
    assert call(server, url).json() == FORBIDDEN
    event = signed(server, url).json()
    assert event["requestContext"]["accountId"] == ACCOUNT
    iam = event["requestContext"]["authorizer"]["iam"]
    assert (iam["accessKey"], iam["accountId"], iam["cognitoIdentity"]) == (ACCOUNT, ACCOUNT, None)
    assert iam["userArn"] == f"arn:aws:iam::{ACCOUNT}:root"
    assert "authorization" not in event["headers"]
    assert "x-amz-date" in event["headers"]
    other = "123456789012"
    assert signed(server, url, key=other).json() == FORBIDDEN
    for statement, action, condition in (
        ("url", "lambda:InvokeFunctionUrl", {"FunctionUrlAuthType": "AWS_IAM"}),
        ("function", "lambda:InvokeFunction", {"InvokedViaFunctionUrl": True}),
    ):
        client.add_permission(
            FunctionName=name, StatementId=statement, Action=action, Principal=other, **condition
        )
    event = signed(server, url, key=other).json()
    assert event["requestContext"]["accountId"] == ACCOUNT
    assert event["requestContext"]["authorizer"]["iam"]["accountId"] == other


def test_signatures_are_checked_when_enforced(enforcing_server):
    server = enforcing_server
    lines = [line.strip() for line in server.rest_of_greeting(7)]
    found = dict(line.split("=", 1) for line in lines if line.startswith("AWS_"))
    key, secret = found["AWS_ACCESS_KEY_ID"], found["AWS_SECRET_ACCESS_KEY"]
    iam = server.client("iam", key, secret)
    iam.create_role(RoleName="function", AssumeRolePolicyDocument=json.dumps(TRUST))
    client = server.client("lambda", key, secret)
    client.create_function(
        FunctionName="f",
        Code={"ZipFile": package({"index.py": ECHO})},
        Runtime=PYTHON,
        Handler="index.handler",
        Role=ROLE,
    )
    url = client.create_function_url_config(FunctionName="f", AuthType="AWS_IAM")["FunctionUrl"]
    arguments = {"path": "/a%20b?q=1", "method": "POST", "body": b"hello"}
    event = signed(server, url, key, secret=secret, **arguments).json()
    assert base64.b64decode(event["body"]) == b"hello"
    assert event["requestContext"]["authorizer"]["iam"]["accessKey"] == key
    wrong = signed(server, url, key, secret="wrong", **arguments)
    assert wrong.status == 403
    assert wrong.headers["x-amzn-errortype"] == "InvalidSignatureException"
    assert wrong.json()["message"].startswith("The request signature we calculated does not match")
    assert call(server, url).json() == FORBIDDEN
    unknown = signed(server, url, "AKIAUNKNOWNUNKNOWN12", secret=secret)
    assert unknown.headers["x-amzn-errortype"] == "UnrecognizedClientException"

    def presign(*arguments):
        return SigV4QueryAuth(*arguments, expires=60)

    event = signed(server, url, key, secret=secret, auth=presign).json()
    assert event["queryStringParameters"]["X-Amz-Algorithm"] == "AWS4-HMAC-SHA256"


def test_an_alias_has_a_url_of_its_own(server, name):
    client = server.client("lambda")
    server.function(name, "def handler(event, context):\n    return context.invoked_function_arn\n")
    client.publish_version(FunctionName=name)
    client.create_alias(FunctionName=name, Name="PROD", FunctionVersion="1")
    created = client.create_function_url_config(
        FunctionName=name, Qualifier="PROD", AuthType="NONE"
    )
    assert created["FunctionArn"].endswith(f":{name}:PROD")
    url = created["FunctionUrl"]
    # The function's policy is not the alias's.
    make_public(client, name)
    assert call(server, url).status == 403
    make_public(client, name, Qualifier="PROD")
    assert call(server, url).body.decode() == created["FunctionArn"]
    client.delete_alias(FunctionName=name, Name="PROD")
    assert call(server, url).status == 403


def test_configurations_read_back(server, name, refused):
    client = server.client("lambda")
    server.function(name, ECHO)
    cors = {
        "AllowCredentials": True,
        "AllowHeaders": ["x-a"],
        "AllowMethods": ["GET"],
        "AllowOrigins": ["https://example.com"],
        "ExposeHeaders": ["x-b"],
        "MaxAge": 86400,
    }
    created = client.create_function_url_config(FunctionName=name, AuthType="NONE", Cors=cors)
    assert (created["Cors"], created["ResponseMetadata"]["HTTPStatusCode"]) == (cors, 201)
    assert "InvokeMode" not in created
    got = client.get_function_url_config(FunctionName=name)
    assert (got["InvokeMode"], got["Cors"]) == ("BUFFERED", cors)
    assert got["CreationTime"] == got["LastModifiedTime"] == created["CreationTime"]
    listed = client.list_function_url_configs(FunctionName=name)["FunctionUrlConfigs"]
    assert [it["FunctionUrl"] for it in listed] == [created["FunctionUrl"]]
    with refused("ResourceConflictException", status=409):
        client.create_function_url_config(FunctionName=name, AuthType="NONE")
    pattern = (
        "1 validation error detected: Value '{}' at 'qualifier' failed to satisfy constraint: "
        "Member must satisfy regular expression pattern: ((?!^\\d+$)^[0-9a-zA-Z-_]+$)"
    )
    for qualifier in ("1", "$LATEST"):
        with refused("ValidationException", pattern.format(qualifier), 400):
            client.create_function_url_config(
                FunctionName=name, Qualifier=qualifier, AuthType="NONE"
            )
    modes = (
        "1 validation error detected: Value 'UNKNOWN' at 'invokeMode' failed to satisfy "
        "constraint: Member must satisfy enum value set: [RESPONSE_STREAM, BUFFERED]"
    )
    with refused("ValidationException", modes, 400):
        client.update_function_url_config(FunctionName=name, InvokeMode="UNKNOWN")
    with urllib.request.urlopen(f"{server.endpoint}/_lampejo/status") as status:
        assert json.load(status)["function_urls"][created["FunctionUrl"]] == created["FunctionArn"]
    with refused("ValidationException", status=400) as refusal:
        client.update_function_url_config(FunctionName=name, Cors={"MaxAge": 86401})
    assert "86400" in refusal.message
    client.delete_function_url_config(FunctionName=name)
    with refused("ResourceNotFoundException", "The resource you requested does not exist.", 404):
        client.get_function_url_config(FunctionName=name)


def test_cross_origin_rules(server, name):
    source = (
        "def handler(event, context):\n"
        "    return {'statusCode': 200, 'headers': {'x-mine': '1'}, 'body': ''}\n"
    )
    cors = {
        "AllowMethods": ["GET", "PUT"],
        "AllowHeaders": ["content-type"],
        "AllowOrigins": ["https://example.com"],
        "ExposeHeaders": ["x-mine"],
        "MaxAge": 60,
    }
    url = public_url(server, name, source, url={"Cors": cors})
    ask = {"Origin": "https://example.com", "Access-Control-Request-Method": "PUT"}
    preflight = call(server, url, "OPTIONS", headers=ask)
    assert (preflight.status, preflight.body) == (200, b"")
    assert preflight.headers["access-control-allow-origin"] == "https://example.com"
    assert preflight.headers["access-control-allow-methods"] == "GET,PUT"
    assert preflight.headers["access-control-allow-headers"] == "content-type"
    assert preflight.headers["access-control-max-age"] == "60"
    assert "x-mine" not in preflight.headers
    other = call(server, url, "OPTIONS", headers={**ask, "Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in other.headers
    simple = call(server, url, headers={"Origin": "https://example.com"})
    assert simple.headers["access-control-allow-origin"] == "https://example.com"
    assert (simple.headers["access-control-expose-headers"], simple.headers["x-mine"]) == (
        "x-mine",
        "1",
    )


def test_throttled_and_too_large_requests(server, echo, name):
    url = public_url(server, name, ECHO)
    client = server.client("lambda")
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    throttled = call(server, url)
    assert throttled.status == 429
    assert throttled.json()["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
    assert throttled.headers["x-amzn-errortype"] == "TooManyRequestsException"
    client.delete_function_concurrency(FunctionName=name)
    assert call(server, url).status == 200
    # Five megabytes fit, but not in base64.
    sent = {"Content-Type": "text/plain"}
    assert call(server, echo, "POST", body=b"x" * 5_000_000, headers=sent).status == 200
    assert call(server, echo, "POST", body=b"x" * 5_000_000).status == 413
    assert call(server, echo, "POST", body=b"x" * 6_291_457, headers=sent).status == 413


@pytest.mark.parametrize("prelude", [True, False])
def test_a_stream_arrives_while_the_function_runs(server, name, prelude):
    settings = {"Runtime": "provided.al2023", "MemorySize": 512, "Timeout": 30, "file": "bootstrap"}
    stream = {"InvokeMode": "RESPONSE_STREAM"}
    url = public_url(server, name, (STREAMING, 0o755), stream, **settings)
    sqs = server.client("sqs")
    queue = sqs.create_queue(QueueName=name)["QueueUrl"]
    event = json.dumps({"queue": queue, "prelude": prelude})
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    headers = {"Host": urllib.parse.urlsplit(url).netloc, "Content-Type": "application/json"}
    connection.request("POST", "/", event, headers)
    response = connection.getresponse()
    if prelude:
        assert (response.status, response.getheader("x-mine")) == (202, "1")
        assert response.getheader("set-cookie") == "a=1"
        assert response.getheader("content-type") == "application/octet-stream"
    else:
        assert (response.status, response.getheader("content-type")) == (200, "text/plain")
    assert response.read(5) == b"first"
    # The function goes on when it gets this, which it could not if the answer waited for its end.
    sqs.send_message(QueueUrl=queue, MessageBody="go")
    assert response.read() == b"second"
    connection.close()


def test_a_plain_answer_is_not_taken_apart_when_streamed(server, name):
    source = "def handler(event, context):\n    return {'statusCode': 404, 'body': 'x'}\n"
    url = public_url(server, name, source, url={"InvokeMode": "RESPONSE_STREAM"})
    answer = call(server, url)
    assert (answer.status, answer.json()) == (200, {"statusCode": 404, "body": "x"})
    failing = "def handler(event, context):\n    raise ValueError\n"
    url = public_url(server, f"{name}-f", failing, url={"InvokeMode": "RESPONSE_STREAM"})
    assert (call(server, url).status, call(server, url).body) == (502, b"Internal Server Error")


def test_many_clients_at_once(server, echo):
    with concurrent.futures.ThreadPoolExecutor(8) as clients:
        paths = [f"/{number}" for number in range(32)]
        seen = clients.map(lambda path: call(server, echo, path=path).json()["rawPath"], paths)
        assert list(seen) == paths


def test_a_url_survives_a_restart(own_server, name):
    url = public_url(own_server, name, ECHO)
    assert call(own_server, url).status == 200
    own_server.kill()
    own_server.start()
    config = own_server.client("lambda").get_function_url_config(FunctionName=name)
    assert config["FunctionUrl"] == url
    assert call(own_server, url, path="/again").json()["rawPath"] == "/again"
    own_server.client("lambda").delete_function(FunctionName=name)
    assert call(own_server, url).status == 403
