"""First of the chain: reads the object of an S3 event and sends its summary to the queue.

On `http.client` and not boto3, whose own work would be most of what is measured.
"""

import http.client
import json
import os

CREDENTIAL = "AWS4-HMAC-SHA256 Credential=000000000000/20260101/us-east-1/%s/aws4_request, SignedHeaders=host, Signature=0"
connection = http.client.HTTPConnection(os.environ["AWS_ENDPOINT_URL"].removeprefix("http://"))


def call(service, method, path, body=b"", headers={}):
    connection.request(method, path, body, {"Authorization": CREDENTIAL % service, **headers})
    answer = connection.getresponse()
    data = answer.read()
    if answer.status >= 300:
        raise RuntimeError(f"{service} answered {answer.status}: {data}")
    return data


def handler(event, context):
    for record in event["Records"]:
        bucket, key = record["s3"]["bucket"]["name"], record["s3"]["object"]["key"]
        size = len(call("s3", "GET", f"/{bucket}/{key}"))
        body = {"bucket": bucket, "key": key.replace("in/", "out/"), "size": size}
        message = {"QueueUrl": os.environ["QUEUE_URL"], "MessageBody": json.dumps(body)}
        target = {"X-Amz-Target": "AmazonSQS.SendMessage", "Content-Type": "application/x-amz-json-1.0"}
        call("sqs", "POST", "/", json.dumps(message), target)
