"""A function on awslambdaric that does what its event says."""

import os
import time

if os.environ.get("INIT") == "panic":
    raise RuntimeError("no start")


def handler(event, context):
    deed, text = event["do"], event.get("text")
    if deed == "echo":
        return text
    if deed in ("fail", "panic"):
        raise RuntimeError("so it is")
    if deed == "exit":
        os._exit(3)
    if deed == "sleep":
        time.sleep(3600)
    if deed == "context":
        client = context.client_context
        return {
            "request": context.aws_request_id,
            "arn": context.invoked_function_arn,
            "title": client.client.app_title,
            "custom": client.custom,
            "remaining": context.get_remaining_time_in_millis(),
            "function": context.function_name,
            "memory": int(context.memory_limit_in_mb),
            "trace": os.environ["_X_AMZN_TRACE_ID"],
        }
    return None
