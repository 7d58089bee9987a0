"""SnapStart as boto3 uses it: versions that are initialised once, and whose instances are restored."""

import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from lampejo_server import ROLE, eventually, package

# The first Python that has SnapStart. A machine without it runs the nearest that it has.
RUNTIME = "python3.12"
SNAP_START = {"ApplyOn": "PublishedVersions"}
FAST = {"Delay": 0.02, "MaxAttempts": 1000}

UNIQUE = """
import os, random, time, uuid
time.sleep(0.2)
loaded = time.time()
random.seed(7)
made = [random.random()]
def handler(event, context):
    time.sleep(event.get("sleep", 0))
    return {"loaded": loaded, "random": random.random(), "uuid": str(uuid.uuid4()),
            "type": os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"], "version": context.function_version,
            "key": os.environ["AWS_ACCESS_KEY_ID"]}
"""


@pytest.fixture(scope="module")
def server(sandbox, start):
    if sandbox != "sandbox":
        pytest.skip("instances are forked in the sandbox only")
    with start(environment={"LAMPEJO_NEAREST_RUNTIME": "true"}) as server:
        yield server


@pytest.fixture
def own(sandbox, start):
    if sandbox != "sandbox":
        pytest.skip("instances are forked in the sandbox only")
    with start(environment={"LAMPEJO_NEAREST_RUNTIME": "true"}) as server:
        yield server


def create(server, name, source, **settings):
    settings = {"Runtime": RUNTIME, "SnapStart": SNAP_START, "Timeout": 20, **settings}
    server.function(name, source, **settings)
    return server.client("lambda")


def published(client, name):
    """Publishes, and waits until the version is active."""
    version = client.publish_version(FunctionName=name)["Version"]
    client.get_waiter("published_version_active").wait(
        FunctionName=name, Qualifier=version, WaiterConfig=FAST
    )
    return version


def log_of(server, name, part):
    """The log, once it has a line with this part."""
    lines = []

    def there():
        lines[:] = server.log_lines(name)
        return any(part in line for line in lines)

    eventually(there, f"the log of {name} says {part}")
    return lines


def test_a_version_is_initialised_once_and_its_instances_differ(server, name):
    client = create(server, name, UNIQUE)
    latest = client.get_function_configuration(FunctionName=name)
    assert latest["SnapStart"] == {"ApplyOn": "PublishedVersions", "OptimizationStatus": "Off"}
    answer = client.publish_version(FunctionName=name)
    assert (answer["State"], answer["StateReasonCode"]) == ("Pending", "Creating")
    assert answer["StateReason"] == "The function is being created."
    with pytest.raises(client.exceptions.SnapStartNotReadyException) as early:
        client.invoke(FunctionName=name, Qualifier="1")
    assert early.value.response["ResponseMetadata"]["HTTPStatusCode"] == 409
    client.get_waiter("published_version_active").wait(
        FunctionName=name, Qualifier="1", WaiterConfig=FAST
    )
    shown = client.get_function_configuration(FunctionName=name, Qualifier="1")
    assert shown["SnapStart"] == {"ApplyOn": "PublishedVersions", "OptimizationStatus": "On"}
    assert (shown["State"], shown["LastUpdateStatus"]) == ("Active", "Successful")

    with ThreadPoolExecutor(12) as threads:
        invoke = lambda _: server.invoke(name, {"sleep": 0.5}, Qualifier="1")
        answers = list(threads.map(invoke, range(12)))
    assert {error for _, error in answers} == {None}
    values = [value for value, _ in answers]
    assert len({value["loaded"] for value in values}) == 1
    assert {value["type"] for value in values} == {"snap-start"}
    assert {value["version"] for value in values} == {"1"}
    for what in ("random", "uuid"):
        assert len({value[what] for value in values}) == 12, what
    lines = log_of(server, name, "Billed Restore Duration: ")
    assert sum(line.startswith("INIT_START ") for line in lines) == 1
    assert any(line.startswith("INIT_REPORT Init Duration: ") for line in lines)
    assert any(line.startswith("RESTORE_START Runtime Version: python:3.") for line in lines)
    assert any(line.startswith("RESTORE_REPORT Restore Duration: ") for line in lines)
    assert not any("Init Duration" in line for line in lines if line.startswith("REPORT"))


def test_hooks_run_around_the_snapshot(server, name):
    source = """
from snapshot_restore_py import register_after_restore, register_before_snapshot
done = []
register_before_snapshot(done.append, "first before")
register_before_snapshot(done.append, "second before")
register_after_restore(done.append, "first after")
register_after_restore(done.append, "second after")
def handler(event, context):
    return done
"""
    client = create(server, name, source)
    version = published(client, name)
    expected = ["second before", "first before", "first after", "second after"]
    assert server.invoke(name, Qualifier=version) == (expected, None)
    assert server.invoke(name) == ([], None), "$LATEST has no hooks"


def test_a_failing_hook_after_the_restore_is_the_callers_error(server, name):
    source = """
from snapshot_restore_py import register_after_restore
register_after_restore(lambda: 1 / 0)
def handler(event, context): pass
"""
    client = create(server, name, source)
    version = published(client, name)
    with pytest.raises(client.exceptions.SnapStartException) as failed:
        client.invoke(FunctionName=name, Qualifier=version)
    assert failed.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    lines = log_of(server, name, "Error Type: Runtime.AfterRestoreError")
    assert any("ZeroDivisionError" in line for line in lines)


