"""Provisioned concurrency, reservations and the account's limits."""

import concurrent.futures
import json

import pytest

from lampejo_server import eventually

# Says how it was initialised, and in its log when.
SOURCE = """
import os, time
KIND = os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"]
print("init", KIND)

def handler(event, context):
    time.sleep(event.get("sleep", 0))
    return [KIND, context.log_stream_name]
"""
FAILING = "raise RuntimeError('no')\n"


def versioned(server, name, source=SOURCE, **settings):
    """A function with version 1 and the alias `live` of it."""
    server.function(name, source, **settings)
    client = server.client("lambda")
    client.publish_version(FunctionName=name)
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    return client


def another_version(client, name):
    client.update_function_configuration(FunctionName=name, Description="new")
    return client.publish_version(FunctionName=name)["Version"]


def reach(client, name, qualifier, status):
    def look():
        found = client.get_provisioned_concurrency_config(FunctionName=name, Qualifier=qualifier)
        return found["Status"] == status and found

    return eventually(look, f"{qualifier} is {status}")


def provision(client, name, qualifier, count):
    return client.put_provisioned_concurrency_config(
        FunctionName=name, Qualifier=qualifier, ProvisionedConcurrentExecutions=count
    )


def test_instances_are_ready_before_the_first_invoke(server, name):
    client = versioned(server, name)
    put = provision(client, name, "live", 2)
    assert put["ResponseMetadata"]["HTTPStatusCode"] == 202
    assert put["Status"] == "IN_PROGRESS"
    assert put["AllocatedProvisionedConcurrentExecutions"] == 0
    ready = reach(client, name, "live", "READY")
    assert ready["RequestedProvisionedConcurrentExecutions"] == 2
    assert ready["AllocatedProvisionedConcurrentExecutions"] == 2
    assert ready["AvailableProvisionedConcurrentExecutions"] == 2
    assert ready["LastModified"] == put["LastModified"]
    eventually(
        lambda: len(server.log_lines(name, "init provisioned")) == 2, "both are initialised"
    )
    (kind, _), error = server.invoke(name, Qualifier="live")
    assert (kind, error) == ("provisioned-concurrency", None)
    assert server.invoke(name)[0][0] == "on-demand", "$LATEST has none"
    # AWS does not report an init that was before the invocation.
    reports = eventually(lambda: server.log_lines(name, "REPORT"), "a report")
    assert "Init Duration" not in reports[0]
    listed = client.list_provisioned_concurrency_configs(FunctionName=name)
    (item,) = listed["ProvisionedConcurrencyConfigs"]
    assert item["FunctionArn"].endswith(f":{name}:live")
    client.delete_provisioned_concurrency_config(FunctionName=name, Qualifier="live")
    with pytest.raises(client.exceptions.ProvisionedConcurrencyConfigNotFoundException):
        client.get_provisioned_concurrency_config(FunctionName=name, Qualifier="live")


def test_what_is_too_much_runs_on_demand(server, name):
    client = versioned(server, name)
    provision(client, name, "1", 1)
    reach(client, name, "1", "READY")
    with concurrent.futures.ThreadPoolExecutor() as threads:
        calls = [threads.submit(server.invoke, name, {"sleep": 1}, Qualifier="1") for _ in "ab"]
        kinds = sorted(call.result()[0][0] for call in calls)
    assert kinds == ["on-demand", "provisioned-concurrency"]


def test_a_failing_init_is_told(server, name):
    client = versioned(server, name, FAILING)
    provision(client, name, "1", 1)
    failed = reach(client, name, "1", "FAILED")
    assert failed["StatusReason"] == "FUNCTION_ERROR_INIT_FAILURE"
    assert failed["AllocatedProvisionedConcurrentExecutions"] == 0
    client.delete_function(FunctionName=name)


