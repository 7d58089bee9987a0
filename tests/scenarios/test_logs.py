"""CloudWatch Logs as boto3 sees it."""

import time

import pytest


@pytest.fixture
def logs(server):
    return server.client("logs")


def test_events_are_read_back_and_filtered(logs, name):
    logs.create_log_group(logGroupName=name)
    logs.create_log_stream(logGroupName=name, logStreamName="s")
    now = int(time.time() * 1000)
    texts = ["INFO one", "ERROR two", '{"level": "ERROR", "code": 7}', "INFO four"]
    events = [{"timestamp": now + n, "message": text} for n, text in enumerate(texts)]
    logs.put_log_events(logGroupName=name, logStreamName="s", logEvents=events)
    got = logs.get_log_events(logGroupName=name, logStreamName="s", startFromHead=True)
    assert [it["message"] for it in got["events"]] == texts
    # The end of a stream answers with the token that it was asked with.
    more = logs.get_log_events(
        logGroupName=name, logStreamName="s", nextToken=got["nextForwardToken"]
    )
    assert more["events"] == []
    assert more["nextForwardToken"] == got["nextForwardToken"]

    def matching(pattern):
        found = logs.filter_log_events(logGroupName=name, filterPattern=pattern)
        return [it["message"] for it in found["events"]]

    assert matching("ERROR") == [texts[1], texts[2]]
    assert matching("{ $.code = 7 }") == [texts[2]]
    assert matching("-ERROR") == [texts[0], texts[3]]


def test_groups_and_streams_are_listed(logs, name):
    for suffix in ("a", "b"):
        logs.create_log_group(logGroupName=f"{name}/{suffix}")
    groups = logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    assert [it["logGroupName"] for it in groups] == [f"{name}/a", f"{name}/b"]
    logs.put_retention_policy(logGroupName=f"{name}/a", retentionInDays=7)
    groups = logs.describe_log_groups(logGroupNamePrefix=f"{name}/a")["logGroups"]
    assert groups[0]["retentionInDays"] == 7
    logs.create_log_stream(logGroupName=f"{name}/a", logStreamName="s")
    streams = logs.describe_log_streams(logGroupName=f"{name}/a")["logStreams"]
    assert [it["logStreamName"] for it in streams] == ["s"]
    logs.delete_log_group(logGroupName=f"{name}/a")
    groups = logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    assert [it["logGroupName"] for it in groups] == [f"{name}/b"]


def test_errors_are_those_of_aws(logs, name, refused):
    logs.create_log_group(logGroupName=name)
    with refused("ResourceAlreadyExistsException", "The specified log group already exists", 400):
        logs.create_log_group(logGroupName=name)
    with refused("ResourceNotFoundException", "The specified log stream does not exist.", 400):
        logs.get_log_events(logGroupName=name, logStreamName="no")
    with refused("ResourceNotFoundException", "The specified log group does not exist.", 400):
        logs.describe_log_streams(logGroupName=f"{name}-no")
    with refused("InvalidParameterException") as refusal:
        logs.create_log_group(logGroupName="a b")
    assert "failed to satisfy constraint" in refusal.message
