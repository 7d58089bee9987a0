"""How many instances are kept, and in which memory."""

import json
import os
import subprocess

import pytest
from botocore.exceptions import ClientError

from lampejo_server import binary, eventually

SLEEPER = "import time\ndef handler(event, context):\n    time.sleep(event)\n"


def status(server):
    """What `lampejo status` says of the instances."""
    environment = {**os.environ, "AWS_ENDPOINT_URL": server.endpoint}
    command = [binary(), "status"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)
    health, _, rest = done.stdout.partition("\n}\n")
    return json.loads(rest)


def idle(server):
    return sum(function["idle"] for function in status(server)["functions"].values())


def test_no_start_goes_beyond_the_memory_budget(start, sandbox):
    with start(isolation=sandbox, environment={"LAMPEJO_MEMORY_BUDGET_MIB": "200"}) as server:
        for number in range(4):
            server.function(f"f{number}", SLEEPER, MemorySize=150)
            assert server.invoke(f"f{number}", 0) == (None, None)
            memory = status(server)["memory"]
            assert memory["budget_mib"] == 200 and 0 < memory["held_mib"] <= 200
        server.function("greedy", SLEEPER, MemorySize=3000)
        # It needs all: the others go.
        assert server.invoke("greedy", 0) == (None, None)
        eventually(lambda: idle(server) == 1, "only one is left")
        client = server.client("lambda", retries={"total_max_attempts": 1})
        client.invoke(FunctionName="greedy", Payload=b"2", InvocationType="Event")
        eventually(
            lambda: any(it["busy"] for it in status(server)["functions"].values()), "it is busy"
        )
        server.function("other", SLEEPER, MemorySize=250)
        with pytest.raises(ClientError) as caught:
            client.invoke(FunctionName="other", Payload=b"0")
        error = caught.value.response["Error"]
        assert error["Code"] == "TooManyRequestsException"
        assert error["Message"] == "busy instances leave no room in 200 MiB of memory"


def test_what_a_burst_has_needed_is_given_back(own_server):
    own_server.function("burst", SLEEPER)
    client = own_server.client("lambda")
    for _ in range(3):
        client.invoke(FunctionName="burst", Payload=b"1", InvocationType="Event")
    eventually(lambda: idle(own_server) == 3, "three are idle")
    own_server.advance(7 * 60)
    eventually(lambda: idle(own_server) == 1, "one is left")
    own_server.advance(5 * 60)
    eventually(lambda: not status(own_server)["functions"], "nothing is left")
