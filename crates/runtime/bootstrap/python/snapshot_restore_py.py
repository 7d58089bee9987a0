"""The interface of the package of this name, for functions that do not bring it: hooks of SnapStart.
"""

_before_snapshot = []
_after_restore = []


def register_before_snapshot(func, *args, **kwargs):
    """Has a function called before the snapshot is taken; may be used as a decorator."""
    _before_snapshot.append((func, args, kwargs))
    return func


def register_after_restore(func, *args, **kwargs):
    """Has a function called in every instance that is restored; may be used as a decorator."""
    _after_restore.append((func, args, kwargs))
    return func


def get_before_snapshot():
    """The runtime's view: (function, arguments, named arguments) as registered."""
    return _before_snapshot


def get_after_restore():
    """The runtime's view: (function, arguments, named arguments) as registered."""
    return _after_restore
