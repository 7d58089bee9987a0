"""SnapStart: the function is initialised once, and its instances are forked from that process.

`before` and `after` run the hooks that the function has registered; `wait` is where the process
stays, and what returns in every fork. Imported by functions with SnapStart only.
"""

import gc
import os
import sys

import _signal
import _socket

from . import payload

# Files of /tmp that were there at the snapshot are in the forks as well, up to this much.
TMP_BYTES = 64 << 20
TMP_FILES = 4096
TMP = "/tmp"
MESSAGE_BYTES = 1 << 17
# Two descriptors of four bytes.
DESCRIPTOR_BYTES = 8


def before():
    """The hooks before the snapshot, the last registered first."""
    module = sys.modules.get("snapshot_restore_py")
    hooks = module.get_before_snapshot() if module else []
    while hooks:
        function, arguments, named = hooks.pop()
        function(*arguments, **named)


def after():
    """The hooks after the restore, in the order of their registration."""
    module = sys.modules.get("snapshot_restore_py")
    for function, arguments, named in module.get_after_restore() if module else []:
        function(*arguments, **named)


def wait(client):
    """Says that this process can be forked, and forks when it is told. Returns in the forks."""
    channel, servers = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)
    client.offer(channel.fileno(), servers.fileno())
    _receive(channel)  # The server has its end.
    servers.close()
    files = []
    try:
        files = _files(TMP)
    except OverflowError as error:
        channel.send(b"N" + str(error).encode())
    _end_threads()
    # What lives now will live for long: forks need not look at it, nor copy it for looking.
    gc.collect()
    gc.freeze()
    previous = _signal.signal(_signal.SIGCHLD, lambda *_: _reap(channel))
    channel.send(b"R")
    while True:
        message, descriptors = _receive(channel)
        if not message:
            os._exit(0)  # The server has let go of it.
        if _forked():
            break
        os.close(descriptors[0])
    _signal.signal(_signal.SIGCHLD, _signal.SIG_DFL if previous is None else previous)
    channel.close()
    _restore(_socket.socket(fileno=descriptors[0]), files)


def _end_threads():
    """Libraries that know of forks, as numpy's does, end their threads for one and begin them anew
    when they need them: after this fork none is left but those that no fork can have."""
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


def _forked():
    try:
        return os.fork() == 0
    except OSError:
        return False  # The server sees that nobody answers.


def _reap(channel):
    """Tells how forks ended."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        channel.send(b"X%d %d" % (pid, status))


def _restore(channel, files):
    """A fork's first steps. The server cages it between its word and the answer."""
    channel.send(b"H")
    message, descriptors = _receive(channel)
    if not message:
        os._exit(0)
    for number, descriptor in enumerate(descriptors, 1):
        os.dup2(descriptor, number)
        os.close(descriptor)
    channel.close()
    os.environ.update(payload.decode(message[1:]))
    for path, mode, content in files:
        _write(path, mode, content)
    _be_unique()


def _receive(channel):
    message, ancillary, _, _ = channel.recvmsg(
        MESSAGE_BYTES, _socket.CMSG_SPACE(DESCRIPTOR_BYTES)
    )
    data = ancillary[0][2] if ancillary else b""
    starts = range(0, len(data), 4)
    return message, [int.from_bytes(data[at : at + 4], sys.byteorder) for at in starts]


def _be_unique():
    """What must not be the same in two forks. `random` sees to itself when it is forked."""
    payload.forget_mark()
    modules = sys.modules
    if "numpy.random" in modules:
        modules["numpy.random"].seed()
    if "uuid" in modules:
        modules["uuid"]._last_timestamp = None
    if "tempfile" in modules:
        # It tells processes apart by their ids, which are the same in all instances.
        modules["tempfile"]._name_sequence = None


def _files(folder):
    """What lies in a folder: (path, mode, content). Content is a file's bytes, a link's target, or
    nothing for a folder."""
    found, size = [], 0
    for parent, folders, names in os.walk(folder):
        for name in folders + names:
            path = os.path.join(parent, name)
            status = os.lstat(path)
            kind = status.st_mode & 0o170000
            if kind == 0o040000:
                content = None
            elif kind == 0o120000:
                content = os.readlink(path)
            elif kind == 0o100000:
                size += status.st_size
                if size > TMP_BYTES:
                    raise OverflowError("more than %d MiB lie in /tmp" % (TMP_BYTES >> 20))
                with open(path, "rb") as file:
                    content = file.read()
            else:
                raise OverflowError("%s is neither file nor folder" % path)
            found.append((path, status.st_mode & 0o7777, content))
            if len(found) > TMP_FILES:
                raise OverflowError("more than %d files lie in /tmp" % TMP_FILES)
    return found


def _write(path, mode, content):
    if isinstance(content, str):
        os.symlink(content, path)
        return
    if content is None:
        os.mkdir(path)
    else:
        with open(path, "wb") as file:
            file.write(content)
    os.chmod(path, mode)
