"""The real binary under test: started on a free port with a folder of its own, killed, restarted."""

import io
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
import zipfile

import boto3
from botocore.config import Config

BINARY = os.environ["LAMPEJO_BINARY"]
AWS = os.environ.get("LAMPEJO_AWS", "aws")
REGION = "us-east-1"
ACCOUNT = "000000000000"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/any"
# The functions' runtime: the interpreter that runs these tests is on this machine.
PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"


def poll(look, seconds=20, what="it"):
    """Returns the first true value of look(); fails when there is none in time."""
    end = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < end, f"{what} did not happen within {seconds} s"
        time.sleep(0.01)


class Server:
    """One data folder and the processes that serve it, one after another."""

    def __init__(self, *flags, sdk=None):
        self.flags = list(flags)
        self.folder = tempfile.mkdtemp(prefix="lampejo-test-")
        self.data = os.path.join(self.folder, "data")
        self.log = os.path.join(self.folder, "log")
        self.process = None
        self.port = 0
        if sdk:
            os.makedirs(os.path.join(self.data, "runtime"), mode=0o755)
            os.chmod(self.data, 0o700)
            os.symlink(sdk, os.path.join(self.data, "runtime", "sdk"))

    def start(self):
        """Starts a process, at the same port as before if there was one; waits until it serves."""
        written = os.path.getsize(self.log) if os.path.exists(self.log) else 0
        command = [BINARY, "up", "--listen", f"127.0.0.1:{self.port}", "--data", self.data]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                command + self.flags, stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )

        def endpoint():
            assert self.process.poll() is None, f"the server ended:\n{self.output()}"
            return re.search(r"endpoint +http://127\.0\.0\.1:(\d+)", self.output(written))

        self.port = int(poll(endpoint, what="the greeting").group(1))
        poll(self.healthy, what="health")
        return self

    def output(self, start=0):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            log.seek(start)
            return log.read()

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.port}"

    def healthy(self):
        try:
            with urllib.request.urlopen(f"{self.endpoint}/_lampejo/health", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False

    def advance(self, seconds):
        """Moves the server's clock; it must have been started with --test-clock."""
        url = f"{self.endpoint}/_lampejo/clock?advance={seconds}"
        with urllib.request.urlopen(urllib.request.Request(url, method="POST"), timeout=5):
            pass

    def kill(self):
        """As a power cut does: without a chance to finish anything."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        """As Ctrl-C does."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=30)

    def close(self):
        if self.process and self.process.poll() is None:
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def client(self, service, key="test", secret="test", region=REGION, token=None, **config):
        settings = {"retries": {"total_max_attempts": 1}, "read_timeout": 60, **config}
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=region,
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            aws_session_token=token,
            config=Config(**settings),
        )

    def environment(self, key="test", secret="test"):
        """What the AWS CLI and the JavaScript SDK need to find the server."""
        return {
            **os.environ,
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": key,
            "AWS_SECRET_ACCESS_KEY": secret,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
            "AWS_PAGER": "",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def function(self, name, source, **settings):
        """Creates a Python function from the text of its app.py and waits until it is active."""
        functions = self.client("lambda")
        chosen = {"Runtime": PYTHON, "Handler": "app.handler", "Role": ROLE, "Timeout": 30}
        chosen |= {"MemorySize": 512, "Code": {"ZipFile": package({"app.py": source})}}
        made = functions.create_function(FunctionName=name, **{**chosen, **settings})
        functions.get_waiter("function_active_v2").wait(
            FunctionName=name, WaiterConfig={"Delay": 0.05, "MaxAttempts": 200}
        )
        return made["FunctionArn"]

    def log_lines(self, function):
        """The messages of a function's log so far."""
        logs = self.client("logs")
        try:
            pages = logs.get_paginator("filter_log_events").paginate(
                logGroupName=f"/aws/lambda/{function}"
            )
            return [event["message"] for page in pages for event in page["events"]]
        except logs.exceptions.ResourceNotFoundException:
            return []


def package(files):
    """A zip of texts by name; names that end in bootstrap are executable."""
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            entry = zipfile.ZipInfo(name, date_time=(2026, 1, 1, 0, 0, 0))
            entry.external_attr = (0o100755 if name.endswith("bootstrap") else 0o100644) << 16
            archive.writestr(entry, text)
    return zipped.getvalue()
