"""The settings of event source mappings: defaults, what comes back, what is refused."""

import pytest

from lampejo_server import ACCOUNT, REGION, eventually

SOURCE = "def handler(event, context): return 1"
VARYING = ("UUID", "LastModified", "EventSourceMappingArn", "ResponseMetadata")


def arn(service, resource):
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"


@pytest.fixture
def functions(server, name):
    """A client, beside a function and a queue of the test's name."""
    server.function(name, SOURCE)
    server.client("sqs").create_queue(QueueName=name)
    return server.client("lambda")


@pytest.fixture
def create(functions, name):
    """Makes disabled mappings of the test's function and queue, and deletes them in the end."""
    made = []

    def create(**settings):
        settings = {
            "FunctionName": name,
            "EventSourceArn": arn("sqs", name),
            "Enabled": False,
            **settings,
        }
        mapping = functions.create_event_source_mapping(**settings)
        made.append(mapping["UUID"])
        return mapping

    yield create
    for uuid in made:
        functions.delete_event_source_mapping(UUID=uuid)


def test_a_queues_mapping_has_lambdas_defaults(functions, create, name):
    made = create()
    assert made["ResponseMetadata"]["HTTPStatusCode"] == 202
    assert made["EventSourceMappingArn"] == arn("lambda", f"event-source-mapping:{made['UUID']}")
    assert {key: value for key, value in made.items() if key not in VARYING} == {
        "BatchSize": 10,
        "EventSourceArn": arn("sqs", name),
        "FunctionArn": arn("lambda", f"function:{name}"),
        "FunctionResponseTypes": [],
        "MaximumBatchingWindowInSeconds": 0,
        "State": "Creating",
        "StateTransitionReason": "USER_INITIATED",
    }
    assert functions.get_event_source_mapping(UUID=made["UUID"])["State"] == "Disabled"


def test_every_setting_of_a_queues_mapping_comes_back_and_goes_again(functions, create):
    settings = {
        "BatchSize": 100,
        "MaximumBatchingWindowInSeconds": 5,
        "FilterCriteria": {"Filters": [{"Pattern": '{"body":["a"]}'}]},
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "ScalingConfig": {"MaximumConcurrency": 7},
        "MetricsConfig": {"Metrics": ["EventCount"]},
        "LoggingConfig": {"SystemLogLevel": "WARN"},
        "KMSKeyArn": arn("kms", "key/1"),
    }
    uuid = create(**settings)["UUID"]
    found = functions.get_event_source_mapping(UUID=uuid)
    assert {key: found[key] for key in settings} == settings
    pollers = {"MinimumPollers": 2, "MaximumPollers": 10000}
    update = {"ScalingConfig": {}, "FilterCriteria": {}, "KMSKeyArn": "", "BatchSize": 5}
    updated = functions.update_event_source_mapping(
        UUID=uuid, ProvisionedPollerConfig=pollers, FunctionResponseTypes=[], **update
    )
    assert updated["State"] == "Updating"
    assert (updated["BatchSize"], updated["ProvisionedPollerConfig"]) == (5, pollers)
    assert updated["FunctionResponseTypes"] == []
    assert not {"ScalingConfig", "FilterCriteria", "KMSKeyArn"} & set(updated)
    gone = functions.update_event_source_mapping(UUID=uuid, ProvisionedPollerConfig={})
    assert "ProvisionedPollerConfig" not in gone


def unsupported(setting):
    return f"Unsupported {setting} parameter for given event source mapping type."


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"StartingPosition": "LATEST"}, "StartingPosition is not valid for SQS event sources."),
        ({"ParallelizationFactor": 2}, unsupported("ParallelizationFactor")),
        ({"MaximumRetryAttempts": 2}, unsupported("MaximumRetryAttempts")),
        ({"TumblingWindowInSeconds": 2}, unsupported("TumblingWindowInSeconds")),
        ({"BisectBatchOnFunctionError": True}, unsupported("BisectBatchOnFunctionError")),
        ({"DestinationConfig": {"OnFailure": {}}}, unsupported("DestinationConfig")),
        ({"Topics": ["topic"]}, unsupported("Topics")),
        (
            {"FilterCriteria": {"Filters": [{"Pattern": '{"body":["a"]}'}] * 6}},
            "Invalid filter pattern definition.",
        ),
        (
            {"FilterCriteria": {"Filters": [{"Pattern": '{"body":[{"nosuch":1}]}'}]}},
            "Invalid filter pattern definition.",
        ),
        (
            {"ProvisionedPollerConfig": {"MinimumPollers": 1}},
            "MinimumPollers must be at least 2 and not more than MaximumPollers.",
        ),
        (
            {
                "ProvisionedPollerConfig": {"MinimumPollers": 2},
                "ScalingConfig": {"MaximumConcurrency": 2},
            },
            "MaximumConcurrency and ProvisionedPollerConfig exclude each other.",
        ),
    ],
)
def test_what_does_not_fit_a_queue_is_refused(create, refused, settings, text):
    with refused("InvalidParameterValueException", text, 400):
        create(**settings)


