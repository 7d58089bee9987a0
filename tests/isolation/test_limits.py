"""Lambda's limits, each as large as it is there: what fits works, what is more fails as it does on
AWS."""

import base64
import contextlib
import json
import os
import re
import threading
import time

import pytest

from lampejo_server import eventually

OUT_OF_MEMORY = "Error: Runtime exited with error: signal: killed"


@pytest.fixture
def counted(server):
    """Skips what only control groups can limit."""
    if not server.has_cgroups:
        pytest.skip("without control groups memory and processor time are limited only loosely")


@pytest.fixture
def freezer(server):
    if not server.has_freezer:
        pytest.skip("no control groups of version 2 to freeze instances with")


def max_memory_used(server, name, event):
    """What the REPORT line says, in MB."""
    answer = server.client("lambda").invoke(
        FunctionName=name, LogType="Tail", Payload=json.dumps(event)
    )
    assert "FunctionError" not in answer, answer["Payload"].read()
    tail = base64.b64decode(answer["LogResult"]).decode()
    return int(re.search(r"Max Memory Used: (\d+) MB", tail).group(1))


WRITER = """
import errno, mmap, os
hoard = []
def handler(event, context):
    block = bytes(1 << 20)
    with open("/tmp/file", "ab", buffering=0) as file:
        written = 0
        try:
            while written < event.get("write", 0) << 20:
                written += file.write(block)
        except OSError as error:
            assert error.errno == errno.ENOSPC, error
    if event.get("delete"):
        os.remove("/tmp/file")
    if event.get("hoard"):
        # By small steps: the limit is met on the way.
        for _ in range(event["hoard"]):
            hoard.append(b"x" * (1 << 20))
    for name in event.get("memory", []):
        with open(name, "wb", buffering=0) as file:
            [file.write(block) for _ in range(event["mib"])]
    return written >> 20
"""


def test_tmp_is_as_large_as_said_whatever_the_memory(server, counted, name, unharmed):
    server.function(name, WRITER, MemorySize=256, Timeout=60)
    assert server.invoke(name, {"write": 500}) == (500, None)
    assert max_memory_used(server, name, {"write": 4}) <= 64, "without /tmp"
    assert server.invoke(name, {"write": 100}) == (8, None), "ENOSPC at 512"
    assert server.invoke(name, {"delete": True, "hoard": 20}) == (0, None)
    assert server.invoke(name, {"write": 100}) == (100, None), "the same instance goes on"
    unharmed()


@pytest.mark.parametrize("written", [0, 400])
def test_processes_have_their_memory_and_no_more(server, counted, name, unharmed, written):
    server.function(name, WRITER, MemorySize=256, Timeout=60)
    for _ in range(2):
        event = {"write": written, "hoard": 150}
        assert server.invoke(name, event) == (written, None)
        event = {"hoard": 130}
        value, error = server.invoke(name, event)
        assert (value["errorType"], error) == ("Runtime.OutOfMemory", "Unhandled")
        assert value["errorMessage"].endswith(OUT_OF_MEMORY)
    unharmed()


def test_what_was_tmps_is_not_the_processes(server, counted, name):
    server.function(name, WRITER, MemorySize=256, Timeout=60)
    assert server.invoke(name, {"write": 300, "delete": True}) == (300, None)
    assert server.invoke(name, {"hoard": 300})[0]["errorType"] == "Runtime.OutOfMemory"


def test_shared_memory_is_memory(server, counted, name):
    server.function(name, WRITER, MemorySize=256, Timeout=60)
    event = {"write": 260, "memory": ["/dev/shm/file"], "mib": 60}
    assert server.invoke(name, event) == (260, None)
    assert server.invoke(name, {"hoard": 220})[0]["errorType"] == "Runtime.OutOfMemory"


