"""Functions as boto3 sees them: their life, versions, aliases, permissions, tags and limits."""

import json

import pytest
from botocore.exceptions import ClientError

from lampejo_server import ACCOUNT, PYTHON, REGION, ROLE, package

FAST = {"Delay": 0.02, "MaxAttempts": 500}


def returning(value):
    return f"def handler(event, context):\n    return {value!r}\n"


def arn(name):
    return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"


@pytest.fixture
def client(server):
    return server.client("lambda")


@pytest.fixture
def function(server, name):
    """A function that returns "one"."""
    server.function(name, returning("one"))
    return name


def create(client, name, **settings):
    code = {"ZipFile": package({"index.py": returning("one")})}
    settings = {"Runtime": PYTHON, "Handler": "index.handler", "Role": ROLE, **settings}
    return client.create_function(FunctionName=name, Code=code, **settings)


def test_a_function_is_pending_and_then_active(client, name, refused):
    created = create(client, name)
    assert (created["State"], created["StateReasonCode"]) == ("Pending", "Creating")
    assert created["StateReason"] == "The function is being created."
    assert created["FunctionArn"] == arn(name)
    assert (created["Timeout"], created["MemorySize"], created["Version"]) == (3, 128, "$LATEST")
    assert created["EphemeralStorage"] == {"Size": 512}
    assert created["TracingConfig"] == {"Mode": "PassThrough"}
    for waiter in ("function_exists", "function_active", "function_active_v2"):
        client.get_waiter(waiter).wait(FunctionName=name, WaiterConfig=FAST)
    found = client.get_function(FunctionName=name)["Configuration"]
    assert (found["State"], found["LastUpdateStatus"]) == ("Active", "Successful")
    assert found["CodeSha256"] == created["CodeSha256"]
    with refused("ResourceConflictException", f"Function already exist: {name}", 409):
        create(client, name)


def test_code_and_configuration_are_updated(server, client, function):
    assert server.invoke(function) == ("one", None)
    code = package({"index.py": "import os\ndef handler(e, c):\n    return os.environ['WHAT']\n"})
    updated = client.update_function_code(FunctionName=function, ZipFile=code)
    assert updated["LastUpdateStatus"] == "InProgress"
    client.get_waiter("function_updated_v2").wait(FunctionName=function, WaiterConfig=FAST)
    updated = client.update_function_configuration(
        FunctionName=function, Environment={"Variables": {"WHAT": "two"}}, Timeout=7, MemorySize=256
    )
    assert (updated["Timeout"], updated["MemorySize"]) == (7, 256)
    client.get_waiter("function_updated_v2").wait(FunctionName=function, WaiterConfig=FAST)
    assert server.invoke(function) == ("two", None)


def test_a_stale_revision_is_refused(client, function, refused):
    text = (
        "The Revision Id provided does not match the latest Revision Id. "
        "Call the GetFunction/GetAlias API to retrieve the latest Revision Id"
    )
    with refused("PreconditionFailedException", text, 412):
        client.update_function_configuration(
            FunctionName=function, Timeout=4, RevisionId="00000000-0000-0000-0000-000000000000"
        )
    revision = client.get_function_configuration(FunctionName=function)["RevisionId"]
    client.update_function_configuration(FunctionName=function, Timeout=4, RevisionId=revision)


