"""What was decided about calls: recorded, explained, and made into policies."""

import json
import os
import pathlib
import subprocess

import pytest
from botocore.exceptions import ClientError

from lampejo_server import ACCOUNT, REGION, binary, eventually

EXAMPLE = pathlib.Path(__file__).parents[2] / "examples" / "chain"
KEY = "uploads/mein brief+ä.txt"
TRUST = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}


def document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def lampejo(server, *words, key=("test", "test")):
    """A command with these credentials: (exit code, output, errors)."""
    environment = {
        **os.environ,
        "AWS_ENDPOINT_URL": server.endpoint,
        "AWS_ACCESS_KEY_ID": key[0],
        "AWS_SECRET_ACCESS_KEY": key[1],
    }
    environment.pop("AWS_SESSION_TOKEN", None)
    done = subprocess.run(
        [binary(), "iam", *words],
        capture_output=True,
        text=True,
        timeout=60,
        env=environment,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def restart_as(server, auth):
    """The same data in another mode; answers with the key of root if one was made."""
    server.stop()
    server.flags[server.flags.index("--auth") + 1] = auth
    server.start()
    if auth != "enforce":
        return None
    lines = [line.strip() for line in server.rest_of_greeting(7)]
    found = dict(line.split("=", 1) for line in lines if line.startswith("AWS_"))
    return found["AWS_ACCESS_KEY_ID"], found["AWS_SECRET_ACCESS_KEY"]


class Chain:
    """Bucket, function, queue, function; each function with a role that may nothing."""

    def __init__(self, server):
        self.server = server
        s3, sqs, iam = (server.client(it) for it in ("s3", "sqs", "iam"))
        s3.create_bucket(Bucket="chain")
        url = sqs.create_queue(QueueName="chain")["QueueUrl"]
        arns = {}
        for name in ("summarize", "record"):
            iam.create_role(RoleName=name, AssumeRolePolicyDocument=document(TRUST))
            arns[name] = server.function(
                name,
                (EXAMPLE / name / "handler.py").read_text(),
                Handler="index.handle",
                MemorySize=512,
                Timeout=30,
                Role=f"arn:aws:iam::{ACCOUNT}:role/{name}",
                Environment={"Variables": {"QUEUE_URL": url}},
            )
        client = server.client("lambda")
        client.add_permission(
            FunctionName="summarize",
            StatementId="bucket",
            Action="lambda:InvokeFunction",
            Principal="s3.amazonaws.com",
            SourceArn="arn:aws:s3:::chain",
        )
        rule = {
            "LambdaFunctionArn": arns["summarize"],
            "Events": ["s3:ObjectCreated:*"],
            "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": "uploads/"}]}},
        }
        s3.put_bucket_notification_configuration(
            Bucket="chain", NotificationConfiguration={"LambdaFunctionConfigurations": [rule]}
        )
        client.create_event_source_mapping(
            EventSourceArn=f"arn:aws:sqs:{REGION}:{ACCOUNT}:chain", FunctionName="record"
        )

    def run(self, *key):
        """Uploads a file and waits for what comes of it."""
        s3 = self.server.client("s3", *key)
        s3.put_object(Bucket="chain", Key=KEY, Body=b"one two\nthree\n")
        result = KEY.replace("uploads/", "results/") + ".json"

        def found():
            listed = s3.list_objects_v2(Bucket="chain", Prefix="results/").get("Contents", [])
            return [it["Key"] for it in listed] == [result]

        eventually(found, "the result of the chain")
        s3.delete_object(Bucket="chain", Key=result)


def with_log(server, name):
    """What is suggested for a function's role, once that has written its log."""
    code, policy, said = lampejo(server, "suggest", name)
    assert (code, said) == (0, "")
    return policy if "logs:PutLogEvents" in policy else None