def test_they_come_back_after_a_kill(own_server, name):
    client = versioned(own_server, name)
    provision(client, name, "live", 1)
    reach(client, name, "live", "READY")
    own_server.kill()
    own_server.start()
    client = own_server.client("lambda")
    reach(client, name, "live", "READY")
    assert own_server.invoke(name, Qualifier="live")[0][0] == "provisioned-concurrency"


def test_they_follow_their_alias(server, name):
    client = versioned(server, name)
    provision(client, name, "live", 2)
    reach(client, name, "live", "READY")
    (_, old), _ = server.invoke(name, Qualifier="live")
    second = another_version(client, name)
    client.update_alias(FunctionName=name, Name="live", FunctionVersion=second)
    reach(client, name, "live", "READY")
    (kind, new), _ = server.invoke(name, Qualifier="live")
    assert (kind, new != old) == ("provisioned-concurrency", True)
    # Half of them for each of two versions.
    routing = {"AdditionalVersionWeights": {"1": 0.5}}
    client.update_alias(FunctionName=name, Name="live", RoutingConfig=routing)
    ready = reach(client, name, "live", "READY")
    assert ready["AllocatedProvisionedConcurrentExecutions"] == 2

    def kinds():
        return {server.invoke(name, Qualifier=it)[0][0] for it in ("1", second)}

    eventually(lambda: kinds() == {"provisioned-concurrency"}, "one of each version")


def test_the_servers_limit_of_instances_is_named(start, sandbox, name):
    with start(isolation=sandbox, environment={"LAMPEJO_MAX_INSTANCES": "1"}) as server:
        client = versioned(server, name)
        provision(client, name, "1", 2)
        failed = reach(client, name, "1", "FAILED")
        assert failed["StatusReason"] == "all 1 instances are busy"


def throttled(client, name, **arguments):
    with pytest.raises(client.exceptions.TooManyRequestsException) as caught:
        client.invoke(FunctionName=name, **arguments)
    answer = caught.value.response
    assert answer["Error"]["Message"] == "Rate Exceeded."
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 429
    assert answer["ResponseMetadata"]["HTTPHeaders"]["retry-after"] == "1"
    return answer["Reason"]


def test_a_blocked_function_takes_events_and_gives_them_up(own_server, name):
    own_server.function(name, SOURCE)
    client = own_server.client("lambda")
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    assert throttled(client, name) == "ReservedFunctionConcurrentInvocationLimitExceeded"
    taken = client.invoke(FunctionName=name, InvocationType="Event", Payload=json.dumps({}))
    assert taken["StatusCode"] == 202
    client.delete_function_concurrency(FunctionName=name)
    own_server.advance(300)
    # What comes later runs.
    client.invoke(FunctionName=name, InvocationType="Event", Payload=json.dumps({}))
    eventually(lambda: own_server.log_lines(name, "REPORT"), "it runs")
    assert len(own_server.log_lines(name, "REPORT")) == 1


def test_a_reservation_bounds_requests_a_second(server, name):
    server.function(name, SOURCE)
    client = server.client("lambda")
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
    reasons = set()

    def look():
        try:
            client.invoke(FunctionName=name)
        except client.exceptions.TooManyRequestsException as error:
            reasons.add(error.response["Reason"])
        return "ReservedFunctionInvocationRateLimitExceeded" in reasons

    eventually(look, "more than ten requests a second")


def test_the_account_has_the_limit_that_the_server_is_told(start, sandbox, name):
    environment = {"LAMPEJO_ACCOUNT_CONCURRENCY": "101"}
    with start(isolation=sandbox, environment=environment) as server:
        client = versioned(server, name)
        client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
        settings = client.get_account_settings()
        assert settings["AccountLimit"]["ConcurrentExecutions"] == 101
        assert settings["AccountLimit"]["UnreservedConcurrentExecutions"] == 100
        assert settings["AccountUsage"]["FunctionCount"] == 1
        assert settings["AccountUsage"]["TotalCodeSize"] > 0
        with pytest.raises(client.exceptions.InvalidParameterValueException):
            provision(client, name, "1", 2)
