"""Handlers that speak to the Runtime API themselves, and not as it wants to be spoken to."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from lampejo_server import ROLE, package

# What an attack finds around it: requests on connections of their own.
PROBE = '''
import json, os, socket
HOST, PORT = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")
ROOT = "/2018-06-01/runtime"

def connect():
    return socket.create_connection((HOST, int(PORT)), timeout=10)

def ask(method, path, body=b"", headers=""):
    with connect() as connection:
        headers += f"Host: x\\r\\nContent-Length: {len(body)}\\r\\n"
        connection.sendall(f"{method} {path} HTTP/1.1\\r\\n{headers}\\r\\n".encode() + body)
        return listen(connection)

def listen(connection):
    connection.settimeout(5)
    answer = connection.recv(65536).decode(errors="replace")
    head, _, body = answer.partition("\\r\\n\\r\\n")
    status = int(head.split()[1]) if head else None
    try:
        return status, json.loads(body)["errorType"]
    except (ValueError, KeyError, TypeError):
        return status, None

def handler(event, context):
    scope = dict(globals(), event=event, context=context)
    exec(event["source"], scope)
    return scope["attack"](*event["arguments"])
'''


@pytest.fixture
def insider(server, name):
    """A function whose attacks have these tools."""
    server.function(name, PROBE, Timeout=30, MemorySize=512)
    return name


def test_forged_and_untimely_requests_are_refused(insider, run_inside, unharmed):
    def attack():
        forged = "8476a536-e9f4-11e8-9739-2dfe598c3fcd"
        own = context.aws_request_id
        return [
            ask("POST", f"{ROOT}/invocation/{forged}/response", b"1"),
            ask("POST", f"{ROOT}/invocation/{forged}/error", b"{}"),
            ask("POST", f"{ROOT}/invocation/{own}%00/response", b"1"),
            ask("POST", f"{ROOT}/invocation/..%2f../response", b"1"),
            ask("POST", f"{ROOT}/invocation/{'x' * 5000}/response", b"1"),
            ask("GET", f"{ROOT}/invocation/next"),
            ask("POST", f"{ROOT}/init/error", b"{}"),
            ask("POST", f"{ROOT}/invocation/../{own}/response", b"1"),
            ask("GET", "/"),
            ask("GET", "/2020-01-01/extension/event/next"),
            ask("POST", "/_lampejo/clock?advance=1"),
            ask("PUT", f"{ROOT}/invocation/{own}/response", b"1"),
        ]

    answers = run_inside(attack, function=insider)
    invalid_id, invalid_state = [400, "InvalidRequestID"], [403, "InvalidStateTransition"]
    nobody = [403, "Extension.MissingExtensionIdentifier"]
    unknown = [404, None]
    assert answers == [invalid_id] * 5 + [invalid_state] * 2 + [unknown] * 2 + [nobody] + [unknown] * 2
    unharmed()


def test_the_first_of_two_answers_counts(insider, run_inside, unharmed):
    def attack():
        path = f"{ROOT}/invocation/{context.aws_request_id}/response"
        return [ask("POST", path, b'"first"'), ask("POST", path, b'"second"')]

    for _ in range(3):
        assert run_inside(attack, function=insider) == "first"
    unharmed()


def test_an_answer_to_the_invocation_before_does_not_reach_the_next(insider, run_inside):
    def attack(before):
        if before:
            return ask("POST", f"{ROOT}/invocation/{before}/response", b'"stolen"')
        return context.aws_request_id

    before = run_inside(attack, None, function=insider)
    assert run_inside(attack, before, function=insider)[0] in (400, 403)


MALFORMED = {
    "a head without end": "GET / HTTP/1.1\r\nX: " + "x" * (1 << 17),
    "many headers": "GET / HTTP/1.1\r\n" + "X: y\r\n" * 20_000,
    "no words": "\0" * 4096 + "\r\n\r\n",
    "no HTTP": "HELLO\r\n\r\n",
    "a negative length": "{own}Content-Length: -1\r\n\r\n",
    "a length beyond numbers": "{own}Content-Length: " + "9" * 40 + "\r\n\r\n",
    "two lengths": "{own}Content-Length: 1\r\nContent-Length: 5\r\n\r\n1",
    "a length and chunks": "{own}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
    "a bad chunk": "{own}Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    "a chunk beyond numbers": "{own}Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nx",
    "an endless chunk size": "{own}Transfer-Encoding: chunked\r\n\r\n" + "0" * (1 << 17),
    "a chunk below zero": "{own}Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n",
    "chunks that end late": "{own}Transfer-Encoding: chunked\r\n\r\n1\r\nxyz\r\n0\r\n\r\n",
    "trailers without end": "{own}Transfer-Encoding: chunked\r\n\r\n0\r\n" + "X: y\r\n" * 50_000,
    "another encoding": "{own}Transfer-Encoding: gzip\r\n\r\n",
    "chunked in a list": "{own}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "a length with a sign": "{own}Content-Length: +1\r\n\r\n1",
    "a length in hexadecimal": "{own}Content-Length: 0x1\r\n\r\n1",
    "a length with a list": "{own}Content-Length: 1, 1\r\n\r\n1",
    "line ends of one character": "GET / HTTP/1.1\nHost: x\n\n" + "x" * (1 << 15),
    "a header without a colon": "GET / HTTP/1.1\r\nHost\r\n\r\n",
    "a header that is folded": "GET / HTTP/1.1\r\nX: y\r\n folded\r\n\r\n",
    "a path without end": "GET /" + "x" * (1 << 17) + " HTTP/1.1\r\n\r\n",
    "a promise of gigabytes": "{own}Content-Length: 8589934592\r\n\r\nx",
    "secrets of TLS": "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
}


@pytest.mark.parametrize("kind", MALFORMED)
def test_a_malformed_request_ends_its_connection_and_nothing_else(
    insider, run_inside, unharmed, kind
):
    def attack(request):
        own = f"POST {ROOT}/invocation/{context.aws_request_id}/response HTTP/1.1\r\n"
        with connect() as connection:
            try:
                connection.sendall(request.replace("{own}", own).encode())
                return listen(connection)[0]
            except ConnectionError:
                return None

    assert run_inside(attack, MALFORMED[kind], function=insider) in (None, 400, 404, 413)
    unharmed()


def test_connections_beyond_the_bound_do_not_stop_the_runtime(insider, run_inside, unharmed):
    def attack():
        import builtins

        # Half a request on each, kept open beyond the answer.
        builtins.held = [connect() for _ in range(100)]
        for connection in builtins.held:
            try:
                connection.sendall(b"POST / HTTP/1.1\r\nContent-Length: 1000\r\n\r\nx")
            except ConnectionError:
                pass
        return len(builtins.held)

    for _ in range(3):
        assert run_inside(attack, function=insider) == 100
    unharmed()


def test_a_client_that_never_reads_is_not_waited_for(insider, run_inside, unharmed):
    def attack():
        import builtins

        builtins.deaf = connection = connect()
        connection.settimeout(1)
        sent = 0
        try:
            while sent < 64 << 20:
                sent += connection.send(b"GET / HTTP/1.1\r\n\r\n" * 1000)
        except TimeoutError:
            return "held back"
        return sent

    # The server stops reading instead of piling up answers.
    assert run_inside(attack, function=insider) == "held back"
    assert run_inside(attack, function=insider) == "held back"
    unharmed()


def test_a_response_beyond_the_limit_is_an_error_and_no_more(server, name, unharmed):
    server.function(name, "def handler(event, context): return 'x' * event", MemorySize=512)
    value, error = server.invoke(name, 7 << 20)
    assert (value["errorType"], error) == ("Function.ResponseSizeTooLarge", "Unhandled")
    value, error = server.invoke(name, 6 << 20)
    assert (len(value), error) == (6 << 20, None)
    unharmed()


@pytest.mark.parametrize("body", ['{"errorMessage": "\\r\\nX-Injected: 1"}', "[]", '"text"'])
def test_what_a_function_calls_an_error_is_passed_on_as_data(insider, attempt, unharmed, body):
    def attack(headers, body):
        path = f"{ROOT}/invocation/{context.aws_request_id}/error"
        return ask("POST", path, body.encode(), headers)

    header = "Lambda-Runtime-Function-Error-Type: Function.<script>\t\x7f\r\n"
    value, error = attempt(attack, header, body, function=insider)
    assert (value, error) == (json.loads(body), "Unhandled")
    unharmed()


def test_whoever_takes_an_event_must_answer_it(server, name, unharmed):
    thief = (
        "import threading\n"
        "def steal():\n"
        "    while True:\n"
        "        try: ask('GET', f'{ROOT}/invocation/next')\n"
        "        except OSError: pass\n"
        "threading.Thread(target=steal, daemon=True).start()\n"
        "def handler(event, context): return 'answered'\n"
    )
    server.function(name, PROBE + thief, Timeout=1, MemorySize=512)
    for _ in range(3):
        value, error = server.invoke(name)
        assert (value, error) == ("answered", None) or error == "Unhandled"
    unharmed()


def test_requests_hidden_in_others_are_seen_as_what_they_are(insider, run_inside, unharmed):
    def attack():
        own = f"{ROOT}/invocation/{context.aws_request_id}/response"
        hidden = f"POST {own} HTTP/1.1\r\nContent-Length: 8\r\n\r\n\"hidden\""
        openers = [
            # Of these, others would take the second for the first's body, or the other way round.
            f"GET /x HTTP/1.1\r\nContent-Length : {len(hidden)}\r\n\r\n",
            f"GET /x HTTP/1.1\r\nX: y\nContent-Length: {len(hidden)}\r\n\r\n",
            "POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
            f"GET /x HTTP/1.1\r\nTransfer_Encoding: chunked\r\nX: {len(hidden)}\r\n\r\n",
        ]
        for opener in openers:
            with connect() as connection:
                connection.sendall((opener + hidden).encode())
                listen(connection)
        return "seen"

    # Whoever answers for this instance is itself; nobody else's request is behind its own.
    for _ in range(3):
        assert run_inside(attack, function=insider) in ("hidden", "seen")
    unharmed()


def test_an_answer_for_another_instance_is_refused(insider, server, run_inside, unharmed):
    def attack(seconds, other):
        import time

        path = f"{ROOT}/invocation/{{}}/response"
        answers = [ask("POST", path.format(it), b'"stolen"') for it in other]
        time.sleep(seconds)
        return context.aws_request_id, answers

    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(run_inside, attack, 1, [], function=insider)
        second = threads.submit(run_inside, attack, 1, [], function=insider)
        ids = [it.result()[0] for it in (first, second)]
        first = threads.submit(run_inside, attack, 0.5, ids, function=insider)
        second = threads.submit(run_inside, attack, 0.5, ids, function=insider)
        for answers in (first.result()[1], second.result()[1]):
            assert all(status in (400, 403) for status, _ in answers), answers
    unharmed()


RAW = r"""#!/usr/bin/python3
import json, os, socket, time
HOST, PORT = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")
ROOT = "/2018-06-01/runtime"

