"""SQS as boto3 sees it: messages, their timeouts, FIFO queues, dead letters, and AWS's errors."""

import hashlib
import json
import urllib.error
import urllib.parse
import urllib.request

import pytest

from lampejo_server import ACCOUNT


@pytest.fixture
def sqs(server):
    return server.client("sqs")


@pytest.fixture
def queue(sqs, name):
    return sqs.create_queue(QueueName=name)["QueueUrl"]


def receive(sqs, url, **arguments):
    return sqs.receive_message(QueueUrl=url, **arguments).get("Messages", [])


def test_a_message_is_received_and_deleted(sqs, queue, name):
    assert queue.endswith(f"/{ACCOUNT}/{name}")
    sent = sqs.send_message(
        QueueUrl=queue,
        MessageBody="hallo ä",
        MessageAttributes={"n": {"DataType": "Number", "StringValue": "7"}},
    )
    assert sent["MD5OfMessageBody"] == hashlib.md5("hallo ä".encode()).hexdigest()
    (message,) = receive(
        sqs, queue, AttributeNames=["All"], MessageAttributeNames=["All"], WaitTimeSeconds=5
    )
    assert (message["Body"], message["MessageId"]) == ("hallo ä", sent["MessageId"])
    assert message["MessageAttributes"]["n"]["StringValue"] == "7"
    assert message["Attributes"]["ApproximateReceiveCount"] == "1"
    # It is leased now.
    assert receive(sqs, queue) == []
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    counts = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    assert counts["ApproximateNumberOfMessages"] == "0"
    assert counts["ApproximateNumberOfMessagesNotVisible"] == "0"


def test_a_timeout_makes_a_message_visible_again(own_server, name):
    sqs = own_server.client("sqs")
    url = sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "60"})["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="again")
    (first,) = receive(sqs, url)
    assert receive(sqs, url) == []
    own_server.advance(61)
    (second,) = receive(sqs, url, AttributeNames=["ApproximateReceiveCount"])
    assert second["MessageId"] == first["MessageId"]
    assert second["Attributes"]["ApproximateReceiveCount"] == "2"
    sqs.change_message_visibility(
        QueueUrl=url, ReceiptHandle=second["ReceiptHandle"], VisibilityTimeout=0
    )
    assert len(receive(sqs, url)) == 1


def test_a_delay_hides_a_message(own_server, name):
    sqs = own_server.client("sqs")
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="later", DelaySeconds=300)
    assert receive(sqs, url) == []
    own_server.advance(301)
    assert [it["Body"] for it in receive(sqs, url)] == ["later"]


