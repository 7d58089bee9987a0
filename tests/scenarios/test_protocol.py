"""The wire: what is malformed, too large, too deep or unknown is refused in each protocol's form,
and the server goes on."""

import http.client
import json
import re
import socket
import urllib.error
import urllib.parse
import urllib.request

import pytest

from lampejo_server import REGION

DEEP = 100_000


class Wire:
    """Requests as bytes, for what no client would send."""

    def __init__(self, server):
        self.server = server

    def send(self, service, method="POST", path="/", body=b"", headers=None):
        """Answers with status, headers and body."""
        scope = f"Credential=test/20260101/{REGION}/{service}/aws4_request"
        given = {
            "Authorization": f"AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0",
            "X-Amz-Date": "20260101T000000Z",
            **(headers or {}),
        }
        place = self.server.endpoint.removeprefix("http://")
        connection = http.client.HTTPConnection(place, timeout=60)
        try:
            connection.request(method, path, body, given)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read().decode()
        finally:
            connection.close()

    def json(self, target, body):
        """One request of a JSON service: status, error code, message."""
        service = {"AmazonSQS": "sqs", "Logs_20140328": "logs"}[target.split(".")[0]]
        version = "1.0" if service == "sqs" else "1.1"
        headers = {"X-Amz-Target": target, "Content-Type": f"application/x-amz-json-{version}"}
        status, _, text = self.send(service, body=body, headers=headers)
        answer = json.loads(text)
        code = answer.get("__type", "").rpartition("#")[2]
        return status, code, answer.get("message", answer.get("Message"))

    def form(self, service, body):
        """One request of a query service: status and body."""
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        data = body if isinstance(body, bytes) else urllib.parse.urlencode(body).encode()
        status, headers, text = self.send(service, body=data, headers=kind)
        assert headers["Content-Type"] == "text/xml"
        return status, text


@pytest.fixture
def wire(server):
    yield Wire(server)
    assert server.healthy()


def error_of(text):
    """Code and message of an XML error."""
    code = re.search(r"<Code>(.*?)</Code>", text)
    message = re.search(r"<Message>(.*?)</Message>", text)
    return code and code[1], message and message[1]


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"",
        b"[]",
        b"nothing",
        b'"text"',
        b'{"QueueName": "a"',
        b"\xff\xfe",
        b"[" * DEEP,
        b'{"tags":' * DEEP,
        b'{"unknown":' + b"[" * DEEP + b"]" * DEEP + b"}",
    ],
    ids="cut empty list word text unfinished bytes deep nested unknown".split(),
)
def test_json_that_is_none_is_refused(wire, body):
    status, code, _ = wire.json("AmazonSQS.CreateQueue", body)
    assert (status, code) in [(400, "SerializationException"), (400, "MissingParameter")]
    status, code, _ = wire.json("Logs_20140328.CreateLogGroup", body)
    assert (status, code) in [
        (400, "SerializationException"),
        (400, "InvalidParameterException"),
    ]


@pytest.mark.parametrize(
    "members",
    [
        {"QueueName": 7},
        {"QueueName": {"a": "b"}},
        {"QueueName": "q", "Attributes": []},
        {"QueueName": "q", "Attributes": {"VisibilityTimeout": ["1"]}},
    ],
    ids=["number", "object", "list", "list-in-map"],
)
def test_json_of_the_wrong_type_is_refused(wire, members):
    status, code, _ = wire.json("AmazonSQS.CreateQueue", json.dumps(members))
    assert (status, code) == (400, "SerializationException")


def test_rest_json_that_is_none_is_refused(wire):
    for body in (b"{", b"[]", b"[" * DEEP, b'{"Code":' * DEEP, b'{"FunctionName": 7}'):
        status, headers, text = wire.send("lambda", path="/2015-03-31/functions", body=body)
        assert status == 400, text
        assert headers["X-Amzn-ErrorType"].startswith("SerializationException")


def test_a_payload_may_be_deep(server, wire, name):
    server.function(name, "def handler(event, context):\n    return 1\n")
    path = f"/2015-03-31/functions/{name}/invocations"
    status, _, text = wire.send("lambda", path=path, body=b"[" * DEEP + b"]" * DEEP)
    # Python's own parser gives up: the function's error, not the server's.
    assert status == 200
    assert json.loads(text)["errorType"] in ("RecursionError", "Runtime.UnmarshalError")
    assert server.invoke(name) == (1, None)


@pytest.mark.parametrize(
    "body",
    [
        b"<a>" * DEEP,
        b"<Tagging",
        b"",
        b"\xff",
        b"<!DOCTYPE a [<!ENTITY b 'c'>]><Tagging>&b;</Tagging>",
        b"<Tagging><TagSet>" + b"<Tag>" * DEEP,
    ],
    ids=["deep", "cut", "empty", "bytes", "entity", "nested"],
)
def test_xml_that_is_none_is_refused(server, wire, name, body):
    server.client("s3").create_bucket(Bucket=name)
    status, _, text = wire.send("s3", "PUT", f"/{name}?tagging", body)
    assert (status, error_of(text)[0]) in [(400, "MalformedXML"), (400, "MissingRequestBodyError")]


