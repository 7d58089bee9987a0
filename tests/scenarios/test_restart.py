"""What was acknowledged is there after a restart, whether the server was asked to stop or killed."""

import json

import pytest

from lampejo_server import ACCOUNT, REGION, eventually


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_everything_survives(own_server, name, how):
    s3, sqs, functions, iam, logs = (
        own_server.client(it) for it in ("s3", "sqs", "lambda", "iam", "logs")
    )
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key="small", Body=b"s", Metadata={"a": "1"})
    s3.put_object(Bucket=name, Key="large", Body=b"l" * (1 << 20))
    upload = s3.create_multipart_upload(Bucket=name, Key="parts")["UploadId"]
    place = {"Bucket": name, "Key": "parts", "UploadId": upload}
    part = s3.upload_part(**place, PartNumber=1, Body=b"p")["ETag"]
    url = sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "77"})["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="waits")
    own_server.function(name, "def handler(event, context):\n    return event\n")
    functions.publish_version(FunctionName=name)
    functions.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    iam.create_user(UserName=name)
    logs.create_log_group(logGroupName=name)
    logs.create_log_stream(logGroupName=name, logStreamName="s")
    own_server.invoke(name, 1)

    if how == "stop":
        assert own_server.stop() == 0
    else:
        own_server.kill()
    own_server.start()

    assert s3.get_object(Bucket=name, Key="small")["Metadata"] == {"a": "1"}
    assert s3.get_object(Bucket=name, Key="large")["Body"].read() == b"l" * (1 << 20)
    parts = {"Parts": [{"PartNumber": 1, "ETag": part}]}
    s3.complete_multipart_upload(**place, MultipartUpload=parts)
    assert s3.get_object(Bucket=name, Key="parts")["Body"].read() == b"p"
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])
    assert attributes["Attributes"] == {"VisibilityTimeout": "77"}
    (message,) = sqs.receive_message(QueueUrl=url)["Messages"]
    assert message["Body"] == "waits"
    assert own_server.invoke(name, {"a": 1}, Qualifier="live") == ({"a": 1}, None)
    assert iam.get_user(UserName=name)["User"]["UserName"] == name
    streams = logs.describe_log_streams(logGroupName=name)["logStreams"]
    assert [it["logStreamName"] for it in streams] == ["s"]


def test_work_that_was_accepted_is_done_after_a_kill(own_server, name):
    sqs, functions = own_server.client("sqs"), own_server.client("lambda")
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    own_server.function(
        name, "def handler(event, context):\n    print('did', event.get('n', 'batch'))\n"
    )
    functions.create_event_source_mapping(
        EventSourceArn=f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}", FunctionName=name
    )
    functions.invoke(FunctionName=name, InvocationType="Event", Payload=json.dumps({"n": 7}))
    sqs.send_message(QueueUrl=url, MessageBody="x")
    own_server.kill()
    own_server.start()
    # A message that the killed server had leased comes back when its lease ends.
    own_server.advance(31)
    lines = lambda: set(own_server.log_lines(name))  # noqa: E731
    eventually(lambda: {"did 7", "did batch"} <= lines(), "both pieces of work")


def test_only_one_server_uses_a_folder(own_server):
    import subprocess

    from lampejo_server import binary

    second = subprocess.run(
        [binary(), "up", "--listen", "127.0.0.1:0", "--data", str(own_server.data)],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert second.returncode != 0
    assert str(own_server.data) in second.stderr
