"""`lampejo runtime install`: base images from a real registry, and functions that run on them."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

from image_registry import layer, special
from lampejo_server import ROLE, binary, eventually, package

FAST = {"Delay": 0.02, "MaxAttempts": 500}
# No machine has them, or the tests' own Python would serve.
MISSING = "dotnet8"


@pytest.fixture(scope="module")
def registry(start_registry, tmp_path_factory, needs_sandbox):
    with start_registry(tmp_path_factory.mktemp("registry")) as shared:
        yield shared


@pytest.fixture
def base(registry, client_program, name):
    """A base image of AWS's form: its name and digest."""

    def push(*entries, tag="1", **config):
        files = [
            ("var/runtime/bootstrap", client_program, 0o755),
            ("var/task/.keep", ""),
            ("opt/.keep", ""),
            ("etc/release", f"of the image {tag}"),
            *entries,
        ]
        environment = ["LANG=of the image", "PATH=/var/lang/bin", "AWS_REGION=nowhere"]
        return registry.push(name, [layer(*files)], tag=tag, Env=environment, **config)

    return push


def run(server_or_folder, *arguments, check=True):
    """`lampejo runtime …` on a data folder."""
    data = getattr(server_or_folder, "data", server_or_folder)
    command = [binary(), "runtime", *arguments, "--data", str(data)]
    return subprocess.run(command, capture_output=True, text=True, check=check)


def create(server, function, runtime, files=None, **settings):
    client = server.client("lambda")
    client.create_function(
        FunctionName=function,
        Runtime=runtime,
        Handler="app.handler",
        Role=ROLE,
        Code={"ZipFile": package(files or {"app.py": "the code"})},
        MemorySize=256,
        **settings,
    )
    client.get_waiter("function_active_v2").wait(FunctionName=function, WaiterConfig=FAST)


def ask(server, function, question):
    answer, kind = server.invoke(function, question)
    assert kind is None, answer
    return answer


def test_a_function_runs_on_an_installed_runtime(own_server, base, refused, name):
    with refused("InvalidParameterValueException") as refusal:
        create(own_server, name, MISSING)
    assert f"`lampejo runtime install {MISSING}`" in refusal.message
    image, digest = base()
    said = run(own_server, "install", MISSING, "--from", image).stdout
    assert f"{MISSING} is installed: {image.removesuffix(':1')}@sha256:{digest}" in said
    assert run(own_server, "list").stdout.split() == [MISSING, f"{image[:-2]}@sha256:{digest}"]

    layers = own_server.client("lambda").publish_layer_version(
        LayerName=name, Content={"ZipFile": package({"note": "of the layer"})}
    )
    variables = {"Variables": {"MINE": "of the function"}}
    create(
        own_server, name, MISSING, Layers=[layers["LayerVersionArn"]], Environment=variables
    )
    assert ask(own_server, name, "arguments") == "/var/runtime/bootstrap"
    assert ask(own_server, name, "folder") == "/var/task"
    assert ask(own_server, name, "list /var/task") == "app.py"
    assert ask(own_server, name, "read app.py") == "the code"
    assert ask(own_server, name, "read /opt/note") == "of the layer"
    assert ask(own_server, name, "read /etc/release") == "of the image 1"
    assert ask(own_server, name, "list /usr") == "No such file or directory"
    assert ask(own_server, name, "write /var/task/new") == "Read-only file system"
    refusals = ("Read-only file system", "Permission denied")
    assert ask(own_server, name, "write /etc/release") in refusals
    assert ask(own_server, name, "write /tmp/new") == "written"
    expected = {
        "_HANDLER": "app.handler",
        "MINE": "of the function",
        "LANG": "of the image",
        "PATH": "/var/lang/bin",
        "AWS_REGION": "us-east-1",
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{MISSING}",
        "LAMBDA_TASK_ROOT": "/var/task",
        "LAMBDA_RUNTIME_DIR": "/var/runtime",
    }
    assert {key: ask(own_server, name, f"variable {key}") for key in expected} == expected

    def started():
        return [it for it in own_server.log_lines(name) if it.startswith("INIT_START")]

    line = eventually(started, "the start is logged")[0]
    assert f"Runtime Version: dotnet:8.{digest[:12]}\t" in line
    assert line.endswith(f"::runtime:{digest}")
    management = own_server.client("lambda").get_function_configuration(FunctionName=name)
    assert management["RuntimeVersionConfig"]["RuntimeVersionArn"].endswith(f":{digest}")