def test_a_form_that_is_none_is_refused(wire):
    for body, code in [
        (b"", "MissingAction"),
        (b"Version=2010-05-08", "MissingAction"),
        (b"Action=NoSuchAction&Version=2010-05-08", "InvalidAction"),
    ]:
        status, text = wire.form("iam", body)
        assert (status, error_of(text)[0]) == (400, code)
    status, text = wire.form("iam", {"Action": "CreateUser", "Version": "2010-05-08"})
    assert (status, error_of(text)[0]) == (400, "ValidationError")
    # No end of members, and one with an index that no list has.
    members = {f"Tags.member.{n}.Key": "a" for n in (1, 2, 99_999_999_999)}
    status, _ = wire.form("iam", {"Action": "CreateUser", "UserName": "u", **members})
    assert status == 400
    status, _ = wire.form("iam", b"Action=CreateUser&UserName" + b".a" * DEEP + b"=1")
    assert status == 400


def test_what_is_too_large_is_refused(wire):
    large = b" " * ((16 << 20) + 1)
    headers = {"X-Amz-Target": "AmazonSQS.SendMessage"}
    try:
        status, _, _ = wire.send("sqs", body=large, headers=headers)
    except (BrokenPipeError, ConnectionResetError):
        return  # It need not read what it will not take.
    assert status == 413


def test_an_operation_that_there_is_not_is_refused(wire):
    status, code, _ = wire.json("AmazonSQS.NoSuchOperation", b"{}")
    assert (status, code) == (400, "UnknownOperationException")
    status, headers, _ = wire.send("lambda", "GET", "/2015-03-31/nothing")
    assert (status, headers["X-Amzn-ErrorType"]) == (404, "UnknownOperationException")


@pytest.mark.parametrize(
    ("service", "call", "arguments", "name_of_it"),
    [
        ("lambda", "list_capacity_providers", {}, "ListCapacityProviders"),
        ("logs", "start_query", {"startTime": 0, "endTime": 1, "queryString": "x"}, "StartQuery"),
        ("iam", "list_server_certificates", {}, "ListServerCertificates"),
    ],
)
def test_an_operation_that_is_not_built_is_named(
    server, refused, service, call, arguments, name_of_it
):
    with refused("NotImplemented", status=501) as refusal:
        getattr(server.client(service), call)(**arguments)
    assert name_of_it in refusal.message


@pytest.mark.parametrize(
    ("service", "call"),
    [
        ("dynamodb", "list_tables"),
        ("sns", "list_topics"),
        ("apigateway", "get_rest_apis"),
        ("route53", "list_hosted_zones"),
        ("s3vectors", "list_vector_buckets"),
    ],
)
def test_a_service_that_is_not_built_is_named(server, refused, service, call):
    with refused("NotImplemented", status=501) as refusal:
        getattr(server.client(service), call)()
    assert service in refusal.message


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"y" * (1 << 20) + b"\r\n\r\n",
        b"GET /%zz%00?%%% HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    ],
    ids=["tls", "short", "version", "length", "chunks", "header", "escapes"],
)
def test_bytes_that_are_no_request_end_the_connection(server, wire, request_bytes):
    host, port = server.endpoint.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        try:
            connection.sendall(request_bytes)
            connection.shutdown(socket.SHUT_WR)
            answer = b"".join(iter(lambda: connection.recv(65_536), b""))
        except OSError:
            return  # Hung up on.
    assert answer == b"" or re.match(rb"HTTP/1.1 [45]\d\d ", answer), answer[:200]


def test_a_page_from_elsewhere_cannot_drive_an_open_server(server, name):
    body = f'{{"QueueName": "{name}"}}'.encode()
    scope = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=20261123T000000Z&X-Amz-SignedHeaders=host"
    scope += "&X-Amz-Credential=a/20261123/us-east-1/sqs/aws4_request&X-Amz-Signature=0"
    form = f"Action=CreateQueue&Version=2012-11-05&QueueName={name}".encode()
    for path, data in ((f"/?{scope}", form), ("/", form), ("/", body)):
        for origin, allowed in (("https://evil.example", False), ("http://localhost:3000", True)):
            request = urllib.request.Request(f"{server.endpoint}{path}", data=data, method="POST")
            request.add_header("Origin", origin)
            request.add_header("Content-Type", "application/x-www-form-urlencoded")
            try:
                status = urllib.request.urlopen(request, timeout=10).status
            except urllib.error.HTTPError as error:
                status = error.code
            assert (status != 403) == allowed, (path, origin, status)
