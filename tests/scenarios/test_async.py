"""Asynchronous invocations: tried again after one minute and two, kept across a kill -9, and
given to destinations and dead letters in the end."""

import contextlib
import json
import re
import threading
import urllib.request

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from lampejo_server import ACCOUNT, REGION, eventually

FAILING = """
def handler(event, context):
    print("try", context.aws_request_id)
    raise ValueError("no")
"""


def queue_arn(name):
    return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"


def send(server, name, event):
    """Hands an event over; answers with the request's id."""
    answer = server.client("lambda").invoke(
        FunctionName=name, InvocationType="Event", Payload=json.dumps(event)
    )
    assert (answer["StatusCode"], answer["Payload"].read()) == (202, b"")
    return answer["ResponseMetadata"]["RequestId"]


def tries(server, name):
    return server.log_lines(name, "try")


def reach(server, name, count):
    """Moves the clock second by second until a try has begun; answers with the seconds."""
    moved = 0

    def look():
        nonlocal moved
        if len(tries(server, name)) >= count:
            return True
        server.advance(1)
        moved += 1
        return False

    eventually(look, f"try {count}")
    return moved


def take(server, url):
    """The one message that a queue receives."""
    received = server.client("sqs").receive_message(
        QueueUrl=url, WaitTimeSeconds=20, MessageAttributeNames=["All"]
    )
    (message,) = received["Messages"]
    return message


def test_an_event_that_fails_is_tried_again_after_one_minute_and_two(own_server, name):
    url = own_server.client("sqs").create_queue(QueueName=name)["QueueUrl"]
    # Its own timeout is of no matter while the clock moves.
    letter = {"TargetArn": queue_arn(name)}
    own_server.function(name, FAILING, Timeout=900, DeadLetterConfig=letter)
    request_id = send(own_server, name, {"a": 1})
    eventually(lambda: len(tries(own_server, name)) == 1, "the first try")
    # Real time passes as well, on a busy machine some seconds of it.
    assert 50 <= reach(own_server, name, 2) <= 90
    assert 110 <= reach(own_server, name, 3) <= 150
    assert tries(own_server, name) == [f"try {request_id}"] * 3
    message = take(own_server, url)
    assert json.loads(message["Body"]) == {"a": 1}
    attributes = {
        key: (it["DataType"], it["StringValue"]) for key, it in message["MessageAttributes"].items()
    }
    assert attributes == {
        "RequestID": ("String", request_id),
        "ErrorCode": ("Number", "200"),
        "ErrorMessage": ("String", "no"),
    }
    own_server.advance(3600)
    assert len(tries(own_server, name)) == 3


@contextlib.contextmanager
def busy(server, name):
    """Keeps the function's only place taken, by an invocation that runs until the server stops it."""
    client = server.client("lambda")
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)

    def occupy():
        with contextlib.suppress(BotoCoreError, ClientError):
            client.invoke(FunctionName=name, Payload=b'{"stay": true}')

    thread = threading.Thread(target=occupy, daemon=True)
    thread.start()
    eventually(lambda: server.log_lines(name, "stays"), "an invocation that stays")
    yield
    # Whoever stays goes with its code.
    with contextlib.suppress(BotoCoreError, ClientError):
        client.delete_function(FunctionName=name)


STAYING = """
import time

def handler(event, context):
    if event.get("stay"):
        print("stays")
        time.sleep(600)
    print("got", event["n"])
"""


def metrics(server):
    """What functions did in the last hour."""
    request = urllib.request.Request(
        f"{server.endpoint}/_lampejo/status",
        headers={"Authorization": "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/x/aws4_request"
                 ", SignedHeaders=host, Signature=0"},
    )
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)["lastHour"]


def test_an_event_survives_a_kill(own_server, name):
    own_server.function(name, FAILING, Timeout=900)
    request_id = send(own_server, name, {})
    eventually(lambda: len(tries(own_server, name)) == 1, "the first try")
    own_server.kill()
    own_server.start()
    reach(own_server, name, 2)
    assert set(tries(own_server, name)) == {f"try {request_id}"}


