"""The kill test: the server is killed again and again while clients change things. What it
acknowledged must be there afterwards, what it acknowledged as deleted must not come back; what it
did not acknowledge may be there or not, but whole and once.
"""

import concurrent.futures
import json
import random

from durability.ledger import CODE, PART, Clients, Ledger, content
from lampejo_server import eventually

ROUNDS = 12
# A round ends when this many changes were acknowledged in it: at another moment each time.
CHANGES_A_ROUND = (20, 200)
# Longer than any lease or pause between attempts.
AFTER_ALL_LEASES = 400


def test_nothing_acknowledged_is_lost(own_server, name):
    server, ledger = own_server, Ledger()
    server.client("s3").create_bucket(Bucket=name)
    server.client("logs").create_log_group(logGroupName=name)
    queue, done = (
        server.client("sqs").create_queue(QueueName=it)["QueueUrl"] for it in (name, f"{name}-done")
    )
    function = server.function(name, "def handler(event, context): return 1", MemorySize=512)
    tell(server, function, done)
    dice = random.Random(4566)
    for turn in range(ROUNDS):
        one_turn(server, Clients(server, name, queue, ledger), turn, dice.randint(*CHANGES_A_ROUND))
    counts = {kind: len(ledger.done[kind]) for kind in Clients.KINDS}
    print(f"killed {ROUNDS} times; acknowledged: {counts}")
    assert min(counts.values()) > ROUNDS / 2, counts
    check_objects(server, name, ledger)
    check_functions(server, ledger)
    check_logs(server, name, ledger)
    check_messages(server, queue, ledger)
    check_invocations(server, done, ledger)
    assert not list(server.data.rglob("unfinished-*"))


def tell(server, function, queue):
    """Each invocation that succeeds tells a queue: its record shows that it was done."""
    attributes = server.client("sqs").get_queue_attributes(
        QueueUrl=queue, AttributeNames=["QueueArn"]
    )
    success = {"OnSuccess": {"Destination": attributes["Attributes"]["QueueArn"]}}
    server.client("lambda").put_function_event_invoke_config(
        FunctionName=function, DestinationConfig=success
    )


def one_turn(server, clients, turn, enough):
    """Clients write until enough is acknowledged; then the server is killed, and started again."""
    before = clients.ledger.count
    with concurrent.futures.ThreadPoolExecutor(len(clients.KINDS)) as threads:
        writers = [threads.submit(clients.write, kind, turn) for kind in clients.KINDS]
        try:
            eventually(lambda: clients.ledger.count - before >= enough, "enough changes", 60)
        finally:
            server.kill()
    for writer in writers:
        writer.result()
    server.start()


def check_objects(server, bucket, ledger):
    s3 = server.client("s3")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    there = {it["Key"] for page in pages for it in page.get("Contents", [])}
    assert ledger.done["put"] | ledger.done["upload"] <= there, "an object is lost"
    assert not ledger.done["delete"] & there, "a deleted object is back"
    for key in there:
        body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        if key == "overwritten":
            token = body.split(b"/", 1)[0].decode()
            assert body == content(token, 15_000), "versions are mixed"
            assert token >= max(ledger.done["overwrite"]), "an older version is back"
        elif key.startswith("upload"):
            assert body == PART + content(key), f"{key} is torn"
        else:
            assert body == content(key), f"{key} is torn"


def check_functions(server, ledger):
    client = server.client("lambda")
    pages = client.get_paginator("list_functions").paginate()
    there = {it["FunctionName"] for page in pages for it in page["Functions"]}
    assert ledger.done["create"] <= there, "a function is lost"
    created = there & ledger.asked["create"]
    sizes = {client.get_function_configuration(FunctionName=it)["CodeSize"] for it in created}
    assert sizes == {len(CODE)}
    assert server.invoke(max(created), {"a": 1}) == ({"a": 1}, None)


def check_logs(server, group, ledger):
    logs = server.client("logs")
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group)
    there = [it["message"] for page in pages for it in page["events"]]
    assert ledger.done["log"] <= set(there), "a log event is lost"
    assert len(there) == len(set(there)), "a log event is there twice"


def check_messages(server, queue, ledger):
    there = drain(server, queue, ledger.done["send"] - ledger.asked["consume"])
    assert there <= ledger.asked["send"]
    assert not there & ledger.done["consume"], "a deleted message is back"


def check_invocations(server, queue, ledger):
    def token(body):
        record = json.loads(body)
        assert record["requestContext"]["condition"] == "Success", record
        return record["requestPayload"]["token"]

    there = drain(server, queue, ledger.done["invoke"], token)
    assert there <= ledger.asked["invoke"]


def drain(server, queue, wanted, token=lambda body: body):
    """The tokens of all messages: all that are wanted, and whatever else there is."""
    sqs, found = server.client("sqs"), set()

    def take():
        # Leased or tried before a kill: due by now.
        server.advance(AFTER_ALL_LEASES)
        answer = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=1)
        messages = answer.get("Messages", [])
        entries = [
            {"Id": str(n), "ReceiptHandle": it["ReceiptHandle"]} for n, it in enumerate(messages)
        ]
        if entries:
            sqs.delete_message_batch(QueueUrl=queue, Entries=entries)
        found.update(token(it["Body"]) for it in messages)
        return not messages and wanted <= found

    eventually(take, "everything that was acknowledged", 60)
    return found
