"""What a function is configured with, as boto3 sets it and reads it back: settings, revisions, tenants,
policies, runtime management. Texts are AWS's own where they are known."""

import json

import pytest

from lampejo_server import ACCOUNT, PYTHON, REGION, ROLE, eventually, package

FAST = {"Delay": 0.02, "MaxAttempts": 500}
REVISION_TEXT = (
    "The Revision Id provided does not match the latest Revision Id. "
    "Call the GetFunction/GetAlias API to retrieve the latest Revision Id"
)


def arn(name):
    return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"


@pytest.fixture
def client(server):
    return server.client("lambda")


def create(client, name, source="def handler(event, context):\n    return 1\n", **settings):
    code = {"ZipFile": package({"index.py": source})}
    settings = {"Runtime": PYTHON, "Handler": "index.handler", "Role": ROLE, **settings}
    return client.create_function(FunctionName=name, Code=code, **settings)


def revision(client, name):
    return client.get_function_configuration(FunctionName=name)["RevisionId"]


EVERYTHING = {
    "Description": "all of it",
    "Timeout": 900,
    "MemorySize": 10240,
    "EphemeralStorage": {"Size": 10240},
    "Environment": {"Variables": {"AB": "1", "B_2": "äöü"}},
    "DeadLetterConfig": {"TargetArn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:letters"},
    "KMSKeyArn": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1234",
    "TracingConfig": {"Mode": "Active"},
    "VpcConfig": {
        "SubnetIds": ["subnet-1", "subnet-2"],
        "SecurityGroupIds": ["sg-1"],
        "Ipv6AllowedForDualStack": True,
    },
    "LoggingConfig": {
        "LogFormat": "JSON",
        "ApplicationLogLevel": "DEBUG",
        "SystemLogLevel": "WARN",
        "LogGroup": "/mine",
    },
}


def shown(configuration):
    """What of a configuration was given."""
    configuration = {key: configuration.get(key) for key in EVERYTHING}
    configuration["VpcConfig"] = dict(configuration["VpcConfig"])
    assert configuration["VpcConfig"].pop("VpcId") == ""
    return configuration


def test_every_setting_reads_back(client, name):
    created = create(client, name, Architectures=["arm64"], **EVERYTHING)
    assert shown(created) == EVERYTHING
    assert created["Architectures"] == ["arm64"]
    assert created["PackageType"] == "Zip"
    assert created["SnapStart"] == {"ApplyOn": "None", "OptimizationStatus": "Off"}
    for waiter in ("function_active", "function_active_v2", "function_updated_v2"):
        client.get_waiter(waiter).wait(FunctionName=name, WaiterConfig=FAST)
    assert shown(client.get_function(FunctionName=name)["Configuration"]) == EVERYTHING
    published = client.publish_version(FunctionName=name)
    assert shown(published) == EVERYTHING
    client.get_waiter("published_version_active").wait(
        FunctionName=name, Qualifier="1", WaiterConfig=FAST
    )

    updated = client.update_function_configuration(
        FunctionName=name,
        DeadLetterConfig={"TargetArn": ""},
        Environment={},
        KMSKeyArn="",
        VpcConfig={"SubnetIds": [], "SecurityGroupIds": []},
        LoggingConfig={"ApplicationLogLevel": "WARN"},
    )
    assert (updated["LastUpdateStatus"], updated["LastUpdateStatusReasonCode"]) == (
        "InProgress",
        "Creating",
    )
    assert "DeadLetterConfig" not in updated and "KMSKeyArn" not in updated
    assert updated["Environment"] == {"Variables": {}}
    assert updated["VpcConfig"]["SubnetIds"] == []
    # What a partial configuration does not name stays; text has no levels.
    assert updated["LoggingConfig"] == {
        "LogFormat": "JSON",
        "ApplicationLogLevel": "WARN",
        "SystemLogLevel": "WARN",
        "LogGroup": "/mine",
    }
    client.get_waiter("function_updated").wait(FunctionName=name, WaiterConfig=FAST)
    updated = client.update_function_configuration(
        FunctionName=name, LoggingConfig={"LogFormat": "Text"}
    )
    assert updated["LoggingConfig"] == {"LogFormat": "Text", "LogGroup": "/mine"}
    listed = client.list_versions_by_function(FunctionName=name)["Versions"]
    assert shown(listed[1]) == EVERYTHING
    assert "State" not in listed[1] and "RuntimeVersionConfig" not in listed[1]


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"DurableConfig": {"ExecutionTimeout": 60}}, "durable functions"),
        (
            {
                "CapacityProviderConfig": {
                    "LambdaManagedInstancesCapacityProviderConfig": {
                        "CapacityProviderArn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:capacity-provider:c"
                    }
                }
            },
            "managed instances",
        ),
        (
            {
                "FileSystemConfigs": [
                    {
                        "Arn": f"arn:aws:elasticfilesystem:{REGION}:{ACCOUNT}:access-point/"
                        "fsap-0123456789abcdef0",
                        "LocalMountPath": "/mnt/a",
                    }
                ]
            },
            "file systems",
        ),
        ({"PublishTo": "LATEST_PUBLISHED"}, "$LATEST.PUBLISHED"),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name(client, name, refused, settings, what):
    with refused("NotImplemented", f"lampejo does not support {what} yet.", 501):
        create(client, name, **settings)
    with refused("ResourceNotFoundException"):
        client.get_function(FunctionName=name)


