"""Sets the chain up with boto3, sends one file through it and prints what happened.

Everything it makes it leaves, and takes over what an earlier run has made.
"""

import argparse
import datetime
import io
import json
import pathlib
import sys
import time
import zipfile

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

FOLDER = pathlib.Path(__file__).parent
REGION = "us-east-1"
BUCKET = "demo-bucket"
QUEUE = "demo-summaries"
FUNCTIONS = ("demo-summarize", "demo-record")
RUNTIME = f"python{sys.version_info.major}.{sys.version_info.minor}"
PATIENCE_SECONDS = 30
TEXT = "A file goes up.\nA function reads it.\nA queue carries what it found.\n"


class Chain:
    """The clients of one account and region, and the steps."""

    def __init__(self, endpoint):
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        session = boto3.Session(region_name=REGION, **keys)
        config = Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1})
        names = ("s3", "sqs", "lambda", "iam", "logs", "sts")
        self.client = {n: session.client(n, endpoint_url=endpoint, config=config) for n in names}

    def set_up(self):
        account = self.client["sts"].get_caller_identity()["Account"]
        say(f"account {account}, {REGION}, functions run on {RUNTIME}")
        self.client["s3"].create_bucket(Bucket=BUCKET)
        say(f"bucket   s3://{BUCKET}")
        url = self.client["sqs"].create_queue(QueueName=QUEUE)["QueueUrl"]
        say(f"queue    {url}")
        role = self.role(account)
        summarize = self.function("demo-summarize", "summarize", role, {"QUEUE_URL": url})
        record = self.function("demo-record", "record", role, {})
        self.notify(summarize, account)
        self.map(f"arn:aws:sqs:{REGION}:{account}:{QUEUE}", record)

    def role(self, account):
        service = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}}
        trust = {"Version": "2012-10-17", "Statement": [{**service, "Action": "sts:AssumeRole"}]}
        make = self.client["iam"].create_role
        once("EntityAlreadyExists", make, RoleName="demo", AssumeRolePolicyDocument=json.dumps(trust))
        return f"arn:aws:iam::{account}:role/demo"

    def function(self, name, folder, role, environment):
        client, code = self.client["lambda"], package(FOLDER / folder)
        settings = {"Runtime": RUNTIME, "Handler": "handler.handle", "Role": role, "MemorySize": 512}
        settings["Environment"] = {"Variables": environment}
        made = once(
            "ResourceConflictException",
            client.create_function,
            FunctionName=name,
            Code={"ZipFile": code},
            **settings,
        )
        if made is None:
            client.update_function_code(FunctionName=name, ZipFile=code)
            client.get_waiter("function_updated_v2").wait(FunctionName=name)
            client.update_function_configuration(FunctionName=name, **settings)
            client.get_waiter("function_updated_v2").wait(FunctionName=name)
        client.get_waiter("function_active_v2").wait(FunctionName=name)
        say(f"function {name}, {len(code)} bytes of examples/chain/{folder}")
        return client.get_function_configuration(FunctionName=name)["FunctionArn"]

    def notify(self, arn, account):
        once(
            "ResourceConflictException",
            self.client["lambda"].add_permission,
            FunctionName=arn,
            StatementId="bucket",
            Action="lambda:InvokeFunction",
            Principal="s3.amazonaws.com",
            SourceArn=f"arn:aws:s3:::{BUCKET}",
            SourceAccount=account,
        )
        uploads = {"Key": {"FilterRules": [{"Name": "prefix", "Value": "uploads/"}]}}
        rule = {"LambdaFunctionArn": arn, "Events": ["s3:ObjectCreated:*"], "Filter": uploads}
        self.client["s3"].put_bucket_notification_configuration(
            Bucket=BUCKET, NotificationConfiguration={"LambdaFunctionConfigurations": [rule]}
        )
        say("notification: objects under uploads/ run demo-summarize")

    def map(self, queue, function):
        once(
            "ResourceConflictException",
            self.client["lambda"].create_event_source_mapping,
            EventSourceArn=queue,
            FunctionName=function,
            BatchSize=10,
        )
        say(f"event source mapping: messages of {QUEUE} run demo-record")

    def send(self):
        """Uploads a file and waits for what the chain makes of it: (key, result, milliseconds)."""
        name = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%S%f")
        s3, key, result = self.client["s3"], f"uploads/{name}.txt", f"results/{name}.txt.json"
        began = time.perf_counter()
        s3.put_object(Bucket=BUCKET, Key=key, Body=TEXT.encode())
        body = wait_for(lambda: self.read(result), f"s3://{BUCKET}/{result}")
        return key, body, (time.perf_counter() - began) * 1000

    def read(self, key):
        try:
            return self.client["s3"].get_object(Bucket=BUCKET, Key=key)["Body"].read().decode()
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchKey":
                raise
            return None

    def log(self, function, since, runs):
        """The function's lines since a moment, once the reports of all runs are among them."""

        def lines():
            try:
                pages = self.client["logs"].get_paginator("filter_log_events").paginate(
                    logGroupName=f"/aws/lambda/{function}", startTime=since
                )
                found = [event["message"] for page in pages for event in page["events"]]
            except self.client["logs"].exceptions.ResourceNotFoundException:
                return None
            reports = sum(line.startswith("REPORT") for line in found)
            return found if reports >= runs else None

        return wait_for(lines, f"the log of {function}")


def once(code, call, **arguments):
    """Calls, and answers None if what it would make is there."""
    try:
        return call(**arguments)
    except ClientError as error:
        if error.response["Error"]["Code"] != code:
            raise
        return None


def wait_for(look, what):
    """Looks until there is something, for a bounded time."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        found = look()
        if found is not None:
            return found
        time.sleep(0.002)
    sys.exit(f"{what} did not come within {PATIENCE_SECONDS} s")


def package(folder):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.glob("*.py")):
            # A fixed date: the same code is the same package.
            entry = zipfile.ZipInfo(path.name, (2026, 1, 1, 0, 0, 0))
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, path.read_bytes())
    return buffer.getvalue()


def say(text):
    print(f"  {text}", flush=True)


def advise(endpoint, aws):
    print("\nWhat to type next, in another terminal:\n")
    print("  export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_DEFAULT_REGION=us-east-1")
    print(f'  export PATH="$PATH:{aws.parent}"')
    for command in (
        f"s3 cp README.md s3://{BUCKET}/uploads/readme.txt",
        f"s3 cp s3://{BUCKET}/results/readme.txt.json -",
        f"s3 ls s3://{BUCKET} --recursive",
        "logs filter-log-events --log-group-name /aws/lambda/demo-summarize"
        " --query 'events[].message' --output text",
        "lambda list-functions --query 'Functions[].FunctionName'",
    ):
        print(f"  aws --endpoint-url {endpoint} {command}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--endpoint", required=True)
    parser.add_argument("--aws", type=pathlib.Path, default="aws", help="the AWS CLI to advise")
    arguments = parser.parse_args()
    chain = Chain(arguments.endpoint)

    print("Setting up, with boto3:")
    chain.set_up()
    print("\nSending a file through:")
    since = int(time.time() * 1000)
    runs = ("first, both functions start cold", "second, both are warm")
    for run in runs:
        key, result, millis = chain.send()
        say(f"{key} went up; its result came back after {millis:.0f} ms ({run})")
    print("\nThe result:")
    print("  " + result.replace("\n", "\n  "))
    for function in FUNCTIONS:
        print(f"\nThe log of {function}:")
        for line in chain.log(function, since, len(runs)):
            say(line.rstrip())
    advise(arguments.endpoint, arguments.aws)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
