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


def test_events_out_of_time_are_told(logs, name, refused):
    logs.create_log_group(logGroupName=name)
    logs.create_log_stream(logGroupName=name, logStreamName="s")
    now, day = int(time.time() * 1000), 86_400_000
    put = logs.put_log_events(
        logGroupName=name,
        logStreamName="s",
        logEvents=[
            {"timestamp": now - 15 * day, "message": "long ago"},
            {"timestamp": now, "message": "good"},
        ],
    )
    assert put["rejectedLogEventsInfo"] == {"tooOldLogEventEndIndex": 1}
    put = logs.put_log_events(
        logGroupName=name,
        logStreamName="s",
        logEvents=[
            {"timestamp": now, "message": "good too"},
            {"timestamp": now + 3 * 3_600_000, "message": "far ahead"},
        ],
    )
    assert put["rejectedLogEventsInfo"] == {"tooNewLogEventStartIndex": 1}
    got = logs.get_log_events(logGroupName=name, logStreamName="s", startFromHead=True)
    assert [it["message"] for it in got["events"]] == ["good", "good too"]
    with refused("InvalidParameterException", status=400) as refusal:
        logs.put_log_events(
            logGroupName=name,
            logStreamName="s",
            logEvents=[{"timestamp": stamp, "message": "x"} for stamp in (now, now - 1)],
        )
    assert "chronological order" in refusal.message


def test_a_span_of_time_is_read_by_pages(logs, name):
    logs.create_log_group(logGroupName=name)
    logs.create_log_stream(logGroupName=name, logStreamName="s")
    now = int(time.time() * 1000) - 60_000
    events = [{"timestamp": now + n, "message": f"m{n}"} for n in range(10)]
    logs.put_log_events(logGroupName=name, logStreamName="s", logEvents=events)
    pages = logs.get_paginator("filter_log_events").paginate(
        logGroupName=name, startTime=now + 2, endTime=now + 8, PaginationConfig={"PageSize": 3}
    )
    found = [[it["message"] for it in page["events"]] for page in pages]
    assert sum(found, []) == [f"m{n}" for n in range(2, 9)]
    last = logs.get_log_events(logGroupName=name, logStreamName="s", limit=2)
    assert [it["message"] for it in last["events"]] == ["m8", "m9"]
    back = logs.get_log_events(
        logGroupName=name, logStreamName="s", limit=2, nextToken=last["nextBackwardToken"]
    )
    assert [it["message"] for it in back["events"]] == ["m6", "m7"]


def test_a_group_has_tags_and_a_retention_of_known_length(logs, name, refused):
    logs.create_log_group(logGroupName=name, tags={"a": "1"})
    (group,) = logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    arn = group["arn"].removesuffix(":*")
    logs.tag_resource(resourceArn=arn, tags={"b": "2"})
    logs.untag_resource(resourceArn=arn, tagKeys=["a"])
    assert logs.list_tags_for_resource(resourceArn=arn)["tags"] == {"b": "2"}
    with refused("InvalidParameterException", status=400):
        logs.put_retention_policy(logGroupName=name, retentionInDays=2)
    logs.put_retention_policy(logGroupName=name, retentionInDays=1)
    logs.delete_retention_policy(logGroupName=name)
    (group,) = logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    assert "retentionInDays" not in group


def test_old_events_go_when_their_retention_ends(own_server, name):
    logs = own_server.client("logs")
    logs.create_log_group(logGroupName=name)
    logs.create_log_stream(logGroupName=name, logStreamName="s")
    logs.put_retention_policy(logGroupName=name, retentionInDays=1)
    now = int(time.time() * 1000)
    event = [{"timestamp": now, "message": "soon old"}]
    logs.put_log_events(logGroupName=name, logStreamName="s", logEvents=event)
    own_server.advance(2 * 86_400)
    assert logs.filter_log_events(logGroupName=name)["events"] == []
