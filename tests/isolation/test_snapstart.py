"""Instances that are forked from one process see nothing of each other, of it, or of the host."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from lampejo_server import doctor

# The first Python that has SnapStart. A machine without it runs the nearest that it has.
RUNTIME = "python3.12"

SOURCE = """
import os, threading, time
secret = bytearray(b"of the init")
open("/tmp/init", "w").close()
def handler(event, context):
    if event["do"] == "keep":
        secret[:] = b"of the first"
        open("/tmp/first", "w").close(); open("/dev/shm/first", "w").close()
        time.sleep(event["seconds"])
        return None
    status = dict(line.split(":", 1) for line in open("/proc/self/status"))
    signalled = []
    for pid in range(2, 5000):
        try: os.kill(pid, 0); signalled.append(pid)
        except OSError: pass
    import socket
    def reach(port):
        try: socket.create_connection(("127.0.0.1", port), 1).close(); return True
        except OSError: return False
    def refused(call):
        try: call(); return False
        except OSError: return True
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    return {
        "secret": secret.decode(), "tmp": os.listdir("/tmp"), "shm": os.listdir("/dev/shm"),
        "pids": [it for it in os.listdir("/proc") if it.isdigit()], "signalled": signalled,
        "capabilities": [status[it].strip() for it in ("CapPrm", "CapEff", "CapInh", "CapAmb")],
        "locks": [status["NoNewPrivs"].strip(), status["Seccomp"].strip()],
        "host": reach(event["port"]),
        "mount": libc.mount(b"none", b"/tmp", b"tmpfs", 0, None),
        "unshare": libc.unshare(0x10000000),
        "root": refused(lambda: open("/x", "w")),
        "user": os.getuid(),
    }
"""


@pytest.fixture(scope="module", params=["own rights", "unprivileged"])
def server(request, needs_sandbox, start):
    settings = {"environment": {"LAMPEJO_NEAREST_RUNTIME": "true"}}
    if request.param == "unprivileged":
        settings |= {"owner": 65534, "command": request.getfixturevalue("unprivileged")}
    with start(**settings) as server:
        yield server


def test_instances_of_one_snapshot_are_strangers(server, name, host_listener):
    server.function(
        name, SOURCE, Runtime=RUNTIME, SnapStart={"ApplyOn": "PublishedVersions"}, Timeout=20
    )
    client = server.client("lambda")
    version = client.publish_version(FunctionName=name)["Version"]
    client.get_waiter("published_version_active").wait(
        FunctionName=name, Qualifier=version, WaiterConfig={"Delay": 0.02, "MaxAttempts": 1000}
    )
    shown = client.get_function_configuration(FunctionName=name, Qualifier=version)
    assert shown["SnapStart"]["OptimizationStatus"] == "On"
    look = {"do": "look", "port": host_listener.getsockname()[1]}
    keep = {"do": "keep", "seconds": 3}
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(server.invoke, name, keep, Qualifier=version)
        seen, error = threads.submit(server.invoke, name, look, Qualifier=version).result()
        # Which of them came first does not matter: they have run at once.
        assert first.result() == (None, None)
    assert error is None
    assert seen == {
        "secret": "of the init",
        "tmp": ["init"],
        "shm": [],
        "pids": ["1"],
        "signalled": [],
        "capabilities": ["0" * 16] * 4,
        "locks": ["1", "2"],
        "host": False,
        "mount": -1,
        "unshare": -1,
        "root": True,
        "user": 993,
    }
    lines = server.log_lines(name)
    assert any("Restore Duration" in line for line in lines), lines


MANY = """
import threading, time
threading.stack_size(65536)
def handler(event, context):
    over, begun = threading.Event(), 0
    try:
        for begun in range(event["threads"]):
            threading.Thread(target=over.wait, daemon=True).start()
    except RuntimeError:
        pass
    time.sleep(event["seconds"])
    over.set()
    return begun
"""


def test_instances_of_one_snapshot_have_their_own_processes(server, name, request):
    server.function(
        name,
        MANY,
        Runtime=RUNTIME,
        SnapStart={"ApplyOn": "PublishedVersions"},
        MemorySize=1769,
        Timeout=20,
    )
    client = server.client("lambda")
    version = client.publish_version(FunctionName=name)["Version"]
    client.get_waiter("published_version_active").wait(
        FunctionName=name, Qualifier=version, WaiterConfig={"Delay": 0.02, "MaxAttempts": 1000}
    )
    begun, error = server.invoke(name, {"threads": 1500, "seconds": 0}, Qualifier=version)
    assert error is None and 900 < begun < 1025, (begun, error)
    if request.node.callspec.params["server"] != "own rights" or "pids" not in doctor().stdout:
        # Without a cgroup the kernel counts those of all of them together.
        return
    many = {"threads": 700, "seconds": 2}
    with ThreadPoolExecutor(2) as threads:
        begun = list(threads.map(lambda _: server.invoke(name, many, Qualifier=version), range(2)))
    assert begun == [(699, None)] * 2
