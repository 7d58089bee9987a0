"""Handlers that speak to the Runtime API themselves, and not as it wants to be spoken to."""

import json

import pytest

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
