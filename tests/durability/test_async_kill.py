"""The kill test of asynchronous invocations: the server is killed again and again while events come
in and run. Each event that was acknowledged runs at least once, and its end is told at least once.
"""

import collections
import concurrent.futures
import contextlib
import json
import time

from durability.ledger import GONE
from lampejo_server import ACCOUNT, REGION, eventually

ROUNDS = 5
# Threads that send, and acknowledged events that end a round.
SENDERS = 4
EVENTS_A_ROUND = 60
# Longer than the waits between attempts and than any lease.
AFTER_ALL_WAITS = 400
# Longer: moving the clock times no invocation out.
TIMEOUT = 900
# Far from the six hours after which an event is given up.
MAX_ADVANCES = 20
# No end told for so long: what is left waits for the clock.
QUIET_SECONDS = 0.5

# Every fifth event fails, and is tried twice.
SOURCE = """
def handler(event, context):
    print("ran", event["token"])
    number = int(event["token"].rsplit("-", 1)[1])
    if number % 5 == 0:
        raise ValueError("no")
    return event["token"]
"""


def test_every_acknowledged_event_runs_and_its_end_is_told(own_server, name):
    server = own_server
    sqs, client = server.client("sqs"), server.client("lambda")
    urls = {}
    destinations = {}
    for end in ("OnSuccess", "OnFailure"):
        queue = f"{name}-{end}"
        urls[end] = sqs.create_queue(QueueName=queue)["QueueUrl"]
        destinations[end] = {"Destination": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}"}
    server.function(name, SOURCE, MemorySize=256, Timeout=TIMEOUT)
    client.put_function_event_invoke_config(
        FunctionName=name, MaximumRetryAttempts=1, DestinationConfig=destinations
    )
    acknowledged = set()
    for turn in range(ROUNDS):
        acknowledged |= one_turn(server, name, turn)
    told = collect(server, urls, acknowledged)
    ran = collections.Counter(line.split()[1] for line in server.log_lines(name, "ran"))
    failing = {token for token in acknowledged if int(token.rsplit("-", 1)[1]) % 5 == 0}
    repeats = sum(told.values()) - len(told)
    print(f"killed {ROUNDS} times; {len(acknowledged)} acknowledged, {repeats} told twice")
    assert len(acknowledged) >= ROUNDS * EVENTS_A_ROUND
    assert failing and failing < acknowledged
    for token in acknowledged:
        end = "OnFailure" if token in failing else "OnSuccess"
        assert told[token, end] >= 1, f"nobody was told of {token}"
        other = "OnSuccess" if token in failing else "OnFailure"
        assert told[token, other] == 0, f"{token} ended in two ways"
    # Lines of the last tenth of a second before a kill may be lost, the records never.
    assert len(acknowledged - set(ran)) < ROUNDS * 50


def one_turn(server, name, turn):
    """Clients send until enough is acknowledged; then the server is killed, and started again."""
    client = server.client("lambda", read_timeout=20, max_pool_connections=SENDERS)
    done = set()

    def send(sender):
        step = 0
        with contextlib.suppress(*GONE):
            while True:
                token = f"{turn}-{sender}-{step:05}"
                payload = json.dumps({"token": token})
                client.invoke(FunctionName=name, InvocationType="Event", Payload=payload)
                done.add(token)
                step += 1

    with concurrent.futures.ThreadPoolExecutor(SENDERS) as threads:
        senders = [threads.submit(send, number) for number in range(SENDERS)]
        try:
            eventually(lambda: len(done) >= EVENTS_A_ROUND, "enough events", 60)
        finally:
            server.kill()
    for sender in senders:
        sender.result()
    server.start()
    return done


def collect(server, urls, wanted):
    """How often each event's end was told, by its token and by which queue."""
    sqs, told = server.client("sqs"), collections.Counter()
    advances, quiet_since = 0, time.monotonic()

    def take():
        nonlocal advances, quiet_since
        found = 0
        for end, url in urls.items():
            answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)
            messages = answer.get("Messages", [])
            found += len(messages)
            for message in messages:
                token = json.loads(message["Body"])["requestPayload"]["token"]
                told[token, end] += 1
            entries = [
                {"Id": str(n), "ReceiptHandle": it["ReceiptHandle"]}
                for n, it in enumerate(messages)
            ]
            if entries:
                sqs.delete_message_batch(QueueUrl=url, Entries=entries)
        now = time.monotonic()
        if found:
            quiet_since = now
        elif now - quiet_since > QUIET_SECONDS and advances < MAX_ADVANCES:
            # What failed is tried again, what was leased before a kill is due.
            server.advance(AFTER_ALL_WAITS)
            advances, quiet_since = advances + 1, now
        return not found and wanted <= {token for token, _ in told}

    eventually(take, "every end was told", 60)
    return told
