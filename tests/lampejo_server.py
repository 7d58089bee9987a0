"""The real binary as a process of its own: started, killed, restarted, and talked to with boto3.

Tests wait by looking again until a deadline (`eventually`) or by moving the server's clock.
"""

import functools
import io
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import zipfile

import boto3
from botocore.config import Config

ACCOUNT = "000000000000"
REGION = "us-east-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/function"
PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"
PATIENCE_SECONDS = 30
LOG_LINES_SHOWN = 60


def binary():
    """The server under test; `cargo xtask test` names it."""
    named = os.environ.get("LAMPEJO_BINARY")
    if not named:
        sys.exit("LAMPEJO_BINARY is not set: run these tests with `cargo xtask test`")
    return named


@functools.cache
def doctor(*command):
    """What `lampejo doctor` finds, run as this command or as the binary itself."""
    # In a folder of its own: it tries to start an instance, which leaves files.
    with tempfile.TemporaryDirectory(prefix="lampejo-doctor-") as folder:
        os.chmod(folder, 0o777)
        command = [*(command or [binary()]), "doctor", "--data", f"{folder}/data"]
        return subprocess.run(command, capture_output=True, text=True, check=False)


def lacks_sandbox(*command):
    """Why functions cannot be isolated on this machine, or None."""
    checked = doctor(*command)
    lines = [line for line in checked.stdout.splitlines() if line.startswith("LACK")]
    return None if checked.returncode == 0 else "; ".join(lines) or checked.stderr.strip()


class Server:
    """One server and its data folder."""

    def __init__(
        self, folder, *, auth="open", isolation="sandbox", environment=None, command=None
    ):
        self.folder = pathlib.Path(folder)
        self.command = command or [binary()]
        self.flags = ["--auth", auth, "--isolation", isolation, "--test-clock"]
        self.environment = environment or {}
        self.log = self.folder / "server.log"
        self.data = self.folder / "data"
        self.process = None
        self.endpoint = None
        self.greeting = []
        self.port = 0

    def start(self):
        """Starts and waits until the server is healthy. A restart keeps its port."""
        self.folder.mkdir(parents=True, exist_ok=True)
        place = ["--listen", f"127.0.0.1:{self.port}", "--data", str(self.data)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*self.command, "up", *place, *self.flags],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                # Functions must not run on the test's own virtual environment.
                env={**os.environ, **self.environment},
            )
        self.greeting = []
        self.endpoint = self._endpoint()
        self.port = int(self.endpoint.rsplit(":", 1)[1])
        eventually(self.healthy, "the server is healthy")
        return self

    def _endpoint(self):
        for line in self.process.stdout:
            self.greeting.append(line.rstrip())
            if line.strip().startswith("endpoint"):
                return line.split()[1]
        raise AssertionError(f"the server ended with {self.process.wait()}:\n{self.last_log()}")

    def rest_of_greeting(self, count):
        """Reads this many more lines of what the server prints at its start."""
        self.greeting += [self.process.stdout.readline().rstrip() for _ in range(count)]
        return self.greeting

    def healthy(self):
        try:
            with urllib.request.urlopen(f"{self.endpoint}/_lampejo/health", timeout=5) as answer:
                return json.load(answer)["status"] == "running"
        except (urllib.error.URLError, ConnectionError):
            assert self.process.poll() is None, f"the server has ended:\n{self.last_log()}"
            return False

    def kill(self):
        """Without a chance to write anything; what the kernel has is still there."""
        self.process.send_signal(signal.SIGKILL)
        self._ended()

    def stop(self):
        """As Ctrl-C does. Answers with the exit code."""
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self._ended()

    def _ended(self):
        try:
            code = self.process.wait(timeout=PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        finally:
            self.process.stdout.close()
        self.process = None
        return code

    def restart(self):
        self.stop()
        return self.start()

    def advance(self, seconds):
        """Moves the server's clock."""
        url = f"{self.endpoint}/_lampejo/clock?advance={seconds}"
        with urllib.request.urlopen(urllib.request.Request(url, method="POST")) as answer:
            return json.load(answer)["now"]

    def client(self, service, key="test", secret="test", token=None, region=REGION, **config):
        """A boto3 client that does not retry: the test wants to see what the server answered."""
        config.setdefault("retries", {"total_max_attempts": 1})
        config.setdefault("read_timeout", 60)
        if service == "s3":
            config.setdefault("s3", {"addressing_style": "path"})
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=region,
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            aws_session_token=token,
            config=Config(**config),
        )

    def function(self, name, source, **settings):
        """Creates a function of one Python source and waits until it is active."""
        client = self.client("lambda")
        settings = {"Runtime": PYTHON, "Handler": "index.handler", "Role": ROLE, **settings}
        file = settings.pop("file", "index.py")
        client.create_function(
            FunctionName=name, Code={"ZipFile": package({file: source})}, **settings
        )
        client.get_waiter("function_active_v2").wait(
            FunctionName=name, WaiterConfig={"Delay": 0.02, "MaxAttempts": 500}
        )
        return client.get_function_configuration(FunctionName=name)["FunctionArn"]

    def invoke(self, name, event=None, **arguments):
        """The function's answer as (value, error kind or None)."""
        payload = json.dumps(event if event is not None else {}).encode()
        answer = self.client("lambda").invoke(FunctionName=name, Payload=payload, **arguments)
        text = answer["Payload"].read().decode()
        return (json.loads(text) if text else None), answer.get("FunctionError")

    def log_lines(self, function, pattern=""):
        """The messages of a function's log group; none if there is no group yet."""
        logs = self.client("logs")
        try:
            pages = logs.get_paginator("filter_log_events").paginate(
                logGroupName=f"/aws/lambda/{function}", filterPattern=pattern
            )
            return [event["message"].rstrip("\n") for page in pages for event in page["events"]]
        except logs.exceptions.ResourceNotFoundException:
            return []

    def install_sdk(self, cache):
        """boto3 for functions, installed once a test run and linked into this data folder."""
        kept = pathlib.Path(cache)
        path = os.environ.get("LAMPEJO_PIP_PATH", os.environ["PATH"])
        subprocess.run(
            [binary(), "runtime", "sdk", "python", "--data", str(kept)],
            check=True,
            capture_output=True,
            env={**os.environ, "PATH": path},
        )
        target = self.data / "runtime" / "sdk"
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            shutil.copytree(kept / "runtime" / "sdk", target, copy_function=link_or_copy)

    def last_log(self):
        """The end of what the server wrote to its log."""
        if not self.log.exists():
            return "(the server wrote no log)"
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-LOG_LINES_SHOWN:])


def link_or_copy(source, target):
    """A link costs nothing, but only within one file system."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def package(files):
    """A zip of {name: text or bytes, or (content, mode)}."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            content, mode = content if isinstance(content, tuple) else (content, 0o644)
            entry = zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0))
            entry.external_attr = (0o100000 | mode) << 16
            archive.writestr(entry, content)
    return buffer.getvalue()


def eventually(look, what, seconds=PATIENCE_SECONDS):
    """Looks again until there is something; fails after a bounded time."""
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.01)
