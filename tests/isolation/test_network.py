"""What functions reach: the outside and the server's own names, and nothing of the host or of others.

The outside is a network namespace behind a pair of interfaces and a route, with an address of the
internet that is nobody's here. Names are asked of a name server of the test, which only the server under test sees.
"""

import contextlib
import os
import shutil
import socket
import stat
import struct
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from errno import ECONNREFUSED, ENETUNREACH

import boto3
import pytest
from botocore.config import Config

from lampejo_server import ROLE, binary, doctor, eventually

TUN = "/dev/net/tun"
SPACE = "lampejo-test"
OUTSIDE, ROUTER, HOSTS_END, NAME_SERVER = "11.231.1.2", "11.231.0.2", "11.231.0.1", "127.0.53.53"
OUTSIDE_V6, ROUTER_V6, HOSTS_END_V6 = "2a0f:bad:2::2", "2a0f:bad:1::2", "2a0f:bad:1::1"
# Echoes what it is sent, by connection and by datagram.
PEER = """
import socket, sys, threading

def echo(connection):
    while piece := connection.recv(65536):
        connection.sendall(piece)
    connection.close()

def echo_datagrams(address):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as datagrams:
        datagrams.bind((address, 7))
        while True:
            piece, asker = datagrams.recvfrom(65536)
            datagrams.sendto(piece, asker)

for address in sys.argv[1:]:
    threading.Thread(target=echo_datagrams, args=(address,), daemon=True).start()
any_address = {"family": socket.AF_INET6, "dualstack_ipv6": True}
with socket.create_server(("::", 7), **any_address) as listener:
    print("ready", flush=True)
    while True:
        threading.Thread(target=echo, args=(listener.accept()[0],), daemon=True).start()
"""


def ip(*words):
    subprocess.run(["ip", *words], check=True, capture_output=True)


@pytest.fixture(scope="module")
def outside():
    """An address on the other side of the host, where somebody echoes at port 7."""
    if os.geteuid() != 0:
        pytest.skip("only root can make an outside")
    if not shutil.which("ip"):
        pytest.skip("there is no ip (iproute2)")
    ends = ["lampejo-host", "lampejo-peer"]
    with contextlib.ExitStack() as made:
        ip("netns", "add", SPACE)
        made.callback(ip, "netns", "del", SPACE)
        ip("link", "add", ends[0], "type", "veth", "peer", "name", ends[1], "netns", SPACE)
        ip("addr", "add", f"{HOSTS_END}/24", "dev", ends[0])
        ip("addr", "add", f"{HOSTS_END_V6}/64", "dev", ends[0], "nodad")
        ip("link", "set", ends[0], "up")
        ip("-n", SPACE, "addr", "add", f"{ROUTER}/24", "dev", ends[1])
        ip("-n", SPACE, "addr", "add", f"{ROUTER_V6}/64", "dev", ends[1], "nodad")
        ip("-n", SPACE, "addr", "add", f"{OUTSIDE}/32", "dev", "lo")
        ip("-n", SPACE, "addr", "add", f"{OUTSIDE_V6}/128", "dev", "lo")
        ip("-n", SPACE, "link", "set", "lo", "up")
        ip("-n", SPACE, "link", "set", ends[1], "up")
        ip("route", "add", f"{OUTSIDE}/32", "via", ROUTER)
        ip("route", "add", f"{OUTSIDE_V6}/128", "via", ROUTER_V6)
        command = ["ip", "netns", "exec", SPACE, sys.executable, "-c", PEER, OUTSIDE, OUTSIDE_V6]
        peer = made.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        made.callback(peer.kill)
        assert peer.stdout.readline() == "ready\n"
        yield OUTSIDE


def answer(question, by_datagram):
    """`small.example` and `large.example` are outside; the large one's answer fits no datagram."""
    end = question.index(b"\0", 12) + 5
    name = question[13 : question.index(b"\0", 12)]
    known = name.startswith((b"small", b"large")) and question[end - 4 : end - 2] == b"\0\1"
    cut = by_datagram and name.startswith(b"large")
    flags = 0x8180 | (0x0200 if cut else 0) | (0 if known else 3)
    count = 0 if cut or not known else 1
    record = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + socket.inet_aton(OUTSIDE)
    return struct.pack("!2sHHHHH", question[:2], flags, 1, count, 0, 0) + (
        question[12:end] + record * count
    )


