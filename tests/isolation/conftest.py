"""Servers that hostile functions attack: one with the rights of whoever runs the tests, one that
an unprivileged user runs."""

import contextlib
import inspect
import os
import shutil
import socket
import tempfile
import textwrap

import pytest

from lampejo_server import PYTHON, binary, doctor, eventually, lacks_sandbox

NOBODY = 65534

# Runs whatever a test sends, with the rights of a function: that is, none.
PROBE = """
def handler(event, context):
    scope = {"event": event, "context": context}
    exec(event["source"], scope)
    return scope["attack"](*event["arguments"])
"""


@pytest.fixture(scope="session")
def unprivileged():
    """How to run the binary as a user who has no rights at all."""
    if os.geteuid() != 0:
        pytest.skip("only root can start a server as somebody else")
    if not shutil.which("setpriv"):
        pytest.skip("there is no setpriv")
    as_nobody = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    with tempfile.TemporaryDirectory(prefix="lampejo-binary-") as folder:
        os.chmod(folder, 0o755)
        copy = shutil.copy(binary(), folder)
        os.chmod(copy, 0o755)
        command = [*as_nobody, copy]
        if lack := lacks_sandbox(*command):
            pytest.skip(f"an unprivileged server cannot isolate functions here: {lack}")
        if f"ok    {PYTHON} " not in doctor(*command).stdout:
            pytest.skip(f"{PYTHON} is in no folder that everybody may read")
        yield command


@pytest.fixture(scope="session", params=["own rights", "unprivileged"])
def server(request, needs_sandbox, start):
    """The server under attack."""
    settings = {"environment": {"HOST_SECRET": "of the host and of nobody else"}}
    if request.param == "unprivileged":
        command = request.getfixturevalue("unprivileged")
        settings |= {"owner": NOBODY, "command": command}
    with start(**settings) as server:
        command = settings.get("command", [])
        groups = [it for it in doctor(*command).stdout.splitlines() if " cgroups" in it[:20]]
        server.has_cgroups = any(it.startswith("ok ") for it in groups)
        server.has_freezer = any(it.endswith(" freezer") for it in groups)
        server.function("probe", PROBE, MemorySize=512, Timeout=30)
        server.function("bystander", "def handler(event, context): return event")
        yield server


@pytest.fixture(scope="session")
def nobody():
    """Who runs the unprivileged server."""
    return NOBODY


@pytest.fixture(scope="session")
def probe():
    """The source of functions that run whatever a test sends."""
    return PROBE


@pytest.fixture(scope="session")
def event_of():
    """Makes such a function's event: of what is to run, and its arguments."""
    return as_event


@pytest.fixture
def attempt(server):
    """Runs a function of the test in the sandbox; answers as `Server.invoke` does."""

    def run(attack, *arguments, function="probe"):
        return server.invoke(function, as_event(attack, *arguments))

    return run


@pytest.fixture
def run_inside(attempt):
    """The same, for what is expected to return; answers with what it returns."""

    def run(attack, *arguments, **where):
        value, error = attempt(attack, *arguments, **where)
        assert error is None, value
        return value

    return run


@pytest.fixture
def attacker(server, name):
    """Deploys a function of its own for one attack; answers with how to invoke it."""

    def deploy(attack, **settings):
        server.function(name, PROBE, **settings)
        return lambda *arguments: server.invoke(name, as_event(attack, *arguments))

    yield deploy
    client = server.client("lambda")
    with contextlib.suppress(client.exceptions.ResourceNotFoundException):
        client.delete_function(FunctionName=name)


def as_event(attack, *arguments):
    """The probe's event: the source of a test's inner function, which must be named `attack`."""
    source = textwrap.dedent(inspect.getsource(attack))
    return {"source": source, "arguments": arguments}


@pytest.fixture
def unharmed(server):
    """After every attack: the server and another function work as before."""

    def check():
        assert server.healthy()
        assert server.invoke("bystander", {"still": "here"}) == ({"still": "here"}, None)

    return check


@pytest.fixture
def host_listener():
    """A port of the host's loopback, with a service that trusts whoever reaches it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


@pytest.fixture
def ended_on_host():
    """Waits until no process of the host has this word in its command line."""

    def check(word):
        eventually(lambda: not processes_with(word), f"no process has {word} in its command line")

    return check


def processes_with(word):
    """Ids of the host's processes with this word in their command line."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as file:
            if word.encode() in file.read():
                found.append(int(pid))
    return found
