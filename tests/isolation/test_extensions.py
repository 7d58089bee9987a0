"""Extensions that are hostile: to other instances, to the host, and to the server that tells them."""

import json
import urllib.request

import pytest

from lampejo_server import eventually
from lambda_extension import layer

# Shows what it finds to the function, which answers with it.
SHOWS = """
def show(found):
    class Show(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = json.dumps(found).encode()
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("localhost", 4000), Show)
    threading.Thread(target=server.serve_forever, daemon=True).start()

def loop(self):
    while self.next()["eventType"] != "SHUTDOWN":
        pass
"""

ASKS = """
import json, urllib.request
def handler(event, context):
    with urllib.request.urlopen("http://localhost:4000/") as answer:
        return json.load(answer)
"""


@pytest.fixture
def deploy(server):
    def create(name, plan):
        client = server.client("lambda")
        content = {"ZipFile": layer(tool=SHOWS + plan)}
        arn = client.publish_layer_version(LayerName=name, Content=content)["LayerVersionArn"]
        server.function(name, ASKS, Layers=[arn], Timeout=20)

    return create


def test_the_id_of_another_instances_extension_means_nothing(server, deploy, name, unharmed):
    deploy(
        f"{name}-victim",
        """
def plan(self):
    self.register("INVOKE", "SHUTDOWN")
    show(self.id)
    loop(self)
""",
    )
    stolen, error = server.invoke(f"{name}-victim")
    assert error is None
    deploy(
        name,
        f"""
def plan(self):
    own = self.register("INVOKE", "SHUTDOWN")[1]["Lambda-Extension-Identifier"]
    found = []
    show(found)
    for forged in ({stolen!r}, own[:-1] + "g", own.replace("-", ""), "", own + "x"):
        self.id = forged or None
        for method, path in (("GET", "event/next"), ("POST", "exit/error")):
            answer = self.call(method, "/2020-01-01/extension/" + path, Function_Error_Type="Evil")
            found.append([answer[0], answer[2]["errorType"]])
        body = {{"destination": {{"protocol": "TCP", "port": 4000}}}}
        found.append(self.subscribe(**body)[0])
    self.id = own
    loop(self)
""",
    )
    found, error = server.invoke(name)
    assert error is None, found
    unknown, invalid = "UnknownExtensionIdentifier", "InvalidExtensionIdentifier"
    missing = "MissingExtensionIdentifier"
    expected = []
    for kind in (unknown, invalid, invalid, missing, invalid):
        expected += [[403, f"Extension.{kind}"]] * 2 + [403]
    assert found == expected
    assert server.invoke(f"{name}-victim") == (stolen, None)
    unharmed()


def test_telemetry_reaches_only_the_instance_itself(server, deploy, name, host_listener, unharmed):
    port = host_listener.getsockname()[1]
    host_listener.settimeout(0)
    deploy(
        name,
        f"""
def plan(self):
    self.register("INVOKE", "SHUTDOWN")
    uris = ["127.0.0.1", "localhost", "169.254.100.6", "[::1]", "sandbox.localdomain@127.0.0.1"]
    found = []
    show(found)
    for host in uris:
        uri = f"http://{{host}}:{port}/"
        found.append(self.subscribe(destination={{"protocol": "HTTP", "URI": uri}})[0])
    # Granted: but the port is that of the instance, where nobody listens.
    found.append(self.subscribe(destination={{"protocol": "TCP", "port": {port}}})[0])
    loop(self)
""",
    )
    found, error = server.invoke(name)
    assert (found, error) == ([400, 400, 400, 400, 400, 200], None)
    for _ in range(3):
        assert server.invoke(name)[1] is None
    server.invoke(name)
    with pytest.raises(BlockingIOError):
        host_listener.accept()
    unharmed()


def test_answers_without_end_hold_nobody_up(server, deploy, name, unharmed):
    deploy(
        name,
        """
ASKED = []

class Endless(socketserver.StreamRequestHandler):
    def handle(self):
        ASKED.append(self.rfile.readline().decode())
        try:
            while True:
                self.wfile.write(b"HTTP/1.1 200 OK\\r\\nX: " + b"x" * 60000)
        except OSError:
            pass

def plan(self):
    self.register("INVOKE", "SHUTDOWN")
    show(ASKED)
    server = socketserver.ThreadingTCPServer(("localhost", 4001), Endless)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    destination = {"protocol": "HTTP", "URI": "http://sandbox:4001"}
    self.subscribe(destination=destination, buffering={"timeoutMs": 25})
    loop(self)
""",
    )

    def asked():
        value, error = server.invoke(name)
        assert error is None, value
        return value

    requests = eventually(lambda: len(asked()) > 2 and asked(), "the batch was tried again")
    assert set(requests) == {"POST / HTTP/1.1\r\n"}
    unharmed()


def test_a_flood_of_registrations_and_of_segments_is_bounded(server, deploy, name, unharmed):
    deploy(
        name,
        """
def plan(self):
    found = []
    show(found)
    own = self.register("INVOKE", "SHUTDOWN")[1]["Lambda-Extension-Identifier"]
    for number in range(100):
        self.id = None
        found.append(self.register("INVOKE", name="x" * 1000 + str(number))[0])
        if found[-1] == 403:
            break
    import socket
    out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    document = b'{"trace_id":"t","id":"i","x":"' + b"x" * 50000 + b'"}'
    for _ in range(5000):
        out.sendto(b'{"format":"json","version":1}\\n' + document, ("127.0.0.1", 2000))
    os._exit(1)
""",
    )
    value, error = server.invoke(name)
    assert (value["errorType"], error) == ("Extension.Crash", "Unhandled")
    unharmed()
