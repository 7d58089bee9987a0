"""What policies let callers do, with `--auth enforce`."""

import json

import pytest
from botocore import UNSIGNED

from lampejo_server import ACCOUNT, PYTHON, REGION, eventually, package

QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:orders"


def document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action, resource="*", **more):
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action, resource="*", **more):
    return {"Effect": "Deny", "Action": action, "Resource": resource, **more}


@pytest.fixture(scope="module")
def strict(start, sandbox):
    """A server that enforces, with clients of its root."""
    with start(isolation=sandbox, auth="enforce") as server:
        lines = [line.strip() for line in server.rest_of_greeting(7)]
        found = dict(line.split("=", 1) for line in lines if line.startswith("AWS_"))
        server.root = (found["AWS_ACCESS_KEY_ID"], found["AWS_SECRET_ACCESS_KEY"])
        server.client("sqs", *server.root).create_queue(QueueName="orders")
        yield server


@pytest.fixture
def user(strict, name):
    """Makes a user with these statements; answers with its name and key."""
    iam = strict.client("iam", *strict.root)

    def create(*statements):
        iam.create_user(UserName=name)
        if statements:
            iam.put_user_policy(
                UserName=name, PolicyName="inline", PolicyDocument=document(*statements)
            )
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return name, (key["AccessKeyId"], key["SecretAccessKey"])

    return create


@pytest.fixture
def url(strict):
    return strict.client("sqs", *strict.root).get_queue_url(QueueName="orders")["QueueUrl"]


def test_a_user_may_what_its_policies_allow_and_no_more(strict, user, url, refused):
    who, key = user(allow("sqs:SendMessage", QUEUE))
    sqs = strict.client("sqs", *key)
    sqs.send_message(QueueUrl=url, MessageBody="x")
    arn = f"arn:aws:iam::{ACCOUNT}:user/{who}"
    with refused(
        "AccessDenied",
        f"User: {arn} is not authorized to perform: sqs:ReceiveMessage on resource: {QUEUE} "
        "because no identity-based policy allows the sqs:ReceiveMessage action",
    ):
        sqs.receive_message(QueueUrl=url)
    with refused(
        "AccessDenied",
        f"User: {arn} is not authorized to perform: iam:ListUsers on resource: "
        f"arn:aws:iam::{ACCOUNT}:user/ because no identity-based policy allows the iam:ListUsers "
        "action",
        403,
    ):
        strict.client("iam", *key).list_users()
    assert strict.client("sts", *key).get_caller_identity()["Arn"] == arn


def test_a_denial_is_stronger_than_any_permission(strict, user, url, refused):
    who, key = user(allow("*"), deny("sqs:Send*", QUEUE))
    with refused(
        "AccessDenied",
        f"User: arn:aws:iam::{ACCOUNT}:user/{who} is not authorized to perform: sqs:SendMessage "
        f"on resource: {QUEUE} with an explicit deny in an identity-based policy",
    ):
        strict.client("sqs", *key).send_message(QueueUrl=url, MessageBody="x")


def test_a_boundary_bounds(strict, user, url, refused):
    iam = strict.client("iam", *strict.root)
    who, key = user(allow("*"))
    arn = iam.create_policy(PolicyName=f"{who}-b", PolicyDocument=document(allow("s3:*")))
    iam.put_user_permissions_boundary(
        UserName=who, PermissionsBoundary=arn["Policy"]["Arn"]
    )
    with refused("AccessDenied") as refusal:
        strict.client("sqs", *key).send_message(QueueUrl=url, MessageBody="x")
    assert refusal.message.endswith(
        "because no permissions boundary allows the sqs:SendMessage action"
    )


def test_groups_and_conditions_count(strict, user, url, refused):
    iam = strict.client("iam", *strict.root)
    who, key = user()
    iam.create_group(GroupName=who)
    condition = {"StringEquals": {"aws:username": [who]}, "IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}
    iam.put_group_policy(
        GroupName=who,
        PolicyName="p",
        PolicyDocument=document(allow("sqs:GetQueueAttributes", Condition=condition)),
    )
    sqs = strict.client("sqs", *key)
    with refused("AccessDenied"):
        sqs.get_queue_attributes(QueueUrl=url)
    iam.add_user_to_group(GroupName=who, UserName=who)
    sqs.get_queue_attributes(QueueUrl=url)


def test_a_queue_lets_a_user_in_by_its_own_policy(strict, user, url):
    who, key = user()
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:user/{who}"},
        "Action": "sqs:SendMessage",
        "Resource": QUEUE,
    }
    root = strict.client("sqs", *strict.root)
    root.set_queue_attributes(QueueUrl=url, Attributes={"Policy": document(statement)})
    strict.client("sqs", *key).send_message(QueueUrl=url, MessageBody="x")
    root.set_queue_attributes(QueueUrl=url, Attributes={"Policy": ""})


