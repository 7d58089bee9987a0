"""The Runtime API over one connection.

The C module `_socket` serves instead of `socket`, whose import costs as much as the interpreter's
own start.
"""

import os
from time import monotonic_ns

import _socket

NEXT = b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: runtime\r\n\r\n"
POST = (
    "POST /2018-06-01/runtime/%s HTTP/1.1\r\nHost: runtime\r\nContent-Type: %s\r\n"
    "%sContent-Length: %d\r\n\r\n"
)
RECEIVE_BYTES = 65536


class Client:
    """Asks for events and answers them."""

    def __init__(self, address):
        host, port = address.rsplit(":", 1)
        self._socket = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
        self._socket.connect((host, int(port)))
        self._socket.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
        self._received = b""
        self._asked = False
        self._answered = False

    def ask(self, began_ns, ended_ns):
        """Asks for the first event, and tells when the function's loading began and ended."""
        now = monotonic_ns()
        ages = b"Lampejo-Loaded: %d %d\r\n" % ((now - began_ns) // 1000, (now - ended_ns) // 1000)
        self._socket.sendall(NEXT[:-2] + ages + b"\r\n")
        self._asked = True

    def next(self):
        """Waits for an event: (headers in lower case, body)."""
        if not self._asked:
            self._socket.sendall(NEXT)
        if self._answered:
            self._receive()
        self._asked = self._answered = False
        return self._receive()

    def respond(self, request_id, body, content_type):
        """Answers, and asks for the next event in the same write."""
        self._finish("invocation/%s/response" % request_id, body, content_type, "")

    def fail(self, request_id, error_type, body):
        """Reports that the handler failed, and asks for the next event."""
        self._finish("invocation/%s/error" % request_id, body, "application/json", error_type)

    def fail_init(self, error_type, body):
        """Reports that there is no handler to run. The process should end then."""
        self._socket.sendall(_post("init/error", body, "application/json", error_type))
        self._receive()

    def offer(self, theirs, ours):
        """Offers this process to be forked: names two ends of a channel, the server's last."""
        self._socket.sendall(_post("snapshot/%d/%d" % (theirs, ours), b"", "text/plain", ""))
        self._receive()
        self._socket.close()

    def fail_restore(self, error_type, body):
        """Reports that a hook failed after the restore. The process should end then."""
        self._socket.sendall(_post("restore/error", body, "application/json", error_type))
        self._receive()

    def _finish(self, path, body, content_type, error_type):
        self._socket.sendall(_post(path, body, content_type, error_type) + NEXT)
        self._asked = self._answered = True

    def _receive(self):
        received = self._received
        while True:
            end = received.find(b"\r\n\r\n")
            if end >= 0:
                break
            received += self._more()
        headers = {}
        for line in received[:end].decode("utf-8").split("\r\n")[1:]:
            name, _, value = line.partition(": ")
            headers[name.lower()] = value
        length = int(headers["content-length"])
        body = received[end + 4 :]
        if len(body) < length:
            body = self._rest(body, length)
        self._received = body[length:]
        return headers, body[:length]

    def _rest(self, start, length):
        parts = [start]
        missing = length - len(start)
        while missing > 0:
            part = self._more()
            parts.append(part)
            missing -= len(part)
        return b"".join(parts)

    def _more(self):
        part = self._socket.recv(RECEIVE_BYTES)
        if not part:
            os._exit(0)  # The server has let go of this instance.
        return part


def _post(path, body, content_type, error_type):
    extra = "Lambda-Runtime-Function-Error-Type: %s\r\n" % error_type if error_type else ""
    return (POST % (path, content_type, extra, len(body))).encode() + body
