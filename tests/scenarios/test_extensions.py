"""Extensions: what they are told, whom they hold up, how they fail, and how an instance ends that
has some. Each is a real program in a layer."""

import json

import pytest

from lambda_extension import layer
from lampejo_server import ACCOUNT, REGION, eventually, package

ECHO = "def handler(event, context):\n    return event\n"

FAITHFUL = """
def plan(self):
    status, _, body = self.register("INVOKE", "SHUTDOWN", Accept_Feature="accountId")
    say("registered", body=body, status=status, hidden="_HANDLER" in os.environ, region=os.environ["AWS_REGION"])
    while self.next()["eventType"] != "SHUTDOWN":
        pass
"""


@pytest.fixture
def deploy(server, name):
    """Creates a function with a layer of extensions; answers with what the extensions have said."""

    def create(source=ECHO, where=server, content=None, **extensions):
        settings = extensions.pop("settings", {})
        client = where.client("lambda")
        content = {"ZipFile": content or layer(**extensions)}
        arn = client.publish_layer_version(LayerName=name, Content=content)["LayerVersionArn"]
        where.function(name, source, Layers=[arn], **settings)

        def said(what):
            lines = (line for line in where.log_lines(name) if line.startswith('{"who"'))
            return [it for it in map(json.loads, lines) if it["what"] == what]

        return said

    return create


def told(said, kind):
    return [it["event"] for it in said("told") if it["event"]["eventType"] == kind]


def retire(server, name):
    server.client("lambda").update_function_configuration(FunctionName=name, Description="new")


def test_an_extension_is_told_of_invocations_and_of_the_end(server, deploy, name):
    said = deploy(faithful=FAITHFUL)
    answer = server.client("lambda").invoke(FunctionName=name, Payload=b"1", LogType="Tail")
    assert json.load(answer["Payload"]) == 1
    assert server.invoke(name, 2) == (2, None)
    invocations = eventually(lambda: len(told(said, "INVOKE")) == 2 and told(said, "INVOKE"), "both")
    (registered,) = said("registered")
    assert registered["status"] == 200
    assert registered["body"] == {
        "functionName": name,
        "functionVersion": "$LATEST",
        "handler": "index.handler",
        "accountId": ACCOUNT,
    }
    assert (registered["hidden"], registered["region"]) == (False, REGION)
    first = invocations[0]
    assert first["requestId"] == answer["ResponseMetadata"]["RequestId"]
    assert first["invokedFunctionArn"].endswith(f":function:{name}")
    assert first["tracing"]["type"] == "X-Amzn-Trace-Id"
    assert first["tracing"]["value"].startswith("Root=1-")
    assert first["deadlineMs"] > 0
    assert all(it["identified"] and it["status"] == 200 for it in said("told"))
    line = "EXTENSION\tName: faithful\tState: Ready\tEvents: [INVOKE, SHUTDOWN]"
    assert server.log_lines(name).count(line) == 1
    retire(server, name)
    (end,) = eventually(lambda: told(said, "SHUTDOWN"), "the end")
    assert (end["shutdownReason"], end["deadlineMs"] > 0) == ("spindown", True)


WAITS_FOR_AN_OBJECT = """
def plan(self):
    self.register("INVOKE")
    url = os.environ["AWS_ENDPOINT_URL"] + "/" + os.environ["BUCKET"] + "/go"
    while True:
        self.next()
        until(lambda: there(url))


def there(url):
    try:
        return urllib.request.urlopen(url).status == 200
    except urllib.error.HTTPError:
        return False
"""


def test_the_response_does_not_wait_for_extensions_but_the_report_does(server, deploy, name):
    s3 = server.client("s3")
    s3.create_bucket(Bucket=name)
    settings = {"Environment": {"Variables": {"BUCKET": name}}, "Timeout": 60}
    deploy(slow=WAITS_FOR_AN_OBJECT, settings=settings)
    assert server.invoke(name, "early") == ("early", None)
    assert not [line for line in server.log_lines(name) if line.startswith("REPORT")]
    s3.put_object(Bucket=name, Key="go", Body=b"")
    lines = lambda: [line for line in server.log_lines(name) if line.startswith("REPORT")]
    (report,) = eventually(lines, "the report")
    assert "Status" not in report
    # The tail waits for its last line.
    answer = server.client("lambda").invoke(FunctionName=name, Payload=b"1", LogType="Tail")
    assert answer["LogResult"]