def test_snap_start_needs_a_runtime_that_has_it(client, name, refused):
    text = "nodejs22.x is not supported for SnapStart enabled functions."
    with refused("InvalidParameterValueException", text, 400):
        create(client, name, Runtime="nodejs22.x", SnapStart={"ApplyOn": "PublishedVersions"})


def test_every_change_has_a_revision(client, name, refused):
    passing = create(client, name)["RevisionId"]
    first = revision(client, name)
    assert passing != first
    with refused("PreconditionFailedException", REVISION_TEXT, 412):
        client.update_function_configuration(FunctionName=name, Timeout=4, RevisionId=passing)
    client.update_function_configuration(FunctionName=name, Timeout=4, RevisionId=first)
    with refused("PreconditionFailedException", REVISION_TEXT, 412):
        client.publish_version(FunctionName=name, RevisionId=first)
    before = revision(client, name)
    published = client.publish_version(FunctionName=name, RevisionId=before)
    assert len({published["RevisionId"], before, revision(client, name)}) == 3
    permission = {
        "FunctionName": name,
        "Action": "lambda:InvokeFunction",
        "Principal": "s3.amazonaws.com",
    }
    with refused("PreconditionFailedException", REVISION_TEXT, 412):
        client.add_permission(StatementId="a", RevisionId=before, **permission)
    client.add_permission(StatementId="a", RevisionId=revision(client, name), **permission)
    assert client.get_policy(FunctionName=name)["RevisionId"] == revision(client, name)
    with refused("PreconditionFailedException", REVISION_TEXT, 412):
        client.remove_permission(FunctionName=name, StatementId="a", RevisionId=before)
    alias = client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    with refused("PreconditionFailedException", REVISION_TEXT, 412):
        client.update_alias(FunctionName=name, Name="live", RevisionId=before)
    changed = client.update_alias(
        FunctionName=name, Name="live", Description="x", RevisionId=alias["RevisionId"]
    )
    assert changed["RevisionId"] != alias["RevisionId"]


def test_versions_and_aliases_refuse_in_awss_words(client, name, refused):
    created = create(client, name, Publish=True)
    assert (created["Version"], created["FunctionArn"]) == ("1", arn(name))
    current = created["CodeSha256"]
    text = (
        f"CodeSHA256 (x) is different from current CodeSHA256 in $LATEST ({current}). "
        "Please try again with the CodeSHA256 in $LATEST."
    )
    with refused("InvalidParameterValueException", text, 400):
        client.publish_version(FunctionName=name, CodeSha256="x")
    with refused("ValidationException", status=400) as refusal:
        client.create_alias(FunctionName=name, Name="2024", FunctionVersion="1")
    assert refusal.message.startswith("1 validation error detected: Value '2024' at 'name' failed")
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    text = "Unable to delete version because the following aliases reference it: [live]"
    with refused("ResourceConflictException", text, 409):
        client.delete_function(FunctionName=name, Qualifier="1")
    text = "Number of items in AdditionalVersionWeights cannot be greater than 1"
    with refused("InvalidParameterValueException", text, 400):
        client.create_alias(
            FunctionName=name,
            Name="two",
            FunctionVersion="1",
            RoutingConfig={"AdditionalVersionWeights": {"1": 0.1, "2": 0.1}},
        )
    text = "$LATEST is not supported for an alias pointing to more than 1 version"
    with refused("InvalidParameterValueException", text, 400):
        client.create_alias(
            FunctionName=name,
            Name="two",
            FunctionVersion="$LATEST",
            RoutingConfig={"AdditionalVersionWeights": {"1": 0.1}},
        )
    for_permission = {
        "FunctionName": name,
        "StatementId": "a",
        "Action": "lambda:InvokeFunction",
        "Principal": "s3.amazonaws.com",
    }
    for qualifier, code, text in [
        ("none", "ResourceNotFoundException", f"Cannot find alias arn: {arn(name)}:none"),
        ("42", "ResourceNotFoundException", f"Function not found: {arn(name)}:42"),
        (
            "$LATEST",
            "InvalidParameterValueException",
            "We currently do not support adding policies for $LATEST.",
        ),
    ]:
        with refused(code, text):
            client.add_permission(Qualifier=qualifier, **for_permission)