def test_an_installed_runtime_outlives_the_server_and_can_be_replaced(
    own_server, base, refused, name
):
    first, old = base()
    run(own_server, "install", MISSING, "--from", first)
    create(own_server, name, MISSING)
    assert ask(own_server, name, "read /etc/release") == "of the image 1"
    own_server.restart()
    assert ask(own_server, name, "read /etc/release") == "of the image 1"
    second, new = base(tag="2")
    run(own_server, "install", MISSING, "--from", second)
    # The instance that runs keeps its tree; the next ones have the new one.
    assert ask(own_server, name, "read /etc/release") == "of the image 1"
    own_server.client("lambda").update_function_configuration(FunctionName=name, Timeout=9)
    own_server.client("lambda").get_waiter("function_updated_v2").wait(
        FunctionName=name, WaiterConfig=FAST
    )
    assert ask(own_server, name, "read /etc/release") == "of the image 2"

    kept = run(own_server, "remove", MISSING, check=False)
    assert kept.returncode != 0
    assert "stop the server first" in kept.stderr
    roots = own_server.data / "runtime" / "images" / "roots"
    assert {it.name for it in roots.iterdir()} == {old, new}
    own_server.stop()
    assert "removed" in run(own_server, "remove", MISSING).stdout
    assert list(roots.iterdir()) == []
    assert "no runtime is installed" in run(own_server, "list").stdout
    own_server.start()
    with refused("InvalidRuntimeException") as refusal:
        own_server.invoke(name)
    assert f"`lampejo runtime install {MISSING}`" in refusal.message


def test_the_machines_interpreter_goes_first_unless_it_is_not_preferred(
    start, sandbox, base, name, tmp_path
):
    runtime = f"python{sys.version_info.major}.{sys.version_info.minor}"
    image, _ = base()
    source = {"app.py": "def handler(event, context):\n    return 'of the machine'\n"}
    with start(isolation=sandbox) as server:
        run(server, "install", runtime, "--from", image)
        create(server, name, runtime, source)
        assert ask(server, name, "arguments") == "of the machine"
    environment = {"LAMPEJO_PREFER_INSTALLED_RUNTIMES": "true"}
    with start(isolation=sandbox, environment=environment) as server:
        run(server, "install", runtime, "--from", image)
        create(server, name, runtime, source)
        assert ask(server, name, "arguments") == "/var/runtime/bootstrap"


def test_provided_runtimes_run_the_functions_program_in_the_image(
    own_server, registry, client_program, name
):
    files = [("var/task/.keep", ""), ("opt/.keep", ""), ("etc/release", "AL2023")]
    image, _ = registry.push(name, [layer(*files)])
    run(own_server, "install", "provided.al2023", "--from", image)
    create(own_server, name, "provided.al2023", {"bootstrap": (client_program, 0o755)})
    assert ask(own_server, name, "arguments") == "/var/task/bootstrap"
    assert ask(own_server, name, "read /etc/release") == "AL2023"
    assert ask(own_server, name, "variable AWS_EXECUTION_ENV") == "(none)"
    create(own_server, f"{name}-no", "provided.al2023")
    answer, kind = own_server.invoke(f"{name}-no")
    assert (answer["errorType"], kind) == ("Runtime.InvalidEntrypoint", "Unhandled")


@pytest.mark.parametrize(
    ("entries", "reason"),
    [
        ([("var/task/x", "")], "it has no folder /opt"),
        ([("opt/x", ""), special("var/task", b"2", "/etc")], "it has no folder /var/task"),
        ([("opt/x", ""), ("var/task/x", "")], "it has no /var/runtime/bootstrap"),
    ],
    ids=["opt", "link", "bootstrap"],
)
def test_what_is_no_base_image_is_not_installed(registry, tmp_path, name, entries, reason):
    image, _ = registry.push(name, [layer(*entries)])
    refused = run(tmp_path, "install", MISSING, "--from", image, check=False)
    assert refused.returncode != 0
    assert reason in refused.stderr
    assert "no runtime is installed" in run(tmp_path, "list").stdout


def test_what_cannot_be_fetched_is_said(registry, tmp_path, name):
    refused = run(tmp_path, "install", MISSING, "--from", f"{registry.host}/{name}:no", check=False)
    assert refused.returncode != 0
    assert f"cannot fetch {registry.host}/{name}:no" in refused.stderr
    refused = run(tmp_path, "install", "perl5", check=False)
    assert '"perl5" is no runtime' in refused.stderr
    refused = run(tmp_path, "remove", MISSING, check=False)
    assert f"{MISSING} is not installed" in refused.stderr