def test_a_batch_of_a_fifo_queue_is_small(server, create, refused, name):
    server.client("sqs").create_queue(
        QueueName=f"{name}.fifo", Attributes={"FifoQueue": "true"}
    )
    with refused("InvalidParameterValueException", status=400):
        create(EventSourceArn=arn("sqs", f"{name}.fifo"), BatchSize=11)


def test_a_lease_must_outlast_the_function(server, functions, create, refused, name):
    server.function(f"{name}-slow", SOURCE, Timeout=31)
    text = "Queue visibility timeout: 30 seconds is less than Function timeout: 31 seconds"
    with refused("InvalidParameterValueException", text, 400):
        create(FunctionName=f"{name}-slow")
    uuid = create()["UUID"]
    with refused("InvalidParameterValueException", text, 400):
        functions.update_event_source_mapping(UUID=uuid, FunctionName=f"{name}-slow")


def test_a_mapping_moves_to_another_function_unless_that_has_its_twin(
    server, functions, create, refused, name
):
    other, third = server.function(f"{name}-2", SOURCE), server.function(f"{name}-3", SOURCE)
    uuid = create()["UUID"]
    create(FunctionName=other)
    with refused("ResourceConflictException", status=409):
        functions.update_event_source_mapping(UUID=uuid, FunctionName=f"{name}-2")
    moved = functions.update_event_source_mapping(UUID=uuid, FunctionName=third)
    assert moved["FunctionArn"] == third
    version = functions.publish_version(FunctionName=name)["Version"]
    qualified = functions.update_event_source_mapping(
        UUID=uuid, FunctionName=f"{name}:{version}"
    )
    assert qualified["FunctionArn"] == arn("lambda", f"function:{name}:{version}")


@pytest.mark.parametrize(
    ("source", "what"),
    [
        (arn("kinesis", "stream/s"), "Kinesis"),
        (arn("dynamodb", "table/t/stream/2026"), "DynamoDB"),
        (arn("kafka", "cluster/c/1"), "Amazon MSK"),
        (arn("mq", "broker:b:1"), "Amazon MQ"),
        (arn("rds", "cluster:c"), "Amazon DocumentDB"),
    ],
)
def test_sources_that_are_not_here_say_so(create, refused, source, what):
    with refused("NotImplemented", f"lampejo does not support event sources of {what} yet.", 501):
        create(EventSourceArn=source, StartingPosition="LATEST")


def test_what_is_no_source_is_not_recognized(functions, refused, name):
    for source in ({}, {"EventSourceArn": arn("sns", "topic")}):
        with refused("InvalidParameterValueException", "Unrecognized event source.", 400):
            functions.create_event_source_mapping(FunctionName=name, **source)


def test_mappings_have_tags(functions, create):
    made = create(Tags={"a": "1", "b": "2"})
    resource = made["EventSourceMappingArn"]
    functions.tag_resource(Resource=resource, Tags={"b": "3", "c": "4"})
    functions.untag_resource(Resource=resource, TagKeys=["a"])
    assert functions.list_tags(Resource=resource)["Tags"] == {"b": "3", "c": "4"}


def test_settings_and_tags_survive_a_restart(own_server, name):
    own_server.function(name, SOURCE)
    own_server.client("sqs").create_queue(QueueName=name)
    functions = own_server.client("lambda")
    made = functions.create_event_source_mapping(
        FunctionName=name,
        EventSourceArn=arn("sqs", name),
        ProvisionedPollerConfig={"MinimumPollers": 3, "MaximumPollers": 4},
        Tags={"a": "1"},
    )

    def enabled():
        found = functions.get_event_source_mapping(UUID=made["UUID"])
        return found["State"] == "Enabled" and found

    before = eventually(enabled, "the mapping is enabled")
    own_server.restart()
    after = enabled()
    for answer in (before, after):
        answer.pop("ResponseMetadata")
    assert after == before
    tags = functions.list_tags(Resource=made["EventSourceMappingArn"])
    assert tags["Tags"] == {"a": "1"}
