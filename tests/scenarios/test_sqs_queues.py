"""Queues of SQS: attributes, dead letters, move tasks, bounds, and the older query protocol."""

import json
import re
import urllib.error
import urllib.parse
import urllib.request

import pytest

from lampejo_server import ACCOUNT, REGION, eventually


@pytest.fixture
def sqs(server):
    return server.client("sqs")


@pytest.fixture
def queue(sqs, name):
    return sqs.create_queue(QueueName=name)["QueueUrl"]


def arn(name):
    return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"


def attributes(sqs, url, *names):
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(names) or ["All"])
    return found["Attributes"]


def bodies(sqs, url, **arguments):
    received = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, **arguments)
    return sorted(it["Body"] for it in received.get("Messages", []))


def test_a_new_queue_has_awss_defaults(sqs, queue, name):
    found = attributes(sqs, queue)
    assert found.pop("CreatedTimestamp") == found.pop("LastModifiedTimestamp")
    assert found == {
        "QueueArn": arn(name),
        "ApproximateNumberOfMessages": "0",
        "ApproximateNumberOfMessagesNotVisible": "0",
        "ApproximateNumberOfMessagesDelayed": "0",
        "DelaySeconds": "0",
        "MaximumMessageSize": "1048576",
        "MessageRetentionPeriod": "345600",
        "ReceiveMessageWaitTimeSeconds": "0",
        "SqsManagedSseEnabled": "true",
        "VisibilityTimeout": "30",
    }


def test_attributes_are_set_and_checked(sqs, queue, refused):
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "77"})
    assert attributes(sqs, queue, "VisibilityTimeout") == {"VisibilityTimeout": "77"}
    for name, value in [
        ("VisibilityTimeout", "43201"),
        ("DelaySeconds", "901"),
        ("MessageRetentionPeriod", "59"),
        ("ReceiveMessageWaitTimeSeconds", "21"),
        ("MaximumMessageSize", "1023"),
        ("VisibilityTimeout", "soon"),
    ]:
        text = f"Invalid value for the parameter {name}."
        with refused("InvalidAttributeValue", text, 400):
            sqs.set_queue_attributes(QueueUrl=queue, Attributes={name: value})
    with refused("InvalidAttributeName", "Unknown Attribute Colour.", 400):
        sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Colour": "red"})


def test_queues_are_named_by_rules(sqs, name, refused):
    said = (
        "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"
    )
    for bad in ("a b", "x" * 81, "ä"):
        with refused("InvalidParameterValue", said, 400):
            sqs.create_queue(QueueName=bad)
    with refused("InvalidParameterValue", status=400):
        sqs.create_queue(QueueName=name, Attributes={"FifoQueue": "true"})


def test_a_queue_has_tags(sqs, queue):
    sqs.tag_queue(QueueUrl=queue, Tags={"a": "1", "b": "2"})
    sqs.untag_queue(QueueUrl=queue, TagKeys=["a"])
    assert sqs.list_queue_tags(QueueUrl=queue)["Tags"] == {"b": "2"}


def test_a_deleted_queue_is_gone_for_a_minute(own_server, name, refused):
    sqs = own_server.client("sqs")
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    sqs.delete_queue(QueueUrl=url)
    with refused("AWS.SimpleQueueService.NonExistentQueue", status=400):
        sqs.send_message(QueueUrl=url, MessageBody="x")
    with refused("AWS.SimpleQueueService.QueueDeletedRecently", status=400) as refusal:
        sqs.create_queue(QueueName=name)
    assert refusal.message.startswith("You must wait 60 seconds after deleting a queue")
    own_server.advance(61)
    sqs.create_queue(QueueName=name)


def test_a_purge_empties_a_queue_once_a_minute(own_server, name, refused):
    sqs = own_server.client("sqs")
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="x")
    sqs.purge_queue(QueueUrl=url)
    assert attributes(sqs, url)["ApproximateNumberOfMessages"] == "0"
    text = f"Only one PurgeQueue operation on {name} is allowed every 60 seconds."
    with refused("AWS.SimpleQueueService.PurgeQueueInProgress", text, 403):
        sqs.purge_queue(QueueUrl=url)
    own_server.advance(61)
    sqs.purge_queue(QueueUrl=url)


