"""Asynchronous invocations: tried again after one minute and two, kept across a kill -9, and
given to destinations and dead letters in the end."""

import json

import pytest

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


def test_an_event_survives_a_kill(own_server, name):
    own_server.function(name, FAILING, Timeout=900)
    request_id = send(own_server, name, {})
    eventually(lambda: len(tries(own_server, name)) == 1, "the first try")
    own_server.kill()
    own_server.start()
    reach(own_server, name, 2)
    assert set(tries(own_server, name)) == {f"try {request_id}"}


def test_an_event_that_waits_during_a_kill_runs_afterwards(own_server, name):
    client = own_server.client("lambda")
    own_server.function(name, "def handler(event, context):\n    print('got', event['n'])\n")
    # No place to run: the events wait.
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    for n in range(3):
        send(own_server, name, {"n": n})
    own_server.kill()
    own_server.start()
    own_server.client("lambda").delete_function_concurrency(FunctionName=name)
    # Throttled events wait at most five minutes.
    own_server.advance(300)

    def all_ran():
        return set(own_server.log_lines(name, "got")) == {"got 0", "got 1", "got 2"}

    eventually(all_ran, "all three ran")


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
    own_server.function(name, FAILING)
    client.put_function_event_invoke_config(
        FunctionName=name,
        MaximumEventAgeInSeconds=60,
        DestinationConfig={"OnFailure": {"Destination": queue_arn(name)}},
    )
    # Throttled until it is too old: it never runs.
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    send(own_server, name, {"a": 1})
    own_server.advance(400)
    record = json.loads(take(own_server, url)["Body"])
    assert record["requestContext"]["condition"] == "EventAgeExceeded"
    assert record["requestPayload"] == {"a": 1}
    assert tries(own_server, name) == []


@pytest.mark.parametrize(("retries", "age"), [(3, 60), (-1, 60), (0, 59), (0, 21_601)])
def test_settings_of_events_have_bounds(server, name, refused, retries, age):
    server.function(name, FAILING)
    client = server.client("lambda", parameter_validation=False)
    with refused("ValidationException", status=400):
        client.put_function_event_invoke_config(
            FunctionName=name, MaximumRetryAttempts=retries, MaximumEventAgeInSeconds=age
        )