def test_functions_are_listed_with_all_versions(server, name, refused):
    client = server.client("lambda", key="555555555555")
    create(client, name, Publish=True)
    listed = client.list_functions(FunctionVersion="ALL", MasterRegion="ALL")["Functions"]
    assert [it["Version"] for it in listed] == ["$LATEST", "1"]
    listed = client.list_functions(FunctionVersion="ALL", MasterRegion=REGION)["Functions"]
    assert listed == []
    with refused("InvalidParameterValueException", status=400):
        client.list_functions(MasterRegion=REGION)
    with refused("InvalidParameterValueException", status=400):
        client.list_functions(Marker="no marker")


def test_a_policy_is_written_as_a_whole(client, name, refused):
    create(client, name)
    here = {"ResourceArn": arn(name)}
    with refused("ResourceNotFoundException", "The resource you requested does not exist.", 404):
        client.get_resource_policy(**here)
    statement = {
        "Sid": "role",
        "Effect": "Allow",
        "Principal": {"AWS": [f"arn:aws:iam::{ACCOUNT}:role/a", f"arn:aws:iam::{ACCOUNT}:role/b"]},
        "Action": ["lambda:InvokeFunction", "lambda:GetFunction"],
        "Resource": arn(name),
        "Condition": {"StringEquals": {"aws:PrincipalOrgID": ["o-1", "o-2"]}},
    }
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    written = client.put_resource_policy(Policy=json.dumps(policy), **here)
    assert json.loads(written["Policy"]) == policy
    client.add_permission(
        FunctionName=name,
        StatementId="s3",
        Action="lambda:InvokeFunction",
        Principal="s3.amazonaws.com",
    )
    got = client.get_resource_policy(**here)
    assert [it["Sid"] for it in json.loads(got["Policy"])["Statement"]] == ["role", "s3"]
    with refused("PreconditionFailedException", REVISION_TEXT, 412):
        client.delete_resource_policy(RevisionId=written["RevisionId"], **here)
    public = {**statement, "Principal": "*"}
    del public["Condition"]
    with refused("PublicPolicyException", status=400):
        client.put_resource_policy(Policy=json.dumps({"Statement": public}), **here)
    with refused("InvalidParameterValueException", status=400):
        client.put_resource_policy(Policy="{}", **here)
    client.delete_resource_policy(RevisionId=got["RevisionId"], **here)
    with refused("ResourceNotFoundException", "The resource you requested does not exist.", 404):
        client.get_policy(FunctionName=name)


TENANT = """
COUNT = 0

def handler(event, context):
    global COUNT
    COUNT += 1
    return [context.tenant_id, COUNT]
"""


def test_tenants_share_no_instance(server, client, name, refused):
    created = create(
        client, name, source=TENANT, TenancyConfig={"TenantIsolationMode": "PER_TENANT"}
    )
    assert created["TenancyConfig"] == {"TenantIsolationMode": "PER_TENANT"}
    assert server.invoke(name, TenantId="blue") == (["blue", 1], None)
    assert server.invoke(name, TenantId="green") == (["green", 1], None)
    assert server.invoke(name, TenantId="blue") == (["blue", 2], None)
    text = (
        "The invoked function is enabled with tenancy configuration. "
        "Add a valid tenant ID in your request and try again."
    )
    with refused("InvalidParameterValueException", text, 400):
        client.invoke(FunctionName=name)
    with refused("InvalidParameterValueException", text, 400):
        client.invoke(FunctionName=name, InvocationType="Event")
    client.update_function_configuration(FunctionName=name, Timeout=5)
    assert server.invoke(name, TenantId="blue") == (["blue", 1], None)