@pytest.fixture(scope="module")
def resolv_conf(tmp_path_factory):
    """Names the test's name server."""
    path = tmp_path_factory.mktemp("names") / "resolv.conf"
    path.write_text(f"nameserver {NAME_SERVER}\n")
    os.chmod(path, 0o644)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        datagrams.bind((NAME_SERVER, 53))
        with socket.create_server((NAME_SERVER, 53)) as listener:

            def answer_datagrams():
                with contextlib.suppress(OSError):
                    while True:
                        question, asker = datagrams.recvfrom(4096)
                        datagrams.sendto(answer(question, True), asker)

            def answer_connections():
                with contextlib.suppress(OSError):
                    while True:
                        connection, _ = listener.accept()
                        with connection, connection.makefile("rwb") as stream:
                            (length,) = struct.unpack("!H", stream.read(2))
                            said = answer(stream.read(length), False)
                            stream.write(struct.pack("!H", len(said)) + said)

            for work in (answer_datagrams, answer_connections):
                threading.Thread(target=work, daemon=True).start()
            yield path


@pytest.fixture(scope="module", params=["own rights", "unprivileged"])
def server(request, needs_sandbox, start, probe, outside, resolv_conf):
    """Serves functions that may ask for any network."""
    if not os.path.exists(TUN):
        pytest.skip(f"there is no {TUN}")
    environment = {"LAMPEJO_NETWORK": "egress", "LAMPEJO_NETWORK_MOST": "host"}
    settings = {"environment": environment | {"LAMPEJO_NEAREST_RUNTIME": "true"}}
    command = [binary()]
    mode = stat.S_IMODE(os.stat(TUN).st_mode)
    with contextlib.ExitStack() as undone:
        if request.param == "unprivileged":
            command = request.getfixturevalue("unprivileged")
            settings["owner"] = request.getfixturevalue("nobody")
            # As distributions have it.
            os.chmod(TUN, 0o666)
            undone.callback(os.chmod, TUN, mode)
        script = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'
        settings["command"] = ["unshare", "--mount", "sh", "-c", script, str(resolv_conf), *command]
        server = undone.enter_context(start(**settings))
        for network in ("none", "egress", "host"):
            name = "probe" if network == "egress" else f"probe-{network}"
            tags = {"lampejo:network": network}
            server.function(name, probe, MemorySize=512, Timeout=30, Tags=tags)
        yield server


def attempts():
    """Every address as (how, host, port) with what came of it."""

    def attack(targets):
        import socket

        outcomes = []
        for how, host, port in targets:
            kind = socket.SOCK_STREAM if how == "tcp" else socket.SOCK_DGRAM
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            with socket.socket(family, kind) as client:
                client.settimeout(5)
                try:
                    client.connect((host, port))
                    client.sendall(b"hello")
                    outcomes.append(client.recv(9).decode())
                except TimeoutError:
                    outcomes.append("silence")
                except OSError as error:
                    outcomes.append(error.errno)
        return outcomes

    return attack


@pytest.mark.parametrize("how", ["tcp", "udp"])
def test_the_outside_is_reached(run_inside, how):
    targets = [(how, OUTSIDE, 7), (how, OUTSIDE, 8)]
    assert run_inside(attempts(), targets) == ["hello", ECONNREFUSED]


@pytest.mark.parametrize("how", ["tcp", "udp"])
def test_the_outside_is_reached_over_ipv6(run_inside, how):
    if "IPv4 and IPv6" not in doctor().stdout:
        pytest.skip("this machine has no way to the internet over IPv6")
    targets = [(how, OUTSIDE_V6, 7), (how, OUTSIDE_V6, 8), ("tcp", ROUTER_V6, 7)]
    assert run_inside(attempts(), targets) == ["hello", ECONNREFUSED, ENETUNREACH]


def test_much_is_carried_in_both_directions_at_once(run_inside):
    def attack(host):
        import hashlib, os, socket, threading

        sent, got, piece = hashlib.sha256(), hashlib.sha256(), os.urandom(100_003)
        with socket.create_connection((host, 7), timeout=20) as client:

            def send():
                for _ in range(200):
                    sent.update(piece)
                    client.sendall(piece)
                client.shutdown(socket.SHUT_WR)

            thread = threading.Thread(target=send)
            thread.start()
            count = 0
            while received := client.recv(1 << 20):
                count += len(received)
                got.update(received)
            thread.join()
        return count, sent.digest() == got.digest()

    assert run_inside(attack, OUTSIDE) == [200 * 100_003, True]


def own_addresses():
    """All of the host's, loopback included."""
    lines = subprocess.run(["ip", "-o", "addr"], check=True, capture_output=True, text=True).stdout
    addresses = [line.split()[3].split("/")[0] for line in lines.splitlines()]
    return [address for address in addresses if not address.startswith(("127.", "::1", "fe80"))]


