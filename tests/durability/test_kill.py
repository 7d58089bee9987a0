"""The kill test: the server is killed again and again while clients write. What it acknowledged
must be there afterwards; what it did not may be there or not, but never twice as something else.
"""

import concurrent.futures
import json
import random
import threading

from botocore.exceptions import BotoCoreError, ClientError

from lampejo_server import eventually

ROUNDS = 12
WRITERS = 2
# A round ends when this many writes were acknowledged in it, at a moment that differs each time.
WRITES_A_ROUND = (20, 120)


class Writers:
    """Clients that write until the server goes, and remember what was acknowledged."""

    def __init__(self):
        self.acknowledged = {"send": [], "put": [], "invoke": []}
        self.lock = threading.Lock()
        self.count = 0

    def write(self, kind, call, number):
        """Writes until it fails."""
        step = 0
        while True:
            token = f"{kind}-{number}-{step}"
            try:
                call(token)
            except (BotoCoreError, ClientError, ConnectionError):
                return
            with self.lock:
                self.acknowledged[kind].append(token)
                self.count += 1
            step += 1


def test_nothing_acknowledged_is_lost(own_server, name):
    own_server.client("s3").create_bucket(Bucket=name)
    url = own_server.client("sqs").create_queue(QueueName=name)["QueueUrl"]
    done = own_server.client("sqs").create_queue(QueueName=f"{name}-done")["QueueUrl"]
    arn = own_server.function(
        name, "def handler(event, context):\n    return event\n", MemorySize=512
    )
    tell(own_server, arn, done)
    writers, dice = Writers(), random.Random(4566)
    for number in range(ROUNDS):
        one_round(own_server, writers, number, dice.randint(*WRITES_A_ROUND), (name, url))
    check_objects(own_server, name, writers.acknowledged["put"])
    sends = received(own_server, url, set(writers.acknowledged["send"]))
    assert set(writers.acknowledged["send"]) <= sends, "a message is lost"
    invokes = received(own_server, done, set(writers.acknowledged["invoke"]), of_invocation)
    assert set(writers.acknowledged["invoke"]) <= invokes, "an asynchronous invocation is lost"
    counts = {kind: len(tokens) for kind, tokens in writers.acknowledged.items()}
    print(f"killed {ROUNDS} times; acknowledged and found again: {counts}")
    assert min(counts.values()) > ROUNDS


def tell(server, function, queue):
    """Each invocation that succeeds tells a queue: its record shows that it was done."""
    names = ["QueueArn"]
    attributes = server.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=names)
    success = {"OnSuccess": {"Destination": attributes["Attributes"]["QueueArn"]}}
    server.client("lambda").put_function_event_invoke_config(
        FunctionName=function, DestinationConfig=success
    )


def one_round(server, writers, number, enough, places):
    """Writers write until enough is acknowledged; then the server is killed and started."""
    bucket, url = places
    # One client for all threads of a kind: it is thread-safe and costly to make.
    s3, sqs, functions = (server.client(it, read_timeout=20) for it in ("s3", "sqs", "lambda"))
    calls = {
        "send": lambda token: sqs.send_message(QueueUrl=url, MessageBody=token),
        "put": lambda token: s3.put_object(Bucket=bucket, Key=token, Body=token * 50),
        "invoke": lambda token: functions.invoke(
            FunctionName=bucket, InvocationType="Event", Payload=json.dumps({"token": token})
        ),
    }
    before = writers.count
    with concurrent.futures.ThreadPoolExecutor(WRITERS * len(calls)) as pool:
        for kind, call in calls.items():
            for writer in range(WRITERS):
                pool.submit(writers.write, kind, call, f"{number}.{writer}")
        try:
            eventually(lambda: writers.count - before >= enough, "enough writes")
        finally:
            server.kill()
    server.start()


def check_objects(server, bucket, tokens):
    s3 = server.client("s3")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    there = {it["Key"] for page in pages for it in page.get("Contents", [])}
    assert set(tokens) <= there, "an object is lost"
    for key in there:
        body = s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode()
        assert body == key * 50, f"{key} is torn"


def of_invocation(body):
    """The token in an invocation record."""
    record = json.loads(body)
    assert record["requestContext"]["condition"] == "Success", record
    return record["requestPayload"]["token"]


def received(server, url, wanted, token=lambda body: body):
    """The tokens of all messages, until all that are wanted have come or nothing more does."""
    sqs, tokens, empty = server.client("sqs"), set(), 0
    while wanted - tokens and empty < 3:
        # Leased or retried before a kill: due by now.
        server.advance(150)
        answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=2)
        messages = answer.get("Messages", [])
        empty = 0 if messages else empty + 1
        tokens |= {token(it["Body"]) for it in messages}
        entries = [
            {"Id": str(n), "ReceiptHandle": it["ReceiptHandle"]} for n, it in enumerate(messages)
        ]
        if entries:
            sqs.delete_message_batch(QueueUrl=url, Entries=entries)
    return tokens
