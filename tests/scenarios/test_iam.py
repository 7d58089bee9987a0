"""IAM and STS as boto3 sees them."""

import json

import pytest

from lampejo_server import ACCOUNT

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


def test_a_user_has_keys_groups_and_policies(iam, name, refused):
    user = iam.create_user(UserName=name, Tags=[{"Key": "a", "Value": "1"}])["User"]
    assert user["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/{name}"
    assert user["UserId"].startswith("AIDA")
    key = iam.create_access_key(UserName=name)["AccessKey"]
    assert key["AccessKeyId"].startswith("AKIA")
    assert len(key["SecretAccessKey"]) == 40
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    iam.put_user_policy(UserName=name, PolicyName="all", PolicyDocument=json.dumps(policy))
    assert iam.get_user_policy(UserName=name, PolicyName="all")["PolicyDocument"] == policy
    iam.create_group(GroupName=f"{name}-g")
    iam.add_user_to_group(GroupName=f"{name}-g", UserName=name)
    assert [it["GroupName"] for it in iam.list_groups_for_user(UserName=name)["Groups"]] == [f"{name}-g"]
    with refused("DeleteConflict", status=409):
        iam.delete_user(UserName=name)


def test_a_role_has_a_trust_policy(iam, name):
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)["Role"]
    assert role["Arn"] == f"arn:aws:iam::{ACCOUNT}:role/{name}"
    assert iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"] == json.loads(TRUST)
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
    arn = iam.create_policy(PolicyName=name, PolicyDocument=json.dumps(document))["Policy"]["Arn"]
    iam.attach_role_policy(RoleName=name, PolicyArn=arn)
    attached = iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
    assert attached == [{"PolicyName": name, "PolicyArn": arn}]


def test_errors_are_those_of_aws(iam, name, refused):
    with refused("NoSuchEntity", f"The user with name {name} cannot be found.", 404):
        iam.get_user(UserName=name)
    with refused("NoSuchEntity", f"The role with name {name} cannot be found.", 404):
        iam.get_role(RoleName=name)
    iam.create_user(UserName=name)
    with refused("EntityAlreadyExists", f"User with name {name} already exists.", 409):
        iam.create_user(UserName=name)
    with refused("MalformedPolicyDocument", status=400):
        iam.create_role(RoleName=name, AssumeRolePolicyDocument="{}")
    with refused("ValidationError", status=400):
        iam.create_user(UserName="a b")


def test_who_calls(server):
    sts = server.client("sts")
    assert sts.get_caller_identity()["Account"] == ACCOUNT
    other = server.client("sts", key="123456789012")
    assert other.get_caller_identity()["Account"] == "123456789012"


def test_an_assumed_role_is_a_session(server, iam, name):
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)
    arn = f"arn:aws:iam::{ACCOUNT}:role/{name}"
    assumed = server.client("sts").assume_role(RoleArn=arn, RoleSessionName="me")
    assert assumed["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/{name}/me"
    keys = assumed["Credentials"]
    assert keys["AccessKeyId"].startswith("ASIA")
    session = server.client("sts", keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])
    assert session.get_caller_identity()["Arn"] == assumed["AssumedRoleUser"]["Arn"]
