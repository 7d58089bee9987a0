"""Event source mappings: queues that fire functions, in batches, filtered, in order."""

import json
import time

import pytest

from lampejo_server import ACCOUNT, REGION, eventually

# Prints the bodies of each batch, then does what the last body says.
SOURCE = """
import time

def handler(event, context):
    bodies = [it["body"] for it in event["Records"]]
    print("batch", time.monotonic_ns(), *bodies)
    if bodies[-1] == "slow":
        time.sleep(1)
        print("slept")
    if bodies[-1] == "bad":
        raise ValueError("bad")
"""
COUNTS = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]


def queue_arn(name):
    return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"


class Chain:
    """A queue, a function, and the mapping between them."""

    def __init__(self, server, name):
        self.server, self.name, self.queue = server, name, name
        self.sqs, self.functions = server.client("sqs"), server.client("lambda")
        self.url = self.mapping = None

    def make(self, source=SOURCE, attributes=None, timeout=5, **settings):
        if (attributes or {}).get("FifoQueue"):
            self.queue = f"{self.name}.fifo"
        self.url = self.sqs.create_queue(QueueName=self.queue, Attributes=attributes or {})[
            "QueueUrl"
        ]
        self.server.function(self.name, source, Timeout=timeout)
        self.mapping = self.functions.create_event_source_mapping(
            EventSourceArn=queue_arn(self.queue), FunctionName=self.name, **settings
        )
        return self

    def send(self, *bodies, **settings):
        entries = [
            {"Id": str(n), "MessageBody": body, **settings} for n, body in enumerate(bodies)
        ]
        sent = self.sqs.send_message_batch(QueueUrl=self.url, Entries=entries)
        assert len(sent["Successful"]) == len(bodies)

    def batches(self):
        """In the order in which they ran: log events of two instances may share a millisecond."""
        lines = [line.split()[1:] for line in self.server.log_lines(self.name, "batch")]
        return [bodies for _, *bodies in sorted(lines, key=lambda words: int(words[0]))]

    def seen(self):
        return sorted(sum(self.batches(), []))

    def counts(self):
        """How many messages are visible, and how many are leased."""
        found = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=COUNTS)
        return [found["Attributes"][name] for name in COUNTS]

    def empty(self):
        return self.counts() == ["0", "0"]

    def reach(self, state):
        def look():
            found = self.functions.get_event_source_mapping(UUID=self.mapping["UUID"])
            return found["State"] == state and found

        return eventually(look, f"the mapping is {state}")

    def update(self, **settings):
        self.functions.update_event_source_mapping(UUID=self.mapping["UUID"], **settings)


@pytest.fixture
def chain(server, name):
    chain = Chain(server, name)
    yield chain
    if chain.mapping:
        chain.functions.delete_event_source_mapping(UUID=chain.mapping["UUID"])


@pytest.fixture
def own_chain(own_server, name):
    """A chain whose clock can be moved."""
    return Chain(own_server, name)


def test_a_mapping_has_a_life(chain, refused):
    made = chain.make().mapping
    assert made["State"] == "Creating"
    assert (made["BatchSize"], made["MaximumBatchingWindowInSeconds"]) == (10, 0)
    assert made["EventSourceArn"] == queue_arn(chain.name)
    assert made["StateTransitionReason"] == "USER_INITIATED"
    chain.reach("Enabled")
    chain.send("one")
    eventually(chain.empty, "the message is consumed")
    chain.update(Enabled=False)
    chain.reach("Disabled")
    chain.send("two")
    chain.update(BatchSize=5)
    assert chain.reach("Disabled")["BatchSize"] == 5
    assert not chain.empty()
    chain.update(Enabled=True)
    eventually(lambda: chain.seen() == ["one", "two"], "both are seen")
    found = chain.functions.list_event_source_mappings(FunctionName=chain.name)
    assert [it["UUID"] for it in found["EventSourceMappings"]] == [made["UUID"]]
    deleted = chain.functions.delete_event_source_mapping(UUID=made["UUID"])
    assert deleted["State"] == "Deleting"

    def gone():
        listed = chain.functions.list_event_source_mappings(FunctionName=chain.name)
        return listed["EventSourceMappings"] == []

    eventually(gone, "the mapping is gone")
    with refused("ResourceNotFoundException", "The resource you requested does not exist.", 404):
        chain.functions.get_event_source_mapping(UUID=made["UUID"])
    chain.mapping = None


