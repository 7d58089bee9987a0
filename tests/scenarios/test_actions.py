"""Actions, resources and condition keys against AWS's service authorization reference.

`models/access.json` is that reference, trimmed. What is asked for every call is read from the records
of decisions about a user who may nothing.
"""

import contextlib
import json
import os
import pathlib
import re
import subprocess

import pytest
from botocore.exceptions import ConnectionClosedError

from lampejo_server import binary
from scenarios.test_every_call_is_decided import FREE, OF_OTHER_PROOFS, SERVICES, TEXTS, outcome

ROOT = pathlib.Path(__file__).resolve().parents[2]
REFERENCE = json.loads((ROOT / "models/access.json").read_text())

# Actions that are younger than the reference; AWS's developer guide has them.
YOUNGER = {f"lambda:{verb}ResourcePolicy" for verb in ("Delete", "Get", "Put")}

# What is asked for about other resources than the reference has, and why.
ELSEWHERE = {
    # AWS's refusals show the path, or the prefix, that is listed.
    **dict.fromkeys(
        ("iam:ListGroups", "iam:ListInstanceProfiles", "iam:ListPolicies", "iam:ListRoles",
         "iam:ListUsers", "logs:DescribeLogGroups"),
        "the path or prefix",
    ),
    # AWS's refusals show the key.
    "iam:GetAccessKeyLastUsed": "the key, which is no resource",
    "iam:GetServiceLinkedRoleDeletionStatus": "the task, which is no resource",
    # The inputs of this test name nothing.
    **dict.fromkeys(
        ("iam:CreateOpenIDConnectProvider", "iam:ListMFADeviceTags", "iam:TagMFADevice",
         "iam:UntagMFADevice", "sqs:CancelMessageMoveTask", "sqs:ListMessageMoveTasks",
         "sqs:StartMessageMoveTask"),
        "nothing, since what the input names cannot be",
    ),
}

# Condition keys that no request here has, and why.
ABSENT = {
    "lambda": {
        "lambda:EventSourceToken": "Alexa's skills, which do not call here",
        "lambda:VpcIds": "subnets are not known here, so nor are their networks",
    },
    "logs": {
        "logs:DeliveryDestinationResourceArn": "deliveries are not built",
        "logs:LogGeneratingResourceArns": "deliveries are not built",
    },
    "sqs": {},
    "iam": {
        "iam:AssociatedResourceArn": "roles are passed to functions and instance profiles only",
        "iam:DelegationDuration": "delegation requests are not built",
        "iam:DelegationRequestOwner": "delegation requests are not built",
        "iam:FIDO-FIPS-140-2-certification": "security keys are not offered",
        "iam:FIDO-FIPS-140-3-certification": "security keys are not offered",
        "iam:FIDO-certification": "security keys are not offered",
        "iam:NotificationChannel": "delegation requests are not built",
        "iam:OrganizationsPolicyId": "there are no organizations",
        "iam:RegisterSecurityKey": "security keys are not offered",
        "iam:ServiceSpecificCredentialAgeDays": "service-specific credentials are not built",
        "iam:ServiceSpecificCredentialServiceName": "service-specific credentials are not built",
        "iam:TemplateArn": "delegation requests are not built",
    },
    "sts": {
        "sts:AWSServiceName": "GetServiceBearerToken is not called from outside",
        "sts:DurationSeconds": "GetWebIdentityToken is not built",
        "sts:IdentityTokenAudience": "GetWebIdentityToken is not built",
        "sts:RequestContext/${ContextKey}": "contexts are not built",
        "sts:RequestContextProviders": "contexts are not built",
        "sts:SigningAlgorithm": "GetWebIdentityToken is not built",
        "sts:TaskPolicyArn": "AssumeRoot is not built",
    },
    "s3": {
        "s3:InventoryAccessibleOptionalFields": "inventories are kept and not made",
        "s3:ObjectCreationOperation": "not built",
        "s3:TlsVersion": "requests come without TLS",
        "s3:destinationRegion": "replication is kept and not done",
        "s3:isReplicationPauseRequest": "replication is kept and not done",
        **{
            f"s3:{key}": "access points, grants and jobs are not built"
            for key in (
                "AccessGrantScope",
                "AccessGrantsInstanceArn",
                "AccessGrantsLocationScope",
                "AccessPointNetworkOrigin",
                "AccessPointTag/${TagKey}",
                "DataAccessPointAccount",
                "DataAccessPointArn",
                "ExistingJobOperation",
                "ExistingJobPriority",
                "JobSuspendedCause",
                "RequestJobOperation",
                "RequestJobPriority",
            )
        },
        "s3:BucketTag/${TagKey}": "only where a bucket is set to it, which is not built",
    },
}
# Keys of identity providers: those of OpenID Connect are told by the provider's name, whichever it
# is; assertions of SAML providers are not taken.
OF_PROVIDERS = ("saml:", "accounts.google.com:", "cognito-identity.amazonaws.com:",
                "graph.facebook.com:", "www.amazon.com:")


