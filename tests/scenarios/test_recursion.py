"""Recursive loops: found by the trace that the SDK in a function sends on, and stopped."""

import json

from lampejo_server import ACCOUNT, REGION, eventually

# Invokes itself through what its event or environment says, and keeps on if asked to.
SOURCE = """
import json, os, boto3
from botocore.config import Config

def client(service):
    settings = {"retries": {"total_max_attempts": 1}}
    if service == "s3":
        settings["s3"] = {"addressing_style": "path"}
    return boto3.client(service, config=Config(**settings))

def handler(event, context):
    print("hop", os.environ["_X_AMZN_TRACE_ID"])
    kind = os.environ["LOOP"]
    if kind in ("sync", "event"):
        how = "RequestResponse" if kind == "sync" else "Event"
        try:
            answer = client("lambda").invoke(
                FunctionName=context.function_name, InvocationType=how, Payload="{}"
            )
        except Exception as error:
            return str(error)
        return json.loads(answer["Payload"].read() or "null")
    if kind == "queue":
        client("sqs").send_message(QueueUrl=os.environ["QUEUE"], MessageBody="again")
    if kind == "bucket":
        key = f"in/{len(event['Records'][0]['s3']['object']['key'])}"
        client("s3").put_object(Bucket=os.environ["BUCKET"], Key=key + "x", Body=b"again")
"""
MOST = 16


def queue_arn(name):
    return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"


def loop(server, name, kind, **environment):
    variables = {"LOOP": kind, **environment}
    return server.function(
        name, SOURCE, Timeout=30, MemorySize=512, Environment={"Variables": variables}
    )


def hops(server, name):
    return server.log_lines(name, "hop")


def all_hops(server, name):
    """The invocations of a loop that was stopped."""
    eventually(lambda: len(hops(server, name)) >= MOST, "all hops")
    return hops(server, name)


def received(server, url):
    """The one message that a queue receives, with its attributes."""
    answer = server.client("sqs").receive_message(
        QueueUrl=url, WaitTimeSeconds=20, MessageAttributeNames=["All"], AttributeNames=["All"]
    )
    (message,) = answer["Messages"]
    return message


def test_a_function_that_invokes_itself_is_told(server, name):
    loop(server, name, "sync")
    answer, error = server.invoke(name)
    assert error is None
    assert "RecursiveInvocationException" in answer
    assert "in a recursive loop" in answer
    lines = all_hops(server, name)
    assert len(lines) == MOST
    assert ";Lineage=1:" in lines[0]
    assert lines[-1].endswith(f":{MOST - 1}")


def test_the_exception_is_what_a_caller_within_the_chain_sees(server, name, refused):
    loop(server, name, "none")
    client = server.client("lambda")

    def follow(request, **_):
        request.headers["X-Amzn-Trace-Id"] = header

    header = ""
    server.invoke(name)
    line = eventually(lambda: hops(server, name), "a hop")[0]
    header = line.split(" ", 1)[1].rsplit(":", 1)[0] + ":15"
    client.meta.events.register("before-send.lambda", follow)
    with refused("RecursiveInvocationException", status=400):
        client.invoke(FunctionName=name)
    client.put_function_recursion_config(FunctionName=name, RecursiveLoop="Allow")
    assert client.invoke(FunctionName=name)["StatusCode"] == 200


def test_events_of_a_loop_go_to_the_dead_letter_queue(server, name):
    url = server.client("sqs").create_queue(QueueName=name)["QueueUrl"]
    loop(server, name, "event")
    client = server.client("lambda")
    client.update_function_configuration(
        FunctionName=name, DeadLetterConfig={"TargetArn": queue_arn(name)}
    )
    client.invoke(FunctionName=name, InvocationType="Event", Payload="{}")
    message = received(server, url)
    text = message["MessageAttributes"]["ErrorMessage"]["StringValue"]
    assert "recursive loop" in text
    assert len(all_hops(server, name)) == MOST


def queue_loop(server, name, attributes=None):
    url = server.client("sqs").create_queue(QueueName=name, Attributes=attributes or {})[
        "QueueUrl"
    ]
    loop(server, name, "queue", QUEUE=url)
    server.client("lambda").create_event_source_mapping(
        EventSourceArn=queue_arn(name), FunctionName=name, BatchSize=1
    )
    server.client("sqs").send_message(QueueUrl=url, MessageBody="first")
    return url


def test_a_loop_through_a_queue_ends_in_its_dead_letter_queue(server, name):
    dead = server.client("sqs").create_queue(QueueName=f"{name}-dead")["QueueUrl"]
    policy = {"deadLetterTargetArn": queue_arn(f"{name}-dead"), "maxReceiveCount": 2}
    attributes = {"RedrivePolicy": json.dumps(policy), "VisibilityTimeout": "60"}
    queue_loop(server, name, attributes)
    message = received(server, dead)
    assert message["Body"] == "again"
    assert message["Attributes"]["AWSTraceHeader"].endswith(":15")
    assert len(all_hops(server, name)) == MOST


def test_an_allowed_loop_goes_on(server, name):
    client = server.client("lambda")
    url = server.client("sqs").create_queue(QueueName=name)["QueueUrl"]
    loop(server, name, "queue", QUEUE=url)
    put = client.put_function_recursion_config(FunctionName=name, RecursiveLoop="Allow")
    assert put["RecursiveLoop"] == "Allow"
    client.create_event_source_mapping(
        EventSourceArn=queue_arn(name), FunctionName=name, BatchSize=1
    )
    server.client("sqs").send_message(QueueUrl=url, MessageBody="first")
    eventually(lambda: len(hops(server, name)) > 2 * MOST, "more than twice as many")
    # From now on it is stopped, and its message deleted: there is no dead-letter queue.
    client.put_function_recursion_config(FunctionName=name, RecursiveLoop="Terminate")
    counts = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]

    def empty():
        found = server.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=counts)
        return set(found["Attributes"].values()) == {"0"} and hops(server, name)

    before = len(eventually(empty, "the loop has ended"))
    assert before <= 5 * MOST
    got = client.get_function_recursion_config(FunctionName=name)
    assert got["RecursiveLoop"] == "Terminate"


def test_a_loop_through_a_bucket_ends(server, name):
    s3, client = server.client("s3"), server.client("lambda")
    letters = server.client("sqs").create_queue(QueueName=name)["QueueUrl"]
    s3.create_bucket(Bucket=name)
    arn = loop(server, name, "bucket", BUCKET=name)
    client.put_function_event_invoke_config(
        FunctionName=name,
        DestinationConfig={"OnFailure": {"Destination": queue_arn(name)}},
    )
    client.add_permission(
        FunctionName=name,
        StatementId="s3",
        Action="lambda:InvokeFunction",
        Principal="s3.amazonaws.com",
    )
    rule = {"LambdaFunctionArn": arn, "Events": ["s3:ObjectCreated:*"]}
    s3.put_bucket_notification_configuration(
        Bucket=name, NotificationConfiguration={"LambdaFunctionConfigurations": [rule]}
    )
    s3.put_object(Bucket=name, Key="in/a", Body=b"first")
    record = json.loads(received(server, letters)["Body"])
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestPayload"]["Records"][0]["eventName"] == "ObjectCreated:Put"
    assert len(all_hops(server, name)) == MOST
