"""Tags in conditions: of resources, of requests, of objects; and other keys that services know."""

import json

import pytest

from lampejo_server import ACCOUNT, PYTHON, REGION, ROLE, package


def document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action, resource="*", **more):
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def equals(**keys):
    return {"StringEquals": {key.replace("__", ":").replace("_of_", "/"): it for key, it in keys.items()}}


@pytest.fixture(scope="module")
def strict(start, sandbox):
    """A server that enforces, with clients of its root."""
    with start(isolation=sandbox, auth="enforce") as server:
        lines = [line.strip() for line in server.rest_of_greeting(7)]
        found = dict(line.split("=", 1) for line in lines if line.startswith("AWS_"))
        server.root = (found["AWS_ACCESS_KEY_ID"], found["AWS_SECRET_ACCESS_KEY"])
        yield server


@pytest.fixture
def user(strict, name):
    """Makes a user with these statements; answers with clients of it."""
    iam = strict.client("iam", *strict.root)

    def create(*statements, tags=()):
        iam.create_user(UserName=name, Tags=[{"Key": k, "Value": v} for k, v in tags])
        iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=document(*statements))
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return lambda service: strict.client(service, key["AccessKeyId"], key["SecretAccessKey"])

    return create


OWN_TEAM = {"StringEquals": {"aws:ResourceTag/team": "${aws:PrincipalTag/team}"}}


