"""IAM and STS in depth: managed policies, profiles, pages, keys, and the bounds of sessions."""

import json
import re

import pytest

from lampejo_server import ACCOUNT

ALLOW = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}],
}
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "lambda.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
)


@pytest.fixture
def iam(server):
    return server.client("iam")


def test_a_policy_has_five_versions(iam, name, refused):
    made = iam.create_policy(PolicyName=name, PolicyDocument=json.dumps(ALLOW))["Policy"]
    arn = made["Arn"]
    assert arn == f"arn:aws:iam::{ACCOUNT}:policy/{name}"
    assert (made["DefaultVersionId"], made["AttachmentCount"]) == ("v1", 0)
    for _ in range(4):
        iam.create_policy_version(
            PolicyArn=arn, PolicyDocument=json.dumps(ALLOW), SetAsDefault=True
        )
    with refused("LimitExceeded", status=409):
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps(ALLOW))
    with refused("DeleteConflict", "Cannot delete the default version of a policy.", 409):
        iam.delete_policy_version(PolicyArn=arn, VersionId="v5")
    iam.delete_policy_version(PolicyArn=arn, VersionId="v1")
    versions = iam.list_policy_versions(PolicyArn=arn)["Versions"]
    assert [it["VersionId"] for it in versions] == ["v5", "v4", "v3", "v2"]
    document = iam.get_policy_version(PolicyArn=arn, VersionId="v5")["PolicyVersion"]["Document"]
    assert document == ALLOW
    iam.create_user(UserName=name)
    iam.attach_user_policy(UserName=name, PolicyArn=arn)
    with refused("DeleteConflict", "Cannot delete a policy attached to entities.", 409):
        iam.delete_policy(PolicyArn=arn)
    entities = iam.list_entities_for_policy(PolicyArn=arn)
    assert [it["UserName"] for it in entities["PolicyUsers"]] == [name]
    text = f"Policy {arn}x does not exist or is not attachable."
    with refused("NoSuchEntity", text, 404):
        iam.attach_user_policy(UserName=name, PolicyArn=f"{arn}x")


def test_awss_own_policies_can_be_attached(iam, name):
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)
    arn = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
    iam.attach_role_policy(RoleName=name, PolicyArn=arn)
    attached = iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
    assert attached == [{"PolicyName": "AWSLambdaBasicExecutionRole", "PolicyArn": arn}]
    version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    document = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
    assert "logs:PutLogEvents" in document["Statement"][0]["Action"]


@pytest.mark.parametrize(
    "document",
    [
        "{",
        "[]",
        "{}",
        '{"Version":"2012-10-17","Statement":[]}',
        '{"Version":"2013-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}',
        '{"Version":"2012-10-17","Statement":[{"Effect":"allow","Action":"s3:*","Resource":"*"}]}',
        '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3","Resource":"*"}]}',
    ],
    ids=["cut", "list", "empty", "no-statement", "version", "effect", "action"],
)
def test_a_policy_that_is_none_is_refused(iam, name, refused, document):
    with refused("MalformedPolicyDocument", status=400):
        iam.create_policy(PolicyName=name, PolicyDocument=document)


def test_a_role_is_deleted_when_nothing_holds_it(iam, name, refused):
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST, Path="/team/")
    iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=json.dumps(ALLOW))
    iam.create_instance_profile(InstanceProfileName=name)
    iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)
    roles = iam.list_roles(PathPrefix="/team/")["Roles"]
    assert [it["Arn"] for it in roles] == [f"arn:aws:iam::{ACCOUNT}:role/team/{name}"]
    with refused("DeleteConflict", status=409):
        iam.delete_role(RoleName=name)
    iam.remove_role_from_instance_profile(InstanceProfileName=name, RoleName=name)
    with refused("DeleteConflict", "Cannot delete entity, must delete policies first.", 409):
        iam.delete_role(RoleName=name)
    iam.delete_role_policy(RoleName=name, PolicyName="p")
    iam.delete_role(RoleName=name)
    with refused("NoSuchEntity", f"The role with name {name} cannot be found.", 404):
        iam.get_role(RoleName=name)


def test_users_are_listed_by_pages(server, name):
    iam = server.client("iam", key="555555555555")
    names = sorted(f"{name}-{n}" for n in range(5))
    for each in names:
        iam.create_user(UserName=each)
    pages = iam.get_paginator("list_users").paginate(PaginationConfig={"PageSize": 2})
    pages = [[it["UserName"] for it in page["Users"]] for page in pages]
    assert [len(page) for page in pages] == [2, 2, 1]
    assert sum(pages, []) == names


def test_a_user_has_two_keys(iam, name, refused):
    iam.create_user(UserName=name)
    keys = [iam.create_access_key(UserName=name)["AccessKey"] for _ in range(2)]
    text = "Cannot exceed quota for AccessKeysPerUser: 2"
    with refused("LimitExceeded", text, 409):
        iam.create_access_key(UserName=name)
    iam.update_access_key(
        UserName=name, AccessKeyId=keys[0]["AccessKeyId"], Status="Inactive"
    )
    listed = iam.list_access_keys(UserName=name)["AccessKeyMetadata"]
    found = {it["AccessKeyId"]: it["Status"] for it in listed}
    assert found == {keys[0]["AccessKeyId"]: "Inactive", keys[1]["AccessKeyId"]: "Active"}
    iam.delete_access_key(UserName=name, AccessKeyId=keys[0]["AccessKeyId"])
    listed = iam.list_access_keys(UserName=name)["AccessKeyMetadata"]
    assert [it["AccessKeyId"] for it in listed] == [keys[1]["AccessKeyId"]]


def test_sessions_have_bounds(server, iam, name, refused):
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)
    sts = server.client("sts", parameter_validation=False)
    arn = f"arn:aws:iam::{ACCOUNT}:role/{name}"
    text = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
    with refused("ValidationError", text, 400):
        sts.assume_role(RoleArn=arn, RoleSessionName="me", DurationSeconds=3601)
    with refused("ValidationError", status=400) as refusal:
        sts.assume_role(RoleArn=arn, RoleSessionName="a b", DurationSeconds=899)
    assert refusal.message.startswith("2 validation errors detected: ")
    with refused("AccessDenied", status=403) as refusal:
        sts.assume_role(RoleArn=f"{arn}-no", RoleSessionName="me")
    assert re.fullmatch(
        rf"User: \S+ is not authorized to perform: sts:AssumeRole on resource: {arn}-no",
        refusal.message,
    )
    token = server.client("sts").get_session_token()["Credentials"]
    assert token["AccessKeyId"].startswith("ASIA")
