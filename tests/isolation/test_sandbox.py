"""What a function must not be able to do: each test is a real function that tries."""

import json
import os
import re
import socket

import pytest

pytestmark = pytest.mark.usefixtures("needs_sandbox")


@pytest.fixture
def attempt(server, name):
    """Runs Python statements in a function; what they leave in `found` comes back."""

    def run(statements, **settings):
        body = "".join(f"    {line}\n" for line in statements.strip("\n").split("\n"))
        source = (
            "import ctypes, errno, os, socket, subprocess, sys\n"
            "def handler(event, context):\n"
            f"    found = None\n{body}    return found\n"
        )
        server.function(name, source, **{"Timeout": 20, "MemorySize": 512, **settings})
        return server.invoke(name)

    return run


def tries(calls):
    """Statements that make each call and note its error's name, or `done`."""
    lines = ["found = {}"]
    for call in calls:
        lines += [
            "try:",
            f"    {call}",
            f"    found[{call!r}] = 'done'",
            "except OSError as error:",
            f"    found[{call!r}] = errno.errorcode.get(error.errno, str(error))",
        ]
    return "\n".join(lines)


def test_it_is_nobody_special(attempt):
    found, _ = attempt(
        """
status = dict(line.split(":\\t") for line in open("/proc/self/status").read().split("\\n") if ":\\t" in line)
found = [os.getuid(), os.getgid(), os.getgroups(), status["CapEff"], status["CapPrm"],
         status["CapBnd"], status["NoNewPrivs"], status["Seccomp"]]
"""
    )
    nothing = "0" * 16
    assert found == [993, 990, [], nothing, nothing, nothing, "1", "2"]


def test_it_cannot_read_the_hosts_files(attempt, server, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("secret")
    secret.chmod(0o644)
    tmp_path.chmod(0o755)
    paths = [str(secret), str(server.data), str(server.log), "/etc/shadow", "/root", "/home"]
    found, _ = attempt(f"found = [p for p in {paths!r} if os.path.exists(p)]")
    assert found == []


def test_it_sees_only_its_own_processes(attempt):
    found, _ = attempt(
        """
pids = [int(p) for p in os.listdir("/proc") if p.isdigit()]
found = [os.getpid() in pids, len(pids)]
"""
    )
    assert found == [True, 1]


def test_it_cannot_reach_the_hosts_loopback(attempt):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        found, _ = attempt(
            f"""
try:
    socket.create_connection(("127.0.0.1", {port}), timeout=2)
    found = "reached"
except OSError as error:
    found = errno.errorcode[error.errno]
"""
        )
    assert found == "ECONNREFUSED"


def test_it_cannot_reach_the_network(attempt):
    found, _ = attempt(
        """
try:
    socket.create_connection(("192.0.2.1", 80), timeout=2)
    found = "reached"
except OSError as error:
    found = errno.errorcode.get(error.errno, str(error))
"""
    )
    assert found == "ENETUNREACH"


def test_it_writes_only_to_tmp(attempt):
    places = ["/var/task", "/var/runtime", "/opt", "/usr", "/etc", "/", "/proc/sys/kernel", "/dev"]
    calls = [f'open("{place}/x", "w")' for place in places] + ['open("/tmp/x", "w")']
    found, _ = attempt(tries(calls))
    written = [call for call, outcome in found.items() if outcome == "done"]
    assert written == ['open("/tmp/x", "w")'], found


def test_it_cannot_fill_more_than_its_tmp(attempt):
    found, _ = attempt(
        """
size = 0
try:
    with open("/tmp/fill", "wb") as file:
        while size < 2000:
            file.write(bytes(1 << 20))
            size += 1
    found = "no end"
except OSError as error:
    found = errno.errorcode[error.errno]
os.unlink("/tmp/fill")
""",
        MemorySize=2048,
    )
    # 512 MB is its size; a full one is its own problem.
    assert found == "ENOSPC"


def test_its_tmp_is_its_own(server, attempt, name):
    attempt('open("/tmp/left", "w").write("x")')
    source = "import os\ndef handler(event, context):\n    return os.listdir('/tmp')\n"
    server.function(f"{name}-other", source)
    assert server.invoke(f"{name}-other") == ([], None)


SYSTEM_CALLS = {
    "unshare(CLONE_NEWUSER)": (272, [0x10000000]),
    "unshare(CLONE_NEWNS)": (272, [0x00020000]),
    "mount": (165, [0, 0, 0, 0, 0]),
    "fsopen": (430, [0, 0]),
    "pivot_root": (155, [0, 0]),
    "bpf": (321, [0, 0, 0]),
    "io_uring_setup": (425, [1, 0]),
    "userfaultfd": (323, [0]),
    "keyctl": (250, [0, 0]),
    "perf_event_open": (298, [0, 0, 0, 0, 0]),
    "init_module": (175, [0, 0, 0]),
    "kexec_load": (246, [0, 0, 0, 0]),
    "reboot": (169, [0, 0, 0]),
    "setns": (308, [0, 0]),
    "ptrace": (101, [16, 1, 0, 0]),
    "process_vm_readv": (310, [1, 0, 0, 0, 0, 0]),
    "open_by_handle_at": (304, [0, 0, 0]),
    "swapon": (167, [0, 0]),
    "settimeofday": (164, [0, 0]),
}


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="numbers of x86_64's system calls")
def test_it_cannot_make_the_calls_that_open_doors(attempt):
    found, _ = attempt(
        f"""
libc = ctypes.CDLL(None, use_errno=True)
found = {{}}
for name, (number, arguments) in {SYSTEM_CALLS!r}.items():
    answer = libc.syscall(number, *map(ctypes.c_long, arguments))
    found[name] = "done" if answer >= 0 else errno.errorcode[ctypes.get_errno()]
"""
    )
    allowed = {name: it for name, it in found.items() if it not in ("EPERM", "ENOSYS", "EACCES")}
    assert allowed == {}


