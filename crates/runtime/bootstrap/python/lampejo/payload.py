"""JSON of events and answers, as Lambda reads and writes it."""

import json
import os
import sys

from .fault import Fault

# From Python 3.12 on, Lambda answers with the characters themselves instead of \u escapes.
_ASCII = sys.version_info < (3, 12)
# Stands before a decimal number in the encoder's output; unguessable, so no answer can hold it.
_NUMBER = os.urandom(16).hex()


def parse_event(body, content_type):
    """The handler's first argument."""
    if content_type != "application/json":
        return body
    try:
        return json.loads(body)
    except Exception as error:
        raise Fault("Runtime.UnmarshalError", "Unable to unmarshal input: %s" % error)


def answer(value):
    """The handler's answer: (bytes, content type)."""
    if isinstance(value, bytes):
        return value, "application/unknown"
    try:
        return encode(value), "application/json"
    except Exception as error:
        raise Fault("Runtime.MarshalError", "Unable to marshal response: %s" % error)


def decode(text):
    """A value that the server sent."""
    return json.loads(text)


def forget_mark():
    """Makes a new mark for numbers: forks must not have the same."""
    global _NUMBER
    _NUMBER = os.urandom(16).hex()


def encode(value):
    """JSON in UTF-8."""
    text = _encoder.encode(value)
    if _NUMBER in text:
        import re

        text = re.sub('"%s([^"]*)"' % _NUMBER, r"\1", text)
    # Lone surrogates are legal in Python's texts, not in UTF-8.
    return text.encode("utf-8", "surrogatepass")


def _other(value):
    """Decimal numbers, as DynamoDB's resource returns them, keep their digits."""
    decimal = sys.modules.get("decimal")
    if decimal is None or not isinstance(value, decimal.Decimal):
        raise TypeError("Object of type %s is not JSON serializable" % type(value).__name__)
    if value.is_nan():
        return float("nan")
    return _NUMBER + str(value)


_encoder = json.JSONEncoder(ensure_ascii=_ASCII, default=_other)
