"""The Telemetry API and the Logs API: what extensions may read of their instance, over HTTP and TCP.

Each extension keeps what it gets and shows it to the function, which answers with it."""

import json

import pytest

from lampejo_server import REGION, eventually
from lambda_extension import layer

# The function prints a line, and answers with what its extension has got so far, as soon as that
# has all the kinds that it is asked for.
ASKS = """
import json, os, time, urllib.request
def seen():
    with urllib.request.urlopen("http://localhost:4000/") as answer:
        return json.load(answer)
def handler(event, context):
    print("line of", context.aws_request_id)
    wanted = set(event["wanted"])
    while not wanted <= {it["type"] for it in seen()["events"]}:
        time.sleep(0.005)
    return seen()
"""

# Shows what it has got at port 4000.
KEEPS = """
GOT = {"events": [], "requests": [], "answers": []}

class Show(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps(GOT).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

class Take(Show):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        GOT["requests"].append([self.command, self.path, self.headers["Content-Type"]])
        GOT["events"] += json.loads(body)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_PUT = do_POST

def serve(host, port, handler):
    server = http.server.ThreadingHTTPServer((host, port), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()

def live(self, *refused):
    serve("localhost", 4000, Show)
    self.register("INVOKE", "SHUTDOWN")
    GOT["answers"] += [subscribe(self) for subscribe in refused]

def loop(self):
    while self.next()["eventType"] != "SHUTDOWN":
        pass
"""

OVER_HTTP = KEEPS + """
def plan(self):
    to = lambda uri, **more: {"protocol": "HTTP", "URI": uri, **more}
    wrong = [
        {"destination": to("http://sandbox.localdomain")},
        {"destination": to("http://169.254.169.254:80/")},
        {"destination": to("http://sandbox.localdomain:9001/")},
        {"destination": to("http://sandbox.localdomain:8080"), "types": []},
        {"destination": to("http://sandbox.localdomain:8080"), "buffering": {"maxItems": 1}},
    ]
    live(self, *[lambda self, body=body: self.subscribe(**body)[::2] for body in wrong])
    serve("sandbox.localdomain", 8080, Take)
    GOT["answers"].append(self.subscribe(destination=to("http://sandbox.localdomain:8080/in"))[::2])
    loop(self)
"""

OVER_TCP = KEEPS + """
class Lines(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            GOT["events"].append(json.loads(line))

def plan(self):
    live(self)
    server = socketserver.ThreadingTCPServer(("sandbox.localdomain", 8081), Lines)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    GOT["answers"].append(self.subscribe(destination={"protocol": "TCP", "port": 8081})[::2])
    loop(self)
"""

OF_THE_LOGS_API = KEEPS + """
def plan(self):
    live(self)
    serve("sandbox", 8080, Take)
    destination = {"protocol": "HTTP", "URI": "http://sandbox:8080", "method": "PUT"}
    answer = self.subscribe("/2020-08-15/logs", "2021-03-18", destination=destination)
    GOT["answers"].append(answer[::2])
    loop(self)
"""


@pytest.fixture
def deploy(server, name, needs_sandbox):
    def create(plan, **settings):
        client = server.client("lambda")
        content = {"ZipFile": layer(tool=plan)}
        arn = client.publish_layer_version(LayerName=name, Content=content)["LayerVersionArn"]
        server.function(name, ASKS, Layers=[arn], Timeout=30, **settings)

    return create


def ask(server, name, *wanted, trace=None):
    client = server.client("lambda")
    if trace:
        add = lambda request, **_: request.headers.add_header("X-Amzn-Trace-Id", trace)
        client.meta.events.register("before-sign.lambda.Invoke", add)
    answer = client.invoke(FunctionName=name, Payload=json.dumps({"wanted": wanted}))
    seen = json.load(answer["Payload"])
    assert "FunctionError" not in answer, seen
    return seen, answer["ResponseMetadata"]["RequestId"]


def records(seen, kind):
    return [event["record"] for event in seen["events"] if event["type"] == kind]


def again(server, name, first, *wanted):
    """Asks until the instance of the first invocation is free again and answers."""

    def look():
        seen, _ = ask(server, name, "platform.start")
        starts = [it["requestId"] for it in records(seen, "platform.start")]
        kinds = {event["type"] for event in seen["events"]}
        return seen if first in starts and set(wanted) <= kinds else None

    return eventually(look, "the first instance")