def test_what_is_suggested_in_audit_mode_suffices_in_enforce_mode(start, sandbox, sdk_cache):
    with start(isolation=sandbox, auth="audit") as server:
        server.install_sdk(sdk_cache)
        chain = Chain(server)
        chain.run()
        policies = {}
        for name in ("summarize", "record"):
            # Lines of the log come behind what they are about.
            policies[name] = eventually(lambda: with_log(server, name), f"{name} has logged")
        queue = f"arn:aws:sqs:{REGION}:{ACCOUNT}:chain"
        assert json.loads(policies["summarize"])["Statement"] == [
            {
                "Effect": "Allow",
                "Action": ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"],
                "Resource": [f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/lambda/summarize:*"],
            },
            {
                "Effect": "Allow",
                "Action": ["s3:GetObject"],
                "Resource": [f"arn:aws:s3:::chain/{KEY}"],
            },
            {"Effect": "Allow", "Action": ["sqs:SendMessage"], "Resource": [queue]},
        ]
        # What would have been denied went on, and says so.
        code, said, _ = lampejo(server, "explain", "--denied", "--role", "summarize")
        assert code == 0
        assert f"A policy of role/summarize in account {ACCOUNT} must allow sqs:SendMessage" in said
        assert "The call went on: the server was in audit mode." in said

        root = restart_as(server, "enforce")
        code, lines, _ = lampejo(
            server, "explain", "--last", "100", "--role", "record", "--json", key=root
        )
        records = [json.loads(line) for line in lines.splitlines()]
        assert ("audit", "s3:PutObject", False) in {
            (it["mode"], it["action"], it["allowed"]) for it in records
        }
        for name, policy in policies.items():
            server.client("iam", *root).put_role_policy(
                RoleName=name, PolicyName="suggested", PolicyDocument=policy
            )
        chain.run(*root)
        code, said, _ = lampejo(
            server, "explain", "--last", "100", "--role", "role/summarize", key=root
        )
        assert (
            'Statement 3 of the identity-based policy, inline policy "suggested" of role '
            "summarize, allows it."
        ) in said
        assert lampejo(server, "suggest", "summarize", key=root)[1:] == (policies["summarize"], "")


@pytest.fixture(scope="module")
def strict(start, sandbox):
    """A server that enforces."""
    with start(isolation=sandbox, auth="enforce") as server:
        lines = [line.strip() for line in server.rest_of_greeting(7)]
        found = dict(line.split("=", 1) for line in lines if line.startswith("AWS_"))
        server.root = (found["AWS_ACCESS_KEY_ID"], found["AWS_SECRET_ACCESS_KEY"])
        yield server


def user(server, name, *statements):
    """A user with these permissions; answers with its key."""
    iam = server.client("iam", *server.root)
    iam.create_user(UserName=name)
    if statements:
        iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=document(*statements))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return key["AccessKeyId"], key["SecretAccessKey"]


def test_a_denied_call_names_the_permission_that_is_missing(strict, name):
    queue = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"
    url = strict.client("sqs", *strict.root).create_queue(QueueName=name)["QueueUrl"]
    allow = {"Sid": "Look", "Effect": "Allow", "Action": "sqs:GetQueueAttributes", "Resource": "*"}
    key = user(strict, name, allow)
    sqs = strict.client("sqs", *key)
    with pytest.raises(ClientError) as caught:
        sqs.send_message(QueueUrl=url, MessageBody="x")
    refused = caught.value.response["ResponseMetadata"]["RequestId"]
    allowed = sqs.get_queue_attributes(QueueUrl=url)["ResponseMetadata"]["RequestId"]

    code, said, _ = lampejo(strict, "explain", refused, key=strict.root)
    assert code == 0
    head, *sentences = said.splitlines()
    assert f" DENIED  sqs:SendMessage {refused} arn:aws:iam::{ACCOUNT}:user/{name}" in head
    assert sentences[:2] == [
        f"  sqs:SendMessage on {queue} is not allowed: no identity-based policy allows it.",
        f"  A policy of user/{name} in account {ACCOUNT} must allow sqs:SendMessage on {queue}.",
    ]
    code, said, _ = lampejo(strict, "explain", allowed, key=strict.root)
    assert (
        f'Statement 1 (Sid Look) of the identity-based policy, inline policy "own" of user {name}, '
        "allows it."
    ) in said
    code, _, said = lampejo(strict, "explain", "unknown", key=strict.root)
    assert code == 1 and "no decision about a request unknown is recorded" in said


def test_what_was_not_used_is_told_and_what_was_refused_is_not_suggested(strict, name):
    url = strict.client("sqs", *strict.root).create_queue(QueueName=name)["QueueUrl"]
    key = user(
        strict,
        name,
        {"Effect": "Allow", "Action": ["sqs:*", "s3:GetObject"], "Resource": "*"},
        {"Sid": "Functions", "Effect": "Allow", "Action": "lambda:*", "Resource": "*"},
    )
    strict.client("sqs", *key).send_message(QueueUrl=url, MessageBody="x")
    with pytest.raises(ClientError):
        strict.client("iam", *key).list_users()
    code, policy, said = lampejo(strict, "suggest", f"user/{name}", "--since", "1h", key=strict.root)
    assert code == 0
    assert [it["Action"] for it in json.loads(policy)["Statement"]] == [["sqs:SendMessage"]]
    own = f'inline policy "own" of user {name}'
    assert said.splitlines() == [
        f"{own}, statement 1:",
        "  s3:GetObject was not used",
        "  sqs:* was used for sqs:SendMessage only",
        f"{own}, statement 2 (Sid Functions):",
        "  nothing of it was used",
    ]


def test_records_are_for_root_and_for_who_may_read_all_of_iam(strict, name):
    nobody = user(strict, name)
    code, _, said = lampejo(strict, "explain", key=nobody)
    assert code == 1
    assert "is not authorized to perform: iam:GetAccountAuthorizationDetails" in said
    reading = {"Effect": "Allow", "Action": "iam:Get*", "Resource": "*"}
    reader = user(strict, f"{name}-reader", reading)
    assert lampejo(strict, "explain", key=reader)[0] == 0
    code, _, said = lampejo(strict, "explain", key=("AKIAUNKNOWN", "x"))
    assert code == 1 and "Sign the request." in said


def test_open_mode_records_nothing(server):
    code, _, said = lampejo(server, "explain")
    assert code == 1
    assert "start with --auth audit" in said