def test_versions_stay_and_aliases_move(server, client, function, refused):
    assert client.publish_version(FunctionName=function)["Version"] == "1"
    # Nothing has changed: no new version.
    assert client.publish_version(FunctionName=function)["Version"] == "1"
    code = package({"index.py": returning("two")})
    published = client.update_function_code(FunctionName=function, ZipFile=code, Publish=True)
    assert published["Version"] == "2"
    client.get_waiter("function_updated_v2").wait(FunctionName=function, WaiterConfig=FAST)
    alias = client.create_alias(FunctionName=function, Name="live", FunctionVersion="1")
    assert alias["AliasArn"] == f"{arn(function)}:live"
    answer = client.invoke(FunctionName=function, Qualifier="live")
    assert (json.load(answer["Payload"]), answer["ExecutedVersion"]) == ("one", "1")
    client.update_alias(FunctionName=function, Name="live", FunctionVersion="2")
    answer = client.invoke(FunctionName=f"{function}:live")
    assert (json.load(answer["Payload"]), answer["ExecutedVersion"]) == ("two", "2")
    versions = client.list_versions_by_function(FunctionName=function)["Versions"]
    assert [it["Version"] for it in versions] == ["$LATEST", "1", "2"]
    with refused("ResourceConflictException", status=409):
        client.delete_function(FunctionName=function, Qualifier="2")
    client.delete_alias(FunctionName=function, Name="live")
    with refused("ResourceNotFoundException", f"Cannot find alias arn: {arn(function)}:live", 404):
        client.get_alias(FunctionName=function, Name="live")
    client.delete_function(FunctionName=function, Qualifier="2")
    with refused("ResourceNotFoundException", f"Function not found: {arn(function)}:2", 404):
        client.get_function(FunctionName=function, Qualifier="2")
    text = "$LATEST version cannot be deleted without deleting the function."
    with refused("InvalidParameterValueException", text, 400):
        client.delete_function(FunctionName=function, Qualifier="$LATEST")


def test_a_deleted_function_is_gone(client, function, refused):
    client.delete_function(FunctionName=function)
    for look in (
        client.get_function,
        client.get_function_configuration,
        client.invoke,
        client.delete_function,
        client.publish_version,
    ):
        with refused("ResourceNotFoundException", f"Function not found: {arn(function)}", 404):
            look(FunctionName=function)
    create(client, function)


def test_a_function_is_named_in_many_ways(client, function, refused):
    for named in (function, arn(function), f"{ACCOUNT}:function:{function}", f"{function}:$LATEST"):
        assert client.get_function(FunctionName=named)["Configuration"]["FunctionName"] == function
    text = "The derived qualifier from the function name does not match the specified qualifier."
    with refused("InvalidParameterValueException", text, 400):
        client.get_function(FunctionName=f"{function}:1", Qualifier="2")
    text = f"Functions from 'eu-west-1' are not reachable in this region ('{REGION}')"
    with refused("ResourceNotFoundException", text, 404):
        client.get_function(FunctionName=arn(function).replace(REGION, "eu-west-1"))
    # Another account's, which has none.
    with refused("ResourceNotFoundException", status=404):
        client.get_function(FunctionName=arn(function).replace(ACCOUNT, "123456789012"))
    # Only its owner may do this, whoever decides.
    with refused("AccessDeniedException", status=403):
        client.update_function_configuration(
            FunctionName=arn(function).replace(ACCOUNT, "123456789012"), Timeout=5
        )
    with refused("ValidationException", status=400) as refusal:
        client.get_function(FunctionName="a b")
    start = "1 validation error detected: Value 'a b' at 'functionName' failed to satisfy"
    assert refusal.message.startswith(start)


def test_functions_are_listed_by_pages(server, name):
    client = server.client("lambda", key="333333333333")
    names = sorted(f"{name}-{n}" for n in range(5))
    for each in names:
        create(client, each)
    pages = client.get_paginator("list_functions").paginate(PaginationConfig={"PageSize": 2})
    pages = [[it["FunctionName"] for it in page["Functions"]] for page in pages]
    assert sorted(sum(pages, [])) == names
    assert [len(page) for page in pages] == [2, 2, 1]


def test_permissions_make_a_policy(client, function, refused):
    add = {"StatementId": "s1", "Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com"}
    given = client.add_permission(
        FunctionName=function, SourceArn="arn:aws:s3:::b", SourceAccount=ACCOUNT, **add
    )
    statement = {
        "Sid": "s1",
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "lambda:InvokeFunction",
        "Resource": arn(function),
        "Condition": {
            "StringEquals": {"AWS:SourceAccount": ACCOUNT},
            "ArnLike": {"AWS:SourceArn": "arn:aws:s3:::b"},
        },
    }
    assert json.loads(given["Statement"]) == statement
    policy = json.loads(client.get_policy(FunctionName=function)["Policy"])
    assert policy == {"Version": "2012-10-17", "Id": "default", "Statement": [statement]}
    text = (
        "The statement id (s1) provided already exists. Please provide a new statement id, "
        "or remove the existing statement."
    )
    with refused("ResourceConflictException", text, 409):
        client.add_permission(FunctionName=function, **add)
    with refused("ResourceNotFoundException", "Statement s2 is not found in resource policy.", 404):
        client.remove_permission(FunctionName=function, StatementId="s2")
    client.remove_permission(FunctionName=function, StatementId="s1")
    with refused("ResourceNotFoundException", "The resource you requested does not exist.", 404):
        client.get_policy(FunctionName=function)
    text = "No policy is associated with the given resource."
    with refused("ResourceNotFoundException", text, 404):
        client.remove_permission(FunctionName=function, StatementId="s1")


