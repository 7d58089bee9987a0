"""Reads the uploaded file that the S3 event names and sends a summary of it to a queue."""

import json
import os
from urllib.parse import unquote_plus

import boto3

s3 = boto3.client("s3")
sqs = boto3.client("sqs")


def handle(event, context):
    for record in event["Records"]:
        bucket = record["s3"]["bucket"]["name"]
        key = unquote_plus(record["s3"]["object"]["key"])
        text = s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode()
        summary = {
            "bucket": bucket,
            "key": key,
            "lines": len(text.splitlines()),
            "words": len(text.split()),
            "characters": len(text),
        }
        sqs.send_message(QueueUrl=os.environ["QUEUE_URL"], MessageBody=json.dumps(summary))
        print(f"summarized {key}: {summary['lines']} lines, {summary['words']} words")