def test_a_role_is_assumed_only_by_whom_it_trusts(strict, user, url, refused):
    iam = strict.client("iam", *strict.root)
    who, key = user()
    trust = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:user/{who}"},
        "Action": "sts:AssumeRole",
    }
    role = iam.create_role(RoleName=who, AssumeRolePolicyDocument=document(trust))["Role"]
    iam.put_role_policy(
        RoleName=who, PolicyName="p", PolicyDocument=document(allow("sqs:*", QUEUE))
    )
    sts = strict.client("sts", *key)
    given = sts.assume_role(RoleArn=role["Arn"], RoleSessionName="night")["Credentials"]
    session = (given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
    strict.client("sqs", *session).send_message(QueueUrl=url, MessageBody="x")

    narrow = sts.assume_role(
        RoleArn=role["Arn"],
        RoleSessionName="night",
        Policy=document(allow("sqs:GetQueueUrl")),
    )["Credentials"]
    narrow = (narrow["AccessKeyId"], narrow["SecretAccessKey"], narrow["SessionToken"])
    with refused("AccessDenied") as refusal:
        strict.client("sqs", *narrow).send_message(QueueUrl=url, MessageBody="x")
    assert refusal.message.endswith("because no session policy allows the sqs:SendMessage action")

    iam.update_assume_role_policy(
        RoleName=who,
        PolicyDocument=document({**trust, "Principal": {"Service": "lambda.amazonaws.com"}}),
    )
    with refused("AccessDenied") as refusal:
        sts.assume_role(RoleArn=role["Arn"], RoleSessionName="night")
    assert "is not authorized to perform: sts:AssumeRole on resource" in refusal.message


def test_the_simulator_tells_what_would_be_decided(server, name):
    iam = server.client("iam")
    answer = iam.simulate_custom_policy(
        PolicyInputList=[document(allow("s3:Get*", "arn:aws:s3:::b/*"), deny("s3:GetBucketAcl"))],
        ActionNames=["s3:GetObject", "s3:PutObject", "s3:GetBucketAcl"],
        ResourceArns=["arn:aws:s3:::b/k"],
    )
    decisions = {it["EvalActionName"]: it["EvalDecision"] for it in answer["EvaluationResults"]}
    assert decisions == {
        "s3:GetObject": "allowed",
        "s3:PutObject": "implicitDeny",
        "s3:GetBucketAcl": "explicitDeny",
    }
    [matched] = answer["EvaluationResults"][0]["MatchedStatements"]
    assert matched["SourcePolicyId"] == "PolicyInputList.1"
    assert matched["SourcePolicyType"] == "IAM Policy"
    assert matched["StartPosition"] == {"Line": 1, "Column": 41}

    iam.create_user(UserName=name)
    condition = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}
    iam.put_user_policy(
        UserName=name,
        PolicyName="p",
        PolicyDocument=document(allow("sqs:*", Condition=condition)),
    )
    arn = f"arn:aws:iam::{ACCOUNT}:user/{name}"
    [result] = iam.simulate_principal_policy(
        PolicySourceArn=arn, ActionNames=["sqs:SendMessage"], ResourceArns=[QUEUE]
    )["EvaluationResults"]
    assert result["EvalDecision"] == "implicitDeny"
    assert result["MissingContextValues"] == ["aws:MultiFactorAuthPresent"]
    keys = iam.get_context_keys_for_principal_policy(PolicySourceArn=arn)["ContextKeyNames"]
    assert keys == ["aws:MultiFactorAuthPresent"]
    entry = {
        "ContextKeyName": "aws:MultiFactorAuthPresent",
        "ContextKeyType": "boolean",
        "ContextKeyValues": ["true"],
    }
    [result] = iam.simulate_principal_policy(
        PolicySourceArn=arn, ActionNames=["sqs:SendMessage"], ContextEntries=[entry]
    )["EvaluationResults"]
    assert result["EvalDecision"] == "allowed"