def test_a_user_reaches_what_has_its_team(strict, user, name, refused):
    client = user(allow(["sqs:*", "lambda:*", "logs:*"], Condition=OWN_TEAM), tags=[("team", "red")])
    sqs, functions, logs, iam = (
        strict.client(it, *strict.root) for it in ("sqs", "lambda", "logs", "iam")
    )
    code = package({"f.py": "def handler(event, context):\n    return event\n"})
    iam.create_role(
        RoleName=name,
        AssumeRolePolicyDocument=document(
            {
                "Effect": "Allow",
                "Principal": {"Service": "lambda.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ),
    )
    urls = {}
    for team in ("red", "blue"):
        urls[team] = sqs.create_queue(QueueName=f"{name}-{team}", tags={"team": team})["QueueUrl"]
        functions.create_function(
            FunctionName=f"{name}-{team}", Runtime=PYTHON, Handler="f.handler",
            Role=f"arn:aws:iam::{ACCOUNT}:role/{name}", Code={"ZipFile": code}, Tags={"team": team},
        )
        logs.create_log_group(logGroupName=f"{name}-{team}", tags={"team": team})
    calls = {
        "AccessDenied": lambda team: client("sqs").send_message(QueueUrl=urls[team], MessageBody="x"),
        "AccessDeniedException": lambda team: client("lambda").get_function(
            FunctionName=f"{name}-{team}"
        ),
    }
    for code, call in calls.items():
        call("red")
        with refused(code):
            call("blue")
    client("logs").describe_log_streams(logGroupName=f"{name}-red")
    with refused("AccessDeniedException"):
        client("logs").describe_log_streams(logGroupName=f"{name}-blue")
    # Tags are those that the resource has at the moment.
    sqs.tag_queue(QueueUrl=urls["blue"], Tags={"team": "red"})
    client("sqs").send_message(QueueUrl=urls["blue"], MessageBody="x")


def test_tags_may_be_prescribed(strict, user, name, refused):
    only = {
        "StringEquals": {"aws:RequestTag/team": "red"},
        "ForAllValues:StringEquals": {"aws:TagKeys": ["team", "cost"]},
    }
    client = user(
        allow(["sqs:CreateQueue", "sqs:TagQueue", "iam:CreateRole", "iam:TagRole"], Condition=only)
    )
    client("sqs").create_queue(QueueName=name, tags={"team": "red", "cost": "1"})
    for tags in ({}, {"team": "blue"}, {"team": "red", "other": "x"}):
        with refused("AccessDenied"):
            client("sqs").create_queue(QueueName=f"{name}-2", tags=tags)
    trust = document({"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"})
    tag = {"Key": "team", "Value": "red"}
    client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=trust, Tags=[tag])
    with refused("AccessDenied"):
        client("iam").create_role(RoleName=f"{name}-2", AssumeRolePolicyDocument=trust)


def test_to_make_something_with_tags_one_must_be_allowed_to_tag_it(strict, user, name, refused):
    client = user(allow("sqs:CreateQueue"))
    with refused("AccessDenied") as refusal:
        client("sqs").create_queue(QueueName=name, tags={"a": "b"})
    assert "sqs:TagQueue" in refusal.message
    client("sqs").create_queue(QueueName=name)


def test_roles_are_told_apart_by_tag_and_boundary(strict, user, name, refused):
    iam = strict.client("iam", *strict.root)
    trust = document({"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"})
    boundary = iam.create_policy(PolicyName=name, PolicyDocument=document(allow("s3:*")))
    boundary = boundary["Policy"]["Arn"]
    iam.create_role(
        RoleName=f"{name}-tagged", AssumeRolePolicyDocument=trust,
        Tags=[{"Key": "team", "Value": "red"}],
    )
    iam.create_role(
        RoleName=f"{name}-bound", AssumeRolePolicyDocument=trust, PermissionsBoundary=boundary
    )
    client = user(
        allow("sts:AssumeRole", Condition={"StringEquals": {"iam:ResourceTag/team": "red"}}),
        allow("iam:PutRolePolicy", Condition={"StringEquals": {"iam:PermissionsBoundary": boundary}}),
    )
    def assume(role):
        arn = f"arn:aws:iam::{ACCOUNT}:role/{name}-{role}"
        client("sts").assume_role(RoleArn=arn, RoleSessionName="session")

    def grant(role):
        policy = {"PolicyName": "p", "PolicyDocument": document(allow("s3:*"))}
        client("iam").put_role_policy(RoleName=f"{name}-{role}", **policy)

    assume("tagged")
    grant("bound")
    with refused("AccessDenied"):
        assume("bound")
    with refused("AccessDenied"):
        grant("tagged")


def test_identities_are_asked_about_with_their_paths(strict, user, name, refused):
    iam = strict.client("iam", *strict.root)
    trust = document({"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"})
    for part, path in (("app", "/app/"), ("kept", "/kept/"), ("plain", "/")):
        iam.create_role(RoleName=f"{name}-{part}", Path=path, AssumeRolePolicyDocument=trust)
    roles = f"arn:aws:iam::{ACCOUNT}:role"
    client = user(
        allow(["iam:GetRole", "iam:DeleteRole"], [f"{roles}/app/*", f"{roles}/{name}-plain"]),
    )("iam")
    client.get_role(RoleName=f"{name}-app")
    client.get_role(RoleName=f"{name}-plain")
    with refused("AccessDenied") as refusal:
        client.delete_role(RoleName=f"{name}-kept")
    assert f"on resource: {roles}/kept/{name}-kept because" in refusal.message


def test_objects_are_told_apart_by_their_tags(strict, user, name, refused):
    objects = f"arn:aws:s3:::{name}/*"
    client = user(
        allow("s3:GetObject", objects, Condition={"StringEquals": {"s3:ExistingObjectTag/open": "yes"}}),
        allow(
            ["s3:PutObject", "s3:PutObjectTagging"], objects,
            Condition={"StringEquals": {"s3:RequestObjectTag/open": "yes"}},
        ),
    )
    s3 = strict.client("s3", *strict.root)
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key="closed", Body=b"x", Tagging="open=no")
    s3.put_object(Bucket=name, Key="opened", Body=b"x", Tagging="open=yes")
    mine = client("s3")
    assert mine.get_object(Bucket=name, Key="opened")["Body"].read() == b"x"
    with refused("AccessDenied"):
        mine.get_object(Bucket=name, Key="closed")
    mine.put_object(Bucket=name, Key="own", Body=b"x", Tagging="open=yes")
    with refused("AccessDenied"):
        mine.put_object(Bucket=name, Key="own", Body=b"x", Tagging="open=no")
    mine.put_object_tagging(
        Bucket=name, Key="closed", Tagging={"TagSet": [{"Key": "open", "Value": "yes"}]}
    )
    mine.get_object(Bucket=name, Key="closed")


def test_what_a_write_sets_needs_its_own_permission(strict, user, name, refused):
    s3 = strict.client("s3", *strict.root)
    s3.create_bucket(Bucket=name)
    client = user(allow("s3:PutObject", f"arn:aws:s3:::{name}/*"))
    client("s3").put_object(Bucket=name, Key="k", Body=b"x")
    for more in ({"Tagging": "a=b"}, {"ACL": "bucket-owner-full-control"}):
        with refused("AccessDenied"):
            client("s3").put_object(Bucket=name, Key="k", Body=b"x", **more)


def test_functions_are_configured_within_bounds(strict, user, name, refused):
    condition = {"StringEquals": {"lambda:FunctionUrlAuthType": "AWS_IAM"}}
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"
    mapping = {"ArnEquals": {"lambda:FunctionArn": arn}}
    client = user(
        allow(["lambda:CreateFunctionUrlConfig", "lambda:UpdateFunctionUrlConfig"], Condition=condition),
        allow(
            ["lambda:CreateEventSourceMapping", "lambda:UpdateEventSourceMapping",
             "lambda:GetEventSourceMapping"],
            Condition=mapping,
        ),
    )
    iam, functions, sqs = (strict.client(it, *strict.root) for it in ("iam", "lambda", "sqs"))
    iam.create_role(
        RoleName=name,
        AssumeRolePolicyDocument=document(
            {
                "Effect": "Allow",
                "Principal": {"Service": "lambda.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ),
    )
    iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=document(allow("sqs:*")))
    for function in (name, f"{name}-2"):
        functions.create_function(
            FunctionName=function, Runtime=PYTHON, Handler="f.handler",
            Role=f"arn:aws:iam::{ACCOUNT}:role/{name}",
            Code={"ZipFile": package({"f.py": "def handler(event, context):\n    pass\n"})},
        )
        functions.get_waiter("function_active_v2").wait(
            FunctionName=function, WaiterConfig={"Delay": 0.02, "MaxAttempts": 500}
        )
    mine = client("lambda")
    with refused("AccessDeniedException"):
        mine.create_function_url_config(FunctionName=name, AuthType="NONE")
    mine.create_function_url_config(FunctionName=name, AuthType="AWS_IAM")
    with refused("AccessDeniedException"):
        mine.update_function_url_config(FunctionName=name, AuthType="NONE")
    sqs.create_queue(QueueName=name)
    queue = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"
    with refused("AccessDeniedException"):
        mine.create_event_source_mapping(EventSourceArn=queue, FunctionName=f"{name}-2")
    made = mine.create_event_source_mapping(
        EventSourceArn=queue, FunctionName=name, Enabled=False
    )["UUID"]
    mine.get_event_source_mapping(UUID=made)
    with refused("AccessDeniedException"):
        mine.update_event_source_mapping(UUID=made, FunctionName=f"{name}-2")
