"""Invocations: answers, logs, and what callers see when a function fails."""

import base64
import concurrent.futures
import json
import re
import time

import pytest

from lampejo_server import eventually

FAULTS = """
import ctypes, os, sys, time

class Own(Exception):
    pass

def handler(event, context):
    what = event["what"]
    if what == "raise":
        raise Own("so it is")
    if what == "sleep":
        time.sleep(60)
    if what == "exit":
        sys.exit(event["code"])
    if what == "crash":
        ctypes.string_at(0)
    if what == "abort":
        os.abort()
    if what == "signal":
        os.kill(os.getpid(), event["number"])
    if what == "memory":
        hoard = []
        while True:
            hoard.append(b"x" * (8 << 20))
    if what == "large":
        return "x" * 6_291_556
    if what == "odd":
        return {1, 2}
"""
REPORT = re.compile(
    r"REPORT RequestId: [0-9a-f-]{36}\tDuration: \d+\.\d\d ms\tBilled Duration: \d+ ms\t"
    r"Memory Size: 128 MB\tMax Memory Used: \d+ MB\t(Init Duration: \d+\.\d\d ms\t)?"
)


@pytest.fixture
def client(server):
    return server.client("lambda")


@pytest.fixture(scope="module")
def faulty(server):
    server.function("faulty", FAULTS, Timeout=30)
    return "faulty"


def call(client, name, event, **arguments):
    """The answer's payload, its error kind, and the request's id."""
    answer = client.invoke(FunctionName=name, Payload=json.dumps(event), **arguments)
    request_id = answer["ResponseMetadata"]["RequestId"]
    return json.load(answer["Payload"]), answer.get("FunctionError"), request_id


def test_an_answer_comes_with_the_end_of_the_log(server, client, name):
    source = "def handler(event, context):\n    print('said', event)\n    return event\n"
    server.function(name, source)
    answer = client.invoke(FunctionName=name, Payload=b'{"a": [1, "\xc3\xa4"]}', LogType="Tail")
    assert (answer["StatusCode"], answer["ExecutedVersion"]) == (200, "$LATEST")
    assert json.load(answer["Payload"]) == {"a": [1, "ä"]}
    request_id = answer["ResponseMetadata"]["RequestId"]
    lines = base64.b64decode(answer["LogResult"]).decode().splitlines()
    start = lines.index(f"START RequestId: {request_id} Version: $LATEST")
    assert lines[start + 1] == "said {'a': [1, 'ä']}"
    assert lines[start + 2] == f"END RequestId: {request_id}"
    assert REPORT.match(lines[start + 3]).group(1), "a cold start tells of its init"
    tail = base64.b64decode(client.invoke(FunctionName=name, LogType="Tail")["LogResult"]).decode()
    assert "Init Duration" not in tail
    assert "LogResult" not in client.invoke(FunctionName=name)


def test_the_log_reaches_the_functions_group(server, name):
    server.function(name, "def handler(event, context):\n    print('said')\n")
    server.invoke(name)
    lines = eventually(lambda: server.log_lines(name, "said"), "the line is there")
    assert lines == ["said"]
    logs = server.client("logs")
    (stream,) = logs.describe_log_streams(logGroupName=f"/aws/lambda/{name}")["logStreams"]
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}", stream["logStreamName"])


def test_nothing_happens_in_a_dry_run(server, client, name):
    server.function(name, "def handler(event, context):\n    print('ran')\n")
    answer = client.invoke(FunctionName=name, InvocationType="DryRun")
    assert (answer["StatusCode"], answer["Payload"].read()) == (204, b"")
    assert client.invoke(FunctionName=name, InvocationType="Event")["StatusCode"] == 202
    assert eventually(lambda: server.log_lines(name, "ran"), "the event ran") == ["ran"]


def test_an_exception_is_told_with_its_trace(client, faulty):
    payload, kind, request_id = call(client, faulty, {"what": "raise"})
    assert kind == "Unhandled"
    assert (payload["errorType"], payload["errorMessage"]) == ("Own", "so it is")
    assert payload["requestId"] == request_id
    assert payload["stackTrace"] == [
        '  File "/var/task/index.py", line 10, in handler\n    raise Own("so it is")\n'
    ]


