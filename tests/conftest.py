"""What every test may ask for: a shared server, servers of its own, names nobody else uses."""

import contextlib
import itertools
import os
import pathlib
import shutil
import subprocess
import tempfile

import pytest
from botocore.exceptions import ClientError

from image_registry import Registry, program
from lampejo_server import Server, lacks_sandbox

COUNTER = itertools.count(1)
RUNNING = []


def cache():
    """Where things are kept from one run to the next."""
    home = pathlib.Path.home() / ".cache" / "lampejo"
    return pathlib.Path(os.environ.get("LAMPEJO_CACHE", home))


@pytest.fixture(scope="session")
def sandbox():
    """How functions are isolated here: `sandbox`, or `process` where the machine has no other."""
    return "process" if lacks_sandbox() else "sandbox"


@pytest.fixture(scope="session")
def needs_sandbox():
    """Skips what is about isolation on a machine that cannot isolate."""
    lack = lacks_sandbox()
    if lack:
        pytest.skip(f"this machine cannot isolate functions: {lack}")


@contextlib.contextmanager
def running(owner=None, **settings):
    with tempfile.TemporaryDirectory(prefix="lampejo-test-") as folder:
        if owner is not None:
            os.chown(folder, owner, owner)
        server = Server(folder, **settings)
        RUNNING.append(server)
        try:
            server.start()
            yield server
        finally:
            server.stop()
            RUNNING.remove(server)


@pytest.fixture(scope="session")
def sdk_cache():
    """Where boto3 for functions is kept."""
    return cache() / "function-sdk"


@pytest.fixture(scope="session")
def start():
    """Starts servers with other settings: `with start(auth="enforce") as server:`."""
    return running


@pytest.fixture(scope="session")
def server(sandbox):
    """One server for all tests that neither stop it nor move its clock."""
    with running(isolation=sandbox) as shared:
        shared.install_sdk(cache() / "function-sdk")
        yield shared


@pytest.fixture
def own_server(sandbox):
    """A server for one test, which may stop it and move its clock."""
    with running(isolation=sandbox) as server:
        yield server


@pytest.fixture
def enforcing_server(sandbox):
    """A server that checks signatures."""
    with running(isolation=sandbox, auth="enforce") as server:
        yield server


@pytest.fixture(scope="session")
def build(tmp_path_factory):
    """Builds a program of images by the name of its source; it needs nothing else."""
    compiler = shutil.which("cc")
    if not compiler:
        pytest.skip("there is no C compiler")

    def built(source):
        path = tmp_path_factory.mktemp("image") / "program"
        source = pathlib.Path(__file__).parent / "scenarios" / source
        subprocess.run([compiler, "-static", "-O1", "-Wall", "-o", path, source], check=True)
        return path.read_bytes()

    return built


@pytest.fixture(scope="session")
def client_program(build):
    """What most images run."""
    return build("image_client.c")


@pytest.fixture(scope="session")
def start_registry():
    """Starts registries: `with start_registry(folder) as registry:`."""
    if not program():
        assert not os.environ.get("CI"), "docker-registry is needed"
        pytest.skip("docker-registry is not installed")

    @contextlib.contextmanager
    def started(folder):
        registry = Registry(folder)
        try:
            yield registry.start()
        finally:
            registry.stop()

    return started


@pytest.fixture
def name():
    """A name that no other test uses."""
    return f"t{os.getpid()}-{next(COUNTER)}"


class Refusal:
    """The error that a block of code met."""

    code = message = status = response = None


@pytest.fixture
def refused():
    """`with refused("Code") as refusal:` expects an AWS error; exactly this message if given."""

    @contextlib.contextmanager
    def expect(code, message=None, status=None):
        refusal = Refusal()
        with pytest.raises(ClientError) as caught:
            yield refusal
        error = caught.value.response["Error"]
        refusal.code, refusal.message = error["Code"], error.get("Message")
        refusal.status = caught.value.response["ResponseMetadata"]["HTTPStatusCode"]
        refusal.response = caught.value.response
        assert refusal.code == code, error
        if message is not None:
            assert refusal.message == message
        if status is not None:
            assert refusal.status == status

    return expect


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows the end of its servers' logs."""
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for server in RUNNING:
            title = f"log of the server at {server.endpoint}"
            report.sections.append((title, server.last_log()))
