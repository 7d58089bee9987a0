"""What a function sees: its own code, the runtime, and nothing of the host or of others."""

import pathlib
import socket
from concurrent.futures import ThreadPoolExecutor
from errno import EADDRNOTAVAIL, ECONNREFUSED, ENETUNREACH

SECRET_FILE = "secret-of-somebody-else"


def test_files_of_the_host_are_not_there(server, run_inside):
    (server.folder / SECRET_FILE).write_text("readable for everybody on the host")
    (server.folder / SECRET_FILE).chmod(0o644)

    def attack(paths):
        import os

        return [path for path in paths if os.path.lexists(path)]

    secrets = ["/etc/shadow", "/etc/gshadow", "/etc/sudoers", "/etc/ssh"]
    system = ["/sys", "/run", "/boot", "/dev/kmsg", "/dev/mem", "/dev/tty", "/dev/vda", "/dev/sda"]
    folders = [pathlib.Path.home() / ".ssh", server.folder, server.data]
    own = [*folders, server.folder / SECRET_FILE, server.command[-1]]
    assert run_inside(attack, [*secrets, *system, *map(str, own)]) == []


def test_no_file_of_another_function_is_anywhere(server, run_inside, name):
    code = f"open('/tmp/{SECRET_FILE}', 'w')\ndef handler(event, context): return 1"
    server.function(name, code, file=f"{SECRET_FILE}.py", Handler=f"{SECRET_FILE}.handler")
    assert server.invoke(name) == (1, None)

    def attack(word):
        import os

        found = []
        for folder, folders, files in os.walk("/"):
            folders[:] = [it for it in folders if os.path.join(folder, it) not in ("/proc", "/usr")]
            found += [os.path.join(folder, it) for it in files if word in it]
        return found

    assert run_inside(attack, SECRET_FILE) == []


def test_instances_of_one_function_do_not_share_tmp(server, attacker):
    def attack(mine):
        import os, time

        open(f"/tmp/{mine}", "w").close()
        # Both are inside at once.
        time.sleep(1)
        return os.listdir("/tmp")

    invoke = attacker(attack, Timeout=20)
    with ThreadPoolExecutor(2) as threads:
        first, second = threads.map(invoke, ["first", "second"])
    assert (first, second) == ((["first"], None), (["second"], None))


def test_only_tmp_and_shared_memory_are_writable(run_inside):
    def attack():
        writable, privileged = [], []
        for line in open("/proc/self/mountinfo"):
            place, options = line.split()[4], line.split()[5].split(",")
            if "rw" in options:
                writable.append(place)
            if "nosuid" not in options or ("nodev" not in options and place[:5] != "/dev/"):
                privileged.append(place)
        return sorted(writable), privileged

    assert run_inside(attack) == [["/dev/shm", "/proc", "/tmp"], []]


def test_processes_of_the_host_are_not_there(server, run_inside):
    def attack(pid):
        import os

        seen = [it for it in os.listdir("/proc") if it.isdigit()]
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return os.getpid(), seen
        return "the server would have got a signal"

    # In its own world there are the function and the init that started it. The server's id on the
    # host is greater than any in there.
    assert run_inside(attack, server.process.pid) == [2, ["1", "2"]]


def test_the_servers_environment_is_not_there(server, run_inside):
    def attack(secret):
        import os

        places = [dict(os.environ), open("/proc/self/environ").read()]
        try:
            places.append(open("/proc/1/environ").read())
        except PermissionError:
            pass
        return any(secret in str(place) for place in places)

    assert run_inside(attack, server.environment["HOST_SECRET"]) is False


def test_ports_of_the_host_are_out_of_reach(server, run_inside, host_listener):
    def attack(ports):
        import socket

        outcomes = []
        for host, port in ports:
            try:
                socket.create_connection((host, port), timeout=5).close()
                outcomes.append("reached")
            except OSError as error:
                outcomes.append(error.errno)
        return outcomes

    port = host_listener.getsockname()[1]
    targets = [("127.0.0.1", server.port), ("127.0.0.1", port), ("127.1.2.3", port)]
    assert run_inside(attack, targets) == [ECONNREFUSED] * 3
    beyond = [("192.0.2.1", 80), ("169.254.169.254", 80), ("2001:db8::1", 80)]
    assert set(run_inside(attack, beyond)) <= {ENETUNREACH, EADDRNOTAVAIL}


def test_without_a_network_there_is_only_the_functions_own_loopback(attacker):
    def attack():
        import socket

        try:
            socket.getaddrinfo("example.com", 80)
            resolved = True
        except socket.gaierror:
            resolved = False
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
            try:
                datagrams.sendto(b"?", ("192.0.2.53", 53))
                sent = True
            except OSError:
                sent = False
        return [interface for _, interface in socket.if_nameindex()], resolved, sent

    alone = attacker(attack, Tags={"lampejo:network": "none"})
    assert alone() == ([["lo"], False, False], None)


def test_abstract_sockets_of_the_host_are_out_of_reach(run_inside, name):
    def attack(address):
        import socket

        with socket.socket(socket.AF_UNIX) as client:
            try:
                client.connect("\0" + address)
                return "reached"
            except OSError as error:
                return error.strerror

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("\0" + name)
        listener.listen()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect("\0" + name)
        assert run_inside(attack, name) == "Connection refused"


def test_shared_memory_of_another_function_is_another(attacker, run_inside):
    def attack(make):
        import ctypes, os

        libc = ctypes.CDLL(None)
        found = libc.shmget(0x1A3B, 4096, 0o1666 if make else 0o666) >= 0
        if make:
            os.close(os.open("/dev/shm/shared", os.O_CREAT | os.O_RDWR, 0o666))
        return found, os.path.exists("/dev/shm/shared")

    assert attacker(attack)(True) == ([True, True], None)
    assert run_inside(attack, False) == [False, False]


def test_no_descriptor_of_the_server_is_open(run_inside):
    def attack():
        import os

        links = []
        for fd in range(1024):
            try:
                links.append(os.readlink(f"/proc/self/fd/{fd}").split(":")[0])
            except OSError:
                pass
        return links

    links = run_inside(attack)
    # Standard streams, and the runtime's connection to the Runtime API.
    assert links[:3] == ["/dev/null", "pipe", "pipe"]
    assert set(links[3:]) <= {"socket"} and len(links) <= 5, links
