"""Powertools for AWS Lambda, as it comes from PyPI: logger, metrics, tracer, batches, parsed events.

Its idempotency needs a DynamoDB table, which is not there yet.
"""

import importlib
import io
import json
import pathlib
import zipfile

import pytest

from lampejo_server import ACCOUNT, PYTHON, REGION, ROLE, eventually

# boto3 and jmespath are in every Python function; these are not.
PACKED = [
    "annotated_types",
    "aws_lambda_powertools",
    "aws_xray_sdk",
    "pydantic",
    "pydantic_core",
    "typing_extensions",
    "typing_inspection",
    "wrapt",
]
NEITHER_CODE_NOR_DATA = {"__pycache__", "tests"}

SOURCE = '''
import json

from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes import S3Event, event_source
from aws_lambda_powertools.utilities.parser import BaseModel, event_parser
from aws_lambda_powertools.utilities.parser.envelopes import SqsEnvelope

logger = Logger(service="orders")
metrics = Metrics(namespace="shop", service="orders")
tracer = Tracer(service="orders")
processor = BatchProcessor(event_type=EventType.SQS)


@logger.inject_lambda_context(log_event=True, correlation_id_path="id")
@metrics.log_metrics(capture_cold_start_metric=True)
@tracer.capture_lambda_handler
def observed(event, context):
    logger.append_keys(order=event["order"])
    logger.info("order accepted")
    metrics.add_metric(name="Accepted", unit=MetricUnit.Count, value=1)
    tracer.put_annotation(key="order", value=event["order"])
    price(event)
    return {"correlation": logger.get_correlation_id()}


@tracer.capture_method
def price(event):
    return 3


def one(record):
    if json.loads(record.body)["order"] < 0:
        raise ValueError("no such order")


def batch(event, context):
    return process_partial_response(event, one, processor, context)


class Order(BaseModel):
    order: int
    item: str = "book"


@event_parser(model=Order, envelope=SqsEnvelope)
def parsed(event, context):
    orders = [order.model_dump() for order in event]
    print("orders", json.dumps(orders))
    return orders


@event_source(data_class=S3Event)
def objects(event, context):
    return {"bucket": event.bucket_name, "key": event.object_key}
'''


@pytest.fixture(scope="module")
def code():
    """Powertools and what it needs, with the handlers, as a package in a bucket's form."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("index.py", SOURCE)
        for name in PACKED:
            add(archive, pathlib.Path(importlib.import_module(name).__file__))
    return packed.getvalue()


def add(archive, module):
    """A module, or the whole package whose `__init__.py` it is."""
    root = module.parent.parent
    package = sorted(module.parent.rglob("*"))
    files = package if module.name == "__init__.py" else [module]
    for file in files:
        where = file.relative_to(root if module.name == "__init__.py" else module.parent)
        if file.is_file() and not NEITHER_CODE_NOR_DATA & set(where.parts):
            archive.write(file, where)


@pytest.fixture
def create(server, code, name):
    """Creates a function of one of the handlers."""

    def function(handler, **settings):
        client = server.client("lambda")
        variables = settings.pop("Variables", {})
        client.create_function(
            FunctionName=name,
            Runtime=PYTHON,
            Role=ROLE,
            Handler=f"index.{handler}",
            Code={"ZipFile": code},
            MemorySize=512,
            Timeout=30,
            Environment={"Variables": variables},
            **settings,
        )
        client.get_waiter("function_active_v2").wait(
            FunctionName=name, WaiterConfig={"Delay": 0.02, "MaxAttempts": 500}
        )
        return name

    return function


def records(server, function):
    """The JSON documents among a function's log lines."""
    return [json.loads(line) for line in server.log_lines(function) if line.startswith("{")]


def logged(server, function, test, what):
    """The first record that passes, as soon as it is there."""
    found = []

    def look():
        found[:] = [record for record in records(server, function) if test(record)]
        return bool(found)

    eventually(look, what)
    return found[0]