def test_no_address_of_the_host_is_reached(server, run_inside):
    with socket.create_server(("0.0.0.0", 0)) as listener, socket.create_server(
        ("::", 0), family=socket.AF_INET6
    ) as listener_v6:
        ports = {False: listener.getsockname()[1], True: listener_v6.getsockname()[1]}
        hosts = own_addresses()
        assert HOSTS_END in hosts
        targets = [("tcp", host, ports[":" in host]) for host in hosts]
        targets += [("tcp", host, server.port) for host in hosts]
        assert set(run_inside(attempts(), targets)) == {ENETUNREACH}
        # Of datagrams over IPv6 nobody is told that they went nowhere.
        targets = [("udp", host, 7) for host in hosts if ":" not in host]
        assert set(run_inside(attempts(), targets)) == {ENETUNREACH}
        loopback = [("tcp", host, ports[False]) for host in ("127.0.0.1", "127.1.2.3")]
        loopback += [("tcp", host, ports[True]) for host in ("::1", "::ffff:127.0.0.1")]
        assert run_inside(attempts(), loopback) == [ECONNREFUSED] * 4
        for it in (listener, listener_v6):
            it.setblocking(False)
            with pytest.raises(BlockingIOError):
                it.accept()


def test_metadata_and_private_networks_are_not_reached(run_inside):
    hosts = ["169.254.169.254", "169.254.170.2", "168.63.129.16", "100.100.100.200", "10.0.0.1"]
    hosts += ["172.17.0.1", "192.168.0.1", "192.0.0.1", "198.18.0.1", "224.0.0.1", "0.1.2.3"]
    hosts += ["64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1", "fd00:ec2::254"]
    outcomes = run_inside(attempts(), [("tcp", host, 80) for host in hosts])
    assert not [it for it in zip(hosts, outcomes) if isinstance(it[1], str)], "reached, or silence"


def test_neighbours_are_not_reached(run_inside):
    assert run_inside(attempts(), [("tcp", ROUTER, 7), ("udp", ROUTER, 7)]) == [ENETUNREACH] * 2


def test_mail_is_not_sent(run_inside):
    assert run_inside(attempts(), [("tcp", OUTSIDE, 25)]) == [ENETUNREACH]


def test_functions_do_not_reach_each_other(server, run_inside, name):
    listening = """
import socket, threading
LISTENER = socket.create_server(("0.0.0.0", 8000))
threading.Thread(target=LISTENER.accept, daemon=True).start()
def handler(event, context):
    own = {address for *_, (address, *_) in socket.getaddrinfo(event, 8000)} if event else set()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("11.231.1.2", 7))
        return [probe.getsockname()[0], *own]
"""
    server.function(name, listening)
    addresses, error = server.invoke(name)
    assert error is None, addresses
    targets = [("tcp", address, 8000) for address in [*addresses, "127.0.0.1"]]
    assert set(run_inside(attempts(), targets)) == {ECONNREFUSED}


def test_names_are_asked_of_the_hosts_name_servers(run_inside):
    def attack():
        import socket

        answers = []
        for name in ["small.example", "large.example", "none.example"]:
            try:
                answers.append(socket.gethostbyname(name))
            except socket.gaierror as error:
                answers.append(error.errno == socket.EAI_NONAME)
        return answers

    assert run_inside(attack) == [OUTSIDE, OUTSIDE, True]


FORKED = """
import socket
def outcome(kind, host, port):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, kind) as client:
        client.settimeout(5)
        try:
            client.connect((host, port))
            client.sendall(b"hello")
            return client.recv(9).decode()
        except OSError as error:
            return error.errno
def handler(hosts, context):
    kinds = [socket.SOCK_STREAM, socket.SOCK_DGRAM]
    outcomes = [outcome(kind, host, 7) for host in hosts for kind in kinds]
    return outcomes + [socket.gethostbyname("small.example")]
"""


@pytest.mark.parametrize(("network", "status"), [("egress", "On"), ("none", "On"), ("host", "Off")])
def test_forks_have_the_network_of_their_function(server, name, network, status):
    client = server.client("lambda")
    snap_start, tags = {"ApplyOn": "PublishedVersions"}, {"lampejo:network": network}
    # The first Python that has SnapStart.
    server.function(name, FORKED, Runtime="python3.12", SnapStart=snap_start, Tags=tags)
    version = client.publish_version(FunctionName=name)["Version"]
    client.get_waiter("published_version_active").wait(
        FunctionName=name, Qualifier=version, WaiterConfig={"Delay": 0.02, "MaxAttempts": 1000}
    )
    shown = client.get_function_configuration(FunctionName=name, Qualifier=version)
    assert shown["SnapStart"]["OptimizationStatus"] == status
    hosts = [OUTSIDE, ROUTER] if network == "egress" else []
    expected = ["hello"] * 2 + [ENETUNREACH] * 2 if hosts else []
    if hosts and "IPv4 and IPv6" in doctor().stdout:
        hosts.append(OUTSIDE_V6)
        expected += ["hello"] * 2
    if network == "none":
        answered, error = server.invoke(name, [OUTSIDE], Qualifier=version)
        assert error == "Unhandled" and "gaierror" in answered["errorType"], answered
    else:
        assert server.invoke(name, hosts, Qualifier=version) == ([*expected, OUTSIDE], None)
    text = "Restore Duration" if status == "On" else "it has the host's network"
    eventually(lambda: any(text in line for line in server.log_lines(name)), text)


