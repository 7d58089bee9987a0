"""A runtime in machine code: nothing of ours runs beside it."""

import pathlib
import platform
import shutil
import subprocess

import pytest

from lampejo_server import ROLE, package

SOURCE = pathlib.Path(__file__).with_name("bootstrap.c")

on_x86 = pytest.mark.skipif(
    platform.machine() != "x86_64", reason="only x86_64 kernels know other interfaces"
)


@pytest.fixture(scope="session")
def bootstrap(tmp_path_factory):
    compiler = shutil.which("cc")
    if not compiler:
        pytest.skip("there is no C compiler")
    program = tmp_path_factory.mktemp("native") / "bootstrap"
    subprocess.run([compiler, "-O1", "-Wall", "-Wextra", "-o", program, SOURCE], check=True)
    return program.read_bytes()


@pytest.fixture
def native(server, name, bootstrap):
    """Invokes it: `native("deed")`."""
    client = server.client("lambda")
    client.create_function(
        FunctionName=name,
        Runtime="provided.al2023",
        Handler="none",
        Role=ROLE,
        Timeout=10,
        Code={"ZipFile": package({"bootstrap": (bootstrap, 0o755)})},
    )
    client.get_waiter("function_active_v2").wait(FunctionName=name)
    return lambda deed: server.invoke(name, {"deed": deed})


@on_x86
@pytest.mark.parametrize("interface", ["another architecture", "x32"])
def test_calls_of_other_interfaces_kill_their_caller(native, unharmed, interface):
    assert native(interface) == ("Bad system call", None)
    unharmed()


@pytest.mark.parametrize(
    "deed, outcome",
    [
        ("vfork namespaces", "Operation not permitted"),
        ("clone3", "Function not implemented"),
        # Just-in-time compilers need it.
        ("executable memory", "allowed"),
        ("kill everybody", "No such process"),
    ],
)
def test_what_the_kernel_says(native, unharmed, deed, outcome):
    assert native(deed) == (outcome, None)
    unharmed()


def test_a_crash_ends_the_instance_and_the_next_one_works(native, unharmed):
    value, error = native("crash")
    assert (value["errorType"], error) == ("Runtime.ExitError", "Unhandled")
    assert "Error: Runtime exited with error: signal: segmentation fault" in value["errorMessage"]
    assert native("clone3") == ("Function not implemented", None)
    unharmed()
