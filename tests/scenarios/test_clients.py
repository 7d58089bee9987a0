"""The official runtime clients, unchanged, on our Runtime API: awslambdaric of PyPI, aws-lambda-go,
and the `lambda_runtime` crate. Their programs are in `clients/`; `cargo xtask test` builds them."""

import base64
import json
import os
import pathlib
import re

import pytest

from lampejo_server import ACCOUNT, REGION, ROLE, eventually, package

FAST = {"Delay": 0.02, "MaxAttempts": 500}
CLIENTS = pathlib.Path(__file__).parent.parent / "clients"
PYTHON_BOOTSTRAP = """#!/bin/sh
PYTHONPATH=/var/task exec /usr/bin/python3 -m awslambdaric "$_HANDLER"
"""


def built(client):
    """What `cargo xtask test` has made of a client; without it the tests say so."""
    path = os.environ.get(f"LAMPEJO_CLIENT_{client.upper()}")
    if not path:
        assert not os.environ.get("CI") or client == "go", f"the {client} client is needed"
        pytest.skip(f"the {client} client is not built: its registry or tools are missing")
    return pathlib.Path(path)


def python_files():
    folder = built("python")
    files = {"bootstrap": (PYTHON_BOOTSTRAP, 0o755)}
    files["index.py"] = (CLIENTS / "python" / "index.py").read_text()
    for path in folder.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            files[str(path.relative_to(folder))] = path.read_bytes()
    return files


@pytest.fixture(scope="module", params=["python", "go", "rust"])
def client(request):
    """One of the clients."""
    return request.param


@pytest.fixture(scope="module")
def code(client):
    """The package of a client's function."""
    if client == "python":
        return package(python_files())
    return package({"bootstrap": (built(client).read_bytes(), 0o755)})


@pytest.fixture
def create(server, code, name):
    """Creates the function of a client."""

    def run(**settings):
        lambda_ = server.client("lambda")
        settings = {"MemorySize": 512, "Timeout": 10, "Role": ROLE, **settings}
        lambda_.create_function(
            FunctionName=name,
            Runtime="provided.al2023",
            Handler="index.handler",
            Code={"ZipFile": code},
            **settings,
        )
        lambda_.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig=FAST)
        return name

    return run


def test_events_and_results_of_any_size(server, create):
    name = create()
    for text in ["", "ä", "x" * 5_000_000]:
        assert server.invoke(name, {"do": "echo", "text": text}) == (text, None)


ERRORS = {
    "python": ("RuntimeError", "so it is"),
    "go": ("errorString", "so it is"),
    "rust": ("&alloc::boxed::Box<dyn core::error::Error + core::marker::Send + "
             "core::marker::Sync>", "so it is"),
}


def test_errors_are_the_clients(server, client, create):
    name = create()
    for _ in range(2):
        answer, kind = server.invoke(name, {"do": "fail"})
        assert kind == "Unhandled"
        assert (answer["errorType"], answer["errorMessage"]) == ERRORS[client]
    assert server.invoke(name, {"do": "echo", "text": "on"}) == ("on", None)


def test_a_panic_is_an_error(server, client, create):
    name = create()
    answer, kind = server.invoke(name, {"do": "panic"})
    assert kind == "Unhandled"
    assert "so it is" in answer["errorMessage"]
    if client == "go":
        assert answer["stackTrace"][0]["label"]
    # Go's client ends after it has reported: the next one starts anew.
    assert server.invoke(name, {"do": "echo", "text": "on"}) == ("on", None)


def test_an_end_is_told(server, create):
    name = create()
    answer, kind = server.invoke(name, {"do": "exit"})
    assert (answer["errorType"], kind) == ("Runtime.ExitError", "Unhandled")
    assert answer["errorMessage"].endswith("exit status 3")


def test_the_deadline(server, create):
    answer, kind = server.invoke(create(Timeout=1), {"do": "sleep"})
    assert (answer["errorType"], kind) == ("Sandbox.Timedout", "Unhandled")


def test_the_context(server, create):
    name = create()
    # Rust's client wants all of it.
    fields = "installation_id", "app_title", "app_version_name", "app_version_code"
    app = dict.fromkeys([*fields, "app_package_name"], "it")
    given = {"client": {**app, "app_title": "title"}, "custom": {"a": "1"}, "env": {}}
    encoded = base64.b64encode(json.dumps(given).encode()).decode()
    answer, kind = server.invoke(name, {"do": "context"}, ClientContext=encoded)
    assert kind is None, answer
    assert re.fullmatch(r"[0-9a-f-]{36}", answer.pop("request"))
    assert answer.pop("trace").startswith("Root=1-")
    left = answer.pop("remaining", None) or answer.pop("deadline")
    assert 0 < left
    assert answer == {
        "arn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}",
        "title": "title",
        "custom": {"a": "1"},
        "function": name,
        "memory": 512,
    }


def test_an_init_that_fails_is_told(server, client, create, name):
    create(Environment={"Variables": {"INIT": "panic"}})
    answer, kind = server.invoke(name)
    assert kind == "Unhandled"
    if client == "python":
        assert (answer["errorType"], answer["errorMessage"]) == ("RuntimeError", "no start")
    else:
        assert answer["errorType"] == "Runtime.ExitError"
    eventually(lambda: any("no start" in it for it in server.log_lines(name)), "it is logged")


def stream(server, name, text):
    """What a response that streams brings: its bytes, and what InvokeComplete says."""
    payload = json.dumps({"do": "stream", "text": text})
    answer = server.client("lambda").invoke_with_response_stream(FunctionName=name, Payload=payload)
    events = list(answer["EventStream"])
    chunks = b"".join(event["PayloadChunk"]["Payload"] for event in events[:-1])
    return chunks, events[-1]["InvokeComplete"]


@pytest.mark.parametrize("client", ["go", "rust"], indirect=True)
def test_responses_stream(server, client, create):
    name = create()
    chunks, end = stream(server, name, " ".join(["piece"] * 100))
    assert chunks.endswith(b"piece" * 100)
    assert "ErrorCode" not in end
    chunks, end = stream(server, name, "some break")
    if client == "go":
        assert chunks == b"some"
        assert (end["ErrorCode"], json.loads(end["ErrorDetails"])["errorMessage"]) == (
            "errorString",
            "it broke",
        )
    else:
        # Rust's client writes into the response what belongs behind it.
        assert b"someLambda-Runtime-Function-Error-Type: Runtime.StreamError" in chunks
    assert server.invoke(name, {"do": "echo", "text": "on"}) == ("on", None)
