"""A queue, a mapping and a function, and a server that is killed again and again: every message is
processed at least once, and none is left.
"""

import concurrent.futures
import contextlib
import json
import random

from durability.ledger import GONE, Ledger
from lampejo_server import ACCOUNT, REGION, eventually

ROUNDS = 6
SENDERS = 2
# A round ends when this many messages were processed in it: at another moment each time.
PROCESSED_A_ROUND = (5, 60)
# Longer than the lease of a message that a kill has left in flight.
AFTER_ALL_LEASES = 31

# What was processed is told to the other queue before the function succeeds.
SOURCE = """
import boto3, json, os

sqs = boto3.client("sqs")

def handler(event, context):
    bodies = [it["body"] for it in event["Records"]]
    sqs.send_message(QueueUrl=os.environ["DONE"], MessageBody=json.dumps(bodies))
"""


class Tally:
    """Which messages the function says it has processed, and how often."""

    def __init__(self, server, queue):
        self.sqs, self.queue, self.counts = server.client("sqs"), queue, {}

    def count(self):
        """Takes what the function has told since."""
        received = self.sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10)
        for message in received.get("Messages", []):
            for body in json.loads(message["Body"]):
                self.counts[body] = self.counts.get(body, 0) + 1
            self.sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])
        return len(self.counts)


def send(server, queue, ledger, turn, sender):
    """Sends until the server goes."""
    sqs, step = server.client("sqs", read_timeout=5, retries={"max_attempts": 0}), 0
    with contextlib.suppress(*GONE):
        while True:
            token = f"{turn}-{sender}-{step:05}"
            with ledger.change("send", token):
                sqs.send_message(QueueUrl=queue, MessageBody=token)
            step += 1


def test_every_message_is_processed_and_none_is_left(own_server, sdk_cache, name):
    server, ledger = own_server, Ledger()
    server.install_sdk(sdk_cache)
    queue, done = (
        server.client("sqs").create_queue(QueueName=it)["QueueUrl"] for it in (name, f"{name}-done")
    )
    server.function(
        name, SOURCE, Timeout=20, MemorySize=256, Environment={"Variables": {"DONE": done}}
    )
    server.client("lambda").create_event_source_mapping(
        FunctionName=name, EventSourceArn=f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"
    )
    tally, dice = Tally(server, done), random.Random(4566)
    for turn in range(ROUNDS):
        enough = tally.count() + dice.randint(*PROCESSED_A_ROUND)
        with concurrent.futures.ThreadPoolExecutor(SENDERS) as threads:
            senders = [
                threads.submit(send, server, queue, ledger, turn, it) for it in range(SENDERS)
            ]
            try:
                eventually(lambda: tally.count() >= enough, "enough messages")
            finally:
                server.kill()
        for sender in senders:
            sender.result()
        server.start()
    server.advance(AFTER_ALL_LEASES)
    sent = ledger.done["send"]
    eventually(lambda: tally.count() and sent <= set(tally.counts), "all are processed", 60)
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]

    def empty():
        found = server.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=names)
        return set(found["Attributes"].values()) == {"0"}

    eventually(empty, "the queue is empty")
    twice = sum(count > 1 for count in tally.counts.values())
    print(f"killed {ROUNDS} times; {len(sent)} acknowledged, all processed, {twice} more than once")
    assert set(tally.counts) <= ledger.asked["send"]