def test_buckets_and_objects_are_guarded(strict, user, name, refused):
    root = strict.client("s3", *strict.root)
    root.create_bucket(Bucket=name)
    root.put_object(Bucket=name, Key="home/a", Body=b"x")
    bucket, home = f"arn:aws:s3:::{name}", f"arn:aws:s3:::{name}/home/*"
    listing = allow("s3:ListBucket", bucket, Condition={"StringLike": {"s3:prefix": "home/*"}})
    who, key = user(allow(["s3:GetObject", "s3:DeleteObject"], home), listing)
    s3 = strict.client("s3", *key)
    assert s3.get_object(Bucket=name, Key="home/a")["Body"].read() == b"x"
    arn = f"arn:aws:iam::{ACCOUNT}:user/{who}"
    with refused(
        "AccessDenied",
        f'User: {arn} is not authorized to perform: s3:PutObject on resource: "{bucket}/home/b" '
        "because no identity-based policy allows the s3:PutObject action",
        403,
    ):
        s3.put_object(Bucket=name, Key="home/b", Body=b"x")
    s3.list_objects_v2(Bucket=name, Prefix="home/")
    with refused("AccessDenied"):
        s3.list_objects_v2(Bucket=name)
    deleted = s3.delete_objects(
        Bucket=name, Delete={"Objects": [{"Key": "home/a"}, {"Key": "other"}]}
    )
    assert [it["Key"] for it in deleted["Deleted"]] == ["home/a"]
    assert [(it["Key"], it["Code"]) for it in deleted["Errors"]] == [("other", "AccessDenied")]


def test_a_bucket_policy_lets_anybody_in(strict, name, refused):
    root = strict.client("s3", *strict.root)
    root.create_bucket(Bucket=name)
    root.put_object(Bucket=name, Key="open/a", Body=b"x")
    root.delete_public_access_block(Bucket=name)
    anybody = strict.client("s3", signature_version=UNSIGNED)
    with refused("AccessDenied", "Access Denied", 403):
        anybody.get_object(Bucket=name, Key="open/a")
    statement = allow("s3:GetObject", f"arn:aws:s3:::{name}/open/*", Principal="*")
    root.put_bucket_policy(Bucket=name, Policy=document(statement))
    assert anybody.get_object(Bucket=name, Key="open/a")["Body"].read() == b"x"
    with refused("AccessDenied"):
        anybody.put_object(Bucket=name, Key="open/b", Body=b"x")


TRUST = document(
    {
        "Effect": "Allow",
        "Principal": {"Service": "lambda.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
)


@pytest.fixture
def role(strict, name):
    """Makes a role that Lambda may assume, with these statements; answers with its ARN."""
    iam = strict.client("iam", *strict.root)

    def create(*statements):
        made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)["Role"]
        if statements:
            iam.put_role_policy(
                RoleName=name, PolicyName="p", PolicyDocument=document(*statements)
            )
        return made["Arn"]

    return create


def create_function(client, name, role):
    source = "def handler(event, context):\n    return 1\n"
    return client.create_function(
        FunctionName=name,
        Runtime=PYTHON,
        Handler="index.handler",
        Role=role,
        Code={"ZipFile": package({"index.py": source})},
    )["FunctionArn"]


def test_a_role_is_handed_over_only_by_whom_may_pass_it(strict, user, role, name, refused):
    arn = role()
    who, key = user(allow("lambda:*"))
    functions = strict.client("lambda", *key)
    with refused(
        "AccessDeniedException",
        f"User: arn:aws:iam::{ACCOUNT}:user/{who} is not authorized to perform: iam:PassRole on "
        f"resource: {arn} because no identity-based policy allows the iam:PassRole action",
        403,
    ):
        create_function(functions, name, arn)
    condition = {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}
    strict.client("iam", *strict.root).put_user_policy(
        UserName=who,
        PolicyName="inline",
        PolicyDocument=document(allow("lambda:*"), allow("iam:PassRole", arn, Condition=condition)),
    )
    create_function(functions, name, arn)
    with refused(
        "InvalidParameterValueException",
        "The role defined for the function cannot be assumed by Lambda.",
    ):
        nobodys = f"arn:aws:iam::{ACCOUNT}:role/none"
        create_function(strict.client("lambda", *strict.root), f"{name}-2", nobodys)


def test_a_bucket_fires_only_what_lets_it(strict, role, name, refused):
    functions, s3 = (strict.client(it, *strict.root) for it in ("lambda", "s3"))
    arn = create_function(functions, name, role())
    s3.create_bucket(Bucket=name)
    configuration = {
        "LambdaFunctionConfigurations": [
            {"LambdaFunctionArn": arn, "Events": ["s3:ObjectCreated:*"]}
        ]
    }

    def notify():
        s3.put_bucket_notification_configuration(
            Bucket=name, NotificationConfiguration=configuration
        )

    with refused(
        "InvalidArgument", "Unable to validate the following destination configurations"
    ):
        notify()
    functions.add_permission(
        FunctionName=name,
        StatementId="bucket",
        Action="lambda:InvokeFunction",
        Principal="s3.amazonaws.com",
        SourceArn=f"arn:aws:s3:::{name}",
        SourceAccount=ACCOUNT,
    )
    notify()


def test_a_mapping_needs_what_its_functions_role_may(strict, role, name, refused):
    functions, sqs = (strict.client(it, *strict.root) for it in ("lambda", "sqs"))
    create_function(functions, name, role())
    sqs.create_queue(QueueName=name)
    queue = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"
    with refused(
        "InvalidParameterValueException",
        "The provided execution role does not have permissions to call ReceiveMessage on SQS",
    ):
        functions.create_event_source_mapping(EventSourceArn=queue, FunctionName=name)
    strict.client("iam", *strict.root).attach_role_policy(
        RoleName=name,
        PolicyArn="arn:aws:iam::aws:policy/service-role/AWSLambdaSQSQueueExecutionRole",
    )
    functions.create_event_source_mapping(EventSourceArn=queue, FunctionName=name)


def test_a_function_tells_only_whom_its_role_lets_it(strict, role, name):
    functions, sqs = (strict.client(it, *strict.root) for it in ("lambda", "sqs"))
    create_function(functions, name, role(allow("logs:*")))
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    queue = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"
    functions.get_waiter("function_active_v2").wait(
        FunctionName=name, WaiterConfig={"Delay": 0.02, "MaxAttempts": 500}
    )
    functions.put_function_event_invoke_config(
        FunctionName=name, DestinationConfig={"OnSuccess": {"Destination": queue}}
    )
    functions.invoke(FunctionName=name, InvocationType="Event", Payload=b"1")
    logs = strict.client("logs", *strict.root)

    def reported():
        try:
            found = logs.filter_log_events(
                logGroupName=f"/aws/lambda/{name}", filterPattern="REPORT"
            )
        except logs.exceptions.ResourceNotFoundException:
            return False
        return len(found["events"]) == 1

    eventually(reported, "the first event has run")
    strict.client("iam", *strict.root).put_role_policy(
        RoleName=name, PolicyName="p", PolicyDocument=document(allow("sqs:SendMessage", queue))
    )
    functions.invoke(FunctionName=name, InvocationType="Event", Payload=b"2")
    [message] = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)["Messages"]
    assert json.loads(message["Body"])["requestPayload"] == 2
    assert "Messages" not in sqs.receive_message(QueueUrl=url)


