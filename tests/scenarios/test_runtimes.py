"""Runtimes: Python's and Node.js's surroundings, and programs that bring their own."""

import json
import shutil
import subprocess

import pytest

from lampejo_server import ACCOUNT, PYTHON, REGION, eventually, package

# /tmp counts into a function's memory here, so what fills it needs some.
MEMORY = 1024


@pytest.fixture(scope="session")
def node():
    """The runtime's name for the machine's Node.js."""
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True)
    return f"nodejs{version.stdout.strip('v').split('.')[0]}.x"


def test_the_environment_is_lambdas(server, name):
    source = """
import os
def handler(event, context):
    return {"variables": dict(os.environ), "folder": os.getcwd()}
"""
    settings = {"MemorySize": 256, "Environment": {"Variables": {"MINE": "ä", "EMPTY": ""}}}
    server.function(name, source, **settings)
    answer, kind = server.invoke(name)
    assert kind is None
    variables = answer["variables"]
    expected = {
        "MINE": "ä",
        "EMPTY": "",
        "_HANDLER": "index.handler",
        "TZ": ":UTC",
        "LANG": "en_US.UTF-8",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{PYTHON}",
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{name}",
        "LAMBDA_TASK_ROOT": "/var/task",
        "LAMBDA_RUNTIME_DIR": "/var/runtime",
    }
    assert {key: variables.get(key) for key in expected} == expected
    assert variables["AWS_ACCESS_KEY_ID"].startswith("ASIA")
    assert variables["AWS_SESSION_TOKEN"]
    assert "[$LATEST]" in variables["AWS_LAMBDA_LOG_STREAM_NAME"]
    assert answer["folder"] == "/var/task"
    assert variables["_X_AMZN_TRACE_ID"].startswith("Root=1-")
    # Nothing of the server's own environment.
    assert not {"HOME", "LAMPEJO_BINARY", "USER"} & set(variables)


