"""An extension for the tests: a script in a layer, whose file's name and `PLAN` say what it does."""

import os
import sys

from lampejo_server import package

# A Python that the sandbox sees: the server's user may not see the one of the tests.
INTERPRETERS = f"{os.path.realpath(sys.executable)} /usr/bin/python3 /usr/local/bin/python3"
# Both sh and Python read this: sh goes on as Python, to which it is a string.
START = f"""#!/bin/sh
'''exec' sh -c 'for it in {INTERPRETERS}; do [ -x "$it" ] && exec "$it" "$0"; done; exit 127' "$0"
' '''
"""

# What extensions have in common. It prints what it is told; `plan` is the test's own part.
TOOLS = '''
import http.server, json, os, socketserver, sys, threading, time, urllib.error, urllib.request

API = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"]
NAME = os.path.basename(sys.argv[0])


class Extension:
    id = None

    def call(self, method, path, body=None, **headers):
        """Answers with status, headers and JSON body."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Lambda-Extension-" + name.replace("_", "-"): text for name, text in headers.items()}
        if self.id:
            headers.setdefault("Lambda-Extension-Identifier", self.id)
        request = urllib.request.Request(API + path, data=data, method=method, headers=headers)
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status, answer.headers, json.loads(answer.read() or "null")
        except urllib.error.HTTPError as refused:
            return refused.code, refused.headers, json.loads(refused.read() or "null")

    def register(self, *events, name=NAME, **headers):
        answer = self.call("POST", "/2020-01-01/extension/register", {"events": events}, Name=name, **headers)
        self.id = answer[1]["Lambda-Extension-Identifier"]
        return answer

    def next(self):
        status, headers, event = self.call("GET", "/2020-01-01/extension/event/next")
        say("told", event=event, status=status, identified="Lambda-Extension-Event-Identifier" in headers)
        return event

    def subscribe(self, path="/2022-07-01/telemetry", schema="2022-12-13", **body):
        body = {"schemaVersion": schema, "types": ["platform", "function"], "buffering": {"timeoutMs": 25}, **body}
        return self.call("PUT", path, body)


def say(what, **fields):
    print(json.dumps({"who": NAME, "what": what, **fields}), flush=True)


def until(look):
    while not look():
        time.sleep(0.005)
'''


def layer(**extensions):
    """A layer's zip: each extension is its tools and the test's part, a function `plan(self)`."""
    files = {}
    for name, plan in extensions.items():
        text = f"{START}\n{TOOLS}\n{plan}\n\nplan(Extension())\n"
        files[f"extensions/{name}"] = (text, 0o755)
    return package(files)
