"""The least that a Python runtime does: next event, answer, again. The floor of an invocation."""

import json
import socket
import sys

connection = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
NEXT = b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: bare\r\n\r\n"
ANSWER = b"POST /2018-06-01/runtime/invocation/1/response HTTP/1.1\r\nHost: bare\r\nContent-Length: %d\r\n\r\n%s"

while True:
    connection.sendall(NEXT)
    event = connection.recv(4096)
    if not event:
        break
    answer = json.dumps(json.loads(event.partition(b"\r\n\r\n")[2])).encode()
    connection.sendall(ANSWER % (len(answer), answer))
    connection.recv(4096)