def test_a_layers_wrapper_starts_the_runtime(needs_sandbox, server, name):
    wrapper = '#!/bin/sh\nexport WRAPPED="$(basename "$1")"\nexec "$@"\n'
    layer = server.client("lambda").publish_layer_version(
        LayerName=name, Content={"ZipFile": package({"wrapper": (wrapper, 0o755)})}
    )
    variables = {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/wrapper"}
    settings = {"Layers": [layer["LayerVersionArn"]], "Environment": {"Variables": variables}}
    source = "import os\ndef handler(event, context): return os.environ['WRAPPED']\n"
    server.function(name, source, **settings)
    answer, kind = server.invoke(name)
    assert (answer.startswith("python3"), kind) == (True, None)


def test_a_function_has_credentials_of_its_role(server, name):
    source = """
import boto3
def handler(event, context):
    return boto3.client("sts").get_caller_identity()["Arn"]
"""
    server.function(name, source, MemorySize=512, Timeout=30)
    arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/function/{name}"
    assert server.invoke(name) == (arn, None)


def test_tmp_is_as_large_as_configured(needs_sandbox, server, name):
    source = """
import errno
def handler(event, context):
    written = 0
    try:
        with open("/tmp/full", "wb") as file:
            while True:
                written += file.write(b"x" * (1 << 20))
    except OSError as error:
        return [errno.errorcode[error.errno], written >> 20]
"""
    server.function(name, source, MemorySize=MEMORY, Timeout=30)
    (code, mebibytes), kind = server.invoke(name)
    assert (kind, code) == (None, "ENOSPC")
    assert 510 <= mebibytes <= 512


def test_what_a_function_keeps_stays_for_its_next_invocation(server, name):
    source = """
import os
count = 0
def handler(event, context):
    global count
    count += 1
    with open("/tmp/kept", "a") as file:
        file.write("x")
    return [count, os.path.getsize("/tmp/kept")]
"""
    server.function(name, source)
    assert [server.invoke(name)[0] for _ in range(3)] == [[1, 1], [2, 2], [3, 3]]


def test_a_node_function(server, node, name):
    source = """
exports.handler = async (event, context) => {
  console.log("hallo");
  if (event.fail) throw new TypeError("so it is");
  return { got: event, name: context.functionName };
};
"""
    server.function(name, source, file="index.js", Runtime=node, MemorySize=512)
    assert server.invoke(name, [1]) == ({"got": [1], "name": name}, None)
    answer, kind = server.invoke(name, {"fail": True})
    assert kind == "Unhandled"
    assert (answer["errorType"], answer["errorMessage"]) == ("TypeError", "so it is")
    assert answer["trace"][0] == "TypeError: so it is"

    def logged():
        return [it for it in server.log_lines(name) if it.endswith("\tINFO\thallo")]

    assert len(eventually(logged, "the line of the function")) in (1, 2)


def test_a_node_function_with_a_callback(server, node, name):
    source = "exports.handler = (event, context, callback) => { callback(null, event.a + 1); };\n"
    server.function(name, source, file="index.js", Runtime=node, MemorySize=512)
    answer, kind = server.invoke(name, {"a": 1})
    # Node.js 24 and later know no callbacks.
    if int(node.removeprefix("nodejs").removesuffix(".x")) < 24:
        assert (answer, kind) == (2, None)
    else:
        assert answer["errorType"] == "Runtime.CallbackHandlerDeprecated"


def test_a_node_module_is_a_module(server, node, name):
    source = "export const handler = async (event) => event.a + 1;\n"
    server.function(name, source, file="index.mjs", Runtime=node, MemorySize=512)
    assert server.invoke(name, {"a": 1}) == (2, None)


@pytest.mark.parametrize(
    ("source", "handler", "error_type", "message"),
    [
        (
            "exports.other = 1;\n",
            "index.handler",
            "Runtime.HandlerNotFound",
            "index.handler is undefined or not exported",
        ),
        ("", "absent.handler", "Runtime.ImportModuleError", "Error: Cannot find module 'absent'"),
        (
            "require('nosuch');\n",
            "index.handler",
            "Runtime.ImportModuleError",
            "Error: Cannot find module 'nosuch'",
        ),
        ("exports.handler = (\n", "index.handler", "Runtime.UserCodeSyntaxError", "SyntaxError: "),
    ],
    ids=["handler", "module", "import", "syntax"],
)
def test_a_node_init_that_fails_is_told(server, node, name, source, handler, error_type, message):
    server.function(
        name, source, file="index.js", Runtime=node, Handler=handler, MemorySize=512, Timeout=10
    )
    answer, kind = server.invoke(name)
    assert kind == "Unhandled"
    assert answer["errorType"] == error_type
    assert answer["errorMessage"].startswith(message)


BOOTSTRAP = """#!/bin/sh
exec python3 -c '
import os, urllib.request
api = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2018-06-01/runtime/invocation/"
while True:
    event = urllib.request.urlopen(api + "next")
    request = event.headers["Lambda-Runtime-Aws-Request-Id"]
    urllib.request.urlopen(api + request + "/response", b"[" + event.read() + b"]").read()
'
"""


def program(server, name, file, content):
    settings = {"Runtime": "provided.al2023", "Handler": "any", "MemorySize": 512, "Timeout": 20}
    server.function(name, content, file=file, **settings)


def test_a_custom_runtime_is_a_program(server, name):
    program(server, name, "bootstrap", (BOOTSTRAP, 0o755))
    assert server.invoke(name, {"a": 1}) == ([{"a": 1}], None)


def test_a_custom_runtime_that_ends_is_told(server, name):
    program(server, name, "bootstrap", ("#!/bin/sh\nexit 7\n", 0o755))
    answer, kind = server.invoke(name)
    assert (answer["errorType"], kind) == ("Runtime.ExitError", "Unhandled")
    assert answer["errorMessage"].endswith("Error: Runtime exited with error: exit status 7")


def test_a_custom_runtime_that_is_missing_is_told(server, name):
    program(server, name, "other", "no program")
    answer, kind = server.invoke(name)
    assert (answer["errorType"], kind) == ("Runtime.InvalidEntrypoint", "Unhandled")
    entrypoints = "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]"
    assert answer["errorMessage"].endswith(f"Error: {entrypoints}")


def test_a_handler_in_node_knows_its_tenant(server, name, node):
    source = "exports.handler = async (e, c) => { console.log('run'); return c.tenantId; };"
    server.function(
        name,
        source,
        Runtime=node,
        file="index.js",
        TenancyConfig={"TenantIsolationMode": "PER_TENANT"},
        LoggingConfig={"LogFormat": "JSON"},
    )
    assert server.invoke(name, TenantId="blue") == ("blue", None)
    lines = eventually(lambda: server.log_lines(name, '{$.message = "run"}'), "it has logged")
    assert json.loads(lines[0])["tenantId"] == "blue"