def send(text):
    connection = socket.create_connection((HOST, int(PORT)))
    connection.sendall(text.encode())
    return connection

def ask(method, path, body=""):
    head = f"{method} {ROOT}/{path} HTTP/1.1\r\nContent-Length: {len(body)}\r\n\r\n"
    with send(head + body) as it:
        answer = it.recv(1 << 16).decode(errors="replace")
    return answer

def event():
    answer = ask("GET", "invocation/next")
    return answer.split("Lambda-Runtime-Aws-Request-Id: ")[1].split("\r\n")[0]

def respond(id, body):
    return ask("POST", f"invocation/{id}/response", json.dumps(body))
"""
RUNTIMES = {
    "answers before it was asked": r"""
early = [ask("POST", "invocation/none/response", "1"), ask("POST", "invocation/none/error", "{}")]
while True: respond(event(), [it.split()[1] for it in early])
""",
    "fails its init after it was ready": r"""
while True:
    id = event()
    late = ask("POST", "init/error", "{}")
    respond(id, [late.split()[1]])
""",
    "sends byte for byte": r"""
def drip(text):
    with socket.create_connection((HOST, int(PORT))) as it:
        for byte in text: it.sendall(byte.encode())
        return it.recv(1 << 16).decode(errors="replace")
while True:
    id = event()
    drip(f"POST {ROOT}/invocation/{id}/response HTTP/1.1\r\nContent-Length: 6\r\n\r\n\"slow\"")