@pytest.mark.parametrize("function", ["probe", "probe-none"])
def test_the_servers_names_are_known(run_inside, function):
    def attack(names):
        import socket

        return [socket.gethostbyname(name) for name in names]

    names = ["localhost", "bucket.s3.localhost", "abc.lambda-url.eu-west-1.localhost"]
    names += ["LOCALHOST", "b.s3.us-east-1.lampejo.internal", "localhost.localstack.cloud"]
    assert run_inside(attack, names, function=function) == ["127.0.0.1"] * len(names)


def test_nonsense_is_not_answered_and_questions_still_are(run_inside):
    def attack():
        import os, socket, struct

        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as questions:
            questions.connect(("127.0.0.1", 53))
            for length in [0, 1, 11, 12, 13, 17, 100, 512, 1500, 60000] * 20:
                questions.send(os.urandom(length))
            endless = bytes.fromhex("000101000001000000000000") + b"\xc0\x0c\0\1\0\1"
            for _ in range(500):
                questions.send(endless)
        for said in (b"\0", b"\xff\xff" + bytes(100), struct.pack("!H", 18) + endless):
            with socket.create_connection(("127.0.0.1", 53), timeout=5) as connection:
                connection.sendall(said)
                connection.shutdown(socket.SHUT_WR)
                assert connection.recv(1) == b""
        silent = [socket.create_connection(("127.0.0.1", 53), timeout=5) for _ in range(50)]
        answers = [socket.gethostbyname("small.example"), len(silent)]
        return answers

    assert run_inside(attack) == [OUTSIDE, 50]


def test_a_flood_harms_nobody_else(server, run_inside, event_of):
    def attack(host):
        import socket, threading, time

        held = []
        try:
            while len(held) < 500:
                held.append(socket.create_connection((host, 7), timeout=0.5))
        except TimeoutError:
            pass
        end = time.monotonic() + 2

        def flood(to):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
                while time.monotonic() < end:
                    datagrams.sendto(b"", to)

        places = [("10.0.0.1", 9), (host, 7), (host, 9)]
        threads = [threading.Thread(target=flood, args=(place,)) for place in places]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        return len(held)

    with ThreadPoolExecutor(1) as thread:
        flooding = thread.submit(run_inside, attack, OUTSIDE)
        while not flooding.done():
            assert server.invoke("probe-none", event_of(attempts(), [])) == ([], None)
        assert flooding.result() == 128
    # What it held is free again, for the same instance.
    eventually(
        lambda: run_inside(attempts(), [("tcp", OUTSIDE, 7)]) == ["hello"], "it may connect again"
    )


def allow_everybody(functions, name):
    for statement, action, condition in [
        ("url", "lambda:InvokeFunctionUrl", {"FunctionUrlAuthType": "NONE"}),
        ("function", "lambda:InvokeFunction", {"InvokedViaFunctionUrl": True}),
    ]:
        functions.add_permission(
            FunctionName=name, StatementId=statement, Action=action, Principal="*", **condition
        )


@pytest.mark.parametrize("function", ["probe", "probe-none"])
def test_a_function_url_and_a_presigned_url_are_fetched_by_name(server, run_inside, name, function):
    echo = "def handler(event, context): return event['rawPath']"
    server.function(name, echo)
    functions = server.client("lambda")
    url = functions.create_function_url_config(FunctionName=name, AuthType="NONE")["FunctionUrl"]
    allow_everybody(functions, name)
    s3 = server.client("s3")
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key="a/b", Body=b"content")
    signer = boto3.client(
        "s3",
        endpoint_url="http://s3.localhost:4566",
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(s3={"addressing_style": "virtual"}, signature_version="s3v4"),
    )
    presigned = signer.generate_presigned_url("get_object", {"Bucket": name, "Key": "a/b"})
    assert presigned.startswith(f"http://{name}.s3.localhost:4566/")

    def attack(urls):
        import urllib.request

        return [urllib.request.urlopen(url, timeout=10).read().decode() for url in urls]

    # Inside, the server is always at the same port.
    urls = [url.replace(f":{server.port}/", ":4566/there"), presigned]
    assert run_inside(attack, urls, function=function) == ["/there", "content"]


