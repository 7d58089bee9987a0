"""Functions on installed runtimes: an image's files, their own code, and nothing of the host."""

import subprocess

import pytest

from image_registry import layer
from lampejo_server import ROLE, package

# No interpreter of the host serves it.
RUNTIME = "dotnet8"


@pytest.fixture
def ask(server, start_registry, client_program, tmp_path, name):
    """Asks a function on a base image made here; the server's own user has installed it."""
    files = [
        ("var/runtime/bootstrap", client_program, 0o755),
        ("var/task/of-the-image", ""),
        ("opt/of-the-image", ""),
        ("secret", "of root", 0o600),
    ]
    with start_registry(tmp_path) as registry:
        image, _ = registry.push(name, [layer(*files)])
        command = [*server.command, "runtime", "install", RUNTIME, "--from", image]
        subprocess.run([*command, "--data", server.data], check=True, capture_output=True)
    client = server.client("lambda")
    layers = [
        client.publish_layer_version(
            LayerName=f"{name}-{each}", Content={"ZipFile": package({each: each})}
        )["LayerVersionArn"]
        for each in ("one", "two")
    ]
    client.create_function(
        FunctionName=name,
        Runtime=RUNTIME,
        Handler="any",
        Role=ROLE,
        Layers=layers,
        Code={"ZipFile": package({"mine": "of the function"})},
    )
    client.get_waiter("function_active_v2").wait(FunctionName=name)
    yield lambda question: server.invoke(name, question)[0]
    client.delete_function(FunctionName=name)


def test_an_instance_sees_its_image_its_code_and_nothing_else(ask, unharmed):
    assert ask("list /") == "dev etc opt proc secret tmp var"
    assert ask("list /var") == "runtime task"
    assert ask("list /var/task") == "mine"
    assert ask("list /opt") == "one two"
    assert ask("read /var/task/mine") == "of the function"
    for path in ("/var/task/mine", "/var/task/new", "/opt/one", "/var/runtime/new", "/new"):
        assert ask(f"write {path}") in ("Read-only file system", "Permission denied"), path
    unharmed()