def test_messages_are_forgotten_after_their_retention(own_server, name):
    sqs = own_server.client("sqs")
    settings = {"MessageRetentionPeriod": "60"}
    url = sqs.create_queue(QueueName=name, Attributes=settings)["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="x")
    own_server.advance(61)
    assert bodies(sqs, url) == []


def test_messages_have_bounds(sqs, queue, refused):
    text = (
        "One or more parameters are invalid. Reason: Message must be shorter than 1048576 bytes."
    )
    with refused("InvalidParameterValue", text, 400):
        sqs.send_message(QueueUrl=queue, MessageBody="x" * 1_048_577)
    sqs.send_message(QueueUrl=queue, MessageBody="x" * 1_048_576)
    with refused("AWS.SimpleQueueService.BatchRequestTooLong", status=400) as refusal:
        entries = [{"Id": str(n), "MessageBody": "x" * 600_000} for n in range(2)]
        sqs.send_message_batch(QueueUrl=queue, Entries=entries)
    assert "1200000 bytes" in refusal.message
    with refused("AWS.SimpleQueueService.TooManyEntriesInBatchRequest", status=400) as refusal:
        entries = [{"Id": str(n), "MessageBody": "x"} for n in range(11)]
        sqs.send_message_batch(QueueUrl=queue, Entries=entries)
    assert refusal.message == (
        "Maximum number of entries per request are 10. You have sent 11."
    )
    with refused("InvalidMessageContents", status=400):
        sqs.send_message(QueueUrl=queue, MessageBody="\x01")
    with refused("MissingParameter", status=400) as refusal:
        sqs.send_message(QueueUrl=queue, MessageBody="")
    assert refusal.message == "The request must contain the parameter MessageBody."


def test_a_fifo_queue_asks_for_a_group_and_a_deduplication(sqs, name, refused):
    url = sqs.create_queue(QueueName=f"{name}.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    with refused("MissingParameter", status=400) as refusal:
        sqs.send_message(QueueUrl=url, MessageBody="x")
    assert refusal.message == "The request must contain the parameter MessageGroupId."
    with refused("InvalidParameterValue", status=400) as refusal:
        sqs.send_message(QueueUrl=url, MessageBody="x", MessageGroupId="g")
    assert refusal.message == (
        "The queue should either have ContentBasedDeduplication enabled "
        "or MessageDeduplicationId provided explicitly"
    )
    one = {"MessageGroupId": "g", "MessageDeduplicationId": "d"}
    first = sqs.send_message(QueueUrl=url, MessageBody="x", **one)
    second = sqs.send_message(QueueUrl=url, MessageBody="y", **one)
    assert second["MessageId"] == first["MessageId"]
    assert second["SequenceNumber"] == first["SequenceNumber"]
    assert bodies(sqs, url) == ["x"]


def test_dead_letters_are_moved_back(own_server, name):
    sqs = own_server.client("sqs")
    dead = sqs.create_queue(QueueName=f"{name}-dead")["QueueUrl"]
    policy = json.dumps({"deadLetterTargetArn": arn(f"{name}-dead"), "maxReceiveCount": 1})
    url = sqs.create_queue(QueueName=name, Attributes={"RedrivePolicy": policy})["QueueUrl"]
    assert sqs.list_dead_letter_source_queues(QueueUrl=dead)["queueUrls"] == [url]
    sent = [f"m{n}" for n in range(10)]
    entries = [{"Id": body, "MessageBody": body} for body in sent]
    sqs.send_message_batch(QueueUrl=url, Entries=entries)
    assert bodies(sqs, url) == sorted(sent)
    own_server.advance(31)
    assert bodies(sqs, url) == []

    def all_dead():
        return attributes(sqs, dead)["ApproximateNumberOfMessages"] == "10"

    eventually(all_dead, "all are dead letters")
    task = sqs.start_message_move_task(SourceArn=arn(f"{name}-dead"))
    assert task["TaskHandle"]

    def done():
        (found,) = sqs.list_message_move_tasks(SourceArn=arn(f"{name}-dead"))["Results"]
        return found["Status"] == "COMPLETED" and found

    found = eventually(done, "the task is done")
    assert found["ApproximateNumberOfMessagesMoved"] == 10
    assert found["ApproximateNumberOfMessagesToMove"] == 10
    assert bodies(sqs, url) == sorted(sent)


def test_only_dead_letters_are_moved(sqs, queue, name, refused):
    text = "Source queue must be configured as a Dead Letter Queue."
    with refused("InvalidParameterValue", text, 400):
        sqs.start_message_move_task(SourceArn=arn(name))
    with refused("ResourceNotFoundException", status=404):
        sqs.start_message_move_task(SourceArn=arn(f"{name}-no"))


class Forms:
    """The query protocol by plain forms."""

    def __init__(self, server):
        self.server = server

    def call(self, action, path="/", **form):
        scope = f"Credential=test/20260101/{REGION}/sqs/aws4_request"
        headers = {
            "Authorization": f"AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0",
            "X-Amz-Date": "20260101T000000Z",
        }
        data = urllib.parse.urlencode({"Action": action, "Version": "2012-11-05", **form})
        request = urllib.request.Request(self.server.endpoint + path, data.encode(), headers)
        try:
            with urllib.request.urlopen(request) as answer:
                assert answer.headers["Content-Type"] == "text/xml"
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()


@pytest.fixture
def forms(server):
    return Forms(server)


def values(text, element):
    return re.findall(rf"<{element}>(.*?)</{element}>", text)


def test_a_queue_by_forms(forms, name):
    settings = {"Attribute.1.Name": "VisibilityTimeout", "Attribute.1.Value": "9"}
    status, text = forms.call("CreateQueue", QueueName=name, **settings)
    assert (status, "<CreateQueueResult>" in text) == (200, True)
    assert 'xmlns="http://queue.amazonaws.com/doc/2012-11-05/"' in text
    (url,) = values(text, "QueueUrl")
    # The queue's own address names it as well.
    path = urllib.parse.urlsplit(url).path
    _, text = forms.call("GetQueueAttributes", path, **{"AttributeName.1": "VisibilityTimeout"})
    assert (values(text, "Name"), values(text, "Value")) == (["VisibilityTimeout"], ["9"])
    message = {
        "MessageBody": "a<b&ä",
        "MessageAttribute.1.Name": "n",
        "MessageAttribute.1.Value.DataType": "String",
        "MessageAttribute.1.Value.StringValue": "v",
    }
    _, text = forms.call("SendMessage", path, **message)
    assert len(values(text, "MD5OfMessageBody") + values(text, "MD5OfMessageAttributes")) == 2
    _, text = forms.call(
        "ReceiveMessage", path, **{"AttributeName.1": "All", "MessageAttributeName.1": "All"}
    )
    assert values(text, "Body") == ["a&lt;b&amp;ä"]
    assert "ApproximateReceiveCount" in values(text, "Name")
    assert values(text, "StringValue") == ["v"]
    (handle,) = values(text, "ReceiptHandle")
    status, text = forms.call("DeleteMessage", path, ReceiptHandle=handle)
    assert (status, "<DeleteMessageResponse" in text) == (200, True)
    batch = {}
    for n in range(1, 11):
        batch[f"SendMessageBatchRequestEntry.{n}.Id"] = f"i{n}"
        batch[f"SendMessageBatchRequestEntry.{n}.MessageBody"] = f"m{n}"
    _, text = forms.call("SendMessageBatch", path, **batch)
    assert values(text, "Id") == [f"i{n}" for n in range(1, 11)]


def test_errors_by_forms(forms, queue):
    path = urllib.parse.urlsplit(queue).path
    for action, form, status, code in [
        ("SendMessage", {"MessageBody": "x"}, 400, "AWS.SimpleQueueService.NonExistentQueue"),
        ("DeleteMessage", {"ReceiptHandle": "x"}, 404, "ReceiptHandleIsInvalid"),
        ("ReceiveMessage", {"MaxNumberOfMessages": "11"}, 400, "InvalidParameterValue"),
        ("ReceiveMessage", {"MaxNumberOfMessages": "many"}, 400, None),
        ("NoSuchAction", {}, 400, "InvalidAction"),
    ]:
        place = f"{path}-no" if code and "NonExistent" in code else path
        got, text = forms.call(action, place, **form)
        assert got == status, (action, text)
        assert code is None or values(text, "Code") == [code]
        assert values(text, "Type") == ["Sender"]
