"""The function's log: the root logger's handler, and how failures are printed.

`logging` is not imported here, since it costs as much as a small function's whole start: when the
function imports it, `install`'s finder sets it up before the function sees it.
"""

import os
import sys
import time

# A message's own newlines are written as this character, so that the server keeps it together.
SEPARATOR = "\x1e"
# Lambda indents the lines of a traceback with no-break spaces.
INDENT = "\u00a0"
JSON = os.environ.get("AWS_LAMBDA_LOG_FORMAT", "").upper() == "JSON"

request_id = ""
# Whom the invocation serves, if the function isolates tenants.
tenant_id = None


def write(message):
    """One message, whatever lines it has."""
    text = message[:-1] if message.endswith("\n") else message
    data = (text.replace("\n", SEPARATOR) + "\n").encode("utf-8", "backslashreplace")
    while data:
        data = data[os.write(1, data) :]


def error(document):
    """A failed invocation or start."""
    if JSON:
        from . import payload

        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        write(payload.encode({"timestamp": stamp, "level": "ERROR", **document}).decode("utf-8"))
        return
    title = ": ".join(part for part in (document["errorType"], document["errorMessage"]) if part)
    lines = ["[ERROR] " + title, "Traceback (most recent call last):"]
    for element in document["stackTrace"]:
        for line in element.splitlines():
            bare = line.lstrip(" ")
            lines.append(INDENT * (len(line) - len(bare)) + bare)
    write("\n".join(lines))


def install():
    """Sets `logging` up now if it is there already, else when it is imported."""
    if "logging" in sys.modules:
        _set_up()
    else:
        sys.meta_path.insert(0, _Finder)


class _Finder:
    """Finds `logging` once, as the interpreter would, and has it set up when it is loaded."""

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name != "logging":
            return None
        sys.meta_path.remove(cls)
        for finder in sys.meta_path:
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                break
        else:
            return None
        execute = spec.loader.exec_module

        def execute_and_set_up(module):
            execute(module)
            _set_up()

        spec.loader.exec_module = execute_and_set_up
        return spec


def _set_up():
    from . import logging_setup

    logging_setup.set_up()
