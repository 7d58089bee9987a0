"""The root logger as Lambda configures it. Imported with `logging` only."""

import json
import logging
import os
import time
import traceback

from . import logs

_LEVEL = os.environ.get("AWS_LAMBDA_LOG_LEVEL", "").upper()
_STANDARD = set(vars(logging.makeLogRecord({}))) | {"aws_request_id", "message", "asctime"}


class Handler(logging.Handler):
    """Writes each record as one message."""

    def emit(self, record):
        try:
            record.aws_request_id = logs.request_id
            logs.write(self.format(record))
        except Exception:
            self.handleError(record)


class JsonFormatter(logging.Formatter):
    """One JSON object a record; values given by `extra` stand beside the standard ones."""

    def format(self, record):
        seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        error = record.exc_info if record.exc_info and record.exc_info[0] else None
        fields = {
            "timestamp": "%s.%03dZ" % (seconds, record.msecs),
            "level": record.levelname,
            "message": record.getMessage(),
            "logger": record.name,
            "stackTrace": traceback.format_tb(error[2]) if error else None,
            "errorType": error[0].__name__ if error else None,
            "errorMessage": str(error[1]) if error else None,
            "requestId": record.aws_request_id,
            "tenantId": logs.tenant_id,
            "location": "%s:%s:%s" % (record.pathname, record.funcName, record.lineno)
            if error
            else None,
        }
        for name, value in vars(record).items():
            if name not in _STANDARD and name not in fields:
                fields[name] = value
        present = {name: value for name, value in fields.items() if value is not None}
        return json.dumps(present, ensure_ascii=False, default=str)


def set_up():
    """Adds the handler, sets the level that the function's configuration names."""
    handler = Handler()
    if logs.JSON:
        handler.setFormatter(JsonFormatter())
    else:
        logging.Formatter.converter = time.gmtime
        form = "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s"
        handler.setFormatter(logging.Formatter(form, "%Y-%m-%dT%H:%M:%S"))
    root = logging.getLogger()
    root.addHandler(handler)
    level = {"TRACE": "DEBUG", "FATAL": "CRITICAL"}.get(_LEVEL, _LEVEL)
    if level in ("DEBUG", "INFO", "WARNING", "WARN", "ERROR", "CRITICAL"):
        root.setLevel(level)