def test_a_function_has_tags(client, function):
    client.tag_resource(Resource=arn(function), Tags={"a": "1", "b": "2"})
    client.untag_resource(Resource=arn(function), TagKeys=["a"])
    assert client.list_tags(Resource=arn(function))["Tags"] == {"b": "2"}
    assert client.get_function(FunctionName=function)["Tags"] == {"b": "2"}


def test_reserved_concurrency_of_zero_throttles(client, function, refused):
    client.put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=0)
    with refused("TooManyRequestsException", "Rate Exceeded.", 429) as refusal:
        client.invoke(FunctionName=function)
    assert refusal.response["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
    client.delete_function_concurrency(FunctionName=function)
    assert client.invoke(FunctionName=function)["StatusCode"] == 200
    text = (
        "Specified ReservedConcurrentExecutions for function decreases account's "
        "UnreservedConcurrentExecution below its minimum value of [100]."
    )
    with refused("InvalidParameterValueException", text, 400):
        client.put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=901)


def test_the_account_has_limits_and_usage(server, name):
    client = server.client("lambda", key="444444444444")
    size = create(client, name)["CodeSize"]
    settings = client.get_account_settings()
    assert settings["AccountLimit"] == {
        "TotalCodeSize": 80530636800,
        "CodeSizeUnzipped": 262144000,
        "CodeSizeZipped": 52428800,
        "ConcurrentExecutions": 1000,
        "UnreservedConcurrentExecutions": 1000,
    }
    assert settings["AccountUsage"] == {"TotalCodeSize": size, "FunctionCount": 1}


@pytest.mark.parametrize(
    ("settings", "code", "text"),
    [
        ({"Timeout": 901}, "ValidationException", "Value '901' at 'timeout' failed to satisfy"),
        ({"MemorySize": 64}, "ValidationException", "Value '64' at 'memorySize' failed to satisfy"),
        ({"Role": "me"}, "ValidationException", "Value 'me' at 'role' failed to satisfy"),
        ({"Role": "me", "Timeout": 0}, "ValidationException", "2 validation errors detected: "),
        ({"Runtime": "cobol"}, "InvalidParameterValueException", "Value cobol at 'runtime' failed"),
        (
            {"Runtime": "python3.7"},
            "InvalidParameterValueException",
            "The runtime parameter of python3.7 is no longer supported",
        ),
        (
            {"Environment": {"Variables": {"AWS_REGION": "x"}}},
            "InvalidParameterValueException",
            "Reserved keys used in this request: AWS_REGION",
        ),
        (
            {"Environment": {"Variables": {"BIG": "x" * 4096}}},
            "InvalidParameterValueException",
            "exceeded the 4KB limit",
        ),
    ],
)
def test_settings_out_of_bounds_are_refused(server, name, settings, code, text):
    client = server.client("lambda", parameter_validation=False)
    with pytest.raises(ClientError) as refusal:
        create(client, name, **settings)
    error = refusal.value.response["Error"]
    assert (error["Code"], text in error["Message"]) == (code, True), error


def test_what_is_not_built_says_so_by_name(client, function, refused):
    with refused("NotImplemented", "lampejo does not support file systems yet.", 501):
        point = f"arn:aws:elasticfilesystem:{REGION}:{ACCOUNT}:access-point/fsap-0123456789abcdef0"
        client.update_function_configuration(
            FunctionName=function,
            FileSystemConfigs=[{"Arn": point, "LocalMountPath": "/mnt/files"}],
        )