def test_between_accounts_both_must_allow(start, sandbox, refused):
    other = "111111111111"
    with start(isolation=sandbox) as server:
        # Open mode makes the other account's users; then policies decide on the same data.
        iam = server.client("iam", key=other)
        keys = {}
        for who, statements in (("allowed", [allow("s3:*")]), ("bare", [])):
            iam.create_user(UserName=who)
            if statements:
                iam.put_user_policy(
                    UserName=who, PolicyName="p", PolicyDocument=document(*statements)
                )
            key = iam.create_access_key(UserName=who)["AccessKey"]
            keys[who] = (key["AccessKeyId"], key["SecretAccessKey"])
        owner = server.client("s3")
        for bucket in ("closed", "shared"):
            owner.create_bucket(Bucket=bucket)
        objects = "arn:aws:s3:::shared/*"
        statement = allow("s3:PutObject", objects, Principal={"AWS": other})
        owner.put_bucket_policy(Bucket="shared", Policy=document(statement))
        server.flags[1] = "enforce"
        server.restart()

        def put(who, bucket):
            server.client("s3", *keys[who]).put_object(Bucket=bucket, Key="k", Body=b"x")

        put("allowed", "shared")
        with refused("AccessDenied") as refusal:
            put("allowed", "closed")
        assert refusal.message.endswith(
            "because no resource-based policy allows the s3:PutObject action"
        )
        with refused("AccessDenied") as refusal:
            put("bare", "shared")
        assert refusal.message.endswith(
            "because no identity-based policy allows the s3:PutObject action"
        )


def test_no_secret_reaches_the_log(start, sandbox):
    with start(isolation=sandbox, auth="enforce", environment={"LAMPEJO_LOG": "trace"}) as server:
        lines = [line.strip() for line in server.rest_of_greeting(7)]
        found = dict(line.split("=", 1) for line in lines if line.startswith("AWS_"))
        root = (found["AWS_ACCESS_KEY_ID"], found["AWS_SECRET_ACCESS_KEY"])
        iam = server.client("iam", *root)
        iam.create_user(UserName="ana")
        key = iam.create_access_key(UserName="ana")["AccessKey"]
        iam.create_login_profile(UserName="ana", Password="Corr3ct-Horse!")
        given = server.client("sts", *root).get_session_token()["Credentials"]
        session = (given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
        server.client("sqs", *session).create_queue(QueueName="orders")
        server.stop()
        log = server.log.read_text(errors="replace")
        assert "sqs:CreateQueue" in log or "lampejo::request" in log, "the log says much"
        secrets = [root[1], key["SecretAccessKey"], *session[1:], "Corr3ct-Horse!"]
        assert [secret[:8] for secret in secrets if secret in log] == []
