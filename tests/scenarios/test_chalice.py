"""Chalice, as it comes from PyPI, deploys an application, changes it and takes it away again."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

from lampejo_server import ACCOUNT, REGION, eventually

# Chalice looks after functions, roles, permissions, triggers and mappings itself.
SOURCE = """
from chalice import Chalice

app = Chalice(app_name="NAME")


@app.lambda_function(name="plain")
def plain(event, context):
    return {"event": event, "function": context.function_name}


@app.on_sqs_message(queue="NAME", batch_size=5)
def orders(event):
    for record in event:
        print("order", record.body)


@app.on_s3_event(bucket="NAME", events=["s3:ObjectCreated:*"])
def uploads(event):
    print("object", event.bucket, event.key)
"""


@pytest.fixture
def chalice(server, name, tmp_path):
    """Runs Chalice in the folder of an application whose queue and bucket exist."""
    timeout = {"VisibilityTimeout": "60"}
    server.client("sqs").create_queue(QueueName=name, Attributes=timeout)
    server.client("s3").create_bucket(Bucket=name)
    settings = {"stages": {"dev": {"lambda_memory_size": 256, "tags": {"team": "shop"}}}}
    (tmp_path / ".chalice").mkdir()
    (tmp_path / ".chalice/config.json").write_text(
        json.dumps({"version": "2.0", "app_name": name, **settings})
    )
    (tmp_path / "requirements.txt").touch()
    (tmp_path / "app.py").write_text(SOURCE.replace("NAME", name))

    def run(*arguments, **options):
        program = pathlib.Path(sys.executable).with_name("chalice")
        ran = subprocess.run(
            [program, *arguments],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(tmp_path),
                "AWS_ENDPOINT_URL": server.endpoint,
                "AWS_ACCESS_KEY_ID": "test",
                "AWS_SECRET_ACCESS_KEY": "test",
                "AWS_DEFAULT_REGION": REGION,
            },
            **options,
        )
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    run.folder = tmp_path
    return run


def test_an_application_is_deployed_fired_changed_and_deleted(server, chalice, name):
    functions = [f"{name}-dev-{handler}" for handler in ("plain", "orders", "uploads")]
    deployed = chalice("deploy")
    for function in functions:
        assert f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function}" in deployed

    plain = {"event": {"q": 1}, "function": functions[0]}
    assert json.loads(chalice("invoke", "-n", "plain", input='{"q": 1}')) == plain
    queue = server.client("sqs").get_queue_url(QueueName=name)["QueueUrl"]
    server.client("sqs").send_message(QueueUrl=queue, MessageBody="book")
    server.client("s3").put_object(Bucket=name, Key="cover.png", Body=b"x")
    eventually(lambda: "order book" in server.log_lines(functions[1]), "the queue has fired")
    line = f"object {name} cover.png"
    eventually(lambda: line in server.log_lines(functions[2]), "the bucket has fired")

    application = chalice.folder / "app.py"
    application.write_text(application.read_text().replace('"event": event', '"changed": event'))
    chalice("deploy")
    changed = {"changed": {"q": 2}, "function": functions[0]}
    assert json.loads(chalice("invoke", "-n", "plain", input='{"q": 2}')) == changed

    chalice("delete")
    left = server.client("lambda").list_functions()["Functions"]
    assert not {function["FunctionName"] for function in left} & set(functions)
    source = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"
    mappings = server.client("lambda").list_event_source_mappings(EventSourceArn=source)
    assert mappings["EventSourceMappings"] == []
