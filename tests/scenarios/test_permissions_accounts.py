"""Queues and functions of other accounts: who may use them, and what others learn of them."""

import json

import pytest

from lampejo_server import ACCOUNT, PYTHON, REGION, ROLE, eventually, package

OTHER = "111111111111"


def document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action, resource="*", **more):
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def url_of(server, account, queue):
    return f"{server.endpoint}/{account}/{queue}"


@pytest.fixture(scope="module")
def two(start, sandbox):
    """A server that enforces, with users of another account: one may everything, one nothing."""
    with start(isolation=sandbox) as server:
        # Open mode makes the other account's users; then policies decide on the same data.
        iam = server.client("iam", key=OTHER)
        server.keys = {}
        for who, statements in (("allowed", [allow("*")]), ("bare", [])):
            iam.create_user(UserName=who)
            if statements:
                iam.put_user_policy(
                    UserName=who, PolicyName="p", PolicyDocument=document(*statements)
                )
            key = iam.create_access_key(UserName=who)["AccessKey"]
            server.keys[who] = (key["AccessKeyId"], key["SecretAccessKey"])
        sqs = server.client("sqs")
        queue = f"arn:aws:sqs:{REGION}:{ACCOUNT}"
        for name, actions in (("closed", None), ("shared", ["sqs:*"])):
            url = sqs.create_queue(QueueName=name, tags={"of": "owner"})["QueueUrl"]
            if actions:
                statement = allow(actions, f"{queue}:{name}", Principal={"AWS": OTHER})
                sqs.set_queue_attributes(
                    QueueUrl=url, Attributes={"Policy": document(statement)}
                )
        functions = server.client("lambda")
        code = package({"f.py": "def handler(event, context):\n    return event + 1\n"})
        functions.create_function(
            FunctionName="plus", Runtime=PYTHON, Handler="f.handler", Role=ROLE,
            Code={"ZipFile": code},
        )
        functions.get_waiter("function_active_v2").wait(
            FunctionName="plus", WaiterConfig={"Delay": 0.02, "MaxAttempts": 500}
        )
        for action in ("InvokeFunction", "GetFunctionConfiguration", "UpdateFunctionConfiguration"):
            functions.add_permission(
                FunctionName="plus", StatementId=action, Principal=OTHER,
                Action=f"lambda:{action}",
            )
        server.flags[1] = "enforce"
        server.restart()
        yield server


def test_a_queue_lets_another_account_in_if_both_allow(two, refused):
    sqs = two.client("sqs", *two.keys["allowed"])
    url = sqs.get_queue_url(QueueName="shared", QueueOwnerAWSAccountId=ACCOUNT)["QueueUrl"]
    assert url == url_of(two, ACCOUNT, "shared")
    sqs.send_message(QueueUrl=url, MessageBody="hello")
    [message] = sqs.receive_message(
        QueueUrl=url, WaitTimeSeconds=5, MessageSystemAttributeNames=["SenderId"]
    )["Messages"]
    assert message["Body"] == "hello"
    assert message["Attributes"]["SenderId"].startswith("AIDA")
    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    assert attributes["QueueArn"] == f"arn:aws:sqs:{REGION}:{ACCOUNT}:shared"
    with refused("AccessDenied") as refusal:
        two.client("sqs", *two.keys["bare"]).send_message(QueueUrl=url, MessageBody="x")
    assert refusal.message.endswith(
        "because no identity-based policy allows the sqs:SendMessage action"
    )


def test_what_is_not_shared_cannot_be_told_from_what_is_not_there(two, refused):
    sqs = two.client("sqs", *two.keys["allowed"])
    answers = []
    for queue in ("closed", "missing"):
        with refused("AccessDenied", status=403) as refusal:
            sqs.send_message(QueueUrl=url_of(two, ACCOUNT, queue), MessageBody="x")
        answers.append(refusal.message.replace(queue, "QUEUE"))
        with refused(
            "AWS.SimpleQueueService.NonExistentQueue",
            "The specified queue does not exist or you do not have access to it.",
            400,
        ):
            sqs.get_queue_url(QueueName=queue, QueueOwnerAWSAccountId=ACCOUNT)
    assert answers[0] == answers[1]
    assert answers[0].endswith("because no resource-based policy allows the sqs:SendMessage action")


def test_some_things_only_a_queues_owner_may_do(two, refused):
    sqs = two.client("sqs", *two.keys["allowed"])
    url = url_of(two, ACCOUNT, "shared")
    for call in (
        lambda: sqs.delete_queue(QueueUrl=url),
        lambda: sqs.set_queue_attributes(QueueUrl=url, Attributes={"DelaySeconds": "1"}),
        lambda: sqs.tag_queue(QueueUrl=url, Tags={"a": "b"}),
        lambda: sqs.untag_queue(QueueUrl=url, TagKeys=["of"]),
        lambda: sqs.list_queue_tags(QueueUrl=url),
        lambda: sqs.add_permission(
            QueueUrl=url, Label="l", AWSAccountIds=[OTHER], Actions=["SendMessage"]
        ),
        lambda: sqs.remove_permission(QueueUrl=url, Label="l"),
    ):
        with refused("AccessDenied") as refusal:
            call()
        assert "because no resource-based policy allows" in refusal.message


def test_a_function_lets_another_account_in_if_both_allow(two, refused):
    functions = two.client("lambda", *two.keys["allowed"])
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:plus"
    assert json.load(functions.invoke(FunctionName=arn, Payload=b"41")["Payload"]) == 42
    assert functions.get_function_configuration(FunctionName=arn)["FunctionArn"] == arn
    for call in (
        lambda: functions.get_function(FunctionName=arn),
        lambda: functions.invoke(FunctionName=arn.replace("plus", "missing")),
        # Of the owner only, whatever the policy says.
        lambda: functions.update_function_configuration(FunctionName=arn, Timeout=5),
    ):
        with refused("AccessDeniedException", status=403) as refusal:
            call()
        assert "because no resource-based policy allows" in refusal.message
    with refused("AccessDeniedException"):
        two.client("lambda", *two.keys["bare"]).invoke(FunctionName=arn)


def test_open_mode_asks_nobody(server, name, refused):
    mine, others = server.client("sqs"), server.client("sqs", key=OTHER)
    mine.create_queue(QueueName=name)
    url = others.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=ACCOUNT)["QueueUrl"]
    others.send_message(QueueUrl=url, MessageBody="x")
    assert len(mine.receive_message(QueueUrl=url, WaitTimeSeconds=5)["Messages"]) == 1
    # What only owners may do is not for policies to give.
    with refused("AWS.SimpleQueueService.NonExistentQueue"):
        others.delete_queue(QueueUrl=url)
    eventually(lambda: mine.list_queues(QueueNamePrefix=name)["QueueUrls"] == [url], "it is there")