def test_hooks_after_the_restore_have_ten_seconds(own, name):
    source = """
import time
from snapshot_restore_py import register_after_restore
register_after_restore(time.sleep, 60)
def handler(event, context): pass
"""
    client = create(own, name, source)
    version = published(client, name)
    with ThreadPoolExecutor(1) as threads:
        invoked = threads.submit(client.invoke, FunctionName=name, Qualifier=version)
        log_of(own, name, "RESTORE_START")
        while not invoked.done():
            own.advance(11)
            time.sleep(0.02)
        with pytest.raises(client.exceptions.SnapStartTimeoutException) as late:
            invoked.result()
    assert late.value.response["ResponseMetadata"]["HTTPStatusCode"] == 408


def test_a_failing_init_fails_the_version(server, name):
    client = create(server, name, "raise ValueError('not today')\n")
    client.publish_version(FunctionName=name)

    def failed():
        shown = client.get_function_configuration(FunctionName=name, Qualifier="1")
        return shown if shown["State"] != "Pending" else None

    shown = eventually(failed, "the version has failed")
    assert (shown["State"], shown["StateReasonCode"]) == ("Failed", "FunctionError")
    assert shown["StateReason"] == "An error occurred during function initialization."
    assert (shown["LastUpdateStatus"], shown["SnapStart"]["OptimizationStatus"]) == ("Failed", "Off")
    with pytest.raises(client.exceptions.ResourceConflictException):
        client.invoke(FunctionName=name, Qualifier="1")
    assert any("not today" in line for line in log_of(server, name, "not today"))


def test_what_cannot_be_forked_runs_its_init_each_time(server, name):
    source = """
import threading, time
threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
def handler(event, context): return threading.active_count()
"""
    client = create(server, name, source)
    version = published(client, name)
    shown = client.get_function_configuration(FunctionName=name, Qualifier=version)
    assert shown["SnapStart"]["OptimizationStatus"] == "Off"
    assert server.invoke(name, Qualifier=version) == (2, None)
    log_of(server, name, "[lampejo] SnapStart: no snapshot, instances run the init themselves: 2 threads")


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_snapshots_are_made_anew_after_a_restart(own, name, how):
    client = create(own, name, UNIQUE)
    version = published(client, name)
    before, _ = own.invoke(name, Qualifier=version)
    own.stop() if how == "stop" else own.kill()
    own.start()
    shown = client.get_function_configuration(FunctionName=name, Qualifier=version)
    assert (shown["State"], shown["SnapStart"]["OptimizationStatus"]) == ("Active", "On")
    after, error = own.invoke(name, Qualifier=version)
    assert error is None
    assert (after["loaded"] > before["loaded"], after["type"]) == (True, "snap-start")


def test_a_kill_while_a_snapshot_is_made_is_made_good(own, name):
    client = create(own, name, "import time\ntime.sleep(1)\ndef handler(event, context): return 1\n")
    client.publish_version(FunctionName=name)
    own.kill()
    own.start()
    client.get_waiter("published_version_active").wait(
        FunctionName=name, Qualifier="1", WaiterConfig=FAST
    )
    assert own.invoke(name, Qualifier="1") == (1, None)


def test_a_deleted_version_takes_its_processes_along(server, name):
    client = create(server, name, UNIQUE)
    version = published(client, name)
    server.invoke(name, Qualifier=version)
    client.delete_function(FunctionName=name, Qualifier=version)
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.invoke(FunctionName=name, Qualifier=version)


REFUSED = [
    ({"Runtime": "nodejs22.x"}, "nodejs22.x is not supported for SnapStart enabled functions."),
    ({"Runtime": "python3.11"}, "python3.11 is not supported for SnapStart enabled functions."),
    (
        {"EphemeralStorage": {"Size": 513}},
        "Ephemeral storage greater than 512 MB is not supported for SnapStart enabled functions.",
    ),
]


@pytest.mark.parametrize("settings, text", REFUSED)
def test_snap_start_does_not_go_with_everything(server, name, settings, text):
    client = server.client("lambda")
    settings = {"Runtime": RUNTIME, **settings}
    code = {"ZipFile": package({"index.py": "def handler(event, context): pass"})}
    with pytest.raises(client.exceptions.InvalidParameterValueException) as refused:
        client.create_function(
            FunctionName=name, Code=code, Handler="index.handler", Role=ROLE,
            SnapStart=SNAP_START, **settings,
        )
    assert refused.value.response["Error"]["Message"] == text


def test_provisioned_concurrency_does_not_go_with_it(server, name):
    client = create(server, name, UNIQUE)
    version = published(client, name)
    with pytest.raises(client.exceptions.InvalidParameterValueException) as refused:
        client.put_provisioned_concurrency_config(
            FunctionName=name, Qualifier=version, ProvisionedConcurrentExecutions=1
        )
    assert "SnapStart enabled functions" in refused.value.response["Error"]["Message"]


def test_json_logs_have_records_of_restores(server, name):
    client = create(server, name, UNIQUE, LoggingConfig={"LogFormat": "JSON"})
    version = published(client, name)
    server.invoke(name, Qualifier=version)
    lines = log_of(server, name, "platform.restoreReport")
    records = [json.loads(line) for line in lines]
    kinds = {record.get("type"): record.get("record") for record in records}
    assert kinds["platform.initReport"]["initializationType"] == "snap-start"
    assert kinds["platform.restoreReport"]["status"] == "success"
    assert "runtimeVersion" in kinds["platform.restoreStart"]
