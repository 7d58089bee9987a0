"""Responses that stream: InvokeWithResponseStream with boto3 and handlers of Node.js."""

import base64
import json
import shutil
import subprocess

import pytest

from lampejo_server import eventually

# `until(KEY)` waits for an object; `event.bucket` is where.
HANDLER = """
exports.handler = awslambda.streamifyResponse(async (event, response) => {
  const until = async (key) => {
    const url = `${process.env.AWS_ENDPOINT_URL}/${event.bucket}/${key}`;
    while ((await fetch(url)).status !== 200) await new Promise((resolve) => setTimeout(resolve, 5));
  };
  BODY
});
"""


@pytest.fixture(scope="module")
def node():
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True)
    return f"nodejs{version.stdout.strip('v').split('.')[0]}.x"


@pytest.fixture
def client(server):
    return server.client("lambda")


@pytest.fixture
def streaming(server, node, name):
    """Creates a function from the body of its handler."""

    def create(body, **settings):
        settings = {"Runtime": node, "MemorySize": 512, "Timeout": 20, **settings}
        server.function(name, HANDLER.replace("BODY", body), file="index.js", **settings)
        return name

    return create


@pytest.fixture
def bucket(server, name):
    server.client("s3").create_bucket(Bucket=name)
    return name


def stream(client, function, event=None, **arguments):
    return client.invoke_with_response_stream(
        FunctionName=function, Payload=json.dumps(event or {}), **arguments
    )


def read(response):
    """All that is left: the payload, and what InvokeComplete says."""
    events = list(response["EventStream"])
    payload = b"".join(event["PayloadChunk"]["Payload"] for event in events[:-1])
    return payload, events[-1]["InvokeComplete"]


def test_chunks_arrive_while_the_handler_still_runs(server, client, streaming, bucket):
    function = streaming(
        "response.setContentType('text/plain'); response.write('first'); await until('go');"
        "console.log('told'); response.end('second');"
    )
    response = stream(client, function, {"bucket": bucket}, LogType="Tail")
    headers = response["ResponseMetadata"]["HTTPHeaders"]
    assert (response["StatusCode"], response["ExecutedVersion"]) == (200, "$LATEST")
    assert headers["content-type"] == "application/vnd.amazon.eventstream"
    assert headers["x-amzn-remapped-content-type"] == "text/plain"
    events = iter(response["EventStream"])
    assert next(events) == {"PayloadChunk": {"Payload": b"first"}}
    # The handler cannot come to its end before.
    server.client("s3").put_object(Bucket=bucket, Key="go", Body=b"")
    assert next(events) == {"PayloadChunk": {"Payload": b"second"}}
    complete = next(events)["InvokeComplete"]
    assert list(complete) == ["LogResult"] and next(events, None) is None
    log = base64.b64decode(complete["LogResult"]).decode()
    assert "\ttold\n" in log and "\nREPORT RequestId: " in log


def test_invoke_collects_what_streams(server, streaming):
    function = streaming("for (const part of '{\"a\":1}') response.write(part); response.end();")
    assert server.invoke(function) == ({"a": 1}, None)


def test_handlers_that_do_not_stream_give_one_chunk(server, client, name):
    server.function(name, "def handler(event, context):\n    return 1 / event['by']\n")
    response = stream(client, name, {"by": 2})
    headers = response["ResponseMetadata"]["HTTPHeaders"]
    assert headers["x-amzn-remapped-content-type"] == "application/json"
    assert list(response["EventStream"]) == [
        {"PayloadChunk": {"Payload": b"0.5"}},
        {"InvokeComplete": {}},
    ]
    payload, complete = read(stream(client, name, {"by": 0}))
    assert json.loads(payload)["errorType"] == complete["ErrorCode"] == "ZeroDivisionError"
    assert complete["ErrorDetails"] == payload.decode()


