"""The AWS CLI against the server, as a person types it."""

import json
import os
import shutil
import subprocess
import urllib.request

import pytest

from lampejo_server import ACCOUNT, PYTHON, REGION, ROLE, eventually, package


@pytest.fixture
def aws(server, tmp_path):
    program = os.environ.get("LAMPEJO_AWS") or shutil.which("aws")
    if program is None:
        pytest.skip("LAMPEJO_AWS is not set and there is no aws")
    environment = {
        **os.environ,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_PAGER": "",
    }

    def run(*words, fails=False):
        command = [program, "--endpoint-url", server.endpoint, *map(str, words)]
        done = subprocess.run(
            command, capture_output=True, text=True, env=environment, cwd=tmp_path, timeout=120
        )
        assert (done.returncode != 0) == fails, done.stdout + done.stderr
        return done.stderr if fails else done.stdout

    return run


def test_files_are_copied_listed_and_removed(aws, tmp_path, name):
    aws("s3", "mb", f"s3://{name}")
    (tmp_path / "big").write_bytes(os.urandom(9 << 20))
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "ä.txt").write_text("hallo")
    aws("s3", "cp", "big", f"s3://{name}/big")
    aws("s3", "sync", "folder", f"s3://{name}/folder")
    listed = aws("s3", "ls", f"s3://{name}", "--recursive").split("\n")
    assert [line.split(None, 3)[2:] for line in listed if line] == [
        [str(9 << 20), "big"],
        ["5", "folder/ä.txt"],
    ]
    aws("s3", "cp", f"s3://{name}/big", "back")
    assert (tmp_path / "back").read_bytes() == (tmp_path / "big").read_bytes()
    assert aws("s3", "cp", f"s3://{name}/folder/ä.txt", "-") == "hallo"
    with urllib.request.urlopen(aws("s3", "presign", f"s3://{name}/folder/ä.txt").strip()) as answer:
        assert answer.read() == b"hallo"
    (tmp_path / "folder" / "ä.txt").unlink()
    aws("s3", "sync", "folder", f"s3://{name}/folder", "--delete")
    assert aws("s3", "ls", f"s3://{name}/folder/", fails=True) == ""
    aws("s3", "rb", f"s3://{name}", "--force")
    assert "NoSuchBucket" in aws("s3", "ls", f"s3://{name}", fails=True)


def test_a_function_is_made_run_and_read(aws, tmp_path, name):
    code = "def handler(event, context):\n    print('seen')\n    return event\n"
    (tmp_path / "code.zip").write_bytes(package({"index.py": code}))
    aws(
        *("lambda", "create-function", "--function-name", name, "--runtime", PYTHON),
        *("--role", ROLE, "--handler", "index.handler", "--zip-file", "fileb://code.zip"),
    )
    aws("lambda", "wait", "function-active-v2", "--function-name", name)
    answer = aws(
        *("lambda", "invoke", "--function-name", name, "--payload", '{"a": 1}', "out.json"),
    )
    assert json.loads(answer) == {"StatusCode": 200, "ExecutedVersion": "$LATEST"}
    assert json.loads((tmp_path / "out.json").read_text()) == {"a": 1}

    def read():
        log = aws(
            *("logs", "filter-log-events", "--log-group-name", f"/aws/lambda/{name}"),
            *("--query", "events[].message", "--output", "text"),
        )
        return log if "REPORT" in log else None

    assert "seen" in eventually(read, "the log")


def test_a_queue_by_hand(aws, name):
    url = json.loads(aws("sqs", "create-queue", "--queue-name", name))["QueueUrl"]
    aws("sqs", "send-message", "--queue-url", url, "--message-body", "hallo")
    received = json.loads(aws("sqs", "receive-message", "--queue-url", url))
    assert [it["Body"] for it in received["Messages"]] == ["hallo"]


def test_who_calls_and_what_is_refused(aws, name):
    assert json.loads(aws("sts", "get-caller-identity"))["Account"] == ACCOUNT
    said = aws("iam", "get-user", "--user-name", name, fails=True)
    assert "An error occurred (NoSuchEntity) when calling the GetUser operation" in said
    assert f"The user with name {name} cannot be found." in said
