"""One instance's life: load the handler, then event, handler, answer, for ever.

Read next: `handler` (finding the function), `payload` (JSON), `errors` (what a failure looks like).
"""

import os
import sys
from time import monotonic_ns

from . import logs, payload
from .client import Client
from .context import Context
from .handler import load


def run(forks):
    """Never returns normally: the server ends instances."""
    if os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"] == "snap-start":
        client, handler = restored(forks)
    else:
        client = connect()
        logs.install()
        began_ns = monotonic_ns()
        try:
            handler = load(os.environ["_HANDLER"])
        except Exception as error:
            fail_init(client, error)
        client.ask(began_ns, monotonic_ns())
    while True:
        headers, body = client.next()
        serve(client, handler, headers, body)


def connect():
    return Client(os.environ["AWS_LAMBDA_RUNTIME_API"])


def restored(forks):
    """Initialises the function, and goes on as an instance that is restored: as a fork of this
    process if that is what it is for, else as itself."""
    from . import snapshot

    logs.install()
    try:
        handler = load(os.environ["_HANDLER"])
    except Exception as error:
        fail_init(connect(), error)
    try:
        snapshot.before()
    except Exception as error:
        fail_init(connect(), error, "Runtime.BeforeSnapshotError")
    if forks:
        snapshot.wait(connect())
    client = connect()
    try:
        snapshot.after()
    except Exception as error:
        from . import errors

        document = errors.describe(error, "")
        logs.error(document)
        client.fail_restore("Runtime.AfterRestoreError", payload.encode(document))
        sys.exit(65)
    return client, handler


def fail_init(client, error, error_type=None):
    """The handler cannot be loaded: says why and ends the process."""
    from . import errors

    document = errors.describe(error, "")
    logs.error(document)
    client.fail_init(error_type or document["errorType"], payload.encode(document))
    sys.exit(1)


def serve(client, handler, headers, body):
    """One invocation."""
    request_id = headers["lambda-runtime-aws-request-id"]
    logs.request_id = request_id
    logs.tenant_id = headers.get("lambda-runtime-aws-tenant-id")
    trace_id = headers.get("lambda-runtime-trace-id")
    if trace_id:
        os.environ["_X_AMZN_TRACE_ID"] = trace_id
    else:
        os.environ.pop("_X_AMZN_TRACE_ID", None)
    try:
        context = Context(headers)
        answer = handler(payload.parse_event(body, headers["content-type"]), context)
        answer, content_type = payload.answer(answer)
    except Exception as error:
        from . import errors

        document = errors.describe(error, request_id)
        logs.error(document)
        client.fail(request_id, document["errorType"], payload.encode(document))
        return
    client.respond(request_id, answer, content_type)