def test_an_event_that_waits_during_a_kill_runs_afterwards(own_server, name):
    own_server.function(name, STAYING, Timeout=900)
    with busy(own_server, name):
        # No place to run: the events wait.
        for n in range(3):
            send(own_server, name, {"n": n})
        own_server.kill()
        own_server.start()

        def all_ran():
            return set(own_server.log_lines(name, "got")) == {"got 0", "got 1", "got 2"}

        eventually(all_ran, "all three ran")


def test_a_throttled_event_waits_until_there_is_a_place(own_server, name):
    client = own_server.client("lambda")
    own_server.function(name, STAYING, Timeout=900)
    with busy(own_server, name):
        send(own_server, name, {"n": 7})
        eventually(lambda: metrics(own_server)["Throttles"] > 0, "it was throttled")
        assert own_server.log_lines(name, "got") == []
        client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=2)

        def ran():
            # At most five minutes from one attempt to the next.
            own_server.advance(30)
            return own_server.log_lines(name, "got")

        assert eventually(ran, "it ran") == ["got 7"]
        assert metrics(own_server)["AsyncEventAgeMaximum"] > 0


def test_destinations_are_told(own_server, name):
    sqs, client = own_server.client("sqs"), own_server.client("lambda")
    urls = {
        end: sqs.create_queue(QueueName=f"{name}-{end}")["QueueUrl"] for end in ("good", "bad")
    }
    source = "def handler(event, context):\n    return 1 / event['by']\n"
    arn = own_server.function(name, source)
    client.put_function_event_invoke_config(
        FunctionName=name,
        MaximumRetryAttempts=0,
        DestinationConfig={
            "OnSuccess": {"Destination": queue_arn(f"{name}-good")},
            "OnFailure": {"Destination": queue_arn(f"{name}-bad")},
        },
    )
    request_id = send(own_server, name, {"by": 2})
    record = json.loads(take(own_server, urls["good"])["Body"])
    assert record.pop("timestamp").endswith("Z")
    assert record == {
        "version": "1.0",
        "requestContext": {
            "requestId": request_id,
            "functionArn": f"{arn}:$LATEST",
            "condition": "Success",
            "approximateInvokeCount": 1,
        },
        "requestPayload": {"by": 2},
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST"},
        "responsePayload": 0.5,
    }
    send(own_server, name, {"by": 0})
    record = json.loads(take(own_server, urls["bad"])["Body"])
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["responseContext"] == {
        "statusCode": 200,
        "executedVersion": "$LATEST",
        "functionError": "Unhandled",
    }
    assert record["responsePayload"]["errorType"] == "ZeroDivisionError"


def test_an_event_that_grows_too_old_is_given_up(own_server, name):
    client = own_server.client("lambda")
    url = own_server.client("sqs").create_queue(QueueName=name)["QueueUrl"]
    own_server.function(name, STAYING, Timeout=900)
    client.put_function_event_invoke_config(
        FunctionName=name,
        MaximumEventAgeInSeconds=60,
        DestinationConfig={"OnFailure": {"Destination": queue_arn(name)}},
    )
    with busy(own_server, name):
        # Throttled until it is too old: it never runs.
        request_id = send(own_server, name, {"n": 1})
        eventually(lambda: metrics(own_server)["Throttles"] > 0, "it was throttled")
        own_server.advance(61)
        record = json.loads(take(own_server, url)["Body"])
        assert record["requestContext"] == {
            "requestId": request_id,
            "functionArn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}:$LATEST",
            "condition": "EventAgeExceeded",
            "approximateInvokeCount": 0,
        }
        assert record["requestPayload"] == {"n": 1}
        assert record["responseContext"] == {"statusCode": 429}
        assert "responsePayload" not in record
        assert own_server.log_lines(name, "got") == []
        assert metrics(own_server)["AsyncEventsDropped"] == 1


