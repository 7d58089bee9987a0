"""A full disk: the server says so, loses nothing, and goes on when there is room again."""

import contextlib
import os
import subprocess

import pytest
from botocore.exceptions import ClientError

from lampejo_server import eventually

DISK_MIB = 600
# Less than the server keeps free for what it has acknowledged.
NEARLY_FULL_MIB = 100


@pytest.fixture
def small_disk_server(own_server):
    """A server whose data folder is a small disk of its own."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    own_server.stop()
    disk = own_server.folder / "disk"
    disk.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={DISK_MIB}m", "tmpfs"]
    mounted = subprocess.run(["mount", *options, disk], capture_output=True, text=True)
    if mounted.returncode != 0:
        pytest.skip(f"mounting is not allowed: {mounted.stderr.strip()}")
    try:
        own_server.data = disk / "data"
        yield own_server.start()
    finally:
        own_server.stop()
        subprocess.run(["umount", "--lazy", disk], check=True)


@contextlib.contextmanager
def only(free_mib, disk):
    """So much room is left for a while."""
    ballast = disk / "ballast"
    space = os.statvfs(disk)
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, space.f_bavail * space.f_frsize - (free_mib << 20))
    try:
        yield
    finally:
        ballast.unlink()


@pytest.mark.parametrize("free_mib", [NEARLY_FULL_MIB, 0])
def test_a_full_disk_is_said_and_survived(small_disk_server, name, free_mib):
    server = small_disk_server
    s3, sqs = server.client("s3"), server.client("sqs")
    s3.create_bucket(Bucket=name)
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    server.function(name, "def handler(event, context): return event")
    kept = {"put": set(), "send": set()}

    def change(step):
        """One object and one message; answers with the errors."""
        calls = {
            "put": lambda it: s3.put_object(Bucket=name, Key=it, Body=it * 40_000),
            "send": lambda it: sqs.send_message(QueueUrl=url, MessageBody=it),
        }
        errors = {}
        for kind, call in calls.items():
            try:
                call(step)
                kept[kind].add(step)
            except ClientError as error:
                errors[kind] = error.response["ResponseMetadata"]["HTTPStatusCode"]
        return errors

    assert [change(f"before-{n}") for n in range(20)] == [{}] * 20
    with only(free_mib, server.data.parent):
        # Room that was taken beforehand may last for a moment.
        eventually(lambda: set(change("full")) == {"put", "send"}, "both are refused")
        assert set(change("full").values()) <= {500, 503, 507}
        assert server.healthy()
        assert s3.get_object(Bucket=name, Key="before-0")["Body"].read() == b"before-0" * 40_000
        assert server.invoke(name, "runs") == ("runs", None)
    eventually(lambda: change("again") == {}, "there is room again")
    assert [change(f"after-{n}") for n in range(20)] == [{}] * 20
    server.kill()
    server.start()
    there = {it["Key"] for it in s3.list_objects_v2(Bucket=name)["Contents"]}
    assert there == kept["put"]
    for key in there:
        assert s3.get_object(Bucket=name, Key=key)["Body"].read().decode() == key * 40_000
    received = set()

    def receive():
        answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)
        received.update(it["Body"] for it in answer.get("Messages", []))
        return kept["send"] <= received

    eventually(receive, "every message that was acknowledged")
