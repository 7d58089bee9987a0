"""What all tests share: one server for those that leave each other alone, and fresh ones."""

import os
import subprocess
import uuid

import pytest

from lampejo_server import BINARY, Server


def pytest_configure(config):
    config.addinivalue_line("markers", "needs(what): skipped by name where the machine lacks it")


@pytest.fixture(scope="session")
def sdk(tmp_path_factory):
    """The AWS SDK for functions, installed once by the binary itself."""
    shared = os.environ.get("LAMPEJO_SDK_DATA") or str(tmp_path_factory.mktemp("sdk"))
    path = os.environ.get("LAMPEJO_PIP_PATH", os.environ["PATH"])
    subprocess.run(
        [BINARY, "runtime", "sdk", "--data", shared],
        check=True, env={**os.environ, "PATH": path}, timeout=600,
    )
    return os.path.join(shared, "runtime", "sdk")


@pytest.fixture(scope="session")
def shared(sdk):
    """A server that many tests use: each takes names of its own."""
    server = Server("--test-clock", sdk=sdk).start()
    yield server
    server.close()


@pytest.fixture
def fresh(sdk):
    """Makes servers that end with the test."""
    servers = []

    def make(*flags):
        servers.append(Server(*flags, sdk=sdk))
        return servers[-1]

    yield make
    for server in servers:
        server.close()


@pytest.fixture
def name():
    """A name that no other test uses."""
    return f"t-{uuid.uuid4().hex[:12]}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """A failing test shows the end of its server's log."""
    report = yield
    if report.failed:
        for value in getattr(item, "funcargs", {}).values():
            if isinstance(value, Server):
                report.sections.append(("the server's log", value.output()[-4000:]))
    return report
