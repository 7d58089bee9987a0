"""Writes every summary that the queue brings back to the bucket, beside the uploaded files."""

import json

import boto3

s3 = boto3.client("s3")


def handle(event, context):
    for message in event["Records"]:
        summary = json.loads(message["body"])
        key = summary["key"].replace("uploads/", "results/", 1) + ".json"
        s3.put_object(
            Bucket=summary["bucket"],
            Key=key,
            Body=json.dumps(summary, indent=2).encode(),
            ContentType="application/json",
        )
        print(f"wrote {key}")
