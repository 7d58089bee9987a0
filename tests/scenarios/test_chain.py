"""The job that must always work: S3 fires a function, which fires another through SQS."""

import json

from lampejo_server import poll

SUMMARISE = """
import boto3, json, os, urllib.parse
s3, sqs = boto3.client("s3"), boto3.client("sqs")

def handler(event, context):
    for record in event["Records"]:
        bucket = record["s3"]["bucket"]["name"]
        key = urllib.parse.unquote_plus(record["s3"]["object"]["key"])
        words = len(s3.get_object(Bucket=bucket, Key=key)["Body"].read().split())
        print("summarised", key)
        body = json.dumps({"bucket": bucket, "key": key, "words": words})
        sqs.send_message(QueueUrl=os.environ["QUEUE_URL"], MessageBody=body)
"""

STORE = """
import boto3, json
s3 = boto3.client("s3")

def handler(event, context):
    for record in event["Records"]:
        summary = json.loads(record["body"])
        print("stored", summary["key"])
        s3.put_object(Bucket=summary["bucket"], Key="out/" + summary["key"], Body=record["body"])
"""


def build(server, name):
    """Bucket, queue, two functions, a notification and a mapping."""
    s3, sqs, functions = (server.client(it) for it in ("s3", "sqs", "lambda"))
    s3.create_bucket(Bucket=name)
    url = sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "60"})["QueueUrl"]
    queue = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    variables = {"Variables": {"QUEUE_URL": url}}
    first = server.function(f"{name}-one", SUMMARISE, Environment=variables)
    server.function(f"{name}-two", STORE)
    functions.add_permission(
        FunctionName=f"{name}-one", StatementId="s3", Action="lambda:InvokeFunction",
        Principal="s3.amazonaws.com", SourceArn=f"arn:aws:s3:::{name}",
    )
    functions.create_event_source_mapping(
        FunctionName=f"{name}-two", EventSourceArn=queue["QueueArn"]
    )
    rules = [{"Name": "prefix", "Value": "in/"}]
    notified = {
        "LambdaFunctionArn": first, "Events": ["s3:ObjectCreated:*"],
        "Filter": {"Key": {"FilterRules": rules}},
    }
    s3.put_bucket_notification_configuration(
        Bucket=name, NotificationConfiguration={"LambdaFunctionConfigurations": [notified]}
    )


def read(server, bucket, key):
    s3 = server.client("s3")
    try:
        return json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    except s3.exceptions.NoSuchKey:
        return None


def test_an_upload_travels_the_chain(shared, name):
    build(shared, name)
    s3 = shared.client("s3")
    for number in range(3):
        s3.put_object(Bucket=name, Key=f"in/über {number}+.txt", Body=b"hello brave new world")
    for number in range(3):
        key = f"in/über {number}+.txt"
        result = poll(lambda: read(shared, name, f"out/{key}"), what=key)
        assert result == {"bucket": name, "key": key, "words": 4}
    for function, word in (("one", "summarised"), ("two", "stored")):
        lines = poll(
            lambda: len(found := shared.log_lines(f"{name}-{function}")) > 0
            and sum(line.startswith("REPORT") for line in found) > 0
            and found
        )
        assert any(line.startswith(word) for line in lines)


def test_the_chain_goes_on_after_a_power_cut(fresh, name):
    server = fresh().start()
    build(server, name)
    server.client("s3").put_object(Bucket=name, Key="in/before", Body=b"one two")
    server.kill()
    server.start()
    result = poll(lambda: read(server, name, "out/in/before"), seconds=90, what="the first file")
    assert result["words"] == 2
    server.client("s3").put_object(Bucket=name, Key="in/after", Body=b"one")
    assert poll(lambda: read(server, name, "out/in/after"), what="the second file")["words"] == 1