def test_errors_before_and_after_the_first_byte(client, streaming):
    function = streaming(
        "if (event.begin) response.write('begun'); if (event.exit) process.exit(event.exit);"
        "throw new TypeError('no');"
    )
    for begin, begun in ((False, b""), (True, b"begun")):
        payload, complete = read(stream(client, function, {"begin": begin}))
        document = json.loads(complete["ErrorDetails"])
        assert (complete["ErrorCode"], document["errorMessage"]) == ("TypeError", "no")
        assert payload == (begun or complete["ErrorDetails"].encode())
    payload, complete = read(stream(client, function, {"begin": True, "exit": 3}))
    assert complete["ErrorCode"] == "Runtime.ExitError"
    assert json.loads(complete["ErrorDetails"])["errorMessage"].endswith("exit status 3")


def test_the_timeout_ends_an_endless_stream(client, streaming):
    function = streaming(
        "for (;;) { response.write('x'); await new Promise((resolve) => setTimeout(resolve, 5)); }",
        Timeout=1,
    )
    payload, complete = read(stream(client, function))
    assert payload and set(payload) == set(b"x")
    assert complete["ErrorCode"] == "Sandbox.Timedout"
    assert json.loads(complete["ErrorDetails"])["errorMessage"].endswith("after 1.00 seconds")


def test_a_stream_may_be_longer_than_a_response(client, server, streaming):
    function = streaming(
        "for (let i = 0; i < 56; i++) if (!response.write(Buffer.alloc(131072, i)))"
        "  await new Promise((resolve) => response.once('drain', resolve));"
        "response.end();"
    )
    payload, complete = read(stream(client, function))
    assert payload == b"".join(bytes([i]) * 131072 for i in range(56)) and complete == {}
    document, error = server.invoke(function)
    assert (document["errorType"], error) == ("Function.ResponseSizeTooLarge", "Unhandled")


def test_a_client_that_hangs_up_does_not_end_the_function(server, client, streaming, bucket):
    function = streaming("response.write('a'); await until('go'); response.end(); console.log('!');")
    response = stream(client, function, {"bucket": bucket})
    assert next(iter(response["EventStream"])) == {"PayloadChunk": {"Payload": b"a"}}
    response["EventStream"].close()
    server.client("s3").put_object(Bucket=bucket, Key="go", Body=b"")
    ended = lambda: [line for line in server.log_lines(function) if line.endswith("\t!")]
    eventually(ended, "the handler's last line")


def test_a_stream_keeps_its_place_until_it_has_ended(
    server, client, streaming, bucket, refused
):
    function = streaming("response.write('a'); await until('go'); response.end();")
    client.put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=1)
    response = stream(client, function, {"bucket": bucket})
    with refused("TooManyRequestsException", "Rate Exceeded.", 429):
        stream(client, function, {"bucket": bucket})
    server.client("s3").put_object(Bucket=bucket, Key="go", Body=b"")
    assert read(response) == (b"a", {})
    assert read(stream(client, function, {"bucket": bucket})) == (b"a", {})


def test_requests_are_checked_first(client, name, server, refused):
    server.function(name, "def handler(event, context):\n    print('ran')\n")
    with refused("ResourceNotFoundException", status=404):
        stream(client, f"no-{name}")
    with refused("InvalidRequestContentException", status=400):
        client.invoke_with_response_stream(FunctionName=name, Payload=b"{")
    response = stream(client, name, InvocationType="DryRun")
    assert response["StatusCode"] == 204 and list(response["EventStream"]) == []
    with refused("ValidationException", status=400):
        stream(client, name, InvocationType="Event")
    assert server.log_lines(name) == []


def test_a_version_streams_under_its_own_number(client, streaming):
    function = streaming("response.end('one');")
    version = client.publish_version(FunctionName=function)["Version"]
    response = stream(client, function, Qualifier=version)
    assert response["ExecutedVersion"] == version
    assert read(response) == (b"one", {})


def test_a_client_that_reads_no_further_does_not_keep_a_server_from_stopping(own_server, node, name):
    source = HANDLER.replace(
        "BODY", "for (;;) if (!response.write('x'.repeat(65536))) await new Promise("
        "(resolve) => response.once('drain', resolve));"
    )
    settings = {"Runtime": node, "MemorySize": 512, "Timeout": 60}
    own_server.function(name, source, file="index.js", **settings)
    response = stream(own_server.client("lambda"), name)
    next(iter(response["EventStream"]))
    assert own_server.stop() == 0
