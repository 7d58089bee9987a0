"""Processes that a function leaves running: they end with its instance at the latest."""

import contextlib
import os
import time

from lampejo_server import doctor, eventually


def test_a_process_that_outlives_its_invocation_ends_with_the_instance(
    server, attacker, unharmed, ended_on_host, name
):
    def attack(word):
        import os, sys

        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                script = "import time\nwhile True: print('daemon'); time.sleep(.01)"
                os.execv(sys.executable, [sys.executable, "-u", "-S", "-c", script, word])
            os._exit(0)
        os.wait()
        return "answered"

    invoke = attacker(attack)
    assert invoke(name) == ("answered", None)
    assert invoke(name) == ("answered", None)
    unharmed()
    server.client("lambda").delete_function(FunctionName=name)
    ended_on_host(name)


def test_the_end_of_the_runtime_is_the_end_of_what_it_started(attacker, ended_on_host, name):
    def attack(word):
        import os, subprocess, sys

        script = "import time; time.sleep(600)"
        subprocess.Popen([sys.executable, "-S", "-c", script, word], start_new_session=True)
        os._exit(7)

    value, error = attacker(attack)(name)
    assert (value["errorType"], error) == ("Runtime.ExitError", "Unhandled")
    assert value["errorMessage"].endswith(" Error: Runtime exited with error: exit status 7")
    ended_on_host(name)


def test_what_stands_still_ends_with_the_server(start, needs_sandbox, ended_on_host, name):
    source = (
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-S', '-c', 'while True: pass', %r])\n"
        "def handler(event, context): return 1\n" % name
    )
    with start() as server:
        server.function("f", source, MemorySize=1769)
        assert server.invoke("f") == (1, None)
        # Where it can be frozen it soon is; where not, it ends all the same.
        eventually(lambda: stands_still(name) or not can_freeze(), "the child stands still")
        server.kill()
        ended_on_host(name)
        server.start()


def can_freeze():
    return " freezer" in doctor().stdout and "(no freezer)" not in doctor().stdout


def stands_still(word):
    before = ticks(word)
    time.sleep(0.2)
    return ticks(word) == before


def ticks(word):
    """Processor time of the host's processes with this word in their command line."""
    total = 0
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            with open(f"/proc/{pid}/cmdline", "rb") as line:
                if word.encode() not in line.read():
                    continue
            with open(f"/proc/{pid}/stat") as file:
                fields = file.read().rsplit(")", 1)[1].split()
            total += int(fields[11]) + int(fields[12])
    return total