def test_with_the_hosts_network_a_function_reaches_what_the_host_reaches(
    server, run_inside, host_listener
):
    def attack(port, other):
        import os, socket

        with socket.create_connection(("127.0.0.1", port), timeout=5):
            pass
        with socket.create_connection((other, 7), timeout=5):
            pass
        # All else is as in other sandboxes.
        rights = [line.split()[1] for line in open("/proc/self/status") if "CapEff" in line]
        processes = [it for it in os.listdir("/proc") if it.isdigit()]
        return rights, len(processes) < 5, os.path.exists("/home")

    port = host_listener.getsockname()[1]
    found = run_inside(attack, port, OUTSIDE, function="probe-host")
    assert found == [["0000000000000000"], True, False]


def test_abstract_sockets_of_the_host_are_out_of_reach_all_the_same(run_inside, name):
    if "ok    landlock       version" not in doctor().stdout:
        pytest.skip("this kernel has no landlock")
    version = int(doctor().stdout.split("landlock")[1].split()[1])
    if version < 6:
        pytest.skip(f"landlock {version} knows no scopes")

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
        assert run_inside(attack, name, function="probe-host") == "Operation not permitted"


def runtime_api():
    """Where a function finds its Runtime API."""

    def attack():
        import os

        return os.environ["AWS_LAMBDA_RUNTIME_API"]

    return attack


def knock():
    """What a Runtime API says to somebody who asks for an event."""

    def attack(address):
        import socket

        host, port = address.rsplit(":", 1)
        with socket.create_connection((host, int(port)), timeout=5) as client:
            client.sendall(b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\n\r\n")
            try:
                return client.recv(100).decode()
            except ConnectionResetError:
                return ""

    return attack


def test_nobody_else_uses_a_runtime_api_on_the_hosts_network(
    server, run_inside, name, probe, event_of
):
    address = run_inside(runtime_api(), function="probe-host")
    assert address.startswith("127.0.0.1:") and not address.endswith(":9001")
    # Somebody of the host, and another function there.
    assert knock()(address) == ""
    server.function(name, probe, Tags={"lampejo:network": "host"})
    assert server.invoke(name, event_of(knock(), address)) == ("", None)
    # Its own processes may, but not out of turn.
    said = run_inside(knock(), address, function="probe-host")
    assert "InvalidStateTransition" in said or said.startswith("HTTP/1.1 403")


def test_a_change_of_the_tag_is_a_change_of_the_network(server, name, probe, event_of):
    arn = server.function(name, probe, Tags={"lampejo:network": "none"})
    functions, asked = server.client("lambda"), event_of(attempts(), [("tcp", OUTSIDE, 7)])
    assert server.invoke(name, asked) == ([ENETUNREACH], None)
    functions.tag_resource(Resource=arn, Tags={"lampejo:network": "egress"})
    assert server.invoke(name, asked) == (["hello"], None)
    with pytest.raises(functions.exceptions.InvalidParameterValueException) as refused:
        functions.tag_resource(Resource=arn, Tags={"lampejo:network": "all"})
    assert "a network is none, egress or host, not all" in str(refused.value)


def test_a_killed_server_leaves_no_interface(server, event_of):
    before = interfaces()
    assert server.invoke("probe", event_of(attempts(), [("tcp", OUTSIDE, 7)])) == (["hello"], None)
    assert interfaces() == before
    server.kill()
    assert interfaces() == before
    server.start()
    assert server.invoke("probe", event_of(attempts(), [("tcp", OUTSIDE, 7)])) == (["hello"], None)


def interfaces():
    return sorted(name for _, name in socket.if_nameindex())


def test_more_than_the_server_grants_is_refused(start, needs_sandbox, name, probe, event_of):
    with start(environment={"LAMPEJO_NETWORK": "none"}) as server:
        assert "network none" in " ".join(server.rest_of_greeting(4))
        functions = server.client("lambda")
        with pytest.raises(functions.exceptions.InvalidParameterValueException) as refused:
            server.function(name, probe, Tags={"lampejo:network": "host"})
        assert "the network host is more than this server grants: egress" in str(refused.value)
        server.function(name, probe, Role=ROLE)
        assert server.invoke(name, event_of(attempts(), [("tcp", OUTSIDE, 7)])) == (
            [ENETUNREACH],
            None,
        )