def test_logger_metrics_and_tracer_see_a_lambda_environment(server, create):
    function = create("observed", TracingConfig={"Mode": "Active"})
    answer, error = server.invoke(function, {"id": "c-1", "order": "o-7"})
    assert (answer, error) == ({"correlation": "c-1"}, None)

    line = logged(server, function, lambda it: it.get("message") == "order accepted", "the line")
    assert line["function_name"] == function
    assert line["function_memory_size"] == "512"
    assert line["function_arn"] == f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function}"
    assert (line["order"], line["correlation_id"], line["cold_start"]) == ("o-7", "c-1", True)
    assert line["xray_trace_id"].startswith("1-")
    assert line["function_request_id"]

    accepted = logged(server, function, lambda it: "Accepted" in it, "the metric")
    [directive] = accepted["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "shop"
    cold = logged(server, function, lambda it: "ColdStart" in it, "the metric of the cold start")
    assert cold["function_name"] == function


def test_only_the_failed_messages_of_a_batch_come_again(server, create, name):
    sqs = server.client("sqs")
    dead = sqs.create_queue(QueueName=f"{name}-dead")["QueueUrl"]
    dead_arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}-dead"
    redrive = json.dumps({"deadLetterTargetArn": dead_arn, "maxReceiveCount": 1})
    queue = sqs.create_queue(
        QueueName=name, Attributes={"RedrivePolicy": redrive, "VisibilityTimeout": "30"}
    )["QueueUrl"]
    function = create("batch")
    sqs.send_message_batch(
        QueueUrl=queue,
        Entries=[
            {"Id": str(number), "MessageBody": json.dumps({"order": order})}
            for number, order in enumerate([1, -1, 2])
        ],
    )
    mapping = server.client("lambda").create_event_source_mapping(
        EventSourceArn=f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}",
        FunctionName=function,
        FunctionResponseTypes=["ReportBatchItemFailures"],
    )

    def attributes(url):
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        return sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]

    def only_the_failed_one_is_left():
        return attributes(queue) == {
            "ApproximateNumberOfMessages": "0",
            "ApproximateNumberOfMessagesNotVisible": "1",
        }

    eventually(only_the_failed_one_is_left, "two messages are done and one waits to come again")
    server.client("lambda").delete_event_source_mapping(UUID=mapping["UUID"])
    sqs.delete_queue(QueueUrl=dead)


def test_an_event_is_parsed_into_a_model(server, create, name):
    sqs = server.client("sqs")
    queue = sqs.create_queue(QueueName=name)["QueueUrl"]
    function = create("parsed")
    server.client("lambda").create_event_source_mapping(
        EventSourceArn=f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}", FunctionName=function
    )
    sqs.send_message(QueueUrl=queue, MessageBody=json.dumps({"order": "12"}))
    line = 'orders [{"order": 12, "item": "book"}]'
    eventually(lambda: line in server.log_lines(function), "the parsed order is in the log")


def test_an_object_event_is_a_data_class(server, create, name):
    s3 = server.client("s3")
    s3.create_bucket(Bucket=name)
    function = create("objects")
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function}"
    queue = server.client("sqs").create_queue(QueueName=name)["QueueUrl"]
    server.client("lambda").put_function_event_invoke_config(
        FunctionName=function,
        DestinationConfig={
            "OnSuccess": {"Destination": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"}
        },
    )
    s3.put_bucket_notification_configuration(
        Bucket=name,
        NotificationConfiguration={
            "LambdaFunctionConfigurations": [
                {"LambdaFunctionArn": arn, "Events": ["s3:ObjectCreated:*"]}
            ]
        },
    )
    s3.put_object(Bucket=name, Key="a key+ü", Body=b"x")
    answer = server.client("sqs").receive_message(QueueUrl=queue, WaitTimeSeconds=20)
    record = json.loads(answer["Messages"][0]["Body"])
    assert record["responsePayload"] == {"bucket": name, "key": "a key+ü"}