""",
}
ANSWERS = [["400", "400"], ["403"], "slow"]


@pytest.mark.parametrize("kind, answer", list(zip(RUNTIMES, ANSWERS, strict=True)), ids=RUNTIMES)
def test_a_runtime_with_bad_manners_still_works(server, raw, name, unharmed, kind, answer):
    raw(RUNTIMES[kind])
    for _ in range(2):
        assert server.invoke(name) == (answer, None)
    unharmed()


HASTY = {
    "asks twice at once": r"""
first = send(f"GET {ROOT}/invocation/next HTTP/1.1\r\n\r\n")
while True: respond(event(), "asked")
""",
    "hangs up and asks again": r"""
for _ in range(100): send(f"GET {ROOT}/invocation/next HTTP/1.1\r\n\r\n").close()
while True: respond(event(), "asked")
""",
}


@pytest.mark.parametrize("kind", HASTY)
def test_a_runtime_that_asks_too_often_harms_itself_at_most(server, raw, name, unharmed, kind):
    raw(HASTY[kind])
    for _ in range(2):
        value, error = server.invoke(name)
        assert (value, error) == ("asked", None) or error == "Unhandled", value
    unharmed()


DEAF = {
    "never reads its event": r"""
it = send(f"GET {ROOT}/invocation/next HTTP/1.1\r\n\r\n")
time.sleep(600)
""",
    "never ends its answer": r"""