def test_a_function_that_may_not_run_gives_its_events_up_at_once(server, name):
    client = server.client("lambda")
    urls = {
        end: server.client("sqs").create_queue(QueueName=f"{name}-{end}")["QueueUrl"]
        for end in ("record", "letter")
    }
    server.function(name, FAILING, DeadLetterConfig={"TargetArn": queue_arn(f"{name}-letter")})
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    client.put_function_event_invoke_config(
        FunctionName=name,
        DestinationConfig={"OnFailure": {"Destination": queue_arn(f"{name}-record")}},
    )
    request_id = send(server, name, {"a": 1})
    # Both are told.
    record = json.loads(take(server, urls["record"])["Body"])
    assert record["requestContext"]["condition"] == "ZeroReservedConcurrency"
    assert record["requestContext"]["approximateInvokeCount"] == 0
    assert "responseContext" not in record
    letter = take(server, urls["letter"])
    assert json.loads(letter["Body"]) == {"a": 1}
    assert set(letter["MessageAttributes"]) == {"RequestID", "ErrorMessage"}
    assert letter["MessageAttributes"]["RequestID"]["StringValue"] == request_id


def test_a_bucket_keeps_records_of_failures(server, name):
    client, s3 = server.client("lambda"), server.client("s3")
    s3.create_bucket(Bucket=name)
    server.function(name, FAILING)
    client.put_function_event_invoke_config(
        FunctionName=name,
        MaximumRetryAttempts=0,
        DestinationConfig={"OnFailure": {"Destination": f"arn:aws:s3:::{name}"}},
    )
    request_id = send(server, name, {"a": 1})
    (object_,) = eventually(lambda: s3.list_objects_v2(Bucket=name).get("Contents"), "an object")
    form = rf"aws/lambda/async/{name}/(\d{{4}})/(\d\d)/(\d\d)/\1-\2-\3T\d\d\.\d\d\.\d\d-[0-9a-f-]{{36}}"
    assert re.fullmatch(form, object_["Key"])
    record = json.load(s3.get_object(Bucket=name, Key=object_["Key"])["Body"])
    assert record["requestContext"]["requestId"] == request_id
    assert record["requestContext"]["condition"] == "RetriesExhausted"


def test_a_function_is_told_and_an_alias_has_its_own_settings(server, name):
    client = server.client("lambda")
    told = server.function(
        f"{name}-told", "def handler(event, context):\n    print('told', event['requestContext'])\n"
    )
    arn = server.function(name, "def handler(event, context):\n    return 1\n")
    client.publish_version(FunctionName=name)
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    client.put_function_event_invoke_config(
        FunctionName=name,
        Qualifier="live",
        DestinationConfig={"OnSuccess": {"Destination": told}},
    )
    # $LATEST tells nobody.
    send(server, name, {})
    client.invoke(FunctionName=name, Qualifier="live", InvocationType="Event", Payload=b"{}")
    (line,) = eventually(lambda: server.log_lines(f"{name}-told", "told"), "it was told")
    assert f"'functionArn': '{arn}:live'" in line


def test_what_cannot_be_told_is_counted(own_server, name):
    client, sqs = own_server.client("lambda"), own_server.client("sqs")
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    letter = {"TargetArn": queue_arn(f"{name}-never-made")}
    own_server.function(name, FAILING, DeadLetterConfig=letter)
    client.put_function_event_invoke_config(
        FunctionName=name,
        MaximumRetryAttempts=0,
        DestinationConfig={"OnFailure": {"Destination": queue_arn(name)}},
    )
    sqs.delete_queue(QueueUrl=url)
    send(own_server, name, {})

    def counted():
        now = metrics(own_server)
        return now["DeadLetterErrors"] == now["DestinationDeliveryFailures"] == 1

    eventually(counted, "both are counted")