def test_an_event_brings_its_tenant(server, client, name):
    source = "import logging\ndef handler(event, context):\n    logging.getLogger().error('run')\n"
    create(
        client,
        name,
        source=source,
        TenancyConfig={"TenantIsolationMode": "PER_TENANT"},
        LoggingConfig={"LogFormat": "JSON"},
    )
    client.invoke(FunctionName=name, InvocationType="Event", TenantId="a b/c@d")
    lines = eventually(lambda: server.log_lines(name, '{$.message = "run"}'), "the event has run")
    assert json.loads(lines[0])["tenantId"] == "a b/c@d"


def test_a_function_without_tenants_is_invoked_without_one(client, name, refused):
    create(client, name)
    with refused("InvalidParameterValueException", status=400):
        client.invoke(FunctionName=name, TenantId="blue")


def test_the_version_of_the_runtime_is_told_and_pinned(server, client, name, refused):
    shown = create(client, name)["RuntimeVersionConfig"]["RuntimeVersionArn"]
    server.invoke(name)
    line = eventually(lambda: server.log_lines(name, "INIT_START"), "the instance has started")[0]
    assert line.endswith(f"Runtime Version ARN: {shown}")
    got = client.get_runtime_management_config(FunctionName=name)
    assert (got["UpdateRuntimeOn"], got["FunctionArn"]) == ("Auto", f"{arn(name)}:$LATEST")
    with refused("InvalidParameterValueException", status=400):
        client.put_runtime_management_config(FunctionName=name, UpdateRuntimeOn="Manual")
    client.put_runtime_management_config(
        FunctionName=name, UpdateRuntimeOn="Manual", RuntimeVersionArn=shown
    )
    got = client.get_runtime_management_config(FunctionName=name)
    assert (got["UpdateRuntimeOn"], got["RuntimeVersionArn"]) == ("Manual", shown)
    client.put_runtime_management_config(FunctionName=name, UpdateRuntimeOn="FunctionUpdate")
    got = client.get_runtime_management_config(FunctionName=name)
    assert got["UpdateRuntimeOn"] == "FunctionUpdate" and "RuntimeVersionArn" not in got


def test_a_scaling_configuration_is_requested_and_not_applied(client, name, refused):
    create(client, name, Publish=True)
    here = {"FunctionName": name, "Qualifier": "1"}
    bounds = {"MinExecutionEnvironments": 1, "MaxExecutionEnvironments": 3}
    put = client.put_function_scaling_config(FunctionScalingConfig=bounds, **here)
    assert put["FunctionState"] == "Active"
    got = client.get_function_scaling_config(**here)
    assert got["RequestedFunctionScalingConfig"] == bounds
    assert "AppliedFunctionScalingConfig" not in got
    text = f"Function not found: {arn(name)}:$LATEST.PUBLISHED"
    with refused("ResourceNotFoundException", text, 404):
        client.get_function_scaling_config(FunctionName=name, Qualifier="$LATEST.PUBLISHED")


def test_tags_have_rules(client, name, refused):
    create(client, name)
    text = "Number of tags exceeds resource tag limit."
    with refused("InvalidParameterValueException", text, 400):
        client.tag_resource(Resource=arn(name), Tags={f"k{n}": "v" for n in range(51)})
    text = "An error occurred and the request cannot be processed."
    with refused("InvalidParameterValueException", text, 400):
        client.tag_resource(Resource=arn(name), Tags={})
    with refused("InvalidParameterValueException", status=400):
        client.tag_resource(Resource=arn(name), Tags={"aws:x": "v"})
    text = "Tags on function aliases and versions are not supported. Please specify a function ARN."
    with refused("InvalidParameterValueException", text, 400):
        client.tag_resource(Resource=f"{arn(name)}:1", Tags={"a": "b"})
    client.tag_resource(Resource=arn(name), Tags={f"k{n}": "v" for n in range(50)})
    assert len(client.get_function(FunctionName=name)["Tags"]) == 50
