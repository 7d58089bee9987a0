"""What the last starts of a function spent their time on."""

import json
import os
import subprocess

import pytest

from lampejo_server import binary, eventually

OURS = ["wait", "fetch", "namespace", "mounts", "boot", "imports", "init", "handler"]


@pytest.fixture
def starts(server, sandbox):
    """Asks the command for the starts of a function, the oldest first."""

    def ask(function, *flags):
        command = [binary(), "starts", function, *flags]
        environment = {**os.environ, "AWS_ENDPOINT_URL": server.endpoint}
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)
        assert done.returncode == 0, done.stderr
        if "--json" in flags:
            return [json.loads(line) for line in done.stdout.splitlines()]
        return done.stdout + done.stderr

    return ask


def steps(sandbox):
    return [step for step in OURS if sandbox == "sandbox" or step not in ("namespace", "mounts")]


def test_a_start_shows_its_steps_in_order(server, starts, sandbox, name):
    source = "import time\ntime.sleep(0.05)\ndef handler(event, context):\n    time.sleep(0.02)\n"
    server.function(name, source)
    for _ in range(3):
        server.invoke(name)
    (start,) = starts(name, "--json")
    assert [step["step"] for step in start["steps"]] == steps(sandbox)
    took = {step["step"]: step["ms"] for step in start["steps"]}
    assert took["imports"] >= 50 and took["handler"] >= 20
    before = [step for step in start["steps"] if step["step"] != "handler"]
    assert sum(step["ms"] for step in before) == pytest.approx(start["totalMs"])
    for earlier, later in zip(before, before[1:]):
        assert earlier["beganMs"] + earlier["ms"] == pytest.approx(later["beganMs"])
    assert (start["kind"], start["initializationType"]) == ("exec", "on-demand")
    assert (start["reason"], start["error"], start["version"]) == ("request", None, "$LATEST")
    assert 0 < start["maxMemoryMib"] <= start["memoryMib"]
    assert "for a request" in starts(name) and "\n  imports " in starts(name)


def test_an_init_that_fails_is_shown_with_its_second_try(server, starts, name):
    server.function(name, "raise ValueError('never')\n")
    server.invoke(name)
    first, second = starts(name, "--json")
    assert (first["reason"], second["reason"]) == ("request", "retry")
    assert first["error"] and second["error"]
    assert "FAILED after" in starts(name)


def test_a_function_that_was_never_started_has_none(starts, name):
    assert starts(name, "--json") == []
    assert "has not been started" in starts(name)


def test_instances_that_are_always_ready_say_what_for(server, starts, name):
    server.function(name, "def handler(event, context):\n    return 1\n", Publish=True)
    client = server.client("lambda")
    client.put_provisioned_concurrency_config(
        FunctionName=name, Qualifier="1", ProvisionedConcurrentExecutions=1
    )
    eventually(lambda: starts(name, "--json"), "a start")
    (start,) = starts(name, "--json")
    assert (start["reason"], start["version"]) == ("provisioned", "1")
    assert start["initializationType"] == "provisioned-concurrency"
    assert [step["step"] for step in start["steps"]][-1] == "init"


def test_javascript_tells_its_steps_too(server, starts, sandbox, name):
    source = "exports.handler = async () => 1;"
    server.function(name, source, file="index.js", Runtime="nodejs20.x")
    server.invoke(name)
    (start,) = starts(name, "--json")
    assert [step["step"] for step in start["steps"]] == steps(sandbox)


def test_in_enforce_mode_only_those_may_look_who_may_look_at_the_function(enforcing_server):
    lines = [line.strip() for line in enforcing_server.rest_of_greeting(7)]
    found = dict(line.split("=", 1) for line in lines if line.startswith("AWS_"))
    root = (found["AWS_ACCESS_KEY_ID"], found["AWS_SECRET_ACCESS_KEY"])
    iam = enforcing_server.client("iam", *root)
    iam.create_user(UserName="ann")
    key = iam.create_access_key(UserName="ann")["AccessKey"]

    def look(key, secret):
        environment = {
            **os.environ,
            "AWS_ENDPOINT_URL": enforcing_server.endpoint,
            "AWS_ACCESS_KEY_ID": key,
            "AWS_SECRET_ACCESS_KEY": secret,
        }
        environment.pop("AWS_SESSION_TOKEN", None)
        command = [binary(), "starts", "any"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)
        return done.returncode, done.stderr

    assert look(*root)[0] == 0
    code, said = look(key["AccessKeyId"], key["SecretAccessKey"])
    assert code == 1 and "not authorized to perform: lambda:GetFunctionConfiguration" in said, said
