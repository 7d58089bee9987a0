"""Takes 200 ms, as functions do that wait for others."""

import time


def handler(event, context):
    time.sleep(0.2)
    return event