def test_events_go_with_their_function(own_server, name):
    own_server.function(name, FAILING)
    send(own_server, name, {})
    eventually(lambda: len(tries(own_server, name)) == 1, "the first try")
    own_server.client("lambda").delete_function(FunctionName=name)
    own_server.advance(120)
    own_server.function(f"{name}-2", "def handler(event, context): print('ran')")
    send(own_server, f"{name}-2", {})
    eventually(lambda: own_server.log_lines(f"{name}-2", "ran"), "later events run")
    assert len(tries(own_server, name)) == 1


def test_destinations_are_checked(server, name, refused):
    client = server.client("lambda", parameter_validation=False)
    arn = server.function(name, FAILING)
    server.client("s3").create_bucket(Bucket=name)
    server.client("sqs").create_queue(
        QueueName=f"{name}.fifo", Attributes={"FifoQueue": "true"}
    )

    def put(**destinations):
        config = {end: {"Destination": arn} for end, arn in destinations.items()}
        return client.put_function_event_invoke_config(FunctionName=name, DestinationConfig=config)

    with refused(
        "InvalidParameterValueException",
        "You can't specify the function as a destination for itself.",
    ):
        put(OnFailure=arn)
    missing = f"{arn}-missing"
    for destination in (missing, queue_arn("missing"), queue_arn(f"{name}.fifo")):
        with refused(
            "InvalidParameterValueException", f"The destination ARN {destination} is invalid."
        ):
            put(OnSuccess=destination)
    with refused(
        "InvalidParameterValueException",
        "The provided destination config DestinationConfig(onSuccess=OnSuccess(destination="
        f"arn:aws:s3:::{name}), onFailure=null) is invalid.",
    ):
        put(OnSuccess=f"arn:aws:s3:::{name}")
    with refused("NotImplemented", status=501):
        put(OnFailure=f"arn:aws:sns:{REGION}:{ACCOUNT}:topic")
    with refused(
        "InvalidParameterValueException",
        "You must specify at least one of error handling or destination setting.",
    ):
        client.put_function_event_invoke_config(FunctionName=name)
    with refused("ResourceNotFoundException", "The function doesn't exist."):
        client.put_function_event_invoke_config(
            FunctionName=name, Qualifier="none", MaximumRetryAttempts=1
        )
    with refused(
        "ResourceNotFoundException", f"The function {arn}:$LATEST doesn't have an EventInvokeConfig"
    ):
        client.update_function_event_invoke_config(FunctionName=name, MaximumRetryAttempts=1)


def test_dead_letter_queues_are_checked(server, name, refused):
    with refused(
        "InvalidParameterValueException",
        "Invalid dead letter queue ARN: FIFO SQS queue is not supported for dead letter configuration",
    ):
        server.function(name, FAILING, DeadLetterConfig={"TargetArn": queue_arn("q.fifo")})
    with refused("NotImplemented", status=501):
        topic = f"arn:aws:sns:{REGION}:{ACCOUNT}:topic"
        server.function(name, FAILING, DeadLetterConfig={"TargetArn": topic})


def test_an_event_has_a_greatest_size(server, name, refused):
    server.function(name, "def handler(event, context): pass")
    client = server.client("lambda")
    client.invoke(FunctionName=name, InvocationType="Event", Payload=b'"%s"' % (b"x" * 1_048_574))
    with refused(
        "RequestTooLargeException",
        "1048577 byte payload is too large for the Event invocation type (limit 1048576 bytes)",
    ):
        payload = b'"%s"' % (b"x" * 1_048_575)
        client.invoke(FunctionName=name, InvocationType="Event", Payload=payload)


@pytest.mark.parametrize(("retries", "age"), [(3, 60), (-1, 60), (0, 59), (0, 21_601)])
def test_settings_of_events_have_bounds(server, name, refused, retries, age):
    server.function(name, FAILING)
    client = server.client("lambda", parameter_validation=False)
    with refused("ValidationException", status=400):
        client.put_function_event_invoke_config(
            FunctionName=name, MaximumRetryAttempts=retries, MaximumEventAgeInSeconds=age
        )