def test_it_cannot_open_sockets_that_see_the_machine(attempt):
    found, _ = attempt(
        tries(
            [
                "socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)",
                "socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)",
                "socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)",
                "socket.socket(socket.AF_ALG, socket.SOCK_SEQPACKET)",
                "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 9)",
            ]
        )
    )
    assert "done" not in found.values(), found


def test_its_memory_is_limited(server, attempt, name):
    answer, kind = attempt("found = len(bytearray(1 << 30))", MemorySize=128)
    assert kind == "Unhandled"
    assert answer["errorType"] == "Runtime.OutOfMemory", answer
    assert re.search("signal: killed", answer["errorMessage"]), answer
    # The server and other functions do not mind.
    server.function(f"{name}-other", "def handler(event, context):\n    return 1\n")
    assert server.invoke(f"{name}-other") == (1, None)


def test_its_processes_are_limited(server, attempt, name):
    found, kind = attempt(
        """
children = []
try:
    while len(children) < 5000:
        child = os.fork()
        if child == 0:
            os.pause() if hasattr(os, "pause") else __import__("signal").pause()
        children.append(child)
except OSError as error:
    found = [errno.errorcode[error.errno], len(children) < 1100]
for child in children:
    os.kill(child, 9)
"""
        ,
        MemorySize=2048,
    )
    assert (found, kind) == (["EAGAIN", True], None)


def test_what_it_leaves_running_dies_with_it(server, attempt, name):
    marker = f"lampejo-marker-{name}"
    attempt(
        f"""
subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(600)  # {marker}"])
found = 1
"""
    )

    def alive():
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    if marker.encode() in file.read():
                        found.append(int(pid))
            except OSError:
                continue
        return [pid for pid in found if pid != os.getpid()]

    from lampejo_server import eventually

    assert alive()
    server.client("lambda").delete_function(FunctionName=name)
    eventually(lambda: not alive(), "the end of the process")


def test_endless_output_is_bounded(server, attempt, name):
    answer, kind = attempt(
        """
for n in range(200_000):
    print("x" * 100)
found = "still here"
"""
    )
    assert (answer, kind) == ("still here", None)
    # 20 MB were printed; the server has neither died of it nor kept it all in memory.
    status = open(f"/proc/{server.process.pid}/status").read()
    resident = int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) // 1024
    assert resident < 400


def test_it_cannot_answer_for_others(attempt):
    """The Runtime API takes an answer only for the request that was given out."""
    found, _ = attempt(
        """
import http.client
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
other = "8476a536-e9f4-11e8-9739-2dfe598c3fcd"
api.request("POST", f"/2018-06-01/runtime/invocation/{other}/response", b"1")
found = api.getresponse().status
"""
    )
    assert 400 <= found < 500


def test_it_cannot_read_another_functions_code(server, attempt, name):
    server.function(f"{name}-secret", "KEY = 'of another'\ndef handler(e, c):\n    return 1\n")
    found, _ = attempt(
        """
found = []
for folder, _, files in os.walk("/"):
    if folder.startswith(("/proc", "/usr", "/sys")):
        continue
    for file in files:
        try:
            with open(os.path.join(folder, file), errors="replace") as opened:
                if "KEY = 'of " + "another'" in opened.read(100_000):
                    found.append(os.path.join(folder, file))
        except OSError:
            pass
"""
    )
    assert found == []


def test_descriptors_of_the_server_do_not_leak(attempt):
    found, _ = attempt(
        """
found = {}
for fd in os.listdir("/proc/self/fd"):
    try:
        found[fd] = os.readlink(f"/proc/self/fd/{fd}")
    except OSError:
        pass
"""
    )
    kinds = {re.sub(r":?\[\d+\]", "", target) for target in found.values()}
    assert kinds <= {"/dev/null", "pipe", "socket", "anon_inode", "anon_inode[eventpoll]"} | {
        it for it in kinds if it.startswith("/proc")
    }, json.dumps(found)
