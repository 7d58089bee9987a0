"""Clients that write until the server goes, and what they were told."""

import collections
import contextlib
import json
import threading
import time

from botocore.exceptions import BotoCoreError, ClientError

from lampejo_server import PYTHON, ROLE, package

PART = b"p" * (5 << 20)
CODE = package({"index.py": "def handler(event, context):\n    return event\n"})
GONE = (BotoCoreError, ClientError, ConnectionError)


class Ledger:
    """What was asked for, and what was acknowledged: tokens by kind of change."""

    def __init__(self):
        self.lock = threading.Lock()
        self.asked = collections.defaultdict(set)
        self.done = collections.defaultdict(set)
        self.count = 0

    @contextlib.contextmanager
    def change(self, kind, token):
        """Around one call: acknowledged if it returns."""
        with self.lock:
            self.asked[kind].add(token)
        yield
        with self.lock:
            self.done[kind].add(token)
            self.count += 1


class Clients:
    """One client of each service for all threads: they are thread-safe, and costly to make."""

    KINDS = ("send", "consume", "put", "delete", "overwrite", "upload", "invoke", "create", "log")

    def __init__(self, server, name, queue, ledger):
        services = ("s3", "sqs", "lambda", "logs")
        self.s3, self.sqs, self.functions, self.logs = (
            server.client(it, read_timeout=20, max_pool_connections=20) for it in services
        )
        self.name, self.queue, self.ledger = name, queue, ledger

    def write(self, kind, turn):
        """Changes one thing after another until it fails. Tokens of a kind rise with turns."""
        step = 0
        with contextlib.suppress(*GONE):
            while True:
                getattr(self, kind)(f"{kind}-{turn:03}-{step:05}")
                step += 1

    def send(self, token):
        with self.ledger.change("send", token):
            self.sqs.send_message(QueueUrl=self.queue, MessageBody=token)

    def consume(self, _):
        # Waits, but not for long: the server may be about to go.
        answer = self.sqs.receive_message(
            QueueUrl=self.queue, MaxNumberOfMessages=2, WaitTimeSeconds=1
        )
        for message in answer.get("Messages", []):
            with self.ledger.change("consume", message["Body"]):
                handle = message["ReceiptHandle"]
                self.sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=handle)

    def put(self, token):
        with self.ledger.change("put", token):
            self.s3.put_object(Bucket=self.name, Key=token, Body=content(token))

    def delete(self, token):
        self.s3.put_object(Bucket=self.name, Key=token, Body=content(token))
        with self.ledger.change("delete", token):
            self.s3.delete_object(Bucket=self.name, Key=token)

    def overwrite(self, token):
        with self.ledger.change("overwrite", token):
            self.s3.put_object(Bucket=self.name, Key="overwritten", Body=content(token, 15_000))

    def upload(self, token):
        place = {"Bucket": self.name, "Key": token}
        place["UploadId"] = self.s3.create_multipart_upload(**place)["UploadId"]
        parts = []
        for number, body in enumerate([PART, content(token)], 1):
            part = self.s3.upload_part(**place, PartNumber=number, Body=body)
            parts.append({"PartNumber": number, "ETag": part["ETag"]})
        with self.ledger.change("upload", token):
            self.s3.complete_multipart_upload(**place, MultipartUpload={"Parts": parts})

    def invoke(self, token):
        with self.ledger.change("invoke", token):
            self.functions.invoke(
                FunctionName=self.name,
                InvocationType="Event",
                Payload=json.dumps({"token": token}),
            )

    def create(self, token):
        with self.ledger.change("create", token):
            self.functions.create_function(
                FunctionName=token,
                Runtime=PYTHON,
                Handler="index.handler",
                Role=ROLE,
                Code={"ZipFile": CODE},
            )

    def log(self, token):
        stream, _, step = token.rpartition("-")
        if int(step) == 0:
            self.logs.create_log_stream(logGroupName=self.name, logStreamName=stream)
        event = {"timestamp": int(time.time() * 1000), "message": token}
        with self.ledger.change("log", token):
            self.logs.put_log_events(
                logGroupName=self.name, logStreamName=stream, logEvents=[event]
            )


def content(token, times=None):
    """What only this token has: of some a few bytes, of others a file's worth."""
    return f"{token}/".encode() * (times or (1 if int(token[-1]) % 2 else 15_000))
