"""A JVM in the sandbox: it lives within the smallest function's limits, and dies beyond them."""

import pathlib
import subprocess

import pytest

import java_packages
from lampejo_server import ROLE, package

SOURCE = pathlib.Path(__file__).with_name("Jvm.java")
# More than the instance has: the limit of the sandbox is met first.
MUCH = {"Variables": {"JAVA_TOOL_OPTIONS": "-XX:MaxDirectMemorySize=4g"}}


@pytest.fixture(scope="session")
def jdk():
    """A runtime and its JDK."""
    found = java_packages.runtimes()
    if not found:
        pytest.skip("there is no JDK that lampejo can use: apt-get install default-jdk-headless")
    return next(iter(found.items()))


@pytest.fixture(scope="session")
def code(jdk, tmp_path_factory):
    _, home = jdk
    folder = tmp_path_factory.mktemp("jvm")
    subprocess.run([home / "bin" / "javac", "-d", folder, SOURCE], check=True)
    return package({it.name: it.read_bytes() for it in folder.iterdir()})


@pytest.fixture
def jvm(server, name, jdk, code):
    """Invokes one of its methods: `jvm("within")`."""
    client = server.client("lambda")

    def invoke(method, **settings):
        client.create_function(
            FunctionName=name,
            Runtime=jdk[0],
            Handler=f"Jvm::{method}",
            Role=ROLE,
            Timeout=60,
            Code={"ZipFile": code},
            **settings,
        )
        client.get_waiter("function_active_v2").wait(
            FunctionName=name, WaiterConfig={"Delay": 0.02, "MaxAttempts": 500}
        )
        return server.invoke(name, {})

    return invoke


def test_a_jvm_lives_within_the_smallest_limit(jvm, unharmed):
    assert jvm("within", MemorySize=128) == ("uid 993, 30 MiB", None)
    unharmed()


def test_a_jvm_dies_beyond_its_limit(server, jvm, unharmed):
    value, error = jvm("beyond", MemorySize=256, Environment=MUCH)
    assert error == "Unhandled"
    # Without control groups it is refused the memory, and says so itself.
    own_words = ["java.lang.OutOfMemoryError", "Runtime.ExitError"]
    assert value["errorType"] in (["Runtime.OutOfMemory"] if server.has_cgroups else own_words)
    unharmed()