def test_a_function_that_takes_too_long_is_stopped(server, client, name):
    server.function(name, FAULTS, Timeout=1)
    answer = client.invoke(FunctionName=name, Payload=b'{"what": "sleep"}', LogType="Tail")
    request_id = answer["ResponseMetadata"]["RequestId"]
    assert answer["FunctionError"] == "Unhandled"
    reason = f"RequestId: {request_id} Error: Task timed out after 1.00 seconds"
    assert json.load(answer["Payload"]) == {
        "errorType": "Sandbox.Timedout",
        "errorMessage": reason,
    }
    tail = base64.b64decode(answer["LogResult"]).decode()
    moment = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
    line = rf"{moment} {request_id} Task timed out after 1\.00 seconds"
    assert re.search(line, tail)
    assert re.search(r"REPORT .*\tStatus: timeout$", tail.rstrip("\n"))
    # The next one gets a new environment.
    assert call(client, name, {"what": "none"})[:2] == (None, None)


@pytest.mark.parametrize(
    ("event", "error_type", "reason"),
    [
        ({"what": "exit", "code": 3}, "Runtime.ExitError",
         "Runtime exited with error: exit status 3"),
        ({"what": "exit", "code": 0}, "Runtime.ExitError",
         "Runtime exited without providing a reason"),
        ({"what": "crash"}, "Runtime.ExitError",
         "Runtime exited with error: signal: segmentation fault"),
        ({"what": "abort"}, "Runtime.ExitError", "Runtime exited with error: signal: aborted"),
        ({"what": "signal", "number": 15}, "Runtime.ExitError",
         "Runtime exited with error: signal: terminated"),
    ],
)
def test_a_runtime_that_ends_is_told(client, faulty, event, error_type, reason):
    payload, kind, request_id = call(client, faulty, event)
    assert kind == "Unhandled"
    assert payload == {
        "errorType": error_type,
        "errorMessage": f"RequestId: {request_id} Error: {reason}",
    }


def test_a_function_that_takes_too_much_memory_is_killed(needs_sandbox, client, faulty):
    payload, kind, request_id = call(client, faulty, {"what": "memory"})
    assert kind == "Unhandled"
    assert payload == {
        "errorType": "Runtime.OutOfMemory",
        "errorMessage": f"RequestId: {request_id} Error: Runtime exited with error: signal: killed",
    }


def test_an_answer_that_cannot_be_json_is_an_error(client, faulty):
    payload, kind, _ = call(client, faulty, {"what": "odd"})
    assert kind == "Unhandled"
    assert payload["errorType"] == "Runtime.MarshalError"
    assert payload["errorMessage"] == (
        "Unable to marshal response: Object of type set is not JSON serializable"
    )


def test_an_answer_that_is_too_large_is_an_error(client, faulty):
    payload, kind, _ = call(client, faulty, {"what": "large"})
    assert kind == "Unhandled"
    assert payload == {
        "errorType": "Function.ResponseSizeTooLarge",
        "errorMessage": "Response payload size exceeded maximum allowed payload size "
        "(6291556 bytes).",
    }


@pytest.mark.parametrize(
    ("source", "handler", "error_type", "message"),
    [
        ("import nosuch\n", "index.handler", "Runtime.ImportModuleError",
         "Unable to import module 'index': No module named 'nosuch'"),
        ("x = 1\n", "other.handler", "Runtime.ImportModuleError",
         "Unable to import module 'other': No module named 'other'"),
        ("x = 1\n", "index.handler", "Runtime.HandlerNotFound",
         "Handler 'handler' missing on module 'index'"),
        ("x = 1\n", "index", "Runtime.MalformedHandlerName",
         "Bad handler 'index': not enough values to unpack (expected 2, got 1)"),
        ("def f(:\n", "index.handler", "Runtime.UserCodeSyntaxError",
         "Syntax error in module 'index': invalid syntax (index.py, line 1)"),
    ],
    ids=["import", "module", "handler", "name", "syntax"],
)
def test_an_init_that_fails_is_told(server, client, name, source, handler, error_type, message):
    server.function(name, source, Handler=handler)
    payload, kind, _ = call(client, name, {})
    assert kind == "Unhandled"
    assert (payload["errorType"], payload["errorMessage"]) == (error_type, message)