def test_the_functions_timeout_covers_extensions_and_everybody_is_told(server, deploy, name):
    source = """
import os, signal
signal.signal(signal.SIGTERM, lambda *_: open("/tmp/terminated", "w").close() or os._exit(0))
def handler(event, context):
    return event
"""
    late = """
def plan(self):
    self.register("INVOKE", "SHUTDOWN")
    self.next()
    until(lambda: os.path.exists("/tmp/terminated"))
    self.next()
"""
    said = deploy(source, late=late, settings={"Timeout": 1})
    assert server.invoke(name, "in time") == ("in time", None)
    (end,) = eventually(lambda: told(said, "SHUTDOWN"), "the end")
    assert end["shutdownReason"] == "timeout"
    reports = lambda: [line for line in server.log_lines(name) if line.startswith("REPORT")]
    (report,) = eventually(reports, "the report")
    assert report.endswith("Status: timeout")
    assert any("Task timed out after 1.00 seconds" in line for line in server.log_lines(name))


def test_a_failing_runtime_takes_its_extensions_along(server, deploy, name):
    said = deploy("import os\ndef handler(event, context):\n    os._exit(3)\n", faithful=FAITHFUL)
    value, error = server.invoke(name)
    assert error == "Unhandled"
    assert value["errorType"] == "Runtime.ExitError"
    assert value["errorMessage"].endswith("Error: Runtime exited with error: exit status 3")
    (end,) = eventually(lambda: told(said, "SHUTDOWN"), "the end")
    assert end["shutdownReason"] == "failure"


@pytest.mark.parametrize(
    "plan, error_type, reason, state",
    [
        ("sys.exit(7)", "Extension.Crash", "exit status 7", "State: Started\tEvents: []"),
        (
            'self.register("INVOKE"); sys.exit(0)',
            "Extension.Crash",
            "exit code 0",
            "State: Registered\tEvents: [INVOKE]",
        ),
        (
            'self.register("INVOKE"); self.call("POST", "/2020-01-01/extension/init/error", {}, '
            'Function_Error_Type="Tool.NoKey"); sys.exit(1)',
            "Extension.InitError",
            "exit status 1",
            "State: InitError\tEvents: [INVOKE]\tError Type: Tool.NoKey",
        ),
        (
            'self.register("INVOKE"); self.call("POST", "/2020-01-01/extension/exit/error", {}, '
            'Function_Error_Type="Tool.Gone"); sys.exit(1)',
            "Extension.ExitError",
            "exit status 1",
            "State: ExitError\tEvents: [INVOKE]\tError Type: Tool.Gone",
        ),
    ],
)
def test_an_extension_that_fails_in_init_fails_it(
    server, deploy, name, plan, error_type, reason, state
):
    deploy(bad=f"def plan(self):\n    {plan}\n")
    value, error = server.invoke(name)
    assert (value["errorType"], error) == (error_type, "Unhandled")
    assert value["errorMessage"].endswith(f" Error: {reason}")
    lines = eventually(lambda: ended(server, name), "the log")
    assert f"EXTENSION\tName: bad\t{state}" in lines
    assert any(f"Phase: init\tStatus: error\tError Type: {error_type}" in line for line in lines)
    assert any(f"Phase: invoke\tStatus: error\tError Type: {error_type}" in it for it in lines)
    assert any(line.endswith(f"Error: {reason}\n{error_type}") for line in lines)


def ended(server, name):
    lines = server.log_lines(name)
    return lines if any(line.startswith("REPORT") for line in lines) else None


def test_an_extension_that_crashes_later_fails_the_invocation(server, deploy, name):
    source = """
import time
def handler(event, context):
    time.sleep(60)
"""
    crashes = """
def plan(self):
    self.register("INVOKE")
    self.next()
    os.kill(os.getpid(), 9)
"""
    said = deploy(source, crashes=crashes, faithful=FAITHFUL, settings={"Timeout": 70})
    value, error = server.invoke(name)
    assert (value["errorType"], error) == ("Extension.Crash", "Unhandled")
    assert value["errorMessage"].endswith(" Error: signal: killed")
    (end,) = eventually(lambda: told(said, "SHUTDOWN"), "the other one is told")
    assert end["shutdownReason"] == "failure"


def test_an_extension_that_cannot_be_run_says_why(server, deploy, name):
    deploy(content=package({"extensions/locked": ("#!/bin/sh\n", 0o644)}))
    value, error = server.invoke(name)
    assert (value["errorType"], error) == ("Extension.LaunchError", "Unhandled")
    assert value["errorMessage"].endswith("fork/exec /opt/extensions/locked: permission denied")
    lines = eventually(lambda: ended(server, name), "the log")
    line = "EXTENSION\tName: locked\tState: LaunchError\tEvents: []\tError Type: PermissionDenied"
    assert line in lines


