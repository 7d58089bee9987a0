"""The end of a server, asked for or not: nothing that it started outlives it."""

import concurrent.futures
import os
import pathlib
import signal
import time

import pytest

from lampejo_server import eventually

SLEEPER = "import time\ndef handler(event, context):\n    time.sleep(event)\n    return event\n"
STOPS_WITHIN_SECONDS = 15


def children(parent):
    """Processes that a process started, with their start times: together an identity."""
    found = set()
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == parent:
            found.add((stat.parent.name, fields[19]))
    return found


def alive(processes):
    """Those that are still there, other than as zombies of somebody else's."""
    found = set()
    for pid, start in processes:
        try:
            fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[19] == start and fields[0] != "Z":
            found.add(pid)
    return found


def cgroups(server):
    """The control groups of a server's instances."""
    return [it for it, _, _ in os.walk("/sys/fs/cgroup") if f"/lampejo-{server}-" in it]


@pytest.fixture
def busy_server(own_server, name):
    """A server with functions that run, and calls that wait for them."""
    own_server.function(name, SLEEPER, Timeout=60)
    own_server.function(f"{name}-idle", SLEEPER)
    own_server.invoke(f"{name}-idle", 0)
    client = own_server.client("lambda", read_timeout=90)
    pid = own_server.process.pid
    with concurrent.futures.ThreadPoolExecutor(3) as threads:
        for _ in range(3):
            threads.submit(client.invoke, FunctionName=name, Payload=b"50")
        eventually(lambda: len(children(pid)) >= 4, "four instances")
        yield own_server


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_server_ends_soon_and_leaves_nothing(busy_server, number):
    process = busy_server.process
    instances = children(process.pid)
    began = time.monotonic()
    process.send_signal(number)
    assert process.wait(timeout=STOPS_WITHIN_SECONDS) == 0
    print(f"stopped after {time.monotonic() - began:.1f} s")
    assert alive(instances) == set()
    assert cgroups(process.pid) == []


def test_a_killed_server_takes_its_instances_along(busy_server, name):
    server, pid = busy_server, busy_server.process.pid
    instances = children(pid)
    server.kill()
    eventually(lambda: not alive(instances), "the instances have ended")
    server.start()
    assert cgroups(pid) == [], "the next server removes what is left"
    assert server.invoke(name, 0) == (0, None)
