"""The AWS SDK for JavaScript against the server: a script of its own, one JSON line per step."""

import base64
import json
import os
import pathlib
import shutil
import subprocess

import pytest

from lampejo_server import PYTHON, package

SCRIPT = pathlib.Path(__file__).with_name("javascript.cjs")


@pytest.fixture(scope="module")
def told(server):
    """What the script told of each step."""
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    if not (pathlib.Path(os.environ.get("NODE_PATH", "")) / "@aws-sdk").is_dir():
        pytest.skip("NODE_PATH names no folder with @aws-sdk")
    code = package({"index.py": "def handler(event, context):\n    return event['n'] + 1\n"})
    done = subprocess.run(
        ["node", SCRIPT, server.endpoint, PYTHON, base64.b64encode(code).decode()],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "NODE_NO_WARNINGS": "1"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def test_objects(told):
    assert told["s3"] == {"body": "hallo ä", "missing": ["NoSuchKey", 404], "keys": ["a b"]}


def test_queues(told):
    assert told["sqs"] == {"body": "hallo", "missing": ["QueueDoesNotExist", 400]}


def test_functions(told):
    assert told["lambda"] == {
        "answer": 42,
        "version": "$LATEST",
        "missing": ["ResourceNotFoundException", 404],
    }


def test_logs_iam_and_sts(told):
    assert told["logs"] == ["one"]
    assert told["iam"] == ["NoSuchEntityException", 404]
    assert told["sts"] == "000000000000"