it = send(f"POST {ROOT}/invocation/{event()}/response HTTP/1.1\r\nContent-Length: 100\r\n\r\nx")
time.sleep(600)
""",
    "streams for ever": r"""
head = "Lambda-Runtime-Function-Response-Mode: streaming\r\nTransfer-Encoding: chunked\r\n\r\n"
it = send(f"POST {ROOT}/invocation/{event()}/response HTTP/1.1\r\n" + head)
while True:
    it.sendall(b"1\r\nx\r\n")
    time.sleep(.05)
""",
}


@pytest.mark.parametrize("kind", DEAF)
def test_a_runtime_that_stalls_is_ended_by_the_timeout(server, raw, name, unharmed, kind):
    raw(DEAF[kind])
    # More than the buffers between it and the server hold.
    value, error = server.invoke(name, {"large": "x" * (5 << 20)})
    assert (value["errorType"], error) == ("Sandbox.Timedout", "Unhandled")
    unharmed()


@pytest.fixture
def raw(server, name):
    """Deploys a runtime of the test's own."""

    def deploy(source):
        client = server.client("lambda")
        client.create_function(
            FunctionName=name,
            Runtime="provided.al2023",
            Handler="none",
            Role=ROLE,
            Timeout=1,
            MemorySize=1769,
            Code={"ZipFile": package({"bootstrap": (RAW + source, 0o755)})},
        )
        client.get_waiter("function_active_v2").wait(
            FunctionName=name, WaiterConfig={"Delay": 0.02, "MaxAttempts": 500}
        )

    return deploy