def test_the_doctor_tells_what_is_there_and_how_to_get_the_rest(registry, base, tmp_path):
    def doctor():
        command = [binary(), "doctor", "--data", str(tmp_path)]
        said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
        return {line.split()[1]: line.split(maxsplit=2) for line in said.splitlines()}

    before = doctor()
    assert before[MISSING][0] == "none"
    assert f"`lampejo runtime install {MISSING}`" in before[MISSING][2]
    image, digest = base()
    run(tmp_path, "install", MISSING, "--from", image)
    found = doctor()[MISSING]
    assert found == ["ok", MISSING, f"installed, {image.removesuffix(':1')}@sha256:{digest}"]


# Python as AWS's base image has it: an interpreter in /var/lang, the official client, and a script.
BOOTSTRAP = """#!/bin/sh
export PYTHONHOME=/var/lang
exec /var/lang/bin/python -m awslambdaric "$_HANDLER"
"""
LOADED = """
import json, sys
sys.path.insert(0, sys.argv[1])
import awslambdaric.__main__, concurrent.futures.thread, encodings.idna, pkgutil, runpy, traceback
files = [getattr(it, "__file__", None) for it in list(sys.modules.values())]
print(json.dumps([sys.base_prefix, sys.executable, [it for it in files if it]]))
"""


def libraries(*files):
    """The shared libraries that files need."""
    said = subprocess.run(["ldd", *files], capture_output=True, text=True, check=False).stdout
    words = (word.rstrip(":") for word in said.split() if word.startswith("/"))
    return {word for word in words if word not in files}


@pytest.fixture
def python_image(registry, needs_sandbox, name):
    """A base image made of the machine's own Python and the real awslambdaric."""
    ric = os.environ.get("LAMPEJO_CLIENT_PYTHON")
    if not ric:
        pytest.skip("the python client is not built: its registry or tools are missing")
    command = ["/usr/bin/python3", "-I", "-c", LOADED, ric]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    prefix, executable, files = json.loads(found.stdout)
    executable = str(pathlib.Path(executable).resolve())
    native = [executable, "/bin/sh", *(it for it in files if it.endswith(".so"))]
    entries = {"var/lang/bin/python": executable}
    for file in (pathlib.Path(file) for file in files):
        if file.is_relative_to(prefix):
            entries[f"var/lang/{file.relative_to(prefix)}"] = file
    for file in (file for file in pathlib.Path(ric).rglob("*") if file.is_file()):
        entries[f"var/runtime/{file.relative_to(ric)}"] = file
    entries |= {library.lstrip("/"): library for library in libraries(*native)}
    entries["bin/sh"] = "/bin/sh"
    packed = [(path, pathlib.Path(file).read_bytes(), 0o755) for path, file in entries.items()]
    own = [
        ("var/runtime/bootstrap", BOOTSTRAP, 0o755),
        ("var/task/.keep", ""),
        ("opt/.keep", ""),
    ]
    environment = ["PYTHONPATH=/var/runtime", "PYTHONDONTWRITEBYTECODE=1"]
    return registry.push(name, [layer(*packed, *own)], Env=environment)


def test_the_official_client_of_a_base_image_serves_functions(own_server, python_image, name):
    image, digest = python_image
    run(own_server, "install", "python3.15", "--from", image)
    source = """
import json, os, sys
def handler(event, context):
    if event.get("fail"):
        raise KeyError("so it is")
    print("running")
    return [event, sys.prefix, context.function_name, os.environ["AWS_EXECUTION_ENV"]]
"""
    create(own_server, name, "python3.15", {"app.py": source}, Timeout=10)
    expected = [{"a": 1}, "/var/lang", name, "AWS_Lambda_python3.15"]
    assert own_server.invoke(name, {"a": 1}) == (expected, None)
    answer, kind = own_server.invoke(name, {"fail": True})
    assert (answer["errorType"], answer["errorMessage"], kind) == (
        "KeyError",
        "'so it is'",
        "Unhandled",
    )
    assert answer["stackTrace"][0].startswith('  File "/var/task/app.py", line 5')
    eventually(lambda: "running" in own_server.log_lines(name), "it has logged")