def test_hidden_memory_is_memory(server, counted, attacker, unharmed):
    def attack(kind):
        import fcntl, os, socket

        held, block = [], bytes(1 << 20)
        for _ in range(1000):
            if kind == "files without names":
                held.append(os.memfd_create("hidden"))
                os.write(held[-1], block)
            elif kind == "pipes":
                held.append(os.pipe())
                fcntl.fcntl(held[-1][1], fcntl.F_SETPIPE_SZ, 1 << 20)
                os.set_blocking(held[-1][1], False)
                os.write(held[-1][1], block)
            else:
                held.append(socket.socketpair())
                held[-1][0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
                held[-1][0].setblocking(False)
                try:
                    while True:
                        held[-1][0].send(block[: 1 << 16])
                except BlockingIOError:
                    pass
        return len(held)

    invoke = attacker(attack, MemorySize=128, Timeout=30)
    for kind in ("files without names", "pipes", "sockets"):
        value, error = invoke(kind)
        # The kernel may refuse a buffer, or Python run out of descriptors, before memory ends.
        assert error is not None, (kind, value)
        kinds = ("Runtime.OutOfMemory", "OSError", "BlockingIOError", "PermissionError")
        assert value["errorType"] in kinds, (kind, value)
    unharmed()


BURN = """
import threading, time
def handler(event, context):
    # The first turn of a quota may be anywhere in its period.
    begun, used = time.monotonic(), time.process_time()
    threads = [threading.Thread(target=spin, args=(begun + event,)) for _ in range(2)]
    [it.start() for it in threads]
    [it.join() for it in threads]
    return (time.process_time() - used) / (time.monotonic() - begun)
def spin(until):
    while time.monotonic() < until: pass
"""


def test_processor_time_follows_memory(server, counted, name):
    def share(mib):
        value, error = server.invoke(f"{name}-{mib}", 0.3)
        assert error is None, value
        return value

    for mib in (177, 885):
        server.function(f"{name}-{mib}", BURN, MemorySize=mib, Timeout=30)

    def have_their_shares():
        # 0.1 and 0.5 of a processor: never more, but on a busy machine at times less.
        small, large = share(177), share(885)
        assert small < 0.15 and large < 0.65, (small, large)
        return small > 0.05 and large > 2.5 * small

    eventually(have_their_shares, "the shares of 177 and 885 MB")


def test_threads_and_processes_are_counted_together(server, counted, attacker, unharmed):
    def attack():
        import os, signal, threading

        stop, threads, children = threading.Event(), 0, []
        try:
            for _ in range(300):
                child = os.fork()
                if child == 0:
                    signal.pause()
                children.append(child)
            while threads < 2000:
                threading.Thread(target=stop.wait).start()
                threads += 1
        except (RuntimeError, OSError):
            pass
        stop.set()
        for child in children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        return threads + len(children)

    value, error = attacker(attack, MemorySize=1769, Timeout=30)()
    assert error is None and 1000 < value < 1024, value
    unharmed()


def test_a_long_line_is_cut_at_256_kib(server, name):
    source = "def handler(event, context): print('x' * 600_000 + 'end')"
    server.function(name, source, MemorySize=512)
    assert server.invoke(name)[1] is None
    lines = eventually(lambda: server.log_lines(name, '"REPORT"') and server.log_lines(name), "log")
    assert [len(line) for line in lines if line.startswith("x")] == [1 << 18, 1 << 18, 75_715]


def test_output_that_is_no_text_reaches_the_log(server, name):
    source = (
        "import os\ndef handler(event, context):\n"
        "    os.write(1, b'\\xff\\xfe binary \\x00 \\x1b[31m\\r\\n')\n"
    )
    server.function(name, source)
    assert server.invoke(name)[1] is None
    lines = eventually(lambda: server.log_lines(name, '"REPORT"') and server.log_lines(name), "log")
    assert any("\ufffd\ufffd binary" in line for line in lines), lines


@contextlib.contextmanager
def time_flies(server):
    """Moves the server's clock until the block is over."""
    over = threading.Event()

    def move():
        while not over.wait(0.03):
            server.advance(1)

    mover = threading.Thread(target=move)
    mover.start()
    yield
    over.set()
    mover.join()


def test_an_init_of_ten_seconds_is_begun_again_in_the_invocation(start, needs_sandbox, name):
    # A server of its own: moving the clock ends the invocations of others.
    with start() as server:
        source = "import time\ntime.sleep(600)\ndef handler(event, context): return 1"
        server.function(name, source, Timeout=30)
        with time_flies(server):
            value, error = server.invoke(name)
        assert (value["errorType"], error) == ("Sandbox.Timedout", "Unhandled")
        assert value["errorMessage"].endswith("Error: Task timed out after 30.00 seconds")

        def told():
            return [line for line in server.log_lines(name) if "INIT_REPORT" in line]

        first, second = eventually(lambda: len(told()) == 2 and told(), "both inits are told")
        duration = r"INIT_REPORT Init Duration: \d+\.\d\d ms\tPhase: %s\tStatus: timeout"
        assert re.fullmatch(duration % "init", first) and re.fullmatch(duration % "invoke", second)


def test_a_timeout_replaces_the_environment(server, name):
    source = (
        "import os, time\n"
        "def handler(event, context):\n"
        "    marks = os.listdir('/tmp')\n"
        "    open('/tmp/mark', 'w').close()\n"
        "    time.sleep(event)\n"
        "    return marks\n"
    )
    server.function(name, source, Timeout=3)
    assert server.invoke(name, 0) == ([], None)
    assert server.invoke(name, 0) == (["mark"], None)
    value, error = server.invoke(name, 60)
    assert value["errorMessage"].endswith("Error: Task timed out after 3.00 seconds"), value
    assert server.invoke(name, 0) == ([], None)


BUSY = """
import threading, time
longest, turns = 0.0, 0
def spin():
    global longest, turns
    last = time.monotonic()
    while True:
        now = time.monotonic()
        longest, last, turns = max(longest, now - last), now, turns + 1
threading.Thread(target=spin, daemon=True).start()
def handler(event, context):
    return longest, turns
"""


def processor_ticks(word):
    """What the processes with this word in their environment have used, in the kernel's ticks."""
    ticks = 0
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            with open(f"/proc/{pid}/environ", "rb") as file:
                if word.encode() not in file.read():
                    continue
            with open(f"/proc/{pid}/stat") as file:
                fields = file.read().rsplit(")", 1)[1].split()
                ticks += int(fields[11]) + int(fields[12])
    return ticks


def test_nothing_runs_between_invocations(server, freezer, name, unharmed):
    server.function(name, BUSY, MemorySize=1769, Timeout=30)
    turns = server.invoke(name)[0][1]

    def stands_still():
        before = processor_ticks(name)
        time.sleep(0.2)
        return processor_ticks(name) == before > 0

    for _ in range(3):
        eventually(stands_still, "its busy thread uses no processor time")
        (longest, more), error = server.invoke(name)
        # It goes on where it was.
        assert error is None and longest > 0.2 and more > turns
        turns = more
    client = server.client("lambda")
    eventually(stands_still, "it stands still once more")
    # What stands still ends like all else.
    client.delete_function(FunctionName=name)
    eventually(lambda: processor_ticks(name) == 0, "it has ended")
    unharmed()