def test_an_event_has_the_form_of_sqs_events(chain):
    chain.make("import json\ndef handler(event, context):\n    print('event', json.dumps(event))\n")
    sent = chain.sqs.send_message(
        QueueUrl=chain.url,
        MessageBody="hallo",
        MessageAttributes={"n": {"DataType": "Number", "StringValue": "7"}},
    )
    (line,) = eventually(lambda: chain.server.log_lines(chain.name, "event"), "the event")
    (record,) = json.loads(line.removeprefix("event "))["Records"]
    assert record.pop("receiptHandle")
    attributes = record.pop("attributes")
    assert attributes["ApproximateReceiveCount"] == "1"
    assert {"SentTimestamp", "SenderId", "ApproximateFirstReceiveTimestamp"} < set(attributes)
    assert record == {
        "messageId": sent["MessageId"],
        "body": "hallo",
        "messageAttributes": {
            "n": {
                "stringValue": "7",
                "stringListValues": [],
                "binaryListValues": [],
                "dataType": "Number",
            }
        },
        "md5OfMessageAttributes": sent["MD5OfMessageAttributes"],
        "md5OfBody": sent["MD5OfMessageBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn(chain.name),
        "awsRegion": REGION,
    }


def test_a_batch_is_no_larger_than_its_size(chain):
    chain.make(Enabled=False, BatchSize=2)
    chain.send(*"abcde")
    chain.update(Enabled=True)
    eventually(chain.empty, "all are consumed")
    eventually(lambda: chain.seen() == list("abcde"), "all are seen")
    assert max(len(batch) for batch in chain.batches()) == 2


def test_a_window_gathers_what_comes_one_by_one(own_chain):
    lease = {"VisibilityTimeout": "1000"}
    own_chain.make(attributes=lease, BatchSize=100, MaximumBatchingWindowInSeconds=300)
    own_chain.reach("Enabled")
    for body in "abc":
        own_chain.send(body)
    eventually(lambda: own_chain.counts() == ["0", "3"], "all three wait in the window")
    assert own_chain.batches() == []
    own_chain.server.advance(200)
    assert own_chain.batches() == [], "the window is still open"
    own_chain.server.advance(101)
    eventually(lambda: own_chain.batches() == [["a", "b", "c"]], "one batch of all three")


def test_only_the_failed_items_come_again(own_chain):
    source = """
import time

def handler(event, context):
    failed = []
    for record in event["Records"]:
        count = record["attributes"]["ApproximateReceiveCount"]
        print("batch", time.monotonic_ns(), record["body"] + count)
        if record["body"] == "bad" and count == "1":
            failed.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failed}
"""
    own_chain.make(source, FunctionResponseTypes=["ReportBatchItemFailures"])
    own_chain.send("good", "bad")
    eventually(lambda: own_chain.seen() == ["bad1", "good1"], "the first look")
    eventually(lambda: own_chain.counts() == ["0", "1"], "the good one is deleted")
    own_chain.server.advance(31)
    eventually(lambda: own_chain.seen() == ["bad1", "bad2", "good1"], "the second look")
    eventually(own_chain.empty, "the queue is empty")


def test_what_fails_too_often_goes_to_the_dead_letters(own_chain):
    dead = own_chain.sqs.create_queue(QueueName=f"{own_chain.name}-dead")["QueueUrl"]
    redrive = {"deadLetterTargetArn": queue_arn(f"{own_chain.name}-dead"), "maxReceiveCount": 2}
    own_chain.make(attributes={"RedrivePolicy": json.dumps(redrive)}, BatchSize=1)
    own_chain.send("good", "bad")
    for count in (1, 2):
        eventually(lambda: own_chain.seen().count("bad") == count, f"failure {count}")
        reports = count + 1
        eventually(
            lambda: len(own_chain.server.log_lines(own_chain.name, "REPORT")) == reports, "reports"
        )
        own_chain.server.advance(31)
    received = own_chain.sqs.receive_message(QueueUrl=dead, WaitTimeSeconds=20)
    assert [it["Body"] for it in received["Messages"]] == ["bad"]
    assert own_chain.seen() == ["bad", "bad", "good"]
    eventually(own_chain.empty, "the queue is empty")


def test_a_filter_lets_through_what_matches_and_drops_the_rest(chain):
    pattern = json.dumps({"body": {"kind": ["order"], "amount": [{"numeric": [">", 10]}]}})
    chain.make(FilterCriteria={"Filters": [{"Pattern": pattern}]})
    wanted = '{"kind":"order","amount":11}'
    chain.send('{"kind":"noise","amount":11}', '{"kind":"order","amount":9}', wanted, "no json")
    eventually(chain.empty, "all are consumed")
    eventually(lambda: chain.seen() == [wanted], "the one that matches is seen")


def test_a_fifo_queue_is_processed_in_order_within_its_groups(chain):
    chain.make(attributes={"FifoQueue": "true", "ContentBasedDeduplication": "true"}, BatchSize=1)
    for n in range(4):
        for group in ("a", "b"):
            chain.send(f"{group}{n}", MessageGroupId=group)
    eventually(lambda: len(chain.seen()) == 8, "all are seen")
    order = sum(chain.batches(), [])
    for group in ("a", "b"):
        assert [it for it in order if it[0] == group] == [f"{group}{n}" for n in range(4)]


def test_no_more_run_at_once_than_the_maximum(chain):
    chain.make(Enabled=False, BatchSize=1, ScalingConfig={"MaximumConcurrency": 2}, timeout=20)
    chain.send(*["slow"] * 4)
    began = time.monotonic()
    chain.update(Enabled=True)
    eventually(lambda: len(chain.server.log_lines(chain.name, "slept")) == 4, "all have slept")
    assert time.monotonic() - began >= 2, "four sleeps of a second, two at a time"


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        (
            {"BatchSize": 11},
            "Maximum batch window in seconds must be greater than 0 "
            "if maximum batch size is greater than 10",
        ),
        (
            {"FilterCriteria": {"Filters": [{"Pattern": "{"}]}},
            "Invalid filter pattern definition.",
        ),
    ],
)
def test_settings_that_do_not_fit_are_refused(server, name, refused, settings, text):
    with refused("InvalidParameterValueException", text, 400):
        Chain(server, name).make(**settings)


def test_a_source_must_exist_and_is_mapped_once(server, chain, name, refused):
    chain.make()
    twin = {"EventSourceArn": queue_arn(name), "FunctionName": name}
    text = (
        f'An event source mapping with SQS arn (" {queue_arn(name)} ") and function (" {name} ") '
        "already exists. Please update or delete the existing mapping with UUID "
        + chain.mapping["UUID"]
    )
    with refused("ResourceConflictException", text, 409):
        chain.functions.create_event_source_mapping(**twin)
    text = (
        "Error occurred while ReceiveMessage. SQS Error Code: "
        "AWS.SimpleQueueService.NonExistentQueue. "
        "SQS Error Message: The specified queue does not exist."
    )
    with refused("InvalidParameterValueException", text, 400):
        chain.functions.create_event_source_mapping(
            EventSourceArn=queue_arn(f"{name}-no"), FunctionName=name
        )
    with refused("InvalidParameterValueException", "Function does not exist", 400):
        chain.functions.create_event_source_mapping(
            EventSourceArn=queue_arn(name), FunctionName=f"{name}-no"
        )
