"""The binary's own commands, as a person types them."""

import json
import os
import subprocess

import pytest

from lampejo_server import PYTHON, binary, doctor, eventually


@pytest.fixture
def lampejo(server):
    """Runs a command against the shared server; answers with (exit code, output, errors)."""

    def run(*words, **streams):
        done = subprocess.run(
            [binary(), *words],
            capture_output=True,
            text=True,
            timeout=60,
            env={**os.environ, "AWS_ENDPOINT_URL": server.endpoint},
            **streams,
        )
        return done.returncode, done.stdout, done.stderr

    return run


def test_a_function_is_run_and_its_log_read(server, lampejo, name):
    server.function(name, "def handler(event, context):\n    print('seen')\n    return event['a']\n")
    code, out, log = lampejo("invoke", name, '{"a": 7}')
    assert (code, out) == (0, "7\n")
    assert "START RequestId: " in log and "\nseen\n" in log and "REPORT RequestId: " in log
    code, out, log = lampejo("invoke", name, "-", "--quiet", input='{"a": "ä"}')
    assert (code, json.loads(out), log) == (0, "ä", "")
    code, out, _ = lampejo("invoke", name)
    assert (code, json.loads(out)["errorType"]) == (1, "KeyError")

    def logged():
        code, out, _ = lampejo("logs", name)
        return code == 0 and any(line.endswith(" seen") for line in out.splitlines())

    eventually(logged, "the line of the function")


def test_a_function_that_is_not_there(lampejo, name):
    code, _, said = lampejo("invoke", name)
    assert code == 1
    assert f"Function not found: arn:aws:lambda:us-east-1:000000000000:function:{name}" in said


def test_the_server_says_what_it_does(lampejo):
    code, out, _ = lampejo("status")
    assert code == 0
    assert '"status": "running"' in out


def test_the_machines_runtimes_are_listed():
    assert f"ok    {PYTHON} " in doctor().stdout


def test_a_port_that_is_taken(server, tmp_path):
    tried = subprocess.run(
        [binary(), "up", "--listen", f"127.0.0.1:{server.port}", "--data", str(tmp_path / "data")],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert tried.returncode == 1
    assert f"cannot listen on 127.0.0.1:{server.port}" in tried.stderr
    assert "--listen" in tried.stderr


def test_no_server(lampejo):
    code, _, said = lampejo("status", "--endpoint", "http://127.0.0.1:1")
    assert code == 1
    assert "lampejo up" in said


def test_settings_come_from_a_file(tmp_path):
    (tmp_path / "lampejo.toml").write_text('listen = "127.0.0.1:0"\nport = 1\n')
    tried = subprocess.run(
        [binary(), "up"], capture_output=True, text=True, timeout=30, cwd=tmp_path
    )
    assert tried.returncode == 1
    assert "lampejo.toml is not valid" in tried.stderr and "port" in tried.stderr
