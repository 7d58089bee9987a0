"""The X-Ray daemon of an instance: segments that the X-Ray SDK for Python sends are kept, by trace."""

import importlib
import io
import json
import pathlib
import urllib.request
import zipfile

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

from lampejo_server import PYTHON, REGION, ROLE, eventually

TRACE = "1-5759e988-bd862e3fe1be46a994272793"
HEADER = f"Root={TRACE};Parent=53995c3f42cd8ad8;Sampled=1"

SOURCE = """
import json, os, socket, urllib.request
from aws_xray_sdk.core import xray_recorder

def handler(event, context):
    with xray_recorder.in_subsegment("work") as part:
        part.put_annotation("order", "17")
        with xray_recorder.in_subsegment("inner"):
            pass
    return os.environ["_X_AMZN_TRACE_ID"]

def rules(event, context):
    from aws_xray_sdk.core.sampling.connector import ServiceConnector
    from aws_xray_sdk.core import xray_recorder
    from aws_xray_sdk.core.daemon_config import DaemonConfig
    connector = ServiceConnector()
    connector.setup_xray_client(
        ip=DaemonConfig().tcp_ip, port=DaemonConfig().tcp_port, client=client()
    )
    return [rule.name for rule in connector.fetch_sampling_rules()]

def client():
    import boto3
    from aws_xray_sdk.core.daemon_config import DaemonConfig
    config = DaemonConfig()
    return boto3.client("xray", endpoint_url=f"http://{config.tcp_ip}:{config.tcp_port}")

def nonsense(event, context):
    host, port = os.environ["AWS_XRAY_DAEMON_ADDRESS"].split(":")
    out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    header = b'{"format":"json","version":1}\\n'
    for datagram in (b"hello", header + b"{", header + b'{"id":"1"}', b"\\xff" * 60000):
        out.sendto(datagram, (host, int(port)))
    good = {"trace_id": event["trace"], "id": "00000000000000aa", "name": "by hand"}
    out.sendto(header + json.dumps(good).encode(), (host, int(port)))
    try:
        urllib.request.urlopen(f"http://{host}:{port}/Traces", data=b"{}")
    except urllib.error.HTTPError as refused:
        return refused.code
"""


@pytest.fixture(scope="module")
def code():
    """The function with the SDK as it comes from PyPI."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in ("aws_xray_sdk", "wrapt"):
            folder = pathlib.Path(importlib.import_module(name).__file__).parent
            for file in folder.rglob("*"):
                if file.is_file() and "__pycache__" not in file.parts:
                    archive.write(file, file.relative_to(folder.parent))
        archive.writestr("index.py", SOURCE)
    return buffer.getvalue()


@pytest.fixture
def function(server, name, code):
    def create(handler):
        client = server.client("lambda")
        client.create_function(
            FunctionName=name,
            Runtime=PYTHON,
            Role=ROLE,
            Handler=f"index.{handler}",
            Code={"ZipFile": code},
            MemorySize=256,
            Timeout=30,
        )
        client.get_waiter("function_active_v2").wait(
            FunctionName=name, WaiterConfig={"Delay": 0.02, "MaxAttempts": 500}
        )

    return create


def invoke(server, name, event, trace=HEADER):
    client = server.client("lambda")
    add = lambda request, **_: request.headers.add_header("X-Amzn-Trace-Id", trace)
    client.meta.events.register("before-sign.lambda.Invoke", add)
    answer = client.invoke(FunctionName=name, Payload=json.dumps(event))
    value = json.load(answer["Payload"])
    assert "FunctionError" not in answer, value
    return value


def segments(server, trace, key="test"):
    url = f"{server.endpoint}/_lampejo/traces/segments?trace={trace}"
    request = AWSRequest("GET", url)
    credentials = boto3.Session(aws_access_key_id=key, aws_secret_access_key="x").get_credentials()
    SigV4Auth(credentials, "xray", REGION).add_auth(request)
    with urllib.request.urlopen(urllib.request.Request(url, headers=dict(request.headers))) as it:
        return json.load(it)


def a_trace(server, number):
    """A trace that begins now."""
    import time

    return f"1-{int(time.time()):08x}-{number:024x}"


def test_the_sdk_sends_and_its_segments_are_found_by_their_trace(server, function, name):
    function("handler")
    trace = a_trace(server, 1)
    header = f"Root={trace};Parent=53995c3f42cd8ad8;Sampled=1"
    assert invoke(server, name, {}, header).startswith(f"Root={trace}")

    def found():
        by_name = {it["name"]: it for it in segments(server, trace)["segments"]}
        return by_name if {"work", "inner"} <= set(by_name) else None

    both = eventually(found, "both")
    work, inner = both["work"], both["inner"]
    assert (work["trace_id"], work["parent_id"]) == (trace, "53995c3f42cd8ad8")
    assert (inner["trace_id"], inner["parent_id"]) == (trace, work["id"])
    assert work["annotations"] == {"order": "17"}
    assert segments(server, trace, key="222222222222")["segments"] == []
    assert segments(server, a_trace(server, 2))["segments"] == []


def test_what_is_not_sampled_is_not_sent(server, function, name):
    function("handler")
    trace = a_trace(server, 3)
    invoke(server, name, {}, f"Root={trace};Parent=53995c3f42cd8ad8;Sampled=0")
    sampled = a_trace(server, 4)
    invoke(server, name, {}, f"Root={sampled};Parent=53995c3f42cd8ad8;Sampled=1")
    eventually(lambda: segments(server, sampled)["segments"], "the one after it")
    assert segments(server, trace)["segments"] == []


def test_the_daemon_answers_what_the_sdk_asks_about_sampling(server, function, name):
    function("rules")
    assert invoke(server, name, {}) == ["Default"]


def test_what_is_no_segment_is_dropped_and_counted(server, function, name):
    function("nonsense")
    trace = a_trace(server, 5)
    before = segments(server, trace)["dropped"]
    assert invoke(server, name, {"trace": trace}) == 404
    found = eventually(lambda: segments(server, trace)["segments"], "the good one")
    assert [segment["name"] for segment in found] == ["by hand"]
    assert segments(server, trace)["dropped"] == before + 4


def test_segments_outlive_the_server(own_server, name, code):
    own_server.function(
        name,
        SOURCE.split("def rules")[0].replace("from aws_xray_sdk.core import xray_recorder", "")
        + "def nonsense" + SOURCE.split("def nonsense")[1],
        Handler="index.nonsense",
    )
    trace = a_trace(own_server, 6)
    assert invoke(own_server, name, {"trace": trace}) == 404
    eventually(lambda: segments(own_server, trace)["segments"], "the segment")
    own_server.restart()
    assert [it["name"] for it in segments(own_server, trace)["segments"]] == ["by hand"]
