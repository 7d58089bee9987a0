"""The chain: a file goes up, a function reads it and tells a queue, another writes the result."""

import json
import pathlib

from lampejo_server import ACCOUNT, REGION, eventually

EXAMPLE = pathlib.Path(__file__).parents[2] / "examples" / "chain"


def test_an_uploaded_file_comes_back_as_a_summary(server, name):
    s3, sqs, aws_lambda = (server.client(it) for it in ("s3", "sqs", "lambda"))
    s3.create_bucket(Bucket=name)
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    summarize = server.function(
        f"{name}-summarize",
        (EXAMPLE / "summarize" / "handler.py").read_text(),
        Handler="index.handle",
        MemorySize=512,
        Timeout=30,
        Environment={"Variables": {"QUEUE_URL": url}},
    )
    record = server.function(
        f"{name}-record",
        (EXAMPLE / "record" / "handler.py").read_text(),
        Handler="index.handle",
        MemorySize=512,
        Timeout=30,
    )
    aws_lambda.add_permission(
        FunctionName=summarize,
        StatementId="bucket",
        Action="lambda:InvokeFunction",
        Principal="s3.amazonaws.com",
        SourceArn=f"arn:aws:s3:::{name}",
    )
    rule = {
        "LambdaFunctionArn": summarize,
        "Events": ["s3:ObjectCreated:*"],
        "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": "uploads/"}]}},
    }
    s3.put_bucket_notification_configuration(
        Bucket=name, NotificationConfiguration={"LambdaFunctionConfigurations": [rule]}
    )
    aws_lambda.create_event_source_mapping(
        EventSourceArn=f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}", FunctionName=record
    )

    # A key that needs encoding: events carry it encoded.
    s3.put_object(Bucket=name, Key="uploads/mein brief+ä.txt", Body="one two\nthree\n".encode())

    def results():
        found = s3.list_objects_v2(Bucket=name, Prefix="results/")
        return [it["Key"] for it in found.get("Contents", [])]

    (key,) = eventually(results, "a result")
    assert key == "results/mein brief+ä.txt.json"
    summary = json.loads(s3.get_object(Bucket=name, Key=key)["Body"].read())
    assert summary == {
        "bucket": name,
        "key": "uploads/mein brief+ä.txt",
        "lines": 2,
        "words": 3,
        "characters": 14,
    }

    def reported():
        return [it for it in server.log_lines(f"{name}-summarize") if it.startswith("REPORT ")]

    assert len(eventually(reported, "a report")) == 1

    def nothing_left():
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        counts = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return set(counts.values()) == {"0"}

    assert eventually(nothing_left, "the queue is empty again")
