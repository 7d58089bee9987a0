"""The document that a failure is reported as. Imported when the first failure happens."""

import os
import traceback

from .fault import Fault

_OURS = os.path.dirname(os.path.abspath(__file__))


def describe(error, request_id):
    """`errorMessage`, `errorType`, `requestId`, `stackTrace`: a list of texts."""
    if isinstance(error, Fault):
        return _document(str(error), error.error_type, request_id, error.trace)
    frames = list(traceback.extract_tb(error.__traceback__))
    first = next((i for i, f in enumerate(frames) if not f.filename.startswith(_OURS)), 0)
    # Only (file, line, function, source): newer Pythons would add marks below the source.
    plain = [(f.filename, f.lineno, f.name, f.line) for f in frames[first:]]
    trace = traceback.format_list(plain)
    return _document(str(error), type(error).__name__, request_id, trace)


def _document(message, error_type, request_id, trace):
    return {
        "errorMessage": message,
        "errorType": error_type,
        "requestId": request_id,
        "stackTrace": trace,
    }