def test_an_extension_serves_the_function_before_its_init(server, deploy, name):
    """As AWS's own Parameters and Secrets extension does, on its port."""
    secrets = """
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        token = self.headers["X-Aws-Parameters-Secrets-Token"]
        known = token == os.environ["AWS_SESSION_TOKEN"]
        body = json.dumps({"Path": self.path, "Known": known}).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def plan(self):
    server = http.server.HTTPServer(("localhost", 2773), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    self.register("INVOKE", "SHUTDOWN")
    while self.next()["eventType"] != "SHUTDOWN":
        pass
"""
    source = """
import json, os, urllib.request
def secret(name):
    url = "http://localhost:2773/secretsmanager/get?secretId=" + name
    headers = {"X-Aws-Parameters-Secrets-Token": os.environ["AWS_SESSION_TOKEN"]}
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as answer:
        return json.load(answer)
IN_INIT = secret("one")
def handler(event, context):
    return [IN_INIT, secret(event)]
"""
    deploy(source, secrets=secrets)
    value, error = server.invoke(name, "two")
    assert error is None, value
    path = "/secretsmanager/get?secretId="
    assert value == [{"Path": f"{path}{it}", "Known": True} for it in ("one", "two")]


def test_extensions_of_several_layers_run_side_by_side(server, name):
    client = server.client("lambda")
    arns = []
    for number in (1, 2):
        content = {"ZipFile": layer(**{f"tool{number}": FAITHFUL, "same": FAITHFUL})}
        layers = client.publish_layer_version(LayerName=f"{name}-{number}", Content=content)
        arns.append(layers["LayerVersionArn"])
    server.function(name, ECHO, Layers=arns)
    assert server.invoke(name, 1) == (1, None)
    eventually(lambda: ended(server, name), "the log")
    lines = [line for line in server.log_lines(name) if line.startswith("EXTENSION")]
    assert [line.split("\t")[1] for line in lines] == ["Name: same", "Name: tool1", "Name: tool2"]


def test_an_internal_extension_is_a_part_of_the_runtime(server, name):
    source = """
import json, os, threading, urllib.error, urllib.request
API = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2020-01-01/extension/"
TOLD = []
def call(method, path, headers, body=None):
    request = urllib.request.Request(API + path, data=body, method=method, headers=headers)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, dict(answer.headers), json.load(answer)
    except urllib.error.HTTPError as refused:
        return refused.code, dict(refused.headers), json.load(refused)
def register(name, *events):
    body = json.dumps({"events": events}).encode()
    return call("POST", "register", {"Lambda-Extension-Name": name}, body)
REFUSED = [register("inner", "SHUTDOWN"), register("", "INVOKE")]
MINE = {"Lambda-Extension-Identifier": register("inner", "INVOKE")[1]["Lambda-Extension-Identifier"]}
def listen():
    while True:
        TOLD.append(call("GET", "event/next", MINE)[2]["requestId"])
threading.Thread(target=listen, daemon=True).start()
def handler(event, context):
    late = register("late", "INVOKE")
    forged = call("GET", "event/next", {"Lambda-Extension-Identifier": "0" * 8 + "-0000" * 3 + "-" + "0" * 12})
    nobody = call("GET", "event/next", {})
    errors = [(status, body["errorType"]) for status, _, body in (*REFUSED, late, forged, nobody)]
    return {"told": TOLD[-1] if TOLD else None, "id": context.aws_request_id, "errors": errors}
"""
    server.function(name, source)
    first = server.client("lambda").invoke(FunctionName=name, LogType="Tail")
    assert json.load(first["Payload"])["errors"] == [
        [403, "Extension.InvalidEventType"],
        [403, "Extension.InvalidExtensionName"],
        [403, "Extension.RegistrationClosed"],
        [403, "Extension.UnknownExtensionIdentifier"],
        [403, "Extension.MissingExtensionIdentifier"],
    ]
    second, _ = server.invoke(name)
    assert second["told"] in (second["id"], first["ResponseMetadata"]["RequestId"])
    line = "EXTENSION\tName: inner\tState: Ready\tEvents: [INVOKE]"
    eventually(lambda: line in server.log_lines(name), "its line in the log")