def test_all_that_happens_comes_over_http(server, deploy, name):
    deploy(OVER_HTTP)
    trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
    seen, first = ask(server, name, "platform.start", "function", trace=trace)
    refused, granted = seen["answers"][:-1], seen["answers"][-1]
    assert granted == [200, "OK"]
    assert [status for status, _ in refused] == [400] * 5
    assert [body["errorType"] for _, body in refused] == ["ValidationError"] * 5
    assert [body["errorMessage"] for _, body in refused] == [
        "URI port is not provided",
        "URI host should be sandbox.localdomain",
        "port 9001 is reserved",
        "types should not be empty",
        "maxItems should be from 1000 to 10000",
    ]
    assert seen["requests"][0] == ["POST", "/in", "application/json"]
    # What happened before the subscription comes too.
    (start,) = records(seen, "platform.initStart")
    assert (start["phase"], start["initializationType"]) == ("init", "on-demand")
    assert (start["functionName"], start["functionVersion"]) == (name, "$LATEST")
    assert start["runtimeVersion"].startswith("python:")
    assert start["runtimeVersionArn"].startswith(f"arn:aws:lambda:{REGION}::runtime:")
    (subscription,) = records(seen, "platform.telemetrySubscription")
    types = ["platform", "function"]
    assert subscription == {"name": "tool", "state": "Subscribed", "types": types}
    (done,) = records(seen, "platform.initRuntimeDone")
    init = {"phase": "init", "initializationType": "on-demand", "status": "success"}
    assert done == init
    (extension,) = records(seen, "platform.extension")
    assert extension == {"name": "tool", "state": "Ready", "events": ["INVOKE", "SHUTDOWN"]}
    (report,) = records(seen, "platform.initReport")
    assert report.pop("metrics")["durationMs"] > 0
    assert report == init
    (begun,) = records(seen, "platform.start")
    tracing = begun.pop("tracing")
    assert begun == {"requestId": first, "version": "$LATEST"}
    assert (tracing["type"], tracing["value"][: len(trace)]) == ("X-Amzn-Trace-Id", trace)
    assert records(seen, "function") == [f"line of {first}\n"]
    seen = again(server, name, first, "platform.runtimeDone", "platform.report")
    done = records(seen, "platform.runtimeDone")[0]
    assert (done["requestId"], done["status"], done["tracing"]) == (first, "success", tracing)
    spans = ["responseLatency", "responseDuration", "runtimeOverhead"]
    assert [span["name"] for span in done["spans"]] == spans
    assert all(span["durationMs"] >= 0 and span["start"] for span in done["spans"])
    assert done["metrics"]["durationMs"] > 0 and done["metrics"]["producedBytes"] > 0
    report = records(seen, "platform.report")[0]
    assert (report["requestId"], report["status"]) == (first, "success")
    assert report["spans"][0]["name"] == "extensionOverhead"
    metrics = report["metrics"]
    assert metrics["billedDurationMs"] >= metrics["durationMs"] + metrics["initDurationMs"]
    assert metrics["memorySizeMB"] == 128
    line = "TELEMETRY\tName: tool\tState: Subscribed\tTypes: [Platform, Function]"
    eventually(lambda: line in server.log_lines(name), "its line in the log")


def test_lines_come_over_tcp(server, deploy, name):
    deploy(OVER_TCP)
    seen, first = ask(server, name, "platform.start", "function", "platform.initReport")
    assert seen["answers"] == [[200, "OK"]]
    assert records(seen, "function") == [f"line of {first}\n"]


def test_the_logs_api_has_its_own_events(server, deploy, name):
    deploy(OF_THE_LOGS_API)
    seen, first = ask(server, name, "platform.start", "function", "platform.logsSubscription")
    assert seen["answers"] == [[200, "OK"]]
    assert seen["requests"][0][:2] == ["PUT", "/"]
    seen = again(server, name, first, "platform.end", "platform.report", "platform.runtimeDone")
    assert records(seen, "platform.end")[0] == {"requestId": first}
    kinds = {event["type"] for event in seen["events"]}
    assert not kinds & {"platform.initStart", "platform.initReport", "platform.initRuntimeDone"}
    line = "LOGS\tName: tool\tState: Subscribed\tTypes: [Platform, Function]"
    eventually(lambda: line in server.log_lines(name), "its line in the log")


def test_functions_that_log_in_json_give_objects(server, deploy, name):
    logging = {"LogFormat": "JSON", "SystemLogLevel": "DEBUG"}
    deploy(OVER_HTTP, LoggingConfig=logging)
    seen, first = ask(server, name, "platform.start", "function")
    kinds = [
        "platform.initStart",
        "platform.telemetrySubscription",
        "platform.initRuntimeDone",
        "platform.extension",
        "platform.initReport",
        "platform.start",
        "platform.runtimeDone",
        "platform.report",
    ]

    def logged():
        lines = map(json.loads, server.log_lines(name, '{ $.type = "platform*" }'))
        return [line["type"] for line in lines][: len(kinds)] == kinds

    eventually(logged, "the log has the same events")


def test_a_subscriber_that_reads_nothing_holds_nobody_up(server, deploy, name):
    deaf = KEEPS + """
def plan(self):
    live(self)
    import socket
    ear = socket.create_server(("sandbox.localdomain", 8082))
    GOT["answers"].append(self.subscribe(destination={"protocol": "TCP", "port": 8082})[::2])
    loop(self)
"""
    source = """
def handler(event, context):
    for number in range(20000):
        print(number, "x" * 100)
    return "done"
"""
    client = server.client("lambda")
    content = {"ZipFile": layer(tool=deaf)}
    arn = client.publish_layer_version(LayerName=name, Content=content)["LayerVersionArn"]
    server.function(name, source, Layers=[arn], Timeout=30)
    for _ in range(2):
        assert server.invoke(name) == ("done", None)
