"""Second of the chain: writes what the queue brings to S3.

On `http.client` and not boto3, whose own work would be most of what is measured.
"""

import http.client
import json
import os

CREDENTIAL = "AWS4-HMAC-SHA256 Credential=000000000000/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"
connection = http.client.HTTPConnection(os.environ["AWS_ENDPOINT_URL"].removeprefix("http://"))


def handler(event, context):
    for message in event["Records"]:
        summary = json.loads(message["body"])
        path = f"/{summary['bucket']}/{summary['key']}"
        connection.request("PUT", path, message["body"], {"Authorization": CREDENTIAL})
        answer = connection.getresponse()
        data = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"s3 answered {answer.status}: {data}")
