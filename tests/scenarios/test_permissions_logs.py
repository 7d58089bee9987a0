"""Functions' logs need the permission of their roles."""

import json
import os
import subprocess

import pytest

from lampejo_server import PYTHON, binary, eventually, package

SOURCE = "def handler(event, context):\n    print('line', event)\n    return event\n"


def document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


@pytest.fixture(scope="module")
def strict(start, sandbox):
    with start(isolation=sandbox, auth="enforce") as server:
        lines = [line.strip() for line in server.rest_of_greeting(7)]
        found = dict(line.split("=", 1) for line in lines if line.startswith("AWS_"))
        root = (found["AWS_ACCESS_KEY_ID"], found["AWS_SECRET_ACCESS_KEY"])
        server.root = lambda service: server.client(service, *root)
        server.environment = {
            **os.environ,
            "AWS_ENDPOINT_URL": server.endpoint,
            "AWS_ACCESS_KEY_ID": root[0],
            "AWS_SECRET_ACCESS_KEY": root[1],
        }
        yield server


def denied(strict, role):
    """The actions that this role was refused, the newest one first."""
    flags = ["--last", "100", "--denied", "--role", f"role/{role}", "--json"]
    done = subprocess.run(
        [binary(), "iam", "explain", *flags],
        capture_output=True, text=True, timeout=60, env=strict.environment, check=True,
    )
    return [json.loads(line)["action"] for line in done.stdout.splitlines()]


@pytest.fixture
def function(strict, name):
    """A function whose role may nothing."""
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": "lambda.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    role = strict.root("iam").create_role(RoleName=name, AssumeRolePolicyDocument=document(trust))
    functions = strict.root("lambda")
    functions.create_function(
        FunctionName=name, Runtime=PYTHON, Handler="f.handler", Role=role["Role"]["Arn"],
        Code={"ZipFile": package({"f.py": SOURCE})},
    )
    functions.get_waiter("function_active_v2").wait(
        FunctionName=name, WaiterConfig={"Delay": 0.02, "MaxAttempts": 500}
    )

    def invoke(event):
        answer = functions.invoke(
            FunctionName=name, Payload=json.dumps(event), LogType="Tail"
        )
        assert json.load(answer["Payload"]) == event
        return answer

    return invoke


def lines(strict, name):
    logs = strict.root("logs")
    try:
        found = logs.filter_log_events(logGroupName=f"/aws/lambda/{name}", filterPattern="line")
    except logs.exceptions.ResourceNotFoundException:
        return None
    return [event["message"].strip() for event in found["events"]]


def test_a_role_without_permission_writes_no_log(strict, function, name):
    iam = strict.root("iam")
    basic = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
    function(1)
    eventually(lambda: denied(strict, name) == ["logs:CreateLogGroup"], "the log was asked about")
    assert lines(strict, name) is None
    # The same instance: what was decided holds until policies change.
    iam.attach_role_policy(RoleName=name, PolicyArn=basic)
    function(2)
    eventually(lambda: "line 2" in (lines(strict, name) or []), "the second line is kept")
    iam.detach_role_policy(RoleName=name, PolicyArn=basic)
    function(3)
    eventually(lambda: "logs:PutLogEvents" in denied(strict, name), "it was asked about again")
    # A role that may write into what is there needs not be allowed to make it.
    iam.put_role_policy(
        RoleName=name,
        PolicyName="p",
        PolicyDocument=document({"Effect": "Allow", "Action": "logs:PutLogEvents", "Resource": "*"}),
    )
    function(4)
    eventually(lambda: "line 4" in lines(strict, name), "the fourth line is kept")
    assert "line 1" not in lines(strict, name)


def test_a_group_that_is_missing_must_be_allowed_to_be_made(strict, function, name):
    iam, logs = strict.root("iam"), strict.root("logs")
    writing = ["logs:CreateLogStream", "logs:PutLogEvents"]
    iam.put_role_policy(
        RoleName=name,
        PolicyName="p",
        PolicyDocument=document({"Effect": "Allow", "Action": writing, "Resource": "*"}),
    )
    function(1)
    eventually(lambda: denied(strict, name) == ["logs:CreateLogGroup"], "the log was asked about")
    logs.create_log_group(logGroupName=f"/aws/lambda/{name}")
    function(2)
    eventually(lambda: "line 2" in lines(strict, name), "the second line is kept")