def test_what_fails_too_often_goes_to_the_dead_letters(own_server, name):
    sqs = own_server.client("sqs")
    dead = sqs.create_queue(QueueName=f"{name}-dead")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 2})
    url = sqs.create_queue(QueueName=name, Attributes={"RedrivePolicy": policy})["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="poison")
    for _ in range(2):
        assert len(receive(sqs, url)) == 1
        own_server.advance(31)
    assert receive(sqs, url) == []
    assert [it["Body"] for it in receive(sqs, dead, WaitTimeSeconds=10)] == ["poison"]


def test_a_fifo_queue_keeps_order_and_drops_repeats(sqs, name):
    attributes = {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
    url = sqs.create_queue(QueueName=f"{name}.fifo", Attributes=attributes)["QueueUrl"]
    for body in ["1", "2", "2", "3"]:
        sqs.send_message(QueueUrl=url, MessageBody=body, MessageGroupId="a")
    sqs.send_message(QueueUrl=url, MessageBody="other", MessageGroupId="b")
    received = receive(sqs, url, MaxNumberOfMessages=10, AttributeNames=["All"])
    of_a = [it["Body"] for it in received if it["Attributes"]["MessageGroupId"] == "a"]
    assert of_a == ["1", "2", "3"]
    # A group with messages in flight gives no more of them.
    sqs.send_message(QueueUrl=url, MessageBody="4", MessageGroupId="a")
    assert receive(sqs, url) == []


def test_a_long_poll_ends_when_a_message_comes(server, sqs, queue):
    import concurrent.futures
    import time

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(receive, server.client("sqs"), queue, WaitTimeSeconds=20)
        began = time.monotonic()
        sqs.send_message(QueueUrl=queue, MessageBody="now")
        assert [it["Body"] for it in waiting.result(timeout=20)] == ["now"]
        assert time.monotonic() - began < 10


def test_a_batch_tells_of_each_entry(sqs, queue):
    entries = [{"Id": str(n), "MessageBody": f"m{n}"} for n in range(10)]
    sent = sqs.send_message_batch(QueueUrl=queue, Entries=entries)
    assert [it["Id"] for it in sent["Successful"]] == [it["Id"] for it in entries]
    received = []
    while len(received) < 10:
        received += receive(sqs, queue, MaxNumberOfMessages=10, WaitTimeSeconds=5)
    handles = [
        {"Id": str(n), "ReceiptHandle": it["ReceiptHandle"]} for n, it in enumerate(received)
    ]
    deleted = sqs.delete_message_batch(QueueUrl=queue, Entries=handles)
    assert len(deleted["Successful"]) == 10


def test_errors_are_those_of_aws(sqs, queue, name, refused):
    missing = queue.replace(name, f"{name}-missing")
    with refused("AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist.", 400):
        sqs.send_message(QueueUrl=missing, MessageBody="x")
    with refused("AWS.SimpleQueueService.NonExistentQueue"):
        sqs.get_queue_url(QueueName=f"{name}-missing")
    with refused(
        "InvalidParameterValue",
        "Value 11 for parameter MaxNumberOfMessages is invalid. "
        "Reason: Must be between 1 and 10, if provided.",
        400,
    ):
        receive(sqs, queue, MaxNumberOfMessages=11)
    with refused("QueueAlreadyExists", status=400) as refusal:
        sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "1"})
    assert "different value for attribute VisibilityTimeout" in refusal.message
    with refused("AWS.SimpleQueueService.BatchEntryIdsNotDistinct", "Id a repeated."):
        entry = {"Id": "a", "MessageBody": "x"}
        sqs.send_message_batch(QueueUrl=queue, Entries=[entry, entry])
    with refused("AWS.SimpleQueueService.EmptyBatchRequest"):
        sqs.send_message_batch(QueueUrl=queue, Entries=[])
    with refused("ReceiptHandleIsInvalid"):
        sqs.delete_message(QueueUrl=queue, ReceiptHandle="nonsense")


def test_the_older_protocol_still_speaks_xml(server, queue, sqs):
    def call(**form):
        request = urllib.request.Request(
            server.endpoint,
            urllib.parse.urlencode({"Version": "2012-11-05", **form}).encode(),
            {"Authorization": "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/sqs/aws4_request, "
             "SignedHeaders=host, Signature=0"},
        )
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    status, answer = call(Action="SendMessage", QueueUrl=queue, MessageBody="by form")
    assert status == 200
    assert "<SendMessageResult>" in answer
    assert [it["Body"] for it in receive(sqs, queue, WaitTimeSeconds=5)] == ["by form"]
    status, answer = call(Action="SendMessage", QueueUrl=f"{queue}-no", MessageBody="x")
    assert status == 400
    assert "<Code>AWS.SimpleQueueService.NonExistentQueue</Code>" in answer


def test_accounts_and_regions_are_apart(server, name):
    one = server.client("sqs", key="111111111111")
    two = server.client("sqs", key="222222222222")
    elsewhere = server.client("sqs", key="111111111111", region="eu-west-1")
    url = one.create_queue(QueueName=name)["QueueUrl"]
    assert "/111111111111/" in url
    assert two.list_queues(QueueNamePrefix=name).get("QueueUrls", []) == []
    assert elsewhere.list_queues(QueueNamePrefix=name).get("QueueUrls", []) == []
    assert one.list_queues(QueueNamePrefix=name)["QueueUrls"] == [url]
