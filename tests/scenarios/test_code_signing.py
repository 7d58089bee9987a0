"""Code signing configurations as boto3 sees them, and what they let pass."""

import pytest

from lampejo_server import ACCOUNT, PYTHON, REGION, ROLE, package

PROFILE = f"arn:aws:signer:{REGION}:{ACCOUNT}:/signing-profiles/mine/0123456789"
OTHER = f"arn:aws:lambda:{REGION}:{ACCOUNT}:code-signing-config:csc-0123456789abcdefg"


def arn(name):
    return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"


@pytest.fixture
def client(server):
    return server.client("lambda")


def create(client, name, **settings):
    code = {"ZipFile": package({"index.py": "def handler(event, context):\n    return 1\n"})}
    return client.create_function(
        FunctionName=name,
        Code=code,
        Runtime=PYTHON,
        Handler="index.handler",
        Role=ROLE,
        **settings,
    )


def signing(client, policy="Enforce", **more):
    return client.create_code_signing_config(
        Description="mine",
        AllowedPublishers={"SigningProfileVersionArns": [PROFILE]},
        CodeSigningPolicies={"UntrustedArtifactOnDeployment": policy},
        **more,
    )["CodeSigningConfig"]


def test_a_configuration_lives(client, name, refused):
    made = signing(client)
    here = made["CodeSigningConfigArn"]
    assert here.endswith(f":code-signing-config:{made['CodeSigningConfigId']}")
    assert made["AllowedPublishers"] == {"SigningProfileVersionArns": [PROFILE]}
    assert made["CodeSigningPolicies"] == {"UntrustedArtifactOnDeployment": "Enforce"}
    assert client.get_code_signing_config(CodeSigningConfigArn=here)["CodeSigningConfig"] == made
    updated = client.update_code_signing_config(
        CodeSigningConfigArn=here,
        CodeSigningPolicies={"UntrustedArtifactOnDeployment": "Warn"},
    )["CodeSigningConfig"]
    assert updated["Description"] == "mine"
    assert updated["CodeSigningPolicies"] == {"UntrustedArtifactOnDeployment": "Warn"}
    pages = client.get_paginator("list_code_signing_configs").paginate()
    assert updated in [it for page in pages for it in page["CodeSigningConfigs"]]

    create(client, name)
    got = client.get_function_code_signing_config(FunctionName=name)
    assert set(got) == {"ResponseMetadata"}
    put = client.put_function_code_signing_config(FunctionName=name, CodeSigningConfigArn=here)
    assert (put["FunctionName"], put["CodeSigningConfigArn"]) == (name, here)
    got = client.get_function_code_signing_config(FunctionName=name)
    assert (got["FunctionName"], got["CodeSigningConfigArn"]) == (name, here)
    listed = client.list_functions_by_code_signing_config(CodeSigningConfigArn=here)
    assert listed["FunctionArns"] == [arn(name)]
    with refused("ResourceConflictException", status=409):
        client.delete_code_signing_config(CodeSigningConfigArn=here)
    client.delete_function_code_signing_config(FunctionName=name)
    client.delete_function_code_signing_config(FunctionName=name)
    client.delete_code_signing_config(CodeSigningConfigArn=here)
    text = f"The Lambda code signing configuration {here} can not be found."
    with refused("ResourceNotFoundException", text, 404):
        client.get_code_signing_config(CodeSigningConfigArn=here)


def test_an_enforced_configuration_blocks_and_a_warning_one_does_not(server, client, name, refused):
    enforcing = signing(client)["CodeSigningConfigArn"]

    def text(function):
        return (
            "Lambda cannot deploy the function. The function or layer might be signed using a "
            "signature that the client is not configured to accept. "
            f"Check the provided signature for {function}."
        )

    with refused("CodeVerificationFailedException", text(name), 400):
        create(client, name, CodeSigningConfigArn=enforcing)
    warning = signing(client, "Warn")["CodeSigningConfigArn"]
    create(client, name, CodeSigningConfigArn=warning)
    assert server.invoke(name) == (1, None)
    client.put_function_code_signing_config(FunctionName=name, CodeSigningConfigArn=enforcing)
    # What runs keeps running; only new code is looked at.
    assert server.invoke(name) == (1, None)
    code = package({"index.py": "def handler(event, context):\n    return 2\n"})
    with refused("CodeVerificationFailedException", text(arn(name)), 400):
        client.update_function_code(FunctionName=name, ZipFile=code)
    client.update_function_configuration(FunctionName=name, Timeout=5)
    assert server.invoke(name) == (1, None)


def test_what_is_missing_is_told_in_awss_words(client, name, refused):
    gone = (
        "The code signing configuration cannot be found. "
        f"Check that the provided configuration is not deleted: {OTHER}."
    )
    create(client, name)
    for function in (name, f"{name}-none"):
        with refused("CodeSigningConfigNotFoundException", gone, 404):
            client.put_function_code_signing_config(
                FunctionName=function, CodeSigningConfigArn=OTHER
            )
    with refused("CodeSigningConfigNotFoundException", gone, 404):
        create(client, f"{name}-none", CodeSigningConfigArn=OTHER)
    missing = f"The Lambda code signing configuration {OTHER} can not be found."
    for operation in (
        client.get_code_signing_config,
        client.update_code_signing_config,
        client.delete_code_signing_config,
        client.list_functions_by_code_signing_config,
    ):
        with refused("ResourceNotFoundException", missing, 404):
            operation(CodeSigningConfigArn=OTHER)
    absent = f"Function not found: {arn(f'{name}-none')}"
    here = signing(client)["CodeSigningConfigArn"]
    with refused("ResourceNotFoundException", absent, 404):
        client.put_function_code_signing_config(
            FunctionName=f"{name}-none", CodeSigningConfigArn=here
        )
    for operation in (
        client.get_function_code_signing_config,
        client.delete_function_code_signing_config,
    ):
        with refused("ResourceNotFoundException", absent, 404):
            operation(FunctionName=f"{name}-none")


def test_configurations_survive_a_restart_with_their_tags(own_server, name):
    client = own_server.client("lambda")
    here = signing(client, "Warn", Tags={"a": "1"})["CodeSigningConfigArn"]
    create(client, name, CodeSigningConfigArn=here)
    client.tag_resource(Resource=here, Tags={"b": "2"})
    client.untag_resource(Resource=here, TagKeys=["a"])
    own_server.kill()
    own_server.start()
    client = own_server.client("lambda")
    assert client.list_tags(Resource=here)["Tags"] == {"b": "2"}
    got = client.get_function_code_signing_config(FunctionName=name)
    assert got["CodeSigningConfigArn"] == here