@pytest.fixture(scope="module")
def asked(start, sandbox):
    """What each service asked for when a user who may nothing called every operation."""
    with start(isolation=sandbox, auth="enforce") as server:
        lines = [line.strip() for line in server.rest_of_greeting(7)]
        found = dict(line.split("=", 1) for line in lines if line.startswith("AWS_"))
        root = (found["AWS_ACCESS_KEY_ID"], found["AWS_SECRET_ACCESS_KEY"])
        iam = server.client("iam", *root)
        iam.create_user(UserName="nobody")
        key = iam.create_access_key(UserName="nobody")["AccessKey"]
        for service in SERVICES:
            client = server.client(
                service, key["AccessKeyId"], key["SecretAccessKey"], inject_host_prefix=False
            )
            model = client.meta.service_model
            for name in sorted(set(model.operation_names) - FREE - OF_OTHER_PROOFS):
                with contextlib.suppress(ConnectionClosedError):
                    # A refusal may come before the body is sent, and end the connection.
                    outcome(client, name, model.operation_model(name))
        environment = {**os.environ, "AWS_ENDPOINT_URL": server.endpoint}
        environment.update(AWS_ACCESS_KEY_ID=root[0], AWS_SECRET_ACCESS_KEY=root[1])
        flags = ["--last", "2000", "--role", "user/nobody", "--json"]
        done = subprocess.run(
            [binary(), "iam", "explain", *flags],
            capture_output=True, text=True, timeout=60, env=environment, check=True,
        )
        records = [json.loads(line) for line in done.stdout.splitlines()]
        yield [
            (*record["action"].split(":"), judged["resource"])
            for record in records
            for judged in record["verdicts"]
        ]


def matches(arn, template):
    pattern = re.sub(r"\\\$\\\{\w+\\\}", ".*", re.escape(template))
    return re.fullmatch(pattern, arn) is not None


def test_every_action_is_one_of_awss(asked):
    unknown = {f"{service}:{action}" for service, action, _ in asked} - {
        f"{service}:{action}" for service in REFERENCE for action in REFERENCE[service]["actions"]
    }
    assert unknown == YOUNGER
    assert len({(service, action) for service, action, _ in asked}) > 300


def test_every_resource_is_of_a_type_that_the_action_has(asked):
    wrong = []
    for service, action, resource in asked:
        if f"{service}:{action}" in {*ELSEWHERE, *YOUNGER}:
            continue
        types = REFERENCE[service]["actions"][action]["resources"]
        arns = REFERENCE[service]["resources"]
        if resource == "*":
            if any(types.values()):
                wrong.append(f"{service}:{action} on * and not on a {list(types)}")
        # An ARN that the input gives may be of any type.
        elif resource not in TEXTS and not any(matches(resource, arns[kind]) for kind in types):
            wrong.append(f"{service}:{action} on {resource} and not on a {list(types)}")
    print(*sorted(set(wrong)), sep="\n")
    assert wrong == []


@pytest.mark.parametrize("service", sorted(ABSENT))
def test_every_condition_key_is_told_or_known_to_be_absent(service):
    """A key is told if a source names it, its service's own or that of decisions."""
    folders = [ROOT / "services" / service, ROOT / "services/iam/authority", ROOT / "crates/kit"]
    sources = "\n".join(
        path.read_text().lower() for folder in folders for path in folder.rglob("*.rs")
    )
    # S3's headers are keys with their names.
    names = {"s3": lambda key: key.removeprefix("s3:")}.get(service, lambda key: key)
    unknown = []
    for key in REFERENCE[service]["keys"]:
        if key in ABSENT[service] or key.startswith(OF_PROVIDERS):
            continue
        stem = re.split(r"/?[$<]", names(key))[0].lower()
        if stem not in sources:
            unknown.append(key)
    assert unknown == []
    assert set(ABSENT[service]) <= set(REFERENCE[service]["keys"]), "nothing is listed in vain"