def test_a_payload_has_a_size(client, faulty, refused):
    text = "{0} byte payload is too large for the {2} invocation type (limit {1} bytes)"
    too_large = text.format(6_291_457, 6_291_456, "RequestResponse")
    with refused("RequestTooLargeException", too_large, 413):
        client.invoke(FunctionName=faulty, Payload=b" " * 6_291_455 + b"{}")
    too_large = text.format(1_048_577, 1_048_576, "Event")
    with refused("RequestTooLargeException", too_large, 413):
        client.invoke(FunctionName=faulty, Payload=b" " * 1_048_575 + b"{}", InvocationType="Event")
    fits = b'{"what": "none"}'.rjust(6_291_456)
    assert client.invoke(FunctionName=faulty, Payload=fits)["StatusCode"] == 200


def test_a_payload_is_json(client, faulty, refused):
    with refused("InvalidRequestContentException", status=400) as refusal:
        client.invoke(FunctionName=faulty, Payload=b"{what}")
    start = "Could not parse request body into json: Could not parse payload into json: "
    assert refusal.message.startswith(start)


def test_a_function_that_is_not_there(client, name, refused):
    text = f"Function not found: arn:aws:lambda:us-east-1:000000000000:function:{name}"
    for kind in ("RequestResponse", "Event", "DryRun"):
        with refused("ResourceNotFoundException", text, 404):
            client.invoke(FunctionName=name, InvocationType=kind)


def test_the_context_is_lambdas(server, client, name):
    source = """
def handler(event, context):
    return [
        context.function_name, context.function_version, context.invoked_function_arn,
        context.memory_limit_in_mb, context.aws_request_id, context.log_group_name,
        0 < context.get_remaining_time_in_millis() <= 9000, context.client_context.custom,
    ]
"""
    arn = server.function(name, source, Timeout=9)
    context = base64.b64encode(b'{"custom": {"k": "v"}}').decode()
    payload, _, request_id = call(client, name, {}, ClientContext=context)
    expected = [name, "$LATEST", arn, "128", request_id, f"/aws/lambda/{name}", True, {"k": "v"}]
    assert payload == expected


def test_a_reservation_bounds_how_many_run_at_once(server, client, name):
    source = """
import time
def handler(event, context):
    print("begun", flush=True)
    time.sleep(event["seconds"])
    return "done"
"""
    server.function(name, source, Timeout=60)
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        first = pool.submit(server.invoke, name, {"seconds": 2})
        eventually(lambda: server.log_lines(name, "begun"), "the first has begun")

        def turned_away():
            try:
                client.invoke(FunctionName=name, Payload=b'{"seconds": 0}')
            except client.exceptions.TooManyRequestsException:
                return True
            return False

        eventually(turned_away, "the second is turned away")
        assert first.result(timeout=30) == ("done", None)
    assert server.invoke(name, {"seconds": 0}) == ("done", None)


def test_many_run_at_once(server, name):
    source = "import time\ndef handler(event, context):\n    time.sleep(1)\n    return event\n"
    server.function(name, source, Timeout=30)
    began = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda n: server.invoke(name, n)[0], range(1, 11)))
    assert answers == list(range(1, 11))
    assert time.monotonic() - began < 8, "ten sleeps of a second side by side"


def test_an_alias_divides_between_two_versions(server, client, name):
    server.function(name, "def handler(event, context):\n    return context.function_version\n")
    for version in ("1", "2"):
        client.update_function_configuration(FunctionName=name, Description=version)
        assert client.publish_version(FunctionName=name)["Version"] == version
    both = {"AdditionalVersionWeights": {"2": 0.5}}
    client.create_alias(FunctionName=name, Name="both", FunctionVersion="1", RoutingConfig=both)
    seen = set()

    def seen_both():
        seen.add(server.invoke(name, Qualifier="both")[0])
        return seen == {"1", "2"}

    eventually(seen_both, "both versions answer")
    client.update_alias(
        FunctionName=name, Name="both", RoutingConfig={"AdditionalVersionWeights": {"2": 1.0}}
    )
    assert {server.invoke(name, Qualifier="both")[0] for _ in range(5)} == {"2"}


def test_the_older_asynchronous_call_still_works(server, client, name):
    server.function(name, "def handler(event, context):\n    print('got', event['n'])\n")
    assert client.invoke_async(FunctionName=name, InvokeArgs=b'{"n": 7}')["Status"] == 202
    eventually(lambda: server.log_lines(name, "got") == ["got 7"], "the event ran")
