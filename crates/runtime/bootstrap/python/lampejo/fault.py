"""Failures that Lambda's own runtime reports, with its names and texts."""


class Fault(Exception):
    """`error_type` is one of Lambda's `Runtime.…` names."""

    def __init__(self, error_type, message, trace=()):
        super().__init__(message)
        self.error_type = error_type
        self.trace = list(trace)
