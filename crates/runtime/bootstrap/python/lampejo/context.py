"""The handler's second argument."""

import os
import time

from .fault import Fault

_FROM_ENVIRONMENT = {
    "function_name": "AWS_LAMBDA_FUNCTION_NAME",
    "function_version": "AWS_LAMBDA_FUNCTION_VERSION",
    "memory_limit_in_mb": "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "log_group_name": "AWS_LAMBDA_LOG_GROUP_NAME",
    "log_stream_name": "AWS_LAMBDA_LOG_STREAM_NAME",
}


class Context:
    """What a handler may ask about its invocation."""

    def __init__(self, headers):
        self.aws_request_id = headers["lambda-runtime-aws-request-id"]
        self.invoked_function_arn = headers.get("lambda-runtime-invoked-function-arn")
        self.tenant_id = headers.get("lambda-runtime-aws-tenant-id")
        self._deadline_ms = int(headers["lambda-runtime-deadline-ms"])
        for name, variable in _FROM_ENVIRONMENT.items():
            setattr(self, name, os.environ.get(variable))
        self.client_context = _client_context(headers.get("lambda-runtime-client-context"))
        self.identity = CognitoIdentity(
            _json(headers.get("lambda-runtime-cognito-identity"), "Cognito Identity") or {}
        )

    def get_remaining_time_in_millis(self):
        """Milliseconds until the invocation is ended."""
        return max(0, self._deadline_ms - int(time.time() * 1000))

    def log(self, message):
        """Writes to the function's log."""
        from . import logs

        logs.write(str(message))

    def __repr__(self):
        return _show(self, [name for name in vars(self) if not name.startswith("_")])


class CognitoIdentity:
    """Who the caller is to Amazon Cognito."""

    def __init__(self, values):
        self.cognito_identity_id = values.get("cognitoIdentityId")
        self.cognito_identity_pool_id = values.get("cognitoIdentityPoolId")

    def __repr__(self):
        return _show(self, vars(self))


class ClientContext:
    """What a mobile client said of itself."""

    def __init__(self, values):
        self.custom = values.get("custom")
        self.env = values.get("env")
        client = values.get("client")
        self.client = None if client is None else Client(client)

    def __repr__(self):
        return _show(self, vars(self))


class Client:
    """The mobile application."""

    def __init__(self, values):
        for name in (
            "installation_id",
            "app_title",
            "app_version_name",
            "app_version_code",
            "app_package_name",
        ):
            setattr(self, name, values.get(name))

    def __repr__(self):
        return _show(self, vars(self))


def _client_context(text):
    values = _json(text, "Client Context")
    return None if values is None else ClientContext(values)


def _json(text, name):
    if not text:
        return None
    import json

    try:
        return json.loads(text)
    except Exception as error:
        message = "Unable to parse %s JSON: %s" % (name, error)
        raise Fault("Runtime.LambdaContextUnmarshalError", message)


def _show(value, names):
    fields = ",".join("%s=%s" % (name, getattr(value, name)) for name in names)
    return "%s([%s])" % (type(value).__name__, fields)
